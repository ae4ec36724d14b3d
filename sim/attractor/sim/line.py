"""Models of the line between host and device, on a virtual clock: nothing here waits.

:class:`PacedLine` gives bytes the time that they take, :class:`FaultyLine` damages them. Both wrap a port that answers
at once, as :class:`~attractor.sim.golden_board.GoldenBoard` does, and are ports themselves.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from attractor.spec.protocol import RECEIVE_BUFFER_BYTES

__all__ = ["BITS_PER_BYTE", "Faults", "FaultyLine", "LinePort", "OutOfTime", "PacedLine", "VirtualClock"]

#: Bits on the line for each byte: start, eight data, stop.
BITS_PER_BYTE = 10


class LinePort(Protocol):
    """What is wrapped: as a host's port, but nothing arrives by waiting."""

    name: str

    def write(self, data: bytes) -> None:
        """Send ``data``."""
        ...

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have arrived."""
        ...

    def close(self) -> None:
        """Release the port."""
        ...


class OutOfTime(Exception):  # noqa: N818
    """A virtual clock has passed its limit: whoever waits does not give up."""


class VirtualClock:
    """Seconds that pass only when somebody says so.

    Parameters
    ----------
    limit:
        Time at which :class:`OutOfTime` is raised.
    """

    def __init__(self, limit: float = 3600.0) -> None:
        self.now = 0.0
        self._limit = limit

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    def advance_to(self, time: float) -> None:
        """Let time pass until ``time``; raise :class:`OutOfTime` past the limit."""
        self.now = max(self.now, time)
        if self.now > self._limit:
            raise OutOfTime(f"more than {self._limit:g} s have passed")


class PacedLine:
    """A serial line of a given speed whose replies arrive late, as through a USB converter with a latency timer.

    Parameters
    ----------
    port:
        The device.
    clock:
        Advanced by waiting for replies.
    baud:
        Bits each second, in both directions at once.
    latency:
        Seconds between the last bit of a reply and the host's seeing it.
    busy:
        Seconds for which a frame keeps the device busy once it has come and all before it are done; None for never.
    buffer:
        Bytes that the device takes in meanwhile, beside the frame that it has decoded already. A frame that does not
        fit is lost.
    """

    def __init__(
        self,
        port: LinePort,
        clock: VirtualClock,
        *,
        baud: int = 1_000_000,
        latency: float = 0.016,
        busy: Callable[[bytes], float] | None = None,
        buffer: int = RECEIVE_BUFFER_BYTES,
    ) -> None:
        self.name = port.name
        #: Seconds of one byte on the line.
        self.byte_seconds = BITS_PER_BYTE / baud
        #: Frames that were lost because the device was busy.
        self.overruns = 0
        self._port = port
        self._clock = clock
        self._latency = latency
        self._busy = busy
        self._buffer = buffer
        self._sent = 0.0  # when the last byte will have left the host
        self._free = 0.0  # when the device will have done all that it was sent
        self._waiting: deque[tuple[float, int]] = deque()  # when it will begin with a frame, and the frame's bytes
        self._answered = 0.0  # when the last byte will have left the device
        self._arriving: deque[tuple[float, bytes]] = deque()

    def write(self, data: bytes) -> None:
        """Put ``data`` on the line behind what is still being sent."""
        self._sent = max(self._sent, self._clock.now)
        for frame in _keep_delimiters(data):
            self._sent += len(frame) * self.byte_seconds
            if self._is_taken(frame):
                self._port.write(frame)
                answer = self._port.read(0.0)
                if answer:
                    self._answered = max(self._answered, self._free) + len(answer) * self.byte_seconds
                    self._arriving.append((self._answered + self._latency, answer))

    def _is_taken(self, frame: bytes) -> bool:
        """Whether a frame that comes now finds room; then the device does it as soon as all before it are done."""
        while self._waiting and self._waiting[0][0] <= self._sent:
            self._waiting.popleft()
        # The first that waits is in the decoder.
        buffered = sum(size for _, size in list(self._waiting)[1:])
        if buffered + len(frame) > self._buffer:
            self.overruns += 1
            return False
        start = max(self._sent, self._free)
        if start > self._sent:
            self._waiting.append((start, len(frame)))
        self._free = start + (self._busy(frame) if self._busy else 0.0)
        return True

    def read(self, timeout: float) -> bytes:
        """Let time pass until something arrives, at most ``timeout`` seconds, and return all that has."""
        end = self._clock.now + timeout
        self._clock.advance_to(min(end, self._arriving[0][0]) if self._arriving else end)
        data = b""
        while self._arriving and self._arriving[0][0] <= self._clock.now:
            data += self._arriving.popleft()[1]
        return data

    def close(self) -> None:
        """Close the wrapped port."""
        self._port.close()


@dataclass(frozen=True)
class Faults:
    """Probabilities of faults for each run of bytes, of 1 to ``run_bytes`` bytes, in either direction."""

    flip: float = 0.0
    drop: float = 0.0
    double: float = 0.0
    #: Arrive behind the next run, however late that comes.
    reorder: float = 0.0
    garbage: float = 0.0
    #: Nothing gets through in this direction any more.
    cut: float = 0.0
    #: The device is reset, only on the way to it.
    reset: float = 0.0
    run_bytes: int = 300


class FaultyLine:
    """A line on which bytes are lost, damaged, doubled, reordered and made up.

    Parameters
    ----------
    port:
        The line without faults.
    clock:
        The line's time.
    faults:
        How often what happens.
    seed:
        Equal seeds make equal faults of equal traffic.
    reset:
        Resets the device.
    """

    def __init__(
        self,
        port: LinePort,
        clock: VirtualClock,
        faults: Faults,
        seed: int,
        reset: Callable[[], None] | None = None,
    ) -> None:
        self.name = port.name
        self._port = port
        self._clock = clock
        source = random.Random(seed)
        #: How often each kind of fault has happened, by its name in :class:`Faults`.
        self.happened: Counter[str] = Counter()
        self._outward = _Disturbance(faults, source, self.happened, reset)
        self._inward = _Disturbance(faults, source, self.happened, None)

    @property
    def cut(self) -> bool:
        """Whether one direction is dead for good."""
        return self._outward.cut or self._inward.cut

    def write(self, data: bytes) -> None:
        """Send what the faults leave of ``data``."""
        for run in self._outward.disturb(data):
            self._port.write(run)

    def read(self, timeout: float) -> bytes:
        """Return what the faults leave of what arrives within ``timeout`` seconds."""
        end = self._clock() + timeout
        while True:
            data = self._port.read(max(0.0, end - self._clock()))
            if not data:
                return self._inward.late()
            disturbed = b"".join(self._inward.disturb(data))
            if disturbed:
                return disturbed

    def close(self) -> None:
        """Close the wrapped port."""
        self._port.close()


class _Disturbance:
    """Faults in one direction."""

    def __init__(
        self, faults: Faults, source: random.Random, happened: Counter[str], reset: Callable[[], None] | None
    ) -> None:
        self.cut = False
        self._happened = happened
        self._faults = faults
        self._random = source
        self._reset = reset
        self._held = b""

    def disturb(self, data: bytes) -> Iterator[bytes]:
        """Give one run after another of what arrives of ``data``, and of what was held back before."""
        start = 0
        while start < len(data) and not self.cut:
            end = start + self._random.randint(1, self._faults.run_bytes)
            run, start = self._damage(bytearray(data[start:end])), end
            if self._happens("reorder"):
                run, self._held = self._held, run
            else:
                run += self.late()
            if run and not self.cut:
                yield run

    def late(self) -> bytes:
        """Return what was held back."""
        held, self._held = self._held, b""
        return b"" if self.cut else held

    def _damage(self, run: bytearray) -> bytes:
        choose = self._random.randrange
        self.cut = self.cut or self._happens("cut")
        if self._reset is not None and self._happens("reset"):
            self._reset()
        if self._happens("flip"):
            run[choose(len(run))] ^= 1 << choose(8)
        if self._happens("drop"):
            start = choose(len(run))
            del run[start : start + choose(1, 9)]
        if self._happens("double"):
            start = choose(len(run) + 1)
            run[start:start] = run[max(0, start - choose(1, len(run) + 2)) : start]
        if self._happens("garbage"):
            start = choose(len(run) + 1)
            run[start:start] = self._random.randbytes(choose(1, 20))
        return bytes(run)

    def _happens(self, fault: str) -> bool:
        probability = getattr(self._faults, fault)
        happens = probability > 0 and self._random.random() < probability
        self._happened[fault] += happens
        return happens


def _keep_delimiters(data: bytes) -> list[bytes]:
    """Cut after each zero byte."""
    *frames, last = data.split(b"\0")
    pieces = [frame + b"\0" for frame in frames]
    return [*pieces, last] if last else pieces
