"""Requests that carry inputs: whatever changes from call to call, the core sees exactly the given inputs, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.host import LinkClient
from attractor.host.flight import Answer, Ask
from attractor.host.inputs import CallWriter, Pace
from attractor.host.link import accept
from attractor.spec import (
    PAYLOAD_BYTES,
    EqPropSpec,
    FelifLayer,
    FelifSpec,
    MemoryMap,
    OscillatorSpec,
    Region,
    Spec,
    SpecError,
    Window,
)
from attractor.spec.protocol import CRC32, CallHeader, Command, Status, crc32

from .lines import RecordingBoard, Shape

#: Results that every core of these tests has: the number of the call.
NUMBER = Window("number", Region.OUTPUT, 4, 8)
#: Bytes of a frame's payload that inputs may take.
ROOM = PAYLOAD_BYTES - CallHeader.STRUCT.size


def inputs_of(*windows: tuple[int, int]) -> Any:
    """Return a network with input windows of so many words and bits."""
    made = [Window(f"w{index}", Region.INPUT, words, bits) for index, (words, bits) in enumerate(windows)]
    return Shape(MemoryMap((Window("parameter", Region.PARAMETERS, 1, 8), *made, NUMBER)))


class Bench:
    """A loaded core that keeps what it sees, and all that was asked."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.board = RecordingBoard(spec)
        self.link = LinkClient(self.board, session=1)
        self.link.begin()
        parameters = bytes(spec.memory_map.size(Region.PARAMETERS))
        self.link.ask(Command.COMMIT, payload=CRC32.pack(crc32(parameters)), reply_bytes=4)
        self.writer = CallWriter(spec.memory_map)
        self.pace = Pace()
        self.asks: list[Ask] = []

    def run(self, inputs: Iterable[bytes], want: int = 4) -> list[bytes]:
        """Make calls; return their results."""
        results = []
        asks = list(self.writer.asks(inputs, want, 1.0, self.pace))
        self.asks += asks
        for answer in self.link.stream(asks):
            payload = accept(answer).payload
            results += [payload[start : start + want] for start in range(0, len(payload), want)]
        return results

    def bytes_sent(self) -> int:
        return sum(len(ask.payload) for ask in self.asks)


def valid(spec: Spec, data: bytes) -> bytes:
    """Return an input region with the bits that the windows keep."""
    memory_map = spec.memory_map
    return memory_map.unpacked(Region.INPUT, memory_map.packed(Region.INPUT, data))


EQPROP = EqPropSpec(layers=(21, 13, 7, 6), classes=3, state_high=4, counter_bits=3, lanes=5, learning=True)
FELIF = FelifSpec(inputs=70, input_bits=4, layers=(FelifLayer(neurons=3, kind="lif", scale_shift=0),), ticks=9)
SPECS: dict[str, Any] = {
    "oscillators": OscillatorSpec(oscillators=24, inputs=4, labels=3, lanes=7, schedule_entries=2, learning=True),
    "many oscillators": OscillatorSpec(oscillators=300, lanes=100, schedule_entries=1),
    "drawn starts": OscillatorSpec(oscillators=24, schedule_entries=2, random_start=True),
    "eqprop": EQPROP,
    "felif": FELIF,
    "one bit": inputs_of((1, 1)),
    "several windows": inputs_of((3, 5), (40, 9), (1, 300), (7, 1)),
    "wide words": inputs_of((3, 256), (2, 301)),
    "wide and many": inputs_of((9, 299)),
    "widest that a call carries": inputs_of((3, 8 * ROOM)),
    "wider than a call carries": inputs_of((2, 8 * PAYLOAD_BYTES), (3, 12)),
    "narrow and many": inputs_of((3000, 1)),
    "odd and many": inputs_of((2, 3), (200, 13)),
    "as wide as a frame says": inputs_of((5, 255)),
}


