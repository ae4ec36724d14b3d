"""One session on a line: requests by their numbers, replies by their positions, and what was lost sent again."""

from __future__ import annotations

from attractor.host.errors import LinkTimeout, SessionLost
from attractor.host.flight import Answer, Flight
from attractor.host.line import Line
from attractor.spec.protocol import NUMBERS, REPLY_BUFFER_BYTES, Command, Reply, Request, SessionState, Status

__all__ = ["SENDS", "Session"]

#: Most times that one request is sent while others are answered.
SENDS = 30


class Session:
    """What was sent and came since the device said who it is.

    Parameters
    ----------
    line:
        Where the device is.
    number:
        Number of the session; requests have those that follow.
    expected:
        Position of the first reply.
    reply_buffer:
        Bytes of replies that the device keeps.
    """

    def __init__(self, line: Line, number: int, expected: int = 0, reply_buffer: int = REPLY_BUFFER_BYTES) -> None:
        self.number = number
        #: Position of the reply that comes next.
        self.expected = expected
        self.flight = Flight(number + 1, reply_buffer)
        self._line = line
        # Number of everything sent so far; that of the last SYNC, and the position for which a later reply made us ask.
        self._stamp, self._sync_stamp, self._asked_for = 0, 0, -1
        # The request that the device missed, and said so: once for each.
        self._complaint = -1

    # Sending

    def send(self) -> None:
        """Send what may be sent now.

        Raises
        ------
        LinkTimeout
            If a request never gets through while others do.
        """
        line, frames, repeats = self._line, [], 0
        while sent := self.flight.sendable(line.window):
            if sent.sends == SENDS:
                raise LinkTimeout(
                    f"{line.port.name}: {sent.ask.command.name} was sent {SENDS} times without an answer while others "
                    "were answered; the line is too noisy: use a shorter cable or a lower baud"
                )
            repeats += sent.sends > 0
            sent.time = sent.time if sent.sends else line.clock()
            sent.sends += 1
            self._stamp += 1
            sent.stamp = self._stamp
            frames.append(sent.frame)
        line.write(frames, repeats)

    def sync(self) -> None:
        """Ask for all bytes from the expected position on, and for the request that the device takes next."""
        self._stamp += 1
        self._sync_stamp = self._stamp
        self._line.write([Request(self.number, Command.SYNC, 0, self.expected).encode()], 1)

    # Receiving

    def take(self, reply: Reply) -> Answer | None:
        """Take a reply if it is the next one; return the answer if a request is answered by it.

        Raises
        ------
        SessionLost
            If it says that the device is in another session, or no longer keeps what is missing.
        """
        if reply.command == Command.SYNC and self._is_lost(reply):
            raise self._lost(kept=reply.status != Status.LOST)
        if reply.position != self.expected:
            self._line.statistics.stale += 1
            if self._is_later(reply) and self._asked_for != self.expected:
                self._asked_for = self.expected
                self.sync()
            return None
        self.expected = reply.end
        if reply.command == Command.SYNC:
            self._send_again(reply)
        elif reply.command != Command.IDENTIFY:
            return self._match(reply)
        return None

    def _is_lost(self, reply: Reply) -> bool:
        """Whether a reply to SYNC ends the session.

        A late one may speak of an earlier session. One of this session may have waited behind calls: nothing is lost if
        all before it has come.
        """
        ours = len(reply.payload) == SessionState.STRUCT.size and self._is_ours(reply)
        not_kept = reply.status == Status.LOST and self._is_later(reply)
        return (reply.status == Status.NO_SESSION and not ours) or (not_kept and ours)

    def _is_later(self, reply: Reply) -> bool:
        """Whether bytes before a reply have not come."""
        return 0 < (reply.position - self.expected) % NUMBERS < NUMBERS // 2

    def _is_ours(self, reply: Reply) -> bool:
        return SessionState.unpack(reply.payload).session == self.number

    def _match(self, reply: Reply) -> Answer | None:
        flight = self.flight
        if not len(flight) or flight.oldest.ask.command != reply.command or not flight.oldest.sends:
            raise self._lost()
        sent = flight.replied(reply)
        if sent is None:
            return None
        self._line.window.answered(len(sent.frame), calls=sent.ask.calls > 0)
        return Answer(sent.ask, reply.status, sent.payload, self._line.clock() - sent.time)

    def _send_again(self, reply: Reply) -> None:
        """Send again what the device says that it has not got, if it was sent before it said so.

        All replies before this one were taken. So the device takes next what is answered next: if it has carried out
        more, the answers went by under other positions, and will not come.
        """
        if reply.status == Status.NO_SESSION:
            return
        try:
            state = SessionState.unpack(reply.payload)
            missing = self.flight.missing(state.next)
        except ValueError as error:  # also a FrameError
            raise self._lost() from error
        if state.session != self.number or (len(self.flight) and state.next != self.flight.oldest.sequence):
            raise self._lost()
        if missing is None:
            return
        if reply.status == Status.OUT_OF_ORDER:
            lost, self._complaint = self._complaint != missing.sequence, missing.sequence
        else:
            lost = missing.stamp < self._sync_stamp
        if lost:
            self._line.window.lost(missing.ahead if missing.sends == 1 else None)
            self.flight.go_back(missing)

    def _lost(self, *, kept: bool = True) -> SessionLost:
        name = self._line.port.name
        if not kept:
            return SessionLost(
                f"{name}: replies were lost that the device no longer keeps; the line is too noisy: use a shorter "
                "cable or a lower baud, then reconnect"
            )
        return SessionLost(
            f"{name}: the device was reset, or another program talks to it; reconnect and load the model again"
        )
