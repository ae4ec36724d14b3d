"""Rules about frames, numbers, sessions and what is sent again."""

from __future__ import annotations

from cobs import cobs

from attractor.spec.protocol import (
    ATTENTION,
    CRC32,
    DELIMITER,
    FRAME_BYTES,
    NUMBERS,
    PROTOCOL_VERSION,
    REPLY_HEADER,
    Command,
    Request,
    SessionState,
    Status,
    crc32,
)
from attractor.verify.conformance.bench import Bench, Broken, rule, same

__all__: list[str] = []

_SIZES = (512, 1024, 2048, 4096, 8192)


@rule("identity")
def _identity(bench: Bench) -> None:
    """IDENTIFY begins a session and says version, session and buffers."""
    found = bench.begin()
    same("protocol version", found.protocol, PROTOCOL_VERSION)
    same("session in the identity", found.session, bench.session)
    for name, size in (("receive buffer", found.receive_buffer), ("reply buffer", found.reply_buffer)):
        if size not in _SIZES:
            raise Broken(f"{name} of {size} bytes; it must be one of {_SIZES}")


@rule("description")
def _description(bench: Bench) -> None:
    """Window 0 holds the description, from which the memory map follows."""
    try:
        bench.describe()
    except (ValueError, KeyError, TypeError) as error:
        raise Broken(f"{error}") from error
    if not bench.memory_map.windows:
        raise Broken("the description lists no windows")


@rule("empty frames")
def _empty_frames(bench: Bench) -> None:
    """Nothing between two delimiters is neither answered nor counted; seven zeros are no attention sign."""
    before = bench.counters()
    bench.is_silent(DELIMITER * (len(ATTENTION) - 2), "nothing between delimiters")  # and that of the request
    after = bench.counters()
    same("frames counted", after.frames - before.frames, 1)
    same("damaged frames counted", after.damaged - before.damaged, 0)


@rule("damaged frames")
def _damaged_frames(bench: Bench) -> None:
    """A frame with a wrong CRC-32 or length, or that is no COBS, is dropped without a word and counted once."""
    good = Request(bench.next, Command.COUNTERS).encode()
    body = cobs.decode(good[:-1])
    wrong_crc = cobs.encode(body[:-1] + bytes([body[-1] ^ 0x80])) + DELIMITER
    too_long = bytes(FRAME_BYTES + 9 - CRC32.size)
    damaged = {
        "a frame with a wrong CRC-32": wrong_crc,
        "a frame that is cut off": good[:5] + DELIMITER,
        "a frame of one byte": b"\x01" + DELIMITER,
        "a frame that is no COBS": b"\x40" + good[1:],
        "a frame that is too short": _framed(body[:2]),
        "a frame that is too long": _framed(too_long),
        "a thousand bytes": b"\x07" * 1000 + DELIMITER,
    }
    for what, data in damaged.items():
        before = bench.counters()
        bench.is_silent(data, what)
        after = bench.counters()
        same(f"damaged frames counted after {what}", after.damaged - before.damaged, 1)
        same(f"good frames counted after {what}", after.frames - before.frames, 1)


def _framed(body: bytes) -> bytes:
    return cobs.encode(body + CRC32.pack(crc32(body))) + DELIMITER


