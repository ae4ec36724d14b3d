"""Two phases and one learning step, whatever the architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from attractor.physics.eqprop.connection import Connection, Gradient
from attractor.physics.eqprop.rule import FloatArray, Nudge, Rule, Sent

__all__ = ["FloatNetwork", "Learnt", "State", "StateT"]


class State(Protocol):
    """Potentials of all neurons of a batch, and what follows from them.

    Attributes
    ----------
    sent:
        What the neurons of each layer send, shape (batch, ...); layer 0 is the input.
    """

    sent: list[Sent]

    @property
    def outputs(self) -> FloatArray:
        """Potentials of the output layer, shape (batch, outputs)."""
        ...


StateT = TypeVar("StateT", bound=State)


@dataclass(frozen=True)
class Learnt:
    """What one learning step saw and did.

    Parameters
    ----------
    outputs:
        Potentials of the output layer at the end of the free phase, shape (batch, outputs).
    flips:
        Weights that flipped in each connection, counted from the input.
    """

    outputs: FloatArray
    flips: tuple[int, ...]


class FloatNetwork(ABC, Generic[StateT]):
    """Network with binary weights trained by Equilibrium Propagation in floating point, batched.

    Parameters
    ----------
    rule:
        Hyperparameters; they may be replaced between two calls.
    connections:
        From the input to the output.
    dtype:
        Type of all arrays, ``float32`` or ``float64``.
    xp:
        Array module: NumPy, or another with its functions.

    Raises
    ------
    ValueError
        If the rule is for another number of connections.
    """

    def __init__(self, rule: Rule, connections: Sequence[Connection], dtype: npt.DTypeLike, xp: Any) -> None:
        self.rule = rule
        self.connections = list(connections)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.xp = xp

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return architecture and sizes, in what JSON can hold."""

    @abstractmethod
    def start(self, inputs: npt.ArrayLike) -> StateT:
        """Return the state before the first step of the free phase."""

    @abstractmethod
    def step(self, state: StateT, nudge: Nudge | None = None) -> bool:
        """Run one step of all networks of the batch, in place, all neurons from the old state.

        Returns
        -------
        bool
            False only if the step changed nothing, so that no further one would.
        """

    @abstractmethod
    def copy(self, state: StateT) -> StateT:
        """Return a state that can be stepped without changing this one."""

    @abstractmethod
    def nudge(self, free: StateT, targets: FloatArray, beta: float) -> Nudge:
        """Return the nudge of a batch whose free phase ended in ``free``."""

    @abstractmethod
    def gradients(self, free: StateT, nudged: StateT) -> list[Gradient]:
        """Return the sums of nudged minus free products over the batch, one gradient for each connection."""

    def settle(self, inputs: npt.ArrayLike) -> StateT:
        """Return the state at the end of the free phase."""
        state = self.start(inputs)
        for _ in range(self.rule.free_steps):
            if not self.step(state):
                break
        return state

    def settle_nudged(self, free: StateT, targets: npt.ArrayLike, sign: int) -> StateT:
        """Return the state at the end of the nudged phase that starts from ``free``, which is left as it is."""
        state = self.copy(free)
        nudge = self.nudge(free, self.xp.asarray(targets, self.dtype), sign * self.rule.beta)
        for _ in range(self.rule.nudged_steps):
            if not self.step(state, nudge):
                break
        return state

    def learn(self, inputs: npt.ArrayLike, targets: npt.ArrayLike, sign: int = 1) -> Learnt:
        """Run both phases on a mini-batch and change the parameters.

        Parameters
        ----------
        inputs:
            Shape (batch, ...) as the architecture needs it, commonly grey values from 0 to 1.
        targets:
            Wanted outputs, shape (batch, outputs); see :func:`~attractor.physics.eqprop.one_hot`.
        sign:
            Sign of beta, +1 or -1.

        Raises
        ------
        ValueError
            If shapes do not fit or the sign is something else.
        """
        if sign not in (1, -1):
            raise ValueError(f"the sign of beta is {sign}; it must be 1 or -1")
        free = self.settle(inputs)
        if np.shape(targets) != free.outputs.shape:
            raise ValueError(f"targets have shape {np.shape(targets)}; these outputs need {free.outputs.shape}")
        gradients = self.gradients(free, self.settle_nudged(free, targets, sign))
        coefficient = 1 / (sign * self.rule.beta * len(free.outputs))
        flips = [
            connection.learn(gradient, coefficient)
            for connection, gradient in zip(self.connections, gradients, strict=True)
        ]
        return Learnt(free.outputs, tuple(flips))

    def _numbers(self, values: Sent) -> FloatArray:
        """Return what is sent as numbers; bits as 0 and 1."""
        return values.astype(self.dtype, copy=False)

    def _change(self, free: StateT, nudged: StateT, layer: int) -> FloatArray:
        """Return how much more a layer sends in the nudged phase."""
        return self._numbers(nudged.sent[layer]) - self._numbers(free.sent[layer])
