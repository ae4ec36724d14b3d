"""Requests to a device whose state is known from its golden model."""

from __future__ import annotations

import random

from attractor.sim.golden_link import GoldenLink
from attractor.spec import PAYLOAD_BYTES, Region, Window
from attractor.spec.protocol import CRC32, Command, Request, crc32


class Requests:
    """Makes requests, each with the next sequence number."""

    def __init__(self, golden: GoldenLink, seed: int = 0) -> None:
        self.golden = golden
        self.random = random.Random(seed)
        self.sequence = self.random.randrange(0x10000)

    def request(self, command: int, window: int = 0, word: int = 0, payload: bytes = b"") -> Request:
        self.sequence = (self.sequence + 1) % 0x10000
        return Request(self.sequence, command, window, word, payload)

    def region(self, region: Region) -> bytes:
        return b"".join(self.golden.contents(window) for window in self.golden.memory_map.region(region))

    def write(self, name: str, word: int, data: bytes) -> Request:
        return self.request(Command.WRITE, self.golden.memory_map.number(name), word, data)

    def read(self, name: str, word: int, count: int) -> Request:
        return self.request(Command.READ, self.golden.memory_map.number(name), word, bytes([count]))

    def commit(self) -> Request:
        return self.request(Command.COMMIT, payload=CRC32.pack(crc32(self.region(Region.PARAMETERS))))

    def call(self, data: bytes = b"", word: int = 0) -> Request:
        """Call with ``data`` in the first input window."""
        window = self.golden.memory_map.region(Region.INPUT)[0]
        inputs = bytearray(self.region(Region.INPUT))
        start = word * window.word_bytes
        inputs[start : start + len(data)] = data
        number = self.golden.memory_map.number(window.name)
        return self.request(Command.CALL, number, word, CRC32.pack(crc32(bytes(inputs))) + data)

    def any(self) -> Request:
        """Make a request that is often good and always possible."""
        rng = self.random
        number = rng.randrange(len(self.golden.memory_map.windows) + 2)
        windows = self.golden.memory_map.windows
        window = windows[number - 1] if 1 <= number <= len(windows) else Window("description", Region.OUTPUT, 267, 8)
        word = rng.choice([0, 0, rng.randrange(window.words), window.words - 1, window.words, rng.getrandbits(24)])
        room = min(max(window.words - word, 0), PAYLOAD_BYTES // window.word_bytes)
        count = max(0, rng.choice([0, 1, room, room, room + 1, rng.randrange(room + 1)]))
        data = rng.randbytes(count * window.word_bytes)[:PAYLOAD_BYTES]
        if rng.random() < 0.1:
            data = data[:-1]
        match rng.randrange(12):
            case 0:
                return self.request(Command.IDENTIFY)
            case 1 | 2:
                return self.request(Command.READ, number, word, bytes([min(count, 255)]))
            case 3:
                return self.request(Command.DIGEST, number, word, count.to_bytes(3, "little"))
            case 4 | 5:
                return self.request(Command.WRITE, number, word, data)
            case 6:
                return self.commit()
            case 7:
                return self.call()
            case 8:
                return self.request(Command.CALL, number, word, (rng.randbytes(4) + data)[:PAYLOAD_BYTES])
            case 9:
                return self.request(Command.COUNTERS)
            case 10:
                return self.request(Command.ABORT)
            case _:
                length = rng.choice([0, 1, 3, 4, 5, 11, 240])
                return self.request(
                    rng.choice([*range(10), 0x16, 0x83, 255]),
                    rng.choice([0, 0, 1, 255]),
                    rng.choice([0, word]),
                    rng.randbytes(length),
                )