@rule("copies")
def _copies(bench: Bench) -> None:
    """A request with an earlier number is dropped without a word."""
    frame = bench.request(Command.COUNTERS)
    bench.send(frame)
    bench.follow(bench.receive(1))
    bench.is_silent(frame, "a copy of the last request")
    bench.is_silent(Request((bench.next - NUMBERS // 2) % NUMBERS, Command.COUNTERS).encode(), "an earlier number")
    bench.counters()


@rule("later numbers")
def _later_numbers(bench: Bench) -> None:
    """A later number is dropped, and OUT_OF_ORDER said once, with the number that is taken next."""
    for ahead in (1, NUMBERS // 2 - 1):
        late = Request((bench.next + ahead) % NUMBERS, Command.COUNTERS).encode()
        bench.send(late)
        (reply,) = bench.receive(1)
        bench.follow([reply])
        same("command of the complaint", reply.command, int(Command.SYNC))
        same("status of the complaint", reply.status, int(Status.OUT_OF_ORDER))
        same("state in the complaint", reply.payload.hex(), SessionState(bench.session, bench.next).pack().hex())
        bench.is_silent(late, "a second later number")
        bench.counters()


@rule("numbers wrap")
def _numbers_wrap(bench: Bench) -> None:
    """Behind number 65535 comes 0."""
    bench.begin(NUMBERS - 2)
    for _ in range(3):
        bench.counters()


@rule("sessions")
def _sessions(bench: Bench) -> None:
    """IDENTIFY with the number of the session only answers; with another one, a new session begins."""
    bench.counters()
    bench.send(Request(bench.session, Command.IDENTIFY).encode())
    bench.follow(bench.receive(1))
    bench.counters()
    new = (bench.session + 1000) % NUMBERS
    bench.send(Request(new, Command.IDENTIFY).encode())
    bench.follow(bench.receive(1))
    bench.session, bench.next = new, (new + 1) % NUMBERS
    bench.counters()


@rule("refused IDENTIFY")
def _refused_identify(bench: Bench) -> None:
    """IDENTIFY with an address or a payload is refused, and no session begins."""
    other = (bench.session + 7) % NUMBERS
    for status, request in (
        (Status.BAD_ADDRESS, Request(other, Command.IDENTIFY, 1)),
        (Status.BAD_ADDRESS, Request(other, Command.IDENTIFY, 0, 1, b"\0")),
        (Status.BAD_LENGTH, Request(other, Command.IDENTIFY, payload=b"\0")),
    ):
        bench.send(request.encode())
        (reply,) = bench.receive(1)
        bench.follow([reply])
        same("status of IDENTIFY", reply.status, int(status))
        bench.counters()


def _replies_from(begins: list[int], now: int, index: int) -> int:
    """Return how many replies begin at a position or after it: four of COUNTERS, and one of the SYNC before."""
    return len(begins) - 1 - index + (now != begins[-1])


@rule("SYNC")
def _sync(bench: Bench) -> None:
    """SYNC sends all bytes from a position on again, then the session and the number that is taken next."""
    bench.sync()
    begins = [bench.expected]
    sent = b""
    for _ in range(4):
        bench.send(bench.request(Command.COUNTERS))
        (reply,) = bench.receive(1)
        bench.follow([reply])
        sent += reply.encode()
        begins.append(bench.expected)
    for index in (3, 0):
        status, again = bench.sync(begins[index], again=_replies_from(begins, bench.expected, index))
        same("status of SYNC", status.name, Status.OK.name)
        start = (begins[index] - begins[0]) % NUMBERS
        if not again.startswith(sent[start:]):
            raise Broken("other bytes come again than were sent")


@rule("SYNC within a reply")
def _sync_within(bench: Bench) -> None:
    """Positions are those of bytes: SYNC may ask from the middle of a reply on, whose rest is no reply."""
    bench.counters()
    bench.send(Request(bench.session, Command.SYNC, 0, (bench.expected - 5) % NUMBERS).encode())
    try:
        bench.receive(2)
    except Broken as error:
        if "no reply" not in str(error):
            raise
    else:
        raise Broken("a whole reply came again")


@rule("kept replies")
def _kept_replies(bench: Bench) -> None:
    """As many bytes as the identity says are kept; SYNC from before them, or from what was not sent, is LOST."""
    kept = bench.identity.reply_buffer
    positions = [bench.expected]
    while (bench.expected - positions[0]) % NUMBERS <= kept + 300:
        bench.ask(Command.READ, payload=bytes([min(bench.identity.description_bytes, 200)]))
        positions.append(bench.expected)
    older = [position for position in positions if (bench.expected - position) % NUMBERS > kept]
    newer = [position for position in positions if (bench.expected - position) % NUMBERS <= kept]
    status, again = bench.sync(newer[0], again=len(newer) - 1)
    same("status of SYNC from what is kept", status.name, Status.OK.name)
    same("bytes that come again", len(again), (positions[-1] - newer[0]) % NUMBERS)
    status, _ = bench.sync(older[-1])
    same("status of SYNC from what is no longer kept", status.name, Status.LOST.name)
    status, _ = bench.sync(bench.expected + 1)
    same("status of SYNC from what was not sent", status.name, Status.LOST.name)
    bench.counters()


@rule("SYNC of another session")
def _foreign_sync(bench: Bench) -> None:
    """SYNC of another session gets NO_SESSION and the state, and changes nothing; with a payload, BAD_LENGTH."""
    status, _ = bench.sync(session=bench.session ^ 0x100)
    same("status of SYNC", status.name, Status.NO_SESSION.name)
    bench.counters()
    bench.send(Request(bench.session, Command.SYNC, 0, bench.expected, b"\0").encode())
    (reply,) = bench.receive(1)
    bench.follow([reply])
    same("status of SYNC with a payload", reply.status, int(Status.BAD_LENGTH))
    bench.counters()


@rule("SYNC looks at 16 bits")
def _sync_bits(bench: Bench) -> None:
    """SYNC looks at the 16 lowest bits of the word and at no window."""
    bench.send(Request(bench.session, Command.SYNC, 0xFF, 0x450000 | bench.expected).encode())
    (reply,) = bench.receive(1)
    bench.follow([reply])
    same("status of SYNC", reply.status, int(Status.OK))


@rule("attention")
def _attention(bench: Bench) -> None:
    """After eight zeros all frames are dropped until a SYNC of the session, or IDENTIFY."""
    for _ in range(2):
        bench.send(ATTENTION)
        bench.is_silent(Request(bench.next, Command.COUNTERS).encode(), "a request after the attention sign")
        late = Request((bench.next + 1) % NUMBERS, Command.COUNTERS).encode()
        bench.is_silent(late, "a later number after the attention sign")
        bench.sync(session=bench.session ^ 1)
        bench.is_silent(Request(bench.next, Command.COUNTERS).encode(), "a request after a SYNC of another session")
        bench.sync()
        bench.counters()


@rule("many at once")
def _many_at_once(bench: Bench) -> None:
    """Requests that fit the receive buffer may come without a pause, and are answered one after the other."""
    frames: list[bytes] = []
    room = min(bench.identity.receive_buffer, bench.identity.reply_buffer) * 3 // 4
    while sum(map(len, frames)) + 20 < room and (len(frames) + 1) * (12 + REPLY_HEADER.size + 11) < room:
        frames.append(bench.request(Command.COUNTERS))
    before = bench.next
    bench.send(b"".join(frames))
    bench.follow(bench.receive(len(frames)))
    same("number that is taken next", bench.next, before)
    bench.sync()
