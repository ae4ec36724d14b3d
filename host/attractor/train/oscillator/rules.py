"""Learning rules for oscillator networks: patterns or labelled samples in, integer couplings out.

Couplings of ``weight_bits`` bits lie in ``[-high, high]`` with ``high = 2**(weight_bits - 1) - 1``: the least weight
that two's complement allows is left out, so that the negative of a network is a network too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.spec import IntegerArray, OscillatorSpec

__all__ = [
    "FloatArray",
    "Progress",
    "TrainingError",
    "Weights",
    "associative_memory",
    "covariance_hebb",
    "diederich_opper",
    "hebb",
    "highest_weight",
    "magnitude_mask",
    "pattern_phases",
    "read_patterns",
    "saturated_delta",
    "saturation_field",
    "storkey",
    "teacher_levels",
]

Weights = npt.NDArray[np.int8]
FloatArray = npt.NDArray[np.float64]
#: Called with the number of finished passes and that of all.
Progress = Callable[[int, int], None]


class TrainingError(ValueError):
    """A rule found no couplings that do what was asked.

    Parameters
    ----------
    reason:
        What they do not do.
    weights:
        The couplings that it ended with, shape (targets, sources), int8.
    """

    def __init__(self, reason: str, weights: Weights) -> None:
        super().__init__(reason, weights)  # both, so that it can be pickled
        self.weights = weights

    def __str__(self) -> str:
        return str(self.args[0])


# One-shot rules


def hebb(patterns: npt.ArrayLike, *, weight_bits: int, zero_diagonal: bool = True) -> Weights:
    """Hebb's rule: ``W_ij = sum_p x_pi x_pj``, symmetric.

    Standard; the rule of the first digital oscillator networks. The sums are kept as they are, times the greatest
    integer that still fits, so nothing is rounded unless more patterns are stored than ``high``.

    Parameters
    ----------
    patterns:
        Values +1 and -1, shape (patterns, n).
    weight_bits:
        Width of a signed coupling, 2 to 8.
    zero_diagonal:
        Set ``W_ii = 0``.

    Returns
    -------
    ndarray
        Couplings ``W[i, j]`` from j to i, shape (n, n), int8.

    Raises
    ------
    ValueError
        If a pattern holds anything but +1 and -1, or ``weight_bits`` is out of range.
    """
    x, high = _patterns(patterns), highest_weight(weight_bits)
    return _rounded(x.T @ x, high, zero_diagonal, whole=True)


def covariance_hebb(patterns: npt.ArrayLike, *, weight_bits: int, zero_diagonal: bool = True) -> Weights:
    """Hebb's rule on patterns without their mean: ``W_ij = sum_p (x_pi - m_i)(x_pj - m_j)``, symmetric.

    Standard. An oscillator that is equal in all patterns gets no couplings, so it stays as it was loaded. Parameters,
    result and errors as in :func:`hebb`; the sums are scaled so that the greatest reaches ``high``, then rounded once.
    """
    x, high = _patterns(patterns), highest_weight(weight_bits)
    centred = x - x.mean(axis=0)
    return _rounded(centred.T @ centred, high, zero_diagonal)


def storkey(patterns: npt.ArrayLike, *, weight_bits: int, zero_diagonal: bool = True) -> Weights:
    """Storkey's rule, one pattern after the other, symmetric.

    ``W_ij += (x_i x_j - x_i g_ji - g_ij x_j) / n`` with the local field ``g_ij = sum_k W_ik x_k`` over all k but i
    and j. Standard. Parameters, result and errors as in :func:`hebb`; the result is scaled so that the greatest
    coupling reaches ``high``, then rounded once, because its steps have no scale before the last pattern.
    """
    x, high = _patterns(patterns), highest_weight(weight_bits)
    count = x.shape[1]
    weights = np.zeros((count, count))
    for pattern in x:
        contributions = weights * pattern
        field = contributions.sum(axis=1, keepdims=True) - contributions
        field -= np.diag(contributions)[:, None] * (1 - np.eye(count))
        weights += (np.outer(pattern, pattern) - pattern[:, None] * field.T - field * pattern) / count
    return _rounded(weights, high, zero_diagonal)


# Iterative rules


def diederich_opper(
    patterns: npt.ArrayLike,
    *,
    weight_bits: int,
    step: float | None = None,
    max_sweeps: int = 1000,
    symmetric: bool = False,
    zero_diagonal: bool = True,
) -> Weights:
    """Diederich and Opper's first rule, with the fields of the rounded couplings.

    For each pattern x in turn: ``W_ij += step x_i x_j`` for all j wherever ``x_i h_i < 1``, until no such i is left.
    As read in the public code that accompanies Tolmachev and Manton (arXiv 2010.01472), without its thresholds. A first
    run on real numbers finds the scale: its largest coupling becomes ``high``. A second one starts there and computes
    the fields from the couplings as they will be stored, while the steps add up in real numbers. So every pattern is
    stable in the couplings that are returned, and nearly by the same margin.

    Parameters
    ----------
    patterns, weight_bits:
        As in :func:`hebb`.
    step:
        Step in units of the wanted margin ``x_i h_i = 1``; default 1 / n.
    max_sweeps:
        Most passes over the patterns in each of the two runs.
    symmetric, zero_diagonal:
        Add the mean of each step and its transpose; keep ``W_ii = 0``.

    Returns
    -------
    ndarray
        Couplings ``W[i, j]`` from j to i, shape (n, n), int8.

    Raises
    ------
    TrainingError
        If a pattern is not stable in the end; the error has the couplings that were found.
    """
    x, high = _patterns(patterns), highest_weight(weight_bits)
    count = x.shape[1]
    size = 1 / count if step is None else step
    if size <= 0:
        raise ValueError(f"step is {size}; it must be positive")
    allowed = 1.0 - np.eye(count) if zero_diagonal else np.ones((count, count))

    sweeps = _Sweeps(x, size, allowed, symmetric, max_sweeps)
    weights = np.zeros((count, count))
    sweeps.run(weights, lambda real: real, 1.0)
    weights *= (scale := high / (np.abs(weights).max() or 1.0))
    sweeps.run(weights, lambda real: np.clip(np.rint(real), -high, high), scale)
    rounded = np.clip(np.rint(weights), -high, high)
    unstable = int((x * (x @ rounded.T) <= 0).sum())
    if unstable:
        raise TrainingError(
            f"{unstable} of {x.size} pattern values are not stable with {weight_bits}-bit couplings after "
            f"{max_sweeps} sweeps; store fewer or less similar patterns, or give more bits or sweeps",
            rounded.astype(np.int8),
        )
    return rounded.astype(np.int8)


@dataclass(frozen=True)
class _Sweeps:
    """Passes of Diederich and Opper's rule over patterns, in steps of ``size`` times the margin."""

    patterns: FloatArray
    size: float
    allowed: FloatArray
    symmetric: bool
    most: int

    def run(self, weights: FloatArray, stored: Callable[[FloatArray], FloatArray], margin: float) -> None:
        """Change ``weights`` until each target holds each pattern by the margin, with the couplings as stored."""
        for _ in range(self.most):
            stable = True
            for pattern in self.patterns:
                weak = pattern * (stored(weights) @ pattern) < margin
                if weak.any():
                    stable = False
                    change = np.outer(pattern * weak, pattern)
                    change = (change + change.T) / 2 if self.symmetric else change
                    weights += self.size * margin * change * self.allowed
            if stable:
                return


