"""Files that hold problems and their solutions.

Read: graphs as the G-set and rudy have them, and dimod's models as binary file, JSON or COOrdinate text. What a file
is, is seen from its first bytes, because graphs seldom have a suffix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attractor.intake import IntakeError, refusing
from attractor.intake.documents import parsed_object
from attractor.intake.files import read_file
from attractor.machine.files import write_whole
from attractor.solve.dimod_extra import dimod
from attractor.solve.ising import MOST_OSCILLATORS
from attractor.solve.problems import Graph

__all__ = ["MOST_BYTES", "MOST_VERTICES", "ProblemFileError", "Solution", "read_problem"]

#: First bytes of dimod's binary files, and first characters of its text.
_BINARY, _COORDINATES = b"DIMODBQM", re.compile(r"\s*#.*?vartype\s*[:=]\s*(\w+)", re.IGNORECASE)
#: Longest problem file in bytes: four times the text of the densest problem that a network can hold.
MOST_BYTES = 4 * 16 * MOST_OSCILLATORS**2 // 2
#: Most vertices of a graph, and greatest number of a variable: what no network takes is told later, by its size.
MOST_VERTICES = 1 << 20
#: Most values of a model as JSON: two ends and a bias for each coupling, and some more.
_MOST_VALUES = 4 * MOST_OSCILLATORS**2 // 2
#: Longest header of a binary file, in bytes, and the types of its numbers.
_MOST_HEADER, _NUMBER = 1 << 16, re.compile(r"u?int(8|16|32|64)|float(32|64)")
#: Longest number and shortest line of an edge, in characters.
_MOST_DIGITS, _LEAST_LINE = 64, 4


class ProblemFileError(IntakeError):
    """A file of a problem or a solution cannot be read or written; the message names it, and the line."""


def read_problem(path: str | Path) -> Graph | dimod.BinaryQuadraticModel:
    """Read a problem.

    Returns
    -------
    Graph or dimod.BinaryQuadraticModel
        What the file holds: ``vertices edges`` and then ``i j weight`` with vertices from 1 (rudy, G-set); or a model
        from ``BinaryQuadraticModel.to_file``, as JSON from ``to_serializable``, or as COOrdinate text with the header
        ``# vartype=SPIN`` or ``BINARY``. In a graph a weight that is left out is 1.

    Raises
    ------
    ProblemFileError
        If the file is missing, damaged or no problem.
    """
    path = Path(path)
    data = _read(path)
    if data.startswith(_BINARY):
        return _binary(path, data)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ProblemFileError(
            f"{path} is neither text nor a model that dimod saved: {error.reason}; {_KINDS}"
        ) from error
    if text.lstrip().startswith("{"):
        return _json(path, text)
    header = _COORDINATES.match(text)
    return _rudy(path, text) if header is None else _coordinates(path, text, header[1])


_AGAIN = "save or copy it again"
_KINDS = "give a graph ('vertices edges', then 'i j weight') or a file that dimod wrote"


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
    if not data.strip():
        raise ProblemFileError(f"{path} is empty; {_KINDS}")
    return data


# Graphs


def _rudy(path: Path, text: str) -> Graph:
    lines = _numbered(text)
    number, words = next(lines, (0, []))
    if not words:
        raise ProblemFileError(f"{path} holds nothing but comments; {_KINDS}")
    sizes = _numbers(path, number, words, (2,), "vertices and edges")
    vertices, count = int(sizes[0]), int(sizes[1])
    if vertices < 1 or count < 0:
        raise _damage(path, number, words, "there must be one vertex at least")
    if vertices > MOST_VERTICES:
        raise _damage(path, number, words, f"there may be {MOST_VERTICES:,} vertices at most")
    room = min(count, len(text) // _LEAST_LINE + 1)  # whatever is announced
    edges, weights, first_seen = np.zeros((room, 2), np.intp), np.ones(room), dict[tuple[int, int], int]()
    found = 0
    for number, words in lines:
        if found == count:
            raise _damage(path, number, words, f"line 1 announces {count} edges, and this is one more")
        values = _numbers(path, number, words, (2, 3), "two vertices and a weight")
        u, v = int(values[0]), int(values[1])
        pair = (min(u, v), max(u, v))
        if not 1 <= pair[0] <= pair[1] <= vertices:
            raise _damage(path, number, words, f"vertices are numbered from 1 to {vertices}")
        if u == v:
            raise _damage(path, number, words, "an edge cannot join a vertex to itself")
        if pair in first_seen:
            raise _damage(path, number, words, f"line {first_seen[pair]} has this edge already")
        first_seen[pair] = number
        edges[found] = u - 1, v - 1
        weights[found] = values[2] if len(values) == 3 else 1.0
        found += 1
    if found < count:
        raise ProblemFileError(
            f"{path} ends after {found} of {count} edges; it was cut off: copy it again, or correct its first line"
        )
    return Graph(vertices, edges, weights)


def _numbered(text: str) -> Iterator[tuple[int, list[str]]]:
    """Give the words of each line that is neither empty nor a comment, with the line's number."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if words:
            yield number, words


def _numbers(path: Path, number: int, words: list[str], counts: tuple[int, ...], what: str) -> list[float]:
    """Return a line's numbers: two integers, and perhaps a third number."""
    if len(words) not in counts:
        raise _damage(path, number, words, f"{what} are expected")
    if max(map(len, words)) > _MOST_DIGITS:
        raise _damage(path, number, words, f"a number has more than {_MOST_DIGITS} digits")
    try:
        values = [float(int(words[0])), float(int(words[1])), *map(float, words[2:])]
    except ValueError:
        raise _damage(path, number, words, f"{what} are expected, as numbers") from None
    if not np.isfinite(values).all():
        raise _damage(path, number, words, "a number is not finite")
    return values


def _damage(path: Path, number: int, words: list[str], why: str) -> ProblemFileError:
    line = " ".join(words)
    return ProblemFileError(f"{path}, line {number}: {line[:60]!r}: {why}; correct the line or copy the file again")


# Models


def _coordinates(path: Path, text: str, vartype: str) -> dimod.BinaryQuadraticModel:
    """Read COOrdinate text, line by line, because the library passes over lines that it does not understand."""
    if vartype.upper() not in ("SPIN", "BINARY"):
        raise ProblemFileError(f"{path}: its vartype is {vartype!r}; it must be SPIN or BINARY")
    bqm = dimod.BinaryQuadraticModel(vartype.upper())
    for number, words in _numbered(text):
        u, v, bias = _numbers(path, number, words, (3,), "two variables and a coefficient")
        if min(u, v) < 0:
            raise _damage(path, number, words, "variables are numbered from 0")
        if max(u, v) >= MOST_VERTICES:
            raise _damage(path, number, words, f"variables are numbered up to {MOST_VERTICES - 1}")
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
