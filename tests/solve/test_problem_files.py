"""Files of problems: what is read, and how damage is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import dimod
import dimod.serialization.coo
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attractor.solve.problem_files import ProblemFileError, Solution, read_problem
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
    found = read_problem(write(tmp_path, " 4 3 \n1 2 1\n\n4 3 -2  # comment\n1 3\n"))
    assert isinstance(found, Graph)
    assert found.vertices == 4
    assert found.edges.tolist() == [[0, 1], [3, 2], [0, 2]]
    assert found.weights.tolist() == [1.0, -2.0, 1.0]
    empty = read_problem(write(tmp_path, "3 0\n"))
    assert isinstance(empty, Graph)
    assert (empty.vertices, len(empty.edges)) == (3, 0)


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
        ("0 0", "line 1: '0 0': there must be one vertex at least"),
        ("3 2\n1 2 1\n", "ends after 1 of 2 edges; it was cut off"),
        ("3 1\n1 2 1\n\n2 3 1\n", "line 4: '2 3 1': line 1 announces 1 edges, and this is one more"),
        ("3 1\n1 4 1\n", "line 2: '1 4 1': vertices are numbered from 1 to 3"),
        ("3 1\n0 1 1\n", "line 2: '0 1 1': vertices are numbered from 1 to 3"),
        ("3 1\n2 2 1\n", "line 2: '2 2 1': an edge cannot join a vertex to itself"),
        ("3 2\n1 2 1\n2 1 1\n", "line 3: '2 1 1': line 2 has this edge already"),
        ("3 1\n1 2 1 1\n", "line 2: '1 2 1 1': two vertices and a weight are expected"),
        ("3 1\n1 2 nan\n", "line 2: '1 2 nan': a number is not finite"),
        ("3 1\n1 2 one\n", "line 2: '1 2 one'"),
        (b"\xff\xfe\x00", "is neither text nor a model that dimod saved"),
        ("{", "is no intact JSON"),
        ("{}", "is JSON of type None; write a model with json.dump(bqm.to_serializable()"),
        ('{"type": "BinaryQuadraticModel"}', "is no intact model that dimod saved"),
        (json.dumps(MODEL.to_serializable()).replace("2.0]", "NaN]"), "a coefficient is not a finite number"),
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
