"""Tables of coefficients, matrices and forms: what they mean, how they are read, and how damage is told."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import dimod
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from dwave.samplers import SimulatedAnnealingSampler

from attractor.solve.problem_files import Kind, ProblemFileError, WordedProblem, open_problem, read_problem
from attractor.solve.problems import Graph


def model(path: Any, kind: Kind | None = None) -> dimod.BinaryQuadraticModel:
    found = read_problem(path, kind)
    assert isinstance(found, dimod.BinaryQuadraticModel)
    return found


def graph(path: Any, kind: Kind | None = None) -> Graph:
    found = read_problem(path, kind)
    assert isinstance(found, Graph)
    return found


# Lists without a first line


def test_a_list_of_edges_has_to_be_asked_for(write: Callable) -> None:
    path = write("# edges\n1 2 1\n3 2 -1\n5 1 4\n", packed=True)
    with pytest.raises(ProblemFileError, match=r"it does not begin with 'vertices edges'; say --as cut, --as qubo or"):
        read_problem(path)
    found = graph(path, "cut")
    assert (found.vertices, found.edges.tolist()) == (5, [[0, 1], [2, 1], [4, 0]])
    assert found.weights.tolist() == [1, -1, 4]
    assert graph(path, "colouring").vertices == 5
    assert dict(model(path, "qubo").quadratic) == {(2, 1): 1, (3, 2): -1, (5, 1): 4}


def test_coordinates_without_a_header_have_to_be_asked_for(write: Callable) -> None:
    path = write("0 0 2\n0 3 -1\n3 0 -1\n")
    terms = {0: 2.0, 3: 0.0}, {(0, 3): -2.0}, 0.0
    assert bool(model(path, "qubo") == dimod.BinaryQuadraticModel(*terms, "BINARY"))
    assert bool(model(path, "ising") == dimod.BinaryQuadraticModel(*terms, "SPIN"))
    with pytest.raises(ProblemFileError, match="vertices are numbered from 1 to"):
        read_problem(path, "cut")


# Numbers that cannot be computed with


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("3 1\n1 2 1e308\n", "cut", "line 2: '1 2 1e308': a number is beyond 1e+100, where sums overflow: scale all"),
        ("3 2\n1 1 1e308\n1 1 1e308\n", "qubo", "line 2: '1 1 1e308': a number is beyond 1e+100"),
        ("3 1\n1 2 -inf\n", "ising", "line 2: '1 2 -inf': a number is not finite"),
        ("3 1\n1 2 1e-300\n", "ising", "line 2: '1 2 1e-300': a number is closer to 0 than 1e-100: write 0, or scale"),
        ("p qubo 0 2 1 0\n0 0 1e308\n", None, "line 2: '0 0 1e308': a number is beyond"),
        ("# vartype=SPIN\n0 1 nan\n", None, "line 2: '0 1 nan': a number is not finite"),
        ("1\n2 1\n1 2 1e308\n", None, "line 3: '1 2 1e308': a number is beyond"),
        (f"3 1\n1 2 {'1' * 65}\n", "cut", "a number has more than 64 digits"),
    ],
)
def test_numbers_that_overflow(write: Callable, text: str, kind: Kind | None, message: str) -> None:
    path = write(text)
    with pytest.raises(ProblemFileError, match=re.escape(message)) as caught:
        read_problem(path, kind)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("value", [1e308, -np.inf, np.nan, 1e-300])
def test_models_that_overflow(write: Callable, value: float) -> None:
    for bqm, what in (
        (dimod.BinaryQuadraticModel({"a": value}, {}, "SPIN"), "the bias of 'a'"),
        (dimod.BinaryQuadraticModel({}, {("a", 1): value}, "SPIN"), "the coupling of 'a' and 1|the coupling of 1 and"),
        (dimod.BinaryQuadraticModel({"a": 1}, {}, value, "SPIN"), "its offset"),
    ):
        with bqm.to_file() as file:
            path = write(file.read())
        with pytest.raises(ProblemFileError, match=what) as caught:
            read_problem(path)
        assert str(path) in str(caught.value)
        assert "; correct the model" in str(caught.value)


# Forms of the OR-Library

FORMS = "2\n2 2\n1 1 5\n1 2 -3\n3 4\n1 1 2\n1 2 3\n2 3 -4\n3 3 7\n"


@pytest.mark.parametrize("packed", [False, True])
def test_forms_of_several_problems(write: Callable, packed: bool) -> None:
    path = write(FORMS, packed=packed)
    with pytest.raises(ProblemFileError, match="holds 2 problems; say which: --problem 1 to 2"):
        read_problem(path)
    with pytest.raises(ProblemFileError, match="holds 2 problems, and none of number 3; take 1 to 2"):
        read_problem(path, None, 3)
    found = read_problem(path, "qubo", 2)
    assert isinstance(found, WordedProblem)
    assert found.about == {"problem": "qubo", "number": 2, "variables": 3}
    matrix = np.array([[2, 3, 0], [3, 0, -4], [0, -4, 7]])
    for answer in product((0, 1), repeat=3):
        value = np.array(answer) @ matrix @ answer
        assert found.problem.objective(answer) == value
        assert found.bqm.energy(dict(enumerate(answer, 1))) == -value
    assert found.values((1, 0, 1)) == {1: 1, 2: 0, 3: 1}
    assert (found.problem.sense, found.constrained) == ("maximise", False)
    first = read_problem(path, None, 1)
    assert isinstance(first, WordedProblem)
    assert first.bqm.num_variables == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\n2 1\n", "line 1: '0': there must be one problem at least"),
        ("99999\n2 1\n", "line 1: '99999': there must be one problem at least, and 10,000 at most"),
        ("1\n0 1\n", "line 2: '0 1': there must be one vertex or variable"),
        ("1\n99999999 1\n", "line 2: '99999999 1': there must be one vertex or variable"),
        ("1\n2 2\n1 1 5\n", "ends after 1 of 2 entries of problem 1; it was cut off"),
        ("1\n2 999999999999\n1 1 5\n", "ends after 1 of 999999999999 entries"),
        ("1\n2 1\n1 3 5\n", "line 3: '1 3 5': variables are numbered from 1 to 2"),
        ("1\n2 1\n1 2\n", "line 3: '1 2': two variables and a coefficient are expected"),
        ("1\n2 1\n1 2 5\n1 1 1\n", "line 4: '1 1 1': nothing is expected after the last problem"),
    ],
)
def test_damaged_forms(write: Callable, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(ProblemFileError, match=re.escape(message)) as caught:
        read_problem(path)
    assert str(path) in str(caught.value)


def test_a_file_of_one_problem_has_no_second(write: Callable) -> None:
    path = write("3 1\n1 2\n")
    assert graph(path).vertices == 3
    with pytest.raises(ProblemFileError, match="holds one problem, and none of number 2; leave the number out"):
        read_problem(path, None, 2)
    with pytest.raises(ValueError, match="kind is 'graph'; it must be one of cut, colouring"):
        read_problem(path, "graph")  # pyright: ignore


def test_the_form_that_was_published(published: Callable, write: Callable) -> None:
    """The greatest value of the first of bqp50 is 2098; qbsolv's file has its pairs added up, and is minimised."""
    bqm = model(published("bqp50_1.qubo"))
    entries = [(i + 1, i + 1, bias) for i, bias in bqm.linear.items() if bias]
    entries += [(i + 1, j + 1, bias / 2) for (i, j), bias in bqm.quadratic.items()]
    lines = "".join(f"{i} {j} {value:g}\n" for i, j, value in entries)
    found = read_problem(write(f"1\n50 {len(entries)}\n{lines}"))
    assert isinstance(found, WordedProblem)
    best = SimulatedAnnealingSampler().sample(found.bqm, num_reads=30, seed=0).first
    assert found.problem.objective(found.problem.decode(best[0])) == 2098


