"""The ``attractor`` command: thin over the Python API.

Importing this package and its commands loads Typer and little else: what a command needs it imports when it runs, so
that help comes at once.
"""

from __future__ import annotations

import sys
from typing import Any

from attractor.cli.output import output, show_version

__all__ = ["main"]

#: Options that mean the same everywhere, so they may stand before or after the command; value: takes an argument.
_GLOBAL = {"--json": False, "-v": False, "--verbose": False, "-q": False, "--quiet": False, "--port": True}
#: Exit code of a program that Ctrl-C ended.
_INTERRUPTED = 130
_FLAGS = {name for name, takes in _GLOBAL.items() if not takes}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error of the user's is one message and a non-zero exit code.

    What else goes wrong is an error of ours, and shows where.
    """
    given = sys.argv[1:] if arguments is None else arguments
    output.reset()
    # Known before anything can fail, as the options themselves may be wrong.
    output.json = "--json" in given
    if "--version" in given and _FLAGS.issuperset(word for word in given if word != "--version"):
        show_version()
        raise SystemExit(0)
    try:
        # Not at the top: the version needs no command.
        from attractor.cli.app import app

        code = app(_hoist(given), prog_name="attractor", standalone_mode=False) or 0
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except Exception as error:
        raise SystemExit(_told(error)) from error
    if code == _INTERRUPTED:  # Typer makes an exit code of an interrupt, too
        output.error("interrupted; call the command again", "interrupted")
    raise SystemExit(code)


def _told(error: Exception) -> int:
    """Say what went wrong, and return the exit code; raise an error that is ours."""
    kind = type(error).__name__
    # Some versions of Typer have a copy of Click, some use Click itself: these errors are known by what they can do.
    usage: Any = error
    if hasattr(error, "exit_code") and hasattr(error, "format_message"):
        usage.show()
        output.error_document(f"{usage.format_message().rstrip('.')}; see --help", "usage")
        return usage.exit_code
    if output.verbose or not _is_the_users(error):
        output.error_document(f"{kind}: {error}; this is a fault of attractor, please report it", "internal")
        raise error
    output.error(str(error), kind)
    return 1


def _is_the_users(error: Exception) -> bool:
    """Return whether the message of an error is meant for the user."""
    if isinstance(error, ValueError | OSError):
        return True
    if isinstance(error, RuntimeError):
        # These two are kinds of it, and tell of a fault of the program.
        return not isinstance(error, NotImplementedError | RecursionError)
    from attractor.host.errors import HostError

    return isinstance(error, HostError)


def _hoist(arguments: list[str]) -> list[str]:
    """Move global options to the front, where the command line looks for them."""
    front: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        name = word.split("=", 1)[0]
        if word == "--":
            return [*front, *rest, word, *waiting]
        if name not in _GLOBAL:
            rest.append(word)
            continue
        front.append(word)
        if _GLOBAL[name] and "=" not in word:
            if not waiting or waiting[0].startswith("-"):
                raise ValueError(f"{word} needs an address after it: a serial device, sim:FILE, rtl:FILE or a URL")
            front.append(waiting.pop(0))
    return [*front, *rest]
