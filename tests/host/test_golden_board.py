"""The device's side of the protocol, frame by frame."""

from __future__ import annotations

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
    CRC32,
    FRAME_BYTES,
    PROTOCOL_VERSION,
    Command,
    Counters,
    Identity,
    Reply,
    Request,
    Status,
    crc32,
    decode_description,
)

Ask = Callable[..., Reply]


class Bench:
    """A board, asked one frame at a time."""

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        self.board = GoldenBoard(spec)
        self.sequence = 0

    def number(self, window: str) -> int:
        return self.spec.memory_map.number(window)

    def ask(self, command: int, window: int = 0, word: int = 0, payload: bytes = b"", *, again: bool = False) -> Reply:
        self.sequence += not again
        self.board.write(Request(self.sequence, command, window, word, payload).encode())
        frame = self.board.read(0.0)
        assert frame.count(0) == 1
        assert frame[-1] == 0
        reply = Reply.decode(frame[:-1])
        assert (reply.sequence, reply.command) == (self.sequence, command & 0x7F)
        return reply

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

    def call(self, inputs: bytes, *, again: bool = False) -> Reply:
        """Write all inputs but the last window, which goes along with the call."""
        parts = self.spec.memory_map.split(Region.INPUT, inputs)
        *others, last = parts
        if not again:
            for name in others:
                assert self.ask(Command.WRITE, self.number(name), payload=parts[name]).status == Status.OK
        payload = CRC32.pack(crc32(inputs)) + parts[last]
        return self.ask(Command.CALL, self.number(last), payload=payload, again=again)


@pytest.fixture
def bench(spec: OscillatorSpec) -> Bench:
    return Bench(spec)


@pytest.fixture
def loaded(bench: Bench, model: Model) -> Bench:
    bench.load(model)
    return bench


def test_identity_and_description(bench: Bench, model: Model) -> None:
    identity = Identity.unpack(bench.ask(Command.IDENTIFY).payload)
    assert identity.protocol == PROTOCOL_VERSION
    assert identity.fingerprint == bench.spec.fingerprint
    assert not identity.parameters_valid
    size = identity.description_bytes
    description = decode_description(bench.ask(Command.READ, 0, 0, bytes([size])).payload)
    assert description["spec"] == bench.spec.to_dict()
    assert (description["board"], description["clock_hz"]) == (BOARD_NAME, 0)
    bench.load(model)
    assert Identity.unpack(bench.ask(Command.IDENTIFY).payload).parameters_valid


def test_a_call_is_the_golden_model(loaded: Bench, model: Model) -> None:
    inputs = bytes(8) + bytes(range(16)) + bytes(8)
    expected = golden.network(loaded.spec, model.parameters).call(inputs)
    reply = loaded.call(inputs)
    assert (reply.status, reply.payload) == (Status.OK, expected)
    read = loaded.ask(Command.READ, loaded.number("phases"), payload=bytes([20]))
    assert read.payload == expected[-20:]


def test_outputs_are_cut_at_a_frame(random_model: Callable[..., Model]) -> None:
    spec = OscillatorSpec(oscillators=230, lanes=16, schedule_entries=1)
    model = random_model(spec, periods=1)
    bench = Bench(spec)
    bench.load(model)
    inputs = bytes(238)
    expected = golden.network(spec, model.parameters).call(inputs)
    assert len(expected) > 240
    assert bench.call(inputs).payload == expected[:240]


