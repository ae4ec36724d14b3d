"""The host's side of the wire protocol: frames in flight, repeats and time limits.

Requests are answered in order, so a reply tells that every request sent before its own, and still unanswered, was
lost: it is repeated at once. If nothing is answered for a while, only the oldest request is repeated, because its
reply tells about all others. So a busy device is never flooded, and a line with losses never waits without need.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from attractor.host.errors import DeviceError, LinkTimeout
from attractor.host.port import Port
from attractor.spec.protocol import (
    CRC32,
    DEFAULT_BAUD,
    DELIMITER,
    FRAME_BYTES,
    RECEIVE_BUFFER_BYTES,
    Command,
    FrameError,
    Reply,
    Request,
    Status,
)

__all__ = [
    "CALL_SECONDS",
    "LATENCY_SECONDS",
    "SENDS",
    "SEQUENCES",
    "SILENT_REPEATS",
    "TIMEOUT",
    "WIRE_BYTES",
    "LinkClient",
    "LinkStatistics",
    "Progress",
    "accept",
]

#: Called with the number of answered requests and that of all.
Progress = Callable[[int, int], None]
#: Longest frame on the wire, its delimiter included.
WIRE_BYTES = FRAME_BYTES + 2
#: Delay between a device's reply and the host's reading it that must not starve the line, in seconds. The latency
#: timer of common USB converters is 16 ms.
LATENCY_SECONDS = 0.04
#: Seconds without an answer after which a request is repeated.
TIMEOUT = 0.25
#: Repeats in a row without any answer before a device counts as gone; each waits twice as long, up to four times.
SILENT_REPEATS = 6
#: Most times that one request is sent while others are answered.
SENDS = 30
#: Sequence numbers before they start anew; many more than requests fit into a window.
SEQUENCES = 1 << 16
#: Time limit of a call in seconds.
CALL_SECONDS = 60.0


@dataclass
class LinkStatistics:
    """What a client saw since it was made."""

    sent: int = 0
    repeated: int = 0
    received_bytes: int = 0
    #: Frames that were no reply.
    damaged: int = 0
    #: Replies to no request under way: late, repeated, or for somebody else.
    stale: int = 0


@dataclass
class _Sent:
    request: Request
    index: int = 0
    frame: bytes = field(init=False)
    sends: int = 1

    def __post_init__(self) -> None:
        self.frame = self.request.encode()


class _Flight:
    """Requests under way, in the order of sending."""

    def __init__(self) -> None:
        self.sent: dict[int, _Sent] = {}
        self.bytes = 0

    def add(self, sent: _Sent) -> None:
        self.sent[sent.request.sequence] = sent
        self.bytes += len(sent.frame)

    def oldest(self) -> _Sent:
        return next(iter(self.sent.values()))

    def settle(self, sequence: int) -> tuple[_Sent, list[_Sent]]:
        """Take out the answered request; return it and those sent before it, which were lost."""
        lost = list(takewhile(lambda sent: sent.request.sequence != sequence, self.sent.values()))
        answered = self.sent.pop(sequence)
        self.bytes -= len(answered.frame)
        return answered, lost

    def send_again(self, sent: _Sent) -> None:
        """Put a request at the end of the order."""
        self.sent[sent.request.sequence] = self.sent.pop(sent.request.sequence)


class LinkClient:
    """Exchanges requests for replies through a port. Not safe for use by several threads.

    Parameters
    ----------
    port:
        The byte stream; the client reads all that arrives there.
    baud:
        Bits each second on the line; it sizes the window of frames in flight and the time limits.
    timeout:
        Seconds without an answer after which a request is repeated.
    clock:
        Time in seconds; a port with a time of its own gives its own.
    sequence:
        First sequence number; None for a random one, so that replies to an earlier connection are not taken for ours.
    """

    def __init__(
        self,
        port: Port,
        *,
        baud: int = DEFAULT_BAUD,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        sequence: int | None = None,
    ) -> None:
        self.port = port
        self.statistics = LinkStatistics()
        #: Bytes in flight of requests that never keep a device busy.
        self.window_bytes = max(8 * WIRE_BYTES, int(LATENCY_SECONDS * baud / 10))
        #: Bytes in flight of all others.
        self.busy_bytes = RECEIVE_BUFFER_BYTES
        self._timeout = timeout + 20 * WIRE_BYTES / baud
        self._clock = clock
        self._next = secrets.randbelow(SEQUENCES) if sequence is None else sequence
        self._last_call: int | None = None
        self._partial = b""
        self._frames: deque[bytes] = deque()

    def request(self, command: Command, window: int = 0, word: int = 0, payload: bytes = b"") -> Request:
        """Return a request with a sequence number of its own."""
        if command is Command.CALL and self._next == self._last_call:
            self._advance()  # all other numbers were used since: still never twice in a row
        request = Request(self._next, command, window, word, payload)
        if command is Command.CALL:
            self._last_call = self._next
        self._advance()
        return request

    def flush(self) -> None:
        """End whatever partial frame the device holds, and forget what has arrived so far."""
        self._frames.clear()
        self._partial = b""
        self.port.write(DELIMITER)

    def ask(self, command: Command, window: int = 0, word: int = 0, payload: bytes = b"") -> bytes:
        """Send one request and return its reply's payload.

        Raises
        ------
        DeviceError
            If the device refuses it.
        LinkTimeout
            If the device does not answer.
        """
        reply = self.exchange([self.request(command, window, word, payload)])[0]
        return accept(reply).payload

    def exchange(
        self,
        requests: Sequence[Request],
        *,
        in_flight: int | None = None,
        busy_seconds: float = 0.0,
        progress: Progress | None = None,
    ) -> list[Reply]:
        """Send requests that may be repeated freely, and return their replies in the same order.

        Parameters
        ----------
        requests:
            From :meth:`request`; no CALL.
        in_flight:
            Bytes that may be on their way unanswered; None for the device's receive buffer.
        busy_seconds:
            Longest time that a device may need before it answers, without the line's.
        progress:
            Called after each reply.

        Raises
        ------
        LinkTimeout
            If the device stops answering.
        """
        limit = self.busy_bytes if in_flight is None else in_flight
        waiting = deque(_Sent(request, index) for index, request in enumerate(requests))
        flight = _Flight()
        replies: dict[int, Reply] = {}  # by index: a long exchange uses a sequence number more than once
        silent = 0
        while waiting or flight.sent:
            self._fill(waiting, flight, limit)
            reply = self._receive(flight.sent, self._timeout * min(1 << silent, 4) + busy_seconds)
            if reply is None:
                silent += 1
                if silent > SILENT_REPEATS:
                    raise self._gone(flight.oldest().request)
                self._repeat(flight, [flight.oldest()])
                continue
            silent = 0
            answered, lost = flight.settle(reply.sequence)
            replies[answered.index] = reply
            self._repeat(flight, lost)
            if progress is not None:
                progress(len(replies), len(requests))
        return [replies[index] for index in range(len(requests))]

    def call(self, request: Request, *, ahead: Sequence[Request] = (), time_limit: float = CALL_SECONDS) -> Reply:
        """Send a CALL and return its reply, whatever its status but ABORTED.

        It is repeated without its input words, to spare the receive buffer of a device that is busy with it. If the
        first copy was lost, the inputs may then be found different, and the reply says so.

        Parameters
        ----------
        request:
            From :meth:`request`, with a window of the input region.
        ahead:
            Requests to send just before it; nobody waits for their replies.
        time_limit:
            Seconds after which the call is aborted.

        Raises
        ------
        LinkTimeout
            If there are no results within the time limit.
        """
        self._write([sent.encode() for sent in (*ahead, request)])
        again = Request(request.sequence, request.command, request.window, request.word, request.payload[: CRC32.size])
        wait, left = self._timeout, time_limit
        try:
            while left > 0:
                wait = min(wait, left)
                reply = self._receive({request.sequence: _Sent(request)}, wait)
                if reply is not None:
                    return self._not_aborted(reply, time_limit)
                left -= wait
                wait *= 2
                if left > 0:
                    self._write([again.encode()], repeats=True)
        except KeyboardInterrupt:
            self._write([self.request(Command.ABORT).encode()])
            raise
        return self._abort(request, time_limit)

    def close(self) -> None:
        """Close the port."""
        self.port.close()

    # Sending

    def _advance(self) -> None:
        self._next = (self._next + 1) % SEQUENCES

    def _fill(self, waiting: deque[_Sent], flight: _Flight, limit: int) -> None:
        """Send as many of the waiting requests as may be in flight; at least one if there is none."""
        frames = []
        while waiting and (not flight.sent or flight.bytes + len(waiting[0].frame) <= limit):
            sent = waiting.popleft()
            flight.add(sent)
            frames.append(sent.frame)
        self._write(frames)

    def _repeat(self, flight: _Flight, lost: Sequence[_Sent]) -> None:
        for sent in lost:
            if sent.sends == SENDS:
                raise LinkTimeout(
                    f"{self.port.name}: {_name(sent.request)} was sent {SENDS} times without an answer while others "
                    "were answered; the line is too noisy: use a shorter cable or a lower baud"
                )
            sent.sends += 1
            flight.send_again(sent)
        self._write([sent.frame for sent in lost], repeats=True)

    def _write(self, frames: Sequence[bytes], *, repeats: bool = False) -> None:
        """Write frames; a delimiter before repeats ends whatever partial frame the device holds."""
        if not frames:
            return
        self.port.write((DELIMITER if repeats else b"") + b"".join(frames))
        self.statistics.sent += len(frames)
        self.statistics.repeated += len(frames) if repeats else 0

    # Receiving

    def _receive(self, under_way: dict[int, _Sent], limit: float) -> Reply | None:
        """Return the next reply to a request under way; None if there is none within ``limit`` seconds."""
        deadline = self._clock() + limit
        while True:
            while self._frames:
                reply = self._match(self._frames.popleft(), under_way)
                if reply is not None:
                    return reply
            left = deadline - self._clock()
            data = self.port.read(left) if left > 0 else b""
            if not data:
                return None
            self.statistics.received_bytes += len(data)
            *frames, partial = (self._partial + data).split(DELIMITER)
            self._partial = partial[:WIRE_BYTES]  # enough to know that it is no frame
            self._frames.extend(frame for frame in frames if frame)

    def _match(self, frame: bytes, under_way: dict[int, _Sent]) -> Reply | None:
        try:
            reply = Reply.decode(frame)
        except FrameError:
            self.statistics.damaged += 1
            return None
        sent = under_way.get(reply.sequence)
        if sent is None or sent.request.command != reply.command:
            self.statistics.stale += 1
            return None
        return reply

    # Ends

    def _abort(self, call: Request, time_limit: float) -> Reply:
        """End a call that took too long; return its reply if it came to an end at that moment."""
        abort = self.request(Command.ABORT)
        under_way = {request.sequence: _Sent(request) for request in (call, abort)}
        for silent in range(SILENT_REPEATS):
            self._write([abort.encode()], repeats=True)
            reply = self._receive(under_way, self._timeout * min(1 << silent, 4))
            if reply is not None and reply.sequence == call.sequence:
                return self._not_aborted(reply, time_limit)
            if reply is not None:
                raise self._too_long(time_limit)
        raise self._gone(call)

    def _not_aborted(self, reply: Reply, time_limit: float) -> Reply:
        if reply.status == Status.ABORTED:
            raise self._too_long(time_limit)
        return reply

    def _too_long(self, time_limit: float) -> LinkTimeout:
        return LinkTimeout(
            f"{self.port.name}: the call gave no results within {time_limit:g} s and was aborted; give it a longer "
            "time limit, or the network a shorter schedule"
        )

    def _gone(self, request: Request) -> LinkTimeout:
        return LinkTimeout(
            f"{self.port.name}: no answer to {_name(request)} after {SILENT_REPEATS} repeats; check power and cable, "
            "then open the device again"
        )


def accept(reply: Reply, *statuses: Status) -> Reply:
    """Return ``reply`` if it is OK or has one of ``statuses``; raise :class:`DeviceError` otherwise."""
    if reply.status not in (Status.OK, *statuses):
        raise DeviceError(reply.command, reply.status)
    return reply


def _name(request: Request) -> str:
    return Command(request.command).name
