"""Lines that lose, double, delay and damage frames: each call is run exactly once and in order, or it is told."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from attractor.host import HostError, LinkClient
from attractor.host.errors import LinkTimeout, SessionLost
from attractor.host.inputs import CallWriter, Pace
from attractor.host.link import accept
from attractor.sim.line import VirtualClock
from attractor.spec import MemoryMap, Region, Window
from attractor.spec.protocol import CRC32, Command, crc32

from .lines import RecordingBoard, Shape, frames_of

SPEC: Any = Shape(
    MemoryMap(
        (
            Window("parameter", Region.PARAMETERS, 2, 8),
            Window("a", Region.INPUT, 6, 12),
            Window("b", Region.INPUT, 2, 8),
            Window("result", Region.OUTPUT, 30, 8),
        )
    )
)
#: Most seconds that anything may take, by the virtual clock.
LIMIT = 300.0
FAULTS = ("lose", "double", "delay", "flip", "cut", "join")
#: What happened in all machines of one test.
happened: Counter[str] = Counter()


def outputs_of(number: int, inputs: bytes) -> bytes:
    """Return what a call answers: its number, and a sum of its inputs."""
    return number.to_bytes(4, "little") + (crc32(inputs).to_bytes(4, "little") * 7)[:26]


class Direction:
    """What happens to frames that go one way: the next ones have fates, and all others arrive."""

    def __init__(self, source: random.Random, reset: Callable[[], None]) -> None:
        self._reset = reset
        self.fates: deque[str] = deque()
        self._random = source
        self._late: list[tuple[int, bytes]] = []

    def arriving(self, frames: Iterable[bytes]) -> bytes:
        """Return what arrives, also of frames that were late."""
        found = b""
        for frame in frames:
            found += self._fate(frame, self.fates.popleft() if self.fates else "arrive")
            self._late = [(wait - 1, late) for wait, late in self._late]
            found += b"".join(late for wait, late in self._late if wait <= 0)
            self._late = [(wait, late) for wait, late in self._late if wait > 0]
        return found

    def _fate(self, frame: bytes, fate: str) -> bytes:
        happened[fate] += 1
        place = self._random.randrange(len(frame))
        match fate:
            case "lose":
                return b""
            case "double":
                self._late.append((self._random.randint(1, 12), frame))
                return frame
            case "delay":
                self._late.append((self._random.randint(2, 8), frame))
                return b""
            case "flip":
                return frame[:place] + bytes([frame[place] ^ 1 << self._random.randrange(8)]) + frame[place + 1 :]
            case "cut":
                return frame[:place] + frame[place + self._random.randint(1, 4) :]
            case "join":
                return frame[:-1]
            case "reset":
                self._reset()
        return frame


class BadLine:
    """A port on a virtual clock, whose two directions go wrong frame by frame."""

    name = "line"

    def __init__(self, board: RecordingBoard, clock: VirtualClock, seed: int) -> None:
        self.board, self.clock = board, clock
        source = random.Random(seed)
        self.outward, self.inward = (Direction(source, board.link.reset) for _ in range(2))

    def write(self, data: bytes) -> None:
        """Send what arrives of ``data``."""
        self.board.write(self.outward.arriving(frames_of(data)))

    def read(self, timeout: float) -> bytes:
        """Return what arrives of the answers; time passes if there are none."""
        data = self.inward.arriving(frames_of(self.board.read(0.0)))
        self.clock.advance_to(self.clock.now + (0.001 if data else timeout))
        return data

    def close(self) -> None:
        """Do nothing."""


fates = st.lists(st.sampled_from(("arrive", "arrive", *FAULTS)), min_size=5, max_size=25)


class Calls(RuleBasedStateMachine):
    """A host that makes calls, while its line goes wrong and its device is reset between them."""

    def __init__(self) -> None:
        super().__init__()
        self.board = RecordingBoard(SPEC, outputs_of)
        self.clock = VirtualClock()
        self.line = BadLine(self.board, self.clock, seed=0)
        self.link = LinkClient(self.line, clock=self.clock, session=11)
        self.started = False
        self.pace = Pace()
        self.value = 0

    def inputs(self, count: int, pattern: int) -> list[bytes]:
        found = []
        for _ in range(count):
            self.value += 1
            words = [self.value if index <= pattern else pattern for index in range(6)]
            data = b"".join((word % 4096).to_bytes(2, "little") for word in words)
            found.append(data + bytes([pattern, self.value // 7 % 256]))
        return found

    @rule(outward=fates, inward=fates, seed=st.integers(0, 2**16))
    def go_wrong(self, outward: list[str], inward: list[str], seed: int) -> None:
        self.line.outward._random.seed(seed)
        self.line.outward.fates.extend(outward)
        self.line.inward.fates.extend(inward)

    @rule(frame=st.integers(0, 30))
    def reset(self, frame: int) -> None:
        """Reset the device before a frame that is yet to come."""
        self.line.outward.fates.extend(["arrive"] * frame + ["reset"])

    @rule(count=st.integers(1, 40), pattern=st.integers(0, 5), calls=st.integers(1, 30), stop=st.integers(0, 60))
    def call(self, count: int, pattern: int, calls: int, stop: int) -> None:
        """Make calls; some callers stop before the last result."""
        before, deadline = len(self.board.seen), self.clock.now + LIMIT
        given, results = self.inputs(count, pattern), []
        self.pace.calls = calls
        stream = self.link.stream(CallWriter(SPEC.memory_map).asks(given, 30, 5.0, self.pace))
        refused = None
        try:
            if not self.started:
                self._start()
            for answer in stream:
                payload = accept(answer).payload
                results += [payload[start : start + 30] for start in range(0, len(payload), 30)]
                if len(results) > stop:
                    break
        except HostError as error:
            refused = error
            happened[type(error).__name__] += 1
            self.started = False
        finally:
            stream.close()
        assert self.clock.now < deadline
        ran = self.board.seen[before:]
        # What ran are the first ones of those given, each once and in order; results that came are of the first ones.
        assert ran == given[: len(ran)]
        assert results == [outputs_of(before + index + 1, data) for index, data in enumerate(given[: len(results)])]
        assert len(results) <= len(ran) <= count
        if refused is None and len(results) <= stop:
            assert len(results) == count
        if isinstance(refused, (LinkTimeout, SessionLost)):
            assert len(ran) <= len(results) + self.link.unanswered_calls
            happened["uncertain"] += len(ran) - len(results)
        happened["calls"] += len(ran)

    def _start(self) -> None:
        """Begin a session and make the parameters valid."""
        self.link.begin()
        self.link.ask(Command.COMMIT, payload=CRC32.pack(crc32(bytes(2))), reply_bytes=4)
        self.started = True

    @invariant()
    def nothing_runs_behind_our_back(self) -> None:
        """No frame of an earlier stream acts once it has ended."""
        seen = len(self.board.seen)
        self.board.read(0.0)
        assert len(self.board.seen) == seen


Calls.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_calls_run_exactly_once_and_results_are_theirs() -> None:
    happened.clear()
    Calls.TestCase("runTest").runTest()
    assert all(happened[fault] > 20 for fault in FAULTS), happened
    assert happened["calls"] > 500, happened
    assert happened["reset"] > 5, happened
    assert happened["uncertain"] > 5, happened
