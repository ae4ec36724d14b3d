"""The ``attractor`` command: thin over the Python API."""

from __future__ import annotations

import sys

from attractor.cli.app import app
from attractor.cli.output import output
from attractor.host import HostError
from attractor.spec import SpecError

__all__ = ["main"]

#: Options that mean the same everywhere, so they may stand before or after the command; value: takes an argument.
_GLOBAL = {"--json": False, "-v": False, "--verbose": False, "-q": False, "--quiet": False, "--port": True}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error is one message and a non-zero exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    output.reset()
    try:
        app(_hoist(given), prog_name="attractor")
    except (HostError, SpecError, ValueError, RuntimeError, OSError, TypeError) as error:
        if output.verbose:
            raise
        output.error(str(error))
        raise SystemExit(1) from error
    except KeyboardInterrupt:
        output.error("interrupted")
        raise SystemExit(130) from None


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
