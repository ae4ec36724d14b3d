"""Records: lists of named fields, declared once; codecs, gateware layouts, memory maps and tables derive from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Field", "Record", "unused"]


@dataclass(frozen=True)
class Field:
    """An integer of a record, or several of the same width in a row.

    Parameters
    ----------
    name:
        Unique within the record.
    bits:
        Width of one value, 1 to 63.
    signed:
        Two's complement.
    high:
        Greatest allowed value; default all that the width holds.
    count:
        Number of values; None for a single one. The first is in the lowest bits.
    meaning:
        What it says, in a few words, for tables and memory maps.
    unused:
        Bits that nobody reads; they are written as 0.

    Raises
    ------
    ValueError
        If the width is out of range.
    """

    name: str
    bits: int
    signed: bool = False
    high: int | None = None
    count: int | None = None
    meaning: str = ""
    unused: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 63:
            raise ValueError(f"field {self.name} has {self.bits} bits; it must have 1 to 63")

    @property
    def range(self) -> tuple[int, int]:
        """Least and greatest allowed value."""
        low, high = (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.signed else (0, (1 << self.bits) - 1)
        return low, high if self.high is None else self.high

    @property
    def width(self) -> int:
        """Bits of all values together."""
        return self.bits * (1 if self.count is None else self.count)


def unused(bits: int, place: int = 0) -> Field:
    """Return a field of bits that nobody reads; ``place`` tells several of one record apart."""
    return Field(f"unused_{place}", bits, unused=True)


@dataclass(frozen=True)
class Record:
    """Fields one after another, the first in the lowest bits.

    Parameters
    ----------
    fields:
        The fields.

    Raises
    ------
    ValueError
        If two fields have one name: one of them would vanish.
    """

    fields: tuple[Field, ...]
    _places: dict[str, tuple[Field, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places, start = {}, 0
        for item in self.fields:
            if item.name in places:
                raise ValueError(f"a record has two fields called {item.name}")
            places[item.name] = item, start
            start += item.width
        object.__setattr__(self, "_places", places)

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __getitem__(self, name: str) -> Field:
        return self._places[name][0]

    def start(self, name: str) -> int:
        """Return the number of the lowest bit of a field."""
        return self._places[name][1]

    @cached_property
    def bits(self) -> int:
        """Width of the record."""
        return sum(item.width for item in self.fields)

    @property
    def size(self) -> int:
        """Bytes of the record, the last one filled up with zeros."""
        return (self.bits + 7) // 8

    @property
    def used(self) -> tuple[Field, ...]:
        """Fields that mean something."""
        return tuple(item for item in self.fields if not item.unused)

    # Codec

    def encode_words(self, values: Mapping[str, npt.ArrayLike], words: int) -> npt.NDArray[np.uint8]:
        """Return ``words`` records as bytes, shape (words, size).

        Parameters
        ----------
        values:
            For each used field an integer array of shape (words,), or (words, count) where it has several values. Only
            the bits that a field holds count.
        words:
            Number of records.
        """
        columns = []
        for item in self.fields:
            if item.unused:
                columns.append(np.zeros((words, item.width), np.uint8))
                continue
            numbers = np.ascontiguousarray(values[item.name], "<i8").reshape(words, -1, 1)
            bits = np.unpackbits(numbers.view(np.uint8), axis=2, count=item.bits, bitorder="little")
            columns.append(bits.reshape(words, item.width))
        return np.packbits(np.concatenate(columns, axis=1), axis=1, bitorder="little")

    def decode_words(self, data: bytes, words: int) -> dict[str, npt.NDArray[np.int64]]:
        """Inverse of :meth:`encode_words`, whatever unused bits are."""
        rows = np.frombuffer(data, np.uint8).reshape(words, self.size)
        bits = np.unpackbits(rows, axis=1, bitorder="little", count=self.bits)
        values = {}
        for item in self.used:
            start = self.start(item.name)
            own = bits[:, start : start + item.width].reshape(words, -1, item.bits)
            packed = np.packbits(own, axis=2, bitorder="little")
            whole = np.zeros((*own.shape[:2], 8), np.uint8)
            whole[:, :, : packed.shape[2]] = packed
            numbers = whole.view("<i8")[:, :, 0].astype(np.int64, copy=False)
            if item.signed:
                unused_bits = 64 - item.bits
                numbers = (numbers << unused_bits) >> unused_bits
            values[item.name] = numbers[:, 0] if item.count is None else numbers
        return values

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """Return one record as bytes; values as for :meth:`encode_words`, without the first axis."""
        total = 0
        for item, start in self._places.values():
            if item.unused:
                continue
            if item.count is not None:
                return self.encode_words({name: np.asarray(value)[None] for name, value in values.items()}, 1).tobytes()
            total |= (int(values[item.name]) & ((1 << item.bits) - 1)) << start
        return total.to_bytes(self.size, "little")

    def decode(self, data: bytes) -> dict[str, Any]:
        """Inverse of :meth:`encode`: an int for each field, an array where it has several values."""
        return {
            name: int(value[0]) if self[name].count is None else value[0]
            for name, value in self.decode_words(data, 1).items()
        }

    def decode_start(self, data: bytes) -> dict[str, int]:
        """Return those fields of one value that lie whole within the first bytes of a record."""
        number, bits = int.from_bytes(data, "little"), 8 * len(data)
        values = {}
        for item in self.used:
            start = self.start(item.name)
            if item.count is None and start + item.bits <= bits:
                value = number >> start & ((1 << item.bits) - 1)
                values[item.name] = value - (1 << item.bits) if item.signed and value >> item.bits - 1 else value
        return values

    # Documentation

    def describe(self) -> list[dict[str, Any]]:
        """Return the used fields as JSON objects, for memory maps."""
        described = []
        for item in self.used:
            entry: dict[str, Any] = {"name": item.name, "bit": self.start(item.name), "bits": item.bits}
            entry |= {"signed": True} if item.signed else {}
            entry |= {} if item.count is None else {"count": item.count}
            entry |= {"meaning": item.meaning} if item.meaning else {}
            described.append(entry)
        return described

    def table(self) -> str:
        """Return the used fields as a table in Markdown."""
        lines = ["| bits | field | meaning |", "| --- | --- | --- |"]
        for item in self.used:
            start = self.start(item.name)
            last = start + item.width - 1
            bits = str(start) if last == start else f"{start} to {last}"
            kind = f"`{item.name}`" + ("" if item.count is None else f" x {item.count}")
            kind += f", {item.bits} bits each" if item.count is not None and item.bits > 1 else ""
            lines.append(f"| {bits} | {kind}{', signed' if item.signed else ''} | {item.meaning} |")
        return "\n".join(lines)
