"""The host's side of the wire protocol: requests in flight, what was lost sent again, and time limits.

Both directions are numbered (:mod:`attractor.spec.protocol`), so this side has one rule as well: it takes replies in
the order of their positions, and each belongs to the oldest request. When one is missing, or none comes, it asks by
SYNC for all bytes from there on; the answer also tells which request the device takes next, and whatever was sent
before and not taken is sent again from there on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress

from attractor.host.errors import DeviceError, LinkError, LinkTimeout, NotADevice, PortError, SessionLost
from attractor.host.flight import Answer, Ask, Flight, Window
from attractor.host.port import Port
from attractor.host.replies import WIRE_BYTES, LinkStatistics, ReplyReader
from attractor.spec.protocol import (
    ATTENTION,
    DEFAULT_BAUD,
    DELIMITER,
    NUMBERS,
    PROTOCOL_VERSION,
    Command,
    FrameError,
    Identity,
    Reply,
    Request,
    SessionState,
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
#: Delay between a device's reply and the host's reading it that must not starve the line, in seconds. The latency
#: timer of common USB converters is 16 ms.
LATENCY_SECONDS = 0.04
#: Seconds without an answer after which the device is asked what it has.
TIMEOUT = 0.25
#: Times in a row that it is asked without any answer before it counts as gone; each waits twice as long, up to four
#: times.
SILENT_REPEATS = 6
#: Times in a row without any answer after which the rate of the line is in doubt.
SILENT_AT_RATE = 2
#: Most times that one request is sent while others are answered.
SENDS = 30
#: Seconds without any result after which calls are ended, where no other limit is given. A device answers nothing
#: while it is busy with a call, so one that has died looks just like one whose call is long, and is noticed only when
#: the limit is over: calls that were made before do not tell how long the next one is, which may depend on its inputs.
#: One that was reset is noticed when it is asked again, before the call has lasted twice as long as until then, and a
#: port that has gone at once.
CALL_SECONDS = 60.0
#: Numbers of sessions: from 1 on, as a device without a session says that it has number 0.
_SESSIONS = NUMBERS - 1


class LinkClient:
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
        self.port = port
        self.statistics = LinkStatistics()
        #: Sessions that began: in a new one, the device may hold other things than were sent in the one before.
        self.sessions = 0
        #: Calls that were on their way when an error ended the last stream: each was made or not.
        self.unanswered_calls = 0
        #: Rate at which the device starts, and that of the line now.
        self.start_baud = self.baud = baud
        self._patient_seconds = timeout
        self._size()
        #: Time in seconds.
        self.clock = clock
        self._random = random.SystemRandom() if session is None else random.Random(session)
        self._session = self._random.randrange(1, NUMBERS) if session is None else session
        self._expected = 0
        self._flight = Flight(0)
        # Number of everything sent so far; that of the last SYNC, and the position for which a later reply made us ask.
        self._stamp, self._sync_stamp, self._asked_for = 0, 0, -1
        # The request that the device missed, and said so: once for each.
        self._complaint = -1
        self._replies = ReplyReader(self.statistics, clock)

    def _size(self) -> None:
        """Fit windows and time limits to the rate of the line."""
        #: How many bytes may be unanswered.
        self.window = Window(max(8 * WIRE_BYTES, int(LATENCY_SECONDS * self.baud / 10)))
        #: Seconds without an answer after which the device is asked what it has.
        self.timeout = self._patient_seconds + 20 * WIRE_BYTES / self.baud

    def change_rate(self, baud: int) -> None:
        """Change this side's rate, where the port has one; :mod:`attractor.host.rate` agrees on it with the device."""
        change: Callable[[int], None] | None = getattr(self.port, "change_rate", None)
        if change is not None and baud != self.baud:
            change(baud)
            self.baud = baud
            self._size()

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
        if self._stamp:  # another number than the last, or the device would go on with that session
            self._session = 1 + (self._session - 1 + self._random.randrange(1, _SESSIONS)) % _SESSIONS
        self._replies.forget()
        self.port.write(ATTENTION)
        identity, reply = self._identify()
        self.sessions += 1
        self._expected = reply.end
        self._flight = Flight(self._session + 1, identity.reply_buffer)
        self._asked_for = self._complaint = -1
        return identity

    def settle(self) -> None:
        """Begin a session if an error ended what was before; errors as of :meth:`begin`."""
        if len(self._flight):
            self.begin()

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
        if not len(self._flight):
            self._flight.add(Ask(command, payload=payload))
            self._send()

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
        source, flight = iter(asks), self._flight
        try:
            while self._fill(source, flight):
                yield self._answer()
        except (LinkError, PortError):
            self.unanswered_calls = flight.calls
            raise
        except BaseException:  # also an interrupt by the keyboard, and a caller that stops
            if flight is self._flight and len(flight):
                with suppress(LinkError, PortError, FrameError):  # then the next stream ends what is under way
                    self.begin()
            raise

    def close(self) -> None:
        """Close the port."""
        self.port.close()

    # Sending

    def _fill(self, source: Iterator[Ask], flight: Flight) -> bool:
        """Send as many requests as may be in flight; return whether there are any."""
        self._check_own(flight)
        self._send()
        while not flight.waits and (ask := next(source, None)) is not None:
            self._check_own(flight)
            flight.add(ask)
            self._send()
        return len(flight) > 0

    def _check_own(self, flight: Flight) -> None:
        if flight is not self._flight:
            raise LinkError(
                f"{self.port.name}: other requests were made before the answers to these had come, which ended these; "
                "take all answers first"
            )

    def _send(self) -> None:
        """Send what may be sent now."""
        frames: list[bytes] = []
        repeats = 0
        while sent := self._flight.sendable(self.window):
            if sent.sends == SENDS:
                raise LinkTimeout(
                    f"{self.port.name}: {_name(sent.ask)} was sent {SENDS} times without an answer while others were "
                    "answered; the line is too noisy: use a shorter cable or a lower baud"
                )
            repeats += sent.sends > 0
            sent.time = sent.time if sent.sends else self.clock()
            sent.sends += 1
            self._stamp += 1
            sent.stamp = self._stamp
            frames.append(sent.frame)
        self._write(frames, repeats)

    def _sync(self) -> None:
        """Ask for all bytes from the expected position on, and for the request that the device takes next."""
        self._stamp += 1
        self._sync_stamp = self._stamp
        self._write([Request(self._session, Command.SYNC, 0, self._expected).encode()], 1)

    def _write(self, frames: list[bytes], repeats: int) -> None:
        """Write frames; a delimiter before repeats ends whatever partial frame the device holds."""
        if frames:
            self.port.write((DELIMITER if repeats else b"") + b"".join(frames))
            self.statistics.sent += len(frames)
            self.statistics.repeated += repeats

    # Receiving

    def _answer(self) -> Answer:
        """Return the answer to the oldest request."""
        silent, waited, before = 0, 0.0, self._expected
        while True:
            ask = self._flight.oldest.ask
            wait = self._patience(ask, silent, waited)
            answer = self._take_until(wait)
            if answer is not None:
                return answer
            silent, waited = silent + 1, waited + wait
            if self._expected != before:
                silent, waited, before = 0, 0.0, self._expected
            elif ask.calls and waited >= ask.seconds:
                raise self._too_long(ask.seconds)
            elif not ask.calls and silent > SILENT_REPEATS:
                raise self._gone(ask)
            self._doubt(silent)
            self._sync()

    def _doubt(self, silent: int) -> None:
        """Go back to the rate at which the device starts, as it does too when it hears nothing that makes sense."""
        if silent == SILENT_AT_RATE:
            self.change_rate(self.start_baud)

    def _patience(self, ask: Ask, silent: int, waited: float) -> float:
        """Return the seconds to wait for an answer before the device is asked what it has.

        While a device is busy with a call it answers nothing, and what it is asked fills its receive buffer: so it is
        asked ever more rarely.
        """
        if ask.calls:
            return min(self.timeout * (1 << silent), max(ask.seconds - waited, self.timeout / 4))
        return self.timeout * min(1 << silent, 4) + ask.seconds

    def _take_until(self, seconds: float) -> Answer | None:
        """Take replies until a request is answered; return None if nothing new comes for ``seconds``."""
        deadline = self.clock() + seconds
        while (reply := self._replies.read(self.port, deadline)) is not None:
            before = self._expected
            answer = self._take(reply)
            if answer is not None:
                return answer
            if self._expected != before:
                self._send()
                deadline = self.clock() + seconds
        return None

    def _take(self, reply: Reply) -> Answer | None:
        """Take a reply if it is the next one; return the answer if a request is answered by it."""
        if reply.command == Command.SYNC and self._is_lost(reply):
            raise self._session_lost(kept=reply.status != Status.LOST)
        if reply.position != self._expected:
            self.statistics.stale += 1
            later = (reply.position - self._expected) % NUMBERS < NUMBERS // 2
            if later and self._asked_for != self._expected:
                self._asked_for = self._expected
                self._sync()
            return None
        self._expected = reply.end
        if reply.command == Command.SYNC:
            self._send_again(reply)
        elif reply.command != Command.IDENTIFY:
            return self._match(reply)
        return None

    def _is_lost(self, reply: Reply) -> bool:
        """Whether a reply to SYNC ends the session; a late one may speak of an earlier session, and of this one too."""
        ours = len(reply.payload) == SessionState.STRUCT.size and self._is_of_session(reply)
        return (reply.status == Status.NO_SESSION and not ours) or (reply.status == Status.LOST and ours)

    def _is_of_session(self, reply: Reply) -> bool:
        return SessionState.unpack(reply.payload).session == self._session

    def _match(self, reply: Reply) -> Answer | None:
        if not len(self._flight) or self._flight.oldest.ask.command != reply.command or not self._flight.oldest.sends:
            raise self._session_lost()
        sent = self._flight.replied(reply)
        if sent is None:
            return None
        self.window.answered(len(sent.frame), calls=sent.ask.calls > 0)
        return Answer(sent.ask, reply.status, sent.payload, self.clock() - sent.time)

    def _send_again(self, reply: Reply) -> None:
        """Send again what the device says that it has not got, if it was sent before it said so."""
        if reply.status in (Status.NO_SESSION, Status.LOST):
            return
        try:
            if not self._is_of_session(reply):
                raise self._session_lost()
            missing = self._flight.missing(SessionState.unpack(reply.payload).next)
        except ValueError as error:  # also a FrameError
            raise self._session_lost() from error
        if missing is None:
            return
        if reply.status == Status.OUT_OF_ORDER:
            lost, self._complaint = self._complaint != missing.sequence, missing.sequence
        else:
            lost = missing.stamp < self._sync_stamp
        if lost:
            self.window.lost(missing.ahead if missing.sends == 1 else None)
            self._flight.go_back(missing)

    def _identify(self) -> tuple[Identity, Reply]:
        """Ask who the device is until it answers; all other replies are dropped."""
        request = Request(self._session, Command.IDENTIFY)
        for silent in range(SILENT_REPEATS + 1):
            self._doubt(silent)
            self._stamp += 1
            self._write([request.encode()], int(silent > 0))
            reply = self._identity_reply(self.timeout * min(1 << silent, 4))
            if reply is not None and reply.payload and reply.payload[0] != PROTOCOL_VERSION:
                raise NotADevice(
                    f"{self.port.name}: the device speaks protocol version {reply.payload[0]}, this program "
                    f"{PROTOCOL_VERSION}; build its gateware with this version, or install the version that built it"
                )
            if reply is not None:
                return Identity.unpack(reply.payload), reply
        raise self._gone(Ask(Command.IDENTIFY))

    def _identity_reply(self, seconds: float) -> Reply | None:
        deadline = self.clock() + seconds
        while (reply := self._replies.read(self.port, deadline)) is not None:
            if reply.command == Command.IDENTIFY and reply.status == Status.OK and self._is_ours(reply):
                return reply
            self.statistics.stale += 1
        return None

    def _is_ours(self, reply: Reply) -> bool:
        """Whether an identity belongs to this session, or is one of another version, whose fields lie elsewhere."""
        return len(reply.payload) != Identity.STRUCT.size or Identity.unpack(reply.payload).session == self._session

    # Ends

    def _too_long(self, seconds: float) -> LinkTimeout:
        self.begin()
        return LinkTimeout(
            f"{self.port.name}: the call gave no results within {seconds:g} s and was aborted; give it a longer "
            "time limit, or the network a shorter schedule"
        )

    def _session_lost(self, *, kept: bool = True) -> SessionLost:
        name = self.port.name
        if not kept:
            return SessionLost(
                f"{name}: replies were lost that the device no longer keeps; the line is too noisy: use a shorter "
                "cable or a lower baud, then reconnect"
            )
        return SessionLost(
            f"{name}: the device was reset, or another program talks to it; reconnect and load the model again"
        )

    def _gone(self, ask: Ask) -> LinkTimeout:
        return LinkTimeout(
            f"{self.port.name}: no answer to {_name(ask)} after {SILENT_REPEATS} repeats; check power and cable, "
            "then open the device again"
        )


def accept(answer: Answer, *statuses: Status) -> Answer:
    """Return ``answer`` if it is OK or has one of ``statuses``; raise :class:`DeviceError` otherwise."""
    if answer.status not in (Status.OK, *statuses):
        raise DeviceError(answer.ask.command, answer.status)
    return answer


def _name(ask: Ask) -> str:
    return Command(ask.command).name
