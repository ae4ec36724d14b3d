"""Rules about the order of checks, windows, digests, commits, calls and the rate."""

from __future__ import annotations

from attractor.spec import PAYLOAD_BYTES, Region
from attractor.spec.packing import pack_words, packed_bytes
from attractor.spec.protocol import (
    CRC32,
    DESCRIPTION_WINDOW,
    LEAST_CYCLES_PER_BIT,
    RATE_CYCLES,
    BaudError,
    CallHeader,
    Command,
    Status,
    crc32,
    rate_step,
)
from attractor.verify.conformance.bench import Bench, Place, rule, same

__all__: list[str] = []

_NO_WINDOW = 0xFF
_NO_WORD = 0xFFFFFF
#: A number of words, a CRC-32, a rate: of the length that the command takes.
_PAYLOADS = {Command.READ: 1, Command.DIGEST: 3, Command.COMMIT: 4, Command.COUNTERS: 0, Command.BAUD: 3}


def _first(bench: Bench, region: Region) -> Place:
    return bench.places(region)[0]


@rule("unknown commands")
def _unknown_commands(bench: Bench) -> None:
    """A command that there is not is refused with BAD_COMMAND, whatever else is wrong."""
    for command in (0, 10, 15, 16, 0x7F, 0x81, 0xFF):
        bench.expect(Status.BAD_COMMAND, command)
        bench.expect(Status.BAD_COMMAND, command, _NO_WINDOW, _NO_WORD, b"\1\2")


@rule("addresses")
def _addresses(bench: Bench) -> None:
    """BAD_ADDRESS: no such window or word, or not for this use; commands without an address want window and word 0."""
    for command, length in _PAYLOADS.items():
        bench.expect(Status.BAD_ADDRESS, command, _NO_WINDOW, 0, bytes(length))
        bench.expect(Status.BAD_ADDRESS, command, 0, _NO_WORD, bytes(length))
    for command in (Command.COMMIT, Command.COUNTERS, Command.BAUD):
        bench.expect(Status.BAD_ADDRESS, command, 1, 0, bytes(_PAYLOADS[command]))
    for place in bench.places(*Region):
        words = place.window.words
        bench.expect(Status.BAD_ADDRESS, Command.READ, place.number, words, b"\1")
        bench.expect(Status.BAD_ADDRESS, Command.DIGEST, place.number, words, b"\0\0\0")
        bench.expect(Status.BAD_ADDRESS, Command.WRITE, place.number, words, b"")
        bench.expect(Status.BAD_ADDRESS, Command.WRITE, place.number, words | 0x800000, b"")
    bench.expect(Status.BAD_ADDRESS, Command.READ, len(bench.memory_map.windows) + 1, 0, b"\1")
    for number in (DESCRIPTION_WINDOW, *(place.number for place in bench.places(Region.OUTPUT))):
        bench.expect(Status.BAD_ADDRESS, Command.WRITE, number, 0, b"\0")
    for number in (DESCRIPTION_WINDOW, *(place.number for place in bench.places(Region.OUTPUT, Region.PARAMETERS))):
        bench.expect(Status.BAD_ADDRESS, Command.CALL, number, 0, CallHeader(0, 1, 0).pack())


@rule("lengths")
def _lengths(bench: Bench) -> None:
    """BAD_LENGTH: the payload is longer or shorter than the command takes."""
    for command, length in _PAYLOADS.items():
        for wrong in {max(0, length - 1), length + 1, PAYLOAD_BYTES} - {length}:
            bench.expect(Status.BAD_LENGTH, command, payload=bytes(wrong))
    place = _first(bench, Region.INPUT)
    for length in range(CallHeader.STRUCT.size):
        bench.expect(Status.BAD_LENGTH, Command.CALL, place.number, 0, b"\1" * length)
    bench.expect(Status.BAD_LENGTH, Command.CALL, place.number, 0, CallHeader(0, 0, 0).pack())
    if place.window.word_bits < 255:
        bits = place.window.word_bits + 1
        bench.expect(Status.BAD_LENGTH, Command.CALL, place.number, 0, CallHeader(bits, 1, 0).pack())


