"""Golden model of the event-driven crossbar that all families share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Crossbar:
    """Weight rows added into banks of accumulators.

    Sums wrap in two's complement, as an adder of ``sum_bits`` bits does.

    Parameters
    ----------
    weights:
        ``weights[s, i]`` is what source s adds to target i, shape (sources, targets), integers.
    banks:
        Accumulators of each target, at least 1.
    sum_bits:
        Width of a signed accumulator, 2 to 62.

    Attributes
    ----------
    sums:
        Accumulators, shape (banks, targets), int64; 0 at first.

    Raises
    ------
    ValueError
        If a size or a weight does not fit.
    """

    #: How often an event may add a row or a bank.
    INCREMENTS = (-2, -1, 1, 2)

    def __init__(self, weights: npt.ArrayLike, banks: int, sum_bits: int) -> None:
        self.weights = np.array(weights, np.int64)
        if self.weights.ndim != 2 or not np.issubdtype(np.asarray(weights).dtype, np.integer):
            raise ValueError(f"weights of shape {self.weights.shape}; they are integers of shape (sources, targets)")
        if banks < 1:
            raise ValueError(f"banks is {banks}; a crossbar has at least 1")
        if not 2 <= sum_bits <= 62:
            raise ValueError(f"sum_bits is {sum_bits}; it must lie between 2 and 62")
        self.banks = banks
        self.sum_bits = sum_bits
        self.sums = np.zeros((banks, self.weights.shape[1]), np.int64)

    def clear(self, bank: int) -> None:
        """Set a bank to 0."""
        self.sums[self._bank(bank)] = 0

    def add(self, source: int, bank: int, increment: int) -> None:
        """Add ``increment`` times the weights of ``source`` to a bank; :class:`ValueError` if there is none."""
        if not 0 <= source < len(self.weights):
            raise ValueError(f"source is {source}; this crossbar has {len(self.weights)}")
        self._accumulate(bank, self.weights[source], increment)

    def fold(self, source_bank: int, bank: int, increment: int) -> None:
        """Add ``increment`` times one bank to another, or to itself; :class:`ValueError` if there is none."""
        self._accumulate(bank, self.sums[self._bank(source_bank)], increment)

    def _accumulate(self, bank: int, values: npt.NDArray[np.int64], increment: int) -> None:
        if increment not in self.INCREMENTS:
            raise ValueError(f"increment is {increment}; it must be one of {self.INCREMENTS}")
        half = 1 << (self.sum_bits - 1)
        total = self.sums[self._bank(bank)] + increment * values
        self.sums[bank] = ((total + half) & (2 * half - 1)) - half

    def _bank(self, bank: int) -> int:
        if not 0 <= bank < self.banks:
            raise ValueError(f"bank is {bank}; this crossbar has {self.banks}")
        return bank
