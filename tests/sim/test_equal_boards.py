"""The gateware and the golden model answer every byte alike."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from attractor.host import Device, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.golden_link import GoldenLink
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import OscillatorSpec, Region
from attractor.spec.protocol import (
    CRC32,
    DELIMITER,
    DESCRIPTION_WINDOW,
    RECEIVE_BUFFER_BYTES,
    Command,
    FrameError,
    Identity,
    Reply,
    Request,
    Status,
)

from .requests import MESSAGE_BYTES, PLAIN, SMALL, Traffic

pytestmark = pytest.mark.usefixtures("tools")

PATIENCE = 60.0
EXCHANGES = 250
#: Bytes of the window ``result`` that only hardware knows: the clock cycles of the last call.
CYCLES = range(SMALL.memory_map["result"].size - 4, SMALL.memory_map["result"].size)


def receive(board: RtlBoard | GoldenBoard) -> bytes:
    """Return all that a board answers."""
    data = b""
    while more := board.read(PATIENCE):
        data += more
    return data


def same_description(spec: OscillatorSpec, rtl: RtlBoard) -> GoldenBoard:
    """Return a golden board with the description of ``rtl``, which names another kind of board."""
    rtl.write(Request(1, Command.IDENTIFY).encode())
    size = Identity.unpack(Reply.decode(receive(rtl)[:-1]).payload).description_bytes
    description = b""
    while len(description) < size:
        count = bytes([min(200, size - len(description))])
        rtl.write(Request(2, Command.READ, DESCRIPTION_WINDOW, len(description), count).encode())
        description += Reply.decode(receive(rtl)[:-1]).payload
    golden = GoldenBoard(spec)
    golden.link = GoldenLink(spec, description, golden._run)
    rtl.reset()
    return golden


class Answers:
    """Decodes what a board answers, without what the protocol leaves to the board.

    That are the clock cycles of the last call, and everything about it as long as there was none.
    """

    def __init__(self, spec: OscillatorSpec) -> None:
        self._result = spec.memory_map.number("result")
        self._outputs = [spec.memory_map.number(window.name) for window in spec.memory_map.region(Region.OUTPUT)]
        self._called = False
        self._unfinished = b""

    def decode(self, message: bytes, answer: bytes) -> list[Reply]:
        """Return the replies in ``answer`` to ``message``."""
        *frames, self._unfinished = (self._unfinished + message).split(DELIMITER)
        requests = iter([request for frame in frames if (request := _request(frame))])
        replies = [Reply.decode(frame) for frame in answer.split(DELIMITER)[:-1]]
        blanked = [self._blank(_asking(reply, requests), reply) for reply in replies]
        # A repeated CALL is not answered on its own if it comes while the first still runs.
        return [reply for reply, _ in itertools.groupby(blanked)]

    def _blank(self, request: Request, reply: Reply) -> Reply:
        unknown = reply.status == Status.OK and self._is_unknown(request)
        self._called |= reply.command == Command.CALL and reply.status == Status.OK
        payload = bytearray(reply.payload)
        if unknown:
            start, count = (0, len(payload)) if request.command == Command.CALL else _words(request)
            places = CYCLES if self._called else range(start, start + count)
            if request.command == Command.DIGEST and range(max(start, places.start), min(start + count, places.stop)):
                payload = bytearray(CRC32.size)
            elif request.command != Command.DIGEST:
                for place in range(max(start, places.start), min(start + count, places.stop)):
                    payload[place - start] = 0
        return Reply(reply.sequence, reply.command, reply.status, bytes(payload))

    def _is_unknown(self, request: Request) -> bool:
        if request.command in (Command.READ, Command.DIGEST):
            return request.window == self._result or (not self._called and request.window in self._outputs)
        return request.command == Command.CALL


def _request(frame: bytes) -> Request | None:
    with contextlib.suppress(FrameError):
        return Request.decode(frame)
    return None


def _asking(reply: Reply, requests: Iterator[Request]) -> Request:
    """Return the next of ``requests`` that ``reply`` can belong to."""
    return next(
        request for request in requests if (request.sequence, request.command & 0x7F) == (reply.sequence, reply.command)
    )


def _words(request: Request) -> tuple[int, int]:
    return request.word, int.from_bytes(request.payload, "little")


def exchange(traffic: Traffic, golden: GoldenBoard, rtl: RtlBoard, most: int) -> tuple[bytes, bytes, bytes]:
    """Send up to ``most`` messages in one go; return them and the answers of both boards."""
    sent = expected = b""
    for _ in range(most):
        message = traffic.message()
        sent += message
        golden.write(message)
        expected += receive(golden)
        # What follows a call may come while it runs, and then the device may tell.
        if traffic.calls or len(sent) > RECEIVE_BUFFER_BYTES - MESSAGE_BYTES:
            break
    rtl.write(sent)
    return sent, expected, receive(rtl)


@pytest.mark.parametrize("spec", [SMALL, PLAIN], ids=["small", "plain"])
@pytest.mark.parametrize("seed", range(2))
def test_random_messages_get_equal_answers(spec: OscillatorSpec, seed: int) -> None:
    with RtlBoard(spec, seed=seed) as rtl:
        golden = same_description(spec, rtl)
        traffic = Traffic(seed, golden.link)
        answers = Answers(spec), Answers(spec)
        seen = set()
        for number in range(EXCHANGES):
            sent, *received = exchange(traffic, golden, rtl, 1 + number % 4)
            expected, found = (side.decode(sent, answer) for side, answer in zip(answers, received, strict=True))
            assert found == expected, f"exchange {number}: {sent.hex(' ')}"
            seen |= {(reply.command, reply.status) for reply in found}
        # The traffic was worth it.
        assert {(command, Status.OK) for command in Command} <= seen
        assert {status for _, status in seen} == set(Status) - {Status.ABORTED}


def test_learning_calls_change_the_same_weights() -> None:
    rng = np.random.default_rng(3)
    weights = rng.integers(SMALL.weight_low, SMALL.weight_high + 1, (SMALL.targets, SMALL.oscillators))
    model = Model(SMALL, {"weights": weights, "schedule": SMALL.schedule(3), "settle": np.array(1)})
    with Device.open(RtlBoard(SMALL)) as rtl, Device.open(GoldenBoard(SMALL)) as golden:
        rtl.load(model)
        golden.load(model)
        kept = weights
        for margin in (1, 40, SMALL.margin_high, 0, 1, 40, 40, 40, SMALL.margin_high, 0):
            phases = rng.integers(0, 2, SMALL.oscillators) * (SMALL.period // 2)
            clamp = rng.random(SMALL.oscillators) < 0.2
            inputs = SMALL.encode_input(phases, clamp, seed=5, margin=margin)
            expected, found = (SMALL.decode_output(device.call(inputs)) for device in (golden, rtl))
            assert dataclasses.replace(found, cycles=0, phases=None) == dataclasses.replace(expected, phases=None)
            assert found.phases.tolist() == expected.phases.tolist()
            after, learnt = golden.read_parameters()["weights"], rtl.read_parameters()["weights"]
            np.testing.assert_array_equal(learnt, after)
            assert (after != kept).any() <= (margin > 0)
            kept = after
        assert (kept != weights).any()
        assert rtl.holds(dataclasses.replace(model, parameters={**model.parameters, "weights": kept}))


def outcomes(inputs: bytes, weight: int) -> list[tuple[bool, list[list[int]]]]:
    """Call both boards with all weights equal; return whether a target learnt, and the weights, of each."""
    weights = np.full((SMALL.targets, SMALL.oscillators), weight)
    model = Model(SMALL, {"weights": weights, "schedule": SMALL.schedule(3), "settle": np.array(1)})
    result = []
    for board in (GoldenBoard(SMALL), RtlBoard(SMALL)):
        with Device.open(board) as device:
            device.load(model)
            reply = model.spec.decode_output(device.call(inputs))
            result.append((reply.settled, device.read_parameters()["weights"].tolist()))
    return result


def test_a_margin_above_the_largest_is_read_as_the_largest() -> None:
    contents = SMALL.memory_map.split(Region.INPUT, SMALL.encode_input(np.zeros(SMALL.oscillators, int), margin=1))
    contents["margin"] = ((1 << SMALL.sum_bits - 1) - 1).to_bytes(2, "little")
    golden, rtl = outcomes(SMALL.memory_map.join(Region.INPUT, contents), SMALL.weight_low)
    assert not golden[0]
    assert rtl == golden


def test_a_margin_written_after_a_call_does_not_change_its_result() -> None:
    model = Model(
        SMALL,
        {"weights": np.zeros((7, 11), int), "schedule": np.zeros((3, 5), int), "settle": np.array(0)},
    )
    margin, result = (SMALL.memory_map.number(name) for name in ("margin", "result"))
    replies = []
    for board in (GoldenBoard(SMALL), RtlBoard(SMALL)):
        with Device.open(board) as device:
            device.load(model)
            device.call(SMALL.encode_input(np.zeros(SMALL.oscillators, int)))
            device.link.ask(Command.WRITE, margin, 0, b"\1\0")
            replies.append(device.link.ask(Command.READ, result, 0, b"\1"))
    assert replies[0] == replies[1] == b"\0"