# Matrices


def saved(matrix: Any, **given: Any) -> bytes:
    file = io.BytesIO()
    scipy.io.mmwrite(file, matrix, **given)
    return file.getvalue()


SYMMETRIC = np.array([[0, 1.5, 0], [1.5, 0, -2], [0, -2, 0]])


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("symmetry", ["general", "symmetric"])
@pytest.mark.parametrize("packed", [False, True])
def test_matrices(write: Callable, sparse: bool, symmetry: str, packed: bool) -> None:
    given = scipy.sparse.coo_array(SYMMETRIC) if sparse else SYMMETRIC
    path = write(saved(given, symmetry=symmetry, comment="x"), packed=packed)
    with pytest.raises(
        ProblemFileError, match=r"could be a graph or coefficients; say --as cut, --as qubo or --as isi"
    ):
        read_problem(path)
    found = graph(path, "cut")
    assert sorted(zip(found.edges.tolist(), found.weights.tolist(), strict=True)) == [([0, 1], 1.5), ([1, 2], -2)]
    assert graph(path, "colouring").vertices == 3
    for kind in ("qubo", "ising"):
        bqm = model(path, kind)
        assert list(bqm.variables) == [1, 2, 3]
        for values in product((0, 1) if kind == "qubo" else (-1, 1), repeat=3):
            assert bqm.energy(dict(enumerate(values, 1))) == np.array(values) @ SYMMETRIC @ values
    assert open_problem(path, "qubo").kinds == ("cut", "colouring", "qubo", "ising")
    with pytest.raises(ProblemFileError, match="is nothing to take as tour; take it as cut or colouring or qubo or is"):
        read_problem(path, "tour")


def test_a_triangle_of_a_matrix_is_a_graph(write: Callable) -> None:
    assert len(graph(write(saved(np.triu(SYMMETRIC), symmetry="general")), "cut").edges) == 2
    pattern = "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 1\n"
    assert graph(write(pattern), "cut").weights.tolist() == [1, 1]


