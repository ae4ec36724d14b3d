"""A host that says exactly what it is told to, and looks at every byte that comes back."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from attractor.host.port import Port
from attractor.spec import MemoryMap, Region, Window, spec_from_dict
from attractor.spec.description import map_described
from attractor.spec.protocol import (
    ATTENTION,
    CRC32,
    DELIMITER,
    NUMBERS,
    Command,
    Counters,
    FrameError,
    Identity,
    Reply,
    Request,
    SessionState,
    Status,
    crc32,
    decode_description,
)

__all__ = ["RULES", "Bench", "Broken", "Place", "Rule", "rule"]

#: Seconds for which a reply that must come is waited for, and after which none comes any more.
PATIENCE, QUIET = 5.0, 0.03


class Broken(Exception):  # noqa: N818
    """A device does not keep a rule; the message says what it did instead."""


@dataclass(frozen=True)
class Rule:
    """A rule of the standard, and how it is checked."""

    name: str
    meaning: str
    check: Callable[[Bench], None]


#: All rules for devices, in the order in which they are checked.
RULES: list[Rule] = []


def rule(name: str) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Make a function the check of a rule; its docstring says what the rule is."""

    def registered(check: Callable[[Bench], None]) -> Callable[[Bench], None]:
        RULES.append(Rule(name, " ".join((check.__doc__ or "").split()), check))
        return check

    return registered


@dataclass(frozen=True)
class Place:
    """A window and its number."""

    number: int
    window: Window


