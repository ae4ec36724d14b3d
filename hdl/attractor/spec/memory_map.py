"""Memory windows: how a device's memories appear to the link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from attractor.spec.packing import pack_words, packed_bytes, unpack_words
from attractor.spec.records import Field, Record

__all__ = ["MOST_WORDS", "PAYLOAD_BYTES", "MemoryMap", "Region", "Window", "number_window", "record_window"]

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
    record:
        What the bits mean: fields of a word if the record is as wide as one, else of all bytes of the window.
    """

    name: str
    region: Region
    words: int
    word_bits: int
    record: Record | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.words <= MOST_WORDS:
            raise ValueError(f"window {self.name} has {self.words} words; it must have 1 to {MOST_WORDS}")
        if not 1 <= self.word_bits <= 8 * PAYLOAD_BYTES:
            raise ValueError(
                f"a word of window {self.name} has {self.word_bits} bits; it must have 1 to {8 * PAYLOAD_BYTES}"
            )

        if self.record and not self.record_is_a_word and (self.word_bits != 8 or self.record.size != self.words):
            raise ValueError(
                f"the record of window {self.name} has {self.record.bits} bits; it must have those of a word, "
                f"{self.word_bits}, or fill {self.words} bytes"
            )

    @property
    def record_is_a_word(self) -> bool:
        """Whether each word is a record of its own."""
        return self.record is not None and self.record.bits == self.word_bits

    @property
    def holds_several(self) -> bool:
        """Whether there are several records, one in each word."""
        return self.record_is_a_word and self.words > 1

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


def number_window(name: str, region: Region, bits: int, meaning: str) -> Window:
    """Return a window of one word that is an unsigned number."""
    return Window(name, region, 1, bits, Record((Field(name, bits, meaning=meaning),)))


def record_window(name: str, region: Region, record: Record) -> Window:
    """Return a window of the bytes of one record."""
    return Window(name, region, record.size, 8, record)


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

    def describe(self) -> list[dict[str, Any]]:
        """Return the windows as JSON objects in order, with their numbers and the fields of their words."""
        return [
            {
                "number": number,
                "name": window.name,
                "region": window.region.value,
                "words": window.words,
                "word_bits": window.word_bits,
            }
            | ({} if window.record is None else {_fields_of(window): window.record.describe()})
            for number, window in enumerate(self.windows, start=1)
        ]

    def table(self) -> str:
        """Return the windows, and the fields of each, as tables in Markdown."""
        lines = ["| number | window | region | words | bits of a word |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {number} | `{window.name}` | {window.region.value} | {window.words:,} | {window.word_bits:,} |"
            for number, window in enumerate(self.windows, start=1)
        ]
        for window in self.windows:
            if window.record is not None:
                what = "a word of" if window.holds_several else "the window"
                lines += ["", f"Fields of {what} `{window.name}`:", "", window.record.table()]
        return "\n".join(lines)

    def number(self, name: str) -> int:
        """Return the number by which the link addresses the window ``name``."""
        return 1 + [window.name for window in self.windows].index(name)

    def region(self, region: Region) -> tuple[Window, ...]:
        """Return the windows of one region, in order."""
        return tuple(window for window in self.windows if window.region is region)

    def size(self, region: Region) -> int:
        """Return the bytes of all windows of one region."""
        return sum(window.size for window in self.region(region))

    def packed_size(self, region: Region) -> int:
        """Return the bytes of all words of one region in a row, without the unused bits between them."""
        return packed_bytes(1, sum(window.words * window.word_bits for window in self.region(region)))

    def packed(self, region: Region, data: bytes) -> bytes:
        """Return the words of one region in a row, each as many bits as it has, from the region's bytes."""
        contents = self.split(region, data)
        bits = [
            np.unpackbits(
                np.frombuffer(pack_words(contents[window.name], window.word_bytes, window.word_bits), np.uint8),
                count=window.words * window.word_bits,
                bitorder="little",
            )
            for window in self.region(region)
        ]
        return np.packbits(np.concatenate(bits), bitorder="little").tobytes()

    def unpacked(self, region: Region, packed: bytes) -> bytes:
        """Inverse of :meth:`packed`."""
        bits, start, contents = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little"), 0, []
        for window in self.region(region):
            width = window.words * window.word_bits
            own = np.packbits(bits[start : start + width], bitorder="little").tobytes()
            contents.append(unpack_words(own, window.words, window.word_bytes, window.word_bits))
            start += width
        return b"".join(contents)

    def join(self, region: Region, contents: dict[str, bytes]) -> bytes:
        """Return the bytes of all windows of one region in order: what a region's CRC-32 runs over."""
        return b"".join(contents[window.name] for window in self.region(region))

    def decode(self, region: Region, data: bytes) -> dict[str, Any]:
        """Return the fields of a region's windows.

        Returns
        -------
        dict
            For each window by its name its bytes if it has no record, otherwise a dict with a value for each field: a
            number if the record fills the window, an array with one row for each word if it is a word.
        """
        contents = self.split(region, data)
        return {window.name: _decoded(window, contents[window.name]) for window in self.region(region)}

    def encode(self, region: Region, values: Mapping[str, Any]) -> bytes:
        """Inverse of :meth:`decode`."""
        return self.join(region, {window.name: _encoded(window, values[window.name]) for window in self.region(region)})

    def split(self, region: Region, data: bytes) -> dict[str, bytes]:
        """Inverse of :meth:`join`; raise :class:`ValueError` if the length is wrong."""
        if len(data) != self.size(region):
            raise ValueError(f"{len(data)} bytes for the {region.value} region of {self.size(region)} bytes")
        contents, start = {}, 0
        for window in self.region(region):
            contents[window.name] = data[start : start + window.size]
            start += window.size
        return contents


def _decoded(window: Window, data: bytes) -> Any:
    if window.record is None:
        return data
    return window.record.decode_words(data, window.words) if window.holds_several else window.record.decode(data)


def _encoded(window: Window, value: Any) -> bytes:
    if window.record is None:
        return value
    if window.holds_several:
        return window.record.encode_words(value, window.words).tobytes()
    return window.record.encode(value)


def _fields_of(window: Window) -> str:
    """Return what JSON calls the fields of a window."""
    return "fields_of_a_word" if window.holds_several else "fields_of_the_window"
