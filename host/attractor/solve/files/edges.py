"""Lines ``i j value``: graphs as rudy and the G-set have them, and tables of coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from attractor.solve.dimod_extra import dimod
from attractor.solve.files.lines import (
    MOST_VERTICES,
    ProblemFileError,
    check_size,
    checked_model,
    damage,
    empty_model,
    numbered,
    numbers,
)
from attractor.solve.problems import Graph

__all__ = ["Ambiguous", "read_coordinates", "read_graph", "read_table"]

#: Shortest line of an edge, in characters.
_LEAST_LINE = 4
_Lines = Iterator[tuple[int, list[str]]]


class Ambiguous(Exception):  # noqa: N818
    """A text could be a graph or a table; the message says what in it tells that."""


def read_graph(path: Path, text: str, *, sure: bool) -> Graph:
    """Read ``vertices edges`` and lines ``i j`` or ``i j weight``, vertices from 1; a weight that is left out is 1.

    Parameters
    ----------
    path, text:
        The file and what it holds.
    sure:
        Whether it is a graph. Only then the first line may be missing, where every line has three numbers.

    Raises
    ------
    Ambiguous
        If it is not sure to be a graph, and has no first line, a diagonal, or weights other than 1 and -1.
    ProblemFileError
        If it is damaged; the message names the line.
    """
    sizes, lines = _sizes(path, text, "vertices and edges")
    if sizes is None and not sure:
        raise Ambiguous("it does not begin with 'vertices edges'")
    vertices, count = sizes or (MOST_VERTICES, len(text))
    room = min(count, len(text) // _LEAST_LINE + 1)  # whatever is announced
    edges, weights, first_seen = np.zeros((room, 2), np.intp), np.ones(room), dict[tuple[int, int], int]()
    found = 0
    for number, words in lines:
        if found == count:
            raise damage(path, number, words, f"line 1 announces {count} edges, and this is one more")
        values = numbers(path, number, words, (2, 3) if sizes else (3,), "two vertices and a weight")
        u, v = int(values[0]), int(values[1])
        pair = (min(u, v), max(u, v))
        if not 1 <= pair[0] <= pair[1] <= vertices:
            raise damage(path, number, words, f"vertices are numbered from 1 to {vertices}")
        if not sure and (u == v or abs((*values, 1.0)[2]) != 1):
            why = "a diagonal entry" if u == v else "another weight than 1 and -1"
            raise Ambiguous(f"line {number}, {' '.join(words)!r}, has {why}")
        if u == v:
            raise damage(path, number, words, "an edge cannot join a vertex to itself; are these coefficients?")
        if pair in first_seen:
            raise damage(path, number, words, f"line {first_seen[pair]} has this edge already")
        first_seen[pair] = number
        edges[found] = u - 1, v - 1
        weights[found] = values[2] if len(values) == 3 else 1.0
        found += 1
    if sizes and found < count:
        raise ProblemFileError(
            f"{path} ends after {found} of {count} edges; it was cut off: copy it again, or correct its first line"
        )
    return Graph(vertices if sizes else int(edges[:found].max(initial=0)) + 1, edges[:found], weights[:found])


def read_table(path: Path, text: str, vartype: str) -> dimod.BinaryQuadraticModel:
    """Read ``variables lines`` and lines ``i j coefficient``, variables from 1; what is there twice adds up.

    A diagonal entry is linear. Without the first line the variables are those that are named, from 0 on.

    Raises
    ------
    ProblemFileError
        If it is damaged; the message names the line.
    """
    sizes, lines = _sizes(path, text, "variables and lines")
    if sizes is None:
        return _added(path, lines, dimod.BinaryQuadraticModel(vartype))[0]
    variables, count = sizes
    labels = range(1, variables + 1)
    bqm, found = _added(path, lines, empty_model(vartype, labels), labels)
    if found != count:
        raise ProblemFileError(f"{path} announces {count} lines and has {found}; copy it again, or correct line 1")
    return bqm


def read_coordinates(path: Path, text: str, vartype: str) -> dimod.BinaryQuadraticModel:
    """Read COOrdinate text with a header, line by line: the library passes over lines that it does not understand.

    Raises
    ------
    ProblemFileError
        If it is damaged; the message names the line.
    """
    if vartype.upper() not in ("SPIN", "BINARY"):
        raise ProblemFileError(f"{path}: its vartype is {vartype!r}; it must be SPIN or BINARY")
    bqm = dimod.BinaryQuadraticModel(vartype.upper())
    return _added(path, numbered(text), bqm)[0]


def _sizes(path: Path, text: str, what: str) -> tuple[tuple[int, int] | None, _Lines]:
    """Return the two numbers of a first line, or None if it has three; and the lines that follow."""
    lines = numbered(text)
    number, words = next(lines, (0, []))
    if not words:
        raise ProblemFileError(f"{path} holds nothing but comments; give it lines, or check the name")
    if len(words) == 3:
        numbers(path, number, words, (3,), f"{what}, or two numbers and a value,")
        return None, chain([(number, words)], lines)
    sizes = numbers(path, number, words, (2,), what)
    check_size(path, number, words, sizes[0])
    if sizes[1] < 0:
        raise damage(path, number, words, "a number of lines is at least 0")
    return (int(sizes[0]), int(sizes[1])), lines


def _added(
    path: Path, lines: _Lines, bqm: dimod.BinaryQuadraticModel, labels: range = range(MOST_VERTICES)
) -> tuple[dimod.BinaryQuadraticModel, int]:
    """Add lines to a model; return it and how many they were."""
    found = 0
    for number, words in lines:
        u, v, bias = numbers(path, number, words, (3,), "two variables and a coefficient")
        if not (int(u) in labels and int(v) in labels):
            last = f"up to {labels[-1]}" if labels[0] == 0 and min(u, v) >= 0 else f"from {labels[0]}"
            if labels[0] == 1:
                last = f"from 1 to {labels[-1]}"
            raise damage(path, number, words, f"variables are numbered {last}")
        if u == v:
            bqm.add_linear(int(u), bias)
        else:
            bqm.add_quadratic(int(u), int(v), bias)
        found += 1
    return checked_model(path, bqm), found
