"""The device's side of the protocol, frame by frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor import golden
from attractor.host import Model
from attractor.sim.golden_board import BOARD_NAME, GoldenBoard
from attractor.spec import OscillatorSpec, Region
from attractor.spec.protocol import (
    ATTENTION,
    CRC32,
    FRAME_BYTES,
    LEAST_CYCLES_PER_BIT,
    NUMBERS,
    PROTOCOL_VERSION,
    RATE_CYCLES,
    RECEIVE_BUFFER_BYTES,
    REPLY_BUFFER_BYTES,
    CallHeader,
    Command,
    Counters,
    Identity,
    Reply,
    Request,
    SessionState,
    Status,
    crc32,
    decode_description,
)

SESSION = 65_533


class Bench:
    """A board, asked one frame at a time, which checks the positions of all that it answers."""

    def __init__(self, spec: OscillatorSpec, *, begun: bool = True) -> None:
        self.spec = spec
        self.board = GoldenBoard(spec)
        self.sequence = SESSION
        self.position = 0
        if begun:
            self.begin()

    def number(self, window: str) -> int:
        return self.spec.memory_map.number(window)

    def begin(self) -> Identity:
        """Begin the session anew."""
        self.sequence = SESSION
        (reply,) = self.send(Request(SESSION, Command.IDENTIFY))
        return Identity.unpack(reply.payload)

    def send(self, *requests: Request) -> list[Reply]:
        """Send requests as they are and return all replies."""
        self.board.write(b"".join(request.encode() for request in requests))
        replies = self.replies()
        for reply in replies:
            assert reply.position == self.position
            self.position = reply.end
        return replies

    def replies(self) -> list[Reply]:
        answer = self.board.read(0.0)
        assert not answer or answer[-1] == 0
        return [Reply.decode(frame) for frame in answer.split(b"\0")[:-1]]

    def next(self, command: int, window: int = 0, word: int = 0, payload: bytes = b"") -> Request:
        self.sequence = (self.sequence + 1) % NUMBERS
        return Request(self.sequence, command, window, word, payload)

    def ask(self, command: int, window: int = 0, word: int = 0, payload: bytes = b"") -> Reply:
        """Send the next request; return its reply, several as one."""
        replies = self.send(self.next(command, window, word, payload))
        assert {reply.command for reply in replies} == {command & 0x7F}
        assert all(reply.status == Status.MORE and len(reply.payload) == 240 for reply in replies[:-1])
        payload = b"".join(reply.payload for reply in replies)
        return Reply(replies[0].position, command, replies[-1].status, payload)

    def sync(self, position: int, session: int = SESSION) -> list[Reply]:
        """Ask for all bytes from a position on; their positions are for the caller to look at."""
        self.board.write(Request(session, Command.SYNC, 0, position).encode())
        replies = self.replies()
        self.position = replies[-1].end
        return replies

    def load(self, model: Model) -> None:
        contents = self.spec.encode_parameters(model.parameters)
        for window in self.spec.memory_map.region(Region.PARAMETERS):
            step = window.words_per_frame * window.word_bytes
            for start in range(0, window.size, step):
                data = contents[window.name][start : start + step]
                reply = self.ask(Command.WRITE, self.number(window.name), start // window.word_bytes, data)
                assert reply.status == Status.OK
        digest = CRC32.pack(crc32(self.spec.memory_map.join(Region.PARAMETERS, contents)))
        reply = self.ask(Command.COMMIT, payload=digest)
        assert (reply.status, reply.payload) == (Status.OK, digest)

    def call(self, inputs: bytes, want: int = 1000) -> Reply:
        """Write all inputs but the last window, which goes along with the call; return its outputs unpacked."""
        parts = self.spec.memory_map.split(Region.INPUT, inputs)
        *others, last = parts
        for name in others:
            assert self.ask(Command.WRITE, self.number(name), payload=parts[name]).status == Status.OK
        words = self.spec.memory_map[last].words
        reply = self.ask(Command.CALL, self.number(last), payload=CallHeader(0, words, want).pack() + parts[last])
        if reply.status != Status.OK or want < 1000:
            return reply
        return dataclasses.replace(reply, payload=self.spec.memory_map.unpacked(Region.OUTPUT, reply.payload))


@pytest.fixture
def bench(spec: OscillatorSpec) -> Bench:
    return Bench(spec)


@pytest.fixture
def loaded(bench: Bench, model: Model) -> Bench:
    bench.load(model)
    return bench


def test_identity_and_description(bench: Bench, model: Model) -> None:
    identity = bench.begin()
    assert (identity.session, identity.receive_buffer, identity.reply_buffer) == (
        SESSION,
        RECEIVE_BUFFER_BYTES,
        REPLY_BUFFER_BYTES,
    )
    assert identity.protocol == PROTOCOL_VERSION
    assert identity.fingerprint == bench.spec.fingerprint
    assert not identity.parameters_valid
    size = identity.description_bytes
    description = decode_description(bench.ask(Command.READ, 0, 0, bytes([size])).payload)
    assert description["spec"] == bench.spec.to_dict()
    assert (description["board"], description["clock_hz"]) == (BOARD_NAME, 0)
    bench.load(model)
    assert bench.begin().parameters_valid


def test_a_call_is_the_golden_model(loaded: Bench, model: Model) -> None:
    inputs = bytes(8) + bytes(range(16)) + bytes(8)
    expected = golden.network(loaded.spec, model.parameters).call(inputs)
    reply = loaded.call(inputs)
    assert (reply.status, reply.payload) == (Status.OK, expected)
    read = loaded.ask(Command.READ, loaded.number("phases"), payload=bytes([20]))
    assert read.payload == expected[-20:]


def test_results_of_several_calls_follow_one_another_through_full_frames(random_model: Callable[..., Model]) -> None:
    spec = OscillatorSpec(oscillators=120, lanes=16, schedule_entries=1)
    model = random_model(spec, periods=1)
    bench = Bench(spec)
    bench.load(model)
    network = golden.network(spec, model.parameters)
    starts = np.random.default_rng(0).integers(0, 16, (5, 3), np.uint8)
    rest = bytes(8) + b"\7" * 120
    assert bench.call(rest).payload == network.call(rest)
    # Words 10 to 12 change, of which four bits each are sent, in two bytes a call; all other words stay.
    packed = b"".join(int(a | b << 4 | c << 8).to_bytes(2, "little") for a, b, c in starts.tolist())
    inputs = [rest[:18] + start.tobytes() + rest[21:] for start in starts]
    expected = [spec.memory_map.packed(Region.OUTPUT, network.call(data)) for data in inputs]
    assert len(b"".join(expected)) > 240
    for want in (4, 25, len(expected[0]), 5000):
        reply = bench.ask(Command.CALL, bench.number("state"), 10, CallHeader(4, 3, want).pack() + packed)
        assert (reply.status, reply.payload) == (Status.OK, b"".join(outputs[:want] for outputs in expected))


def test_a_call_that_wants_nothing_writes_words_and_runs_nothing(bench: Bench) -> None:
    state = bench.spec.memory_map["state"]
    payload = CallHeader(3, 5, 0).pack() + int("0o54321", 8).to_bytes(2, "little")
    reply = bench.ask(Command.CALL, bench.number("state"), 2, payload)
    assert (reply.status, reply.payload) == (Status.OK, b"")  # also without valid parameters
    assert bench.board.link.contents(state) == bytes([0, 0, 1, 2, 3, 4, 5]) + bytes(17)
    bench.ask(Command.CALL, bench.number("state"), 3, CallHeader(1, 2, 0).pack() + b"\1")
    assert bench.board.link.contents(state) == bytes([0, 0, 1, 1, 0, 4, 5]) + bytes(17)


def test_refusals_in_order(bench: Bench) -> None:
    schedule, state, phases = (bench.number(name) for name in ("schedule", "state", "phases"))
    words, width = bench.spec.memory_map["weights.0"].words, bench.spec.memory_map["weights.0"].word_bytes
    weights, beyond = bench.number("weights.0"), bench.number("phases") + 1
    one = CallHeader(0, 1, 1).pack()
    cases = [
        ((0, 9, 9, b"x"), Status.BAD_COMMAND),
        ((10, 0, 0, b""), Status.BAD_COMMAND),
        ((Command.COUNTERS, 255, 0, b""), Status.BAD_ADDRESS),
        ((Command.COUNTERS, 0, 0, bytes(4)), Status.BAD_LENGTH),
        ((Command.BAUD, 1, 0, b""), Status.BAD_ADDRESS),
        ((Command.BAUD, 0, 0, bytes(2)), Status.BAD_LENGTH),
        ((Command.BAUD, 0, 0, bytes(3)), Status.BAD_LENGTH),
        ((Command.BAUD, 0, 0, (RATE_CYCLES // LEAST_CYCLES_PER_BIT + 1).to_bytes(3, "little")), Status.BAD_LENGTH),
        ((Command.BAUD, 0, 0, (RATE_CYCLES // LEAST_CYCLES_PER_BIT).to_bytes(3, "little")), Status.OK),
        ((Command.COMMIT, 1, 0, b""), Status.BAD_ADDRESS),
        ((Command.COMMIT, 0, 0, bytes(3)), Status.BAD_LENGTH),
        ((Command.READ, beyond, 0, b""), Status.BAD_ADDRESS),
        ((Command.READ, phases, 20, b""), Status.BAD_ADDRESS),
        ((Command.READ, phases, 0, b""), Status.BAD_LENGTH),
        ((Command.READ, phases, 0, bytes(2)), Status.BAD_LENGTH),
        ((Command.READ, phases, 19, bytes([2])), Status.BAD_ADDRESS),
        ((Command.READ, phases, 19, bytes([0])), Status.OK),
        ((Command.READ, weights, 0, bytes([240 // width + 1])), Status.BAD_LENGTH),
        ((Command.DIGEST, phases, 20, b""), Status.BAD_ADDRESS),
        ((Command.DIGEST, phases, 0, bytes(4)), Status.BAD_LENGTH),
        ((Command.DIGEST, phases, 0, bytes([21, 0, 0])), Status.BAD_ADDRESS),
        ((Command.DIGEST, phases, 19, bytes(3)), Status.OK),
        ((Command.WRITE, 0, 0, b"x"), Status.BAD_ADDRESS),
        ((Command.WRITE, phases, 0, b"x"), Status.BAD_ADDRESS),
        ((Command.WRITE, beyond, 0, b"x"), Status.BAD_ADDRESS),
        ((Command.WRITE, weights, words, bytes(width + 1)), Status.BAD_ADDRESS),
        ((Command.WRITE, weights, words - 1, bytes(width + 1)), Status.BAD_ADDRESS),
        ((Command.WRITE, weights, 0, bytes(width + 1)), Status.BAD_LENGTH),
        ((Command.WRITE, weights, words - 1, bytes(2 * width)), Status.BAD_ADDRESS),
        ((Command.WRITE, weights, words - 1, b""), Status.OK),
        ((Command.CALL, schedule, 0, one + b"x"), Status.BAD_ADDRESS),
        ((Command.CALL, phases, 0, one + b"x"), Status.BAD_ADDRESS),
        ((Command.CALL, state, 24, b""), Status.BAD_ADDRESS),
        ((Command.CALL, state, 0, one[:4]), Status.BAD_LENGTH),
        ((Command.CALL, state, 0, CallHeader(0, 0, 0).pack()), Status.BAD_LENGTH),
        ((Command.CALL, state, 0, CallHeader(9, 1, 0).pack()), Status.BAD_LENGTH),
        ((Command.CALL, state, 0, one), Status.INVALID_PARAMETERS),
        ((Command.CALL, state, 0, CallHeader(0, 1, 0).pack()), Status.OK),
        ((Command.CALL, state, 23, CallHeader(0, 2, 0).pack() + b"xy"), Status.BAD_ADDRESS),
        ((Command.CALL, state, 0, CallHeader(0, 3, 0).pack() + b"xyzx"), Status.BAD_LENGTH),
    ]
    for request, status in cases:
        reply = bench.ask(*request)
        assert reply.status == status, request
        assert not reply.payload or request[0] in (Command.READ, Command.DIGEST)
    assert Counters.unpack(bench.ask(Command.COUNTERS).payload) == Counters(len(cases) + 2, 0, 0)


def test_unused_bits_are_dropped(bench: Bench) -> None:
    window = bench.spec.memory_map["weights.0"]  # 7 lanes of 5 bits: 35 of 40
    bench.ask(Command.WRITE, bench.number("weights.0"), 1, b"\xff" * 10)
    word = ((1 << window.word_bits) - 1).to_bytes(window.word_bytes, "little")
    read = bench.ask(Command.READ, bench.number("weights.0"), 0, bytes([4]))
    assert read.payload == bytes(5) + word * 2 + bytes(5)
    digest = bench.ask(Command.DIGEST, bench.number("weights.0"), 1, (2).to_bytes(3, "little"))
    assert digest.payload == CRC32.pack(crc32(word * 2))


@pytest.mark.parametrize(
    ("data", "status"), [(b"\2\0", Status.OK), (b"", Status.OK), (b"\2", Status.BAD_LENGTH)], ids=["same", "no", "half"]
)
def test_any_write_to_parameters_makes_them_invalid(loaded: Bench, data: bytes, status: Status) -> None:
    loaded.ask(Command.WRITE, loaded.number("state"), 0, b"\1")
    assert loaded.board.parameters_valid
    assert loaded.ask(Command.WRITE, loaded.number("settle"), 1, b"\2\0").status == Status.BAD_ADDRESS
    assert loaded.board.parameters_valid
    assert loaded.ask(Command.WRITE, loaded.number("settle"), 0, data).status == status
    assert not loaded.board.parameters_valid
    assert loaded.call(bytes(32)).status == Status.INVALID_PARAMETERS


def test_a_failed_commit_makes_them_invalid(loaded: Bench) -> None:
    windows = loaded.board.parameter_windows()
    digest = CRC32.pack(crc32(loaded.spec.memory_map.join(Region.PARAMETERS, windows)))
    reply = loaded.ask(Command.COMMIT, payload=bytes(4))
    assert (reply.status, reply.payload) == (Status.COMMIT_MISMATCH, digest)
    assert not loaded.board.parameters_valid
    assert loaded.ask(Command.COMMIT, payload=digest).status == Status.OK
    assert loaded.board.parameters_valid


def test_a_refused_call_writes_nothing_and_one_cut_short_keeps_its_words(bench: Bench, model: Model) -> None:
    assert bench.call(b"\3" * 32).status == Status.INVALID_PARAMETERS
    state = bench.spec.memory_map["state"]
    assert bench.board.link.contents(state) == bytes(24)
    bench.load(model)
    wrong = bench.ask(Command.CALL, bench.number("state"), 1, CallHeader(8, 3, 4).pack() + b"\5\6")
    assert (wrong.status, wrong.payload) == (Status.BAD_LENGTH, b"")
    assert bench.board.link.contents(state) == b"\0\5\6" + bytes(21)


# The order of requests


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the inputs of all calls that are run from here on."""
    found: list[bytes] = []
    run = golden.OscillatorNetwork.call_until

    def counted(self: golden.OscillatorNetwork, inputs: bytes, stop: Callable[[], bool]) -> bytes:
        found.append(inputs)
        return run(self, inputs, stop)

    monkeypatch.setattr(golden.OscillatorNetwork, "call_until", counted)
    return found


