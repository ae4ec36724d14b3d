# amaranth: UnusedElaboratable=no
from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const, Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import attractor.hdl.sparse.draw
import attractor.hdl.sparse.lane_phases
import attractor.hdl.sparse.phase_scanner
import attractor.hdl.sparse.scanner
import attractor.hdl.sparse.sides
import attractor.hdl.sparse.sums
from attractor.golden import network
from attractor.hdl.arithmetic import add_or_subtract, one_hot
from attractor.hdl.noise import may_flip
from attractor.host import Device, Model
from attractor.sim.lockstep import LockstepError, Regression, simulators
from attractor.spec.sparse import SparseSpec
from attractor.timing.sparse import TIMING
from attractor.trials import trials_of
from attractor.verify.acceptance import accept

BINARY: dict[str, Any] = {"binary": True, "flips": True}
#: What differs: inputs, labels, groups that lanes do not fill, odd and even numbers of lanes, a single group, lane or
#: target; one class, classes of one lane and of several; narrow and wide weights, sums and phases; steps between sums;
#: start phases drawn.
SPECS = {
    "several lanes of a class": SparseSpec(
        oscillators=29,
        inputs=3,
        labels=3,
        couplings=60,
        strength=9,
        lanes=8,
        entries=4,
        weight_bits=3,
        random_start=True,
        fraction_bits=2,
        **BINARY,
    ),
    "one group": SparseSpec(oscillators=6, couplings=9, strength=3, entries=3, weight_bits=2, **BINARY),
    "odd lanes": SparseSpec(
        oscillators=12,
        inputs=5,
        labels=2,
        reference=7,
        couplings=70,
        strength=20,
        lanes=3,
        weight_bits=4,
        phase_bits=3,
        lock_phases=3,
        random_start=True,
        **BINARY,
    ),
    "one class": SparseSpec(
        oscillators=14, couplings=40, strength=300, lanes=2, entries=1, weight_bits=8, fraction_bits=8, **BINARY
    ),
    # Flips are found long before the last group is scanned.
    "many groups": SparseSpec(
        oscillators=30, couplings=60, strength=12, lanes=1, phase_bits=3, schedule_entries=3, weight_bits=3, **BINARY
    ),
    # As on a small board: narrow words in large RAMs, rows of many words, and sums that hold a hub.
    "hub": SparseSpec(
        oscillators=36, couplings=250, strength=210, lanes=8, entries=4, weight_bits=2, random_start=True, **BINARY
    ),
    "one target": SparseSpec(oscillators=3, inputs=2, couplings=3, strength=2, schedule_entries=1, **BINARY),
    "phases, several lanes of a class": SparseSpec(
        oscillators=29,
        inputs=3,
        labels=3,
        couplings=60,
        strength=9,
        lanes=8,
        entries=4,
        weight_bits=3,
        random_start=True,
        fraction_bits=2,
        flips=True,
    ),
    "phases, one group": SparseSpec(oscillators=6, couplings=9, strength=3, entries=3, weight_bits=2, flips=True),
    "phases, odd lanes": SparseSpec(
        oscillators=12,
        inputs=5,
        labels=2,
        reference=7,
        couplings=70,
        strength=20,
        lanes=3,
        weight_bits=4,
        phase_bits=3,
        lock_phases=3,
        random_start=True,
        flips=True,
    ),
    "phases, one class, no flips": SparseSpec(
        oscillators=14, couplings=40, strength=300, lanes=2, entries=1, weight_bits=8, fraction_bits=8, phase_bits=5
    ),
    "phases, many groups, no flips": SparseSpec(
        oscillators=30, couplings=60, strength=12, lanes=1, phase_bits=3, schedule_entries=3, lock_phases=4
    ),
    "phases, one target": SparseSpec(oscillators=3, inputs=2, couplings=3, strength=2, schedule_entries=1, flips=True),
}
#: Many groups of one lane, whose flips come one by one.
LONG = SparseSpec(
    oscillators=40,
    couplings=90,
    strength=40,
    lanes=1,
    weight_bits=8,
    random_start=True,
    schedule_entries=2,
    phase_bits=5,
    **BINARY,
)
#: Small: they are built often.
BROKEN = SparseSpec(
    oscillators=6, couplings=20, strength=12, lanes=4, entries=2, weight_bits=3, phase_bits=3, fraction_bits=2, **BINARY
)
BROKEN_PHASES = replace(BROKEN, binary=False)

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
needs_compiler = pytest.mark.usefixtures("tools")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("several lanes of a class", marks=pytest.mark.slow),
        "odd lanes",
        pytest.param("phases, several lanes of a class", marks=pytest.mark.slow),
        "phases, odd lanes",
    ],
)
@needs_compiler
def test_in_verilator(name: str, tmp_path: Path) -> None:
    Regression(SPECS[name], "verilator", tmp_path).run(seed=1, calls=range(30))


