"""Random traffic for a device: requests good and bad, and bytes that are none."""

from __future__ import annotations

import random

from cobs import cobs

from attractor.sim.golden_link import GoldenLink
from attractor.spec import OscillatorSpec, Region, Window
from attractor.spec.protocol import CRC32, DELIMITER, FRAME_BYTES, PAYLOAD_BYTES, Command, Request, crc16, crc32

#: A network in which nothing is a round number, and which learns.
SMALL = OscillatorSpec(
    oscillators=11, inputs=4, labels=3, reference=1, lanes=3, schedule_entries=3, lock_phases=3, learning=True
)
#: Words of 2 lanes, no inputs, no labels, the finest phases.
PLAIN = OscillatorSpec(oscillators=5, weight_bits=3, phase_bits=3, lanes=2, schedule_entries=1)
#: Most periods of a schedule entry, so that no call takes long.
PERIODS = 5
#: Longest message.
MESSAGE_BYTES = 310


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
        self._sequence = 0
        #: The last message may make the device run.
        self.calls = False

    def message(self) -> bytes:
        """Return the next bytes: mostly a request, now and then damaged, sometimes anything."""
        self.calls = False
        choice = self._random.random()
        if choice < 0.8:
            return self.request().encode()
        if choice < 0.9:
            return self._damage(self.request().encode())
        if choice < 0.95:
            # A frame whose CRC is right, but which is of any length.
            length = self._random.choice([0, 1, 4, 5, 6, 7, 8, FRAME_BYTES - 2, FRAME_BYTES - 1, FRAME_BYTES, 300])
            body = bytes(self._random.choice([0, 1, 2, 3, 255]) for _ in range(length))
            return cobs.encode(body + crc16(body).to_bytes(2, "little")) + DELIMITER
        return self._random.randbytes(self._random.choice([0, 1, 3, 300])) + DELIMITER

    def request(self) -> Request:
        """Return a request, good or bad."""
        choose = self._random.choice
        self._sequence = (self._sequence + choose([0, 1, 1, 1, 256])) % 65536
        command = choose([*Command, *Command, Command.CALL, Command.CALL, Command.COMMIT, 0, 9, 0x7F, 0x81, 0xFF])
        self.calls = command == Command.CALL
        match command:
            case Command.READ | Command.DIGEST:
                return self._reading(command)
            case Command.WRITE:
                return self._writing()
            case Command.CALL:
                return self._calling()
            case Command.COMMIT:
                good = CRC32.pack(crc32(self._region(Region.PARAMETERS)))
                return Request(
                    self._sequence,
                    command,
                    *self._no_address(),
                    choose([good, good, good, bytes(4), b"", good + b"\0"]),
                )
        return Request(self._sequence, command, *self._no_address(), choose([b"", b"", b"", b"\0", bytes(4)]))

    def _reading(self, command: int) -> Request:
        number, window = self._window()
        word = self._word(window)
        rest = max(0, window.words - word)
        if command == Command.READ:
            counts = [0, 1, 2, rest, window.words_per_frame, window.words_per_frame + 1, 255]
            length = 1
        else:
            counts = [0, 1, 2, rest, rest + 1, window.words, 0xFFFF, 0xFFFFFF]
            length = 3
        count = min(self._random.choice(counts), (1 << 8 * length) - 1)
        return Request(self._sequence, command, number, word, self._cut(count.to_bytes(length, "little")))

    def _writing(self) -> Request:
        number, window = self._window()
        word = self._word(window)
        return Request(self._sequence, Command.WRITE, number, word, self._cut(self._words(window, word, PAYLOAD_BYTES)))

    def _calling(self) -> Request:
        inputs = self._memory_map.region(Region.INPUT)
        window = self._random.choice(inputs)
        number, word = self._memory_map.number(window.name), self._random.choice([0, 0, 1, window.words - 1])
        if self._random.random() < 0.2:
            number, window = self._window()
            word = self._word(window)
        data = self._words(window, word, PAYLOAD_BYTES - CRC32.size)
        contents = {each.name: self._device.contents(each) for each in inputs}
        if window.name in contents:
            old = contents[window.name]
            start = word * window.word_bytes
            contents[window.name] = (old[:start] + data + old[start + len(data) :])[: len(old)]
        digest = crc32(self._memory_map.join(Region.INPUT, contents))
        if self._random.random() < 0.2:
            digest ^= 1 << self._random.randrange(32)
        return Request(self._sequence, Command.CALL, number, word, self._cut(CRC32.pack(digest) + data))

    def _words(self, window: Window, word: int, limit: int) -> bytes:
        """Return random words for a window, most often as many as it has from ``word``."""
        rest = max(0, window.words - word)
        count = self._random.choice([0, 1, 2, rest, rest, rest + 1])
        count = min(count, limit // window.word_bytes)
        return b"".join(self._contents(window) for _ in range(count))

    def _contents(self, window: Window) -> bytes:
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

    def _damage(self, data: bytes) -> bytes:
        """Flip a bit, lose a byte, invent one, send twice, or cut off before the delimiter."""
        place = self._random.randrange(len(data))
        before, here, after = data[:place], data[place], data[place + 1 :]
        flipped = bytes([here ^ 1 << self._random.randrange(8)])
        invented = bytes([self._random.randrange(256), here])
        return self._random.choice(
            [before + flipped + after, before + after, before + invented + after, 2 * data, before]
        )