def test_refusals_in_order(bench: Bench) -> None:
    schedule, state, phases = (bench.number(name) for name in ("schedule", "state", "phases"))
    words, width = bench.spec.memory_map["weights.0"].words, bench.spec.memory_map["weights.0"].word_bytes
    weights, beyond = bench.number("weights.0"), bench.number("phases") + 1
    cases = [
        ((0, 9, 9, b"x"), Status.BAD_COMMAND),
        ((9, 0, 0, b""), Status.BAD_COMMAND),
        ((Command.IDENTIFY, 1, 0, b"x"), Status.BAD_ADDRESS),
        ((Command.IDENTIFY, 0, 1, b""), Status.BAD_ADDRESS),
        ((Command.IDENTIFY, 0, 0, b"x"), Status.BAD_LENGTH),
        ((Command.ABORT, 0, 1 << 20, b""), Status.BAD_ADDRESS),
        ((Command.ABORT, 0, 0, b"x"), Status.BAD_LENGTH),
        ((Command.COUNTERS, 255, 0, b""), Status.BAD_ADDRESS),
        ((Command.COUNTERS, 0, 0, bytes(4)), Status.BAD_LENGTH),
        ((Command.COMMIT, 1, 0, b""), Status.BAD_ADDRESS),
        ((Command.COMMIT, 0, 0, bytes(3)), Status.BAD_LENGTH),
        ((Command.READ, beyond, 0, b""), Status.BAD_ADDRESS),
        ((Command.READ, phases, 20, b""), Status.BAD_ADDRESS),
        ((Command.READ, phases, 0, b""), Status.BAD_LENGTH),
        ((Command.READ, phases, 0, bytes(2)), Status.BAD_LENGTH),
        ((Command.READ, phases, 19, bytes([2])), Status.BAD_ADDRESS),
        ((Command.READ, phases, 19, bytes([241])), Status.BAD_LENGTH),
        ((Command.READ, weights, 0, bytes([240 // width + 1])), Status.BAD_LENGTH),
        ((Command.READ, phases, 19, bytes([0])), Status.OK),
        ((Command.DIGEST, phases, 20, b""), Status.BAD_ADDRESS),
        ((Command.DIGEST, phases, 0, bytes(4)), Status.BAD_LENGTH),
        ((Command.DIGEST, phases, 0, bytes([21, 0, 0])), Status.BAD_ADDRESS),
        ((Command.DIGEST, phases, 19, bytes(3)), Status.OK),
        ((Command.WRITE, 0, 0, b"x"), Status.BAD_ADDRESS),
        ((Command.WRITE, phases, 0, b"x"), Status.BAD_ADDRESS),
        ((Command.WRITE, beyond, 0, b"x"), Status.BAD_ADDRESS),
        ((Command.WRITE, weights, words, bytes(width + 1)), Status.BAD_ADDRESS),
        ((Command.WRITE, weights, words - 1, bytes(width + 1)), Status.BAD_LENGTH),
        ((Command.WRITE, weights, words - 1, bytes(2 * width)), Status.BAD_ADDRESS),
        ((Command.WRITE, weights, words - 1, b""), Status.OK),
        ((Command.CALL, schedule, 0, bytes(4)), Status.BAD_ADDRESS),
        ((Command.CALL, phases, 0, bytes(4)), Status.BAD_ADDRESS),
        ((Command.CALL, state, 24, b""), Status.BAD_ADDRESS),
        ((Command.CALL, state, 0, bytes(3)), Status.BAD_LENGTH),
        ((Command.CALL, state, 23, bytes(6)), Status.BAD_ADDRESS),
        ((Command.CALL, state, 0, bytes(4)), Status.INVALID_PARAMETERS),
    ]
    for request, status in cases:
        reply = bench.ask(*request)
        assert reply.status == status, request
        assert not reply.payload or request[0] == Command.DIGEST
    assert Counters.unpack(bench.ask(Command.COUNTERS).payload) == Counters(len(cases) + 1, 0, 0)


def test_unused_bits_are_dropped(bench: Bench) -> None:
    window = bench.spec.memory_map["weights.0"]  # 7 lanes of 5 bits: 35 of 40
    bench.ask(Command.WRITE, bench.number("weights.0"), 1, b"\xff" * 10)
    word = ((1 << window.word_bits) - 1).to_bytes(window.word_bytes, "little")
    read = bench.ask(Command.READ, bench.number("weights.0"), 0, bytes([4]))
    assert read.payload == bytes(5) + word * 2 + bytes(5)
    digest = bench.ask(Command.DIGEST, bench.number("weights.0"), 1, (2).to_bytes(3, "little"))
    assert digest.payload == CRC32.pack(crc32(word * 2))


def test_any_write_to_parameters_makes_them_invalid(loaded: Bench) -> None:
    loaded.ask(Command.WRITE, loaded.number("state"), 0, b"\1")
    assert loaded.board.parameters_valid
    loaded.ask(Command.WRITE, loaded.number("settle"), 0, b"\2")  # refused: half a word
    assert loaded.board.parameters_valid
    loaded.ask(Command.WRITE, loaded.number("settle"), 0, b"\2\0")  # what is there already
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


def test_a_refused_call_writes_nothing_and_a_mismatch_keeps_its_words(bench: Bench, model: Model) -> None:
    assert bench.call(b"\3" * 32).status == Status.INVALID_PARAMETERS
    state = bench.spec.memory_map["state"]
    assert bench.board.link.contents(state) == bytes(24)
    bench.load(model)
    wrong = bench.ask(Command.CALL, bench.number("state"), 1, bytes(4) + b"\5\6")
    assert (wrong.status, wrong.payload) == (Status.INPUT_MISMATCH, b"")
    assert bench.board.link.contents(state) == b"\0\5\6" + bytes(21)


def test_the_last_call_is_not_run_again(loaded: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[bytes] = []
    run = golden.OscillatorNetwork.call

    def counted(self: golden.OscillatorNetwork, inputs: bytes) -> bytes:
        runs.append(inputs)
        return run(self, inputs)

    monkeypatch.setattr(golden.OscillatorNetwork, "call", counted)
    first = loaded.call(b"\1" * 32)
    again = loaded.call(b"\2" * 32, again=True)
    assert again == first
    assert runs == [b"\1" * 32]

    # What is asked in between changes nothing, a call that did not run neither; a refused copy is still refused.
    number = loaded.sequence
    assert loaded.ask(Command.CALL, loaded.number("state"), 0, bytes(4)).status == Status.INPUT_MISMATCH
    loaded.ask(Command.WRITE, loaded.number("settle"), 0, b"\0\0")
    loaded.sequence = number
    assert loaded.call(bytes(32), again=True) == first
    assert loaded.ask(Command.CALL, loaded.number("state"), 24, bytes(4), again=True).status == Status.BAD_ADDRESS
    assert len(runs) == 1

    loaded.ask(Command.IDENTIFY)
    loaded.sequence = number
    assert loaded.call(bytes(32), again=True).status == Status.INVALID_PARAMETERS


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
    assert Counters.unpack(loaded.ask(Command.COUNTERS).payload) == Counters(1, 0, 0)
    assert not loaded.board.parameters_valid
    assert loaded.board.parameter_windows() == loaded.spec.encode_parameters(model.parameters)
    assert loaded.call(bytes(32), again=True).status == Status.INVALID_PARAMETERS
    loaded.board.reset(power_cycle=True)
    assert not np.any([data.strip(b"\0") for data in loaded.board.parameter_windows().values()])


def test_damage_is_counted_and_not_answered(bench: Bench) -> None:
    good = Request(1, Command.COUNTERS).encode()
    flipped = bytearray(good)
    flipped[3] ^= 0x10
    longest = Request(2, Command.COUNTERS, payload=bytes(range(240))).encode()
    too_long = Request(3, Command.COUNTERS, payload=bytes(range(241))).encode()
    assert len(longest) == FRAME_BYTES + 2
    damaged = [bytes(flipped), good[1:], good[:-2] + b"\0", b"\1\0", b"\xff" * 1000 + b"\0", too_long]
    for frame in damaged:
        bench.board.write(b"\0\0" + frame)
        assert bench.board.read(1.0) == b""
    bench.board.write(longest)
    assert Reply.decode(bench.board.read(1.0)[:-1]).status == Status.BAD_LENGTH
    bench.board.write(good[:5])
    bench.board.write(good[5:])
    counters = Counters.unpack(Reply.decode(bench.board.read(1.0)[:-1]).payload)
    assert counters == Counters(frames=2, damaged=len(damaged), overruns=0)


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
    first = learner.call(inputs)
    weights = weights_read(learner)
    learner.sequence -= 1
    assert learner.call(inputs, again=True) == first
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
    stream = b"".join(pieces) + b"\0" + Request(5, Command.COUNTERS).encode()
    whole.write(stream)
    for start in range(0, len(stream), cuts):
        cut.write(stream[start : start + cuts])
    answer = whole.read(0.0)
    assert answer == cut.read(0.0)
    counters = Counters.unpack(Reply.decode(answer[:-1].split(b"\0")[-1]).payload)
    assert counters.frames + counters.damaged == sum(1 for frame in stream.split(b"\0") if frame)
