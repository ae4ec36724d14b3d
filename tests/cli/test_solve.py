"""``attractor solve``: what it prints and writes, and what it refuses."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import dimod
import numpy as np
import pytest

import attractor
from attractor.golden import OscillatorNetwork
from attractor.solve.problems import Graph
from attractor.spec import OscillatorSpec

QUICK = ("--periods", 12, "--reads", 4, "--seed", 1)


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    """A ring of 8 vertices, as the G-set has graphs."""
    path = tmp_path / "ring"
    path.write_text("8 8\n" + "".join(f"{v + 1} {(v + 1) % 8 + 1} 1\n" for v in range(8)))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model with biases and labels."""
    bqm = dimod.BinaryQuadraticModel({"a": 1.0, "b": -2.0}, {("a", "b"): 3.0}, 0.25, "BINARY")
    path = tmp_path / "model.json"
    path.write_text(json.dumps(bqm.to_serializable()))
    return path


def board(folder: Path, **sizes: int) -> str:
    path = folder / "spec.json"
    path.write_text(OscillatorSpec(**sizes).to_json())
    return f"sim:{path}"


# Good input


def test_a_cut_is_what_the_file_says_it_is(run: Callable, ring: Path, tmp_path: Path) -> None:
    result = run("solve", ring, "--periods", 60, "--seed", 0, "-o", tmp_path / "cut.json", "--json").json
    assert (result["problem"], result["vertices"], result["edges"], result["reads"]) == ("max-cut", 8, 8, 16)
    assert result["cut"] == 8
    saved = json.loads((tmp_path / "cut.json").read_text())
    sides = dict(saved["values"])
    assert set(sides) == set(range(1, 9))
    assert set(sides.values()) == {0, 1}
    assert all(sides[v] != sides[v % 8 + 1] for v in sides)
    assert (saved["cut"], saved["seed"]) == (8, 0)


