"""What a binary Equilibrium Propagation array is given for a call, and what it reports."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.spec.base import IntegerArray


class EqPropInput(NamedTuple):
    """What a device is given for a call.

    Parameters
    ----------
    bits:
        Input bits, shape (inputs,), uint8.
    sigma:
        0 to classify, 1 to learn nudged toward the label, -1 to learn nudged away from it.
    label:
        Class of the sample; one that is no class nudges all outputs toward 0.
    thresholds:
        Count against a weight at which it flips, shape (connections,), int64.
    """

    bits: npt.NDArray[np.uint8]
    sigma: int
    label: int
    thresholds: IntegerArray


@dataclass(frozen=True)
class EqPropResult:
    """What a device reports after a call.

    Parameters
    ----------
    winner:
        Class with the greatest score, the lowest one on ties.
    scores:
        For each class, the sum of its outputs' states at the end of the free phase, shape (classes,), uint16.
    settled:
        True if the last step of the free phase changed no state.
    free_steps, nudged_steps:
        Steps that were run; no nudged ones in a call that does not learn.
    learnt:
        True if the call asked for learning and was not aborted.
    touched:
        Counters that the sample changed or would have, were they not at the end of their range.
    flips:
        Weights that changed their sign.
    cycles:
        Clock cycles from start to end; 0 on a board that does not model them.
    aborted:
        True if the call was ended by an abort.
    """

    winner: int
    scores: IntegerArray
    settled: bool
    free_steps: int
    nudged_steps: int = 0
    learnt: bool = False
    touched: int = 0
    flips: int = 0
    cycles: int = 0
    aborted: bool = False

    #: Window ``result``: flags (1 settled, 2 aborted, 4 learnt), a zero byte, winner, free steps in the low and nudged
    #: ones in the high byte, touched, flips, cycles.
    STRUCT: ClassVar[struct.Struct] = struct.Struct("<BxHHIII")

    def encode(self) -> bytes:
        """Return the output region."""
        flags = self.settled | self.aborted << 1 | self.learnt << 2
        steps = self.free_steps | self.nudged_steps << 8
        numbers = self.STRUCT.pack(flags, self.winner, steps, self.touched, self.flips, self.cycles)
        return numbers + self.scores.astype("<u2").tobytes()

    @classmethod
    def decode(cls, data: bytes) -> EqPropResult:
        """Inverse of :meth:`encode`."""
        flags, winner, steps, touched, flips, cycles = cls.STRUCT.unpack_from(data)
        return cls(
            winner=winner,
            scores=np.frombuffer(data, "<u2", offset=cls.STRUCT.size).astype(np.uint16),
            settled=bool(flags & 1),
            free_steps=steps & 0xFF,
            nudged_steps=steps >> 8,
            learnt=bool(flags & 4),
            touched=touched,
            flips=flips,
            cycles=cycles,
            aborted=bool(flags & 2),
        )
