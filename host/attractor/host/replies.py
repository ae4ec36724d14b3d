"""Replies out of the bytes that a port gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from attractor.host.errors import LinkError
from attractor.host.port import Port
from attractor.spec import PAYLOAD_BYTES
from attractor.spec.protocol import DELIMITER, FRAME_BYTES, UNORDERED, FrameError, Reply, Status

__all__ = ["MOST_ANSWER_BYTES", "WIRE_BYTES", "LinkStatistics", "ReplyReader"]

#: Longest frame on the wire, its delimiter included.
WIRE_BYTES = FRAME_BYTES + 2
#: Most bytes of payload of one answer: a call wants so many at most.
MOST_ANSWER_BYTES = 255 * PAYLOAD_BYTES
#: Most replies in a row that are part of one answer, and that answer no numbered request.
_MOST_PARTS, _MOST_ASIDE = 2 * 255, 1000


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

    What waits for the end of an answer is limited: a device that never ends one ends in an error, and fills no memory.

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
        # Of the answer under way; and replies in a row to requests without a number.
        self._parts = self._bytes = self._aside = 0

    def forget(self) -> None:
        """Drop what has been read so far."""
        self._frames.clear()
        self._partial = b""
        self._parts = self._bytes = self._aside = 0

    def read(self, port: Port, deadline: float) -> Reply | None:
        """Return the next reply; None if none has come by ``deadline``, or none can come any more.

        Raises
        ------
        LinkError
            If a device sends no end of an answer, or nothing but answers to what needs few.
        """
        while True:
            while self._frames:
                try:
                    reply = Reply.decode(self._frames.popleft())
                except FrameError:
                    self._statistics.damaged += 1
                else:
                    self._count(reply, port.name)
                    return reply
            if not self._receive(port, deadline - self._clock()):
                return None

    def _count(self, reply: Reply, name: str) -> None:
        more = reply.status == Status.MORE
        self._parts, self._bytes = (self._parts + 1, self._bytes + len(reply.payload)) if more else (0, 0)
        self._aside = self._aside + 1 if reply.command in UNORDERED else 0
        if self._parts > _MOST_PARTS or self._bytes > MOST_ANSWER_BYTES or self._aside > _MOST_ASIDE:
            raise LinkError(
                f"{name}: the device sends {self._parts or self._aside} replies to one request and no end of them; "
                "reset it, or build its gateware with this version"
            )

    def _receive(self, port: Port, seconds: float) -> bool:
        """Read from the port; return whether anything came."""
        data = port.read(seconds) if seconds > 0 else b""
        self._statistics.received_bytes += len(data)
        *frames, partial = (self._partial + data).split(DELIMITER)
        self._partial = partial[:WIRE_BYTES]  # enough to know that it is no frame
        self._frames.extend(frame for frame in frames if frame)
        return bool(data)
