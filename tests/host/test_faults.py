"""Loads and calls over lines that damage, lose, double and reorder bytes: right, or refused with a reason."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import OscillatorNetwork
from attractor.host import Device, HostError, LinkClient, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.line import Faults, FaultyLine, OutOfTime, PacedLine, VirtualClock
from attractor.spec import OscillatorSpec

SPEC = OscillatorSpec(oscillators=64, lanes=16)
probability = st.sampled_from([0.0, 0.01, 0.1])


class Trial:
    """A device that was loaded once without faults, behind a line that now has some."""

    def __init__(self, model: Model, faults: Faults, seed: int) -> None:
        self.clock = VirtualClock(limit=600.0)
        self.board = GoldenBoard(model.spec)
        line = PacedLine(self.board, self.clock)
        Device.open(line, clock=self.clock).load(model)
        self.line = FaultyLine(line, self.clock, faults, seed, self.reset)
        self.power_cycles = seed % 2 == 0
        self.seed = seed
        self.resets = 0

    def reset(self) -> None:
        if not self.board.parameters_valid:  # in the middle of a load
            self.board.reset(power_cycle=self.power_cycles)
            self.resets += 1

    def open(self) -> Device:
        return Device(LinkClient(self.line, clock=self.clock, session=self.seed or 1))

    def holds(self, model: Model) -> bool:
        return self.board.parameter_windows() == model.spec.encode_parameters(model.parameters)


@pytest.fixture(scope="module")
def models() -> tuple[Model, Model]:
    random = np.random.default_rng(0)
    weights = random.integers(-16, 16, (2, 64, 64))
    schedule, settle = SPEC.schedule(4), np.array(1)
    old, new = (Model(SPEC, {"weights": w, "schedule": schedule, "settle": settle}) for w in weights)
    return old, new


@settings(max_examples=100, deadline=None)
@given(
    faults=st.builds(
        Faults,
        flip=probability,
        drop=probability,
        double=probability,
        reorder=probability,
        garbage=probability,
        cut=st.sampled_from([0.0, 0.02]),
        reset=st.sampled_from([0.0, 0.05]),
        run_bytes=st.sampled_from([10, 300]),
    ),
    seed=st.integers(0, 2**16 - 1),
)
def test_a_load_is_right_or_refused(models: tuple[Model, Model], faults: Faults, seed: int) -> None:
    old, new = models
    trial = Trial(old, faults, seed)
    try:
        trial.open().load(new)
    except HostError:
        if trial.board.parameters_valid:
            # Either nothing of the new model came through, or all of it did and only the answer was lost.
            assert trial.holds(old) or trial.holds(new)
        return
    assert trial.board.parameters_valid
    assert trial.holds(new)


@pytest.mark.parametrize("oscillators", [24, 300])
@settings(max_examples=30, deadline=None)
@given(
    faults=st.builds(
        Faults,
        flip=probability,
        drop=probability,
        double=probability,
        reorder=probability,
        garbage=probability,
        cut=st.sampled_from([0.0, 0.02]),
    ),
    seed=st.integers(0, 2**16 - 1),
)
def test_a_call_is_right_or_refused(
    random_model: Callable[..., Model], oscillators: int, faults: Faults, seed: int
) -> None:
    spec = OscillatorSpec(oscillators=oscillators, lanes=(oscillators + 3) // 4, schedule_entries=1)
    model = random_model(spec, periods=2)
    trial = Trial(model, faults, seed)
    phases = np.random.default_rng(seed).integers(0, spec.period, (5, oscillators))
    expected = OscillatorNetwork(spec, model.parameters).run(phases).phases
    try:
        results = trial.open().network.recall(phases)
    except HostError:
        return
    np.testing.assert_array_equal([result.phases for result in results], expected)


@pytest.mark.parametrize(
    ("fault", "rate"),
    [("flip", 0.1), ("drop", 0.1), ("double", 0.1), ("reorder", 0.1), ("garbage", 0.1), ("reset", 0.01)],
)
def test_each_kind_of_fault_is_recovered_from(models: tuple[Model, Model], fault: str, rate: float) -> None:
    old, new = models
    troubles = 0
    for seed in range(10):
        trial = Trial(old, Faults(**{fault: rate}), seed)
        device = trial.open()
        device.load(new)
        assert trial.holds(new)
        assert trial.board.parameters_valid
        troubles += device.link.statistics.repeated + trial.resets
    assert troubles > 0


def test_a_cut_line_is_reported(models: tuple[Model, Model]) -> None:
    old, new = models
    reported = 0
    for seed in range(20):
        trial = Trial(old, Faults(cut=0.05), seed)
        try:
            trial.open().load(new)
        except HostError as error:
            reported += 1
            assert "no answer" in str(error) or "nothing answers" in str(error)  # noqa: PT017
            assert trial.line.cut
    assert reported > 10


def test_a_clock_that_runs_out_tells(models: tuple[Model, Model]) -> None:
    trial = Trial(models[0], Faults(), 0)
    with pytest.raises(OutOfTime, match="more than 600 s have passed"):
        trial.line.read(601.0)
