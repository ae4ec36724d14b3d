"""Files of problems: what is read, and how damage is told."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import dimod
import dimod.serialization.coo
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attractor.solve.problem_files import Kind, ProblemFileError, Solution, open_problem, read_problem
from attractor.solve.problems import Graph

#: A model with labels of two kinds.
MODEL = dimod.BinaryQuadraticModel({"a": 1.0, ("x", 1): 2.0}, {("a", ("x", 1)): -1.5}, 0.5, "SPIN")


def binary() -> bytes:
    with MODEL.to_file() as file:
        return file.read()


def write(folder: Path, content: str | bytes, name: str = "problem") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_graph(tmp_path: Path) -> None:
    found = read_problem(write(tmp_path, " 4 3 \n1 2 1\n\n4 3 -2  # comment\n1 3\n"), "cut")
    assert isinstance(found, Graph)
    assert found.vertices == 4
    assert found.edges.tolist() == [[0, 1], [3, 2], [0, 2]]
    assert found.weights.tolist() == [1.0, -2.0, 1.0]
    empty = read_problem(write(tmp_path, "3 0\n"))
    assert isinstance(empty, Graph)
    assert (empty.vertices, len(empty.edges)) == (3, 0)


def test_graph_of_dimacs(tmp_path: Path) -> None:
    text = (
        "c a triangle and a vertex, edges in both directions\nc\np edge 4 6\ne 1 2\ne 2 1\ne 2 3\ne 3 2\ne 1 3\ne 3 1\n"
    )
    for content in (text, gzip.compress(text.encode()), text.replace("edge 4 6", "col 4 3")):
        found = open_problem(write(tmp_path, content))
        assert isinstance(found.problem, Graph)
        assert found.kinds == ("colouring", "cut")
        assert (found.problem.vertices, found.problem.edges.tolist()) == (4, [[0, 1], [1, 2], [0, 2]])


def test_qubo_of_qbsolv(tmp_path: Path) -> None:
    text = "c any thing\np qubo 0 5 2 2\n0 0 3.4\n2 2 -2\n0 1 2.2\n3 1 -1e-3\n"
    found = open_problem(write(tmp_path, gzip.compress(text.encode())))
    linear = {0: 3.4, 1: 0.0, 2: -2.0, 3: 0.0, 4: 0.0}
    assert found.problem == dimod.BinaryQuadraticModel(linear, {(0, 1): 2.2, (1, 3): -0.001}, 0.0, "BINARY")
    assert found.kinds == ("qubo",)


def test_coefficients_where_they_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "3 4\n1 1 2\n1 2 -1.5\n2 1 1\n3 3 1\n")
    terms = {1: 2.0, 2: 0.0, 3: 1.0}, {(1, 2): -0.5}
    assert read_problem(path, "qubo") == dimod.BinaryQuadraticModel(*terms, 0.0, "BINARY")
    assert read_problem(path, "ising") == dimod.BinaryQuadraticModel(*terms, 0.0, "SPIN")
    with pytest.raises(ProblemFileError, match="an edge cannot join a vertex to itself; are these coefficients"):
        read_problem(path, "cut")


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        (("1 2", "2 3"), ""),
        (("1 2 1", "2 3 -1"), ""),
        (("1 2 2", "2 3 1"), "line 2, '1 2 2', has another weight than 1 and -1"),
        (("1 2", "2 3 0.5"), "line 3, '2 3 0.5', has another weight than 1 and -1"),
        (("1 1 1", "2 3 1"), "line 2, '1 1 1', has a diagonal entry"),
    ],
)
def test_what_could_be_a_graph_or_a_table_is_asked_for(tmp_path: Path, weights: tuple[str, str], why: str) -> None:
    path = write(tmp_path, f"3 2\n{weights[0]}\n{weights[1]}\n")
    if not why:
        assert isinstance(read_problem(path), Graph)
        return
    message = f"{path} could be a graph to cut or a table of coefficients: {why}; say --as cut, --as qubo or --as ising"
    with pytest.raises(ProblemFileError, match=re.escape(message)):
        read_problem(path)


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        ("p edge 3\n", None, "line 1: 'p edge 3': 'p edge', vertices and edges are expected"),
        ("p edge 3 1\ne 1 4\n", None, "line 2: 'e 1 4': vertices are numbered from 1 to 3"),
        ("p edge 3 1\ne 2 2\n", None, "line 2: 'e 2 2': an edge cannot join a vertex to itself"),
        ("p edge 3 1\n1 2\n", None, "line 2: '1 2': 'e' and two vertices are expected"),
        ("c x\np edge 3 5\ne 1 2\n", None, "announces 5 edges and has 1; copy it again"),
        ("p edge 0 0\n", None, "there must be one vertex or variable"),
        ("p qubo 0 2 1\n", None, "line 1: 'p qubo 0 2 1': 'p qubo', a topology and three sizes are expected"),
        ("p qubo 0 2 -1 1\n", None, "'p qubo', a topology and three sizes are expected"),
        ("p qubo 0 2 1 0\n0 0 x\n", None, "line 2: '0 0 x': two variables and a coefficient are expected, as n"),
        ("p qubo 0 2 1 0\n2 2 1\n", None, "line 2: '2 2 1': variables are numbered from 0 to 1"),
        ("p qubo 0 2 0 2\n0 1 1\n1 0 1\n", None, "line 3: '1 0 1': line 2 has this coefficient already"),
        ("p qubo 0 2 1 1\n0 1 1\n", None, "announces 1 diagonal entries and has 0; copy it again"),
        ("p qubo 0 2 0 2\n0 1 1\n", None, "announces 2 couplers and has 1; copy it again"),
        ("p qubo 0 2 0 0\n", "cut", "is nothing to take as cut; take it as qubo"),
        ("# vartype=SPIN\n0 1 1\n", "qubo", "is nothing to take as qubo; take it as ising"),
        ("p edge 2 1\ne 1 2\n", "ising", "is nothing to take as ising; take it as colouring or cut"),
        ("2 2\n1 2 1\n", "qubo", "announces 2 lines and has 1; copy it again, or correct line 1"),
        ("2 1\n1 3 1\n", "ising", "line 2: '1 3 1': variables are numbered from 1 to 2"),
        ("# nothing\n", "qubo", "holds nothing but comments"),
        (
            gzip.compress(b"3 1\n1 2 1\n", mtime=0)[:-4],
            None,
            "is no intact file of gzip: its packed contents are cut off; copy",
        ),
        (gzip.compress(b" \n", mtime=0), None, "is empty"),
    ],
)
def test_other_damage(tmp_path: Path, content: str | bytes, kind: Kind | None, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ProblemFileError, match=re.escape(message)) as caught:
        read_problem(path, kind)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["m.bqm", "m.cbqm", "m.json", "m"])
def test_models_that_dimod_wrote(tmp_path: Path, name: str) -> None:
    content = json.dumps(MODEL.to_serializable()).encode() if name == "m.json" else binary()
    assert read_problem(write(tmp_path, content, name)) == MODEL


def test_coordinates(tmp_path: Path) -> None:
    bqm = dimod.BinaryQuadraticModel({0: -1.0, 3: 2.5}, {(0, 3): 1.0}, 0.0, "BINARY")
    assert read_problem(write(tmp_path, dimod.serialization.coo.dumps(bqm, vartype_header=True))) == bqm
    assert read_problem(write(tmp_path, "# vartype: spin\n0 1 1e-3\n0 1 1\n2 2 -1\n")) == dimod.BinaryQuadraticModel(
        {2: -1.0}, {(0, 1): 1.001}, 0.0, "SPIN"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; give a graph"),
        ("\n \n", "is empty"),
        ("abc", "line 1: 'abc': vertices and edges are expected"),
        ("3 x", "line 1: '3 x': vertices and edges are expected, as numbers"),
        ("3.5 1", "line 1: '3.5 1'"),
        ("0 0", "line 1: '0 0': there must be one vertex or variable"),
        ("3 2\n1 2 1\n", "ends after 1 of 2 edges; it was cut off"),
        ("3 1\n1 2 1\n\n2 3 1\n", "line 4: '2 3 1': line 1 announces 1 edges, and this is one more"),
        ("3 1\n1 4 1\n", "line 2: '1 4 1': vertices are numbered from 1 to 3"),
        ("3 1\n0 1 1\n", "line 2: '0 1 1': vertices are numbered from 1 to 3"),
        ("3 1\n2 2 1\n", "line 2, '2 2 1', has a diagonal entry; say --as cut, --as qubo or --as ising"),
        ("3 2\n1 2 1\n2 1 1\n", "line 3: '2 1 1': line 2 has this edge already"),
        ("3 1\n1 2 1 1\n", "line 2: '1 2 1 1': two vertices and a weight are expected"),
        ("3 1\n1 2 nan\n", "line 2: '1 2 nan': a number is not finite"),
        ("3 1\n1 2 one\n", "line 2: '1 2 one'"),
        (b"\xff\xfe\x00", "is neither text nor a model that dimod saved"),
        ("{", "is no intact JSON"),
        ("{}", "is JSON of type None; write a model with json.dump(bqm.to_serializable()"),
        ('{"type": "BinaryQuadraticModel"}', "is no intact model that dimod saved"),
        (
            json.dumps(MODEL.to_serializable()).replace("2.0]", "NaN]"),
            "the bias of ('x', 1), nan, is not finite; correct",
        ),
        ("# vartype=POTTS\n0 1 1", "its vartype is 'POTTS'; it must be SPIN or BINARY"),
        ("# vartype=SPIN\n0 1\n", "line 2: '0 1': two variables and a coefficient are expected"),
        ("# vartype=SPIN\n0 -1 2\n", "line 2: '0 -1 2': variables are numbered from 0"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ProblemFileError, match=re.escape(message)) as caught:
        read_problem(path)
    assert str(path) in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ProblemFileError, match="no such file; check the name"):
        read_problem(tmp_path / "missing")
    with pytest.raises(ProblemFileError, match="cannot be read"):
        read_problem(tmp_path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2000), value=st.integers(0, 255), cut=st.booleans())
def test_any_damage_to_a_binary_file_is_an_error_or_still_a_model(
    tmp_path: Path, place: int, value: int, cut: bool
) -> None:
    data = bytearray(binary())
    place %= len(data)
    if cut:
        del data[place:]
    else:
        data[place] = value
    try:
        found = read_problem(write(tmp_path, bytes(data)))
    except ProblemFileError:
        return
    assert isinstance(found, Graph | dimod.BinaryQuadraticModel)


@pytest.mark.parametrize("heads", [[-1], [2], [10**9], [0.5], ["q"], [0, 1], [], [[0]], None])
def test_indices_beyond_the_variables(tmp_path: Path, heads: object) -> None:
    """The library reads and writes outside of its memory then."""
    document = MODEL.to_serializable() | {"quadratic_head": heads}
    with pytest.raises(ProblemFileError, match="is no intact model that dimod saved"):
        read_problem(write(tmp_path, json.dumps(document)))


# Solutions


def test_solutions_as_json_and_as_text(tmp_path: Path) -> None:
    solution = Solution({1: 0, "b c": 1, ("x", np.int64(2)): -1, "d": 2}, {"cut": 3.0, "seed": 7})
    solution.save(tmp_path / "s.json")
    assert json.loads((tmp_path / "s.json").read_text()) == {
        "cut": 3.0,
        "seed": 7,
        "values": [[1, 0], ["b c", 1], [["x", 2], -1], ["d", 2]],
    }
    solution.save(tmp_path / "s.txt")
    lines = (tmp_path / "s.txt").read_text().splitlines()
    assert lines == ["# cut 3.0", "# seed 7", "1 0", '"b c" 1', '["x",2] -1', "d 2"]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["s.json", "s.txt"]


def test_solutions_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ProblemFileError, match=r"nowhere.s.txt cannot be written: .*; choose a folder that exists"):
        Solution({1: 1}, {}).save(tmp_path / "nowhere" / "s.txt")