def call_of(bench: Bench, value: int) -> Request:
    return bench.next(Command.CALL, bench.number("state"), 0, CallHeader(0, 1, 4).pack() + bytes([value]))


def test_a_copy_is_dropped_without_a_word(loaded: Bench, runs: list[bytes]) -> None:
    first, second = call_of(loaded, 1), call_of(loaded, 2)
    assert [reply.status for reply in loaded.send(first, first, second, first, second)] == [Status.OK, Status.OK]
    assert [inputs[8] for inputs in runs] == [1, 2]


def test_half_of_all_numbers_are_earlier(loaded: Bench) -> None:
    last = loaded.sequence
    for number in (last, last - 1, last - 300, last - 32_767):
        assert not loaded.send(Request(number % NUMBERS, Command.COUNTERS))
    (complaint,) = loaded.send(Request((last - 32_768) % NUMBERS, Command.COUNTERS))
    assert complaint.status == Status.OUT_OF_ORDER


def test_a_later_number_is_dropped_and_told_once(loaded: Bench, runs: list[bytes]) -> None:
    calls = [call_of(loaded, value) for value in range(4)]
    (complaint,) = loaded.send(*calls[1:])
    assert (complaint.command, complaint.status) == (Command.SYNC, Status.OUT_OF_ORDER)
    assert SessionState.unpack(complaint.payload) == SessionState(SESSION, calls[0].sequence)
    assert not runs
    answers = loaded.send(calls[0], calls[2], calls[3])
    assert [answer.status for answer in answers] == [Status.OK, Status.OUT_OF_ORDER]
    assert [answer.status for answer in loaded.send(*calls[1:])] == [Status.OK] * 3
    assert [inputs[8] for inputs in runs] == [0, 1, 2, 3]


