"""Memory windows: how a device's memories appear to the link."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

#: Most bytes that one frame carries, and so the widest word of a window.
PAYLOAD_BYTES = 240
#: Most words of a window: requests number them with 24 bits.
MOST_WORDS = (1 << 24) - 1


class Region(Enum):
    """What a window is for, which decides what writing to it means."""

    #: Survives calls. The first write makes all parameters invalid until a commit.
    PARAMETERS = "parameters"
    #: Written before, or by, each call.
    INPUT = "input"
    #: Read-only; holds the results of the last call.
    OUTPUT = "output"


@dataclass(frozen=True)
class Window:
    """An array of words, each at most one frame long, so that no word is ever half written.

    Parameters
    ----------
    name:
        Unique name within the memory map.
    region:
        What the window is for.
    words:
        Number of words.
    word_bits:
        Bits that the device keeps of each word. On the wire a word is ``word_bytes`` bytes, little-endian,
        and the bits above ``word_bits`` are zero.
    """

    name: str
    region: Region
    words: int
    word_bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.words <= MOST_WORDS:
            raise ValueError(f"window {self.name} has {self.words} words; it must have 1 to {MOST_WORDS}")
        if not 1 <= self.word_bits <= 8 * PAYLOAD_BYTES:
            raise ValueError(
                f"a word of window {self.name} has {self.word_bits} bits; it must have 1 to {8 * PAYLOAD_BYTES}"
            )

    @property
    def word_bytes(self) -> int:
        """Bytes of a word on the wire."""
        return (self.word_bits + 7) // 8

    @property
    def size(self) -> int:
        """Bytes of the whole window on the wire."""
        return self.words * self.word_bytes

    @property
    def words_per_frame(self) -> int:
        """Whole words that fit into one frame."""
        return PAYLOAD_BYTES // self.word_bytes


@dataclass(frozen=True)
class MemoryMap:
    """All windows of a network, in the order in which digests and replies run through them.

    A window's number on the link is its position here plus one; number 0 is the device's description.
    """

    windows: tuple[Window, ...]

    def __post_init__(self) -> None:
        names = [window.name for window in self.windows]
        if len(set(names)) != len(names):
            raise ValueError(f"window names are not unique: {names}")
        if len(names) > 255:
            raise ValueError(f"{len(names)} windows; a device has at most 255")

    def __getitem__(self, name: str) -> Window:
        for window in self.windows:
            if window.name == name:
                return window
        raise KeyError(name)

    def number(self, name: str) -> int:
        """Return the number by which the link addresses the window ``name``."""
        return 1 + [window.name for window in self.windows].index(name)

    def region(self, region: Region) -> tuple[Window, ...]:
        """Return the windows of one region, in order."""
        return tuple(window for window in self.windows if window.region is region)

    def size(self, region: Region) -> int:
        """Return the bytes of all windows of one region."""
        return sum(window.size for window in self.region(region))

    def join(self, region: Region, contents: dict[str, bytes]) -> bytes:
        """Return the bytes of all windows of one region in order: what a region's CRC-32 runs over."""
        return b"".join(contents[window.name] for window in self.region(region))

    def split(self, region: Region, data: bytes) -> dict[str, bytes]:
        """Inverse of :meth:`join`; raise :class:`ValueError` if the length is wrong."""
        if len(data) != self.size(region):
            raise ValueError(f"{len(data)} bytes for the {region.value} region of {self.size(region)} bytes")
        contents, start = {}, 0
        for window in self.region(region):
            contents[window.name] = data[start : start + window.size]
            start += window.size
        return contents
