"""Inputs of calls as requests: only the words that change, without unused bits, several calls in a frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from attractor.host import memory
from attractor.host.flight import Answer, Ask
from attractor.spec import PAYLOAD_BYTES, MemoryMap, Region, SpecError, Window
from attractor.spec.packing import pack_words, packed_bytes
from attractor.spec.protocol import CallHeader, Command

__all__ = ["CallWriter", "Pace"]

#: Bytes of packed inputs that a frame holds.
_ROOM = PAYLOAD_BYTES - CallHeader.STRUCT.size
#: Most bytes of results of one frame, if it makes several calls: some frames' results fit the reply buffer.
_RESULT_BYTES = 2 * PAYLOAD_BYTES
#: Longest time in seconds that the calls of one frame should take, so that an end of all is never far away.
_FRAME_SECONDS = 0.1
#: Most calls of a frame that is sent before it is known how long they take.
_UNMEASURED_CALLS = 4
#: Widest word of which a frame says how wide it is; wider ones come as they are.
_MOST_BITS = 255

Words = npt.NDArray[np.uint8]


class Pace:
    """How many calls go into a frame: one, and twice as many in each that follows, up to a tenth of a second's.

    How long calls take is measured from sending a frame to its answer, so it errs to fewer calls. Before the first
    answer there are few.
    """

    def __init__(self) -> None:
        #: Calls of the next frame.
        self.calls = 1
        self._most = _UNMEASURED_CALLS

    def filled(self) -> None:
        """Let the next frame have more calls than the one that was made."""
        self.calls = min(2 * self.calls, self._most)

    def answered(self, answer: Answer) -> None:
        """Learn from an answer."""
        if answer.ask.calls:
            seconds = answer.seconds / answer.ask.calls
            self._most = _ROOM if seconds * _ROOM < _FRAME_SECONDS else max(1, int(_FRAME_SECONDS / seconds))
            self.calls = min(self.calls, self._most)


@dataclass(frozen=True)
class _Slice:
    """Words that every call of a frame brings along."""

    window: Window
    first: int
    words: int
    bits: int

    @property
    def size(self) -> int:
        """Bytes of these words in a frame."""
        return packed_bytes(self.words, self.bits)

    def packed(self, words: bytes) -> bytes:
        """Return some of these words as a frame carries them."""
        return pack_words(words, self.window.word_bytes, self.bits)

    def joined(self, other: _Slice) -> _Slice:
        """Return the least slice with these words and those of another; one of another window takes its place."""
        if other.window != self.window:
            return other
        first, end = min(self.first, other.first), max(self.first + self.words, other.first + other.words)
        return _Slice(self.window, first, end - first, max(self.bits, other.bits))


@dataclass
class _Frame:
    """Calls that are to go into one frame."""

    part: _Slice
    #: Words of each call, unpacked.
    calls: list[bytes] = field(default_factory=list)


class CallWriter:
    """Makes the requests of calls from whole input regions.

    It remembers what the device's inputs are, so that a call brings along only words that changed: constant ones are
    written once. Which words a call brings along is learnt from the calls themselves; a frame's calls bring the same
    ones, as wide as the greatest value among them needs.

    Parameters
    ----------
    memory_map:
        Windows of the network.

    Raises
    ------
    SpecError
        If the words of all input windows are wider than a call carries.
    """

    def __init__(self, memory_map: MemoryMap) -> None:
        self._memory_map = memory_map
        self._windows = memory_map.region(Region.INPUT)
        self._known: dict[str, Words] | None = None
        carried = next(filter(_is_carried, self._windows), None)
        if carried is None:
            raise SpecError(f"no input window has words of at most {8 * _ROOM} bits, so no frame carries a call")
        # Until a word has changed, any will do: a call brings along at least one.
        self._slice, self._changed = _Slice(carried, 0, 1, 1), False

    def asks(self, inputs: Iterable[bytes], want: int, seconds: float, pace: Pace) -> Iterator[Ask]:
        """Yield the requests of some calls.

        Parameters
        ----------
        inputs:
            Input regions.
        want:
            Bytes of results of each call, as in :class:`~attractor.spec.protocol.CallHeader`.
        seconds:
            Time limit of a call.
        pace:
            Says how many calls may go into a frame.
        """
        frame: _Frame | None = None
        for data in inputs:
            new = self._split(data)
            writes = self._prepare(new)
            if frame is not None and (writes or frame.part != self._slice or self._is_full(frame, want, pace)):
                yield from self._call(frame, want, seconds)
                pace.filled()
                frame = None
            yield from writes
            if frame is None:
                frame = _Frame(self._slice)
            part = self._slice
            words = new[part.window.name][part.first : part.first + part.words]
            frame.calls.append(words.tobytes())
            self._known = new
        if frame is not None:
            yield from self._call(frame, want, seconds)

    def _split(self, data: bytes) -> dict[str, Words]:
        contents = self._memory_map.split(Region.INPUT, data)
        return {
            window.name: np.frombuffer(contents[window.name], np.uint8).reshape(window.words, window.word_bytes)
            for window in self._windows
        }

    def _prepare(self, new: dict[str, Words]) -> list[Ask]:
        """Choose the words that the next call brings along; return the requests that write all others."""
        if self._known is None:
            self._widen(new)
            pieces = [part for window in self._windows for part in memory.whole(self._memory_map, window).split()]
            return memory.write_asks(pieces, {name: words.tobytes() for name, words in new.items()})
        changed = []
        for window in self._windows:
            rows = np.flatnonzero((new[window.name] != self._known[window.name]).any(axis=1))
            if rows.size:
                changed.append((window, int(rows[0]), int(rows[-1])))
        carried = (change for change in changed if _is_carried(change[0]))
        main = max(carried, key=lambda change: (change[2] + 1 - change[1]) * change[0].word_bits, default=None)
        if main is not None:
            window, first, last = main
            part = _Slice(window, first, last + 1 - first, 1)
            self._slice = self._slice.joined(part) if self._changed else part
            self._changed = True
        self._widen(new)
        others = [change for change in changed if change is not main]
        return [ask for window, first, last in others for ask in self._writes(new, window, first, last)]

    def _widen(self, new: dict[str, Words]) -> None:
        """Make the slice as wide as the values in it."""
        part = self._slice
        every = np.bitwise_or.reduce(new[part.window.name][part.first : part.first + part.words], axis=0)
        bits = int.from_bytes(every.tobytes(), "little").bit_length()
        if bits > part.bits:
            self._slice = _Slice(
                part.window, part.first, part.words, bits if bits <= _MOST_BITS else part.window.word_bits
            )

    def _writes(self, new: dict[str, Words], window: Window, first: int, last: int) -> list[Ask]:
        whole = memory.whole(self._memory_map, window)
        piece = memory.Piece(whole.number, window, first, last + 1 - first)
        return memory.write_asks(piece.split(), {window.name: new[window.name].tobytes()})

    @staticmethod
    def _is_full(frame: _Frame, want: int, pace: Pace) -> bool:
        calls = len(frame.calls) + 1
        return calls > pace.calls or calls * frame.part.size > _ROOM or calls * want > _RESULT_BYTES

    def _call(self, frame: _Frame, want: int, seconds: float) -> Iterator[Ask]:
        """Yield the requests of one frame's calls; inputs that do not fit a frame take several."""
        part, first, left = frame.part, frame.part.first, frame.part.words
        window, number = part.window, self._memory_map.number(part.window.name)
        bits = part.bits if part.bits <= _MOST_BITS else 0
        most = 8 * _ROOM // part.bits
        *others, last = frame.calls
        while left > most:  # and there are no others
            words, last = last[: most * window.word_bytes], last[most * window.word_bytes :]
            yield Ask(Command.CALL, number, first, CallHeader(bits, most, 0).pack() + part.packed(words))
            first, left = first + most, left - most
        packed = b"".join(map(part.packed, (*others, last)))
        payload = CallHeader(bits, left, want).pack() + packed
        calls = len(frame.calls)
        limit = seconds * (calls if calls <= _UNMEASURED_CALLS else 1)  # more calls are known to be short
        yield Ask(Command.CALL, number, first, payload, calls * want, limit, calls)


def _is_carried(window: Window) -> bool:
    """Whether a call can bring along words of a window; others are written before."""
    return window.word_bits <= 8 * _ROOM
