"""Ising problems on oscillator networks: coefficients become weights, and phases become spins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from attractor.spec import IntegerArray, OscillatorSpec

__all__ = [
    "MOST_OSCILLATORS",
    "Placement",
    "ProblemError",
    "Scale",
    "Weights",
    "checked_seed",
    "measured_spec",
    "quantise",
    "starts",
]

#: What to do with coefficients that no common factor turns into weights.
Scale = Literal["refuse", "auto"]
#: Most oscillators of a network.
MOST_OSCILLATORS = 4096
#: A coefficient so close to an integer, relative to it, is one: floating point is not exact.
_CLOSE = 1e-9


class ProblemError(ValueError):
    """A problem does not fit a network; the message names the values and the next step."""


@dataclass(frozen=True)
class Weights:
    """Integers in place of coefficients.

    Parameters
    ----------
    values:
        One for each coefficient, shape (coefficients,), int64.
    factor:
        A coefficient c became ``round(c * factor)``.
    max_absolute:
        Greatest difference between a coefficient and its weight, in units of the coefficients.
    max_relative:
        Greatest such difference as a share of the coefficient.
    """

    values: npt.NDArray[np.int64]
    factor: float
    max_absolute: float
    max_relative: float


def quantise(coefficients: npt.NDArray[np.float64], limit: int, scale: Scale) -> Weights:
    """Turn coefficients into integers from ``-limit`` to ``limit``.

    A common factor that makes all of them integers is taken, the smallest there is. If there is none, they are
    refused, or with ``"auto"`` scaled so that the greatest becomes ``limit``, and rounded.

    Raises
    ------
    ProblemError
        If a coefficient is not finite, or all were to be exact and cannot be.
    """
    if not np.isfinite(coefficients).all():
        raise ProblemError("a coefficient is not a finite number; leave that term out, or use a large finite one")
    magnitudes = np.unique(np.abs(coefficients[coefficients != 0]))
    if not magnitudes.size:
        return Weights(np.zeros(coefficients.shape, np.int64), 1.0, 0.0, 0.0)
    factor = _exact_factor(magnitudes, limit)
    if factor is not None:
        return Weights(np.rint(coefficients * factor).astype(np.int64), factor, 0.0, 0.0)
    if scale == "refuse":
        raise ProblemError(
            f"the coefficients, of magnitude {magnitudes[0]:g} to {magnitudes[-1]:g}, are no multiples of a common "
            f"value by integers up to {limit}, the greatest weight; scale='auto' scales and rounds them"
        )
    factor = limit / float(magnitudes[-1])
    values = np.rint(coefficients * factor).astype(np.int64)
    errors = np.abs(coefficients - values / factor)
    relative = errors[coefficients != 0] / np.abs(coefficients[coefficients != 0])
    return Weights(values, factor, float(errors.max()), float(relative.max()))


def _exact_factor(magnitudes: npt.NDArray[np.float64], limit: int) -> float | None:
    """Return the smallest factor that makes all ``magnitudes``, sorted and above 0, integers up to ``limit``."""
    least = float(magnitudes[0])
    for first in range(1, int(limit * least / float(magnitudes[-1]) * (1 + _CLOSE)) + 1):
        scaled = magnitudes * (first / least)
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= _CLOSE * whole).all():
            return first / least
    return None


@dataclass(frozen=True)
class Placement:
    """Which oscillators of a network stand for a problem's variables.

    Parameters
    ----------
    spec:
        The network.
    places:
        Oscillator of each variable, shape (variables,).
    reference:
        Oscillator whose level stands for +1, clamped at phase 0; None for a problem without biases.
    """

    spec: OscillatorSpec
    places: npt.NDArray[np.intp]
    reference: int | None

    @classmethod
    def on(cls, spec: OscillatorSpec, variables: int, *, biased: bool, name: str = "the network") -> Placement:
        """Place variables on the free oscillators of a network, in order.

        Raises
        ------
        ProblemError
            If there are too few; the message has both numbers.
        """
        reference = None
        if biased:
            reference = spec.reference if spec.reference < spec.inputs or not spec.inputs else 0
        free = np.arange(spec.inputs, spec.oscillators)
        free = free[free != reference]
        if variables > len(free):
            raise ProblemError(
                f"the problem has {variables} variables{' with biases' if biased else ''}; {name} has room for "
                f"{len(free)}: use a larger network, or none and the golden model"
            )
        return cls(spec, free[:variables], reference)

    @property
    def clamp(self) -> npt.NDArray[np.bool_]:
        """True for oscillators that stand for no variable, shape (oscillators,)."""
        mask = np.ones(self.spec.oscillators, bool)
        mask[self.places] = False
        return mask

    def weights(self, linear: IntegerArray, pairs: IntegerArray, quadratic: IntegerArray) -> IntegerArray:
        """Return the weights that lower an energy, shape (targets, oscillators).

        Parameters
        ----------
        linear:
            Bias of each variable, shape (variables,).
        pairs:
            Indices of coupled variables, shape (couplings, 2).
        quadratic:
            Coefficient of each coupling, shape (couplings,).
        """
        spec, places = self.spec, self.places
        matrix = np.zeros((spec.oscillators, spec.oscillators), np.int64)
        u, v = places[pairs[:, 0]], places[pairs[:, 1]]
        matrix[u, v] = matrix[v, u] = -quadratic
        if self.reference is not None:
            matrix[places, self.reference] = -linear
        return matrix[spec.inputs :]

    def start(self, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Return random phases of the variables, and 0 for all other oscillators; shape (oscillators,)."""
        phases = np.zeros(self.spec.oscillators, np.uint8)
        phases[self.places] = generator.integers(self.spec.period, size=len(self.places))
        return phases

    def phases_of(self, spins: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return the phases of given spins: 0 for +1, half a period for -1; shape (oscillators,)."""
        phases = np.zeros(self.spec.oscillators, np.uint8)
        phases[self.places] = np.where(np.asarray(spins) > 0, 0, self.spec.period // 2)
        return phases

    def spins(self, phases: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
        """Return the spins that phases may be read as.

        Each slot of half a period divides the circle in two. With biases +1 is the side of the reference oscillator,
        else the side that rises in that slot.

        Parameters
        ----------
        phases:
            Shape (batch, oscillators).

        Returns
        -------
        ndarray
            +1 and -1, shape (batch, period / 2, variables), int8.
        """
        half = self.spec.period // 2
        slots = np.arange(half, dtype=np.uint8)[:, None]
        since_rise = (slots - phases[:, None, self.places]) & np.uint8(self.spec.period - 1)
        spins = np.where(since_rise < half, np.int8(1), np.int8(-1))
        if self.reference is not None:
            from_reference = (slots - phases[:, None, [self.reference]]) & np.uint8(self.spec.period - 1)
            spins = np.where(from_reference < half, spins, -spins)
        return spins


def measured_spec(
    variables: int,
    *,
    biased: bool,
    weight_bits: int,
    phase_bits: int,
    lock_phases: int = 2,
    random_start: bool = False,
) -> OscillatorSpec:
    """Return the spec of a network made for a problem.

    Raises
    ------
    ProblemError
        If no network is large enough.
    SpecError
        If a width is out of range.
    """
    oscillators = variables + biased
    if oscillators > MOST_OSCILLATORS:
        raise ProblemError(
            f"the problem needs {oscillators} oscillators; a network has at most {MOST_OSCILLATORS}: divide the problem"
        )
    return OscillatorSpec(
        oscillators=max(oscillators, 2),
        inputs=int(biased),
        weight_bits=weight_bits,
        phase_bits=phase_bits,
        schedule_entries=64,
        lock_phases=lock_phases,
        random_start=random_start,
    )


def checked_seed(seed: int | None) -> int:
    """Return ``seed``, or a new one for None; raise :class:`ValueError` unless it is an integer of at least 0."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed is {seed!r}; it must be an integer of at least 0")
    return int(seed)


def starts(
    placement: Placement,
    seed: int,
    count: int,
    states: npt.NDArray[np.int8] | None = None,
    *,
    drawn: bool = False,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]:
    """Return start phases, shape (count, oscillators), and seeds, shape (count,); each read's depend on no other's.

    ``states`` holds spins for the first reads, shape (given, variables); the others start at random phases. Where the
    network draws them itself, ``drawn``, all phases are 0.
    """
    generators = [np.random.default_rng([seed, read]) for read in range(count)]
    phases = np.zeros((count, placement.spec.oscillators), np.uint8)
    if not drawn:
        phases[:] = [placement.start(generator) for generator in generators]
    for read, state in enumerate([] if states is None else states[:count]):
        phases[read] = placement.phases_of(state)
    seeds = np.array([generator.integers(1 << 63) for generator in generators], np.uint64)
    return phases, seeds