def test_numbers_and_positions_wrap(bench: Bench) -> None:
    bench.board.link._replies.position = bench.position = NUMBERS - 40
    for _ in range(6):
        assert bench.ask(Command.COUNTERS).status == Status.OK
    assert (bench.sequence, bench.position) == (3, (NUMBERS - 40 + 6 * 22) % NUMBERS)
    again = bench.sync(NUMBERS - 18)
    assert [reply.position for reply in again] == [NUMBERS - 18, 4, 26, 48, 70, 92]


def test_sync_sends_again_and_then_answers(bench: Bench) -> None:
    start = bench.position
    first, second = (bench.ask(Command.READ, bench.number("phases"), word, bytes([9])) for word in (0, 9))
    *sent, state = bench.sync(start)
    assert sent == [first, second]
    assert (state.command, state.status, state.position) == (Command.SYNC, Status.OK, second.end)
    assert SessionState.unpack(state.payload) == SessionState(SESSION, (bench.sequence + 1) % NUMBERS)
    assert bench.sync(second.position)[:-1] == [second, state]
    assert [reply.status for reply in bench.sync(bench.position)] == [Status.OK]
    # A position in the middle of a frame is kept as well: its first bytes are then missing.
    bench.board.write(Request(SESSION, Command.SYNC, 0, (bench.position - 5) % NUMBERS).encode())
    tail = bench.board.read(0.0).split(b"\0")[0]
    assert tail == state.encode()[-5:-1] or len(tail) == 4


