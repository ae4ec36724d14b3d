"""Matrices of the Matrix Market, as graphs or as quadratic forms."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.io
import scipy.sparse

from attractor.intake import refusing
from attractor.solve.dimod_extra import dimod
from attractor.solve.files.lines import MOST_VERTICES, ProblemFileError, checked_model, empty_model, odd_number
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
        If it is damaged, not square, complex or of another symmetry, or cannot be taken so.
    """
    size = _checked_size(path, text)
    with refusing(
        ProblemFileError, path, "is no intact matrix of the Matrix Market", "correct or copy it again", Exception
    ):
        # NumPy tells of numbers that are too large by a warning; they are refused below.
        with np.errstate(all="ignore"):
            matrix = scipy.sparse.coo_array(scipy.io.mmread(io.BytesIO(text.encode())), dtype=np.float64)
        matrix.sum_duplicates()
    rows, columns = (np.asarray(index, np.intp) for index in matrix.coords)
    values = np.asarray(matrix.data, np.float64)
    for index in np.flatnonzero([bool(odd_number(value)) for value in values.tolist()])[:1].tolist():
        raise ProblemFileError(
            f"{path}: entry ({rows[index] + 1}, {columns[index] + 1}), {values[index]:g}, "
            f"{odd_number(float(values[index]))}; correct the matrix"
        )
    rows, columns, values = rows[values != 0], columns[values != 0], values[values != 0]
    if kind == "cut":
        return _graph(path, size, rows, columns, values)
    if kind == "ising" and (rows == columns).any():
        row = int(rows[rows == columns][0]) + 1
        raise ProblemFileError(
            f"{path}: entry ({row}, {row}) lies on the diagonal, which is a constant for spins; leave the diagonal "
            "out, and give biases by lines 'i j coefficient' or a file of dimod"
        )
    bqm = empty_model("BINARY" if kind == "qubo" else "SPIN", range(1, size + 1))
    on = rows == columns
    bqm.add_linear_from(zip((rows[on] + 1).tolist(), values[on].tolist(), strict=True))
    terms = zip((rows[~on] + 1).tolist(), (columns[~on] + 1).tolist(), values[~on].tolist(), strict=True)
    bqm.add_quadratic_from(terms)
    return checked_model(path, bqm)


def _checked_size(path: Path, text: str) -> int:
    """Return the number of rows; raise an error unless the banner is one that is read, and the sizes fit the file."""
    lines = ((number, line) for number, line in enumerate(text.splitlines(), 1))
    banner = next(lines)[1].split()
    words = [word.lower() for word in banner[1:]]
    if len(words) != 4 or words[0] != "matrix":
        raise ProblemFileError(
            f"{path}, line 1: '{BANNER} matrix', a format, a field and a symmetry are expected; "
            "correct or copy it again"
        )
    for word, known in zip(words[1:], (_FORMATS, _FIELDS, _SYMMETRIES), strict=True):
        if word not in known:
            raise ProblemFileError(
                f"{path}, line 1: a matrix that is {word[:40]} is not read; save one that is {' or '.join(known)}"
            )
    form = words[1]
    number, line = next(((number, line) for number, line in lines if line.strip() and line[0] != "%"), (0, ""))
    sizes = line.split()
    if len(sizes) != (3 if form == "coordinate" else 2) or not all(map(_SIZE.fullmatch, sizes)):
        what = "rows, columns and entries" if form == "coordinate" else "rows and columns"
        raise ProblemFileError(f"{path}, line {number}: {line[:60]!r}: {what} are expected; correct or copy it again")
    rows, columns = int(sizes[0]), int(sizes[1])
    if rows != columns or not 1 <= rows <= MOST_VERTICES:
        raise ProblemFileError(
            f"{path}, line {number}: a matrix of {rows:,} rows and {columns:,} columns is no problem; it must be "
            f"square, with {MOST_VERTICES:,} rows at most"
        )
    entries = int(sizes[2]) if form == "coordinate" else rows * (rows + 1) // 2
    if entries * _LEAST_ENTRY[form] > len(text) + 2:
        raise ProblemFileError(f"{path} announces {entries:,} entries and is too short for them; copy it again")
    return rows


def _graph(
    path: Path,
    vertices: int,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    values: npt.NDArray[np.float64],
) -> Graph:
    weights = dict[tuple[int, int], float]()
    for row, column, value in zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True):
        if row == column:
            raise ProblemFileError(
                f"{path}: entry ({row + 1}, {row + 1}) lies on the diagonal, and an edge cannot join a vertex to "
                "itself; leave it out, or say --as qubo"
            )
        pair = (min(row, column), max(row, column))
        if weights.setdefault(pair, value) != value:
            raise ProblemFileError(
                f"{path}: entries ({row + 1}, {column + 1}) and ({column + 1}, {row + 1}) differ, and an edge has one "
                "weight; correct the matrix, or say --as qubo"
            )
    return Graph(vertices, np.array(list(weights), np.intp).reshape(-1, 2), list(weights.values()))
