"""The one place that tells what a file is, from its first bytes: graphs seldom have a suffix."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from attractor.intake import IntakeError, refusing
from attractor.intake.files import read_file, unpacked
from attractor.solve.dimod_extra import dimod
from attractor.solve.files import beasley, constrained, dimacs, edges, formulas, matrices, models, tours
from attractor.solve.files.lines import ProblemFileError
from attractor.solve.files.worded import WordedProblem
from attractor.solve.ising import MOST_OSCILLATORS
from attractor.solve.problems import Graph

__all__ = ["MOST_BYTES", "Kind", "ProblemFile", "open_problem", "read_problem"]

#: What a file may be taken as.
Kind = Literal["cut", "colouring", "qubo", "ising", "sat", "tour"]
#: Longest problem file in bytes: four times the text of the densest problem that a network can hold.
MOST_BYTES = 4 * 16 * MOST_OSCILLATORS**2 // 2
#: Where a text can be any of several things, these are asked for.
_TABLE: tuple[Kind, ...] = ("cut", "colouring", "qubo", "ising")
#: First bytes of a file that gzip packed, and how much of a text tells what it is.
_PACKED, _HEAD = b"\x1f\x8b", 1 << 16
#: A header of COOrdinate text.
_COORDINATES = re.compile(r"\s*#.*?vartype\s*[:=]\s*(\w+)", re.IGNORECASE)
#: What is not read, by its first bytes.
_OTHER_BYTES = {
    b"DIMODDQM": "a discrete quadratic model of dimod",
    b"\x93NUMPY": "an array of NumPy",
    b"PK\x03\x04": "a zip archive",
    b"\x89HDF": "HDF5",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"(\xb5/\xfd": "packed by zstd",
}
#: Texts that are not read: what they begin with.
_OTHER_TEXTS = (
    (re.compile(r"(\*[^\n]*\n)*NAME\b(?!\s*:)|(\*[^\n]*\n)*ROWS\s*$", re.MULTILINE), "a linear program as MPS"),
    (re.compile(r"\s*\*\s*#variable"), "a pseudo-Boolean problem (OPB)"),
    (re.compile(r"\s*<"), "XML, such as GraphML"),
    (re.compile(r"\s*(graph|Creator\b.*\s*graph)\s*\[", re.IGNORECASE), "a graph as GML"),
    (re.compile(r"\s*(strict\s+)?(di)?graph\b[^\[]*\{", re.IGNORECASE), "a graph of Graphviz"),
    (re.compile(r"\s*\*(vertices|network)\b", re.IGNORECASE), "a graph of Pajek"),
)
#: The same, by the kind that their problem line names.
_OTHER_KINDS = {
    "max": "a maximum flow problem of DIMACS",
    "min": "a minimum cost flow problem of DIMACS",
    "sp": "a shortest path problem of DIMACS",
    "sat": "a formula that is in no normal form (DIMACS sat)",
    "inccnf": "an incremental formula (inccnf)",
    "qcnf": "a quantified formula",
}
_KINDS = (
    "give a graph ('vertices edges', then 'i j weight'; or 'p edge', then 'e i j'), a QUBO problem ('p qubo', then "
    "'i j coefficient'; or of the OR-Library), a formula ('p cnf', 'p wcnf'), a matrix of the Matrix Market, a tour of "
    "TSPLIB, a linear program (LP) or a file that dimod wrote"
)


class ProblemFile(NamedTuple):
    """What a file holds.

    Parameters
    ----------
    problem:
        A graph to cut or to colour, a model, or a problem with words of its own.
    kinds:
        What it can be taken as; of a graph of DIMACS the first is ``colouring``, for which they are made. Empty for
        models with constraints, which can be taken as nothing else.
    """

    problem: Graph | dimod.BinaryQuadraticModel | WordedProblem
    kinds: tuple[Kind, ...]


def read_problem(
    path: str | Path, kind: Kind | None = None, number: int | None = None
) -> Graph | dimod.BinaryQuadraticModel | WordedProblem:
    """Read a problem.

    Parameters
    ----------
    path:
        The file, of at most :data:`MOST_BYTES`; it may be packed by gzip.
    kind:
        What it is to be taken as; None for what it is. A text that could be one thing or another is not read then.
    number:
        Which of the problems of a file, from 1; None if there is one only.

    Returns
    -------
    Graph
        ``vertices edges`` and lines ``i j`` or ``i j weight``, vertices from 1 (rudy, G-set); ``p edge`` and ``e i j``
        (DIMACS); a matrix, as ``cut`` or ``colouring``. Without its first line a list of ``i j weight`` is one, too.
    dimod.BinaryQuadraticModel
        ``p qubo`` and ``i j coefficient`` (qbsolv); what ``BinaryQuadraticModel.to_file`` or JSON of
        ``to_serializable`` saved; COOrdinate text with the header ``# vartype=SPIN`` or ``BINARY``. As ``qubo`` or
        ``ising``: lines ``i j coefficient``, with or without ``variables lines`` before them, and matrices.
    WordedProblem
        ``p cnf`` and ``p wcnf`` (DIMACS), QUBO problems of the OR-Library, tours of TSPLIB, linear programs, and
        dimod's constrained and quadratic models.

    Raises
    ------
    ProblemFileError
        If the file is missing, damaged or no problem, could be several things, or cannot be taken as ``kind``.
    """
    return open_problem(path, kind, number).problem


def open_problem(path: str | Path, kind: Kind | None = None, number: int | None = None) -> ProblemFile:
    """Do what :func:`read_problem` does, and tell what else the file can be taken as."""
    path = Path(path)
    if kind is not None and kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(get_args(Kind))}")
    found = _open(path, _read(path), kind, number)
    if kind is not None and kind not in found.kinds:
        hint = (
            "; take it as " + " or ".join(found.kinds) if found.kinds else "; leave that out, for it is one thing only"
        )
        name = f"{kind} (--colours is for graphs)" if kind == "colouring" else kind
        raise ProblemFileError(f"{path} is nothing to take as {name}{hint}")
    several = isinstance(found.problem, WordedProblem) and "number" in found.problem.about
    if number not in (None, 1) and not several:
        raise ProblemFileError(f"{path} holds one problem, and none of number {number}; leave the number out")
    return found


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


def _open(path: Path, data: bytes, kind: Kind | None, number: int | None) -> ProblemFile:
    if data.startswith(models.MAGIC):
        return _model(models.read_binary(path, data))
    for magic, name in constrained.MAGIC.items():
        if data.startswith(magic):
            return ProblemFile(constrained.read_constrained(path, data, name), ())
    for magic, what in _OTHER_BYTES.items():
        if data.startswith(magic):
            raise _unread(path, what)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProblemFileError(
            f"{path} is neither text nor a model that dimod saved: {error.reason}; {_KINDS}"
        ) from error
    return _text(path, text, kind, number)


def _text(path: Path, text: str, kind: Kind | None, number: int | None) -> ProblemFile:
    head = text[:_HEAD]
    if text.lstrip().startswith("{"):
        return _model(models.read_json(path, text))
    if text[: len(matrices.BANNER)].lower() == matrices.BANNER.lower():
        return _matrix(path, text, kind)
    if (header := _COORDINATES.match(text)) is not None:
        return _model(edges.read_coordinates(path, text, header[1]))
    if (named := dimacs.problem_kind(text)) is not None:
        return _of_dimacs(path, text, named)
    if tours.looks_like(head):
        return ProblemFile(tours.read_tour(path, text), ("tour",))
    if constrained.looks_like(head):
        return ProblemFile(constrained.read_constrained(path, text.encode(), "lp"), ())
    if kind == "sat" or formulas.looks_like(text):
        return ProblemFile(formulas.read_formula(path, text), ("sat",))
    for pattern, what in _OTHER_TEXTS:
        if pattern.match(head):
            raise _unread(path, what)
    if beasley.looks_like(text):
        return ProblemFile(beasley.read_forms(path, text, number), ("qubo",))
    return _numbers_only(path, text, kind)


def _unread(path: Path, what: str) -> ProblemFileError:
    return ProblemFileError(f"{path} is {what}, and such files are not read; {_KINDS}")


def _model(bqm: dimod.BinaryQuadraticModel) -> ProblemFile:
    return ProblemFile(bqm, ("ising",) if bqm.vartype is dimod.SPIN else ("qubo",))


def _of_dimacs(path: Path, text: str, named: str) -> ProblemFile:
    if named in dimacs.GRAPHS:
        return ProblemFile(dimacs.read_graph(path, text), ("colouring", "cut"))
    if named == dimacs.QUBO:
        return _model(dimacs.read_coefficients(path, text))
    if named in formulas.FORMULAS:
        return ProblemFile(formulas.read_formula(path, text), ("sat",))
    raise _unread(path, _OTHER_KINDS.get(named, f"a problem of the kind {named[:20]!r}"))


def _matrix(path: Path, text: str, kind: Kind | None) -> ProblemFile:
    if kind is None:
        raise ProblemFileError(
            f"{path} is a matrix of the Matrix Market, which could be a graph or coefficients; say --as cut, --as qubo "
            "or --as ising"
        )
    taken = kind if kind in ("qubo", "ising") else "cut"
    return ProblemFile(matrices.read_matrix(path, text, taken), _TABLE)


def _numbers_only(path: Path, text: str, kind: Kind | None) -> ProblemFile:
    """Read lines of two numbers or three: a graph, or coefficients; asked for, unless it can be one thing only."""
    if kind in ("qubo", "ising"):
        return ProblemFile(edges.read_table(path, text, "SPIN" if kind == "ising" else "BINARY"), _TABLE)
    if kind is None and formulas.could_be(text):
        raise ProblemFileError(
            f"{path} could be a formula with weights, a graph or a table of coefficients; say --as sat, --as cut, --as "
            "qubo or --as ising"
        )
    try:
        return ProblemFile(edges.read_graph(path, text, sure=kind in _TABLE), _TABLE)
    except edges.Ambiguous as why:
        raise ProblemFileError(
            f"{path} could be a graph to cut or a table of coefficients: {why}; say --as cut, --as qubo or --as ising"
        ) from None
