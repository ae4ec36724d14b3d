"""The gateware of an eqprop network learns what the golden model does, also behind a line that fails."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from attractor.golden import EqPropNetwork
from attractor.host import Device, LearningError, LinkClient, LinkError, Model, NotADevice
from attractor.sim.line import Faults, FaultyLine, PacedLine, VirtualClock
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import EqPropSpec
from attractor.train.eqprop import initial_parameters
from attractor.verify import accept

from ..golden.eqprop_cases import teaching_samples  # noqa: TID252

pytestmark = pytest.mark.usefixtures("tools")

SPEC = EqPropSpec(layers=(20, 12, 7, 6), classes=3, state_high=(7, 5, 6), counter_bits=5, lanes=4, learning=True)
START = Model(SPEC, initial_parameters(SPEC, seed=1))
THRESHOLDS = (1, 2, 1)
SAMPLES = 24
PATIENCE = 60.0
#: Fewer clock cycles than any call takes that learns.
CYCLES_OF_A_CALL = 100


class Prompt:
    """A board that has answered before time passes, as the models of lines need it."""

    def __init__(self) -> None:
        self.board = RtlBoard(SPEC)
        self.name = self.board.name
        self.close = self.board.close
        self.write = self.board.write

    def read(self, _timeout: float) -> bytes:
        """Return the whole answer."""
        data = b""
        while more := self.board.read(PATIENCE):
            data += more
        return data


@pytest.fixture
def port() -> Iterator[Prompt]:
    prompt = Prompt()
    yield prompt
    prompt.close()


@cache
def samples() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return samples to learn."""
    return teaching_samples(SPEC, START.parameters, THRESHOLDS, SAMPLES)


def taught(count: int) -> EqPropNetwork:
    """Return the golden model after the first samples."""
    network = EqPropNetwork(SPEC, START.parameters)
    for bits, label, sigma in list(zip(*samples(), strict=True))[:count]:
        network.learn(bits[None], [label], sigma, THRESHOLDS)
    return network


def failure(device: Device) -> LearningError | None:
    """Teach a device all samples and return how it failed, if it did."""
    bits, labels, sigmas = samples()
    try:
        learnt = device.network.learn_samples(bits, labels, THRESHOLDS, sigmas=sigmas)
        assert learnt.cycles.min() > CYCLES_OF_A_CALL
    except LearningError as error:
        return error
    return None


def test_the_gateware_passes_the_acceptance_test(port: Prompt) -> None:
    with Device.open(port) as device:
        device.load(START)
        found = accept(device, models=3, calls=24)
        assert found.first_difference is None
        assert found.exact
        assert device.holds(START)


def test_faults_do_not_change_what_is_learnt(port: Prompt) -> None:
    expected, troubles = Model(SPEC, taught(SAMPLES).parameters), 0
    for seed, fault in enumerate(("flip", "drop", "double", "reorder", "garbage")):
        clock = VirtualClock()
        safe = PacedLine(port, clock)
        Device.open(safe, clock=clock).load(START)
        line = FaultyLine(safe, clock, Faults(**{fault: 0.1}), seed)
        assert failure(Device(LinkClient(line, clock=clock, session=seed or 1))) is None
        assert Device.open(safe, clock=clock).holds(expected)
        troubles += line.happened[fault]
    assert troubles > 5


def test_after_a_cut_the_gateware_goes_on_from_what_it_holds(port: Prompt) -> None:
    places = set()
    for seed in range(10):
        clock = VirtualClock()
        safe = PacedLine(port, clock)
        Device.open(safe, clock=clock).load(START)
        line = FaultyLine(safe, clock, Faults(cut=0.02, run_bytes=40), seed)
        try:
            error = failure(Device(LinkClient(line, clock=clock, session=seed or 1)))
        except NotADevice:
            continue  # cut before it began
        again = Device.open(safe, clock=clock)
        learnt = [SAMPLES] if error is None else [error.learnt, error.learnt + (not error.refused)]
        # ``holds`` compares all bytes: both copies of every weight, and the counters.
        held = [count for count in learnt if again.holds(Model(SPEC, taught(count).parameters))]
        assert held, f"seed {seed}: {learnt} samples are said to be learnt"
        bits, labels, sigmas = (part[held[0] :] for part in samples())
        again.network.learn_samples(bits, labels, THRESHOLDS, sigmas=sigmas)
        assert again.holds(Model(SPEC, taught(SAMPLES).parameters))
        places.add(held[0])
    assert len(places) > 3


def test_gateware_that_is_switched_off_in_a_call_says_that_it_cannot_go_on(port: Prompt) -> None:
    bits, labels, sigmas = samples()
    clock = VirtualClock()
    line = PacedLine(port, clock)
    device = Device.open(line, clock=clock)
    device.load(START)
    whole = port.board.write

    def write(data: bytes) -> None:
        """Send a call, and switch the board off and on while it works on it."""
        whole(data)
        while port.board.pending:
            port.board.step(10)
        assert not port.board.step(CYCLES_OF_A_CALL // 2)
        port.board.reset()
        port.write = whole

    def power_cut(done: int, _: int) -> None:
        port.write = write if done == 7 else whole

    with pytest.raises(LearningError, match="7 of 24 samples, is lost with its parameters") as caught:
        device.network.learn_samples(bits, labels, THRESHOLDS, sigmas=sigmas, progress=power_cut)
    assert caught.value.lost
    with pytest.raises(LinkError, match="load a model first"):
        device.network.infer(bits[:1])
    device.load(START)
    assert failure(device) is None
    assert device.holds(Model(SPEC, taught(SAMPLES).parameters))