def saturated_delta(
    inputs: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    classes: int,
    weight_bits: int,
    mask: npt.ArrayLike | None = None,
    epochs: int = 40,
    rate: float | None = None,
    seed: int = 0,
    batch: int = 16,
    progress: Progress | None = None,
) -> Weights:
    """Forward-only rule for label couplings: ``W_cj += rate (t_c - clip(h_c, -1, 1)) x_j`` where the mask allows it.

    The delta rule with a saturating output, standard; it needs the pre-synaptic level, the field and the teacher
    ``t_c`` (+1 for the true class, -1 for the others), and nothing is sent backwards. The field is that of the rounded
    couplings; the steps add up in real numbers. It saturates at :func:`saturation_field` of the couplings that a class
    may have, in the mean. The rate falls linearly to a tenth.

    Parameters
    ----------
    inputs, labels:
        Levels +1 and -1, shape (samples, d), a constant one for the bias; class of each sample, shape (samples,).
    classes, weight_bits:
        Number of classes; width of a signed coupling, 2 to 8.
    mask:
        True where a coupling may exist, shape (classes, d); default everywhere.
    epochs, seed:
        Passes over the samples, in a new random order each, and its seed.
    rate:
        First step for one sample, in units of the field at which the output saturates; default 0.13 divided by the
        couplings that a class may have, in the mean.
    batch:
        Samples whose steps are added before the couplings change; 1 is the rule to the letter, more is faster.
    progress:
        Called after each pass with the number of finished passes and of all.
    """
    x, high = _patterns(inputs).astype(np.float32), highest_weight(weight_bits)
    samples, count = x.shape
    teacher = teacher_levels(labels, samples, classes)
    allowed = np.ones((classes, count), bool) if mask is None else np.asarray(mask, bool)
    if allowed.shape != (classes, count):
        raise ValueError(f"the mask has shape {allowed.shape}; it needs {(classes, count)}")
    if epochs < 1 or batch < 1:
        raise ValueError(f"epochs is {epochs} and batch is {batch}; both must be at least 1")
    fan_in = max(float(allowed.sum()) / classes, 1.0)
    saturation = saturation_field(fan_in, weight_bits)
    first = 0.13 / fan_in if rate is None else rate
    generator, weights, limit = np.random.default_rng(seed), np.zeros((classes, count)), high + 0.49
    for epoch in range(epochs):
        size = saturation * first * (1 - 0.9 * epoch / max(epochs - 1, 1))
        order = generator.permutation(samples)
        for chosen in np.split(order, range(batch, samples, batch)):
            field = x[chosen] @ np.rint(weights).T.astype(np.float32) / saturation
            error = teacher[chosen] - np.clip(field, -1, 1)
            weights = np.clip(weights + size * (error.T @ x[chosen]) * allowed, -limit, limit)
        if progress is not None:
            progress(epoch + 1, epochs)
    return np.rint(weights).astype(np.int8)


