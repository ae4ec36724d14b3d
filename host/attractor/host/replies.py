"""Replies out of the bytes that a port gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from attractor.host.port import Port
from attractor.spec.protocol import DELIMITER, FRAME_BYTES, FrameError, Reply

__all__ = ["WIRE_BYTES", "LinkStatistics", "ReplyReader"]

#: Longest frame on the wire, its delimiter included.
WIRE_BYTES = FRAME_BYTES + 2


@dataclass
class LinkStatistics:
    """What a client saw since it was made."""

    sent: int = 0
    repeated: int = 0
    received_bytes: int = 0
    #: Frames that were no reply.
    damaged: int = 0
    #: Replies that had been taken before, or that come after a missing one.
    stale: int = 0


class ReplyReader:
    """Cuts what arrives into frames, and drops and counts those that are no reply.

    Parameters
    ----------
    statistics:
        Where bytes and damaged frames are counted.
    clock:
        Time in seconds.
    """

    def __init__(self, statistics: LinkStatistics, clock: Callable[[], float]) -> None:
        self._statistics = statistics
        self._clock = clock
        self._partial = b""
        self._frames: deque[bytes] = deque()

    def forget(self) -> None:
        """Drop what has been read so far."""
        self._frames.clear()
        self._partial = b""

    def read(self, port: Port, deadline: float) -> Reply | None:
        """Return the next reply; None if none has come by ``deadline``, or none can come any more."""
        while True:
            while self._frames:
                try:
                    return Reply.decode(self._frames.popleft())
                except FrameError:
                    self._statistics.damaged += 1
            if not self._receive(port, deadline - self._clock()):
                return None

    def _receive(self, port: Port, seconds: float) -> bool:
        """Read from the port; return whether anything came."""
        data = port.read(seconds) if seconds > 0 else b""
        self._statistics.received_bytes += len(data)
        *frames, partial = (self._partial + data).split(DELIMITER)
        self._partial = partial[:WIRE_BYTES]  # enough to know that it is no frame
        self._frames.extend(frame for frame in frames if frame)
        return bool(data)
