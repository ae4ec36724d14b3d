"""Binary weights of one connection and the rule by which they flip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from attractor.physics.eqprop.rule import FloatArray

__all__ = ["Connection", "Gradient", "drawn_connection"]

#: The common factor of the momentum is multiplied out below this, long before small numbers lose digits.
_LEAST_FACTOR = 1e-3


class Gradient(NamedTuple):
    """Sums over a batch of nudged minus free products, before the division by beta and the size of the batch.

    Attributes
    ----------
    weights:
        Change of ``z_i z_j``, shape (rows, below).
    bias:
        Change of ``z_i``, shape (above,).
    scale:
        Gradient of the scaling factors, shape as theirs; None if they are fixed.
    rows:
        Rows of the weights that ``weights`` is for, all others being 0: shape (rows,), or ``slice(None)``.
    """

    weights: FloatArray
    bias: FloatArray
    scale: FloatArray | None = None
    rows: Any = slice(None)


@dataclass
class Connection:
    """Weights ``scale * signs`` from one layer to the next above; transposed they carry the feedback.

    The momentum ``m`` is a low-pass of the gradient, ``m = (1 - rate) m + rate g`` (published code, "accGradients"),
    kept as ``factor * raw`` so that a batch costs work only where its gradient is not 0. That is exact but for
    rounding, and so is testing only these rows for flips: after a test no momentum is beyond the threshold, and a leak
    only draws it nearer to 0.

    Parameters
    ----------
    signs:
        +1 or -1, shape (above, below); in a convolution ``below`` counts the weights of one filter.
    scale:
        Scaling factors (alpha), positive, shape (1,), or (above,) with one for each channel.
    bias:
        Shape (above,).
    momentum_rate, flip_threshold, bias_rate, scale_rate:
        Entries of :class:`~attractor.physics.eqprop.Rule`; ``scale_rate`` is None for fixed factors.
    strict:
        Whether a momentum equal to the threshold does not flip.
    raw:
        Momentum before :attr:`factor`, shape of ``signs``.
    factor:
        Common factor of the momentum.
    """

    signs: FloatArray
    scale: FloatArray
    bias: FloatArray
    momentum_rate: float
    flip_threshold: float
    bias_rate: float
    scale_rate: float | None
    strict: bool
    raw: FloatArray
    factor: float = 1.0

    @property
    def weights(self) -> FloatArray:
        """The real weights, shape (above, below)."""
        return self.scale[:, None] * self.signs

    @property
    def momentum(self) -> FloatArray:
        """Low-pass of the gradient, shape (above, below)."""
        return self.factor * self.raw

    def learn(self, gradient: Gradient, coefficient: float) -> int:
        """Follow the gradient of one batch: momentum, flips, then biases and scaling factors, in place.

        Parameters
        ----------
        gradient:
            Sums over the batch.
        coefficient:
            What they are multiplied by: 1 / (signed beta * samples).

        Returns
        -------
        int
            Number of weights that flipped.

        Raises
        ------
        ArithmeticError
            If a scaling factor is no longer positive. The published code goes on with exchanged signs.
        """
        self._leak()
        raw, signs = self.raw[gradient.rows], self.signs[gradient.rows]
        raw += (self.momentum_rate * coefficient / self.factor) * gradient.weights
        against, limit = signs * raw, -self.flip_threshold / self.factor
        flips = against < limit if self.strict else against <= limit
        signs -= 2 * signs * flips
        self.raw[gradient.rows], self.signs[gradient.rows] = raw, signs
        self.bias += self.bias_rate * coefficient * gradient.bias
        if self.scale_rate is not None and gradient.scale is not None:
            self.scale += self.scale_rate * coefficient * gradient.scale
            if not (self.scale > 0).all():
                raise ArithmeticError(f"a scaling factor fell to {self.scale.min()}; lower scale_rates")
        return int(flips.sum())

    def _leak(self) -> None:
        """Multiply the momentum by 1 - rate."""
        self.factor *= 1 - self.momentum_rate
        if self.factor < _LEAST_FACTOR:
            self.raw *= self.factor
            self.factor = 1.0


def drawn_connection(
    above: int,
    below: int,
    *,
    generator: np.random.Generator,
    dtype: Any,
    xp: Any,
    **rule: Any,
) -> Connection:
    """Return a connection with random weights, drawn as the published code does.

    Weights and biases are uniform in ``+-1 / sqrt(below)``; a scaling factor is the mean magnitude of its weights,
    rounded to four decimals; then only the signs of the weights are kept. The momentum is 0.

    Parameters
    ----------
    above, below:
        Shape of the weights.
    generator:
        Draws first the weights, then the biases, in NumPy whatever the array module.
    dtype, xp:
        Type of all arrays, and their module.
    rule:
        Fields of :class:`Connection` from ``momentum_rate`` to ``strict``; and ``channelwise``, whether each row has a
        scaling factor of its own.
    """
    channelwise = rule.pop("channelwise", False)
    bound = 1 / math.sqrt(below)
    drawn = generator.uniform(-bound, bound, (above, below))
    bias = generator.uniform(-bound, bound, above)
    scale = np.abs(drawn).mean(axis=1) if channelwise else np.abs(drawn).mean(keepdims=True)[0]
    return Connection(
        signs=xp.asarray(np.where(drawn < 0, -1, 1), dtype),
        scale=xp.asarray(scale.round(4), dtype),
        bias=xp.asarray(bias, dtype),
        raw=xp.zeros((above, below), dtype),
        **rule,
    )
