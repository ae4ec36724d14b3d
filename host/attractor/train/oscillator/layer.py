"""Parts of the forward-only rules: couplings that learn, and the error of labels that compete."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attractor.train.oscillator import Weights, highest_weight, saturation_field

__all__ = [
    "COMPETITION",
    "FloatArray",
    "Layer",
    "check_counts",
    "common_inhibition",
    "label_error",
    "levels_of",
    "with_bias",
]

FloatArray = npt.NDArray[np.float32]

#: Part of the common inhibition that labels feel while they learn.
COMPETITION = 0.8


class Layer:
    """Couplings that learn: steps add up in real numbers, fields are those of the rounded couplings.

    Parameters
    ----------
    start:
        First couplings, real numbers, shape (targets, sources).
    weight_bits:
        Width of a signed coupling, 2 to 8.
    rate:
        First step for one sample, in units of the field at which the output saturates, times the couplings of a target.
    kept:
        Couplings that a target will have in the end, in the mean, if :meth:`prune` takes some away; default all. The
        field at which outputs saturate is that of so many, :func:`~attractor.train.oscillator.saturation_field`.
    """

    def __init__(self, start: npt.ArrayLike, weight_bits: int, rate: float, *, kept: float | None = None) -> None:
        self.weights: FloatArray = np.array(start, np.float32)
        fan_in = self.weights.shape[1]
        self._high = highest_weight(weight_bits)
        self._saturation = np.float32(saturation_field(fan_in if kept is None else kept, weight_bits))
        self._rate = rate
        self._step = rate / fan_in * self._saturation
        self._mask: npt.NDArray[np.bool_] | None = None

    def prune(self, mask: npt.NDArray[np.bool_]) -> None:
        """Take away the couplings where ``mask`` is not True. The step grows, because fewer add up."""
        self._mask = mask
        self._step = self._rate / mask.sum(axis=1).mean() * self._saturation
        self.weights *= mask

    def rounded(self) -> Weights:
        """Return the couplings that the network has, int8."""
        return self._rounded().astype(np.int8)

    def field(self, levels: FloatArray) -> FloatArray:
        """Return the fields, shape (samples, targets), in units of that at which the output saturates."""
        return levels @ self._rounded().T / self._saturation

    def learn(self, wanted: FloatArray, levels: FloatArray, slowing: float) -> None:
        """Add the steps of a batch: what each target lacks, times the levels that it saw.

        Parameters
        ----------
        wanted:
            What the targets lack, shape (samples, targets).
        levels:
            Levels of the sources, shape (samples, sources).
        slowing:
            Present step as a part of the first one.
        """
        change = np.float32(self._step * slowing) * (wanted.T @ levels)
        self.weights += change if self._mask is None else change * self._mask
        limit = self._high + 0.49
        np.clip(self.weights, -limit, limit, out=self.weights)

    def _rounded(self) -> FloatArray:
        return np.clip(np.rint(self.weights), -self._high, self._high)


def label_error(teacher: FloatArray, fields: FloatArray, competition: float) -> FloatArray:
    """Return what labels lack that inhibit each other: ``t_c - clip(f_c - competition tau, -1, 1)``.

    ``tau`` is the :func:`common_inhibition` of the sample. Without competition a label has to tell its class from all
    others by a threshold of its own, which a linear rule cannot do well: it takes no notice of what the other labels
    say. With all of it (1) only differences of fields are learnt, and the fields themselves may drift anywhere. In
    between fields also stay where the ramp of :mod:`attractor.train.oscillator.layered` can compare them.

    Parameters
    ----------
    teacher:
        +1 for the class of each sample and -1 for the others, shape (samples, classes).
    fields:
        In units of the field at which the output saturates, shape (samples, classes).
    competition:
        Part of the common inhibition that labels feel, 0 to 1.
    """
    outputs = np.clip(fields - np.float32(competition) * common_inhibition(fields), -1, 1)
    return teacher - outputs.astype(np.float32, copy=False)


def common_inhibition(fields: FloatArray) -> FloatArray:
    """Return for each sample the inhibition with which all outputs together are those of one label in phase.

    That is ``tau`` with ``sum_c clip(f_c - tau, -1, 1) = 2 - classes``, shape (samples, 1); negative if the labels need
    a push. Standard, as the projection of ``(f + 1) / 2`` onto the simplex: the k greatest fields share the excess.
    """
    excess = np.cumsum(-np.sort(-fields, axis=1) + 1, axis=1) - 2
    return (excess / np.arange(1, fields.shape[1] + 1, dtype=np.float32)).max(axis=1, keepdims=True)


def levels_of(inputs: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """Return inputs as int8; raise :class:`ValueError` unless they are +1 and -1 with shape (samples, d)."""
    array = np.asarray(inputs)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"inputs have shape {array.shape}; they need two axes, neither of them empty")
    wrong = (array != 1) & (array != -1)
    if wrong.any():
        raise ValueError(f"an input is {array[tuple(np.argwhere(wrong)[0])]}; inputs must be +1 or -1")
    return array.astype(np.int8)


def with_bias(levels: npt.NDArray[np.int8] | FloatArray) -> FloatArray:
    """Return levels with the reference, always +1, after the last: shape (samples, d + 1)."""
    return np.concatenate([levels, np.ones((len(levels), 1))], axis=1, dtype=np.float32)


def check_counts(classes: int, **counts: int) -> None:
    """Raise :class:`ValueError` if there are fewer than 2 classes, or one of ``counts`` is below 1."""
    if classes < 2:
        raise ValueError(f"classes is {classes}; there must be at least 2")
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