@rule("order of checks")
def _order_of_checks(bench: Bench) -> None:
    """The address is checked before the length, the length before the parameters."""
    for command in (Command.READ, Command.DIGEST, Command.WRITE, Command.CALL):
        bench.expect(Status.BAD_ADDRESS, command, _NO_WINDOW, 0, b"\1\2")
    for command in (Command.COMMIT, Command.COUNTERS, Command.BAUD):
        bench.expect(Status.BAD_ADDRESS, command, 0, 1, b"\1\2")
    bench.expect(Status.OK, Command.WRITE, _first(bench, Region.PARAMETERS).number)  # from now on they are invalid
    number = _first(bench, Region.INPUT).number
    bench.expect(Status.BAD_ADDRESS, Command.CALL, number, _NO_WORD, CallHeader(0, 1, 1).pack())
    bench.expect(Status.BAD_LENGTH, Command.CALL, number, 0, CallHeader(0, 0, 1).pack())
    bench.expect(Status.INVALID_PARAMETERS, Command.CALL, number, 0, CallHeader(0, 1, 1).pack())


@rule("READ")
def _read(bench: Bench) -> None:
    """READ gives words; behind the last one it ends with BAD_ADDRESS, and where the reply is full with BAD_LENGTH."""
    for place in bench.places(*Region):
        window = place.window
        same("bytes of no words", bench.expect(Status.OK, Command.READ, place.number, 0, b"\0"), b"")
        last = bench.expect(Status.OK, Command.READ, place.number, window.words - 1, b"\1")
        same(f"bytes of a word of {window.name}", len(last), window.word_bytes)
        bench.expect(Status.BAD_ADDRESS, Command.READ, place.number, window.words - 1, b"\2")
        full = window.words_per_frame
        if full < min(window.words, 255):
            whole = bench.expect(Status.OK, Command.READ, place.number, 0, bytes([full]))
            same(f"bytes of {full} words of {window.name}", len(whole), full * window.word_bytes)
            bench.expect(Status.BAD_LENGTH, Command.READ, place.number, 0, bytes([full + 1]))


@rule("WRITE")
def _write(bench: Bench) -> None:
    """WRITE keeps the bits that a word has; words before an error stay written, and no words is a whole number."""
    for place in bench.places(Region.PARAMETERS, Region.INPUT):
        number, window = place.number, place.window
        size, words = window.word_bytes, min(window.words, window.words_per_frame)
        mask = ((1 << window.word_bits) - 1).to_bytes(size, "little")
        bench.expect(Status.OK, Command.WRITE, number, 0, b"\xff" * size * words)
        same(
            f"all bits of {window.name}", bench.expect(Status.OK, Command.READ, number, 0, bytes([words])), mask * words
        )
        bench.expect(Status.OK, Command.WRITE, number, 0, b"")
        bench.expect(Status.OK, Command.WRITE, number, 0, bytes(size))
        kept = bench.expect(Status.OK, Command.READ, number, 0, bytes([words]))
        same(f"words of {window.name} after one was written", kept, bytes(size) + mask * (words - 1))
        if 2 * size <= PAYLOAD_BYTES:
            bench.expect(Status.OK, Command.WRITE, number, window.words - 1, b"\xff" * size)
            bench.expect(Status.BAD_ADDRESS, Command.WRITE, number, window.words - 1, bytes(2 * size))
            last = bench.expect(Status.OK, Command.READ, number, window.words - 1, b"\1")
            same(f"last word of {window.name} before an error", last, bytes(size))
        if size > 1:
            bench.expect(Status.BAD_LENGTH, Command.WRITE, number, 0, bytes(size - 1))


