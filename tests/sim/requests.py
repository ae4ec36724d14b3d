"""Random traffic for a device: requests good and bad, in and out of order, and bytes that are none."""

from __future__ import annotations

import random
from collections import Counter

from cobs import cobs

from attractor.sim.golden_link import GoldenLink
from attractor.sim.verilog_board import CLOCKS_PER_BIT
from attractor.spec import PAYLOAD_BYTES, OscillatorSpec, Region, Window
from attractor.spec.packing import pack_words, packed_bytes
from attractor.spec.protocol import (
    ATTENTION,
    CRC32,
    DELIMITER,
    FRAME_BYTES,
    NUMBERS,
    RATE_CYCLES,
    REPLY_BUFFER_BYTES,
    CallHeader,
    Command,
    Request,
    crc32,
)

#: A network in which nothing is a round number, which learns, draws start phases, and whose targets can flip.
SMALL = OscillatorSpec(
    oscillators=11,
    inputs=4,
    labels=3,
    reference=1,
    lanes=3,
    schedule_entries=3,
    lock_phases=3,
    learning=True,
    random_start=True,
    flips=True,
)
#: Words of 2 lanes, no inputs, no labels, the finest phases.
PLAIN = OscillatorSpec(oscillators=5, weight_bits=3, phase_bits=3, lanes=2, schedule_entries=1)
#: Most periods of a schedule entry, so that no call takes long.
PERIODS = 5
#: Longest message.
MESSAGE_BYTES = 310
#: What messages there are, and how often each is drawn.
KINDS = {
    "request": 60,
    "copy": 5,
    "gap": 5,
    "sync": 8,
    "session": 4,
    "attention": 3,
    "damaged": 8,
    "odd frame": 4,
    "noise": 3,
}
#: The rate at which a simulated board runs; any other would leave the line behind.
_OWN_RATE = RATE_CYCLES // CLOCKS_PER_BIT