@pytest.mark.parametrize("name", list(SPECS))
@needs_icarus
def test_in_icarus(name: str, tmp_path: Path) -> None:
    Regression(SPECS[name], "icarus", tmp_path).run(seed=0, calls=range(6))


@pytest.mark.slow
@pytest.mark.parametrize("spec", [LONG, replace(LONG, binary=False)], ids=["binary", "phases"])
@needs_compiler
def test_changes_that_come_one_by_one(spec: SparseSpec, tmp_path: Path) -> None:
    Regression(spec, "verilator", tmp_path).run(seed=0, calls=range(30))


def never_subtracts(value: Value, addend: Value, negate: Value) -> Value:  # noqa: ARG001
    return add_or_subtract(value, addend, 0)


def one_lane_further(index: Value, width: int) -> Value:
    return one_hot(index, width).rotate_left(1)


def others_may_flip(masks: list[Value], lanes: int) -> Value:
    return may_flip([masks[0].rotate_left(1), masks[1]], lanes)


def no_noise(*_: Any) -> Value:
    return Const(0)


def no_lock(spec: SparseSpec, slot: Value) -> list[Value]:  # noqa: ARG001
    return [Const(0)] * spec.lock_phases


#: What is built, where and what is broken, and what the bench finds first.
BREAKS: dict[str, tuple[SparseSpec, Any, str, Callable[..., Any], str]] = {
    "sums": (BROKEN, attractor.hdl.sparse.sums, "add_or_subtract", never_subtracts, "sum|phase"),
    "lanes of sums": (BROKEN, attractor.hdl.sparse.sums, "one_hot", one_lane_further, "sum|phase"),
    "sides": (BROKEN, attractor.hdl.sparse.sides, "one_hot", one_lane_further, "side|free|phase"),
    "noise": (BROKEN, attractor.hdl.sparse.scanner, "chosen_term", no_noise, "phase"),
    "flips": (BROKEN, attractor.hdl.sparse.draw, "may_flip", others_may_flip, "phase"),
    "differences": (
        BROKEN_PHASES,
        attractor.hdl.sparse.sums,
        "add_or_subtract",
        never_subtracts,
        r"difference.*|phase",
    ),
    "lanes of phases": (BROKEN_PHASES, attractor.hdl.sparse.lane_phases, "one_hot", one_lane_further, "phase.*"),
    "noise of phases": (
        BROKEN_PHASES,
        attractor.hdl.sparse.phase_scanner,
        "chosen_term",
        no_noise,
        "phase|reference",
    ),
    "lock": (BROKEN_PHASES, attractor.hdl.sparse.phase_scanner, "low_locks", no_lock, "phase|reference"),
}


