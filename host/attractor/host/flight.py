"""Requests on their way: numbered, in order, as many as line, receive buffer and reply buffer take."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from attractor.spec import PAYLOAD_BYTES
from attractor.spec.protocol import NUMBERS, RECEIVE_BUFFER_BYTES, REPLY_BUFFER_BYTES, Command, Reply, Request, Status

__all__ = ["Answer", "Ask", "Flight", "Sent", "Window"]

#: Bytes of the reply buffer that stay free for replies which belong to no request.
_RESERVE = 64


@dataclass(frozen=True)
class Ask:
    """What is asked of a device.

    Parameters
    ----------
    command, window, word, payload:
        As in :class:`~attractor.spec.protocol.Request`.
    reply_bytes:
        Most bytes of payload that the answer has.
    seconds:
        Longest time that the device may need for it, without the line's; 0 if it never keeps the device busy.
    calls:
        Calls that a CALL makes.
    """

    command: Command
    window: int = 0
    word: int = 0
    payload: bytes = b""
    reply_bytes: int = 0
    seconds: float = 0.0
    calls: int = 0

    @property
    def line_bytes_of_reply(self) -> int:
        """Most bytes that its replies take on the line."""
        return self.reply_bytes + Reply.OVERHEAD * (1 + self.reply_bytes // PAYLOAD_BYTES)


@dataclass(frozen=True)
class Answer:
    """How a request ended, and what came back."""

    ask: Ask
    status: int
    payload: bytes
    #: Seconds from sending the request until its answer had come, by the client's clock.
    seconds: float = 0.0


@dataclass
class Sent:
    """A request with its number."""

    ask: Ask
    sequence: int
    #: Times that it was sent.
    sends: int = 0
    #: Number of its last sending among all that the client sent.
    stamp: int = 0
    #: Unanswered bytes ahead of it when it was sent last.
    ahead: int = 0
    #: When it was sent first.
    time: float = 0.0
    payload: bytes = b""
    frame: bytes = field(init=False)

    def __post_init__(self) -> None:
        ask = self.ask
        self.frame = Request(self.sequence, ask.command, ask.window, ask.word, ask.payload).encode()


class Window:
    """How many bytes may be unanswered: learnt from what gets lost.

    Requests that never keep a device busy fill the line from the start. Of calls there are at first as many bytes as
    the device takes in while it is busy; they double with each round trip, so that a device which is faster than the
    line soon gets all that the line holds. A slower one loses a request when its receive buffer is full. From then on
    bursts are avoided: after each loss, and in each batch, the window begins with the buffer and grows by a buffer with
    each round trip, up to half a buffer less than what was ahead of the last lost request, and slowly beyond.

    Parameters
    ----------
    most:
        Bytes that line and converters hold.
    buffer:
        Bytes that the device takes in while it is busy.
    """

    def __init__(self, most: int, buffer: int = RECEIVE_BUFFER_BYTES) -> None:
        self.most = max(most, buffer)
        self._buffer = buffer
        self._calls, self._others = float(buffer), float(self.most)
        # Bytes that were known to be too many; None while nothing was lost.
        self._too_many: float | None = None

    def bytes(self, *, calls: bool) -> int:
        """Return the bytes that may be unanswered now, if there are calls among them, or if there are none."""
        return int(self._calls if calls else self._others)

    def begin(self) -> None:
        """Begin a batch, with nothing unanswered."""
        if self._too_many is not None:
            self._calls = self._buffer

    def answered(self, count: int, *, calls: bool) -> None:
        """Grow, as a request of ``count`` bytes was answered."""
        if not calls:
            self._others = min(self._others + count * self._buffer / 4 / self._others, self.most)
        elif self._too_many is None:
            self._calls = min(self._calls + count, self.most)
        elif self._calls < self._too_many - self._buffer / 2:
            self._calls = min(self._calls + count * self._buffer / self._calls, self.most)
        else:
            self._calls = min(self._calls + count * self._buffer / 128 / self._calls, self.most)

    def lost(self, ahead: int | None) -> None:
        """Shrink, as a request was lost.

        Parameters
        ----------
        ahead:
            Unanswered bytes ahead of it when it was sent; None if it had been sent before.
        """
        if self._too_many is None:  # doubling comes in bursts, so the first loss says little
            self._too_many = float(self.most)
        elif ahead is not None:
            self._too_many = max(min(ahead, self._too_many * 15 / 16), 3 / 2 * self._buffer)
        self._calls = self._buffer
        self._others = max(self._others / 2, self._buffer)


class Flight:
    """Unanswered requests in the order of their numbers: first those that were sent, then those that have to be.

    Parameters
    ----------
    next_sequence:
        Number of the first request.
    reply_buffer:
        Bytes of replies that the device keeps.
    """

    def __init__(self, next_sequence: int, reply_buffer: int = REPLY_BUFFER_BYTES) -> None:
        self._next = next_sequence % NUMBERS
        self._reply_room = reply_buffer - _RESERVE
        self._sent: deque[Sent] = deque()
        self._to_send: deque[Sent] = deque()
        self._sent_bytes = self._reply_bytes = self._calls = 0

    def __len__(self) -> int:
        return len(self._sent) + len(self._to_send)

    @property
    def calls(self) -> int:
        """Calls in requests that were sent and are not answered: each was made or not."""
        return sum(sent.ask.calls for sent in (*self._sent, *self._to_send) if sent.sends)

    @property
    def waits(self) -> bool:
        """Whether a request has yet to be sent."""
        return bool(self._to_send)

    @property
    def oldest(self) -> Sent:
        """The request that is answered next."""
        return (self._sent or self._to_send)[0]

    def add(self, ask: Ask) -> None:
        """Number a request and put it behind all others."""
        self._to_send.append(Sent(ask, self._next))
        self._next = (self._next + 1) % NUMBERS

    def sendable(self, window: Window) -> Sent | None:
        """Return the next request that may be sent now, as one that was; None if there is none."""
        if not self._to_send:
            return None
        sent = self._to_send[0]
        reply = sent.ask.line_bytes_of_reply
        limit = window.bytes(calls=sent.ask.calls > 0 or self._calls > 0)
        if self._sent and (self._sent_bytes + len(sent.frame) > limit or self._reply_bytes + reply > self._reply_room):
            return None
        sent.ahead = self._sent_bytes
        self._sent.append(self._to_send.popleft())
        self._sent_bytes += len(sent.frame)
        self._reply_bytes += reply
        self._calls += sent.ask.calls
        return sent

    def replied(self, reply: Reply) -> Sent | None:
        """Take a reply to the oldest request; return that request if this was its last reply."""
        sent = self._sent[0]
        sent.payload += reply.payload
        if reply.status == Status.MORE:
            return None
        self._remove_sent(self._sent.popleft())
        return sent

    def missing(self, next_sequence: int) -> Sent | None:
        """Return the sent request that a device takes next, which all before have reached; None if it has all.

        Raises
        ------
        ValueError
            If the device's next number belongs to none of them: it is in another session.
        """
        place = (
            (next_sequence - self.oldest.sequence) % NUMBERS if len(self) else (next_sequence - self._next) % NUMBERS
        )
        if place > len(self):
            raise ValueError(f"the device takes number {next_sequence} next, which was never sent")
        return self._sent[place] if place < len(self._sent) else None

    def go_back(self, missing: Sent) -> None:
        """Have a request and all after it sent again."""
        while True:
            sent = self._sent.pop()
            self._remove_sent(sent)
            self._to_send.appendleft(sent)
            if sent is missing:
                return

    def _remove_sent(self, sent: Sent) -> None:
        self._sent_bytes -= len(sent.frame)
        self._reply_bytes -= sent.ask.line_bytes_of_reply
        self._calls -= sent.ask.calls
