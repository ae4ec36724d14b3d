"""What both architectures share: the hyperparameters of a rule, one neuron update, targets and read-out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray", "Nudge", "Rule", "Sent", "class_means", "next_potentials", "one_hot", "sent"]

#: Array of floating-point numbers of the chosen array module.
FloatArray = npt.NDArray[np.floating[Any]]
#: What neurons send: bits with binary activations, else numbers.
Sent = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Hyperparameters of binary Equilibrium Propagation (arXiv 2103.08953, names of the published code in brackets).

    Tuples have one entry for each connection, **counted from the input**; the published lists begin at the output.

    Parameters
    ----------
    binary_activations:
        Neurons send one bit (Heaviside of their potential) instead of the potential itself.
    free_steps, nudged_steps:
        Steps of the two phases, each at least 1 (T, Kmax).
    beta:
        Magnitude of the nudge, positive.
    random_sign:
        Whether its sign is drawn anew for each mini-batch; otherwise it is always positive (random_beta).
    momentum_rates:
        Part of the momentum that the gradient of one batch replaces, above 0, at most 1 (gamma).
    flip_thresholds:
        A weight flips when the momentum against it exceeds this, positive (tau).
    bias_rates:
        Step of the biases, at least 0 (lrBias).
    scale_rates:
        Step of the scaling factors, at least 0 (lrAlpha); empty if they are fixed (learnAlpha 0).

    Raises
    ------
    ValueError
        If a value is out of range or the tuples differ in length.
    """

    binary_activations: bool
    free_steps: int
    nudged_steps: int
    beta: float
    random_sign: bool = True
    momentum_rates: tuple[float, ...]
    flip_thresholds: tuple[float, ...]
    bias_rates: tuple[float, ...]
    scale_rates: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("free_steps", "nudged_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; a phase has at least one step")
        if not self.beta > 0:
            raise ValueError(f"beta is {self.beta}; it is a magnitude, so it must be positive")
        for name in ("flip_thresholds", "bias_rates", "scale_rates"):
            values = getattr(self, name)
            if len(values) != self.connections and (values or name != "scale_rates"):
                raise ValueError(f"{name} has {len(values)} entries, momentum_rates {self.connections}; each needs one")
        for rate in self.momentum_rates:
            if not 0 < rate <= 1:
                raise ValueError(f"a momentum rate is {rate}; it must be above 0 and at most 1")
        if min(self.flip_thresholds) <= 0:
            raise ValueError(f"flip_thresholds is {self.flip_thresholds}; a threshold must be positive")
        if min(self.bias_rates + self.scale_rates) < 0:
            raise ValueError(f"a rate in {self.bias_rates + self.scale_rates} is negative")

    @property
    def connections(self) -> int:
        """Number of connections that the rule is for."""
        return len(self.momentum_rates)


@dataclass(frozen=True)
class Nudge:
    """Pull of the outputs towards their targets: ``beta (targets - reference)`` is added to their drive.

    Parameters
    ----------
    targets:
        Wanted outputs, 0 or 1, shape (batch, outputs).
    beta:
        Strength with its sign.
    reference:
        What the outputs are compared with, shape (batch, outputs); None for their present potentials.
    """

    targets: FloatArray
    beta: float
    reference: FloatArray | None = None

    def pull(self, potentials: FloatArray) -> FloatArray:
        """Return what is added to the drive of outputs with these potentials."""
        return self.beta * (self.targets - (potentials if self.reference is None else self.reference))


def next_potentials(
    potentials: FloatArray, drive: FloatArray, *, binary_activations: bool, pull: FloatArray | None = None, xp: Any = np
) -> FloatArray:
    """Return the potentials after one step; nothing is changed in place.

    With ``a`` the drive, ``p`` the pull (0 unless nudged) and ``clip`` to [0, 1], as in the published code:

    - binary activations: ``s' = clip((s + a + p) / 2)``. The published pseudo-derivative, 1 for ``0 <= s <= 1`` and 0
      elsewhere, multiplies ``a`` there; potentials never leave that range, so it is left out.
    - real activations: ``s' = clip(a) + p``.

    Parameters
    ----------
    potentials, drive, pull:
        Same shape, (batch, ...).
    binary_activations:
        Which of the two.
    xp:
        Array module.
    """
    if not binary_activations:
        new = xp.clip(drive, 0, 1)
        return new if pull is None else new + pull
    new = potentials + drive
    if pull is not None:
        new += pull
    new *= 0.5
    return xp.clip(new, 0, 1, out=new)


def sent(potentials: FloatArray, *, binary_activations: bool) -> Sent:
    """Return what neurons with these potentials send: a bit, on from one half, or the potential itself."""
    return potentials >= 0.5 if binary_activations else potentials


def one_hot(labels: npt.ArrayLike, classes: int, replicas: int = 1, *, dtype: npt.DTypeLike = np.float32) -> FloatArray:
    """Return targets: 1 at the ``replicas`` consecutive outputs of the label, 0 elsewhere.

    Parameters
    ----------
    labels:
        Classes from 0 to ``classes - 1``, shape (batch,).
    classes, replicas:
        Number of classes, and of outputs for each.

    Returns
    -------
    numpy.ndarray
        Shape (batch, classes * replicas).

    Raises
    ------
    ValueError
        If a label is out of range.
    """
    chosen = np.asarray(labels)
    if chosen.size and (chosen.min() < 0 or chosen.max() >= classes):
        raise ValueError(f"labels run from {chosen.min()} to {chosen.max()}; they must be 0 to {classes - 1}")
    return np.repeat(np.arange(classes) == chosen[:, None], replicas, axis=1).astype(dtype)


def class_means(outputs: FloatArray, classes: int) -> FloatArray:
    """Return the mean over the replicas of each class, shape (batch, classes); the greatest names the class.

    ``outputs`` are the potentials of the output layer at the end of the free phase, shape (batch, outputs). The
    published "averaged error" counts where the greatest mean is not that of the label.
    """
    return outputs.reshape(len(outputs), classes, -1).mean(axis=2)
