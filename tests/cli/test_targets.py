"""``attractor bench --targets``: time to solution of problems, and lists that are refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attractor.solve.problem_files import read_problem
from attractor.solve.problems import Graph, max_cut
from attractor.solve.sampler import OscillatorSampler
from attractor.spec import OscillatorSpec

ENTRY = {"file": "ring", "target": 8, "reads": 4, "periods": 12, "seed": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a ring of 8 vertices and a formula."""
    (tmp_path / "ring").write_text("8 8\n" + "".join(f"{v + 1} {(v + 1) % 8 + 1} 1\n" for v in range(8)))
    (tmp_path / "f.cnf").write_text("p cnf 2 4\n1 2 0\n-1 2 0\n1 -2 0\n-1 -2 0\n")
    return tmp_path


def listed(folder: Path, *entries: Any) -> Path:
    path = folder / "targets.json"
    path.write_text(json.dumps(entries))
    return path


def test_rows(run: Callable, folder: Path) -> None:
    path = listed(folder, ENTRY, {"file": "f.cnf", "target": 0, "reads": 3, "periods": 2})
    ring, formula = run("bench", "--targets", path, "--json").json["targets"]
    assert (ring["file"], ring["measure"], ring["target"], ring["reads"]) == (str(folder / "ring"), "cut", 8, 4)
    assert ring["share"] == ring["hits"] / 4
    assert ring["share_low"] <= ring["share"] <= ring["share_high"]
    assert (ring["periods"], formula["periods"]) == (12, 2)
    assert (ring["cycles_a_read"], ring["clock_mhz"], ring["cycles_to_solution"]) == (None, None, None)
    assert (formula["measure"], formula["hits"], formula["ms_to_solution"]) == ("unsatisfied", 0, None)
    assert formula["ms_to_solution_low"] > formula["ms_a_read"]
    assert formula["ms_to_solution_high"] is None


def test_toml_says_the_same(run: Callable, folder: Path) -> None:
    path = folder / "targets.toml"
    path.write_text('[[targets]]\nfile = "ring"\ntarget = 8\nreads = 4\nperiods = 12\nseed = 1\nas = "cut"\n')
    (toml,) = run("bench", "--targets", path, "--json").json["targets"]
    (plain,) = run("bench", "--targets", listed(folder, ENTRY), "--json").json["targets"]
    assert [toml[name] for name in ("file", "hits", "reads")] == [plain[name] for name in ("file", "hits", "reads")]


def test_cycles_of_simulated_gateware(run: Callable, folder: Path) -> None:
    options = {"noise": 0.9, "share": 0.5625}
    path = listed(folder, ENTRY | options)
    (row,) = run("bench", "--targets", path, "--port", "rtl:", "--json").json["targets"]
    (fast,) = run("bench", "--targets", path, "--port", "rtl:", "--clock", 25, "--json").json["targets"]
    problem = read_problem(folder / "ring")
    assert isinstance(problem, Graph)
    with OscillatorSampler("rtl:") as sampler:
        samples = sampler.sample(max_cut(problem).bqm, num_reads=4, seed=1, periods=12, noise=0.9, share=0.5625)
    assert row["cycles_a_read"] == samples.info["timing"]["cycles"] / 4
    assert row["hits"] == (samples.record.energy == -8).sum()
    assert (row["clock_mhz"], fast["clock_mhz"]) == (12, 25)
    assert fast["ms_a_read"] == pytest.approx(row["cycles_a_read"] / 25e3)
    assert row["ms_a_read"] == pytest.approx(row["cycles_a_read"] / 12e3)
    if 0 < row["share"] < 0.99:
        times = math.log(0.01) / math.log(1 - row["share"])
        assert row["cycles_to_solution"] == pytest.approx(times * row["cycles_a_read"])


def test_other_boards(run: Callable, folder: Path) -> None:
    (folder / "spec.json").write_text(OscillatorSpec(oscillators=9, weight_bits=8, flips=True).to_json())
    path = listed(folder, ENTRY)
    for port in ("sim:", f"sim:{folder / 'spec.json'}"):
        (row,) = run("bench", "--targets", path, "--port", port, "--json").json["targets"]
        assert (row["reads"], row["cycles_a_read"]) == (4, None)
        assert row["ms_a_read"] > 0


def test_what_is_printed(run: Callable, folder: Path) -> None:
    header, row, other = run("bench", "--targets", listed(folder, ENTRY, ENTRY | {"target": 9})).out.splitlines()
    assert header.split("  ")[0] == "file"
    assert row.startswith("ring")
    assert "cut 8" in row
    assert "not reached (more than" in other


def test_an_interrupt_keeps_what_was_finished(run: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished, right = [], OscillatorSampler.sample

    def interrupted(*arguments: Any, **given: Any) -> Any:
        if len(finished) == 2:  # the first problem takes a read that warms up, too
            raise KeyboardInterrupt
        finished.append(right(*arguments, **given))
        return finished[-1]

    monkeypatch.setattr(OscillatorSampler, "sample", interrupted)
    outcome = run("bench", "--targets", listed(folder, ENTRY, ENTRY), "--json")
    assert outcome.code == 130
    found = json.loads(outcome.out)
    assert (len(found["targets"]), found["interrupted"]) == (1, True)


# Bad input


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"file": "ring"}, "entry 1 has no target; add it"),
        ({"target": 3}, "entry 1 has no file; add it"),
        (7, "entry 1 is no table"),
        (ENTRY | {"colours": 3}, "says 'colours', which means nothing"),
        (ENTRY | {"target": "8"}, "has target '8'; it must be of type float"),
        (ENTRY | {"reads": True}, "has reads True; it must be of type int"),
        (ENTRY | {"reads": 0}, "has reads 0; it must be at least 1"),
        (ENTRY | {"as": "graph"}, "has as 'graph'; choose one of"),
        (ENTRY | {"as": "colouring"}, "asks for a colouring"),
        (ENTRY | {"periods": 0}, "cannot be annealed: periods is 0"),
        (ENTRY | {"noise": "much"}, "cannot be annealed"),
        (ENTRY | {"file": "nothing"}, "nothing"),
    ],
)
def test_entries_that_cannot_be(refused: Callable, folder: Path, entry: Any, says: str) -> None:
    refused("bench", "--targets", listed(folder, entry), says=(says,))


@pytest.mark.parametrize(
    ("name", "text"), [("t.json", "{"), ("t.json", "[]"), ("t.json", "3"), ("t.toml", "[["), ("t.toml", "a = 1\n")]
)
def test_lists_that_are_none(refused: Callable, folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    refused("bench", "--targets", folder / name, says=(folder / name, "is no list of targets"))


@pytest.mark.parametrize("target", ["nan", "inf", "1" + "0" * 400])
def test_targets_that_nothing_reaches(refused: Callable, folder: Path, target: str) -> None:
    (folder / "t.toml").write_text(f'[[targets]]\nfile = "ring"\ntarget = {target}\n')
    refused("bench", "--targets", folder / "t.toml", says=("entry 1", "give a finite number"))


def test_options_that_do_not_fit(refused: Callable, folder: Path) -> None:
    refused("bench", says=("nothing to measure", "--targets FILE"))
    refused("bench", "a.safetensors", "--targets", listed(folder, ENTRY), says=("leave out one of them",))
    refused("bench", "a.safetensors", "--clock", 3, says=("--clock is for --targets",))
    refused("bench", "--targets", folder / "missing.toml", says=("missing.toml",))