def test_what_is_no_longer_kept_or_not_yet_sent_is_lost(bench: Bench) -> None:
    for position in (bench.position + 1, bench.position + 30_000):
        (reply,) = bench.sync(position)
        assert (reply.status, SessionState.unpack(reply.payload).session) == (Status.LOST, SESSION)
    for _ in range(12):
        bench.ask(Command.READ, bench.number("state"), 0, bytes([24]))
    for _ in range(80):
        bench.ask(Command.COUNTERS)
    end = bench.position
    assert bench.sync((end - REPLY_BUFFER_BYTES - 1) % NUMBERS)[-1].status == Status.LOST
    bench.board.write(Request(SESSION, Command.SYNC, 0, (bench.position - REPLY_BUFFER_BYTES) % NUMBERS).encode())
    assert len(bench.board.read(0.0)) == REPLY_BUFFER_BYTES + Reply.OVERHEAD + SessionState.STRUCT.size


def test_sync_of_another_session_says_which_there_is(bench: Bench) -> None:
    (reply,) = bench.sync(0, session=5)
    assert reply.status == Status.NO_SESSION
    assert SessionState.unpack(reply.payload) == SessionState(SESSION, (SESSION + 1) % NUMBERS)
    assert bench.ask(Command.COUNTERS).status == Status.OK


