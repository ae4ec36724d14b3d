"""Golden model of the pseudo-random generator that all families share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.spec.base import check_range
from attractor.spec.oscillator import FLIP_BITS, FLIP_MASKS, MOST_LANES, SEED_BITS

__all__ = ["WORD_BITS", "NoiseGenerator"]

WORD_BITS = 64


class _Places(NamedTuple):
    """Where lanes find their bits in a word, see :class:`NoiseGenerator`."""

    first: npt.NDArray[np.uint64]
    second: npt.NDArray[np.uint64]
    spread: npt.NDArray[np.uint64]
    masks: tuple[tuple[npt.NDArray[np.uint64], ...], ...]


@cache
def _places(lanes: int) -> _Places:
    lane, bits = np.arange(lanes, dtype=np.uint64), np.uint64(WORD_BITS)
    distance, first = lane // bits, lane % bits
    masks = tuple(
        tuple((lane + np.uint64(offset) + np.uint64(stride) * distance) % bits for offset in offsets)
        for stride, offsets in FLIP_BITS
    )
    # Distance 0 would xor a bit with itself.
    return _Places(first, (first + distance) % bits, (distance > 0).astype(np.uint64), masks)


class NoiseGenerator:
    """One xorshift generator of 64 bits for each network of a batch, spread over many lanes.

    A word gives a random bit to each lane: lane l gets bit ``l % 64``, from lane 64 on xored with the bit ``l // 64``
    places above it (cyclic). Any two lanes therefore differ in what they xor. The next word is ``x ^= x << 13;
    x ^= x >> 7; x ^= x << 17`` (Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003) 14, the triple
    13, 7, 17 of section 2), which visits every state but 0.

    Parameters
    ----------
    seeds:
        Shape (batch,), 0 to ``2**63 - 1``; the first word is ``2 * seed + 1``. Small seeds make poor first words.
    lanes:
        1 to 2048.

    Attributes
    ----------
    words:
        The present word of each network, shape (batch,), uint64.

    Raises
    ------
    SpecError
        If a seed or ``lanes`` is out of range.
    """

    def __init__(self, seeds: npt.ArrayLike, lanes: int) -> None:
        array = np.atleast_1d(np.asarray(seeds))
        for seed in array.tolist():
            check_range("seed", seed, 0, (1 << SEED_BITS) - 1)
        check_range("lanes", lanes, 1, MOST_LANES)
        self.words = array.astype(np.uint64) << np.uint64(1) | np.uint64(1)
        self._first, self._second, self._spread, self._mask_bits = _places(lanes)

    def draw(self) -> npt.NDArray[np.bool_]:
        """Return the bits of the present word, shape (batch, lanes), and step to the next word."""
        words = self.words[:, None]
        bits = (words >> self._first) ^ (words >> self._second & self._spread)
        self._step()
        return (bits & np.uint64(1)).astype(bool)

    def draw_signs(self, offsets: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Return several bits of the present word for each lane, and step to the next word.

        Lane l gets the bits ``(l + offset) % 64``; shape (batch, offsets, lanes). For at most 64 lanes.
        """
        places = (self._first + np.array(offsets, np.uint64)[:, None]) % np.uint64(WORD_BITS)
        bits = (self.words[:, None, None] >> places) & np.uint64(1)
        self._step()
        return bits.astype(bool)

    def may_flip(self, flips: int) -> npt.NDArray[np.bool_]:
        """Return who may flip by the present word, shape (batch, lanes), and keep the word.

        ``flips`` is the number of the share in :data:`FLIP_SHARES`, from 1; :data:`FLIP_MASKS` and :data:`FLIP_BITS`
        say what is read.
        """
        words = self.words[:, None]
        may = np.ones((len(words), len(self._first)), bool)
        for rule, places in zip(FLIP_MASKS[flips - 1], self._mask_bits, strict=True):
            bits = [((words >> place) & np.uint64(1)).astype(bool) for place in places[: abs(rule)]]
            if rule:
                may &= (np.logical_and if rule > 0 else np.logical_or).reduce(bits)
        return may

    def skip(self, count: int) -> None:
        """Pass over so many words."""
        for _ in range(count):
            self._step()

    def high_bits(self, count: int, networks: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64]:
        """Return the ``count`` highest bits of some networks' words, shape (networks,), and step only these."""
        bits = self.words[networks] >> np.uint64(WORD_BITS - count)
        self._step(networks)
        return bits

    def _step(self, networks: npt.NDArray[np.intp] | slice = slice(None)) -> None:
        words = self.words[networks]
        words ^= words << np.uint64(13)
        words ^= words >> np.uint64(7)
        words ^= words << np.uint64(17)
        self.words[networks] = words
