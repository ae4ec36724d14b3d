"""Words of named fields: one word for each of many things, in which every field has its own width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.spec.base import IntegerArray, ParameterSpec
from attractor.spec.memory_map import Region, Window


@dataclass(frozen=True)
class Field:
    """An integer of a word.

    Parameters
    ----------
    name:
        Unique within the word.
    bits:
        Width, 1 to 32.
    signed:
        Two's complement.
    high:
        Greatest allowed value; default all that the width holds.
    """

    name: str
    bits: int
    signed: bool = False
    high: int | None = None

    @property
    def range(self) -> tuple[int, int]:
        """Least and greatest allowed value."""
        low, high = (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.signed else (0, (1 << self.bits) - 1)
        return low, high if self.high is None else self.high


@dataclass(frozen=True)
class FieldMemory:
    """Words with the same fields, the first field in the lowest bits; one window of the parameter region.

    Parameters
    ----------
    name:
        Name of the window. The parameter of a field is called ``field.name + suffix``.
    words:
        Number of words.
    fields:
        Fields of a word.
    suffix:
        Last part of the parameters' names.
    """

    name: str
    words: int
    fields: tuple[Field, ...]
    suffix: str = ""

    @property
    def word_bits(self) -> int:
        """Width of a word."""
        return sum(field.bits for field in self.fields)

    @property
    def window(self) -> Window:
        """The window."""
        return Window(self.name, Region.PARAMETERS, self.words, self.word_bits)

    @property
    def parameters(self) -> dict[str, ParameterSpec]:
        """One parameter for each field, shape (words,), int32."""
        specs = [
            ParameterSpec(field.name + self.suffix, (self.words,), np.dtype(np.int32), *field.range)
            for field in self.fields
        ]
        return {spec.name: spec for spec in specs}

    def encode(self, parameters: Mapping[str, IntegerArray]) -> dict[str, bytes]:
        """Return the bytes of the window."""
        columns = []
        for field in self.fields:
            values = np.ascontiguousarray(parameters[field.name + self.suffix], "<i4")
            columns.append(np.unpackbits(values.view(np.uint8).reshape(-1, 4), 1, field.bits, "little"))
        return {self.name: np.packbits(np.concatenate(columns, axis=1), axis=1, bitorder="little").tobytes()}

    def decode(self, windows: Mapping[str, bytes]) -> dict[str, npt.NDArray[np.int32]]:
        """Inverse of :meth:`encode`."""
        rows = np.frombuffer(windows[self.name], np.uint8).reshape(self.words, -1)
        bits = np.unpackbits(rows, axis=1, bitorder="little", count=self.word_bits)
        parameters, start = {}, 0
        for field in self.fields:
            packed = np.packbits(bits[:, start : start + field.bits], axis=1, bitorder="little")
            values = np.zeros((self.words, 4), np.uint8)
            values[:, : packed.shape[1]] = packed
            numbers = values.view("<i4")[:, 0].astype(np.int32)
            unused = 32 - field.bits
            parameters[field.name + self.suffix] = (numbers << unused) >> unused if field.signed else numbers
            start += field.bits
        return parameters
