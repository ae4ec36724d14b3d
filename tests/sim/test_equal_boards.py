"""The gateware and the golden model answer every byte alike."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import pytest

from attractor.sim.golden_board import GoldenBoard
from attractor.sim.golden_link import GoldenLink
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import OscillatorResult, OscillatorSpec, Region
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
CYCLES = range(OscillatorResult.STRUCT.size - 4, OscillatorResult.STRUCT.size)


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
