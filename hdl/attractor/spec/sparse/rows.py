"""Rows of sparse couplings as words of a memory: what each source adds to which targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.spec.base import IntegerArray

__all__ = ["RowMemory"]


@dataclass(frozen=True)
class RowMemory:
    """How rows lie in a memory.

    A word has a *slot* for each class of targets: slot k holds a coupling to a target of class k, those with
    ``target % slots == k``, or nothing, which is a weight of 0. So slot k reaches the accumulators of its class alone,
    and no two slots the same. A row takes as many words as its fullest class has couplings, one after the other; the
    last one is marked. Word 0 is the row of all sources without couplings, and empty.

    Of a word, from the lowest bit on: for each slot the place of the target in its class, ``target // slots``, and the
    weight in two's complement; then 1 if the row ends.

    Parameters
    ----------
    words:
        Words of the memory.
    slots:
        Couplings of a word.
    place_bits, weight_bits:
        Width of a place and of a weight.
    """

    words: int
    slots: int
    place_bits: int
    weight_bits: int

    @property
    def slot_bits(self) -> int:
        """Bits of a slot."""
        return self.place_bits + self.weight_bits

    @property
    def word_bits(self) -> int:
        """Bits of a word."""
        return self.slots * self.slot_bits + 1

    def lengths(self, starts: IntegerArray, targets: IntegerArray) -> npt.NDArray[np.int64]:
        """Return the words of each row, shape (sources,); 0 for an empty one.

        Parameters
        ----------
        starts, targets:
            As the parameters of :class:`attractor.spec.sparse.SparseSpec`.
        """
        sources = len(starts) - 1
        source = np.repeat(np.arange(sources), np.diff(starts.astype(np.int64)))
        used = targets[: len(source)].astype(np.int64)
        counts = np.zeros((sources, self.slots), np.int64)
        np.add.at(counts, (source, used % self.slots), 1)
        return counts.max(axis=1, initial=0)

    def pack(
        self, starts: IntegerArray, targets: IntegerArray, weights: IntegerArray
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the first word of each row, shape (sources,), and the bits of all words, shape (words, word_bits).

        Rows must fit: see :meth:`lengths`.
        """
        lengths = self.lengths(starts, targets)
        first = np.where(lengths > 0, 1 + np.cumsum(lengths) - lengths, 0)
        source = np.repeat(np.arange(len(lengths)), np.diff(starts.astype(np.int64)))
        used = targets[: len(source)].astype(np.int64)
        # The number of a coupling among those of its row and class: targets of a row are in rising order.
        order = np.lexsort((used, used % self.slots, source))
        keys = (source * self.slots + used % self.slots)[order]
        begins = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, np.intp)
        number = np.arange(len(keys)) - np.repeat(begins, np.diff(np.r_[begins, len(keys)]))
        word, slot = first[source[order]] + number, used[order] % self.slots

        bits = np.zeros((self.words, self.word_bits), bool)
        value = (used[order] // self.slots) | (weights[order].astype(np.int64) & (1 << self.weight_bits) - 1) << (
            self.place_bits
        )
        for bit in range(self.slot_bits):
            bits[word, slot * self.slot_bits + bit] = value >> bit & 1
        bits[np.r_[0, (first + lengths - 1)[lengths > 0]], -1] = True
        return first, bits

    def unpack(
        self, first: IntegerArray, bits: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Inverse of :meth:`pack`: return starts, shape (sources + 1,), targets and weights, shape (couplings,).

        A row ends at the first word that is marked, or at the end of the memory.
        """
        slots = bits[:, :-1].reshape(self.words, self.slots, self.slot_bits)
        values = slots @ (1 << np.arange(self.slot_bits, dtype=np.int64))
        targets = (values & (1 << self.place_bits) - 1) * self.slots + np.arange(self.slots)
        shift = 64 - self.weight_bits
        weights = (values >> self.place_bits) << shift >> shift
        ends = np.flatnonzero(np.r_[bits[:-1, -1], True])
        last = ends[np.searchsorted(ends, first)]
        starts, found = [0], []
        for begin, end in zip(first.tolist(), last.tolist(), strict=True):
            row, value = targets[begin : end + 1].ravel(), weights[begin : end + 1].ravel()
            kept = np.flatnonzero(value)
            kept = kept[np.argsort(row[kept], kind="stable")]
            found.append((row[kept], value[kept]))
            starts.append(starts[-1] + len(kept))
        return np.array(starts), np.concatenate([row for row, _ in found]), np.concatenate([row for _, row in found])
