"""Lines of text files that hold problems: words, numbers, and what is wrong with a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from attractor.intake import IntakeError

__all__ = ["MOST_VERTICES", "ProblemFileError", "damage", "numbered", "numbers"]

#: Most vertices of a graph, and greatest number of a variable: what no network takes is told later, by its size.
MOST_VERTICES = 1 << 20
#: Longest number, in characters.
_MOST_DIGITS = 64


class ProblemFileError(IntakeError):
    """A file of a problem or a solution cannot be read or written; the message names it, and the line."""


def numbered(text: str, comment: str = "#") -> Iterator[tuple[int, list[str]]]:
    """Give the words of each line that is neither empty nor a comment, with the line's number.

    A comment begins anywhere with ``#``; any other sign is that of a word with which a whole line is a comment.
    """
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split() if comment == "#" else line.split()
        if words and words[0] != comment:
            yield number, words


def numbers(
    path: Path, number: int, words: list[str], counts: tuple[int, ...], what: str, *, skip: int = 0
) -> list[float]:
    """Return a line's numbers, but for some words to skip: two integers, and perhaps a third number.

    Raises
    ------
    ProblemFileError
        If it has more or fewer words than ``counts`` say, or one of them is no number.
    """
    given = words[skip:]
    if len(given) not in counts:
        raise damage(path, number, words, f"{what} are expected")
    if max(map(len, given)) > _MOST_DIGITS:
        raise damage(path, number, words, f"a number has more than {_MOST_DIGITS} digits")
    try:
        values = [float(int(given[0])), float(int(given[1])), *map(float, given[2:])]
    except ValueError:
        raise damage(path, number, words, f"{what} are expected, as numbers") from None
    if not np.isfinite(values).all():
        raise damage(path, number, words, "a number is not finite")
    return values


def damage(path: Path, number: int, words: list[str], why: str) -> ProblemFileError:
    """Return the error that says what is wrong with a line."""
    line = " ".join(words)
    return ProblemFileError(f"{path}, line {number}: {line[:60]!r}: {why}; correct the line or copy the file again")
