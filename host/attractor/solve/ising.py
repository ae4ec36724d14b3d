"""Ising problems on oscillator networks: coefficients become weights, and phases become spins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from attractor.solve.dealing import deal
from attractor.spec import IntegerArray, OscillatorSpec
from attractor.spec.sparse import SparseSpec

__all__ = [
    "MOST_OSCILLATORS",
    "MOST_REFERENCES",
    "Placement",
    "ProblemError",
    "Scale",
    "Weights",
    "checked_seed",
    "measured_spec",
    "quantise",
    "starts",
    "telling_biases",
]

#: What to do with coefficients that no common factor turns into weights.
Scale = Literal["refuse", "auto"]
#: Most oscillators of a network.
MOST_OSCILLATORS = 4096
#: Most oscillators among which the biases of a problem are shared out in a network made for it.
MOST_REFERENCES = 256
#: Greatest magnitude of a coefficient; its inverse is the least.
_LARGEST = 1e100
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
    dropped:
        Coefficients that became 0 and were none.
    """

    values: npt.NDArray[np.int64]
    factor: float
    max_absolute: float
    max_relative: float
    dropped: int = 0

    def times(self, factor: int) -> Weights:
        """Return the same with all values so many times as large."""
        return Weights(self.values * factor, self.factor * factor, self.max_absolute, self.max_relative, self.dropped)


def quantise(
    coefficients: npt.NDArray[np.float64], limit: int, scale: Scale, *, biases: int = 0, references: int = 1
) -> Weights:
    """Turn coefficients into integers from ``-limit`` to ``limit``.

    A common factor that makes all of them integers is taken, the smallest there is. If there is none, they are
    refused, or with ``"auto"`` scaled so that the greatest becomes ``limit``, and rounded.

    Parameters
    ----------
    coefficients:
        Biases and couplings, shape (coefficients,).
    limit:
        Greatest weight.
    scale:
        What to do with coefficients that no common factor turns into integers.
    biases, references:
        The first so many coefficients are biases, and may be so many times as large: each is the sum of as many
        weights.

    Raises
    ------
    ProblemError
        If a coefficient is not finite or beyond reason, or all were to be exact and cannot be.
    """
    if not np.isfinite(coefficients).all():
        raise ProblemError("a coefficient is not a finite number; leave that term out, or use a large finite one")
    if not (present := coefficients != 0).any():
        return Weights(np.zeros(coefficients.shape, np.int64), 1.0, 0.0, 0.0)
    # Beyond that their sums, or what they are divided by, are no numbers any more.
    magnitudes = np.unique(np.abs(coefficients[present]))
    if magnitudes[-1] > _LARGEST or magnitudes[0] < 1 / _LARGEST:
        raise ProblemError(
            f"the coefficients are of magnitude {magnitudes[0]:g} to {magnitudes[-1]:g}; beyond {_LARGEST:g} and below "
            f"{1 / _LARGEST:g} nothing can be computed with them: divide all by a common number"
        )
    limits = np.full(coefficients.shape, float(limit))
    limits[:biases] *= references
    most = float((limits[present] / np.abs(coefficients[present])).min())
    factor = _exact_factor(magnitudes, most)
    if factor is not None:
        return Weights(np.rint(coefficients * factor).astype(np.int64), factor, 0.0, 0.0)
    if scale == "refuse":
        raise ProblemError(
            f"the coefficients, of magnitude {magnitudes[0]:g} to {magnitudes[-1]:g}, are no multiples of a common "
            f"value by integers up to {limit}, the greatest weight; scale='auto' scales and rounds them"
        )
    values = np.rint(coefficients * most).astype(np.int64)
    errors = np.abs(coefficients - values / most)
    relative = errors[present] / np.abs(coefficients[present])
    dropped = int((present & (values == 0)).sum())
    return Weights(values, most, float(errors.max()), float(relative.max()), dropped)


def _exact_factor(magnitudes: npt.NDArray[np.float64], most: float) -> float | None:
    """Return the smallest factor up to ``most`` that makes all ``magnitudes``, sorted and above 0, integers."""
    least = float(magnitudes[0])
    for first in range(1, int(most * least * (1 + _CLOSE)) + 1):
        scaled = magnitudes * (first / least)
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= _CLOSE * whole).all():
            return first / least
    return None


