"""Files with a problem line, ``p KIND ...``: graphs of DIMACS, and QUBO problems as qbsolv has them.

Formulas, which have one too, are in :mod:`attractor.solve.files.formulas`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from attractor.solve.dimod_extra import dimod
from attractor.solve.files.lines import ProblemFileError, check_size, damage, empty_model, numbered, numbers
from attractor.solve.problems import Graph

__all__ = ["GRAPHS", "QUBO", "problem_kind", "read_coefficients", "read_graph"]

#: A comment is a line that begins with this word.
_COMMENT = "c"
#: Kinds of graphs: DIMACS has both words.
GRAPHS = ("edge", "col")
QUBO = "qubo"


def problem_kind(text: str) -> str | None:
    """Return the kind that a problem line names; None if the first line that is no comment is none."""
    for _, words in numbered(text, _COMMENT):
        return words[1].lower() if words[0] == "p" and len(words) > 1 else None
    return None


def read_graph(path: Path, text: str) -> Graph:
    """Read ``p edge VERTICES EDGES`` and lines ``e i j`` with vertices from 1.

    Many such files have each edge in both directions; it counts once. Lines ``n`` say nothing of edges.

    Raises
    ------
    ProblemFileError
        If the file is damaged; the message names the line.
    """
    lines = numbered(text, _COMMENT)
    number, words = next(lines)
    sizes = numbers(path, number, words, (2,), "'p edge', vertices and edges", skip=2)
    vertices, announced = int(sizes[0]), int(sizes[1])
    check_size(path, number, words, vertices)
    edges, found = dict[tuple[int, int], None](), 0
    for number, words in lines:
        if words[0] == "n":
            continue
        if words[0] != "e":
            raise damage(path, number, words, "'e' and two vertices are expected")
        u, v = map(int, numbers(path, number, words, (2,), "'e' and two vertices", skip=1))
        if not (min(u, v) >= 1 and max(u, v) <= vertices):
            raise damage(path, number, words, f"vertices are numbered from 1 to {vertices}")
        if u == v:
            raise damage(path, number, words, "an edge cannot join a vertex to itself")
        edges[min(u, v) - 1, max(u, v) - 1] = None
        found += 1
    # Some announce how many lines there are, some how many edges, and some as if each edge were there twice.
    if announced not in (found, len(edges), 2 * len(edges)):
        raise ProblemFileError(
            f"{path} announces {announced} edges and has {len(edges)}; copy it again, or correct its problem line"
        )
    return Graph(vertices, np.array(list(edges), np.intp).reshape(-1, 2))


def read_coefficients(path: Path, text: str) -> dimod.BinaryQuadraticModel:
    """Read ``p qubo 0 VARIABLES DIAGONALS COUPLERS``, then lines ``i i coefficient`` and ``i j coefficient``, i < j.

    Variables are numbered from 0; those that no line names are there all the same.

    Raises
    ------
    ProblemFileError
        If the file is damaged; the message names the line.
    """
    lines = numbered(text, _COMMENT)
    number, words = next(lines)
    if len(words) != 6 or not all(word.isascii() and word.isdigit() and len(word) < 20 for word in words[3:]):
        raise damage(path, number, words, "'p qubo', a topology and three sizes are expected")
    variables, *announced = map(int, words[3:])
    check_size(path, number, words, variables)
    bqm, counts, first_seen = empty_model("BINARY", range(variables)), [0, 0], dict[tuple[int, int], int]()
    for number, words in lines:
        values = numbers(path, number, words, (3,), "two variables and a coefficient")
        u, v = int(values[0]), int(values[1])
        if not (min(u, v) >= 0 and max(u, v) < variables):
            raise damage(path, number, words, f"variables are numbered from 0 to {variables - 1}")
        pair = (min(u, v), max(u, v))
        if pair in first_seen:
            raise damage(path, number, words, f"line {first_seen[pair]} has this coefficient already")
        first_seen[pair] = number
        counts[u != v] += 1
        if u == v:
            bqm.add_linear(u, values[2])
        else:
            bqm.add_quadratic(u, v, values[2])
    for what, found, said in zip(("diagonal entries", "couplers"), counts, announced, strict=True):
        if found != said:
            raise ProblemFileError(
                f"{path} announces {said} {what} and has {found}; copy it again, or correct its problem line"
            )
    return bqm
