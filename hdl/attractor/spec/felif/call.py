"""What a spiking network is given for a call, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from warnings import warn

import numpy as np
import numpy.typing as npt

from attractor.spec.records import Field, Record, unused

__all__ = ["RESULT", "FelifInput", "FelifResult"]

#: The window ``result``.
RESULT = Record(
    (
        unused(1),
        Field("aborted", 1, meaning="ended by an abort"),
        unused(14, 1),
        Field("winner", 16, meaning="neuron of the last layer with the greatest output, the lowest one on ties"),
        Field("ticks", 32, meaning="ticks that were run"),
        Field("spikes", 32, meaning="spikes of all layers"),
        Field("cycles", 32, meaning="clock cycles from start to end"),
    )
)


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

    def encode_numbers(self) -> bytes:
        """Return the window ``result``."""
        return RESULT.encode(vars(self))

    @classmethod
    def decode(cls, numbers: bytes, outputs: npt.NDArray[np.int64]) -> FelifResult:
        """Use :meth:`FelifSpec.decode_output` instead."""
        warn(
            "FelifResult.decode(numbers, outputs) is now spec.decode_output(data); the old name goes with the next "
            "release",
            DeprecationWarning,
            stacklevel=2,
        )
        return decoded_result(numbers, outputs)


def decoded_result(numbers: bytes, outputs: npt.NDArray[np.int64]) -> FelifResult:
    """Return the result of the window ``result`` and the outputs."""
    values = RESULT.decode(numbers)
    return FelifResult(outputs=outputs, **(values | {"aborted": bool(values["aborted"])}))
