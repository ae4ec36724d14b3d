"""Matrices of the Matrix Market, as graphs or as quadratic forms.

They are read line by line here: SciPy's reader ends the process on files that are cut off by a zero byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from attractor.solve.dimod_extra import dimod
from attractor.solve.files.lines import (
    MOST_VERTICES,
    ProblemFileError,
    checked_model,
    damage,
    empty_model,
    numbers,
)
from attractor.solve.problems import Graph

__all__ = ["BANNER", "read_matrix"]

#: What such a file begins with.
BANNER = "%%MatrixMarket"
#: What a banner may say.
_FORMATS, _FIELDS = ("coordinate", "array"), ("real", "integer", "pattern", "double", "unsigned-integer")
_SYMMETRIES = ("general", "symmetric")
#: Fewest characters of an entry with its place, and of one alone, with the sign between it and the next.
_LEAST_ENTRY = {"coordinate": 4, "array": 2}
_SIZE = re.compile(r"[0-9]{1,15}")
_Lines = Iterator[tuple[int, list[str]]]


class _Head(NamedTuple):
    """What a banner and the line of sizes say."""

    form: str
    pattern: bool
    symmetric: bool
    size: int
    entries: int


class _Entry(NamedTuple):
    """An entry, and where it stands."""

    value: float
    number: int
    words: list[str]


def read_matrix(path: Path, text: str, kind: Literal["cut", "qubo", "ising"]) -> Graph | dimod.BinaryQuadraticModel:
    """Read a square matrix A, symmetric or general, of coordinates or as an array; its rows are numbered from 1.

    ======  ============================================================================================================
    cut     A graph: an entry is the weight of an edge. A general matrix has one triangle, or two that are equal.
    qubo    The least sum of ``a_ij x_i x_j`` over all i and j, so that a pair of a symmetric matrix counts twice.
    ising   The least sum of the same of spins; there is no diagonal, which would be a constant.
    ======  ============================================================================================================

    Raises
    ------
    ProblemFileError
        If it is damaged, not square, complex or of another symmetry, or cannot be taken so; the message names the line.
    """
    lines = ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
    lines = ((number, words) for number, words in lines if words and (number == 1 or words[0][0] != "%"))
    head = _head(path, lines, len(text))
    entries = _coordinates(path, lines, head) if head.form == "coordinate" else _array(path, lines, head)
    given = {place: entry for place, entry in entries.items() if entry.value}
    if kind == "cut":
        return _graph(path, given, head)
    bqm = empty_model("BINARY" if kind == "qubo" else "SPIN", range(1, head.size + 1))
    for (row, column), entry in given.items():
        if row != column:
            bqm.add_quadratic(row, column, (1 + head.symmetric) * entry.value)
        elif kind == "qubo":
            bqm.add_linear(row, entry.value)
        else:
            why = "is on the diagonal, a constant for spins: biases can be given by lines 'i j coefficient'"
            raise damage(path, entry.number, entry.words, f"entry ({row}, {row}) {why}")
    return checked_model(path, bqm)


def _head(path: Path, lines: _Lines, length: int) -> _Head:
    """Read the banner and the sizes; raise an error unless they can be read, and fit the length of the text."""
    number, banner = next(lines)
    words = [word.lower() for word in banner[1:]]
    if len(words) != 4 or words[0] != "matrix":
        raise damage(path, number, banner, f"'{BANNER} matrix', a format, a field and a symmetry are expected")
    for word, known in zip(words[1:], (_FORMATS, _FIELDS, _SYMMETRIES), strict=True):
        if word not in known:
            raise ProblemFileError(
                f"{path}, line 1: a matrix that is {word[:40]} is not read; save one that is {' or '.join(known)}"
            )
    form, field, symmetry = words[1:]
    number, sizes = next(lines, (number, banner))
    if len(sizes) != (3 if form == "coordinate" else 2) or not all(map(_SIZE.fullmatch, sizes)):
        what = "rows, columns and entries" if form == "coordinate" else "rows and columns"
        raise damage(path, number, sizes, f"{what} are expected")
    rows, columns = int(sizes[0]), int(sizes[1])
    if rows != columns or not 1 <= rows <= MOST_VERTICES:
        raise damage(path, number, sizes, f"a matrix must be square, with {MOST_VERTICES:,} rows at most")
    half = rows * (rows + 1) // 2
    entries = int(sizes[2]) if form == "coordinate" else half if symmetry == "symmetric" else rows * rows
    if entries * _LEAST_ENTRY[form] > length + 2:
        raise ProblemFileError(f"{path} announces {entries:,} entries and is too short for them; copy it again")
    return _Head(form, field == "pattern", symmetry == "symmetric", rows, entries)


def _coordinates(path: Path, lines: _Lines, head: _Head) -> dict[tuple[int, int], _Entry]:
    entries = dict[tuple[int, int], _Entry]()
    for number, words in lines:
        what = "a row and a column" if head.pattern else "a row, a column and a value"
        values = numbers(path, number, words, (2,) if head.pattern else (3,), what)
        row, column = int(values[0]), int(values[1])
        if not (min(row, column) >= 1 and max(row, column) <= head.size):
            raise damage(path, number, words, f"rows and columns are numbered from 1 to {head.size}")
        place = (column, row) if head.symmetric and row < column else (row, column)
        if place in entries:
            raise damage(path, number, words, f"line {entries[place].number} has this entry already")
        entries[place] = _Entry(1.0 if head.pattern else values[2], number, words)
    if len(entries) != head.entries:
        raise ProblemFileError(f"{path} announces {head.entries} entries and has {len(entries)}; copy it again")
    return entries


def _array(path: Path, lines: _Lines, head: _Head) -> dict[tuple[int, int], _Entry]:
    """Read values column by column; of a symmetric matrix those from the diagonal down."""
    size, entries = head.size, dict[tuple[int, int], _Entry]()
    places = (
        (row, column) for column in range(1, size + 1) for row in range(column if head.symmetric else 1, size + 1)
    )
    for place, (number, words) in zip(places, islice(lines, head.entries), strict=False):
        entries[place] = _Entry(numbers(path, number, words, (1,), "single values", whole=0)[0], number, words)
    if len(entries) < head.entries:
        raise ProblemFileError(f"{path} has {len(entries)} of {head.entries} entries; it was cut off: copy it again")
    if (rest := next(lines, None)) is not None:
        raise damage(path, *rest, f"{head.entries} entries are expected, and this is one more")
    return entries


def _graph(path: Path, entries: dict[tuple[int, int], _Entry], head: _Head) -> Graph:
    weights = dict[tuple[int, int], float]()
    for (row, column), entry in entries.items():
        if row == column:
            why = "is on the diagonal, and an edge cannot join a vertex to itself: is it a form, --as qubo?"
            raise damage(path, entry.number, entry.words, f"entry ({row}, {row}) {why}")
        pair = (min(row, column), max(row, column))
        if weights.setdefault(pair, entry.value) != entry.value:
            why = f"entries ({row}, {column}) and ({column}, {row}) differ, and an edge has one weight"
            raise damage(path, entry.number, entry.words, why)
    return Graph(head.size, np.array(list(weights), np.intp).reshape(-1, 2) - 1, list(weights.values()))
