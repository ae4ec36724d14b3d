"""What a spiking network is given for a call, and what it reports."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt


class FelifInput(NamedTuple):
    """What a device is given for a call.

    Parameters
    ----------
    frames:
        Input values of the ticks to run, shape (ticks, inputs), int64.
    keep:
        Go on from where the last call ended instead of at the start.
    """

    frames: npt.NDArray[np.int64]
    keep: bool


@dataclass(frozen=True)
class FelifResult:
    """What a device reports after a call.

    Parameters
    ----------
    winner:
        Neuron of the last layer with the greatest output, the lowest one on ties.
    outputs:
        Of the last layer's neurons, shape (outputs,), int64: the voltages of a read-out, otherwise how often each
        spiked in this call.
    ticks:
        Ticks that were run.
    spikes:
        Spikes of all layers in this call.
    cycles:
        Clock cycles from start to end; 0 on a board that does not model them.
    aborted:
        True if the call was ended by an abort.
    """

    winner: int
    outputs: npt.NDArray[np.int64]
    ticks: int
    spikes: int
    cycles: int = 0
    aborted: bool = False

    #: Window ``result``: flags (2 aborted), a zero byte, winner, ticks, spikes, cycles.
    STRUCT: ClassVar[struct.Struct] = struct.Struct("<BxHIII")

    def encode_numbers(self) -> bytes:
        """Return the window ``result``."""
        return self.STRUCT.pack(self.aborted << 1, self.winner, self.ticks, self.spikes, self.cycles)

    @classmethod
    def decode(cls, numbers: bytes, outputs: npt.NDArray[np.int64]) -> FelifResult:
        """Return the result from the window ``result`` and the outputs; :meth:`FelifSpec.decode_output` calls it."""
        flags, winner, ticks, spikes, cycles = cls.STRUCT.unpack(numbers)
        return cls(winner, outputs, ticks, spikes, cycles, bool(flags & 2))
