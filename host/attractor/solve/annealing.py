"""Annealing schedules: noise that fades, relative to the fields that it disturbs, and who may move in a slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import eigsh

from attractor.spec import IntegerArray, OscillatorSpec, SpecError
from attractor.spec.oscillator import FLIP_SHARES

__all__ = ["Annealing", "ChosenAnnealing", "Couplings", "Rule", "freedom", "mean_field", "repulsion", "stable_share"]

#: Weights, shape (targets, oscillators): an array, or anything of SciPy's sparse ones.
Couplings = Any
#: How targets move: they flip between two phases, or turn step by step.
Rule = Literal["flip", "turn"]
#: Noise at the start, in fields, found best on random problems of many classes, see docs/annealing.md.
_NOISE: dict[Rule, float] = {"flip": 0.8, "turn": 1.0}
#: The part of it that is left where biases leave some of the field free: found on random tours and assignments, while
#: covers, colourings, knapsacks and formulas hardly tell.
_FREEDOM_POWER = 1.5
#: Limit of ``share * (1 + 0.8 repulsion)``: at 2 a network swings for ever, see :func:`stable_share`.
_STABLE = 1.9
#: Of fields that are normally distributed, so many lie near 0, by their deviation; both signs count.
_NEAR_ZERO = 0.8
#: From so few oscillators on, all eigenvalues are found.
_FEW = 64


@dataclass(frozen=True)
class Annealing:
    """How long and how hard a network is shaken.

    Noise and lock are given in units of the *field*: the root mean square of the weighted sum of an oscillator whose
    neighbours are random, averaged over the oscillators. They are rounded to integers in the units of the weights, and
    cut at :attr:`OscillatorSpec.largest_amplitude`. What is None is chosen by :meth:`chosen`.

    Parameters
    ----------
    periods:
        Periods of a run.
    noise:
        Amplitude of the noise at the start, in fields; it falls to ``final_noise`` in equal steps, as many as the
        schedule has entries. By default 1 where oscillators turn, and where they flip 0.8, or less where biases leave
        less free, see :func:`freedom`.
    max_step:
        Most slots by which a phase turns in a slot; 0 for a quarter of a period, 1 by default.
    lock:
        Strength of the harmonic lock, in fields; 0 by default.
    alternate:
        Whether only every other oscillator moves in a slot; not by default.
    final_noise:
        Amplitude of the noise at the end, in fields.
    share:
        Of all oscillators those that may flip in a slot, one of :data:`attractor.spec.oscillator.FLIP_SHARES`; by
        default the largest with which the network does not swing, see :func:`stable_share`.
    rule:
        ``"flip"`` for phases of 0 and half a period that change by level, ``"turn"`` for phases that move step by step.
        By default oscillators flip if the network can do that, and neither ``max_step`` nor ``lock`` is given.
    """

    periods: int = 300
    noise: float | None = None
    max_step: int | None = None
    lock: float | None = None
    alternate: bool | None = None
    final_noise: float = 0.0
    share: float | None = None
    rule: Rule | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.periods, int | np.integer) or self.periods < 1:
            raise SpecError(f"periods is {self.periods!r}; a run takes a whole number of periods, at least 1")
        for name in ("noise", "lock", "final_noise"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < np.inf:
                raise SpecError(f"{name} is {value}; it must be at least 0, in units of the mean field")
        if self.rule not in (None, "flip", "turn"):
            raise SpecError(f"rule is {self.rule!r}; it must be 'flip' or 'turn'")
        if self.share is not None and self.share not in FLIP_SHARES:
            shares = ", ".join(f"{share:g}" for share in FLIP_SHARES)
            raise SpecError(f"share is {self.share}; it must be one of {shares}")
        if self.rule == "turn" and self.share is not None:
            raise SpecError(f"share is {self.share}, but oscillators turn; leave it out, or the rule")

    @property
    def turns(self) -> bool:
        """Whether phases are to turn step by step, which what was asked for implies."""
        return self.rule == "turn" or self.max_step is not None or bool(self.lock)

    def chosen(self, spec: OscillatorSpec, couplings: Couplings, biases: IntegerArray | None = None) -> ChosenAnnealing:
        """Return the same with nothing left open.

        Parameters
        ----------
        spec:
            The network.
        couplings:
            Its weights without those that stand for biases, shape (targets, oscillators).
        biases:
            What these add to each field, shape (targets,); None for nothing.

        Raises
        ------
        SpecError
            If oscillators are to flip, and the network has no flips.
        """
        turns = self.max_step is not None or self.lock is not None
        rule = self.rule or ("turn" if not spec.flips or (turns and self.share is None) else "flip")
        if (rule == "flip" or self.share is not None) and not spec.flips:
            raise SpecError("this network's oscillators do not flip: it needs a spec with flips, or the rule 'turn'")
        if rule == "turn" and not spec.turns:
            raise SpecError(
                "this network's phases are 0 or half a period, so its oscillators flip: leave out the rule 'turn', "
                "max_step and lock, or use a network that is not binary"
            )
        share, noise, why, between = self.share, self.noise, [], couplings[:, spec.inputs :]
        if rule == "flip" and share is None:
            felt = repulsion(between)
            share = stable_share(felt)
            why.append(f"share by a repulsion of {felt:g} fields")
        if noise is None:
            free = freedom(between, biases) if rule == "flip" and biases is not None else 1.0
            noise = round(_NOISE[rule] * free**_FREEDOM_POWER, 3)
            why += [f"noise by biases that leave {free:g} of the field free"] if free < 1 else []
        levers: dict[str, Any] = vars(self) | {
            "rule": rule,
            "share": share,
            "noise": noise,
            "max_step": 1 if self.max_step is None else self.max_step,
            "lock": 0.0 if self.lock is None else self.lock,
            "alternate": bool(self.alternate),
            "why": "; ".join(why),
        }
        return ChosenAnnealing(**levers)

    def rows(self, spec: OscillatorSpec, couplings: Couplings) -> IntegerArray:
        """Return the schedule; shape (schedule_entries, columns).

        Parameters
        ----------
        spec:
            The network.
        couplings:
            Its weights, shape (targets, oscillators), or those of them whose fields are to count.

        Raises
        ------
        SpecError
            If periods or step do not fit the spec, or it has no flips.
        """
        chosen = self.chosen(spec, couplings)
        assert chosen.noise is not None
        assert chosen.lock is not None
        steps = min(spec.schedule_entries, self.periods)
        falling = np.linspace(chosen.noise, self.final_noise, steps)
        if steps == 1:
            falling = np.array([(chosen.noise + self.final_noise) / 2])
        field, most = mean_field(couplings) * spec.field_steps, spec.largest_amplitude
        columns: dict[str, Any] = {
            "periods": np.diff(np.arange(steps + 1) * self.periods // steps),
            "noise": np.minimum(np.rint(falling * field), most),
            "max_step": chosen.max_step or spec.period // 4,
            "lock": min(round(chosen.lock * field), most),
            "alternate": int(chosen.alternate or 0),
            "flips": 0 if chosen.share is None else FLIP_SHARES.index(chosen.share) + 1,
        }
        rows = np.zeros((spec.schedule_entries, len(spec.schedule_columns)), np.int64)
        for index, name in enumerate(spec.schedule_columns):
            rows[:steps, index] = columns[name]
        return spec.parameters["schedule"].check(rows)

    def magnification(self, spec: OscillatorSpec, couplings: Couplings) -> int:
        """Return by how much weights may be multiplied so that they, noise and lock still fit: finer steps of noise.

        At least 1.
        """
        matrix = _matrix(couplings)
        if not matrix.nnz:
            return 1
        largest = int(abs(matrix).max())
        turns = not spec.flips or self.rule == "turn"
        noise = _NOISE["turn" if turns else "flip"] if self.noise is None else self.noise
        strongest = max(noise, self.final_noise, self.lock or 0.0) * mean_field(couplings)
        most = spec.weight_high // largest
        if strongest > 0:
            most = min(most, int(spec.largest_amplitude / strongest))
        return max(most, 1)


@dataclass(frozen=True)
class ChosenAnnealing(Annealing):
    """An annealing with nothing left open.

    Parameters
    ----------
    why:
        What decided where the user did not; empty where that was nothing.
    """

    why: str = ""


def mean_field(couplings: Couplings) -> float:
    """Return the root mean square of an oscillator's weights, summed, averaged over oscillators that have any."""
    strengths = _strengths(couplings)
    return float(strengths[strengths > 0].mean()) if (strengths > 0).any() else 0.0