def test_weights_of_edges_count(run: Callable, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pairs = [(u, v) for u in range(12) for v in range(u) if random.random() < 0.5]
    weights = random.choice([-2, 3], len(pairs))
    lines = [f"{u + 1} {v + 1} {w}" for (u, v), w in zip(pairs, weights, strict=True)]
    (tmp_path / "g.txt").write_text("\n".join([f"12 {len(pairs)}", *lines]))
    result = run("solve", tmp_path / "g.txt", "--as", "cut", *QUICK, "-o", tmp_path / "s.txt", "--json").json
    rows = [line.split() for line in (tmp_path / "s.txt").read_text().splitlines() if not line.startswith("#")]
    sides = np.array([int(side) for _, side in sorted(rows, key=lambda row: int(row[0]))])
    assert Graph(12, pairs, weights).cut(sides) == result["cut"]


def test_what_a_text_is_taken_as(run: Callable, refused: Callable, tmp_path: Path) -> None:
    path = tmp_path / "three.txt"
    path.write_text("3 3\n1 2 -4\n2 3 -4\n1 3 3\n")
    refused("solve", path, says=(str(path), "line 2, '1 2 -4'", "say --as cut, --as qubo or --as ising"))
    cut, qubo = (run("solve", path, *QUICK, "--as", kind, "--json").json for kind in ("cut", "qubo"))
    assert (cut["problem"], cut["cut"]) == ("max-cut", 0)
    assert (qubo["problem"], qubo["energy"]) == ("qubo", -5)
    assert run("solve", path, *QUICK, "--colours", 3, "--json").json["problem"] == "colouring"
    assert run("solve", path, *QUICK, "--as", "ising", "--json").json["energy"] == -5
    refused("solve", path, "--as", "colouring", says=("--as colouring needs a number of colours; add --colours N",))
    refused("solve", path, "--as", "qubo", "--colours", 3, says=("--colours does not go with --as qubo; leave out",))


def test_a_graph_of_dimacs_is_coloured_or_cut(run: Callable, refused: Callable, tmp_path: Path) -> None:
    path = tmp_path / "ring.col"
    path.write_text("p edge 4 4\ne 1 2\ne 2 3\ne 3 4\ne 4 1\n")
    refused("solve", path, says=(str(path), "say --colours N to colour it, or --as cut to cut it"))
    assert run("solve", path, *QUICK, "--as", "cut", "--json").json["cut"] == 4
    assert run("solve", path, *QUICK, "--colours", 3, "--json").json["problem"] == "colouring"


def test_a_model_keeps_its_labels_and_offset(run: Callable, model: Path, tmp_path: Path) -> None:
    result = run("solve", model, *QUICK, "-o", tmp_path / "s.json", "--json").json
    assert (result["problem"], result["variables"], result["couplings"]) == ("qubo", 2, 1)
    assert result["energy"] == -1.75
    assert json.loads((tmp_path / "s.json").read_text())["values"] == [["a", 0], ["b", 1]]


def test_a_colouring_counts_its_conflicts(run: Callable, ring: Path, tmp_path: Path) -> None:
    result = run("solve", ring, "--colours", 3, *QUICK, "-o", tmp_path / "s.json", "--json").json
    colours = dict(json.loads((tmp_path / "s.json").read_text())["values"])
    assert set(colours.values()) <= {0, 1, 2}
    assert result["conflicts"] == sum(colours[v] == colours[v % 8 + 1] for v in colours)
    assert result["colours"] == 3


def test_every_port_gives_the_same(run: Callable, ring: Path, tmp_path: Path) -> None:
    expected = run("solve", ring, *QUICK, "-o", tmp_path / "a.txt", "--json").json
    own = board(tmp_path, oscillators=8, weight_bits=8, schedule_entries=64, flips=True)
    for port in ("sim:", own):
        result = run("solve", ring, *QUICK, "-o", tmp_path / "b.txt", "--port", port, "--json").json
        assert {key: result[key] for key in ("cut", "mean_cut", "best_read")} == {
            key: expected[key] for key in ("cut", "mean_cut", "best_read")
        }
        values = [(tmp_path / name).read_text().split("\n1 ")[1] for name in ("a.txt", "b.txt")]
        assert values[0] == values[1]


def test_what_a_board_does_not_hold_is_solved_in_parts(run: Callable, ring: Path, model: Path, tmp_path: Path) -> None:
    small, out = board(tmp_path, oscillators=7, weight_bits=8), tmp_path / "a.json"
    found = run("solve", ring, *QUICK, "--port", small, "-o", out, "--plot", tmp_path / "a.png", "--json")
    assert "8 variables, and a network holds 7: solving it in parts of at most 6" in found.err
    assert "no picture" in found.err
    assert not (tmp_path / "a.png").exists()
    result = found.json
    assert (result["cut"], result["part"], result["seed"], result["device"]) == (8, 6, 1, small)
    assert result["sub_problems"] > result["rounds"] >= 1
    sides = dict(json.loads(out.read_text())["values"])
    assert all(sides[v] != sides[v % 8 + 1] for v in range(1, 9))
    whole = run("solve", ring, *QUICK, "--port", board(tmp_path, oscillators=8, weight_bits=8), "--json").json
    assert "part" not in whole
    tiny = board(tmp_path, oscillators=2, weight_bits=8)
    assert run("solve", model, *QUICK, "--port", tiny, "--json").json["energy"] == -1.75
    assert run("solve", model, *QUICK, "--divide", 1, "--json").json["part"] == 1


def test_the_boards_of_a_pool_solve_a_part_each(run: Callable, ring: Path, tmp_path: Path) -> None:
    small = board(tmp_path, oscillators=5, weight_bits=8)
    found = run("solve", ring, *QUICK, "--port", small, "--port", small, "--json")
    assert "parts of at most 4" in found.err
    assert (found.json["cut"], found.json["device"]) == (8, f"{small}, {small}")


@pytest.mark.parametrize("colours", [(), ("--colours", 3)])
def test_networks_that_draw_their_starts(
    run: Callable, ring: Path, tmp_path: Path, colours: tuple[object, ...]
) -> None:
    own = board(tmp_path, oscillators=8, weight_bits=8, schedule_entries=64, lock_phases=3, random_start=True)
    seed = ("--seed", 1)  # one with which both ways find different solutions
    flag, words = ("--random-start",), ("solve", ring, *colours, *QUICK, *seed, "--json", "-o", tmp_path / "a.json")
    found = []
    for port in (flag, (*flag, "--port", "sim:"), *([("--port", own)] if colours else [])):
        run(*words, *port)
        found.append(json.loads((tmp_path / "a.json").read_text())["values"])
    run(*words)
    plain = json.loads((tmp_path / "a.json").read_text())["values"]
    assert all(values == found[0] != plain for values in found)


@pytest.mark.parametrize("options", [(), ("--colours", 3)])
def test_an_interrupt_keeps_what_was_finished(
    run: Callable, ring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[object, ...]
) -> None:
    monkeypatch.setattr("attractor.solve.annealer.BATCH", 3)
    monkeypatch.setattr("attractor.solve.golden_reads.fastest", OscillatorNetwork)  # compiled, reads come one by one
    whole = run("solve", ring, *options, "--periods", 12, "--reads", 6, "--seed", 1, "--json").json
    finished, right = [], OscillatorNetwork.run

    def interrupted(*arguments: Any, **given: Any) -> Any:
        if len(finished) == 2:
            raise KeyboardInterrupt
        finished.append(right(*arguments, **given))
        return finished[-1]

    monkeypatch.setattr(OscillatorNetwork, "run", interrupted)
    outcome = run(
        "solve", ring, *options, *QUICK[:2], "--reads", 60, "--seed", 1, "-o", tmp_path / "kept.json", "--json"
    )
    assert outcome.code == 130
    assert "interrupted" in outcome.err
    found = json.loads(outcome.out)
    assert (found["reads"], found["interrupted"]) == (6, True)
    measure = "conflicts" if options else "cut"
    assert (found[measure], found["best_read"]) == (whole[measure], whole["best_read"])
    assert json.loads((tmp_path / "kept.json").read_text())["reads"] == 6


def test_an_interrupt_before_anything_is_finished_ends_it(
    run: Callable, ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("attractor.solve.golden_reads.fastest", OscillatorNetwork)
    monkeypatch.setattr(OscillatorNetwork, "run", interrupted)
    outcome = run("solve", ring, *QUICK, "--json")
    assert (outcome.code, outcome.error["kind"]) == (130, "interrupted")


def test_what_is_printed(run: Callable, ring: Path) -> None:
    lines = dict(line.split("  ", 1) for line in run("solve", ring, *QUICK).out.splitlines())
    assert lines["cut"].strip().isdigit()
    assert lines["problem"].strip() == "max-cut"
    assert lines["device"].strip() == "golden model"


def test_rounding_is_asked_for_and_told(run: Callable, refused: Callable, tmp_path: Path) -> None:
    path = tmp_path / "m.coo"
    path.write_text("# vartype=SPIN\n0 1 0.731\n1 2 -1\n0 2 0.0137\n")
    refused("solve", path, *QUICK, says=("magnitude 0.0137 to 1", "2047", "scale='auto' scales and rounds them"))
    result = run("solve", path, *QUICK, "--scale", "auto", "--json").json
    assert 0 < result["rounding"]["max_absolute"] < 0.5 / result["scale"] + 1e-9


@pytest.mark.parametrize("options", [(), ("--colours", 3)])
def test_pictures(run: Callable, ring: Path, tmp_path: Path, options: tuple[object, ...]) -> None:
    for port in ((), ("--port", board(tmp_path, oscillators=9, lock_phases=3 if options else 2, weight_bits=4))):
        result = run("solve", ring, *options, *QUICK, "--plot", tmp_path / "p.png", "--json", *port).json
        assert result["picture"] == str(tmp_path / "p.png")
        assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
        (tmp_path / "p.png").unlink()


def test_the_picture_ends_with_what_was_found(run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The golden model runs the best read again, so it must end where the device ended."""
    solutions = importlib.import_module("attractor.cli.solutions")
    drawn: list[tuple[str, float]] = []
    original = solutions.annealing_figure

    def spy(*arguments: object, **options: object) -> object:
        drawn.append((options["name"], arguments[3][-1]))  # pyright: ignore
        return original(*arguments, **options)

    monkeypatch.setattr(solutions, "annealing_figure", spy)
    bqm = dimod.generators.ran_r(3, 9, seed=5)
    bqm.add_linear(4, 1.0)
    files = {"energy": tmp_path / "m", "conflicts": tmp_path / "g"}
    with bqm.to_file() as file:
        files["energy"].write_bytes(file.read())
    files["conflicts"].write_text("5 10\n" + "".join(f"{u} {v}\n" for u in range(1, 6) for v in range(1, u)))
    kinds = {"energy": (), "conflicts": ("--colours", 3)}
    for name, draws in product(kinds, ((), ("--random-start",))):
        result = run("solve", files[name], *kinds[name], *draws, *QUICK, "--plot", tmp_path / "p.svg", "--json").json
        assert drawn.pop() == (name, result[name])


# Bad input


def test_files_that_hold_no_problem(refused: Callable, ring: Path, tmp_path: Path) -> None:
    refused("solve", tmp_path / "missing", says=("missing", "no such file", "check the name"))
    refused("solve", tmp_path, says=(tmp_path, "cannot be read"))
    ring.write_text(ring.read_text().replace("3 4 1", "3 9 1"))
    refused("solve", ring, says=(ring, "line 4", "3 9 1", "from 1 to 8"))
    ring.write_text("8 8\n1 2 1\n")
    refused("solve", ring, says=(ring, "ends after 1 of 8 edges"))


def test_problems_that_do_not_fit_the_board(refused: Callable, ring: Path, tmp_path: Path) -> None:
    small = board(tmp_path, oscillators=7)
    refused("solve", ring, "--colours", 2, "--port", small, says=("8 variables", "room for 7", "use a larger network"))
    refused("solve", ring, "--colours", 2, "--divide", 4, says=("--divide", "--colours", "leave out one"))
    two = board(tmp_path, oscillators=8, lock_phases=2)
    refused("solve", ring, "--colours", 3, "--port", two, says=("locks to 2 phases", "3 colours", "lock_phases 3"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--scale", "round"), ("'round'", "'refuse' or 'auto'")),
        (("--colours", "1"), ("1",)),
        (("--colours", "9"), ("9",)),
        (("--max-step", "9"), ("max_step", "9", "8")),
        (("--out", "nowhere/s.json"), ("nowhere", "create it first")),
        (("--plot", "nowhere/p.png"), ("nowhere", "create it first")),
        (("--plot", "p.xyz"), ("p.xyz", ".png", ".svg")),
        (("--port", "sym:"), ("sym",)),
    ],
)
def test_options_that_do_not_fit(
    refused: Callable, ring: Path, options: tuple[str, ...], says: tuple[str, ...]
) -> None:
    refused("solve", ring, *QUICK, *options, says=says)


def test_a_board_decides_itself_whether_it_draws_starts(refused: Callable, ring: Path, tmp_path: Path) -> None:
    port = board(tmp_path, oscillators=9)
    says = ("--random-start is for a network made for the problem", port, "leave it out")
    refused("solve", ring, *QUICK, "--random-start", "--port", port, says=says)


def test_colours_are_for_graphs(refused: Callable, model: Path) -> None:
    refused("solve", model, "--colours", 3, says=("--colours is for graphs",))


@pytest.mark.parametrize("words", [("--reads", "0"), ("--periods", "0"), ("--seed", "-1"), ("--noise", "-1")])
def test_usage_errors(run: Callable, ring: Path, words: tuple[str, str]) -> None:
    outcome = run("solve", ring, *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert words[0] in outcome.err


def test_without_dimod(refused: Callable, ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The package is imported anew: what the name leads to has to be put back as well.
    monkeypatch.setattr(attractor, "solve", importlib.import_module("attractor.solve"))
    monkeypatch.setitem(sys.modules, "dimod", None)
    for name in [name for name in sys.modules if name.startswith("attractor.solve")]:
        monkeypatch.delitem(sys.modules, name)
    refused("solve", ring, says=("dimod is not installed", "pip install 'attractor[solve]'"))


def test_without_matplotlib(refused: Callable, ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    refused("solve", ring, "--plot", "p.png", says=("matplotlib", "not installed", "pip install 'attractor[plot]'"))


# Recall


def test_recall_draws_patterns(
    run: Callable, refused: Callable, memory: Path, patterns: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "given.npy", np.repeat(patterns, 5, axis=0))
    result = run("recall", memory, tmp_path / "given.npy", "--plot", tmp_path / "p.png", "--json").json
    assert len(result["patterns"]) == 10
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    refused("recall", memory, tmp_path / "given.npy", "--plot", "p.xyz", says=("p.xyz", ".png"))