@st.composite
def changes(draw: st.DrawFn, spec: Spec) -> list[bytes]:
    """Return input regions of successive calls, of which few words change, or many, or none."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = spec.memory_map.size(Region.INPUT)
    current = np.zeros(size, np.uint8)
    found = []
    for kind in draw(
        st.lists(st.sampled_from(["same", "byte", "run", "all", "zero", "small"]), min_size=1, max_size=9)
    ):
        start = int(random.integers(size))
        end = {"byte": start + 1, "run": start + int(random.integers(1, 40)), "same": start}.get(kind, size)
        start = start if kind in ("byte", "run", "same") else 0
        high = {"zero": 1, "small": 3}.get(kind, 256)
        current = current.copy()
        current[start:end] = random.integers(0, high, len(current[start:end]))
        found.append(valid(spec, current.tobytes()))
    return found


@pytest.mark.parametrize("name", SPECS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_core_sees_the_given_inputs_in_order(name: str, data: st.DataObject) -> None:
    bench = Bench(SPECS[name])
    given: list[bytes] = []
    for _ in range(data.draw(st.integers(1, 3))):
        inputs = data.draw(changes(bench.spec))
        bench.pace.calls = data.draw(st.sampled_from([1, 2, 5, 100]))
        if data.draw(st.booleans()):
            bench.writer = CallWriter(bench.spec.memory_map)
        numbers = [int.from_bytes(result, "little") for result in bench.run(inputs)]
        assert numbers == list(range(len(given) + 1, len(given) + len(inputs) + 1))
        given += inputs
    assert bench.board.seen == given
    assert all(len(ask.payload) <= PAYLOAD_BYTES for ask in bench.asks)
    assert sum(ask.calls for ask in bench.asks) == len(given)


def test_what_the_random_sequences_draw() -> None:
    """They say something only if frames carry several calls, parts of one, and words of their own."""
    drawn: Counter[str] = Counter()
    random = np.random.default_rng(0)
    for spec in SPECS.values():
        bench = Bench(spec)
        bench.pace.calls = 100
        base = random.integers(0, 256, spec.memory_map.size(Region.INPUT), np.uint8)
        for _ in range(4):
            row = base.copy()
            row[-1] = random.integers(0, 256)
            bench.run([valid(spec, row.tobytes())] * 3)
            bench.run([valid(spec, random.bytes(len(base)))])
        for ask in bench.asks:
            drawn["several"] += ask.calls > 1
            drawn["parts"] += ask.command == Command.CALL and not ask.calls
            drawn["writes"] += ask.command == Command.WRITE
            drawn["unbounded"] += ask.command == Command.CALL and ask.payload[0] == 0
    assert min(drawn[kind] for kind in ("several", "parts", "writes", "unbounded")) > 3


def test_words_that_no_call_carries() -> None:
    with pytest.raises(SpecError, match="no input window has words of at most 1880 bits, so no frame carries a call"):
        CallWriter(inputs_of((2, 8 * ROOM + 1), (1, 1900)).memory_map)


def test_words_that_do_not_change_are_not_sent_again() -> None:
    spec = SPECS["many oscillators"]
    bench = Bench(spec)
    rows = np.zeros((100, spec.memory_map.size(Region.INPUT)), np.uint8)
    rows[:, 8:] = 3
    rows[:, 50] = np.arange(100) % 16
    bench.run([rows[0].tobytes(), rows[15].tobytes()])
    bench.asks.clear()
    bench.pace.calls = 100
    bench.run([row.tobytes() for row in rows])
    assert bench.board.seen[2:] == [row.tobytes() for row in rows]
    assert [(ask.command, ask.calls) for ask in bench.asks] == [(Command.CALL, 100)]
    assert bench.bytes_sent() == CallHeader.STRUCT.size + 100  # the one word that changes, a byte for each call


def test_phases_take_as_many_bits_as_they_have() -> None:
    spec = SPECS["many oscillators"]
    bench = Bench(spec)
    rng = np.random.default_rng(0)
    starts = [spec.encode_input(rng.integers(0, 16, 300), seed=5) for _ in range(20)]
    bench.run(starts[:2])
    bench.asks.clear()
    bench.run(starts[2:])
    assert bench.board.seen == starts
    assert {ask.command for ask in bench.asks} == {Command.CALL}
    assert bench.bytes_sent() <= 18 * (300 * spec.phase_bits // 8 + 2 * CallHeader.STRUCT.size)


def test_a_new_seed_for_each_call_is_a_write_of_its_own() -> None:
    spec = SPECS["oscillators"]
    bench = Bench(spec)
    rng = np.random.default_rng(0)
    starts = [spec.encode_input(rng.integers(0, 16, 24), seed=seed) for seed in range(1, 9)]
    bench.run(starts)
    assert bench.board.seen == starts
    assert sum(ask.command == Command.WRITE for ask in bench.asks) >= 7


@pytest.mark.parametrize("want", [1, 3, 4, 200])
def test_want_limits_the_results_and_not_the_calls(want: int) -> None:
    spec: Any = Shape(
        MemoryMap(
            (Window("parameter", Region.PARAMETERS, 1, 8), Window("w", Region.INPUT, 1, 8), wide := _outputs(200))
        )
    )
    bench = Bench(spec)
    bench.pace.answered(answered(1, 0.0))
    bench.pace.calls = 1000
    results = bench.run([bytes([value % 256]) for value in range(600)], want)
    assert results == [value.to_bytes(4, "little").ljust(wide.words, b"\0")[:want] for value in range(1, 601)]
    frames = [ask for ask in bench.asks if ask.calls]
    assert all(ask.reply_bytes == ask.calls * want <= 2 * PAYLOAD_BYTES for ask in frames)
    assert max(ask.calls for ask in frames) == min(ROOM, 2 * PAYLOAD_BYTES // want)


def _outputs(words: int) -> Window:
    return Window("number", Region.OUTPUT, words, 8)


def answered(calls: int, seconds: float) -> Answer:
    return Answer(Ask(Command.CALL, calls=calls), Status.OK, b"", seconds)


class Fixed(Pace):
    """As many calls in each frame."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.calls = calls

    def filled(self) -> None:
        pass


