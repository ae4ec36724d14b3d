"""Golden model of the event-driven crossbar that all families share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from attractor.spec import IntegerArray

__all__ = ["BoolArray", "CountingWeights", "Crossbar", "IntegerWeights", "SignWeights", "Weights"]

BoolArray = npt.NDArray[np.bool_]
_ALL = slice(None)


class Weights(ABC):
    """Rows of weights that learn.

    Parameters
    ----------
    weights:
        ``weights[r, i]`` is what row r adds to the i-th of the targets that it is sent to, shape (rows, targets).
    low, high:
        Range of a weight.

    Attributes
    ----------
    weights:
        As they are now, int64.

    Raises
    ------
    ValueError
        If a weight does not fit.
    """

    def __init__(self, weights: npt.ArrayLike, low: int, high: int) -> None:
        self.weights, self.low, self.high = np.array(weights, np.int64), low, high
        if self.weights.ndim != 2 or not np.issubdtype(np.asarray(weights).dtype, np.integer):
            raise ValueError(f"weights of shape {self.weights.shape}; they are integers of shape (rows, targets)")
        outside = self.weights[(self.weights < low) | (self.weights > high)]
        if outside.size:
            raise ValueError(f"a weight is {outside[0]}; it must lie between {low} and {high}")

    @abstractmethod
    def added(self, row: int, amplitudes: IntegerArray) -> IntegerArray:
        """Return what an event adds, shape (targets,)."""

    @abstractmethod
    def learn(self, row: int, learns: BoolArray, increments: IntegerArray, threshold: int) -> BoolArray:
        """Learn in one direction, 1 or -1, where ``learns``; return the weights that became their opposite."""


class IntegerWeights(Weights):
    """Weights of ``bits`` bits, 1 to 32, that learn in steps of one and stay at the ends of their range."""

    def __init__(self, weights: npt.ArrayLike, bits: int = 8) -> None:
        if not 1 <= bits <= 32:
            raise ValueError(f"bits is {bits}; it must lie between 1 and 32")
        super().__init__(weights, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)

    def added(self, row: int, amplitudes: IntegerArray) -> IntegerArray:  # noqa: ARG002
        """Return the weights."""
        return self.weights[row]

    def learn(self, row: int, learns: BoolArray, increments: IntegerArray, threshold: int) -> BoolArray:  # noqa: ARG002
        """Take a step; no weight flips."""
        self.weights[row] = np.clip(self.weights[row] + learns * increments, self.low, self.high)
        return np.zeros(learns.shape, bool)


class SignWeights(Weights):
    """Weights of 1 and -1; an event adds or subtracts the amplitudes, and to learn is to flip."""

    def __init__(self, weights: npt.ArrayLike) -> None:
        super().__init__(weights, -1, 1)
        if (self.weights == 0).any():
            raise ValueError("a weight is 0; it must be 1 or -1")

    def added(self, row: int, amplitudes: IntegerArray) -> IntegerArray:
        """Return the amplitudes with the signs of the weights."""
        return self.weights[row] * amplitudes

    def learn(self, row: int, learns: BoolArray, increments: IntegerArray, threshold: int) -> BoolArray:  # noqa: ARG002
        """Flip."""
        self.weights[row] *= np.where(learns, -1, 1)
        return learns


class CountingWeights(SignWeights):
    """Weights of 1 and -1 with counters that learn in their place.

    A counter stays at the ends of its range. Where it learns, a weight flips if at least ``threshold`` then speaks
    against it.

    Parameters
    ----------
    counters:
        How much speaks for 1, shape (rows, targets), no more than ``2 ** (counter_bits - 1) - 1`` either way.
    counter_bits:
        Width of a counter, at least 2.
    """

    def __init__(self, weights: npt.ArrayLike, counters: npt.ArrayLike, counter_bits: int) -> None:
        super().__init__(weights)
        self.counters, self.counter_high = np.array(counters, np.int64), (1 << (counter_bits - 1)) - 1
        if self.counters.shape != self.weights.shape or (np.abs(self.counters) > self.counter_high).any():
            raise ValueError(f"counters need shape {self.weights.shape} and at most {self.counter_high} either way")

    def learn(self, row: int, learns: BoolArray, increments: IntegerArray, threshold: int) -> BoolArray:
        """Count, then flip where enough speaks against the weight."""
        counted = np.clip(self.counters[row] + increments, -self.counter_high, self.counter_high)
        self.counters[row] = np.where(learns, counted, self.counters[row])
        flips = learns & (-self.weights[row] * self.counters[row] >= threshold)
        return super().learn(row, flips, increments, threshold)


class Crossbar:
    """Weight rows added into banks of accumulators, and weights that learn.

    Sums wrap in two's complement, as an adder of ``sum_bits`` bits does. Every operation has ``targets``, a slice of
    those that it visits; a row of weights is as long as they are many. ``increments`` is 1 or -1, or has one of these
    for each target visited.

    Parameters
    ----------
    stores:
        Weights that operations choose from.
    targets:
        Number of targets.
    banks:
        Accumulators of each target, at least 1.
    sum_bits:
        Width of a signed accumulator, 2 to 62.
    fold_shift:
        A fold adds an accumulator times ``2 ** fold_shift``; 0 to ``sum_bits``.

    Attributes
    ----------
    sums:
        Accumulators, shape (banks, targets), int64; 0 at first.

    Raises
    ------
    ValueError
        If a size does not fit; in an operation, if there is no such row or bank, if an increment is neither 1 nor -1,
        or if an array has not one entry for each target visited.
    """

    def __init__(
        self, stores: Sequence[Weights], targets: int, banks: int, sum_bits: int, *, fold_shift: int = 0
    ) -> None:
        if banks < 1:
            raise ValueError(f"banks is {banks}; a crossbar has at least 1")
        if not 2 <= sum_bits <= 62:
            raise ValueError(f"sum_bits is {sum_bits}; it must lie between 2 and 62")
        if not 0 <= fold_shift <= sum_bits:
            raise ValueError(f"fold_shift is {fold_shift}; it must lie between 0 and sum_bits, which is {sum_bits}")
        self.stores, self.banks, self.sum_bits, self.fold_shift = tuple(stores), banks, sum_bits, fold_shift
        self.sums = np.zeros((banks, targets), np.int64)

    def add(
        self,
        row: int,
        bank: int,
        increments: npt.ArrayLike = 1,
        *,
        targets: slice = _ALL,
        store: int = 0,
        amplitudes: npt.ArrayLike = 1,
    ) -> None:
        """Add ``increments`` times the weights of a row to a bank; weights of one bit times ``amplitudes``."""
        weights, visited = self._store(store, row, targets), self.sums[self._bank(bank), targets]
        added = weights.added(row, self._wrap(self._each(amplitudes, "amplitudes", visited)))
        self.sums[bank, targets] = self._wrap(visited + self._increments(increments, visited) * added)

    def fold(self, addend: int, bank: int, increments: npt.ArrayLike = 1, *, targets: slice = _ALL) -> None:
        """Add ``increments`` times the bank ``addend``, shifted, to another bank or to itself."""
        visited = self.sums[self._bank(bank), targets]
        shifted = self._wrap(self.sums[self._bank(addend), targets] << self.fold_shift)
        self.sums[bank, targets] = self._wrap(visited + self._increments(increments, visited) * shifted)

    def push(
        self,
        addend: int,
        bank: int,
        amplitudes: npt.ArrayLike,
        increments: npt.ArrayLike = 1,
        *,
        targets: slice = _ALL,
    ) -> None:
        """Set a bank to the bank ``addend`` plus ``increments`` times ``amplitudes``, one integer or one for each."""
        origin = self.sums[self._bank(addend), targets]
        change = self._increments(increments, origin) * self._wrap(self._each(amplitudes, "amplitudes", origin))
        self.sums[self._bank(bank), targets] = self._wrap(origin + change)

    def learn(
        self,
        row: int,
        learns: npt.ArrayLike,
        increments: npt.ArrayLike = 1,
        *,
        targets: slice = _ALL,
        store: int = 0,
        threshold: int = 0,
    ) -> BoolArray:
        """Let the weights of a row learn where ``learns`` is set; return those that flipped, shape (targets,)."""
        weights, visited = self._store(store, row, targets), self.sums[0, targets]
        enabled = np.asarray(learns, bool)
        if enabled.shape != visited.shape:
            raise ValueError(f"learns has shape {enabled.shape}; it needs {visited.shape}, a flag for each target")
        return weights.learn(row, enabled, self._increments(increments, visited), threshold)

    def _each(self, values: npt.ArrayLike, name: str, visited: IntegerArray) -> IntegerArray:
        array = np.asarray(values, np.int64)
        if array.shape not in ((), visited.shape):
            raise ValueError(f"{name} have shape {array.shape}; one serves all targets, or {visited.shape}")
        return array

    def _increments(self, increments: npt.ArrayLike, visited: IntegerArray) -> IntegerArray:
        array = self._each(increments, "increments", visited)
        wrong = array[np.abs(array) != 1]
        if wrong.size:
            raise ValueError(f"increment is {wrong[0]}; it must be 1 or -1")
        return array

    def _wrap(self, values: IntegerArray) -> IntegerArray:
        half = 1 << (self.sum_bits - 1)
        return ((values + half) & (2 * half - 1)) - half

    def _store(self, store: int, row: int, targets: slice) -> Weights:
        weights = self.stores[store]
        rows, width = weights.weights.shape
        if not 0 <= row < rows:
            raise ValueError(f"row is {row}; this crossbar has {rows}")
        if width != len(self.sums[0, targets]):
            raise ValueError(f"a row has {width} weights; {len(self.sums[0, targets])} targets are visited")
        return weights

    def _bank(self, bank: int) -> int:
        if not 0 <= bank < self.banks:
            raise ValueError(f"bank is {bank}; this crossbar has {self.banks}")
        return bank
