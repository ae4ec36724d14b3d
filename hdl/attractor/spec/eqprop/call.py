"""What a binary Equilibrium Propagation array is given for a call, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from warnings import warn

import numpy as np
import numpy.typing as npt

from attractor.spec.base import IntegerArray
from attractor.spec.records import Field, Record, unused

__all__ = ["RESULT", "SCORE", "STEPS", "STEP_COLUMNS", "EqPropInput", "EqPropResult", "sample_record"]

#: The word of the window ``steps``.
STEPS = Record(
    (
        Field("free", 8, meaning="most steps of the free phase; 0 is read as 1"),
        Field("nudged", 8, meaning="most steps of the nudged phase; 0 is read as 1"),
    )
)
#: Columns of ``steps``: most steps of the free phase and of the nudged one.
STEP_COLUMNS = tuple(field.name for field in STEPS)

#: The window ``result``.
RESULT = Record(
    (
        Field("settled", 1, meaning="the last step of the free phase changed no state"),
        Field("aborted", 1, meaning="ended by an abort"),
        Field("learnt", 1, meaning="asked to learn, and not aborted"),
        unused(13),
        Field("winner", 16, meaning="class with the greatest score, the lowest one on ties"),
        Field("free_steps", 8, meaning="steps of the free phase"),
        Field("nudged_steps", 8, meaning="steps of the nudged phase"),
        Field("touched", 32, meaning="counters that the sample changed, or would have within their range"),
        Field("flips", 32, meaning="weights that changed their sign"),
        Field("cycles", 32, meaning="clock cycles from start to end"),
    )
)

#: A word of the window ``scores``.
SCORE = Record((Field("score", 16, meaning="sum of the states of the outputs of a class"),))


def sample_record(inputs: int, connections: int, *, learning: bool) -> Record:
    """Return the record of the window ``sample``: input bits, and before them, to learn, what to make of them.

    What seldom changes comes first: calls carry only the bytes from the first that changes to the last.
    """
    header = (
        Field("threshold", 16, count=connections, meaning="count against a weight at which it flips, by connection"),
        Field("learn", 1, meaning="learn the sample"),
        Field("reversed", 1, meaning="nudge away from the label"),
        unused(6),
        Field("label", 8, meaning="class of the sample; one that is no class nudges all outputs toward 0"),
    )
    return Record((*(header if learning else ()), Field("bit", 1, count=inputs, meaning="input bits")))


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

    def encode(self) -> bytes:
        """Return the output region; :meth:`EqPropSpec.encode_output` calls it."""
        return RESULT.encode(vars(self)) + self.scores.astype("<u2").tobytes()

    @classmethod
    def decode(cls, data: bytes) -> EqPropResult:
        """Use :meth:`EqPropSpec.decode_output` instead."""
        warn(
            "EqPropResult.decode(data) is now spec.decode_output(data); the old name goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        return decoded_result(data)


def decoded_result(data: bytes) -> EqPropResult:
    """Return what an output region reports."""
    values = RESULT.decode(data[: RESULT.size])
    values |= {name: bool(values[name]) for name in ("settled", "aborted", "learnt")}
    return EqPropResult(scores=np.frombuffer(data, "<u2", offset=RESULT.size).astype(np.uint16), **values)
