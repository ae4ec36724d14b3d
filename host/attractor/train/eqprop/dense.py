"""Learning of Equilibrium Propagation arrays by whole matrices, on whatever computes with arrays.

Slower than :mod:`attractor.train.eqprop.events` on a processor, and made for those that are at their best with large
products. Only functions of the array API standard are used. All numbers are integers in single precision, which holds
them exactly up to ``2**24``, so what is learnt is the same on all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.spec import EqPropSpec, IntegerArray, SpecError

__all__ = ["DenseLearner"]


class DenseLearner:
    """Learns a network from mini-batches.

    Parameters
    ----------
    spec:
        The network; it has ``learning``.
    parameters:
        As :attr:`EqPropSpec.parameters` describes them; copied.
    arrays:
        Module that computes: NumPy or another with the functions of the array API standard.
    to_numpy:
        Brings an array of that module back to NumPy.

    Raises
    ------
    SpecError
        If the network cannot learn, or a parameter does not fit.
    """

    def __init__(
        self,
        spec: EqPropSpec,
        parameters: Mapping[str, npt.ArrayLike],
        arrays: Any = np,
        to_numpy: Callable[[Any], npt.NDArray[Any]] = np.asarray,
    ) -> None:
        if not spec.learning:
            raise SpecError("this network cannot learn: it needs a spec with learning")
        self.spec = spec
        self._arrays, self._to_numpy = arrays, to_numpy
        checked = spec.check_parameters(parameters)
        connections = range(spec.connections)
        self._steps = checked["steps"]
        self._weights = [self._single(checked[f"weights_{c}"]) for c in connections]
        self._counters = [self._single(checked[f"counters_{c}"]) for c in connections]
        self._zero, self._one = self._single(np.array(0)), self._single(np.array(1))

    @property
    def parameters(self) -> dict[str, IntegerArray]:
        """What has been learnt so far."""
        values: dict[str, npt.NDArray[Any]] = {"steps": self._steps}
        for kind, matrices in (("weights", self._weights), ("counters", self._counters)):
            values |= {f"{kind}_{c}": self._to_numpy(matrix).astype(np.int16) for c, matrix in enumerate(matrices)}
        return self.spec.check_parameters(values)

    def learn(
        self,
        bits: npt.NDArray[np.bool_],
        labels: IntegerArray,
        sigmas: IntegerArray,
        thresholds: IntegerArray,
    ) -> npt.NDArray[np.int64]:
        """Learn from a mini-batch; as :meth:`attractor.train.eqprop.events.EventLearner.learn`."""
        spec = self.spec
        inputs, sigma = self._single(bits), self._single(sigmas[:, None])
        outputs = np.arange(spec.layers[-1]) // spec.replicas
        goals = self._single(np.where(outputs == labels[:, None], spec.state_highs[-1], 0))
        drive = inputs @ self._weights[0].T
        sizes = zip(spec.layers[1:], spec.state_highs, strict=True)
        states = [self._single(np.full((len(bits), size), high)) for size, high in sizes]
        phases = []
        for steps, pull in zip(self._steps.tolist(), (None, sigma * 2**spec.nudge_shift), strict=True):
            for _ in range(steps):
                states = self._step(states, drive, goals, pull)
            phases.append([inputs, *self._bits(states)])
        flips = np.zeros(spec.connections, np.int64)
        for connection, ((f_below, f_above), (n_below, n_above)) in enumerate(
            zip(pairwise(phases[0]), pairwise(phases[1]), strict=True)
        ):
            if connection:
                changes = (n_above * sigma).T @ n_below - (f_above * sigma).T @ f_below
            else:
                changes = ((n_above - f_above) * sigma).T @ inputs
            flips[connection] = self._count(connection, changes, int(thresholds[connection]))
        return flips

    def learn_each(
        self,
        bits: npt.NDArray[np.bool_],
        labels: IntegerArray,
        sigmas: IntegerArray,
        thresholds: IntegerArray,
    ) -> npt.NDArray[np.int64]:
        """Learn from one sample after the other."""
        flips = np.zeros(self.spec.connections, np.int64)
        for index in range(len(bits)):
            only = slice(index, index + 1)
            flips += self.learn(bits[only], labels[only], sigmas[only], thresholds)
        return flips

    def _single(self, values: npt.NDArray[Any]) -> Any:
        return self._arrays.asarray(values.astype(np.float32))

    def _bits(self, states: list[Any]) -> list[Any]:
        highs = self.spec.state_highs
        return [
            self._arrays.where(2 * part >= high, self._one, self._zero)
            for part, high in zip(states, highs, strict=True)
        ]

    def _step(self, states: list[Any], drive: Any, goals: Any, pull: Any) -> list[Any]:
        """Return the states after one step."""
        bits, result = self._bits(states), []
        for layer, high in enumerate(self.spec.state_highs):
            added = drive if layer == 0 else bits[layer - 1] @ self._weights[layer].T
            if layer + 1 < len(states):
                added = added + bits[layer + 1] @ self._weights[layer + 1]
            elif pull is not None:
                added = added + pull * (goals - states[layer])
            result.append(self._arrays.clip(self._arrays.floor((states[layer] + added) * 0.5), 0, high))
        return result

    def _count(self, connection: int, changes: Any, threshold: int) -> int:
        """Add to all counters and flip weights; return how many."""
        high, weights = self.spec.counter_high, self._weights[connection]
        counters = self._arrays.clip(self._counters[connection] + changes, -high, high)
        hits = (changes != 0) & (-weights * counters >= threshold)
        self._counters[connection] = counters
        self._weights[connection] = self._arrays.where(hits, -weights, weights)
        return int(self._arrays.sum(self._arrays.where(hits, self._one, self._zero)))
