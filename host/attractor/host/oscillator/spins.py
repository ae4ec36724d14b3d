"""What comes back of reads that bring spins alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.spec import OscillatorSpec

__all__ = ["SpinReads"]


@dataclass(frozen=True)
class SpinReads:
    """How reads ended, in the order of their seeds.

    Parameters
    ----------
    spins:
        +1 where a target is on the reference oscillator's side, otherwise -1, see :meth:`OscillatorSpec.spins`. Shape
        (reads, targets), int8.
    settled:
        True if no phase changed in the last ``max(settle, 1)`` whole periods, shape (reads,).
    periods:
        Whole periods that were run, shape (reads,), int64.
    last_change:
        Slots from the start until the last phase change, the changing slot included; 0 if none changed. Shape (reads,),
        int64.
    cycles:
        Clock cycles from start to end, shape (reads,), int64; 0 on a board that does not model them.
    """

    spins: npt.NDArray[np.int8]
    settled: npt.NDArray[np.bool_]
    periods: npt.NDArray[np.int64]
    last_change: npt.NDArray[np.int64]
    cycles: npt.NDArray[np.int64]

    @classmethod
    def of(cls, spec: OscillatorSpec, answers: Sequence[bytes]) -> SpinReads:
        """Return what calls answered, each with its first :attr:`OscillatorSpec.spin_bytes` bytes."""
        decoded = [spec.decode_spins(answer) for answer in answers]
        spins = np.array([spins for _, spins in decoded], np.int8).reshape(-1, spec.targets)
        names = ("settled", "periods", "last_change", "cycles")
        settled, *numbers = (np.array([record[name] for record, _ in decoded], np.int64) for name in names)
        return cls(spins, settled.astype(bool), *numbers)