class TestPace:
    """How many calls go into a frame."""

    def test_it_begins_with_one_and_doubles(self) -> None:
        pace = Pace()
        found = []
        for _ in range(12):
            found.append(pace.calls)
            pace.filled()
            if len(found) == 5:
                pace.answered(answered(1, 0.0))
        assert found == [1, 2, 4, 4, 4, 4, 8, 16, 32, 64, 128, ROOM]

    def test_a_frame_takes_a_tenth_of_a_second(self) -> None:
        pace = Pace()
        pace.answered(answered(1, 0.005))
        for _ in range(10):
            pace.filled()
        assert pace.calls == 20
        pace.answered(answered(20, 0.0))
        pace.filled()
        assert pace.calls == 40

    def test_slow_calls_go_alone_again(self) -> None:
        pace = Pace()
        for _ in range(5):
            pace.filled()
        pace.answered(answered(10, 10.0))
        pace.filled()
        assert pace.calls == 1

    def test_what_makes_no_calls_says_nothing(self) -> None:
        pace = Pace()
        pace.answered(Answer(Ask(Command.WRITE), Status.OK, b"", 10.0))
        pace.answered(Answer(Ask(Command.CALL), Status.OK, b"", 0.0))
        assert pace.calls == 1

    def test_no_frame_holds_more_calls_than_it_says(self) -> None:
        bench = Bench(SPECS["one bit"])
        for calls in (1, 3, 7):
            bench.asks.clear()
            bench.pace = Fixed(calls)
            bench.run([bytes([value % 2]) for value in range(50)])
            assert max(ask.calls for ask in bench.asks) == calls