class Bench:
    """One end of a line without faults. It never sends anything again by itself.

    Parameters
    ----------
    port:
        The device; whatever it was asked before is ended.
    patience, quiet:
        Seconds for which a reply that must come is waited for, and after which none comes any more.
    seed:
        Seed of all that is random.

    Attributes
    ----------
    identity, memory_map, clock_hz, baud:
        What the device says of itself.
    session, next, expected:
        Number of the session and of the request that the device takes next; position of the next reply.
    """

    def __init__(self, port: Port, *, patience: float = PATIENCE, quiet: float = QUIET, seed: int = 0) -> None:
        self.port = port
        self.random = random.Random(seed)
        self._patience, self._quiet = patience, quiet
        self._partial = b""
        self.session = self.next = self.expected = 0
        self.memory_map = MemoryMap(())
        self.clock_hz = self.baud = 0.0
        self.identity = self.begin()

    # Bytes

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.port.write(data)

    def receive(self, count: int, *, silent_after: bool = True) -> list[Reply]:
        """Return so many replies; raise :class:`Broken` if fewer come, or any after them."""
        frames: list[bytes] = []
        while len(frames) < count:
            data = self.port.read(self._patience)
            if not data:
                raise Broken(f"{len(frames)} replies instead of {count}" if count > 1 else "no answer")
            frames += self._cut(data)
        while silent_after and (data := self.port.read(self._quiet)):
            frames += self._cut(data)
        replies = [self._decoded(frame) for frame in frames]
        if len(replies) > count:
            extra = replies[count]
            raise Broken(f"{len(replies)} replies instead of {count}, one of them {_named(extra)}")
        return replies

    def _cut(self, data: bytes) -> list[bytes]:
        *frames, self._partial = (self._partial + data).split(DELIMITER)
        return [frame for frame in frames if frame]

    @staticmethod
    def _decoded(frame: bytes) -> Reply:
        try:
            return Reply.decode(frame)
        except FrameError as error:
            raise Broken(f"what came is no reply: {error}") from error

    def follow(self, replies: Iterable[Reply]) -> None:
        """Take replies as those that come next; raise :class:`Broken` if they do not follow one another."""
        for reply in replies:
            same("position of a reply", reply.position, self.expected)
            self.expected = reply.end

    # Sessions

    def begin(self, number: int | None = None) -> Identity:
        """Begin a session, whatever was before; the device is silent for a moment then."""
        self.send(DELIMITER + ATTENTION)
        while self.port.read(self._quiet):
            pass
        self._partial = b""
        self.session = self.random.randrange(1, NUMBERS - 99) if number is None else number
        self.send(Request(self.session, Command.IDENTIFY).encode())
        (reply,) = self.receive(1)
        same("status of IDENTIFY", Status(reply.status).name, Status.OK.name)
        self.expected, self.next = reply.end, (self.session + 1) % NUMBERS
        self.identity = self._identity(reply)
        return self.identity

    @staticmethod
    def _identity(reply: Reply) -> Identity:
        try:
            return Identity.unpack(reply.payload)
        except FrameError as error:
            raise Broken(str(error)) from error

    def describe(self) -> None:
        """Read the description."""
        told = decode_description(self.read_bytes(0, Window("description", Region.OUTPUT, self._description_bytes, 8)))
        self.clock_hz, self.baud = float(told.get("clock_hz", 0)), float(told.get("baud", 0))
        windows = told.get("map")
        self.memory_map = spec_from_dict(told["spec"]).memory_map if windows is None else map_described(windows)

    @property
    def _description_bytes(self) -> int:
        return self.identity.description_bytes

    # Requests

    def request(self, command: int, window: int = 0, word: int = 0, payload: bytes = b"") -> bytes:
        """Return the frame of the next request."""
        frame = Request(self.next, command, window, word, payload).encode()
        self.next = (self.next + 1) % NUMBERS
        return frame

    def ask(self, command: int, window: int = 0, word: int = 0, payload: bytes = b"") -> Reply:
        """Make the next request and return its only reply."""
        self.send(self.request(command, window, word, payload))
        replies = self.receive(1)
        self.follow(replies)
        same("command of the reply", replies[0].command, command & 0x7F)
        return replies[0]

    def expect(self, status: Status, command: int, window: int = 0, word: int = 0, payload: bytes = b"") -> bytes:
        """Make the next request, which must end with ``status``; return what came back."""
        reply = self.ask(command, window, word, payload)
        name = Command(command).name if command in {*Command} else f"command {command:#04x}"
        same(f"{name} of window {window}, word {word}, {len(payload)} bytes", _status(reply), status.name)
        return reply.payload

    def sync(self, position: int | None = None, *, again: int = 0, session: int | None = None) -> tuple[Status, bytes]:
        """Ask for the bytes from a position on; return the status, and the bytes that came before the reply.

        Parameters
        ----------
        position:
            Default that of the next reply.
        again:
            Replies that have to come again.
        session:
            Default the session that there is.
        """
        position = self.expected if position is None else position
        number = self.session if session is None else session
        self.send(Request(number, Command.SYNC, 0, position % NUMBERS).encode())
        *before, reply = self.receive(again + 1)
        self.follow([reply])
        same("command of the reply to SYNC", reply.command, int(Command.SYNC))
        same("payload of the reply to SYNC", reply.payload.hex(), SessionState(self.session, self.next).pack().hex())
        return Status(reply.status), b"".join(part.encode() for part in before)

    def is_silent(self, data: bytes, what: str) -> None:
        """Send bytes that are not answered, and see that the next request is answered as if they had not come."""
        self.send(data)
        try:
            self.receive(0)
        except Broken as error:
            raise Broken(f"{what} is answered: {error}") from error

    def counters(self) -> Counters:
        """Return what the device counted."""
        return Counters.unpack(self.expect(Status.OK, Command.COUNTERS))

    # Windows

    def places(self, *regions: Region) -> list[Place]:
        """Return the windows of some regions."""
        windows = enumerate(self.memory_map.windows, start=1)
        return [Place(number, window) for number, window in windows if window.region in regions]

    def read_bytes(self, number: int, window: Window) -> bytes:
        """Return the contents of a window."""
        data, step = b"", window.words_per_frame
        for word in range(0, window.words, step):
            count = min(step, window.words - word)
            self.send(self.request(Command.READ, number, word, bytes([count])))
            (reply,) = self.receive(1, silent_after=False)
            self.follow([reply])
            same(f"READ of window {number}", _status(reply), Status.OK.name)
            same(f"bytes of {count} words of window {number}", len(reply.payload), count * window.word_bytes)
            data += reply.payload
        return data

    def write_bytes(self, place: Place, data: bytes) -> None:
        """Write the contents of a window."""
        window, step = place.window, place.window.words_per_frame
        for word in range(0, window.words, step):
            part = data[word * window.word_bytes : (word + step) * window.word_bytes]
            self.send(self.request(Command.WRITE, place.number, word, part))
            (reply,) = self.receive(1, silent_after=False)
            self.follow([reply])
            same(f"WRITE of window {place.number}", _status(reply), Status.OK.name)

    def parameters(self) -> list[bytes]:
        """Return the contents of all parameter windows."""
        return [self.read_bytes(place.number, place.window) for place in self.places(Region.PARAMETERS)]

    def load(self, contents: list[bytes] | None = None) -> None:
        """Make parameters valid; by default they are all 0."""
        places = self.places(Region.PARAMETERS)
        for place, data in zip(places, contents or [bytes(place.window.size) for place in places], strict=True):
            self.write_bytes(place, data)
        digest = crc32(b"".join(contents or [bytes(place.window.size) for place in places]))
        self.expect(Status.OK, Command.COMMIT, payload=CRC32.pack(digest))


def same(what: str, found: object, expected: object) -> None:
    """Raise :class:`Broken` unless two things are equal."""
    if found != expected:
        raise Broken(f"{what}: {found} instead of {expected}")


def _status(reply: Reply) -> str:
    return Status(reply.status).name if reply.status in {*Status} else f"status {reply.status}"


def _named(reply: Reply) -> str:
    command = Command(reply.command).name if reply.command in {*Command} else f"command {reply.command:#04x}"
    return f"{command} with {_status(reply)}"
