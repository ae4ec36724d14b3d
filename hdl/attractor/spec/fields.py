"""Parameters that many things have each: one word for each of them, a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.spec.base import IntegerArray, ParameterSpec
from attractor.spec.memory_map import Region, Window
from attractor.spec.records import Field, Record

__all__ = ["Field", "FieldMemory"]


@dataclass(frozen=True)
class FieldMemory:
    """Words that are records of one kind; one window of the parameter region.

    Parameters
    ----------
    name:
        Name of the window. The parameter of a field is called ``field.name + suffix``.
    words:
        Number of words.
    record:
        Fields of a word, each a single value.
    suffix:
        Last part of the parameters' names.
    """

    name: str
    words: int
    record: Record
    suffix: str = ""

    @property
    def window(self) -> Window:
        """The window."""
        return Window(self.name, Region.PARAMETERS, self.words, self.record.bits, self.record)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(field.name for field in self.record.used)

    @property
    def parameters(self) -> dict[str, ParameterSpec]:
        """One parameter for each field, shape (words,), int32."""
        specs = [
            ParameterSpec(field.name + self.suffix, (self.words,), np.dtype(np.int32), *field.range)
            for field in self.record.used
        ]
        return {spec.name: spec for spec in specs}

    def encode(self, parameters: Mapping[str, IntegerArray]) -> dict[str, bytes]:
        """Return the bytes of the window."""
        values = {field.name: parameters[field.name + self.suffix] for field in self.record.used}
        return {self.name: self.record.encode_words(values, self.words).tobytes()}

    def decode(self, windows: Mapping[str, bytes]) -> dict[str, npt.NDArray[np.int32]]:
        """Inverse of :meth:`encode`."""
        values = self.record.decode_words(windows[self.name], self.words)
        return {name + self.suffix: numbers.astype(np.int32) for name, numbers in values.items()}