def test_before_the_first_session_there_is_none(spec: OscillatorSpec) -> None:
    bench = Bench(spec, begun=False)
    (reply,) = bench.send(Request(1, Command.COUNTERS), Request(2, Command.COUNTERS), Request(0, Command.COUNTERS))
    assert (reply.command, reply.status) == (Command.SYNC, Status.NO_SESSION)
    assert SessionState.unpack(reply.payload) == SessionState(0, 0)
    assert [reply.status for reply in bench.sync(0, session=0)] == [Status.NO_SESSION]
    assert bench.begin().session == SESSION


def test_identify_that_repeats_the_number_only_answers(loaded: Bench, runs: list[bytes]) -> None:
    call = call_of(loaded, 1)
    loaded.send(call)
    assert [reply.command for reply in loaded.send(Request(SESSION, Command.IDENTIFY), call)] == [Command.IDENTIFY]
    loaded.sequence = call.sequence
    assert loaded.ask(Command.COUNTERS).status == Status.OK
    # Another number is another session: nothing of the old one acts, and parameters stay valid.
    loaded.send(Request(7, Command.IDENTIFY))
    assert not loaded.send(call)
    loaded.sequence = 7
    assert loaded.send(call_of(loaded, 2))[0].status == Status.OK
    assert [inputs[8] for inputs in runs] == [1, 2]