@pytest.mark.parametrize("kind", list(BREAKS))
@needs_icarus
def test_a_broken_core_is_found(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, owner, name, replacement, place = BREAKS[kind]
    monkeypatch.setattr(owner, name, replacement)
    with pytest.raises(LockstepError) as caught:
        Regression(spec, "icarus", tmp_path).run(seed=0, calls=range(5))
    found = re.search(r"after slot \d+: (?:target|oscillator) \d+, (.+) is (-?\d+), expected", str(caught.value))
    assert found is not None, caught.value
    assert re.fullmatch(place, found[1]), found[1]


@st.composite
def random_specs(draw: Callable[..., Any]) -> SparseSpec:
    oscillators = draw(st.integers(2, 30))
    inputs = draw(st.integers(0, oscillators - 1))
    targets, phase_bits = oscillators - inputs, draw(st.integers(3, 6))
    lanes = draw(st.integers(1, targets))
    shares = [share for share in (1, 2, 4, 8) if lanes % share == 0]
    return SparseSpec(
        oscillators=oscillators,
        inputs=inputs,
        labels=draw(st.integers(0, targets)),
        reference=draw(st.integers(0, oscillators - 1)),
        couplings=draw(st.integers(1, 80)),
        strength=draw(st.sampled_from([1, 2, 3, 7, 8, 20, 200])),
        fraction_bits=draw(st.integers(0, 8)),
        weight_bits=draw(st.integers(2, 8)),
        phase_bits=phase_bits,
        lanes=lanes,
        entries=lanes // draw(st.sampled_from(shares)),
        row_words=draw(st.sampled_from([0, 2, 5, 30])),
        schedule_entries=draw(st.integers(1, 9)),
        lock_phases=draw(st.integers(2, min(8, 1 << phase_bits - 1))),
        random_start=bool(draw(st.integers(0, 1))),
        **draw(st.sampled_from([BINARY, {"flips": True}, {"flips": False}])),
    )


@pytest.mark.slow
@pytest.mark.parametrize("simulator", simulators())
@needs_compiler
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=random_specs(), seed=st.integers(0, 2**32))
def test_random_specs(simulator: str, spec: SparseSpec, seed: int) -> None:
    with TemporaryDirectory() as folder:
        Regression(spec, simulator, Path(folder)).run(seed=seed, calls=range(30 if simulator == "verilator" else 4))


@pytest.mark.parametrize("name", ["several lanes of a class", "phases, several lanes of a class"])
@needs_compiler
def test_a_board_agrees_with_the_golden_model_to_the_cycle(name: str) -> None:
    """Behind the link, rows in words wider than a frame's other ones."""
    spec = replace(SPECS[name], oscillators=70, couplings=300, strength=12, lanes=0, entries=0)
    with Device.open("rtl:", spec, timeout=120.0) as device:
        found = accept(device, models=4, calls=8)
    assert found.exact, found.first_difference
    assert found.timed == found.calls
    assert all(found.features.values()), found.features


@needs_compiler
def test_a_model_runs_on_every_build() -> None:
    """Without noise, and where all may flip, results do not depend on lanes and classes, and cycles do."""
    spec, rng = replace(SPECS["several lanes of a class"], row_words=90), np.random.default_rng(3)
    parameters = trials_of(spec).parameters(spec, rng)
    for column, value in (("noise", 0), ("flips", 1), ("periods", 2)):
        parameters["schedule"][:, spec.schedule_columns.index(column)] = value
    model, inputs = Model(spec, parameters), [trials_of(spec).inputs(spec, rng) for _ in range(6)]
    expected = [spec.decode_output(network(spec, parameters).call(data)) for data in inputs]
    folded = replace(spec, lanes=6, entries=3)
    with Device.open("rtl:", folded, timeout=120.0) as device:
        device.load(model)
        found = [spec.decode_output(device.call(data)) for data in inputs]
    for wanted, result in zip(expected, found, strict=True):
        assert (wanted.phases == result.phases).all()
        assert (wanted.settled, wanted.periods, wanted.last_change) == (
            result.settled,
            result.periods,
            result.last_change,
        )


@pytest.mark.parametrize(("binary", "cycles"), [(True, 5), (False, 8)])
def test_a_quiet_period_takes_a_cycle_for_each_group_and_a_few_in_each_slot(binary: bool, cycles: int) -> None:
    spec, found = replace(SPECS["one class"], schedule_entries=1, binary=binary), []
    for periods in (1, 2):
        schedule = np.zeros((1, 6), int)
        schedule[0, [0, 5]] = periods, 1
        nothing = {"starts": np.zeros(15, int), "targets": np.zeros(40, int), "weights": np.zeros(40, int)}
        golden = network(spec, {**nothing, "schedule": schedule, "settle": 0})
        counted = TIMING(golden, spec.encode_input(np.zeros(14, int)), written=False)  # pyright: ignore
        found.append(counted.least)
    assert found[1] - found[0] == 16 * (7 + cycles) + 1
