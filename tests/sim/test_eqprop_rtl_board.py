"""The gateware of an eqprop network learns what the golden model does, also behind a line that fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from attractor.golden import EqPropNetwork
from attractor.host import Device, LearningError, LinkClient, LinkError, Model
from attractor.sim.line import Faults, FaultyLine, PacedLine, VirtualClock
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import EqPropSpec
from attractor.spec.packing import packed_bytes
from attractor.spec.protocol import DELIMITER, CallHeader, Command, Request
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
        self._written = b""

    def write(self, data: bytes) -> None:
        """Send to the board."""
        self._written += data
        self.board.write(data)

    def read(self, timeout: float) -> bytes:  # noqa: ARG002
        """Return the whole answer; nothing is answered before the end of a frame."""
        data = b""
        if self._written.endswith(DELIMITER):
            while self._written.strip(DELIMITER) and (more := self.board.read(PATIENCE)):
                data += more
            self._written = b""
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


@cache
def lessons() -> list[Model]:
    """Return what the golden model has learnt before the first sample, and after each."""
    network, models = EqPropNetwork(SPEC, START.parameters), [START]
    for bits, label, sigma in zip(*samples(), strict=True):
        network.learn(bits[None], [label], sigma, THRESHOLDS)
        models.append(Model(SPEC, dict(network.parameters)))
    return models


def equal(parameters: Mapping[str, np.ndarray], model: Model) -> bool:
    """Return whether a model has these parameters."""
    return all((parameters[name] == array).all() for name, array in model.parameters.items())


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
    expected, troubles = lessons()[SAMPLES], 0
    for seed, fault in enumerate(("flip", "drop", "double", "reorder", "garbage")):
        clock = VirtualClock()
        safe = PacedLine(port, clock)
        Device.open(safe, clock=clock).load(START)
        line = FaultyLine(safe, clock, replace(Faults(), **{fault: 0.1}), seed)
        assert failure(Device(LinkClient(line, clock=clock, session=seed or 1))) is None
        assert Device.open(safe, clock=clock).holds(expected)
        troubles += line.happened[fault]
    assert troubles > 5


def test_after_a_cut_the_gateware_goes_on_from_what_it_holds(port: Prompt) -> None:
    places = set()
    for seed in range(10):
        clock = VirtualClock()
        safe = PacedLine(port, clock)
        device = Device.open(safe, clock=clock)
        device.load(START)
        device.link.port = FaultyLine(safe, clock, Faults(cut=0.05, run_bytes=20), seed)
        error = failure(device)
        again = Device.open(safe, clock=clock)
        learnt = range(SAMPLES, SAMPLES + 1) if error is None else range(error.learnt, error.most + 1)
        found = again.read_parameters()
        held = [count for count in learnt if equal(found, lessons()[count])]
        assert held, f"seed {seed}: {learnt[0]} to {learnt[-1]} samples are said to be learnt"
        # This compares all bytes: both copies of every weight, and the counters.
        assert again.holds(lessons()[held[0]])
        bits, labels, sigmas = (part[held[0] :] for part in samples())
        again.network.learn_samples(bits, labels, THRESHOLDS, sigmas=sigmas)
        assert again.holds(lessons()[SAMPLES])
        places.add(held[0])
    assert len(places) > 3


class PowerCut:
    """A board that is switched off and on while it learns the samples of one frame; number 0 is the first."""

    def __init__(self, port: Prompt, frame: int) -> None:
        self.name = port.name
        self.read = port.read
        self.close = port.close
        #: Samples of each frame up to that one.
        self.samples: list[int] = []
        self._port, self._frame = port, frame

    def write(self, data: bytes) -> None:
        """Send to the board, which may not survive it."""
        self._port.write(data)
        if len(self.samples) <= self._frame and data != DELIMITER:
            self._count(Request.decode(data.removesuffix(DELIMITER)))
            if len(self.samples) > self._frame:
                self._cut(self._port.board)

    def _count(self, request: Request) -> None:
        if request.command == Command.CALL:
            header = CallHeader.unpack(request.payload)
            inputs = len(request.payload) - CallHeader.STRUCT.size
            self.samples.append(inputs // packed_bytes(header.words, header.bits))

    def _cut(self, board: RtlBoard) -> None:
        while board.pending:
            board.step(10)
        assert not board.step(self.samples[-1] * CYCLES_OF_A_CALL // 2), "it is done already"
        board.reset()


@pytest.mark.parametrize("frame", [0, 2, 3])
def test_gateware_that_is_switched_off_among_lessons_says_that_it_cannot_go_on(port: Prompt, frame: int) -> None:
    clock, cut = VirtualClock(), PowerCut(port, frame)
    device = Device.open(PacedLine(cut, clock), clock=clock)
    device.load(START)
    error = failure(device)
    assert error is not None
    assert error.lost
    assert f"of {SAMPLES} samples, is lost with its parameters" in str(error)
    before = sum(cut.samples[:frame])
    assert error.learnt == before <= before + cut.samples[frame] <= error.most <= SAMPLES
    with pytest.raises(LinkError, match="load a model first"):
        device.network.infer(samples()[0][:1])
    device.load(START)
    assert failure(device) is None
    assert device.holds(lessons()[SAMPLES])
