"""Annealing schedules: noise that fades, relative to the size of the fields that it disturbs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attractor.spec import IntegerArray, OscillatorSpec, SpecError
from attractor.spec.oscillator import SCHEDULE_COLUMNS

__all__ = ["Annealing", "mean_field"]


@dataclass(frozen=True)
class Annealing:
    """How long and how hard a network is shaken.

    Noise and lock are given in units of the *field*: the root mean square of the weighted sum of an oscillator whose
    neighbours are random, averaged over the oscillators. They are rounded to integers in the units of the weights, and
    cut at :attr:`OscillatorSpec.largest_amplitude`.

    Parameters
    ----------
    periods:
        Periods of a run.
    noise:
        Amplitude of the noise at the start, in fields; it falls to 0 in equal steps, as many as the schedule has
        entries.
    max_step:
        Most slots by which a phase moves in a slot; 0 for a quarter of a period.
    lock:
        Strength of the harmonic lock, in fields.
    alternate:
        Whether only every other oscillator moves in a slot.
    """

    periods: int = 300
    noise: float = 1.0
    max_step: int = 0
    lock: float = 0.25
    alternate: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.periods, int | np.integer) or self.periods < 1:
            raise SpecError(f"periods is {self.periods!r}; a run takes a whole number of periods, at least 1")
        for name in ("noise", "lock"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise SpecError(f"{name} is {value}; it must be at least 0, in units of the mean field")

    def rows(self, spec: OscillatorSpec, weights: IntegerArray) -> IntegerArray:
        """Return the schedule for weights of shape (targets, oscillators); shape (schedule_entries, columns).

        Raises
        ------
        SpecError
            If periods or step do not fit the spec.
        """
        steps = min(spec.schedule_entries, self.periods)
        falling = np.linspace(1, 0, steps) if steps > 1 else np.array([0.5])
        field, most = mean_field(weights), spec.largest_amplitude
        columns = {
            "periods": np.diff(np.arange(steps + 1) * self.periods // steps),
            "noise": np.minimum(np.rint(falling * self.noise * field), most),
            "max_step": self.max_step or spec.period // 4,
            "lock": min(round(self.lock * field), most),
            "alternate": int(self.alternate),
        }
        rows = np.zeros((spec.schedule_entries, len(SCHEDULE_COLUMNS)), np.int64)
        for index, name in enumerate(SCHEDULE_COLUMNS):
            rows[:steps, index] = columns[name]
        return spec.parameters["schedule"].check(rows)

    def magnification(self, spec: OscillatorSpec, weights: IntegerArray) -> int:
        """Return by how much weights may be multiplied so that they, noise and lock still fit: finer steps of noise.

        At least 1.
        """
        largest = int(np.abs(weights).max(initial=0))
        if not largest:
            return 1
        strongest = max(self.noise, self.lock) * mean_field(weights)
        most = spec.weight_high // largest
        if strongest > 0:
            most = min(most, int(spec.largest_amplitude / strongest))
        return max(most, 1)


def mean_field(weights: IntegerArray) -> float:
    """Return the root mean square of an oscillator's weights, summed, averaged over oscillators that have any."""
    strengths = np.sqrt((weights.astype(np.float64) ** 2).sum(axis=1))
    return float(strengths[strengths > 0].mean()) if (strengths > 0).any() else 0.0
