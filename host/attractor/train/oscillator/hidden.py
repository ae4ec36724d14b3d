"""A forward-only rule for classifiers with one hidden layer of oscillators between the pixels and the labels.

With pixels in phase with the reference or opposite to it, a hidden oscillator ends in phase if its field is positive
and opposite if it is negative: it takes the sign of its field. The labels see these signs.

:func:`broadcast_delta` trains both layers at once with two delta rules and one teacher. The labels learn as in
:func:`~.pruned.pruned_delta`, from the signs ``s`` of the hidden oscillators: ``V_ck += rate e_c s_k`` with the error
``e_c`` of :func:`~.layer.label_error`. The error is told to all hidden oscillators. Each has a code of its own, a
random division ``b_k`` of the classes in two halves, and takes ``sum_c b_kc e_c / sqrt(classes)`` for its teacher, as
long as its own output is not saturated: ``W_kj += rate sum_c b_kc e_c / sqrt(classes) x_j`` where ``|h_k| < 1``.

Everything comes from one forward evaluation. The codes never change, are not part of the network, and have nothing to
do with the couplings V, through which nothing is sent back. Standard, as direct feedback alignment. Both fields are
those of the rounded couplings, in units of :func:`~.rules.saturation_field`; the steps add up in real numbers. The
rates fall linearly to a tenth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.train.oscillator import Progress, Weights, highest_weight, teacher_levels
from attractor.train.oscillator.layer import COMPETITION, Layer, check_counts, label_error, levels_of, with_bias

__all__ = ["HIDDEN_RATE", "LABEL_RATE", "START", "Augment", "LayerWeights", "broadcast_delta", "dichotomies"]

#: Changes a batch of inputs before it is learnt, shape (batch, d), and draws from the generator if it has to.
Augment = Callable[[npt.NDArray[np.int8], np.random.Generator], npt.NDArray[np.int8]]

#: Default first steps for one sample, divided by the number of couplings of the oscillator that learns.
HIDDEN_RATE = 0.2
LABEL_RATE = 0.05
#: Standard deviation of the first hidden couplings, as a part of the greatest weight.
START = 0.15


class LayerWeights(NamedTuple):
    """Couplings of the two layers, int8; the last column of each is the bias, the coupling from the reference.

    ``hidden`` has shape (hidden, d + 1), ``labels`` has shape (classes, hidden + 1).
    """

    hidden: Weights
    labels: Weights


def dichotomies(classes: int, count: int, generator: np.random.Generator) -> npt.NDArray[np.int8]:
    """Return ``count`` random divisions of the classes in two halves, +1 and -1, shape (count, classes), int8.

    With an odd number of classes the lesser half is that of +1.
    """
    halves = np.where(np.arange(classes) < classes // 2, np.int8(1), np.int8(-1))
    return generator.permuted(np.tile(halves, (count, 1)), axis=1)


def broadcast_delta(
    inputs: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    classes: int,
    hidden: int,
    weight_bits: int,
    epochs: int = 10,
    hidden_rate: float = HIDDEN_RATE,
    label_rate: float = LABEL_RATE,
    competition: float = COMPETITION,
    seed: int = 0,
    batch: int = 50,
    augment: Augment | None = None,
    progress: Progress | None = None,
) -> LayerWeights:
    """Train both layers at once, by the rule of this module.

    Parameters
    ----------
    inputs, labels:
        Levels +1 and -1, shape (samples, d), to which the bias is added here; class of each sample, shape (samples,),
        integers from 0 to ``classes - 1``.
    classes, hidden:
        Number of classes, at least 2, and of hidden oscillators, at least 1.
    weight_bits:
        Width of a signed coupling, 2 to 8.
    epochs, batch:
        Passes over the samples, in a new random order each, and samples whose steps are added before couplings change.
    hidden_rate, label_rate:
        First steps for one sample and one coupling, in units of the field at which the output saturates, times the
        number of couplings of the oscillator.
    competition:
        As in :func:`~.layer.label_error`.
    seed:
        Seed of the codes, the first couplings, the order and the changes by ``augment``.
    augment:
        Changes the samples of a batch, for instance shifts the images; default none.
    progress:
        Called after each pass with the number of finished passes and of all.
    """
    x = levels_of(inputs)
    teacher = teacher_levels(labels, len(x), classes)
    check_counts(classes, hidden=hidden, epochs=epochs, batch=batch)
    generator = np.random.default_rng(seed)
    codes = dichotomies(classes, hidden, generator).astype(np.float32) / np.float32(np.sqrt(classes))
    start = START * highest_weight(weight_bits) * generator.standard_normal((hidden, x.shape[1] + 1), np.float32)
    layers = Layer(start, weight_bits, hidden_rate), Layer(np.zeros((classes, hidden + 1)), weight_bits, label_rate)
    for epoch in range(epochs):
        slowing = 1 - 0.9 * epoch / max(epochs - 1, 1)
        order = generator.permutation(len(x))
        for chosen in np.split(order, range(batch, len(x), batch)):
            levels = with_bias(x[chosen] if augment is None else augment(x[chosen], generator))
            _learn(*layers, levels, teacher[chosen], codes, competition, slowing)
        if progress is not None:
            progress(epoch + 1, epochs)
    return LayerWeights(*(layer.rounded() for layer in layers))


def _learn(
    first: Layer,
    second: Layer,
    levels: npt.NDArray[np.float32],
    teacher: npt.NDArray[np.float32],
    codes: npt.NDArray[np.float32],
    competition: float,
    slowing: float,
) -> None:
    """Let both layers learn a batch, from one forward evaluation."""
    field = first.field(levels)
    signs = with_bias(np.where(field >= 0, np.float32(1), np.float32(-1)))
    error = label_error(teacher, second.field(signs), competition)
    first.learn(np.where(np.abs(field) < 1, error @ codes.T, np.float32(0)), levels, slowing)
    second.learn(error, signs, slowing)
