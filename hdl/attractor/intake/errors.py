"""What is raised when something from outside is not what it should be."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attractor.intake.text import printable

__all__ = ["DAMAGE", "IntakeError", "advised", "refusing", "told"]

#: Longest part of a message that says what is wrong.
_MOST_TOLD = 600
#: Longest message, in characters.
_MOST_SAID = 1600

#: What parsers of damaged contents raise, ours and those of libraries.
DAMAGE: tuple[type[Exception], ...] = (
    ValueError,  # and with it IntakeError and whatever readers derive from it
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    MemoryError,
    RuntimeError,  # a recursion too deep, an unknown compression, an encrypted member
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class IntakeError(ValueError):
    """Something from outside is damaged, or more than it may be.

    Base of the errors of all readers. Those of this package say what is wrong and where; readers put the name of the
    file or device before it and the next step behind, with :func:`refusing`. Whatever a file holds, the message is one
    line that is safe to print; of a long one the middle is left out.
    """

    def __init__(self, message: str) -> None:
        said = printable(message)
        super().__init__(said if len(said) <= _MOST_SAID else f"{said[: _MOST_SAID // 2]} … {said[-_MOST_SAID // 2 :]}")


@contextmanager
def refusing(
    kind: Callable[[str], Exception],
    source: str | Path,
    what: str,
    next_step: str,
    also: type[Exception] = IntakeError,
) -> Iterator[None]:
    """Raise ``kind`` with ``"{source} {what}: {reason}; {next_step}"`` for any damage that the block meets.

    Errors of ``kind`` itself pass, as they have all this already, and those of the operating system, which say more
    about the place than about its contents.

    Parameters
    ----------
    kind:
        Class of the error.
    source:
        File or device.
    what:
        What it is not, such as ``"is no intact model file"``.
    next_step:
        What the user can do.
    also:
        What else means damage: ``Exception`` where a library meets it with whatever it leads to.
    """
    try:
        yield
    except (*DAMAGE, also) as error:
        if isinstance(kind, type) and isinstance(error, kind):
            raise
        raise kind(f"{source} {what}: {told(error)}; {next_step}") from error


def advised(error: BaseException, next_step: str) -> str:
    """Return what an error says, as :func:`told` does, and ``next_step`` behind it unless it has one."""
    said = told(error)
    return said if "; " in said else f"{said}; {next_step}"


def told(error: BaseException) -> str:
    """Return what an error says, as text that is safe to print and not too long."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    said = str(error)
    if isinstance(error, KeyError):
        said = f"{said} is missing"
    return printable(said or type(error).__name__, _MOST_TOLD)
