"""QUBO problems as the OR-Library has them (J. E. Beasley): a quadratic form of bits is to be large."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attractor.solve.dimod_extra import dimod
from attractor.solve.files.lines import (
    ProblemFileError,
    check_size,
    checked_model,
    damage,
    numbered,
    numbers,
)
from attractor.solve.files.worded import WordedProblem
from attractor.solve.problems import Problem

__all__ = ["looks_like", "read_forms"]

#: Most problems of one file.
_MOST_PROBLEMS = 10_000


def looks_like(text: str) -> bool:
    """Return whether the first line is one number and the second is two."""
    lines = [words for _, words in zip(range(2), (words for _, words in numbered(text)), strict=False)]
    return [len(words) for words in lines] == [1, 2] and lines[0][0].isdigit()


def read_forms(path: Path, text: str, wanted: int | None) -> WordedProblem:
    """Read one of the problems of a file: their number, and for each ``n entries`` and lines ``i j q``, i from 1.

    The sum of ``q_ij x_i x_j`` over all i and j is to be large, where q is symmetric and a line stands for both of its
    halves: what is not on the diagonal counts twice.

    Parameters
    ----------
    path, text:
        The file and what it holds.
    wanted:
        Number of the problem, from 1; None if there is one only.

    Raises
    ------
    ProblemFileError
        If it is damaged, or there are several problems and none is named; the message names the line.
    """
    lines = numbered(text)
    number, words = next(lines)
    count = int(numbers(path, number, words, (1,), "a number of problems")[0])
    if not 1 <= count <= _MOST_PROBLEMS:
        raise damage(path, number, words, f"there must be one problem at least, and {_MOST_PROBLEMS:,} at most")
    if wanted is None and count > 1:
        raise ProblemFileError(f"{path} holds {count} problems; say which: --problem 1 to {count}")
    if wanted is not None and not 1 <= wanted <= count:
        raise ProblemFileError(f"{path} holds {count} problems, and none of number {wanted}; take 1 to {count}")
    for index in range(1, wanted or 1):
        _form(path, lines, index, None)
    bqm = dimod.BinaryQuadraticModel("BINARY")
    _form(path, lines, wanted or 1, bqm)
    if (wanted or 1) == count and (rest := next(lines, None)) is not None:
        raise damage(path, *rest, "nothing is expected after the last problem")
    return _worded(checked_model(path, bqm), wanted or 1)


def _form(
    path: Path, lines: Iterator[tuple[int, list[str]]], index: int, bqm: dimod.BinaryQuadraticModel | None
) -> None:
    """Read a problem into an empty model; None passes over it."""
    number, words = next(lines, (0, []))
    if not words:
        raise ProblemFileError(f"{path} ends before its problem {index}; it was cut off: copy it again")
    variables, entries = map(int, numbers(path, number, words, (2,), "variables and entries"))
    check_size(path, number, words, variables)
    if bqm is not None:
        bqm.add_linear_from(dict.fromkeys(range(1, variables + 1), 0.0))
    for found in range(entries):
        number, words = next(lines, (0, []))
        if not words:
            raise ProblemFileError(
                f"{path} ends after {found} of {entries} entries of problem {index}; it was cut off: copy it again"
            )
        u, v, q = numbers(path, number, words, (3,), "two variables and a coefficient")
        if not (min(u, v) >= 1 and max(u, v) <= variables):
            raise damage(path, number, words, f"variables are numbered from 1 to {variables}")
        if bqm is not None:
            _add(bqm, int(u), int(v), q)


def _add(bqm: dimod.BinaryQuadraticModel, u: int, v: int, q: float) -> None:
    if u == v:
        bqm.add_linear(u, -q)
    else:
        bqm.add_quadratic(u, v, -2 * q)


def _worded(bqm: dimod.BinaryQuadraticModel, number: int) -> WordedProblem:
    def value(answer: tuple[int, ...]) -> float:
        return -float(bqm.energy(dict(enumerate(answer, 1))))

    problem = Problem(
        "qubo",
        bqm,
        lambda sample: tuple(int(sample[label]) for label in range(1, bqm.num_variables + 1)),
        lambda _: True,
        value,
        "maximise",
    )
    about = {"problem": "qubo", "number": number, "variables": bqm.num_variables}
    return WordedProblem(problem, about, "value", lambda answer: dict(enumerate(answer, 1)))