@rule("DIGEST")
def _digest(bench: Bench) -> None:
    """DIGEST is the CRC-32 of the bytes of words; more than there are end with BAD_ADDRESS."""
    for place in bench.places(Region.PARAMETERS, Region.INPUT):
        window = place.window
        bench.write_bytes(place, bench.random.randbytes(window.size))
        data = bench.read_bytes(place.number, window)
        for count in (0, 1, window.words):
            found = bench.expect(Status.OK, Command.DIGEST, place.number, 0, count.to_bytes(3, "little"))
            expected = crc32(data[: count * window.word_bytes])
            same(f"digest of {count} words of {window.name}", found.hex(), CRC32.pack(expected).hex())
        many = (window.words + 1).to_bytes(3, "little")
        bench.expect(Status.BAD_ADDRESS, Command.DIGEST, place.number, 0, many)
        bench.expect(Status.BAD_ADDRESS, Command.DIGEST, place.number, window.words - 1, b"\xff\xff\xff")


@rule("COMMIT")
def _commit(bench: Bench) -> None:
    """COMMIT makes parameters valid if their CRC-32 is the given one, otherwise invalid; any WRITE makes them so."""
    bench.load()
    same("validity in the identity", bench.begin().parameters_valid, True)
    digest = crc32(b"".join(bench.parameters()))
    found = bench.expect(Status.COMMIT_MISMATCH, Command.COMMIT, payload=CRC32.pack(digest ^ 1))
    same("CRC-32 in the reply to COMMIT", found.hex(), CRC32.pack(digest).hex())
    same("validity after a mismatch", bench.begin().parameters_valid, False)
    bench.expect(Status.OK, Command.COMMIT, payload=CRC32.pack(digest))
    for place in bench.places(Region.INPUT):
        bench.expect(Status.OK, Command.WRITE, place.number, 0, bytes(place.window.word_bytes))
    same("validity after writing inputs", bench.begin().parameters_valid, True)
    for place in bench.places(Region.PARAMETERS):
        bench.expect(Status.OK, Command.WRITE, place.number)
        same(f"validity after WRITE of no words to {place.window.name}", bench.begin().parameters_valid, False)
        bench.expect(Status.OK, Command.COMMIT, payload=CRC32.pack(digest))


@rule("invalid parameters")
def _invalid_parameters(bench: Bench) -> None:
    """A call is refused while parameters are invalid; inputs may be written by a call that runs nothing."""
    bench.load()
    bench.expect(Status.OK, Command.WRITE, _first(bench, Region.PARAMETERS).number)
    place = _carried(bench)
    word = bytes(place.window.word_bytes)
    bench.expect(Status.INVALID_PARAMETERS, Command.CALL, place.number, 0, CallHeader(0, 1, 1).pack() + word)
    bench.expect(Status.OK, Command.CALL, place.number, 0, CallHeader(0, 1, 0).pack() + word)


def _carried(bench: Bench) -> Place:
    """Return an input window whose words fit a call."""
    room = PAYLOAD_BYTES - CallHeader.STRUCT.size
    return next(place for place in bench.places(Region.INPUT) if place.window.word_bytes <= room)


@rule("inputs of a call")
def _inputs_of_a_call(bench: Bench) -> None:
    """A call takes so many bits of each word without gaps, and writes bits above as 0; other words stay."""
    for place in bench.places(Region.INPUT):
        number, window = place.number, place.window
        bits = min(window.word_bits, 7)
        words = min(window.words, window.words_per_frame, 30)
        bench.expect(Status.OK, Command.WRITE, number, 0, b"\xff" * window.word_bytes * words)
        values = [bench.random.randrange(1 << bits) for _ in range(max(1, words - 1))]
        data = b"".join(value.to_bytes(window.word_bytes, "little") for value in values)
        packed = pack_words(data, window.word_bytes, bits)
        bench.expect(Status.OK, Command.CALL, number, 0, CallHeader(bits, len(values), 0).pack() + packed)
        found = bench.expect(Status.OK, Command.READ, number, 0, bytes([words]))
        above = ((1 << window.word_bits) - 1).to_bytes(window.word_bytes, "little")
        same(f"words of {window.name} after a call", found.hex(), (data + above * (words - len(values))).hex())
        bench.expect(Status.OK, Command.CALL, number, 0, CallHeader(0, 1, 0).pack())  # no calls at all
        if packed_bytes(words, bits) > 1:
            short = CallHeader(bits, words, 0).pack() + bytes(packed_bytes(words, bits) - 1)
            bench.expect(Status.BAD_LENGTH, Command.CALL, number, 0, short)
        rest = CallHeader(bits, 2, 0).pack() + bytes(packed_bytes(2, bits))
        bench.expect(Status.BAD_ADDRESS, Command.CALL, number, window.words - 1, rest)
        bench.write_bytes(place, bytes(window.size))