def freedom(couplings: Couplings, biases: IntegerArray) -> float:
    """Return how much of their field the neighbours of an oscillator make when biases hold them, 1 without any.

    A problem whose variables are 0 but for a few, as when one of a set must be chosen, has biases that nearly outweigh
    all couplings. Neighbours then mostly agree, and what is left to be decided is small: noise that suits random
    neighbours melts it until late in a run.

    Parameters
    ----------
    couplings:
        Between targets, shape (targets, targets).
    biases:
        What biases add to each field, shape (targets,).

    Notes
    -----
    With m the mean spin of a neighbour, its part of the field is random with ``sqrt(1 - m**2)`` of its size. The mean
    spin is taken for the one at which biases and couplings of equal sign balance, bias over the sum of the couplings'
    magnitudes, at most 1.
    """
    matrix = _matrix(couplings)
    magnitudes = abs(matrix).sum(axis=1)
    held = np.abs(biases) >= magnitudes
    spins = np.where(held, 1.0, np.abs(biases) / np.where(held, 1.0, magnitudes))
    left = np.sqrt(matrix.multiply(matrix) @ (1 - spins**2))
    field = _strengths(couplings)
    return round(float(left.sum() / field.sum()), 3) if field.any() else 1.0


def repulsion(couplings: Couplings) -> float:
    """Return how strongly couplings turn against a state that suits none of them, in fields.

    That is the most negative eigenvalue of the couplings, with its sign changed, after each has been divided by the
    root of the product of its two oscillators' fields: about 2 for couplings of random signs, and the root of the
    degree for ones that all repel each other.

    Parameters
    ----------
    couplings:
        Between targets, shape (targets, targets).
    """
    strengths = _strengths(couplings)
    scale = np.zeros(len(strengths))
    scale[strengths > 0] = strengths[strengths > 0] ** -0.5
    matrix = sparse.diags_array(scale) @ _matrix(couplings) @ sparse.diags_array(scale)
    matrix = sparse.csr_array((matrix + matrix.T) / 2)
    if not matrix.nnz:
        return 0.0
    if len(strengths) <= _FEW:
        least = np.linalg.eigvalsh(matrix.toarray())[0]
    else:
        # A start of its own, so that equal problems get equal schedules.
        start = np.random.default_rng(0).normal(size=len(strengths))
        options: Any = {"which": "SA", "v0": start, "tol": 1e-3, "return_eigenvectors": False}
        least = eigsh(matrix, k=1, **options)[0]
    return max(0.0, round(-float(least), 3))


def stable_share(repulsion: float) -> float:
    """Return the largest share of oscillators that may flip in a slot without the network swinging.

    Parameters
    ----------
    repulsion:
        As :func:`repulsion` gives it.

    Notes
    -----
    A state that all fields are against, of size m, becomes ``m (1 - f (1 + 0.8 r))`` when the share f of all targets
    follows its field, with fields that are normally distributed beside it: 0.8 of their density at 0, r the repulsion.
    Beyond ``f (1 + 0.8 r) = 2`` it grows. Measured networks swing from 1.95 on (triangulated planes) to 3 (dense
    random graphs).
    """
    return next((share for share in FLIP_SHARES if share * (1 + _NEAR_ZERO * repulsion) <= _STABLE), FLIP_SHARES[-1])


def _matrix(couplings: Couplings) -> sparse.csr_array:
    return sparse.csr_array(couplings, dtype=np.float64)


def _strengths(couplings: Couplings) -> npt.NDArray[np.float64]:
    matrix = _matrix(couplings)
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)))