class Traffic:
    """A source of random messages to a device.

    Parameters
    ----------
    seed:
        Equal seeds make equal traffic.
    device:
        A model of the device that got all messages so far: it tells how a good message would look.
    """

    def __init__(self, seed: int, device: GoldenLink) -> None:
        self._random = random.Random(seed)
        self._device = device
        self._memory_map = device.spec.memory_map
        #: How often each of :data:`KINDS` was drawn.
        self.drawn: Counter[str] = Counter()

    def message(self, *, quiet: bool) -> bytes:
        """Return the next bytes.

        Parameters
        ----------
        quiet:
            Whether the device has done all that it was asked for. Otherwise there is no attention sign: what it ends
            depends on how far the device is.
        """
        (kind,) = self._random.choices(list(KINDS), list(KINDS.values()))
        if self._device._halted and self._random.random() < 0.4:
            kind = "sync"  # which ends the attention
        if kind == "attention" and not quiet:
            kind = "request"
        self.drawn[kind] += 1
        match kind:
            case "request":
                return self.request().encode()
            case "copy":
                return self._request_before(self._random.choice([1, 1, 2, NUMBERS // 2])).encode()
            case "gap":
                return self._request_before(-self._random.choice([1, 2, NUMBERS // 2 - 1])).encode()
            case "sync":
                return self._sync().encode()
            case "session":
                return self._identify().encode()
            case "attention":
                return ATTENTION + bytes(self._random.choice([0, 0, 9]))
            case "damaged":
                return self._damage(self._random.choice([self.request, self._sync])().encode())
            case "odd frame":
                return self._odd_frame()
        return self._random.randbytes(self._random.choice([0, 1, 3, 300])) + DELIMITER

    def request(self) -> Request:
        """Return a request with the next number, good or bad."""
        choose = self._random.choice
        ordered = [command for command in Command if command not in (Command.IDENTIFY, Command.SYNC)]
        bad = choose([0, 10, 0x7F, 0x81, 0xFF])
        command = choose([*ordered, *ordered, *4 * [Command.CALL], *3 * [Command.COMMIT], bad, bad])
        match command:
            case Command.READ | Command.DIGEST:
                return self._reading(command)
            case Command.WRITE:
                return self._writing()
            case Command.CALL:
                return self._calling()
            case Command.COMMIT:
                good = CRC32.pack(crc32(self._region(Region.PARAMETERS)))
                return self._plain(command, choose([good, good, good, good, bytes(4), b"", good + b"\0"]))
            case Command.BAUD:
                step = choose([_OWN_RATE, _OWN_RATE, 0, _OWN_RATE + 1, 2 * _OWN_RATE, 0xFFFFFF])
                return self._plain(command, self._cut(step.to_bytes(3, "little")))
        return self._plain(command, choose([b"", b"", b"", b"\0", bytes(4)]))

    def _next(self, command: int, window: int, word: int, payload: bytes) -> Request:
        return Request(self._device._next, command, window, word, payload)

    def _plain(self, command: int, payload: bytes) -> Request:
        """Return a request that needs no address, and seldom has one."""
        return self._next(command, *self._no_address(), payload)

    def _request_before(self, count: int) -> Request:
        """Return a request whose number is ``count`` before the next."""
        request = self.request()
        number = (request.sequence - count) % NUMBERS
        return Request(number, request.command, request.window, request.word, request.payload)

    def _identify(self) -> Request:
        """Begin a session, also one whose numbers soon begin anew, or ask about the one that there is."""
        choose = self._random.choice
        number = choose([self._session(), self._session(), 1, NUMBERS - 2, self._random.randrange(1, NUMBERS)])
        window, word = self._no_address()
        return Request(number, Command.IDENTIFY, window, word, choose([b"", b"", b"", b"", b"\0"]))

    def _sync(self) -> Request:
        """Ask for bytes from a position on: of this session or another, kept, no longer kept, or not yet sent."""
        choose, kept = self._random.choice, REPLY_BUFFER_BYTES
        number = self._session() ^ choose([0, 0, 0, 0, 0, 0, 0, 1 << self._random.randrange(16)])
        back = choose([0, 0, 1, self._random.randrange(kept), self._random.randrange(100), kept, kept + 1, -1])
        position = (self._device._replies.position - back) % NUMBERS
        payload = choose([b"", b"", b"", b"", b"", b"", b"", b"\0"])
        return Request(number, Command.SYNC, choose([0, 0, 255]), position | choose([0, 0, 0x450000]), payload)

    def _session(self) -> int:
        return self._device._session or 1

    def _reading(self, command: int) -> Request:
        number, window = self._window()
        word = self._word(window)
        rest = max(0, window.words - word)
        if command == Command.READ:
            counts = [0, 1, 2, rest, rest, window.words_per_frame, window.words_per_frame + 1, 255]
            length = 1
        else:
            counts = [0, 1, 2, rest, rest, rest + 1, window.words, 0xFFFF, 0xFFFFFF]
            length = 3
        count = min(self._random.choice(counts), (1 << 8 * length) - 1)
        return self._next(command, number, word, self._cut(count.to_bytes(length, "little")))

    def _writing(self) -> Request:
        number, window = self._window()
        word = self._word(window)
        rest = max(0, window.words - word)
        count = min(self._random.choice([0, 1, 2, rest, rest, rest + 1]), PAYLOAD_BYTES // window.word_bytes)
        return self._next(Command.WRITE, number, word, self._cut(self._contents(window, count)))

    def _calling(self) -> Request:
        """Return a call with packed inputs, mostly for all words of an input window, once or many times."""
        choose = self._random.choice
        window = choose(self._memory_map.region(Region.INPUT))
        number, word = self._memory_map.number(window.name), choose([0, 0, 0, 1, window.words - 1])
        if self._random.random() < 0.1:
            number, window = self._window()
            word = self._word(window)
        rest = max(1, window.words - word)
        words = choose([1, *5 * [rest], rest + 1, self._random.randrange(rest), 0xFFFF])
        some = self._random.randrange(1, window.word_bits + 1)
        bits = choose([0, 0, window.word_bits, some, some, some, window.word_bits + 1])
        size = self._memory_map.packed_size(Region.OUTPUT)
        want = choose([0, 1, size, size, size, size + 1, self._random.randrange(size), 0xFFFF])
        room = PAYLOAD_BYTES - CallHeader.STRUCT.size
        calls = choose([0, 1, 1, 1, 2, 3, room, room])
        packed = b""
        while calls and len(packed) < room:
            packed += self._packed(window, min(words, 8 * room), bits or window.word_bits)
            calls -= 1
        # The last call that does not fit is left out, or begins and is cut off.
        whole = packed_bytes(words, bits or window.word_bits)
        if len(packed) > room:
            packed = packed[: room // whole * whole] if whole and self._random.random() < 0.8 else packed[:room]
        return self._next(Command.CALL, number, word, self._cut(CallHeader(bits % 256, words, want).pack() + packed))

    def _packed(self, window: Window, words: int, bits: int) -> bytes:
        """Return inputs of one call."""
        if bits > window.word_bits:
            return self._random.randbytes(packed_bytes(max(1, words), bits))
        return pack_words(self._contents(window, max(1, words)), window.word_bytes, bits)

    def _contents(self, window: Window, count: int) -> bytes:
        """Return random words for a window."""
        return b"".join(self._word_contents(window) for _ in range(count))

    def _word_contents(self, window: Window) -> bytes:
        data = self._random.randbytes(window.word_bytes)
        if window.name == "schedule":
            return self._random.randrange(PERIODS + 1).to_bytes(2, "little") + data[2:]
        if window.name == "settle":
            return self._random.randrange(4).to_bytes(2, "little")
        if window.name == "margin" and self._random.random() < 0.6:
            return bytes(window.word_bytes)  # a call runs
        return data

    def _cut(self, payload: bytes) -> bytes:
        """Make a payload a byte longer or shorter, seldom."""
        choice = self._random.random()
        if choice < 0.05:
            return payload[:-1]
        return (payload + b"\1")[:PAYLOAD_BYTES] if choice > 0.95 else payload

    def _window(self) -> tuple[int, Window]:
        windows = self._memory_map.windows
        number = self._random.choice([*range(len(windows) + 2), *range(1, len(windows) + 1), 255])
        exists = 1 <= number <= len(windows)
        return number, windows[number - 1] if exists else Window("none", Region.INPUT, 5, 8)

    def _word(self, window: Window) -> int:
        words = window.words
        edges = [words - 1, words, words + 1, 2 * words, 255, 256, 0xFFFF, 0x10000, 0xFFFFFF, 1 << 15 | 1]
        return self._random.choice(
            [0, 0, 0, 0, 0, self._random.randrange(words), words - 1, self._random.choice(edges)]
        )

    def _no_address(self) -> tuple[int, int]:
        return self._random.choice([*[(0, 0)] * 12, (1, 0), (0, 1), (0, 0x10000), (255, 0)])

    def _region(self, region: Region) -> bytes:
        windows = self._memory_map.region(region)
        return self._memory_map.join(region, {window.name: self._device.contents(window) for window in windows})

    def _odd_frame(self) -> bytes:
        """Return a frame whose CRC is right, but which is of any length."""
        overhead = CRC32.size
        length = self._random.choice([0, 1, 4, 8, 9, FRAME_BYTES - overhead, FRAME_BYTES - overhead + 1, 300])
        body = bytes(self._random.choice([0, 1, 2, 3, 255]) for _ in range(length))
        return cobs.encode(body + CRC32.pack(crc32(body))) + DELIMITER

    def _damage(self, data: bytes) -> bytes:
        """Flip a bit, lose a byte, invent one, send twice, or cut off before the delimiter."""
        place = self._random.randrange(len(data))
        before, here, after = data[:place], data[place], data[place + 1 :]
        flipped = bytes([here ^ 1 << self._random.randrange(8)])
        invented = bytes([self._random.randrange(256), here])
        twice = 2 * data if 2 * len(data) <= MESSAGE_BYTES else data
        return self._random.choice([before + flipped + after, before + after, before + invented + after, twice, before])