@rule("results of a call")
def _results_of_a_call(bench: Bench) -> None:
    """A result is the words of all output windows without gaps, cut to as many bytes as are wanted."""
    bench.load()
    for place in bench.places(Region.INPUT):
        bench.write_bytes(place, bytes(place.window.size))
    place, most = _carried(bench), bench.memory_map.packed_size(Region.OUTPUT)
    word = bytes(place.window.word_bytes)
    for want in {1, min(most, PAYLOAD_BYTES - 1), most, 0xFFFF}:
        found = _results(bench, place.number, CallHeader(0, 1, want).pack() + word, min(want, most))
        contents = b"".join(bench.read_bytes(out.number, out.window) for out in bench.places(Region.OUTPUT))
        expected = bench.memory_map.packed(Region.OUTPUT, contents)[:want]
        same(f"result of a call that wants {want} bytes", found.hex(), expected.hex())


@rule("several calls in a frame")
def _several_calls(bench: Bench) -> None:
    """As many calls are made as the frame holds; results follow one another, and where a reply is full, MORE."""
    bench.load()
    place, most = _carried(bench), bench.memory_map.packed_size(Region.OUTPUT)
    calls = min(9, (PAYLOAD_BYTES - CallHeader.STRUCT.size) // place.window.word_bytes)
    # One bit of a word: each call begins with a byte of its own.
    calls = max(calls, min(40, 1 + 2 * PAYLOAD_BYTES // most))
    found = _results(bench, place.number, CallHeader(1, 1, most).pack() + bytes(calls), calls * most)
    same("bytes of all results", len(found), calls * most)


def _results(bench: Bench, number: int, payload: bytes, size: int) -> bytes:
    """Make a call whose result may take several replies; return the result."""
    bench.send(bench.request(Command.CALL, number, 0, payload))
    replies = bench.receive(max(1, -(-size // PAYLOAD_BYTES)))
    bench.follow(replies)
    statuses = [Status(reply.status).name for reply in replies]
    same("statuses of a call", statuses, [Status.MORE.name] * (len(replies) - 1) + [Status.OK.name])
    for reply in replies[:-1]:
        same("bytes of a reply with MORE", len(reply.payload), PAYLOAD_BYTES)
    return b"".join(reply.payload for reply in replies)


@rule("BAUD")
def _baud(bench: Bench) -> None:
    """BAUD refuses a rate of 0, and one of fewer than four clock cycles a bit; it takes the rate that there is."""
    most = RATE_CYCLES // LEAST_CYCLES_PER_BIT
    for step in (0, most + 1, 2 * most, 0xFFFFFF):
        bench.expect(Status.BAD_LENGTH, Command.BAUD, payload=step.to_bytes(3, "little"))
    bench.counters()
    if bench.clock_hz and bench.baud:
        try:
            step = rate_step(bench.clock_hz, bench.baud)
        except BaudError:
            return
        bench.expect(Status.OK, Command.BAUD, payload=step.to_bytes(3, "little"))
        bench.counters()


@rule("COUNTERS")
def _counters(bench: Bench) -> None:
    """COUNTERS counts its own request and all others whose CRC-32 was right, whatever came of them."""
    before = bench.counters()
    bench.expect(Status.BAD_COMMAND, 0)
    bench.sync()
    after = bench.counters()
    same("frames counted", (after.frames - before.frames) % 2**32, 3)
    same("damaged frames counted", after.damaged, before.damaged)
    same("overruns counted", after.overruns, before.overruns)
