"""The host's side of the wire protocol: requests in flight, what was lost sent again, and time limits.

Both directions are numbered (:mod:`attractor.spec.protocol`), so this side has one rule as well: it takes replies in
the order of their positions, and each belongs to the oldest request. When one is missing, or none comes, it asks by
SYNC for all bytes from there on; the answer also tells which request the device takes next, and whatever was sent
before and not taken is sent again from there on. That is a :class:`~attractor.host.session.Session`; here is how one
begins, how long answers are waited for, and how it ends.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress

from attractor.host.errors import DeviceError, LinkError, LinkTimeout, NotADevice, PortError
from attractor.host.flight import Answer, Ask
from attractor.host.line import LATENCY_SECONDS, SILENT_AT_RATE, TIMEOUT, Line
from attractor.host.port import Port
from attractor.host.replies import WIRE_BYTES, LinkStatistics
from attractor.host.session import SENDS, Session
from attractor.spec.protocol import (
    ATTENTION,
    DEFAULT_BAUD,
    NUMBERS,
    PROTOCOL_VERSION,
    Command,
    FrameError,
    Identity,
    Reply,
    Request,
    Status,
)

__all__ = [
    "CALL_SECONDS",
    "LATENCY_SECONDS",
    "SENDS",
    "SILENT_AT_RATE",
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
#: Times in a row that a device is asked without any answer before it counts as gone; each waits twice as long, up to
#: four times.
SILENT_REPEATS = 6
#: Seconds without any result after which calls are ended, where no other limit is given. A device answers nothing
#: while it is busy with a call, so one that has died looks just like one whose call is long, and is noticed only when
#: the limit is over: calls that were made before do not tell how long the next one is, which may depend on its inputs.
#: One that was reset is noticed when it is asked again, before the call has lasted twice as long as until then, and a
#: port that has gone at once.
CALL_SECONDS = 60.0
#: Numbers of sessions: from 1 on, as a device without a session says that it has number 0.
_SESSIONS = NUMBERS - 1


class LinkClient(Line):
    """Exchanges requests for answers through a port. Not safe for use by several threads.

    Parameters
    ----------
    port:
        The byte stream; the client reads all that arrives there.
    baud:
        Bits each second on the line; it sizes the window of frames in flight and the time limits.
    timeout:
        Seconds without an answer after which the device is asked what it has.
    clock:
        Time in seconds; a port with a time of its own gives its own.
    session:
        Number of the first session, 1 to 65535; None for a random one, so that nothing of an earlier connection is
        taken for ours.
    """

    def __init__(
        self,
        port: Port,
        *,
        baud: int = DEFAULT_BAUD,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        session: int | None = None,
    ) -> None:
        super().__init__(port, baud=baud, timeout=timeout, clock=clock)
        #: Sessions that began: in a new one, the device may hold other things than were sent in the one before.
        self.sessions = 0
        #: Calls that were on their way when an error ended the last stream: each was made or not.
        self.unanswered_calls = 0
        self._random = random.SystemRandom() if session is None else random.Random(session)
        self._number = self._random.randrange(1, NUMBERS) if session is None else session
        self._session = Session(self, self._number)

    # Sessions

    def begin(self) -> Identity:
        """Begin a session: whatever is under way ends, and numbers start anew.

        Raises
        ------
        LinkTimeout
            If nothing answers.
        FrameError
            If what answers is no identity.
        """
        if self.statistics.sent:  # another number than the last, or the device would go on with that session
            self._number = 1 + (self._number - 1 + self._random.randrange(1, _SESSIONS)) % _SESSIONS
        self.replies.forget()
        self.port.write(ATTENTION)
        identity, reply = self._identify()
        self.sessions += 1
        self._session = Session(self, self._number, reply.end, identity.reply_buffer)
        self.fit_buffer(identity.receive_buffer)
        return identity

    def settle(self) -> None:
        """Begin a session if an error ended what was before; errors as of :meth:`begin`."""
        if len(self._session.flight):
            self.begin()

    def _identify(self) -> tuple[Identity, Reply]:
        """Ask who the device is until it answers; all other replies are dropped."""
        request = Request(self._number, Command.IDENTIFY)
        for silent in range(SILENT_REPEATS + 1):
            self.doubt(silent)
            self.write([request.encode()], int(silent > 0))
            reply = self._identity_reply(self.timeout * min(1 << silent, 4))
            if reply is not None and reply.payload and reply.payload[0] != PROTOCOL_VERSION:
                raise NotADevice(
                    f"{self.port.name}: the device speaks protocol version {reply.payload[0]}, this program "
                    f"{PROTOCOL_VERSION}; build its gateware with this version, or install the version that built it"
                )
            if reply is not None:
                return Identity.unpack(reply.payload), reply
        raise self._gone(Command.IDENTIFY)

    def _identity_reply(self, seconds: float) -> Reply | None:
        deadline = self.clock() + seconds
        while (reply := self.replies.read(self.port, deadline)) is not None:
            if reply.command == Command.IDENTIFY and reply.status == Status.OK and self._is_ours(reply):
                return reply
            self.statistics.stale += 1
        return None

    def _is_ours(self, reply: Reply) -> bool:
        """Whether an identity belongs to this session, or is one of another version, whose fields lie elsewhere."""
        return len(reply.payload) != Identity.STRUCT.size or Identity.unpack(reply.payload).session == self._number

    # Requests

    def ask(
        self, command: Command, window: int = 0, word: int = 0, payload: bytes = b"", reply_bytes: int = 0
    ) -> bytes:
        """Send one request and return its answer's payload, of at most ``reply_bytes``.

        Raises
        ------
        DeviceError
            If the device refuses it.
        LinkError
            If the device does not answer, or was reset.
        """
        (answer,) = self.stream([Ask(command, window, word, payload, reply_bytes)])
        return accept(answer).payload

    def tell(self, command: Command, payload: bytes = b"") -> None:
        """Send one request without waiting for its answer, as the last one before the port is closed."""
        if not len(self._session.flight):
            self._session.flight.add(Ask(command, payload=payload))
            self._session.send()

    def exchange(self, asks: Iterable[Ask], *, report: Progress | None = None) -> list[Answer]:
        """Send requests, and return their answers in the same order; errors as of :meth:`stream`."""
        asked = list(asks)
        answers = []
        for answer in self.stream(asked):
            answers.append(answer)
            if report is not None:
                report(len(answers), len(asked))
        return answers

    def stream(self, asks: Iterable[Ask]) -> Generator[Answer, None, None]:
        """Keep as many requests in flight as line and device take, and yield the answers in order.

        Each request is carried out exactly once, in order. If the caller stops, or an error ends it, what is under way
        is ended; requests whose answers did not come may have been carried out or not.

        Parameters
        ----------
        asks:
            Requests; taken when there is room for them, which is well before their answers come.

        Raises
        ------
        LinkTimeout
            If the device stops answering, or a call takes too long.
        SessionLost
            If the device was reset meanwhile, or another program talks to it.
        LinkError
            If other requests were made before all answers had come, which ended these.
        """
        self.settle()
        self.unanswered_calls = 0
        self.window.begin()
        source, session = iter(asks), self._session
        try:
            while self._fill(source, session):
                yield self._answer(session)
        except (LinkError, PortError):
            self.unanswered_calls = session.flight.calls
            raise
        except BaseException:  # also an interrupt by the keyboard, and a caller that stops
            if session is self._session and len(session.flight):
                with suppress(LinkError, PortError, FrameError):  # then the next stream ends what is under way
                    self.begin()
            raise

    def _fill(self, source: Iterator[Ask], session: Session) -> bool:
        """Send as many requests as may be in flight; return whether there are any."""
        self._check_own(session)
        session.send()
        while not session.flight.waits and (ask := next(source, None)) is not None:
            self._check_own(session)
            session.flight.add(ask)
            session.send()
        return len(session.flight) > 0

    def _check_own(self, session: Session) -> None:
        if session is not self._session:
            raise LinkError(
                f"{self.port.name}: other requests were made before the answers to these had come, which ended these; "
                "take all answers first"
            )

    # Waiting

    def _answer(self, session: Session) -> Answer:
        """Return the answer to the oldest request."""
        silent, waited, before = 0, 0.0, session.expected
        while True:
            ask = session.flight.oldest.ask
            wait = self._patience(ask, silent, waited)
            answer = self._take_until(session, wait)
            if answer is not None:
                return answer
            silent, waited = silent + 1, waited + wait
            if session.expected != before:
                silent, waited, before = 0, 0.0, session.expected
            elif ask.calls and waited >= ask.seconds:
                raise self._too_long(ask.seconds)
            elif not ask.calls and silent > SILENT_REPEATS:
                raise self._gone(ask.command)
            self.doubt(silent)
            session.sync()

    def _patience(self, ask: Ask, silent: int, waited: float) -> float:
        """Return the seconds to wait for an answer before the device is asked what it has.

        While a device is busy with a call it answers nothing, and what it is asked fills its receive buffer: so it is
        asked ever more rarely.
        """
        if ask.calls:
            return min(self.timeout * (1 << silent), max(ask.seconds - waited, self.timeout / 4))
        return self.timeout * min(1 << silent, 4) + ask.seconds

    def _take_until(self, session: Session, seconds: float) -> Answer | None:
        """Take replies until a request is answered; return None if nothing new comes for ``seconds``."""
        deadline = self.clock() + seconds
        while (reply := self.replies.read(self.port, deadline)) is not None:
            before = session.expected
            answer = session.take(reply)
            if answer is not None:
                return answer
            if session.expected != before:
                session.send()
                deadline = self.clock() + seconds
        return None

    # Ends

    def _too_long(self, seconds: float) -> LinkTimeout:
        self.begin()
        return LinkTimeout(
            f"{self.port.name}: the call gave no results within {seconds:g} s and was aborted; give it a longer "
            "time limit, or the network a shorter schedule"
        )

    def _gone(self, command: Command) -> LinkTimeout:
        return LinkTimeout(
            f"{self.port.name}: no answer to {command.name} after {SILENT_REPEATS} repeats; check power and cable, "
            "then open the device again"
        )


def accept(answer: Answer, *statuses: Status) -> Answer:
    """Return ``answer`` if it is OK or has one of ``statuses``; raise :class:`DeviceError` otherwise."""
    if answer.status not in (Status.OK, *statuses):
        raise DeviceError(answer.ask.command, answer.status)
    return answer
