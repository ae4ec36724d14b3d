"""Golden model of the event-driven crossbar that all families share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attractor.spec import IntegerArray


class Crossbar:
    """Weight rows added into banks of accumulators, and weights that learn.

    Sums wrap in two's complement, as an adder of ``sum_bits`` bits does; a weight at the end of its range stays. In
    every operation ``increments`` is 1 or -1, or has one of these for each target, shape (targets,).

    Parameters
    ----------
    weights:
        ``weights[s, i]`` is what source s adds to target i, shape (sources, targets), integers of ``weight_bits`` bits.
    banks:
        Accumulators of each target, at least 1.
    sum_bits:
        Width of a signed accumulator, 2 to 62.
    weight_bits:
        Width of a signed weight, 1 to 32.
    fold_shift:
        A fold adds an accumulator times ``2 ** fold_shift``; 0 to ``sum_bits``.

    Attributes
    ----------
    weights:
        As they are now, shape (sources, targets), int64.
    sums:
        Accumulators, shape (banks, targets), int64; 0 at first.

    Raises
    ------
    ValueError
        If a size or a weight does not fit; in an operation, if there is no such source or bank, if an increment is
        neither 1 nor -1, or if an array has another shape than (targets,).
    """

    def __init__(
        self, weights: npt.ArrayLike, banks: int, sum_bits: int, *, weight_bits: int = 8, fold_shift: int = 0
    ) -> None:
        self.weights = np.array(weights, np.int64)
        if self.weights.ndim != 2 or not np.issubdtype(np.asarray(weights).dtype, np.integer):
            raise ValueError(f"weights of shape {self.weights.shape}; they are integers of shape (sources, targets)")
        if banks < 1:
            raise ValueError(f"banks is {banks}; a crossbar has at least 1")
        if not 2 <= sum_bits <= 62:
            raise ValueError(f"sum_bits is {sum_bits}; it must lie between 2 and 62")
        if not 1 <= weight_bits <= 32:
            raise ValueError(f"weight_bits is {weight_bits}; it must lie between 1 and 32")
        if not 0 <= fold_shift <= sum_bits:
            raise ValueError(f"fold_shift is {fold_shift}; it must lie between 0 and sum_bits, which is {sum_bits}")
        self.weight_low, self.weight_high = -(1 << (weight_bits - 1)), (1 << (weight_bits - 1)) - 1
        outside = self.weights[(self.weights < self.weight_low) | (self.weights > self.weight_high)]
        if outside.size:
            raise ValueError(f"a weight is {outside[0]}; it must lie between {self.weight_low} and {self.weight_high}")
        self.banks, self.sum_bits, self.fold_shift = banks, sum_bits, fold_shift
        self.sums = np.zeros((banks, self.weights.shape[1]), np.int64)

    def add(self, source: int, bank: int, increments: npt.ArrayLike = 1) -> None:
        """Add ``increments`` times the weights of ``source`` to a bank."""
        row, bank = self.weights[self._source(source)], self._bank(bank)
        self.sums[bank] = self._wrap(self.sums[bank] + self._increments(increments) * row)

    def fold(self, addend: int, bank: int, increments: npt.ArrayLike = 1) -> None:
        """Add ``increments`` times the bank ``addend``, shifted, to another bank or to itself."""
        shifted, bank = self._wrap(self.sums[self._bank(addend)] << self.fold_shift), self._bank(bank)
        self.sums[bank] = self._wrap(self.sums[bank] + self._increments(increments) * shifted)

    def push(self, addend: int, bank: int, amplitude: int, increments: npt.ArrayLike = 1) -> None:
        """Set a bank to the bank ``addend`` plus ``increments`` times ``amplitude``, any integer."""
        origin, bank = self.sums[self._bank(addend)], self._bank(bank)
        change = self._increments(increments) * self._wrap(np.asarray(amplitude))
        self.sums[bank] = self._wrap(origin + change)

    def learn(self, source: int, learns: npt.ArrayLike, increments: npt.ArrayLike = 1) -> None:
        """Add ``increments`` to the weights of ``source`` where ``learns``, shape (targets,), is set."""
        enabled = np.asarray(learns, bool)
        if enabled.shape != self.sums[0].shape:
            raise ValueError(f"learns has shape {enabled.shape}; it needs {self.sums[0].shape}, a flag for each target")
        source = self._source(source)
        moved = self.weights[source] + enabled * self._increments(increments)
        self.weights[source] = np.clip(moved, self.weight_low, self.weight_high)

    def _increments(self, increments: npt.ArrayLike) -> IntegerArray:
        array = np.asarray(increments)
        if array.shape not in ((), self.sums[0].shape):
            raise ValueError(f"increments have shape {array.shape}; one serves all targets, or {self.sums[0].shape}")
        wrong = array[np.abs(array) != 1]
        if wrong.size:
            raise ValueError(f"increment is {wrong[0]}; it must be 1 or -1")
        return array.astype(np.int64)

    def _wrap(self, values: IntegerArray) -> IntegerArray:
        half = 1 << (self.sum_bits - 1)
        return ((values + half) & (2 * half - 1)) - half

    def _source(self, source: int) -> int:
        if not 0 <= source < len(self.weights):
            raise ValueError(f"source is {source}; this crossbar has {len(self.weights)}")
        return source

    def _bank(self, bank: int) -> int:
        if not 0 <= bank < self.banks:
            raise ValueError(f"bank is {bank}; this crossbar has {self.banks}")
        return bank
