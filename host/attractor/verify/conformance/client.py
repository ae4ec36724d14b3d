"""A device that checks its client: any board behind a line that loses, doubles, damages and delays, and keeps count.

All that the line does, the standard allows: a client that keeps the rules notices nothing but that things take longer.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from attractor.host.port import Port
from attractor.spec.protocol import (
    DELIMITER,
    FRAME_BYTES,
    NUMBERS,
    UNORDERED,
    Command,
    FrameError,
    Identity,
    Reply,
    Request,
    Status,
)
from attractor.verify.conformance.device import Conformance, Finding

__all__ = ["CLIENT_RULES", "FAULTS", "CheckingLine"]

#: The rules for clients, and what they mean.
CLIENT_RULES = {
    "frames": "Every frame is COBS, has at most 251 bytes and the right CRC-32.",
    "begins by IDENTIFY": "Before its first request a client begins a session by IDENTIFY.",
    "numbers": "A request has the number after the one before; one that is sent again is the same, byte for byte.",
    "sends again": "What the device did not get is sent again until it is taken.",
    "takes in order": "SYNC is of the session, and asks from the end of the last reply that came in order.",
    "asks for lost replies": "After a reply was lost, the client asks for it by SYNC.",
    "replies fit": "Replies that have not come are no more bytes than the device keeps.",
    "requests fit": "No request is refused for its command, its address or its length.",
}
#: What the line does, in either direction where it can be, and how often with a frame that it may disturb.
FAULTS = {"lose": 0.1, "double": 0.1, "damage": 0.1, "noise": 0.1, "delay": 0.1, "pieces": 0.1}
#: Looks at the line for which a reply is late.
_LATE_READS = 6
#: Frames after one that was disturbed that get through as they are, so that a session outlives what happens to it.
_CLEAN_FRAMES = 40
_REFUSED = (Status.BAD_COMMAND, Status.BAD_ADDRESS, Status.BAD_LENGTH)


@dataclass
class _Session:
    """What was said since IDENTIFY."""

    number: int
    buffer: int
    #: Positions: behind the last reply that came to the client in order, what the device has sent, and the last answer.
    taken: int
    sent: int
    needed: int
    #: Requests by their numbers from the first on, and how many of them the device took.
    requests: list[bytes] = field(default_factory=list)
    done: int = 0
    #: An identity has come to the client.
    met: bool = False


class CheckingLine:
    """A port through which a client reaches a board, over a line that misbehaves within the standard.

    Parameters
    ----------
    board:
        The board, behind a line without faults.
    seed:
        Seed of what the line does.
    faults:
        Probability of each of :data:`FAULTS` for a frame.
    stop, idle_seconds:
        Set when the client has said nothing for so long after it had begun.
    clock:
        Time in seconds.
    """

    def __init__(
        self,
        board: Port,
        *,
        seed: int = 0,
        faults: dict[str, float] | None = None,
        stop: threading.Event | None = None,
        idle_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"checking {board.name}"
        #: How often the line did what; frames that came from the client.
        self.happened: Counter[str] = Counter()
        self.frames = 0
        self._board, self._random = board, random.Random(seed)
        self._faults = FAULTS if faults is None else faults
        self._stop, self._idle_seconds, self._clock = stop, idle_seconds, clock
        self._last = clock()
        self._broken: dict[str, str] = {}
        self._session: _Session | None = None
        self._partial = self._answer = b""
        self._late: list[tuple[int, bytes]] = []
        self._reads = self._clean = 0

    # The port

    def write(self, data: bytes) -> None:
        """Take what the client sends, look at it, and pass on what the line lets through."""
        self._last = self._clock()
        *frames, self._partial = (self._partial + data).split(DELIMITER)
        self._partial = self._partial[: FRAME_BYTES + 2]
        for frame in frames:
            if frame:
                self.frames += 1
                self._look_at(frame)
                for disturbed in self._disturbed(frame, late=False):
                    self._board.write(disturbed + DELIMITER)
                    self._hear()
            else:
                self._board.write(DELIMITER)
        self._hear()

    def read(self, timeout: float) -> bytes:
        """Return what the line lets through of what the board answers."""
        self._reads += 1
        self._hear(timeout)
        for due, frame in [late for late in self._late if late[0] <= self._reads]:
            self._late.remove((due, frame))
            self._deliver(frame)
        data, self._answer = self._answer, b""
        if self._stop is not None and self.frames and self._clock() - self._last > self._idle_seconds:
            self._stop.set()
        if len(data) > 2 and self._happens("pieces"):
            cut = self._random.randrange(1, len(data))
            data, self._answer = data[:cut], data[cut:] + self._answer
        return data

    def close(self) -> None:
        """Close the board."""
        self._board.close()

    # The line

    def _happens(self, fault: str) -> bool:
        happens = self._random.random() < self._faults.get(fault, 0.0)
        self.happened[fault] += happens
        return happens

    def _disturbed(self, frame: bytes, *, late: bool) -> list[bytes]:
        """Return the frames that arrive when one is sent."""
        if self._clean:
            self._clean -= 1
            return [frame]
        before = sum(self.happened.values())
        frames = self._faulty(frame, late=late)
        self._clean = _CLEAN_FRAMES if sum(self.happened.values()) > before else 0
        return frames

    def _faulty(self, frame: bytes, *, late: bool) -> list[bytes]:
        if self._happens("lose"):
            return []
        if self._happens("damage"):
            place = self._random.randrange(len(frame))
            return [frame[:place] + bytes([frame[place] ^ 0x55 or 1]) + frame[place + 1 :]]
        if self._happens("noise"):
            return [b"\x05noise", frame]
        if self._happens("double"):
            return [frame, frame]
        if late and self._happens("delay"):
            self._late.append((self._reads + _LATE_READS, frame))
            return []
        return [frame]

    def _hear(self, timeout: float = 0.0) -> None:
        """Take what the board answers, and pass on what the line lets through."""
        while data := self._board.read(timeout):
            timeout = 0.0
            for frame in data.split(DELIMITER):
                if frame:
                    self._look_at_reply(frame)
                    for disturbed in self._disturbed(frame, late=True):
                        self._deliver(disturbed)

    def _deliver(self, frame: bytes) -> None:
        """Let a frame come to the client."""
        self._answer += frame + DELIMITER
        reply, session = _reply_in(frame), self._session
        if reply is None or session is None:
            return
        meets = reply.command == Command.IDENTIFY and not session.met
        if meets or (session.met and reply.position == session.taken):
            session.taken, session.met = reply.end, True

    # What is seen

    def _breaks(self, rule: str, what: str) -> None:
        self._broken.setdefault(rule, what)

    def _look_at(self, frame: bytes) -> None:
        """Look at a frame from the client."""
        try:
            request = Request.decode(frame)
        except FrameError as error:
            self._breaks("frames", f"{error}")
            return
        if request.command == Command.IDENTIFY:
            if self._session is not None and request.sequence != self._session.number:
                self._session = None  # a client may end one at any time; the next one begins when it is answered
        elif self._session is None:
            self._breaks("begins by IDENTIFY", f"the first request is command {request.command}")
        elif request.command == Command.SYNC:
            self._look_at_sync(self._session, request)
        else:
            self._look_at_request(self._session, request, frame)

    def _look_at_sync(self, session: _Session, request: Request) -> None:
        if request.sequence != session.number:
            self._breaks("takes in order", f"SYNC of session {request.sequence} instead of {session.number}")
        ahead = (request.word - session.taken) % NUMBERS
        if 0 < ahead < NUMBERS // 2:
            self._breaks("takes in order", f"SYNC from {request.word}, but from {session.taken} on replies are missing")

    def _look_at_request(self, session: _Session, request: Request, frame: bytes) -> None:
        place = (request.sequence - session.number - 1) % NUMBERS
        count = len(session.requests)
        # Places count modulo 2**16, as numbers do.
        place += (count - place + NUMBERS // 2) // NUMBERS * NUMBERS
        if place == count:
            session.requests.append(frame)
        elif place > count:
            self._breaks("numbers", f"number {request.sequence} before {(session.number + 1 + count) % NUMBERS}")
        elif place >= 0 and session.requests[place] != frame:
            self._breaks("numbers", f"two requests have number {request.sequence}")
        outstanding = (session.sent - session.taken) % NUMBERS
        if outstanding > session.buffer:
            self._breaks("replies fit", f"{outstanding} bytes had not come, and the device keeps {session.buffer}")

    def _look_at_reply(self, frame: bytes) -> None:
        """Look at what the board answers, before the line has it."""
        reply = _reply_in(frame)
        if reply is None:
            return
        if reply.command == Command.IDENTIFY and reply.status == Status.OK:
            identity = Identity.unpack(reply.payload)
            if self._session is None or self._session.number != identity.session:
                begun = reply.position
                self._session = _Session(identity.session, identity.reply_buffer, begun, begun, begun)
        session = self._session
        if session is None or reply.position != session.sent:  # one that is sent again
            return
        session.sent = reply.end
        if reply.command not in UNORDERED:
            session.needed = reply.end
            session.done += reply.status != Status.MORE
        if reply.status in _REFUSED:
            self._breaks("requests fit", f"{Status(reply.status).name} to command {reply.command}")

    def report(self) -> Conformance:
        """Return what was found so far; call it when the client has done all that it was asked for."""
        session = self._session
        if session is None:
            self._breaks("begins by IDENTIFY", "no session was begun")
        elif session.done < len(session.requests):
            missing = (session.number + 1 + session.done) % NUMBERS
            self._breaks("sends again", f"number {missing} was not sent again")
        elif 0 < (session.needed - session.taken) % NUMBERS < NUMBERS // 2:
            self._breaks("asks for lost replies", f"replies from {session.taken} on were not asked for")
        return Conformance(
            tuple(
                Finding(name, meaning, name not in self._broken, self._broken.get(name, ""))
                for name, meaning in CLIENT_RULES.items()
            )
        )


def _reply_in(frame: bytes) -> Reply | None:
    """Return the reply that a frame is, or None if it is damaged."""
    try:
        return Reply.decode(frame)
    except FrameError:
        return None
