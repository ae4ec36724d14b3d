"""What devices say is checked: a result, a description or a number that there cannot be is an error with its name."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from attractor.host import Device, HostError, LinkClient, Model
from attractor.host.errors import LinkError, NotADevice, WrongReport
from attractor.host.replies import MOST_ANSWER_BYTES
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.golden_link import GoldenLink
from attractor.spec import (
    EqPropResult,
    EqPropSpec,
    FelifLayer,
    FelifResult,
    FelifSpec,
    OscillatorResult,
    OscillatorSpec,
    Spec,
    SpecError,
)
from attractor.spec.protocol import Command, FrameError, Identity, Reply, Status, decode_description
from attractor.trials import trials_of

OSCILLATORS = OscillatorSpec(oscillators=8, inputs=2, labels=3, schedule_entries=2)
LAYERS = EqPropSpec(layers=(6, 4, 4), classes=2, state_high=3, learning=True)
SPIKES = FelifSpec(inputs=2, layers=(FelifLayer(neurons=3, kind="lif"),), ticks=5)


def loaded(spec: Spec) -> tuple[Device, bytes]:
    """Return a device with a model, and inputs for a call."""
    rng = np.random.default_rng(0)
    device = Device.open(GoldenBoard(spec))
    device.load(Model(spec, trials_of(spec).parameters(spec, rng)))
    return device, trials_of(spec).inputs(spec, rng)


def oscillators(**changes: Any) -> OscillatorResult:
    good: dict[str, Any] = {
        "phases": np.zeros(6, np.uint8),
        "winner": 2,
        "settled": True,
        "periods": 3,
        "last_change": 9,
    }
    return OscillatorResult(**good | changes)


def layers(**changes: Any) -> EqPropResult:
    good: dict[str, Any] = {"winner": 1, "scores": np.array([1, 6]), "settled": True, "free_steps": 3}
    return EqPropResult(**good | changes)


def spikes(**changes: Any) -> FelifResult:
    good: dict[str, Any] = {"winner": 2, "outputs": np.array([0, 1, 5]), "ticks": 5, "spikes": 6}
    return FelifResult(**good | changes)


@pytest.mark.parametrize(
    ("spec", "result", "says"),
    [
        (OSCILLATORS, oscillators(), ""),
        (OSCILLATORS, oscillators(winner=3), "the winner is 3; it must lie between 0 and 2"),
        (OSCILLATORS, oscillators(winner=5000), "the winner is 5000"),
        (OSCILLATORS, oscillators(winner=None), "the winner must be an integer"),
        (OSCILLATORS, oscillators(phases=np.full(6, 16, np.uint8)), "the greatest phase is 16"),
        (OSCILLATORS, oscillators(periods=200_000), "the number of periods is 200000"),
        (OSCILLATORS, oscillators(last_change=1 << 31), "the slot of the last change"),
        (LAYERS, layers(), ""),
        (LAYERS, layers(winner=2), "the winner is 2"),
        (LAYERS, layers(scores=np.array([7, 0])), "the greatest score is 7; it must lie between 0 and 6"),
        (LAYERS, layers(touched=41), "touched counters is 41"),
        (LAYERS, layers(flips=41), "flipped weights is 41"),
        (SPIKES, spikes(), ""),
        (SPIKES, spikes(winner=3), "the winner is 3"),
        (SPIKES, spikes(ticks=6), "the number of ticks is 6"),
        (SPIKES, spikes(spikes=16), "the number of spikes is 16"),
        (SPIKES, spikes(outputs=np.array([0, 6, 0])), "spikes of a neuron is 6"),
    ],
)
def test_ranges_of_results(monkeypatch: pytest.MonkeyPatch, spec: Spec, result: Any, says: str) -> None:
    device, inputs = loaded(spec)
    monkeypatch.setattr(type(spec), "decode_output", lambda *_: result)
    if not says:
        assert list(device.network.results([inputs], 1)) == [result]
        return
    with pytest.raises(
        WrongReport, match=f"^sim:: the device reports what it cannot: .*{says}.*build it again$"
    ) as caught:
        list(device.network.results([inputs], 1))
    assert isinstance(caught.value, HostError)
    assert isinstance(caught.value, SpecError)


def test_a_winner_that_there_is_not() -> None:
    device, inputs = loaded(LAYERS)
    device.link.port = Answering(
        device.link.port, Command.CALL, lambda payload: payload[:2] + b"\x88\x13" + payload[4:]
    )
    with pytest.raises(WrongReport, match="the winner is 5000; it must lie between 0 and 1"):
        list(device.network.winners([inputs], 1))


class Answering:
    """A port that changes what replies to one command carry."""

    name = "changed"

    def __init__(
        self, port: Any, command: Command, change: Callable[[bytes], bytes], status: int | None = None
    ) -> None:
        self._port, self._command, self._change, self._status = port, command, change, status

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def read(self, timeout: float) -> bytes:
        found = b""
        for frame in self._port.read(timeout).split(b"\0"):
            if frame:
                reply = Reply.decode(frame)
                if reply.command == self._command:
                    status = reply.status if self._status is None else self._status
                    reply = Reply(reply.position, reply.command, status, self._change(reply.payload))
                found += reply.encode()
        return found

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("command", "change", "run", "says"),
    [
        (
            Command.CALL,
            lambda data: data + b"x",
            Device.call,
            "bytes of results came back",
        ),
        (
            Command.CALL,
            lambda data: data[:-1],
            Device.call,
            "bytes of results came back",
        ),
        (Command.CALL, lambda _: b"", Device.call, "0 bytes of results came back"),
        (Command.COUNTERS, lambda _: b"123", lambda device, _: device.counters(), "counters have 12 bytes, not 3"),
        (Command.DIGEST, lambda _: b"12", lambda device, _: device.digest("steps"), "2 bytes came back for the CRC-32"),
        (Command.READ, lambda data: b"\0" * len(data), lambda device, _: device.read_model(), "it must lie between"),
        (
            Command.IDENTIFY,
            lambda data: data[:-1],
            lambda device, _: device.abort(),
            "an identity has 18 bytes, not 17",
        ),
    ],
)
def test_answers_of_another_length_or_range(
    command: Command, change: Callable[[bytes], bytes], run: Callable[[Device, bytes], object], says: str
) -> None:
    device, inputs = loaded(LAYERS)
    device.link.port = Answering(device.link.port, command, change)
    with pytest.raises(WrongReport, match=f"^changed: .*{says}"):
        run(device, inputs)


def test_an_aborted_call_without_results() -> None:
    device, inputs = loaded(LAYERS)
    device.link.port = Answering(device.link.port, Command.CALL, lambda _: b"", Status.ABORTED)
    with pytest.raises(LinkError, match="the call was aborted"):
        device.call(inputs)


def test_an_answer_without_an_end() -> None:
    """A device that goes on and on ends in an error, and what it sends is not gathered for ever."""

    class Endless:
        name = "endless"

        def __init__(self, port: Any) -> None:
            self._port, self.sent, self._position = port, 0, -1

        def write(self, data: bytes) -> None:
            self._port.write(data)

        def read(self, timeout: float) -> bytes:
            if self._position < 0:
                (frame, *_) = self._port.read(timeout).split(b"\0")
                self._position = Reply.decode(frame).position
            reply = Reply(self._position, Command.COUNTERS, Status.MORE, bytes(240))
            self._position, self.sent = reply.end, self.sent + 240
            return reply.encode()

        def close(self) -> None:
            """Do nothing."""

    device, _ = loaded(LAYERS)
    device.link.port = port = Endless(device.link.port)
    with pytest.raises(LinkError, match="endless: the device sends 256 replies to one request and no end of them"):
        device.counters()
    assert port.sent <= MOST_ANSWER_BYTES + 240


# Descriptions


def described(**changes: Any) -> GoldenBoard:
    """Return a board with another description; what is None is left out."""
    board = GoldenBoard(LAYERS)
    fields = board._description() | changes
    packed = zlib.compress(json.dumps({name: value for name, value in fields.items() if value is not None}).encode())
    board.link = GoldenLink(LAYERS, packed, board._run)
    return board


def test_what_a_description_leaves_out_is_not_known() -> None:
    device = Device.open(described(board=None, clock_hz=None, baud=None, gateware=None))
    assert {"board": "unknown", "clock_hz": 0, "baud": 0, "gateware": "unknown"}.items() <= device.description.items()
    assert str(device.build) == "lanes 4 on unknown"


def test_texts_of_a_description_are_fit_to_print() -> None:
    device = Device.open(described(board="\x1b]0;x\x07" + "y" * 5000, extra={"\x1b[2J": ["\r\n"]}))
    assert device.build.board.startswith("\\x1b]0;x\\x07y")
    assert len(device.build.board) < 250
    assert device.description["extra"] == {"\\x1b[2J": ["\\r\\n"]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"board": 3}, "board in its description is 3 instead of a name"),
        ({"gateware": ["\x1b"]}, "gateware in its description"),
        ({"clock_hz": "fast"}, "clock_hz in its description is 'fast' instead of a frequency"),
        ({"clock_hz": -1}, "clock_hz in its description is -1"),
        ({"baud": True}, "baud in its description is True"),
        ({"spec": None}, "its description has no spec"),
        ({"spec": LAYERS.to_dict() | {"layers": ["x"] * 3}}, "must be an integer, not 'x'"),
        ({"spec": LAYERS.to_dict() | {"classes": 4}}, "fingerprint"),
    ],
)
def test_descriptions_that_no_device_has(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(NotADevice, match=f"^sim:: a device answers, .*{says}.*; build its gateware with this version$"):
        Device.open(described(**changes))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (zlib.compress(b"[" + b"0," * 20_000_000 + b"0]"), "unpacks to more than the 1,048,576 bytes"),
        (zlib.compress(b"[" * 100_000), "nested deeper"),
        (zlib.compress(b"[" + b"0," * 60_000 + b"0]"), "more than 50,000 values"),
        (zlib.compress(b"[]"), "is a list, not an object"),
        (zlib.compress(b"{}")[:-2], "cut off"),
        (b"text", "damaged"),
    ],
)
def test_descriptions_that_would_take_too_much(data: bytes, says: str) -> None:
    with pytest.raises(FrameError, match=says):
        decode_description(data)


@pytest.mark.parametrize("sizes", [(0, 2048), (2048, 0), (255, 2048)])
def test_identities_with_buffers_too_small_for_a_frame(sizes: tuple[int, int]) -> None:
    good = Identity(2, bytes(8), 1, 2048, 2048, 100, parameters_valid=True)
    assert Identity.unpack(good.pack()) == good
    receive, reply = sizes
    wrong = Identity(2, bytes(8), 1, receive, reply, 100, parameters_valid=True)
    with pytest.raises(FrameError, match="at least 256 are needed"):
        Identity.unpack(wrong.pack())
    board = GoldenBoard(LAYERS)
    with pytest.raises(NotADevice, match="not as this version expects: buffers have"):
        Device(
            LinkClient(
                Answering(board, Command.IDENTIFY, lambda data: wrong.pack()[:9] + data[9:11] + wrong.pack()[11:])
            )
        )
