"""Memories of lanes: a word has a few bits for each lane, and is cut into windows whose words fit one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.spec.base import IntegerArray
from attractor.spec.memory_map import PAYLOAD_BYTES, Region, Window

__all__ = ["BLOCK_LANES", "LaneMemory"]

#: A window that is not the last of its memory has a multiple of so many lanes: these fill block RAMs of any width.
BLOCK_LANES = 72


@dataclass(frozen=True)
class LaneMemory:
    """Words for all lanes, the lowest lane in the lowest bits, cut into the windows ``name.0``, ``name.1``, ...

    Parameters
    ----------
    name:
        First part of the windows' names.
    words:
        Number of words.
    lanes:
        Lanes of a word.
    lane_bits:
        Bits of a lane, 1 to 16.
    """

    name: str
    words: int
    lanes: int
    lane_bits: int

    @property
    def segments(self) -> tuple[slice, ...]:
        """Lanes of each window; all but the last are a multiple of :data:`BLOCK_LANES` lanes."""
        most = 8 * PAYLOAD_BYTES // self.lane_bits
        width = self.lanes if self.lanes <= most else most // BLOCK_LANES * BLOCK_LANES
        return tuple(slice(start, min(start + width, self.lanes)) for start in range(0, self.lanes, width))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the windows, one for each segment."""
        return tuple(f"{self.name}.{index}" for index in range(len(self.segments)))

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows, in order."""
        return tuple(
            Window(name, Region.PARAMETERS, self.words, (lanes.stop - lanes.start) * self.lane_bits)
            for name, lanes in zip(self.names, self.segments, strict=True)
        )

    def encode(self, values: IntegerArray) -> dict[str, bytes]:
        """Return the bytes of each window; ``values`` has shape (words, lanes), and only low bits count."""
        return {
            name: self._packed(values[:, lanes]).tobytes()
            for name, lanes in zip(self.names, self.segments, strict=True)
        }

    def decode(self, windows: Mapping[str, bytes]) -> npt.NDArray[np.uint16]:
        """Return the bits of each lane, shape (words, lanes)."""
        values = np.empty((self.words, self.lanes), np.uint16)
        for name, lanes in zip(self.names, self.segments, strict=True):
            values[:, lanes] = self._unpacked(windows[name], lanes.stop - lanes.start)
        return values

    def decode_signed(self, windows: Mapping[str, bytes]) -> npt.NDArray[np.int16]:
        """Return the bits of each lane as a two's complement number, shape (words, lanes)."""
        shift = 16 - self.lane_bits
        return (self.decode(windows) << shift).view(np.int16) >> shift

    def invert(
        self, windows: Mapping[str, bytes], words: npt.NDArray[np.intp], changes: IntegerArray
    ) -> dict[str, bytes]:
        """Return the windows with some bits inverted: those set in ``changes``, shape (len(words), lanes)."""
        inverted = {}
        for name, lanes in zip(self.names, self.segments, strict=True):
            contents = np.frombuffer(windows[name], np.uint8).reshape(self.words, -1).copy()
            contents[words] ^= self._packed(changes[:, lanes])
            inverted[name] = contents.tobytes()
        return inverted

    def _packed(self, values: IntegerArray) -> npt.NDArray[np.uint8]:
        """Return the words of one window, shape (words, bytes of a word)."""
        low_bytes = np.ascontiguousarray(values, "<i2")[:, :, None].view(np.uint8)
        bits = np.unpackbits(low_bytes, axis=2, bitorder="little", count=self.lane_bits)
        return np.packbits(bits.reshape(len(values), -1), axis=1, bitorder="little")

    def _unpacked(self, data: bytes, lanes: int) -> npt.NDArray[np.uint16]:
        words = np.frombuffer(data, np.uint8).reshape(self.words, -1)
        bits = np.unpackbits(words, axis=1, bitorder="little", count=lanes * self.lane_bits)
        packed = np.packbits(bits.reshape(self.words, lanes, self.lane_bits), axis=2, bitorder="little")
        both_bytes = np.zeros((self.words, lanes, 2), np.uint8)
        both_bytes[:, :, : packed.shape[2]] = packed
        return both_bytes.view("<u2")[:, :, 0].astype(np.uint16, copy=False)