def telling_biases(
    linear: npt.NDArray[np.float64], pairs: IntegerArray, quadratic: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return biases that decide the same, and are no larger than they need to be.

    A bias that outweighs all couplings of its variable decides it alone, by however much it does: it is cut at their
    sum and the largest coupling more. Where there are no couplings nothing is cut.

    Parameters
    ----------
    linear, pairs, quadratic:
        As for :meth:`Placement.weights`.
    """
    if not (magnitudes := np.abs(quadratic)).any():
        return linear
    most = np.full(len(linear), magnitudes.max())
    for end in (0, 1):
        np.add.at(most, pairs[:, end], magnitudes)
    return np.clip(linear, -most, most)


@dataclass(frozen=True)
class Placement:
    """Which oscillators of a network stand for a problem's variables.

    Parameters
    ----------
    spec:
        The network.
    places:
        Oscillator of each variable, shape (variables,).
    references:
        Oscillators whose level stands for +1, clamped at phase 0; none for a problem without biases. Each bias is
        shared out among them.
    """

    spec: OscillatorSpec
    places: npt.NDArray[np.intp]
    references: tuple[int, ...]

    @property
    def reference(self) -> int | None:
        """The first of the references; None without any."""
        return self.references[0] if self.references else None

    @staticmethod
    def most_references(spec: OscillatorSpec, variables: int) -> int:
        """Return how many oscillators a network has beside those of the variables."""
        return max(1, spec.oscillators - variables)

    @classmethod
    def on(
        cls,
        spec: OscillatorSpec,
        variables: int,
        *,
        biased: bool,
        name: str = "the network",
        references: int = 1,
        second: npt.NDArray[np.bool_] | None = None,
        pairs: IntegerArray | None = None,
    ) -> Placement:
        """Place variables on the free oscillators of a network, and biases on ``references`` others.

        With ``second``, shape (variables,), variables for which it is true become odd targets and the others even ones.
        Otherwise they are in order. With ``pairs``, those that are coupled, shape (couplings, 2), neighbours are spread
        over the classes of a network with sparse couplings, see :func:`attractor.solve.dealing.deal`.

        Raises
        ------
        ProblemError
            If there are too few; the message has both numbers.
        """
        first = spec.reference if spec.reference < spec.inputs or not spec.inputs else 0
        free = np.arange(spec.inputs, spec.oscillators)
        free = free[free != first] if biased else free
        if variables > len(free):
            raise ProblemError(
                f"the problem has {variables} variables{' with biases' if biased else ''}; {name} has room for "
                f"{len(free)}: use a larger network, none and the golden model, or "
                "attractor.solve.decomposing.DecomposingSampler, which divides it"
            )
        kinds = np.zeros(variables, np.intp) if second is None else second.astype(np.intp)
        kind_of_place = np.zeros(len(free), np.intp) if second is None else (free - spec.inputs) % 2
        if (np.bincount(kinds, minlength=2) > np.bincount(kind_of_place, minlength=2)).any():
            raise ProblemError(f"{name} has not enough odd and even oscillators; leave out the sets")
        count = spec.entries if isinstance(spec, SparseSpec) and pairs is not None else 1
        classes = (free - spec.inputs) % count
        dealt = np.zeros(variables, np.intp)
        if count > 1 and pairs is not None:
            room = np.zeros((2, count), np.int64)
            np.add.at(room, (kind_of_place, classes), 1)
            dealt = deal(_adjacency(variables, pairs), room, kinds)
        # Both by kind and class, and in order within: the first variable of each takes the first place of it.
        order = np.lexsort((np.arange(variables), dealt, kinds))
        among = np.lexsort((free, classes, kind_of_place))
        keys, found = (kinds * count + dealt)[order], (kind_of_place * count + classes)[among]
        rank = np.arange(variables) - np.searchsorted(keys, keys)
        places = np.empty(variables, np.intp)
        places[order] = free[among[np.searchsorted(found, keys) + rank]]
        left = np.setdiff1d(free, places).tolist()
        others = [index for index in range(spec.inputs) if index != first] + left
        chosen = (first, *others[: references - 1]) if biased else ()
        return cls(spec, places, chosen)

    @property
    def clamp(self) -> npt.NDArray[np.bool_]:
        """True for oscillators that stand for no variable, shape (oscillators,)."""
        mask = np.ones(self.spec.oscillators, bool)
        mask[self.places] = False
        return mask

    def weights(self, linear: IntegerArray, pairs: IntegerArray, quadratic: IntegerArray) -> IntegerArray:
        """Return :meth:`sparse_weights` as an array."""
        return self.sparse_weights(linear, pairs, quadratic).toarray()

    def sparse_weights(self, linear: IntegerArray, pairs: IntegerArray, quadratic: IntegerArray) -> sparse.csr_array:
        """Return the weights that lower an energy, shape (targets, oscillators), int64.

        Parameters
        ----------
        linear:
            Bias of each variable, shape (variables,).
        pairs:
            Indices of coupled variables, shape (couplings, 2).
        quadratic:
            Coefficient of each coupling, shape (couplings,).
        """
        spec, places, shared = self.spec, self.places, len(self.references)
        u, v = places[pairs[:, 0]], places[pairs[:, 1]]
        # The parts of a bias differ by 1 at most.
        parts = [-np.sign(linear) * ((np.abs(linear) + index) // shared) for index in range(shared)]
        values = np.concatenate([-quadratic, -quadratic, *parts]).astype(np.int64)
        rows = np.concatenate([u, v, *[places] * shared])
        columns = np.concatenate([v, u, np.repeat(np.array(self.references, np.intp), len(places))])
        kept = values != 0
        shape = spec.targets, spec.oscillators
        return sparse.csr_array((values[kept], (rows[kept] - spec.inputs, columns[kept])), shape=shape)

    def couplings(self, weights: Any) -> Any:
        """Return weights, shape (targets, oscillators), without those of the biases; an array, or a sparse one."""
        kept = np.ones(self.spec.oscillators, np.int64)
        kept[list(self.references)] = 0
        if isinstance(weights, np.ndarray):
            return weights * kept
        found = sparse.csr_array(weights @ sparse.diags_array(kept, dtype=np.int64))
        found.eliminate_zeros()
        return found

    def start(self, generator: np.random.Generator, *, spins: bool = False) -> npt.NDArray[np.uint8]:
        """Return random phases of the variables, and 0 for all other oscillators; shape (oscillators,).

        With ``spins`` the phases are 0 or half a period.
        """
        if spins:
            return self.phases_of(1 - 2 * generator.integers(2, size=len(self.places)))
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
            +1 and -1, shape (batch, period / 2, variables), int8; where all phases are 0 and half a period, which are
            cut in one way, of shape (batch, 1, variables).
        """
        half = self.spec.period // 2
        # Phases of 0 and half a period are cut in one way.
        ways = half if (phases & (half - 1)).any() else 1
        slots = np.arange(ways, dtype=np.uint8)[:, None]
        since_rise = (slots - phases[:, None, self.places]) & np.uint8(self.spec.period - 1)
        spins = np.where(since_rise < half, np.int8(1), np.int8(-1))
        if self.reference is not None:
            from_reference = (slots - phases[:, None, [self.reference]]) & np.uint8(self.spec.period - 1)
            spins = np.where(from_reference < half, spins, -spins)
        return spins


def _adjacency(count: int, pairs: IntegerArray) -> sparse.csr_array:
    """Return who is coupled to whom, shape (count, count)."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return sparse.csr_array((np.ones(len(both), np.int8), (both[:, 0], both[:, 1])), shape=(count, count))


def measured_spec(
    variables: int,
    *,
    biased: bool,
    weight_bits: int,
    phase_bits: int,
    lock_phases: int = 2,
    random_start: bool = False,
    flips: bool = True,
    references: int = 1,
    lanes: int = 0,
) -> OscillatorSpec:
    """Return the spec of a network made for a problem; biases are shared out among so many inputs.

    Raises
    ------
    ProblemError
        If no network is large enough.
    SpecError
        If a width is out of range.
    """
    inputs = references if biased else 0
    oscillators = variables + inputs
    if oscillators > MOST_OSCILLATORS:
        raise ProblemError(
            f"the problem needs {oscillators} oscillators; a network has at most {MOST_OSCILLATORS}: divide the problem"
        )
    return OscillatorSpec(
        oscillators=max(oscillators, 2),
        inputs=inputs,
        weight_bits=weight_bits,
        phase_bits=phase_bits,
        lanes=lanes,
        schedule_entries=64,
        lock_phases=lock_phases,
        random_start=random_start,
        flips=flips,
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
    spins: bool = False,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]:
    """Return start phases, shape (count, oscillators), and seeds, shape (count,); each read's depend on no other's.

    ``states`` holds spins for the first reads, shape (given, variables); the others start at random phases, with
    ``spins`` at 0 or half a period. Where the network draws them itself, ``drawn``, all phases are 0.
    """
    generators = [np.random.default_rng([seed, read]) for read in range(count)]
    phases = np.zeros((count, placement.spec.oscillators), np.uint8)
    if not drawn:
        phases[:] = [placement.start(generator, spins=spins) for generator in generators]
    for read, state in enumerate([] if states is None else states[:count]):
        phases[read] = placement.phases_of(state)
    seeds = np.array([generator.integers(1 << 63) for generator in generators], np.uint64)
    return phases, seeds