@pytest.mark.parametrize("wrong", [(1, 0, b""), (0, 1, b""), (0, 0, b"x")])
def test_a_refused_identify_begins_nothing(bench: Bench, wrong: tuple[int, int, bytes]) -> None:
    window, word, payload = wrong
    (reply,) = bench.send(Request(9, Command.IDENTIFY, window, word, payload))
    assert reply.status == (Status.BAD_LENGTH if payload else Status.BAD_ADDRESS)
    assert bench.ask(Command.COUNTERS).status == Status.OK


@pytest.mark.parametrize("end", [Command.SYNC, Command.IDENTIFY])
def test_after_the_attention_sign_frames_are_dropped(loaded: Bench, runs: list[bytes], end: Command) -> None:
    call = call_of(loaded, 1)
    loaded.board.write(ATTENTION[:6] + call.encode())  # with the delimiter before, seven zeros
    assert len(loaded.replies()) == 1
    later = call_of(loaded, 2)
    loaded.board.write(ATTENTION[:2])
    loaded.board.write(ATTENTION[3:] + later.encode() + later.encode())
    assert not loaded.replies()
    loaded.board.write(Request(SESSION, end, 0, 0).encode())
    assert len(loaded.replies()) > 0
    loaded.board.write(later.encode())
    assert len(loaded.replies()) == 1
    assert [inputs[8] for inputs in runs] == [1, 2]


# What cores read and learn


