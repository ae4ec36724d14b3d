"""Files that hold problems and their solutions.

Read: graphs as the G-set and rudy have them, and those of DIMACS; QUBO problems as qbsolv has them; and dimod's models
as binary file, JSON or COOrdinate text; each of them packed by gzip, too. What a file is, is seen from its first bytes,
because graphs seldom have a suffix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from attractor.intake import IntakeError, refusing
from attractor.intake.documents import parsed_object
from attractor.intake.files import read_file, unpacked
from attractor.machine.files import write_whole
from attractor.solve import dimacs_files
from attractor.solve.dimod_extra import dimod
from attractor.solve.ising import MOST_OSCILLATORS
from attractor.solve.problem_lines import MOST_VERTICES, ProblemFileError, damage, numbered, numbers
from attractor.solve.problems import Graph

__all__ = [
    "MOST_BYTES",
    "MOST_VERTICES",
    "Kind",
    "ProblemFile",
    "ProblemFileError",
    "Solution",
    "open_problem",
    "read_problem",
]

#: First bytes of dimod's binary files, and first characters of its text.
_BINARY, _COORDINATES = b"DIMODBQM", re.compile(r"\s*#.*?vartype\s*[:=]\s*(\w+)", re.IGNORECASE)
#: Longest problem file in bytes: four times the text of the densest problem that a network can hold.
MOST_BYTES = 4 * 16 * MOST_OSCILLATORS**2 // 2
#: Most values of a model as JSON: two ends and a bias for each coupling, and some more.
_MOST_VALUES = 4 * MOST_OSCILLATORS**2 // 2
#: Longest header of a binary file, in bytes, and the types of its numbers.
_MOST_HEADER, _NUMBER = 1 << 16, re.compile(r"u?int(8|16|32|64)|float(32|64)")
#: Shortest line of an edge, in characters.
_LEAST_LINE = 4
#: First bytes of a file that gzip packed.
_PACKED = b"\x1f\x8b"
#: Texts that hold problems of kinds that are not read: what they begin with, and what they are.
_OTHERS = (
    (re.compile(r"%%MatrixMarket", re.IGNORECASE), "a matrix of the Matrix Market"),
    (re.compile(r"(?s).*^\s*(NODE_COORD_SECTION|EDGE_WEIGHT_TYPE)\b", re.MULTILINE), "a tour of TSPLIB"),
    (re.compile(r"\s*(\\.*\s+)*(maximi[sz]e|minimi[sz]e)\b", re.IGNORECASE), "a linear program (LP)"),
)
#: The same, by the kind that their problem line names.
_OTHER_KINDS = {
    "cnf": "a formula in conjunctive normal form (DIMACS cnf)",
    "wcnf": "a weighted formula in conjunctive normal form (DIMACS wcnf)",
    "max": "a maximum flow problem of DIMACS",
    "min": "a minimum cost flow problem of DIMACS",
    "sp": "a shortest path problem of DIMACS",
}


#: What a file may be taken as.
Kind = Literal["cut", "colouring", "qubo", "ising"]


class ProblemFile(NamedTuple):
    """What a file holds.

    Parameters
    ----------
    problem:
        A graph to cut or to colour, or a model.
    kinds:
        What it can be taken as; of a graph of DIMACS the first is ``colouring``, for which they are made.
    doubt:
        Where the same text could mean something else: what, and how to say so. Empty otherwise.
    """

    problem: Graph | dimod.BinaryQuadraticModel
    kinds: tuple[Kind, ...]
    doubt: str = ""


def read_problem(path: str | Path, kind: Kind | None = None) -> Graph | dimod.BinaryQuadraticModel:
    """Read a problem.

    Parameters
    ----------
    path:
        The file.
    kind:
        What it is to be taken as; None for what it looks like.

    Returns
    -------
    Graph or dimod.BinaryQuadraticModel
        What the file holds: ``vertices edges`` and then ``i j weight`` with vertices from 1 (rudy, G-set), in which a
        weight that is left out is 1, or ``p edge`` and ``e i j`` (DIMACS); ``p qubo`` and ``i j coefficient`` (qbsolv);
        or a model from ``BinaryQuadraticModel.to_file``, as JSON from ``to_serializable``, or as COOrdinate text with
        the header ``# vartype=SPIN`` or ``BINARY``. With ``kind`` qubo or ising, lines ``i j coefficient`` after
        ``variables lines`` are coefficients, with those of the diagonal linear; variables are numbered from 1 then.

    Raises
    ------
    ProblemFileError
        If the file is missing, damaged or no problem, or cannot be taken as ``kind``.
    """
    return open_problem(path, kind).problem


def open_problem(path: str | Path, kind: Kind | None = None) -> ProblemFile:
    """Do what :func:`read_problem` does, and tell what else the file can be taken as."""
    path = Path(path)
    found = _open(path, _read(path), kind)
    if kind is not None and kind not in found.kinds:
        raise ProblemFileError(f"{path} is nothing to take as {kind}; take it as {' or '.join(found.kinds)}")
    return found


def _open(path: Path, data: bytes, kind: Kind | None) -> ProblemFile:
    if data.startswith(_BINARY):
        return _model(_binary(path, data))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ProblemFileError(
            f"{path} is neither text nor a model that dimod saved: {error.reason}; {_KINDS}"
        ) from error
    if text.lstrip().startswith("{"):
        return _model(_json(path, text))
    if (header := _COORDINATES.match(text)) is not None:
        return _model(_coordinates(path, text, header[1]))
    named = dimacs_files.problem_kind(text)
    if named in dimacs_files.GRAPHS:
        return ProblemFile(dimacs_files.read_graph(path, text), ("colouring", "cut"))
    if named == dimacs_files.QUBO:
        return _model(dimacs_files.read_coefficients(path, text))
    others = (what for pattern, what in _OTHERS if pattern.match(text[:_MOST_HEADER]))
    if (other := _OTHER_KINDS.get(named or "") or next(others, None)) is not None:
        raise ProblemFileError(f"{path} is {other}, and such files are not read; {_KINDS}")
    return _numbers_only(path, text, kind)


def _model(bqm: dimod.BinaryQuadraticModel) -> ProblemFile:
    return ProblemFile(bqm, ("ising",) if bqm.vartype is dimod.SPIN else ("qubo",))


def _numbers_only(path: Path, text: str, kind: Kind | None) -> ProblemFile:
    """Read two sizes and lines of two numbers or three: a graph, or coefficients if they are asked for."""
    kinds: tuple[Kind, ...] = ("cut", "colouring", "qubo", "ising")
    if kind in ("qubo", "ising"):
        return ProblemFile(_coefficients(path, text, "SPIN" if kind == "ising" else "BINARY"), kinds)
    graph = _rudy(path, text)
    doubt = ""
    if not np.isin(graph.weights, (-1, 1)).all():
        doubt = f"{path} is taken as a graph with weights to cut; say --as cut, or --as qubo if these are coefficients"
    return ProblemFile(graph, kinds, doubt)


_AGAIN = "save or copy it again"
_KINDS = (
    "give a graph ('vertices edges', then 'i j weight'; or 'p edge', then 'e i j'), a QUBO problem ('p qubo', then "
    "'i j coefficient') or a file that dimod wrote"
)


def _read(path: Path) -> bytes:
    try:
        data = read_file(path, MOST_BYTES)
    except FileNotFoundError as error:
        raise ProblemFileError(f"{path}: no such file; check the name") from error
    except OSError as error:
        raise ProblemFileError(f"{path} cannot be read: {error.strerror}; check the file") from error
    except IntakeError as error:
        raise ProblemFileError(
            f"{path} has more than {MOST_BYTES} bytes, more than any network's problem; check the name"
        ) from error
    if data.startswith(_PACKED):
        with refusing(ProblemFileError, path, "is no intact file of gzip", "copy it again"):
            data = unpacked(data, MOST_BYTES, gzip=True)
    if not data.strip():
        raise ProblemFileError(f"{path} is empty; {_KINDS}")
    return data


# Graphs


def _rudy(path: Path, text: str) -> Graph:
    lines = numbered(text)
    number, words = next(lines, (0, []))
    if not words:
        raise ProblemFileError(f"{path} holds nothing but comments; {_KINDS}")
    sizes = numbers(path, number, words, (2,), "vertices and edges")
    vertices, count = int(sizes[0]), int(sizes[1])
    if vertices < 1 or count < 0:
        raise damage(path, number, words, "there must be one vertex at least")
    if vertices > MOST_VERTICES:
        raise damage(path, number, words, f"there may be {MOST_VERTICES:,} vertices at most")
    room = min(count, len(text) // _LEAST_LINE + 1)  # whatever is announced
    edges, weights, first_seen = np.zeros((room, 2), np.intp), np.ones(room), dict[tuple[int, int], int]()
    found = 0
    for number, words in lines:
        if found == count:
            raise damage(path, number, words, f"line 1 announces {count} edges, and this is one more")
        values = numbers(path, number, words, (2, 3), "two vertices and a weight")
        u, v = int(values[0]), int(values[1])
        pair = (min(u, v), max(u, v))
        if not 1 <= pair[0] <= pair[1] <= vertices:
            raise damage(path, number, words, f"vertices are numbered from 1 to {vertices}")
        if u == v:
            raise damage(
                path, number, words, "an edge cannot join a vertex to itself; are these coefficients, --as qubo"
            )
        if pair in first_seen:
            raise damage(path, number, words, f"line {first_seen[pair]} has this edge already")
        first_seen[pair] = number
        edges[found] = u - 1, v - 1
        weights[found] = values[2] if len(values) == 3 else 1.0
        found += 1
    if found < count:
        raise ProblemFileError(
            f"{path} ends after {found} of {count} edges; it was cut off: copy it again, or correct its first line"
        )
    return Graph(vertices, edges, weights)


# Models


def _coefficients(path: Path, text: str, vartype: str) -> dimod.BinaryQuadraticModel:
    """Read ``variables lines`` and lines ``i j coefficient``; what is there twice adds up."""
    lines = numbered(text)
    number, words = next(lines, (0, []))
    if not words:
        raise ProblemFileError(f"{path} holds nothing but comments; {_KINDS}")
    variables, count = map(int, numbers(path, number, words, (2,), "variables and lines"))
    if not 1 <= variables <= MOST_VERTICES:
        raise damage(path, number, words, f"there must be one variable, and may be {MOST_VERTICES:,} at most")
    bqm, found = dimod.BinaryQuadraticModel(vartype), 0
    for variable in range(1, variables + 1):
        bqm.add_linear(variable, 0.0)
    for number, words in lines:
        u, v, bias = numbers(path, number, words, (3,), "two variables and a coefficient")
        if not (min(u, v) >= 1 and max(u, v) <= variables):
            raise damage(path, number, words, f"variables are numbered from 1 to {variables}")
        if u == v:
            bqm.add_linear(int(u), bias)
        else:
            bqm.add_quadratic(int(u), int(v), bias)
        found += 1
    if found != count:
        raise ProblemFileError(f"{path} announces {count} lines and has {found}; copy it again, or correct line 1")
    with refusing(ProblemFileError, path, "is no problem", "correct the file"):
        return _checked(bqm)


def _coordinates(path: Path, text: str, vartype: str) -> dimod.BinaryQuadraticModel:
    """Read COOrdinate text, line by line, because the library passes over lines that it does not understand."""
    if vartype.upper() not in ("SPIN", "BINARY"):
        raise ProblemFileError(f"{path}: its vartype is {vartype!r}; it must be SPIN or BINARY")
    bqm = dimod.BinaryQuadraticModel(vartype.upper())
    for number, words in numbered(text):
        u, v, bias = numbers(path, number, words, (3,), "two variables and a coefficient")
        if min(u, v) < 0:
            raise damage(path, number, words, "variables are numbered from 0")
        if max(u, v) >= MOST_VERTICES:
            raise damage(path, number, words, f"variables are numbered up to {MOST_VERTICES - 1}")
        if u == v:
            bqm.add_linear(int(u), bias)
        else:
            bqm.add_quadratic(int(u), int(v), bias)
    with refusing(ProblemFileError, path, "is no problem", "correct the file"):
        return _checked(bqm)


def _binary(path: Path, data: bytes) -> dimod.BinaryQuadraticModel:
    with refusing(ProblemFileError, path, "is no intact model that dimod saved", _AGAIN, Exception):
        _check_indices(data)
        return _checked(dimod.BinaryQuadraticModel.from_file(data))


def _check_indices(data: bytes) -> None:
    """Raise an error if a binary file names variables that it does not have: the library would write beyond memory."""
    end = 14 + int.from_bytes(data[10:14], "little")
    if end > 14 + _MOST_HEADER:
        raise IntakeError(f"its header claims {end - 14:,} bytes; it may have {_MOST_HEADER:,}")
    header = parsed_object(data[14:end])
    variables, interactions = header["shape"]
    if not all(type(size) is int and 0 <= size <= len(data) for size in (variables, interactions)):
        raise IntakeError(f"its shape is {header['shape']}, and it has {len(data):,} bytes")
    types = [str(header[name]) for name in ("dtype", "itype", "ntype")]
    if not all(map(_NUMBER.fullmatch, types)):
        raise IntakeError(f"its numbers are of types {types}")
    bias, index, start = map(np.dtype, types)
    if bias.kind != "f" or index.kind not in "iu" or start.kind not in "iu":
        raise ValueError(f"its numbers are of types {bias}, {index} and {start}")
    linear = np.frombuffer(data, np.dtype([("start", start), ("bias", bias)]), variables, end + bias.itemsize)
    begin = end + bias.itemsize + linear.nbytes
    pairs = np.frombuffer(data, np.dtype([("other", index), ("bias", bias)]), 2 * interactions, begin)
    starts = np.append(linear["start"].astype(np.int64), 2 * interactions)
    if variables and (starts[0] or (np.diff(starts) < 0).any()):
        raise ValueError("its couplings are not in order")
    if ((pairs["other"] < 0) | (pairs["other"] >= variables)).any():
        raise ValueError(f"it couples variables beyond its {variables}")


def _json(path: Path, text: str) -> dimod.BinaryQuadraticModel:
    with refusing(ProblemFileError, path, "is no intact JSON", _AGAIN):
        document = parsed_object(text, most_values=_MOST_VALUES, finite=False)
    kind = document.get("type")
    if kind != "BinaryQuadraticModel":
        raise ProblemFileError(
            f"{path} is JSON of type {kind!r}; write a model with json.dump(bqm.to_serializable(), file)"
        )
    with refusing(ProblemFileError, path, "is no intact model that dimod saved", _AGAIN, Exception):
        ends = [document["quadratic_head"], document["quadratic_tail"]]
        variables, couplings = len(document["linear_biases"]), len(document["quadratic_biases"])
        if np.shape(ends) != (2, couplings) or not all(_is_index(end, variables) for end in ends[0] + ends[1]):
            raise ValueError(f"its couplings do not fit its {variables} variables")
        return _checked(dimod.BinaryQuadraticModel.from_serializable(document))


def _is_index(value: Any, variables: int) -> bool:
    return type(value) is int and 0 <= value < variables


def _checked(bqm: dimod.BinaryQuadraticModel) -> dimod.BinaryQuadraticModel:
    values = [*bqm.linear.values(), *bqm.quadratic.values(), bqm.offset]
    if not np.isfinite(np.array(values, np.float64)).all():
        raise ValueError("a coefficient is not a finite number")
    return bqm


# Solutions


@dataclass(frozen=True)
class Solution:
    """What was found for a problem.

    Parameters
    ----------
    values:
        Value of each variable: spin, bit, side of a cut or colour.
    measures:
        What is known about it, such as ``cut``, ``energy``, ``conflicts``, ``reads``, ``seed``.
    """

    values: Mapping[Hashable, int]
    measures: Mapping[str, Any]

    def save(self, path: str | Path) -> None:
        """Write the solution, whole or not at all.

        A name that ends in ``.json`` gets one JSON document with the measures and ``values``, a list of
        ``[variable, value]``; any other gets a line ``variable value`` each, after the measures as comments.

        Raises
        ------
        ProblemFileError
            If the file cannot be written.
        """
        path = Path(path)
        pairs = [(_plain(variable), int(value)) for variable, value in self.values.items()]
        if path.suffix == ".json":
            text = json.dumps({**self.measures, "values": pairs}, indent=None, allow_nan=False) + "\n"
        else:
            lines = [f"# {name} {json.dumps(value)}" for name, value in self.measures.items()]
            lines += [f"{_word(variable)} {value}" for variable, value in pairs]
            text = "\n".join(lines) + "\n"
        try:
            write_whole(path, text)
        except OSError as error:
            raise ProblemFileError(
                f"{path} cannot be written: {error.strerror}; choose a folder that exists and that you may write to"
            ) from error


def _plain(variable: Hashable) -> Any:
    """Return a label as JSON can hold it."""
    if isinstance(variable, tuple):
        return [_plain(part) for part in variable]
    if isinstance(variable, np.generic):
        return variable.item()
    return variable if isinstance(variable, str | int | float) else str(variable)


def _word(variable: Any) -> str:
    """Return a label as one word of a line."""
    if isinstance(variable, str) and variable and not re.search(r"\s|^[#\"\[]", variable):
        return variable
    return json.dumps(variable, separators=(",", ":"))