def saturation_field(fan_in: float, weight_bits: int) -> float:
    """Return the field at which a learning oscillator with ``fan_in`` couplings saturates, ``high sqrt(fan_in) / 4``.

    Couplings of a quarter of their range add up to that in a random walk, so that most of the range is used and few
    couplings are cut at its ends.
    """
    return highest_weight(weight_bits) * float(np.sqrt(fan_in)) / 4


def magnitude_mask(weights: npt.ArrayLike, keep: float) -> npt.NDArray[np.bool_]:
    """Return True for the part ``keep`` (0 to 1) of the couplings with the greatest magnitudes, lower index on ties.

    Raises :class:`ValueError` if ``keep`` is out of range.
    """
    if not 0 <= keep <= 1:
        raise ValueError(f"keep is {keep}; it must lie between 0 and 1")
    magnitudes = np.abs(np.asarray(weights, np.float64))
    order = np.argsort(-magnitudes, axis=None, kind="stable")
    mask = np.zeros(magnitudes.size, bool)
    mask[order[: round(keep * magnitudes.size)]] = True
    return mask.reshape(magnitudes.shape)


# Networks


def associative_memory(
    weights: npt.ArrayLike, *, weight_bits: int, phase_bits: int = 4, periods: int = 24, settle: int = 2
) -> tuple[OscillatorSpec, dict[str, IntegerArray]]:
    """Return a network of free oscillators with the jump rule, read against oscillator 0.

    Parameters
    ----------
    weights:
        Couplings ``W[i, j]`` from j to i, shape (n, n), integers.
    weight_bits, phase_bits:
        Widths of the network.
    periods, settle:
        Longest run, and the quiet periods that end it earlier.

    Raises
    ------
    SpecError
        If a coupling or a size is out of range.
    """
    matrix = np.asarray(weights)
    spec = OscillatorSpec(oscillators=len(matrix), weight_bits=weight_bits, phase_bits=phase_bits)
    parameters = {"weights": matrix, "schedule": spec.schedule(periods), "settle": np.array(settle)}
    return spec, spec.check_parameters(parameters)


def pattern_phases(spec: OscillatorSpec, patterns: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return phase 0 for +1 and half a period for -1, uint8, in the shape of ``patterns``."""
    return np.where(_patterns(patterns) > 0, 0, spec.period // 2).astype(np.uint8)


def read_patterns(spec: OscillatorSpec, phases: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """Return +1 in phase with the reference, -1 opposite to it and 0 in between.

    ``phases`` has shape (..., oscillators), so has the result, int8.
    """
    array = spec.check_phases(phases).astype(np.int64)
    apart = (array - array[..., spec.reference, None]) % spec.period
    return (apart == 0).astype(np.int8) - (apart == spec.period // 2).astype(np.int8)


# Common parts


def _patterns(patterns: npt.ArrayLike) -> FloatArray:
    array = np.asarray(patterns)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"patterns have shape {array.shape}; they need two axes, neither of them empty")
    wrong = (array != 1) & (array != -1)
    if wrong.any():
        raise ValueError(f"a pattern holds {array[tuple(np.argwhere(wrong)[0])]}; its values must be +1 or -1")
    return array.astype(np.float64)


def highest_weight(weight_bits: int) -> int:
    """Return the greatest magnitude of a learnt coupling; raise :class:`ValueError` for a width below 2 or above 8."""
    if not 2 <= weight_bits <= 8:
        raise ValueError(f"weight_bits is {weight_bits}; it must lie between 2 and 8")
    return (1 << (weight_bits - 1)) - 1


def _rounded(weights: FloatArray, high: int, zero_diagonal: bool, *, whole: bool = False) -> Weights:
    """Scale the greatest magnitude to ``high`` and round; with ``whole`` only by a whole number if there is one."""
    if zero_diagonal:
        weights = weights * (1 - np.eye(len(weights)))
    greatest = np.abs(weights).max()
    scale = high / greatest if greatest else 1.0
    if whole and scale >= 1:
        scale = np.floor(scale)
    return np.rint(weights * scale).astype(np.int8)


def teacher_levels(labels: npt.ArrayLike, samples: int, classes: int) -> npt.NDArray[np.float32]:
    """Return +1 for the class of each sample and -1 for the others, shape (samples, classes).

    Raises :class:`ValueError` if there is not one label for each sample, or one is no class.
    """
    array = np.asarray(labels)
    if array.shape != (samples,):
        raise ValueError(f"labels have shape {array.shape}; there are {samples} samples")
    if not np.issubdtype(array.dtype, np.integer) or array.min() < 0 or array.max() >= classes:
        raise ValueError(
            f"labels run from {array.min()} to {array.max()}; they must be integers from 0 to {classes - 1}"
        )
    return np.where(np.arange(classes) == array[:, None], np.float32(1), np.float32(-1))
