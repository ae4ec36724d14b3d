"""``attractor solve --board``: what it says of a board that is not attached, and what it refuses."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attractor.host import Device
from attractor.solve.problem_files import read_problem
from attractor.solve.problems import Graph, max_cut
from attractor.solve.sampler import OscillatorSampler
from attractor.spec.sparse import SparseSpec

QUICK = ("--periods", 12, "--reads", 4, "--seed", 1)
BOARD = ("--board", "icebreaker")


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    """A ring of 8 vertices, as the G-set has graphs."""
    path = tmp_path / "ring"
    path.write_text("8 8\n" + "".join(f"{v + 1} {(v + 1) % 8 + 1} 1\n" for v in range(8)))
    return path


@pytest.fixture
def formula(tmp_path: Path) -> Path:
    """Clauses of which one must fail."""
    path = tmp_path / "f.cnf"
    path.write_text("p cnf 3 5\n1 2 0\n-1 2 0\n1 -2 0\n-1 -2 0\n3 0\n")
    return path


def test_cycles_are_those_of_the_port_rtl(run: Callable, ring: Path) -> None:
    told = run("solve", ring, *QUICK, *BOARD, "--json").json["projection"]
    problem = read_problem(ring)
    assert isinstance(problem, Graph)
    with OscillatorSampler("rtl:", weight_bits=told["weight_bits"], lanes=told["lanes"]) as sampler:
        samples = sampler.sample(max_cut(problem).bqm, num_reads=3, seed=1, periods=12)
    assert sum(told["counted_cycles"]) == samples.info["timing"]["cycles"]
    assert told["cycles_a_read"] == pytest.approx(sum(told["counted_cycles"]) / 3)
    assert told["cycles_a_period"] == pytest.approx(told["cycles_a_read"] / 12)
    assert told["computing_ms_a_read"] == pytest.approx(1000 * told["cycles_a_read"] / told["clock_hz"])


def test_the_fields(run: Callable, ring: Path) -> None:
    result = run("solve", ring, *QUICK, *BOARD, "--json").json
    told = result["projection"]
    assert (result["cut"], result["device"]) == (8, "golden model")
    assert (told["board"], told["fits"], told["clock_hz"]) == ("icebreaker", True, 12_000_000)
    assert (told["oscillators"], told["lanes"], told["groups"]) == (8, 8, 1)
    assert 2 <= told["weight_bits"] <= 8
    for name, available in (("luts", 5280), ("block_rams", 30), ("large_rams", 4)):
        assert told[name]["available"] == available
        assert 0 <= told[name]["estimated"] <= available
    for name in ("line", "random_start", "spins_alone"):
        line = told[name]
        assert line["baud"] == 1_000_000
        assert line["ms_a_read"] == pytest.approx(max(line["request_bytes"], line["reply_bytes"]) / 100)
    slower = max(told["computing_ms_a_read"], told["line"]["ms_a_read"])
    assert told["reads_a_second"] == pytest.approx(1000 / slower)
    assert told["decided_by"] == ("line" if slower == told["line"]["ms_a_read"] else "computing")
    assert not told["draws_starts"]
    assert (told["measure"], told["target"]) == ("cut", 8)
    assert [row["sampler"] for row in told["time_to_target"]] == ["board", "golden model", "simulated annealing"]
    assert told["compared_with_annealing"]


def test_times_are_those_of_the_shares(run: Callable, ring: Path) -> None:
    told = run("solve", ring, "--periods", 3, "--reads", 16, "--seed", 2, *BOARD, "--json").json["projection"]
    for row in told["time_to_target"]:
        assert row["share"] == row["hits"] / row["reads"]
        assert row["share_low"] <= row["share"] <= row["share_high"]
        if 0 < row["share"] < 0.99:
            expected = row["ms_a_read"] / 1000 * math.log(0.01) / math.log(1 - row["share"])
        else:
            expected = row["ms_a_read"] / 1000 if row["share"] else None
        assert row["seconds"] == pytest.approx(expected)
    board, golden, _ = told["time_to_target"]
    assert (board["hits"], board["reads"]) == (golden["hits"], 16)
    assert board["ms_a_read"] == pytest.approx(1000 / told["reads_a_second"])
    reached = [row for row in told["time_to_target"] if row["seconds"] is not None]
    assert told["fastest"] == min(reached, key=lambda row: row["seconds"])["sampler"]


def test_a_target_that_is_given(run: Callable, formula: Path) -> None:
    easy = run("solve", formula, *QUICK, *BOARD, "--target", 2, "--json").json["projection"]
    assert (easy["measure"], easy["target"], easy["target_by"]) == ("unsatisfied", 2, "given")
    assert easy["time_to_target"][0]["hits"] > 0
    hard = run("solve", formula, *QUICK, *BOARD, "--target", 0, "--json").json["projection"]
    assert [row["seconds"] for row in hard["time_to_target"]] == [None] * 3
    assert [row["seconds_high"] for row in hard["time_to_target"]] == [None] * 3
    assert hard["fastest"] is None
    shown = run("solve", formula, *QUICK, *BOARD, "--target", 0).out
    assert shown.count("not reached: 0 of 4 reads") == 3
    assert "no read reached the target" in shown


def test_what_is_printed(run: Callable, ring: Path) -> None:
    lines = dict(line.split("  ", 1) for line in run("solve", ring, *QUICK, *BOARD, "--baud", 9600).out.splitlines())
    said = {name: value.strip() for name, value in lines.items()}
    assert said["board"].startswith("icebreaker holds it: about ")
    assert said["board"].endswith("of 30 block RAMs")
    assert "8 lanes, 1 group" in said["build"]
    assert said["clock cycles"].endswith("a period (mean of 3 reads)")
    assert "at 12 MHz, the board's oscillator" in said["computing"]
    assert "at 9,600 baud" in said["line"]
    assert said["reads a second"].endswith("the line decides")
    assert said["random start"].endswith("with --random-start")
    assert said["target"].startswith("cut 8, the best that was found here")
    assert "of 4 reads" in said["- board"]
    assert said["fastest"]


def test_starts_that_the_board_draws(run: Callable, ring: Path) -> None:
    told = run("solve", ring, *QUICK, *BOARD, "--random-start", "--json").json["projection"]
    assert told["draws_starts"]
    assert told["line"] == told["random_start"]
    assert "random start  " not in run("solve", ring, *QUICK, *BOARD, "--random-start").out


def test_widths(run: Callable, refused: Callable, tmp_path: Path) -> None:
    path = tmp_path / "m.coo"
    path.write_text("# vartype=SPIN\n0 1 0.731\n1 2 -1\n0 2 0.0137\n")
    refused("solve", path, *QUICK, *BOARD, says=("scale='auto' scales and rounds them",))
    auto = run("solve", path, *QUICK, *BOARD, "--scale", "auto", "--json").json
    assert auto["projection"]["weight_bits"] == 12
    five = run("solve", path, *QUICK, *BOARD, "--scale", "auto", "--weight-bits", 5, "--json").json
    assert five["projection"]["weight_bits"] == 5
    assert five["rounding"]["max_absolute"] > auto["rounding"]["max_absolute"]


def test_without_simulated_annealing(run: Callable, ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dwave.samplers", None)
    told = run("solve", ring, *QUICK, *BOARD, "--json").json["projection"]
    assert [row["sampler"] for row in told["time_to_target"]] == ["board", "golden model"]
    assert not told["compared_with_annealing"]
    assert "pip install dwave-samplers" in run("solve", ring, *QUICK, *BOARD).out


def test_an_interrupt_while_cycles_are_counted_keeps_the_answer(
    run: Callable, ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module("attractor.cli.projection"), "project", interrupted)
    outcome = run("solve", ring, *QUICK, *BOARD)
    assert outcome.code == 130
    assert "cut " in outcome.out
    assert "icebreaker" not in outcome.out


# Bad input


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--board", "icebraker"), ("no board 'icebraker'", "icebreaker")),
        ((*BOARD, "--port", "rtl:"), ("--board asks what a board would do that is not attached", "leave out one")),
        ((*BOARD, "--divide", 4), ("--board does not go with --divide", "leave out one")),
        ((*BOARD, "--colours", 3), ("--board does not go with --colours", "leave out one")),
        ((*BOARD, "--baud", 5_000_000), ("5000000 baud", "at most 3000000")),
        ((*BOARD, "--target", "nan"), ("--target is nan", "give a finite number")),
        (("--target", 3), ("--target is for a board that is not attached", "add --board")),
        (("--weight-bits", 3), ("--weight-bits is for a board that is not attached", "add --board")),
    ],
)
def test_options_that_do_not_fit(
    refused: Callable, ring: Path, options: tuple[object, ...], says: tuple[str, ...]
) -> None:
    refused("solve", ring, *QUICK, *options, says=says)


def test_coarser_noise_where_weights_are_too_wide(run: Callable, ring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("attractor.cli.projection")
    right, narrow = module.most_lanes, 3

    def most_lanes(spec: Any, board: Any) -> Any:
        if spec.weight_bits > narrow:
            raise module.DoesNotFit("too wide; use narrower weights")
        return right(spec, board)

    monkeypatch.setattr(module, "most_lanes", most_lanes)
    outcome = run("solve", ring, *QUICK, *BOARD, "--json")
    assert outcome.json["projection"]["weight_bits"] == narrow
    assert "does not fit with weights of 4 bits, and does with 3" in outcome.err


def test_what_does_not_fit(refused: Callable, tmp_path: Path) -> None:
    path = tmp_path / "star"
    path.write_text("900 899\n" + "".join(f"1 {v}\n" for v in range(2, 901)))
    says = ("does not fit icebreaker", "block RAMs of 30", "the board ulx3s-85f holds it", "--divide N")
    refused("solve", path, *QUICK, *BOARD, "--couplings", "dense", says=says)
    path.write_text("5000 4999\n" + "".join(f"1 {v}\n" for v in range(2, 5001)))
    dense = ("5,000 variables", "1 to 4,095", "leave out --board")
    refused("solve", path, *QUICK, *BOARD, "--couplings", "dense", says=dense)
    sparse = ("5,000 variables, 9,998 couplings and a strength of 4,999", "on icebreaker", "block RAMs of 30", "ulx3s")
    refused("solve", path, *QUICK, *BOARD, says=(*sparse, "holds it", "leave out --board"))


def test_sparse_couplings_where_they_are_smaller(run: Callable, tmp_path: Path) -> None:
    path = tmp_path / "star"
    path.write_text("900 899\n" + "".join(f"1 {v}\n" for v in range(2, 901)))
    result = run("solve", path, *QUICK, *BOARD, "--json").json
    told = result["projection"]
    assert (result["cut"], told["couplings"], told["oscillators"]) == (899, "sparse", 900)
    assert told["row_words"] > -(-899 // told["entries"]) + 899
    assert told["draws_starts"]
    assert told["line"]["reply_bytes"] == told["spins_alone"]["reply_bytes"] < 150
    # The same reads on a device that has this network.
    problem = read_problem(path)
    assert isinstance(problem, Graph)
    bqm = max_cut(problem).bqm
    sizes = {name: told[name] for name in ("lanes", "entries", "row_words", "weight_bits")}
    spec = SparseSpec(
        oscillators=900,
        couplings=1798,
        strength=899,
        fraction_bits=6,
        schedule_entries=64,
        random_start=True,
        flips=True,
        binary=True,
        **sizes,
    )
    with Device.open("sim:", spec) as device, OscillatorSampler(device) as sampler:
        samples = sampler.sample(bqm, num_reads=4, seed=1, periods=12)
    assert (samples.record.energy.min(), samples.record.energy.mean()) == (-result["cut"], -result["mean_cut"])
