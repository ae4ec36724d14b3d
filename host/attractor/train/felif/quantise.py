"""Weights of a few bits: rounded at random while training, to the nearest level for a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "Weights", "quantised"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """The weights that a network computes with.

    Parameters
    ----------
    values:
        Shape (neurons, sources).
    levels:
        Integers of which ``values`` is ``levels * step``, held as floats; None without quantisation.
    step:
        Distance of two levels, shape (neurons, 1); None without quantisation.
    """

    values: Floats
    levels: Floats | None = None
    step: Floats | None = None


def quantised(
    weights: Floats, bits: int | None, *, by_neuron: bool = False, generator: np.random.Generator | None = None
) -> Weights:
    """Return weights on ``2**bits - 1`` levels, from ``-(2**(bits-1) - 1)`` to ``2**(bits-1) - 1`` steps.

    With ``m = 2**(bits-1) - 0.5`` a weight w becomes ``z = w m / max|w|``, is rounded, limited to -m to m, and cut to
    an integer, as in the public code of Fehlings et al. (arXiv 2505.17791).

    Parameters
    ----------
    weights:
        Shape (neurons, sources).
    bits:
        2 to 8; None returns the weights as they are.
    by_neuron:
        Every neuron has a scale of its own; otherwise the layer has one.
    generator:
        Rounds up with a probability that equals the fraction; without it, to the nearest.
    """
    if bits is None:
        return Weights(weights)
    high = 2.0 ** (bits - 1) - 0.5
    largest = np.abs(weights).max(axis=1 if by_neuron else None, keepdims=True)
    largest = np.broadcast_to(np.where(largest > 0, largest, 1.0), (len(weights), 1))
    scaled = weights * (high / largest)
    offset = 0.5 if generator is None else generator.random(weights.shape)
    levels = np.trunc(np.clip(np.floor(scaled + offset), -high, high))
    step = largest / high
    return Weights(levels * step, levels, step)
