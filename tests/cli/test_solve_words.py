"""``attractor solve``: answers in the words of each problem."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import dimod
import pytest

QUICK = ("--periods", 60, "--reads", 16, "--seed", 1)
CLAUSES = [(1, -2, 3), (4, -1), (-3, -4), (2,), (1, 2, 3, 4, -5)]


def formula(folder: Path, text: str = "") -> Path:
    path = folder / "f.cnf"
    lines = "".join(" ".join(map(str, (*clause, 0))) + "\n" for clause in CLAUSES)
    path.write_bytes(gzip.compress((text or f"p cnf 5 {len(CLAUSES)}\n{lines}").encode()))
    return path


def test_a_formula(run: Callable, tmp_path: Path) -> None:
    result = run("solve", formula(tmp_path), *QUICK, "-o", tmp_path / "s.json", "--json").json
    assert (result["problem"], result["variables"], result["clauses"], result["bits"]) == ("max-sat", 5, 5, 9)
    assert (result["satisfied"], result["unsatisfied"], result["energy"]) == (5, 0, 0)
    assert "feasible_reads" not in result
    saved = json.loads((tmp_path / "s.json").read_text())
    values = dict(saved["values"])
    assert list(values) == [1, 2, 3, 4, 5]
    assert all(any(values[abs(k)] == (k > 0) for k in clause) for clause in CLAUSES)
    assert saved["satisfied"] == 5


def test_clauses_that_must_hold(run: Callable, tmp_path: Path) -> None:
    path = formula(tmp_path, "h 1 2 0\nh -1 -2 0\n3 -1 0\n5 -2 0\n")
    result = run("solve", path, *QUICK, "--json").json
    assert result["hard_clauses"] == 2
    assert (result["feasible"], result["hard_clauses_broken"]) == (True, 0)
    assert (result["satisfied"], result["unsatisfied"], result["satisfied_weight"]) == (3, 1, 5)
    assert (result["unsatisfied_weight"], result["energy"]) == (3, 3)
    assert 0 < result["feasible_reads"] <= 1


def tour(folder: Path, places: int = 5) -> Path:
    path = folder / "t.tsp"
    at = [(math.cos(2 * math.pi * i / places), math.sin(2 * math.pi * i / places)) for i in range(places)]
    lines = "".join(f"{i} {100 * x:.3f} {100 * y:.3f}\n" for i, (x, y) in enumerate(at, 1))
    path.write_text(f"TYPE: TSP\nDIMENSION: {places}\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n{lines}EOF\n")
    return path


def test_a_tour(run: Callable, refused: Callable, tmp_path: Path) -> None:
    path = tour(tmp_path)
    # Distances that no common factor makes whole are refused.
    uneven = tmp_path / "uneven.tsp"
    rows = "\n".join(" ".join(str(abs(i - j) * (i + j) ** 3 * 1009 + 1) for j in range(4)) for i in range(4))
    head = "TYPE: TSP\nDIMENSION: 4\nEDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: FULL_MATRIX\n"
    uneven.write_text(f"{head}EDGE_WEIGHT_SECTION\n{rows}\nEOF\n")
    refused("solve", uneven, *QUICK, says=("scale='auto' scales and rounds them",))
    words = ("solve", path, "--periods", 300, "--reads", 32, "--seed", 1, "--scale", "auto")
    result = run(*words, "-o", tmp_path / "s.txt", "--plot", tmp_path / "p.png", "--json").json
    assert (result["problem"], result["places"], result["bits"]) == ("tour", 5, 16)
    assert result["feasible"] is True
    assert result["tour"] in ([1, 2, 3, 4, 5], [1, 5, 4, 3, 2])
    assert result["length"] == result["energy"] == 5 * 118
    assert 0 < result["feasible_reads"] <= 1
    lines = (tmp_path / "s.txt").read_text().splitlines()
    assert f"# tour {result['tour']}" in lines
    positions = dict(line.split() for line in lines if not line.startswith("#"))
    assert [int(positions[str(place)]) for place in result["tour"]] == [1, 2, 3, 4, 5]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    shown = dict(line.split("  ", 1) for line in run(*words).out.splitlines())
    assert shown["tour"].split() == list(map(str, result["tour"]))
    assert shown["feasible"].strip() == "True"
    assert float(shown["feasible reads"]) == pytest.approx(result["feasible_reads"], rel=1e-4)


def test_reads_that_break_the_constraints_are_told(run: Callable, tmp_path: Path) -> None:
    words = ("solve", tour(tmp_path, 12), "--periods", 1, "--reads", 4, "--seed", 1, "--scale", "auto")
    outcome = run(*words, "-o", tmp_path / "s.json", "--json")
    assert (outcome.json["feasible"], outcome.json["feasible_reads"]) == (False, 0)
    assert outcome.json["tour"] is outcome.json["length"] is outcome.json["mean_length"] is None
    said = outcome.err.replace("\n", " ")
    assert "4 of 4 reads break the problem's constraints; try more --periods, more --reads, or a board with" in said
    values = json.loads((tmp_path / "s.json").read_text())["values"]
    assert len(values) == 121
    assert "break the problem's" not in run("-q", *words).err


def test_a_linear_program(run: Callable, tmp_path: Path) -> None:
    path = tmp_path / "p.lp"
    path.write_text(
        "Maximize\n g: 3 x + 4 y + 5 z + 2 n\nSubject To\n w: 2 x + 3 y + 4 z + n <= 8\n c: x + y = 1\n"
        "Bounds\n 1 <= n <= 3\nBinary\n x y z\nGeneral\n n\nEnd\n"
    )
    result = run("solve", path, "--reads", 32, "--seed", 1, "-o", tmp_path / "s.json", "--json").json
    assert (result["problem"], result["variables"], result["constraints"]) == ("constrained", 4, 2)
    assert (result["feasible"], result["violated_constraints"]) == (True, 0)
    assert (result["objective"], result["energy"]) == (12, -12)
    saved = json.loads((tmp_path / "s.json").read_text())
    assert dict(saved["values"]) == {"x": 1, "y": 0, "z": 1, "n": 2}
    assert saved["objective"] == 12


def test_a_model_without_constraints(run: Callable, tmp_path: Path) -> None:
    whole = dimod.Integer("i", upper_bound=3)
    with (whole * whole - 4 * whole + 1).to_file() as file:
        (tmp_path / "m.qm").write_bytes(file.read())
    result = run("solve", tmp_path / "m.qm", *QUICK, "-o", tmp_path / "s.json", "--json").json
    assert (result["problem"], result["objective"], result["energy"]) == ("quadratic", -3, -3)
    assert "feasible" not in result
    assert "violated_constraints" not in result
    assert json.loads((tmp_path / "s.json").read_text())["values"] == [["i", 2]]


def test_one_of_several_problems(run: Callable, refused: Callable, tmp_path: Path) -> None:
    path = tmp_path / "bqp"
    path.write_text("2\n2 1\n1 1 5\n3 3\n1 1 2\n1 2 3\n3 3 -7\n")
    refused("solve", path, says=(path, "holds 2 problems; say which: --problem 1 to 2"))
    result = run("solve", path, "--problem", 2, *QUICK, "--json").json
    assert (result["problem"], result["number"], result["value"], result["energy"]) == ("qubo", 2, 8, -8)


def test_a_matrix_is_what_it_is_said_to_be(run: Callable, refused: Callable, tmp_path: Path) -> None:
    path = tmp_path / "a.mtx"
    path.write_text("%%MatrixMarket matrix coordinate real symmetric\n3 3 3\n2 1 1\n3 2 1\n3 1 -2\n")
    refused("solve", path, says=(path, "could be a graph or coefficients; say --as cut, --as qubo or --as ising"))
    found = {kind: run("solve", path, "--as", kind, *QUICK, "--json").json for kind in ("cut", "qubo", "ising")}
    assert found["cut"]["cut"] == 2
    assert found["qubo"]["energy"] == -4
    assert found["ising"]["energy"] == -8
    assert run("solve", path, "--colours", 3, *QUICK, "--json").json["problem"] == "colouring"


def test_a_colouring_tells_how_many_reads_are_one(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "g.col").write_text("p edge 4 4\ne 1 2\ne 2 3\ne 3 4\ne 4 1\n")
    result = run("solve", tmp_path / "g.col", "--colours", 3, *QUICK, "--json").json
    assert result["conflicts"] == 0
    assert 0 < result["feasible_reads"] <= 1


def test_what_a_file_cannot_be_taken_as(refused: Callable, tmp_path: Path) -> None:
    refused("solve", formula(tmp_path), "--as", "tour", says=("is nothing to take as tour; take it as sat",))
    refused("solve", formula(tmp_path), "--problem", 2, says=("holds one problem, and none of number 2",))
    refused("solve", formula(tmp_path), "--colours", 2, says=("--colours is for graphs",))
    (tmp_path / "w.txt").write_text("3 1\n1 2 1e308\n")
    refused("solve", tmp_path / "w.txt", "--as", "qubo", says=("line 2: '1 2 1e308'", "beyond 1e+100", "scale all of"))