def test_parameters_out_of_range_are_read_as_the_nearest(bench: Bench, model: Model) -> None:
    windows = bench.spec.encode_parameters(model.parameters)
    schedule = bytearray(windows["schedule"])
    schedule[2:8] = b"\xff" * 6  # noise, max_step, lock and alternate of the first entry
    windows["schedule"] = bytes(schedule)
    for name, data in windows.items():
        step = bench.spec.memory_map[name].words_per_frame * bench.spec.memory_map[name].word_bytes
        for start in range(0, len(data), step):
            word = start // bench.spec.memory_map[name].word_bytes
            bench.ask(Command.WRITE, bench.number(name), word, data[start : start + step])
    bench.ask(Command.COMMIT, payload=CRC32.pack(crc32(bench.spec.memory_map.join(Region.PARAMETERS, windows))))
    inputs = bytes(8) + bytes(range(16)) + bytes(8)
    nearest = model.parameters["schedule"].copy()
    nearest[0, 1:] = bench.spec.largest_amplitude, bench.spec.period // 2, bench.spec.largest_amplitude, 1
    expected = golden.network(bench.spec, {**model.parameters, "schedule": nearest}).call(inputs)
    assert bench.call(inputs).payload == expected


def test_reset(loaded: Bench, model: Model) -> None:
    loaded.call(bytes(32))
    loaded.board.write(b"\1\2\3")
    loaded.board.reset()
    loaded.position = 0
    assert [reply.status for reply in loaded.send(loaded.next(Command.COUNTERS))] == [Status.NO_SESSION]
    assert loaded.begin().parameters_valid is False
    assert Counters.unpack(loaded.ask(Command.COUNTERS).payload) == Counters(3, 0, 0)
    assert loaded.board.parameter_windows() == loaded.spec.encode_parameters(model.parameters)
    assert loaded.call(bytes(32)).status == Status.INVALID_PARAMETERS
    loaded.board.reset(power_cycle=True)
    assert not np.any([data.strip(b"\0") for data in loaded.board.parameter_windows().values()])


def test_damage_is_counted_and_not_answered(bench: Bench) -> None:
    good = bench.next(Command.COUNTERS).encode()
    flipped = bytearray(good)
    flipped[3] ^= 0x10
    longest = Request(bench.sequence, Command.COUNTERS, payload=bytes(range(240))).encode()
    too_long = Request(bench.sequence, Command.COUNTERS, payload=bytes(range(241))).encode()
    assert len(longest) == FRAME_BYTES + 2
    damaged = [bytes(flipped), good[1:], good[:-2] + b"\0", b"\1\0", b"\xff" * 1000 + b"\0", too_long]
    for frame in damaged:
        bench.board.write(b"\0\0" + frame)
        assert bench.board.read(1.0) == b""
    bench.board.write(longest)
    assert Reply.decode(bench.board.read(1.0)[:-1]).status == Status.BAD_LENGTH
    good = bench.next(Command.COUNTERS).encode()
    bench.board.write(good[:5])
    bench.board.write(good[5:])
    counters = Counters.unpack(Reply.decode(bench.board.read(1.0)[:-1]).payload)
    assert counters == Counters(frames=3, damaged=len(damaged), overruns=0)


LEARNER = OscillatorSpec(
    oscillators=9, inputs=2, weight_bits=3, phase_bits=3, lanes=3, schedule_entries=1, learning=True
)


@pytest.fixture
def learner(random_model: Callable[..., Model]) -> Bench:
    bench = Bench(LEARNER)
    bench.load(random_model(LEARNER))
    return bench


def weights_read(bench: Bench) -> bytes:
    """Return the weights as READ returns them."""
    window = bench.spec.memory_map["weights.0"]
    reply = bench.ask(Command.READ, bench.number("weights.0"), payload=bytes([window.words]))
    assert reply.status == Status.OK
    return reply.payload


