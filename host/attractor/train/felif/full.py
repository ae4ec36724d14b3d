"""Backpropagation through every Euler step of the device twin: the honest baseline that BRUNO is compared with.

Only the two states before each step are kept, and what follows from them is worked out again on the way back: no
implementation of the same gradient without recomputing whole stretches keeps less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from attractor.train.felif.bruno import CoarseStep, Floats
from attractor.train.felif.neurons import FelifNeurons, FelifRecord

__all__ = ["FullFelifNeurons", "FullRecord"]


@dataclass
class FullRecord(FelifRecord):
    """States before each Euler step."""

    steps: list[tuple[Floats, Floats]]


class FullFelifNeurons(FelifNeurons):
    """FeLIF by the device twin, with the true gradient of its Euler steps; arguments as for :class:`FelifNeurons`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # The same step, so short that it is the fine one.
        self._step = CoarseStep(self.device, self.tick / self.twin.steps, "B")
        self._threshold = np.asarray(self.device.threshold * self.device.per_volt)

    def advance(self, state: Any, drive: Any) -> FullRecord:
        """Run one tick of the device twin, in place, and keep every step."""
        before, u, p = state.spikes, *self._normalised(state)
        steps: list[tuple[Floats, Floats]] = []
        self.twin.advance(state, drive / self.device.per_ampere(self.tick), record=steps)
        after, _ = self._normalised(state)
        return FullRecord(state.spikes, before, u, p, drive, after, steps)

    def backward(self, record: Any, by_spikes: Floats, carried: Any) -> tuple[Floats, Any]:
        """Go one tick back, Euler step by Euler step."""
        by_u, by_p = self.by_voltage(record, by_spikes, carried)
        by_current, rise = np.zeros_like(by_u), record.current / self.twin.steps
        for u, p in reversed(record.steps):
            frozen = u >= self._threshold
            by_i, before_u, before_p = self._step.slopes(u, p, rise).back(by_u, by_p)
            by_current += np.where(frozen, 0.0, by_i)
            by_u, by_p = np.where(frozen, by_u, before_u), np.where(frozen, by_p, before_p)
        return by_current / self.twin.steps, (by_u, by_p)
