"""The gateware and the golden model answer alike, whatever they are sent."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import pytest

from attractor.host import Device, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.golden_link import GoldenLink
from attractor.sim.rtl_board import RtlBoard
from attractor.sim.verilog_board import VerilogBoard
from attractor.spec import OscillatorSpec, Region
from attractor.spec.protocol import (
    DELIMITER,
    DESCRIPTION_WINDOW,
    NUMBERS,
    RECEIVE_BUFFER_BYTES,
    Buffers,
    CallHeader,
    Command,
    FrameError,
    Identity,
    Reply,
    Request,
    SessionState,
    Status,
)

from .requests import KINDS, MESSAGE_BYTES, PLAIN, SMALL, Traffic

pytestmark = pytest.mark.usefixtures("tools")

PATIENCE = 60.0
EXCHANGES = 250
#: Commands whose replies hold outputs.
ASKING = (Command.READ, Command.DIGEST, Command.CALL)


def receive(board: VerilogBoard | GoldenBoard) -> bytes:
    """Return all that a board answers."""
    data = b""
    while more := board.read(PATIENCE):
        data += more
    return data


def same_description(spec: OscillatorSpec, rtl: VerilogBoard) -> GoldenBoard:
    """Return a golden board with the description of ``rtl``, which names another kind of board."""
    rtl.write(Request(1, Command.IDENTIFY).encode())
    identity = Identity.unpack(Reply.decode(receive(rtl)[:-1]).payload)
    description, sequence = b"", 2
    while rest := identity.description_bytes - len(description):
        request = Request(sequence, Command.READ, DESCRIPTION_WINDOW, len(description), bytes([min(200, rest)]))
        rtl.write(request.encode())
        description += Reply.decode(receive(rtl)[:-1]).payload
        sequence += 1
    golden = GoldenBoard(spec)
    golden.link = GoldenLink(
        spec, description, golden._run, buffers=Buffers(identity.receive_buffer, identity.reply_buffer)
    )
    rtl.reset()
    return golden


class Stream:
    """What one board has sent: every byte has a position, and is the same byte when it is sent again."""

    def __init__(self) -> None:
        self._end = 0
        self._starting: dict[int, bytes] = {}
        self._ending: dict[int, bytes] = {}
        #: How often replies were sent again, whole or from somewhere within them.
        self.copies = self.fragments = 0

    def take(self, answer: bytes) -> list[Reply | int]:
        """Return the replies in ``answer``; of what is sent again from within a reply, the number of bytes."""
        *frames, rest = answer.split(DELIMITER)
        assert not rest, "a reply without its end"
        taken: list[Reply | int] = []
        fragment: bytes | None = None
        for frame in frames:
            try:
                reply = Reply.decode(frame)
            except FrameError:
                assert fragment is None, f"no reply, nor a part of one: {frame.hex(' ')}"
                fragment = frame
                taken.append(len(frame))
                continue
            if fragment is not None:
                assert self._ending[reply.position].endswith(fragment)
                self.fragments += 1
                fragment = None
            if reply.position == self._end:
                self._end = reply.end
                self._starting[reply.position] = self._ending[reply.end] = frame
            else:
                assert self._starting[reply.position] == frame
                self.copies += 1
            taken.append(reply)
        assert fragment is None, "what is sent again ends within a reply"
        return taken


class Unknown:
    """What the protocol leaves to the board, found from what the golden board answers.

    These are the clock cycles of the last call, and all outputs as long as there was none.
    """

    def __init__(self, spec: OscillatorSpec) -> None:
        self._memory_map = spec.memory_map
        nothing = {window.name: bytes(window.size) for window in spec.memory_map.region(Region.OUTPUT)}
        self._cycles = nothing | {"result": nothing["result"][4:] + 4 * b"\xff"}
        self._packed_cycles = spec.memory_map.packed(Region.OUTPUT, spec.memory_map.join(Region.OUTPUT, self._cycles))
        self._outputs = {name: b"\xff" * len(zeros) for name, zeros in nothing.items()}
        self._masks: dict[int, bytes] = {}

    def note(self, request: Request, replies: list[Reply]) -> None:
        """Keep which bits of all ``replies`` to ``request`` are unknown."""
        size = sum(len(reply.payload) for reply in replies)
        mask = self._mask(request, size)
        for reply in replies:
            self._masks[reply.position], mask = mask[: len(reply.payload)], mask[len(reply.payload) :]

    def _mask(self, request: Request, size: int) -> bytes:
        if not size:
            return b""
        if request.command == Command.CALL:
            self._outputs = self._cycles
            result = self._packed_cycles[: CallHeader.unpack(request.payload).want]
            return (result * size)[:size]
        windows = {self._memory_map.number(name): (name, mask) for name, mask in self._outputs.items()}
        if request.window not in windows:
            return bytes(size)
        name, mask = windows[request.window]
        size_of_word = self._memory_map[name].word_bytes
        asked = mask[request.word * size_of_word :][: int.from_bytes(request.payload, "little") * size_of_word]
        if request.command == Command.READ:
            return asked[:size]
        return (b"\xff" if any(asked) else b"\0") * size

    def blank(self, answers: list[Reply | int]) -> list[Reply | int]:
        """Return ``answers`` with zeros in place of what is unknown."""
        return [answer if isinstance(answer, int) else self._blanked(answer) for answer in answers]

    def _blanked(self, reply: Reply) -> Reply:
        mask = self._masks.get(reply.position, b"")
        if reply.command not in ASKING or len(mask) != len(reply.payload):
            return reply
        return dataclasses.replace(
            reply, payload=bytes(byte & ~hidden for byte, hidden in zip(reply.payload, mask, strict=True))
        )


class Pair:
    """Both boards of a spec, and one host that sends them the same."""

    def __init__(self, spec: OscillatorSpec, rtl: VerilogBoard, seed: int) -> None:
        self.rtl, self.golden = rtl, same_description(spec, rtl)
        self.traffic = Traffic(seed, self.golden.link)
        self.rtl_stream, self.golden_stream = Stream(), Stream()
        self._unknown = Unknown(spec)
        self._unfinished = b""
        self.seen: set[tuple[int, int]] = set()

    def exchange(self, most: int) -> None:
        """Send up to ``most`` messages in one go, and see that both answer alike."""
        sent, expected = b"", []
        for number in range(most):
            message = self.traffic.message(quiet=number == 0)
            sent += message
            expected += self._golden_answers(message)
            if len(sent) > RECEIVE_BUFFER_BYTES - MESSAGE_BYTES:
                break
        self.rtl.write(sent)
        found = self.rtl_stream.take(receive(self.rtl))
        assert self._unknown.blank(found) == self._unknown.blank(expected), sent.hex(" ")
        self.seen |= {(reply.command, reply.status) for reply in found if isinstance(reply, Reply)}

    def _golden_answers(self, message: bytes) -> list[Reply | int]:
        *frames, self._unfinished = (self._unfinished + message).split(DELIMITER)
        self.golden.write(message)
        answers = self.golden_stream.take(receive(self.golden))
        requests = [request for frame in frames if (request := _request(frame)) and request.command in ASKING]
        if requests:
            replies = [answer for answer in answers if isinstance(answer, Reply) and answer.command in ASKING]
            self._unknown.note(requests[0], replies)
        return answers


def _request(frame: bytes) -> Request | None:
    with contextlib.suppress(FrameError):
        return Request.decode(frame)
    return None


@pytest.mark.parametrize("spec", [SMALL, PLAIN], ids=["small", "plain"])
@pytest.mark.parametrize("seed", range(2))
def test_random_messages_get_equal_answers(spec: OscillatorSpec, seed: int) -> None:
    with RtlBoard(spec, seed=seed) as rtl:
        boards = Pair(spec, rtl, seed)
        for number in range(EXCHANGES):
            boards.exchange(1 + number % 4)
    # The traffic was worth it.
    assert {(command, Status.OK) for command in Command} - boards.seen == set()
    assert set(Status) - {status for _, status in boards.seen} == {Status.ABORTED}
    assert set(KINDS) == set(boards.traffic.drawn)
    assert boards.rtl_stream.copies > 10
    assert boards.rtl_stream.fragments > 10


def test_numbers_and_positions_begin_anew_alike() -> None:
    session, size, batch = NUMBERS - 8, 60, 8
    with RtlBoard(SMALL) as rtl:
        golden = same_description(SMALL, rtl)

        def both(data: bytes) -> bytes:
            golden.write(data)
            rtl.write(data)
            answer = receive(golden)
            assert receive(rtl) == answer
            return answer

        end = sent = len(both(Request(session, Command.IDENTIFY).encode()))
        number = session
        while sent == end:
            numbers = [(number + count) % NUMBERS for count in range(1, batch + 1)]
            reads = [Request(each, Command.READ, DESCRIPTION_WINDOW, 0, bytes([size])) for each in numbers]
            answer = both(b"".join(read.encode() for read in reads))
            assert len(answer) == batch * (size + Reply.OVERHEAD)
            number, sent = numbers[-1], sent + len(answer)
            end = Reply.decode(answer.split(DELIMITER)[-2]).end
        assert sent == end + NUMBERS
        assert number < session
        # Bytes from both sides of the end are sent again.
        again = both(Request(session, Command.SYNC, 0, NUMBERS - 500).encode())
        assert len(again) == 500 + end + SessionState.STRUCT.size + Reply.OVERHEAD
        state = Reply.decode(again.split(DELIMITER)[-2])
        assert state == Reply(end, Command.SYNC, Status.OK, SessionState(session, number + 1).pack())


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
            single = [dataclasses.replace(result, cycles=0, phases=None, spins=None) for result in (found, expected)]
            assert single[0] == single[1]
            assert found.phases.tolist() == expected.phases.tolist()
            assert found.spins.tolist() == expected.spins.tolist()
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
        {"weights": np.zeros((7, 11), int), "schedule": np.zeros((3, 6), int), "settle": np.array(0)},
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
