"""Lines of text files that hold problems: words, numbers, and what is wrong with a line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from attractor.intake import IntakeError
from attractor.solve.dimod_extra import dimod

__all__ = [
    "LARGEST",
    "MOST_VERTICES",
    "ProblemFileError",
    "check_size",
    "checked_model",
    "damage",
    "empty_model",
    "numbered",
    "numbers",
    "odd_number",
]

#: Most vertices of a graph, and greatest number of a variable: what no network takes is told later, by its size.
MOST_VERTICES = 1 << 20
#: Greatest magnitude of a number, and with it the least but 0: sums, squares and ratios of such numbers are finite.
LARGEST = 1e100
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
    path: Path, number: int, words: list[str], counts: tuple[int, ...], what: str, *, skip: int = 0, whole: int = 2
) -> list[float]:
    """Return a line's numbers, but for some words to skip.

    Parameters
    ----------
    path, number, words:
        The file, the line's number and its words.
    counts:
        How many numbers it may have.
    what:
        What is expected.
    skip:
        Words that are no numbers, at the beginning.
    whole:
        How many of the numbers, from the first, are integers.

    Raises
    ------
    ProblemFileError
        If it has more or fewer words than ``counts`` say, one of them is no number, not finite, or so large or small
        that sums of them would not be.
    """
    given = words[skip:]
    if len(given) not in counts:
        raise damage(path, number, words, f"{what} are expected")
    if max(map(len, given), default=0) > _MOST_DIGITS:
        raise damage(path, number, words, f"a number has more than {_MOST_DIGITS} digits")
    try:
        values = [*map(float, map(int, given[:whole])), *map(float, given[whole:])]
    except ValueError:
        raise damage(path, number, words, f"{what} are expected, as numbers") from None
    for value in values:
        if why := odd_number(value):
            raise damage(path, number, words, f"a number {why}")
    return values


def odd_number(value: float) -> str:
    """Return what is wrong with a number that is not finite, or too large or small to compute with; else nothing."""
    if not math.isfinite(value):
        return "is not finite"
    if abs(value) > LARGEST:
        return f"is beyond {LARGEST:g}, where sums overflow: scale all of them down"
    if 0 < abs(value) < 1 / LARGEST:
        return f"is closer to 0 than {1 / LARGEST:g}: write 0, or scale all of them up"
    return ""


def damage(path: Path, number: int, words: list[str], why: str) -> ProblemFileError:
    """Return the error that says what is wrong with a line."""
    line = " ".join(words[:20])
    return ProblemFileError(f"{path}, line {number}: {line[:60]!r}: {why}; correct the line or copy the file again")


def check_size(path: Path, number: int, words: list[str], size: float) -> None:
    """Raise an error unless there can be so many vertices or variables."""
    if not 1 <= size <= MOST_VERTICES:
        raise damage(path, number, words, f"there must be one vertex or variable, and may be {MOST_VERTICES:,} at most")


def empty_model(vartype: str, labels: range) -> dimod.BinaryQuadraticModel:
    """Return a model with variables and no coefficients."""
    return dimod.BinaryQuadraticModel(dict.fromkeys(labels, 0.0), {}, 0.0, vartype)


def checked_model(path: Path, bqm: dimod.BinaryQuadraticModel) -> dimod.BinaryQuadraticModel:
    """Return a model; raise an error that names the variable if one of its numbers is none to compute with."""
    terms = [("its offset", [bqm.offset], [()])]
    terms += [("the bias of {0!r}", list(bqm.linear.values()), [(label,) for label in bqm.linear])]
    terms += [("the coupling of {0!r} and {1!r}", list(bqm.quadratic.values()), list(bqm.quadratic))]
    for what, values, labels in terms:
        size = np.abs(np.asarray(values, np.float64))
        # Sums of proper numbers may cancel to less than a number may be.
        for index in np.flatnonzero(~(size <= LARGEST) | ((size > 0) & (size < 1 / LARGEST**1.5))).tolist():
            raise ProblemFileError(
                f"{path}: {what.format(*labels[index])}, {values[index]:g}, {odd_number(float(values[index]))}; "
                "correct the model and save it again"
            )
    return bqm