def test_a_learning_call_changes_the_weights_that_are_read(learner: Bench, random_model: Callable[..., Model]) -> None:
    network = golden.network(LEARNER, random_model(LEARNER).parameters)
    before = weights_read(learner)
    rng, kept = np.random.default_rng(4), False
    for margin in (LEARNER.margin_high, 1, 5, 5, 5, LEARNER.margin_high):
        inputs = LEARNER.encode_input(rng.integers(0, 2, 9) * 4, rng.random(9) < 0.2, margin=margin)
        reply = learner.call(inputs)
        assert (reply.status, reply.payload) == (Status.OK, network.call(inputs))
        expected = LEARNER.encode_parameters(network.parameters)
        assert weights_read(learner) == expected["weights.0"]
        # What is learnt stays valid; a digest is that of the new weights, and so is a commit.
        assert learner.board.parameters_valid
        digest = CRC32.pack(crc32(expected["weights.0"]))
        words = LEARNER.memory_map["weights.0"].words.to_bytes(3, "little")
        assert learner.ask(Command.DIGEST, learner.number("weights.0"), payload=words).payload == digest
        kept |= weights_read(learner) == before
    assert not kept
    digest = CRC32.pack(crc32(LEARNER.memory_map.join(Region.PARAMETERS, learner.board.parameter_windows())))
    assert learner.ask(Command.COMMIT, payload=digest).status == Status.OK
    # And the next run uses them.
    inputs = LEARNER.encode_input(rng.integers(0, 8, 9), seed=3)
    assert learner.call(inputs).payload == network.call(inputs)


def test_a_repeated_learning_call_learns_once(learner: Bench) -> None:
    inputs = LEARNER.encode_input(np.arange(9) % 2 * 4, margin=LEARNER.margin_high)
    start = learner.call(inputs).position
    weights = weights_read(learner)
    words = LEARNER.memory_map["state"].words
    call = Request(0, Command.CALL, learner.number("state"), 0, CallHeader(0, words, 4).pack() + inputs[-words:])
    for number in range(learner.sequence - 3, learner.sequence + 1):
        assert not learner.send(dataclasses.replace(call, sequence=number % NUMBERS))
    assert weights_read(learner) == weights
    again = learner.sync(start)[0]
    assert again.status == Status.OK
    assert weights_read(learner) == weights


def test_lanes_without_a_target_keep_what_was_written(learner: Bench) -> None:
    # Seven targets on three lanes: the last group has one, and its other lanes hold bits of nobody.
    window, number = LEARNER.memory_map["weights.0"], learner.number("weights.0")
    for source in range(9):
        assert learner.ask(Command.WRITE, number, 3 * source + 2, b"\x50\x01").status == Status.OK
    windows = learner.board.parameter_windows()
    digest = CRC32.pack(crc32(LEARNER.memory_map.join(Region.PARAMETERS, windows)))
    assert learner.ask(Command.COMMIT, payload=digest).status == Status.OK
    before = weights_read(learner)
    learner.call(LEARNER.encode_input(np.zeros(9, int), margin=LEARNER.margin_high))
    after = weights_read(learner)
    assert after != before
    for word in range(2, window.words, 3):
        old, new = (int.from_bytes(data[2 * word : 2 * word + 2], "little") for data in (before, after))
        assert old >> 3 == new >> 3 == 0x150 >> 3


def test_a_call_without_a_margin_keeps_the_weights(learner: Bench) -> None:
    before = weights_read(learner)
    learner.call(LEARNER.encode_input(np.arange(9) % 8))
    assert weights_read(learner) == before


@settings(max_examples=50)
@given(pieces=st.lists(st.binary(max_size=300), max_size=8), cuts=st.integers(1, 7))
def test_any_bytes_are_survived_and_pieces_do_not_matter(pieces: list[bytes], cuts: int) -> None:
    spec = OscillatorSpec(oscillators=3, schedule_entries=1)
    whole, cut = GoldenBoard(spec), GoldenBoard(spec)
    asked = Request(4, Command.IDENTIFY).encode() + Request(5, Command.COUNTERS).encode()
    stream = b"".join(pieces) + b"\0" + asked
    whole.write(stream)
    for start in range(0, len(stream), cuts):
        cut.write(stream[start : start + cuts])
    answer = whole.read(0.0)
    assert answer == cut.read(0.0)
    counters = Counters.unpack(Reply.decode(answer[:-1].split(b"\0")[-1]).payload)
    assert counters.frames + counters.damaged == sum(1 for frame in stream.split(b"\0") if frame)
