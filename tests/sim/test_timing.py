"""Clock cycles that are counted from golden models are those of the gateware."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from attractor.golden import network
from attractor.host import Device, Model
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Region, Spec, spec_from_dict
from attractor.spec.sparse import SparseSpec
from attractor.timing import CycleRange, cycles_of, reported_cycles
from attractor.trials import trials_of

from ..outside import adder_installed  # noqa: TID252

#: What benches in lockstep have not: lanes in several chunks of the search for changes, in one group and in several.
SPECS = {
    "one wide group": OscillatorSpec(oscillators=40, inputs=3, labels=3, learning=True, schedule_entries=4, flips=True),
    "wide groups": OscillatorSpec(
        oscillators=70, lanes=35, phase_bits=3, random_start=True, schedule_entries=4, flips=True
    ),
    "many couplings": SparseSpec(
        oscillators=150,
        inputs=2,
        couplings=900,
        strength=14,
        lanes=20,
        entries=10,
        random_start=True,
        flips=True,
        binary=True,
    ),
    "many couplings, full phases": SparseSpec(
        oscillators=150,
        inputs=2,
        couplings=900,
        strength=14,
        lanes=20,
        entries=10,
        random_start=True,
        flips=True,
    ),
    "wide layers": EqPropSpec(layers=(30, 40, 20), classes=10, state_high=7, lanes=20, learning=True),
    "three spiking layers": FelifSpec(
        inputs=20,
        input_bits=3,
        layers=(
            FelifLayer(neurons=12, kind="felif_a"),
            FelifLayer(neurons=17, kind="lif", recurrent=True),
            FelifLayer(neurons=1, kind="lif"),
        ),
        ticks=9,
        lanes=5,
    ),
}
CALLS = 24


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("name", list(SPECS))
def test_cycles_of_gateware(name: str) -> None:
    spec, rng, counted = SPECS[name], np.random.default_rng(3), set()
    with RtlBoard(spec) as board, Device.open(board, timeout=120.0) as device:
        for _ in range(2):
            model = Model(spec, trials_of(spec).parameters(spec, rng))
            device.load(model)
            golden = network(spec, model.parameters)
            for number in range(CALLS):
                inputs = trials_of(spec).inputs(spec, rng)
                foretold = cycles_of(spec, golden, inputs, written=number == 0)
                outputs = device.call(inputs)
                golden.call(inputs)
                cycles = reported_cycles(spec, outputs)
                assert foretold is not None
                assert cycles is not None
                assert foretold.holds(cycles), (number, cycles, str(foretold))
                counted.add(cycles)
    assert len(counted) > CALLS / 2


@pytest.mark.parametrize("name", list(SPECS))
def test_counting_changes_nothing(name: str) -> None:
    spec, rng = SPECS[name], np.random.default_rng(1)
    parameters = trials_of(spec).parameters(spec, rng)
    watched, alone = network(spec, parameters), network(spec, parameters)
    for _ in range(8):
        inputs = trials_of(spec).inputs(spec, rng)
        first, again = (cycles_of(spec, watched, inputs, written=False) for _ in range(2))
        assert first == again
        assert watched.call(inputs) == alone.call(inputs)


def test_a_settled_period() -> None:
    """16 slots of two cycles for each group and three more, and one at the end; the sums are built before."""
    spec = OscillatorSpec(oscillators=6, lanes=2, schedule_entries=1)
    weights = np.zeros((6, 6), int)
    cycles = []
    for periods in (1, 2):
        schedule = np.array([[periods, 0, 8, 0, 0]])
        golden = network(spec, {"weights": weights, "schedule": schedule, "settle": 0})
        inputs = spec.encode_input(np.zeros(6, int), np.zeros(6, bool), 0, 0)
        found = cycles_of(spec, golden, inputs, written=False)
        assert found is not None
        cycles.append(found.least)
    assert cycles[1] - cycles[0] == 16 * (2 * 3 + 3) + 1


def test_ranges() -> None:
    assert CycleRange(3, 5).holds(3)
    assert CycleRange(3, 5).holds(5)
    assert not CycleRange(3, 5).holds(2)
    assert not CycleRange(3, 5).holds(6)
    assert (str(CycleRange(3, 5)), str(CycleRange(4, 4))) == ("3 to 5", "4")


def test_a_call_that_was_aborted_says_nothing_of_cycles() -> None:
    spec = SPECS["wide layers"]
    assert isinstance(spec, EqPropSpec)
    result = spec.decode_output(bytes(spec.memory_map.size(Region.OUTPUT)))
    for aborted, expected in ((False, 77), (True, None)):
        assert reported_cycles(spec, spec.encode_output(replace(result, cycles=77, aborted=aborted))) == expected


def test_a_family_that_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with adder_installed(tmp_path, monkeypatch):
        spec: Spec = spec_from_dict({"family": "adder", "bits": 8})
        parameters = trials_of(spec).parameters(spec, np.random.default_rng(0))
        inputs = trials_of(spec).inputs(spec, np.random.default_rng(0))
        assert cycles_of(spec, network(spec, parameters), inputs, written=False) is None
