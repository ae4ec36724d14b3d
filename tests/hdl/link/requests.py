"""Requests to a device whose state is known from its golden model."""

from __future__ import annotations

import random

from attractor.sim.golden_link import GoldenLink
from attractor.spec import PAYLOAD_BYTES, Region, Window
from attractor.spec.packing import packed_bytes
from attractor.spec.protocol import CRC32, NUMBERS, CallHeader, Command, Request, crc32

from .bench import DESCRIPTION, SESSION

_DESCRIPTION = Window("description", Region.OUTPUT, len(DESCRIPTION), 8)


class Requests:
    """Makes requests, each with the next sequence number."""

    def __init__(self, golden: GoldenLink, seed: int = 0, session: int = SESSION) -> None:
        self.golden = golden
        self.random = random.Random(seed)
        self.session = session
        self.sequence = session

    def request(self, command: int, window: int = 0, word: int = 0, payload: bytes = b"") -> Request:
        self.sequence = (self.sequence + 1) % NUMBERS
        return Request(self.sequence, command, window, word, payload)

    def identify(self, session: int) -> Request:
        """Begin another session, or ask again about the one under way."""
        if session != self.session:
            self.session = self.sequence = session
        return Request(session, Command.IDENTIFY)

    def sync(self, position: int) -> Request:
        return Request(self.session, Command.SYNC, 0, position)

    def region(self, region: Region) -> bytes:
        return b"".join(self.golden.contents(window) for window in self.golden.memory_map.region(region))

    def number(self, name: str) -> int:
        return self.golden.memory_map.number(name)

    def write(self, name: str, word: int, data: bytes) -> Request:
        return self.request(Command.WRITE, self.number(name), word, data)

    def read(self, name: str, word: int, count: int) -> Request:
        return self.request(Command.READ, self.number(name), word, bytes([count]))

    def digest(self, name: str, word: int, count: int) -> Request:
        return self.request(Command.DIGEST, self.number(name), word, count.to_bytes(3, "little"))

    def commit(self) -> Request:
        return self.request(Command.COMMIT, payload=CRC32.pack(crc32(self.region(Region.PARAMETERS))))

    def call(self, packed: bytes = b"", *, bits: int = 0, words: int = 1, want: int = 0xFFFF, word: int = 0) -> Request:
        """Call with words of the first input window."""
        window = self.golden.memory_map.region(Region.INPUT)[0]
        header = CallHeader(bits, words, want).pack()
        return self.request(Command.CALL, self.number(window.name), word, header + packed)

    def place(self) -> tuple[int, Window, int]:
        """Return the number of a window that mostly exists, the window, and a word that mostly does."""
        rng, windows = self.random, self.golden.memory_map.windows
        number = rng.randrange(len(windows) + 2)
        window = windows[number - 1] if 1 <= number <= len(windows) else _DESCRIPTION
        inside = rng.randrange(window.words)
        word = rng.choice([0, 0, 0, inside, inside, window.words - 1, window.words, rng.getrandbits(24)])
        return number, window, word

    def any_call(self) -> Request:
        """Make a call that mostly runs, of as many words as fit the window, as many times as the frame holds them."""
        rng = self.random
        number, window, word = self.place()
        if rng.random() < 0.9:
            window = rng.choice(self.golden.memory_map.region(Region.INPUT))
            number, word = self.number(window.name), rng.choice([0, 0, rng.randrange(window.words)])
        words = max(1, min(window.words - word, 0x1FFFF) - rng.choice([0, 0, 1]))
        words = rng.choice([words, words, words, words + 1, rng.randrange(window.words + 1), 0xFF01])
        bits = rng.choice([0, window.word_bits, rng.randrange(1, window.word_bits + 1), window.word_bits + 1])
        want = rng.choice([0, 1, rng.randrange(120), rng.randrange(700), 0x100, 0xFFFF])
        size = packed_bytes(words, bits or window.word_bits)
        room = PAYLOAD_BYTES - CallHeader.STRUCT.size
        length = min(room, size * rng.choice([0, 1, 1, 2, 3, 5]))
        if rng.random() < 0.15:
            length = rng.randrange(min(room, 40))
        return self.request(
            Command.CALL, number, word, CallHeader(bits % 256, words, want).pack() + rng.randbytes(length)
        )

    def any(self) -> Request:
        """Make an ordered request that is often good and always possible."""
        rng = self.random
        number, window, word = self.place()
        room = min(max(window.words - word, 0), PAYLOAD_BYTES // window.word_bytes)
        count = max(0, rng.choice([0, 1, room, room, room + 1, rng.randrange(room + 1)]))
        data = rng.randbytes(count * window.word_bytes)[:PAYLOAD_BYTES]
        if rng.random() < 0.1:
            data = data[:-1]
        match rng.randrange(13):
            case 0 | 1:
                return self.request(Command.READ, number, word, bytes([min(count, 255)]))
            case 2:
                count = rng.choice([count, window.words - word if word <= window.words else 1, count + 0x10000])
                return self.request(Command.DIGEST, number, word, count.to_bytes(3, "little"))
            case 3 | 4:
                return self.request(Command.WRITE, number, word, data)
            case 5:
                return self.commit()
            case 6:
                wrong = self.random.choice([0, 0, 1 << self.random.randrange(32)])
                (digest,) = CRC32.unpack(self.commit().payload)
                return Request(self.sequence, Command.COMMIT, payload=CRC32.pack(digest ^ wrong))
            case 7 | 8 | 9:
                return self.any_call()
            case 10:
                return self.request(Command.COUNTERS)
            case 11:
                step = rng.choice([0, 1, 0x3FFFF, 0x40000, 0x40001, 0x80000, rng.getrandbits(18), rng.getrandbits(24)])
                return self.request(Command.BAUD, payload=step.to_bytes(3, "little"))
            case _:
                length = rng.choice([0, 1, 3, 4, 5, 11, 240])
                return self.request(
                    rng.choice([*range(16), 0x16, 0x17, 0x11, 0x83, 255]),
                    rng.choice([0, 0, 1, 255]),
                    rng.choice([0, word]),
                    rng.randbytes(length),
                )
