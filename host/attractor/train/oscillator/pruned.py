"""A forward-only rule for labels that listen to pixels, and that gives up couplings while it learns.

The saturated delta rule with competition: ``W_cj += rate e_c x_j`` with the error ``e_c`` of
:func:`~.layer.label_error`. The fields are those of the rounded couplings; the steps add up in real numbers.

Couplings go a few at a time, before each pass, so that those that stay can learn to do without: first all are there,
then the part that is left falls by the same factor from pass to pass, then those that were asked for learn on (see
:data:`PRUNING`). Those with the least ``|W_cj| sigma_j`` go, sigma_j being the standard deviation of the level of input
j: what the coupling makes the field of the label vary. So inputs that are always the same are the first.

The first couplings are random between -1/2 and 1/2, which is 0 when rounded. From 0, the couplings from inputs that are
equal in most samples, as at the border of images, would grow alike, and be rounded up in the same step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.train.oscillator import Progress, Weights, magnitude_mask, teacher_levels
from attractor.train.oscillator.layer import COMPETITION, Layer, check_counts, label_error, levels_of, with_bias

__all__ = ["LAST_STEP", "PRUNING", "RATE", "PrunedWeights", "pruned_delta"]

#: Default first step for one sample, times the couplings of a label, in units of the field at which it saturates.
RATE = 0.3
#: Parts of the passes after which couplings begin to go, and after which as few are left as were asked for.
PRUNING = (1 / 8, 2 / 3)
#: The step falls linearly to this part of the first one.
LAST_STEP = 0.01


class PrunedWeights(NamedTuple):
    """Couplings of the labels, int8, and where they may have one; shape (classes, d + 1) both.

    The last column is the bias, the coupling from the reference. It is never pruned.
    """

    weights: Weights
    mask: npt.NDArray[np.bool_]


def pruned_delta(
    inputs: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    classes: int,
    weight_bits: int,
    keep: float = 1.0,
    epochs: int = 30,
    rate: float = RATE,
    competition: float = COMPETITION,
    seed: int = 0,
    batch: int = 50,
    progress: Progress | None = None,
) -> PrunedWeights:
    """Train labels, and prune them to a part of their couplings, by the rule of this module.

    Parameters
    ----------
    inputs, labels:
        Levels +1 and -1, shape (samples, d), to which the bias is added here; class of each sample, shape (samples,),
        integers from 0 to ``classes - 1``.
    classes:
        Number of classes, at least 2.
    weight_bits:
        Width of a signed coupling, 2 to 8.
    keep:
        Part of the couplings from inputs to labels that is left in the end, more than 0, at most 1.
    epochs, batch, seed:
        Passes over the samples, in a new random order each; samples whose steps are added before the couplings change;
        seed of the first couplings and of the order.
    rate:
        First step for one sample and one coupling, in units of the field at which the output saturates, times the
        number of couplings that a label has. The step falls linearly to :data:`LAST_STEP` of that.
    competition:
        As in :func:`~.layer.label_error`.
    progress:
        Called after each pass with the number of finished passes and of all.
    """
    x = levels_of(inputs)
    teacher = teacher_levels(labels, len(x), classes)
    check_counts(classes, epochs=epochs, batch=batch)
    if not 0 < keep <= 1:
        raise ValueError(f"keep is {keep}; it must be more than 0 and at most 1")
    count, spread = x.shape[1], x.std(axis=0, dtype=np.float32)
    generator = np.random.default_rng(seed)
    layer = Layer(generator.uniform(-0.5, 0.5, (classes, count + 1)), weight_bits, rate, kept=keep * count + 1)
    mask = np.ones((classes, count + 1), bool)
    for epoch in range(epochs):
        mask[:, :count] = magnitude_mask(layer.weights[:, :count] * spread, _left(keep, (epoch + 1) / epochs))
        layer.prune(mask)
        slowing = 1 - (1 - LAST_STEP) * epoch / max(epochs - 1, 1)
        order = generator.permutation(len(x))
        for chosen in np.split(order, range(batch, len(x), batch)):
            levels = with_bias(x[chosen])
            layer.learn(label_error(teacher[chosen], layer.field(levels), competition), levels, slowing)
        if progress is not None:
            progress(epoch + 1, epochs)
    return PrunedWeights(layer.rounded(), mask)


def _left(keep: float, done: float) -> float:
    """Return the part of the couplings that is left in a pass with which the part ``done`` of all will be over."""
    begin, end = PRUNING
    return keep ** min(max((done - begin) / (end - begin), 0.0), 1.0)
