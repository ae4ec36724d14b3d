"""Adamax, and a learning rate that falls when nothing gets better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Adamax", "Floats", "Plateau"]

Floats = npt.NDArray[np.float64]


@dataclass
class Adamax:
    """The infinity-norm variant of Adam (Kingma and Ba, 2015).

    Parameters
    ----------
    rate:
        Learning rate.
    momentum, memory:
        Decay of the mean gradient (beta 1), and of the greatest one (beta 2).
    steps, means, norms:
        State: how many steps there were, and the two averages of each parameter.
    """

    rate: float
    momentum: float = 0.9
    memory: float = 0.999
    steps: int = 0
    means: dict[str, Floats] = field(default_factory=dict)
    norms: dict[str, Floats] = field(default_factory=dict)

    def step(self, parameters: dict[str, Floats], gradient: Mapping[str, Floats]) -> None:
        """Change the parameters, in place, that have a gradient."""
        self.steps += 1
        rate = self.rate / (1 - self.momentum**self.steps)
        for name, slope in gradient.items():
            mean = self.means.setdefault(name, np.zeros_like(slope))
            norm = self.norms.setdefault(name, np.zeros_like(slope))
            mean += (1 - self.momentum) * (slope - mean)
            np.maximum(self.memory * norm, np.abs(slope) + 1e-8, out=norm)
            parameters[name] -= rate * mean / norm


@dataclass
class Plateau:
    """Multiplies the learning rate by ``factor`` when ``patience`` epochs in a row were no better than the best.

    Parameters
    ----------
    factor:
        Between 0 and 1; 1 never changes the rate.
    patience:
        Epochs that may pass without a better loss.
    best, waited:
        State: the least loss so far, and the epochs since it.
    """

    factor: float = 1.0
    patience: int = 10
    best: float = np.inf
    waited: int = 0

    def rate(self, rate: float, loss: float) -> float:
        """Return the learning rate for the next epoch after one with this loss."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return rate
        self.waited += 1
        if self.waited <= self.patience:
            return rate
        self.waited = 0
        return rate * self.factor