def test_diagonals_of_matrices(write: Callable) -> None:
    matrix = SYMMETRIC + np.diag([1, 0, 3])
    path = write(saved(matrix))
    bqm = model(path, "qubo")
    for values in product((0, 1), repeat=3):
        assert bqm.energy(dict(enumerate(values, 1))) == np.array(values) @ matrix @ values
    with pytest.raises(ProblemFileError, match=r"entry \(1, 1\) is on the diagonal, a constant for spins: biases can"):
        read_problem(path, "ising")
    with pytest.raises(ProblemFileError, match=r"entry \(1, 1\) is on the diagonal, and an edge cannot join a vertex"):
        read_problem(path, "cut")


BANNER = "%%MatrixMarket matrix coordinate real general\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("%%MatrixMarket vector\n", "'%%MatrixMarket matrix', a format, a field and a symmetry are expected; correct"),
        (BANNER.replace("real", "complex"), "line 1: a matrix that is complex is not read; save one that is real or"),
        (BANNER.replace("general", "hermitian"), "a matrix that is hermitian is not read; save one that is general or"),
        (BANNER, "line 1: '%%MatrixMarket matrix coordinate real general': rows, columns and entries are expected"),
        (BANNER + "3 3\n", "line 2: '3 3': rows, columns and entries are expected"),
        (BANNER + "% x\n3 4 1\n1 1 1\n", "line 3: '3 4 1': a matrix must be square, with 1,048,576 rows at most"),
        (BANNER + "99999999 99999999 1\n1 1 1\n", "a matrix must be square, with 1,048,576 rows at most"),
        (BANNER + "3 3 999999999\n1 1 1\n", "announces 999,999,999 entries and is too short for them; copy it again"),
        (BANNER.replace("coordinate", "array") + "9999 9999\n1\n", "announces 99,980,001 entries and is too short"),
        (BANNER + "3 3 1\n1 4 1\n", "line 3: '1 4 1': rows and columns are numbered from 1 to 3"),
        (BANNER + "3 3 1\n1 2 x\n", "line 3: '1 2 x': a row, a column and a value are expected, as numbers"),
        (BANNER + "3 3 1\n1 2 1\0", "line 3: '1 2 1\\x00': a row, a column and a value are expected, as numbers"),
        (BANNER + "3 3 2\n1 2 1\n1 2 1\n", "line 4: '1 2 1': line 3 has this entry already"),
        (BANNER + "3 3 2\n1 2 1\n", "announces 2 entries and has 1; copy it again"),
        (BANNER.replace("coordinate", "array") + "2 2\n0\n1\n1 0 0\n", "line 5: '1 0 0': single values are expected"),
        (BANNER.replace("coordinate", "array") + "2 2\n0\n1.0000\n1\n", "has 3 of 4 entries; it was cut off"),
        (BANNER.replace("coordinate", "array") + "1 1\n0\n1\n", "line 4: '1': 1 entries are expected, and this is"),
        (BANNER + "3 3 1\n1 2 nan\n", "line 3: '1 2 nan': a number is not finite"),
        (BANNER + "3 3 1\n1 2 1e308\n", "line 3: '1 2 1e308': a number is beyond 1e+100, where sums overflow"),
        (BANNER + "3 3 2\n1 2 1\n2 1 3\n", "entries (2, 1) and (1, 2) differ, and an edge has one weight"),
    ],
)
def test_damaged_matrices(write: Callable, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(ProblemFileError, match=re.escape(message)) as caught:
        read_problem(path, "cut")
    assert str(path) in str(caught.value)


# What is not read


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("NAME          x\nROWS\n N  c\n", "a linear program as MPS"),
        ("* #variable= 3 #constraint= 1\n", "a pseudo-Boolean problem (OPB)"),
        ("<?xml version='1.0'?>\n<graphml>\n", "XML, such as GraphML"),
        ("graph [\n node [ id 1 ]\n]\n", "a graph as GML"),
        ("strict graph g {\n a -- b\n}\n", "a graph of Graphviz"),
        ("*Vertices 3\n", "a graph of Pajek"),
        ("p max 3 2\n", "a maximum flow problem of DIMACS"),
        ("p x 3 2\n", "a problem of the kind 'x'"),
        (b"DIMODDQM\1\0", "a discrete quadratic model of dimod"),
        (b"\x93NUMPY\1\0", "an array of NumPy"),
        (b"PK\3\4", "a zip archive"),
        (b"BZh91AY", "packed by bzip2"),
    ],
)
def test_what_is_not_read_is_called_by_its_name(write: Callable, content: str | bytes, what: str) -> None:
    path = write(content)
    with pytest.raises(
        ProblemFileError, match=re.escape(f"{path} is {what}, and such files are not read; give a graph")
    ):
        read_problem(path)
