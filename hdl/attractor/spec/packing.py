"""Words without the unused bits between them, as calls and their results carry them."""

from __future__ import annotations

import numpy as np

__all__ = ["pack_words", "packed_bytes", "unpack_words"]


def packed_bytes(words: int, bits: int) -> int:
    """Return the bytes of ``words`` words of ``bits`` bits in a row."""
    return (words * bits + 7) // 8


def pack_words(data: bytes, word_bytes: int, bits: int) -> bytes:
    """Return the lowest ``bits`` bits of each word in a row, lowest first; the last byte is filled up with zeros.

    Parameters
    ----------
    data:
        Whole words of ``word_bytes`` bytes each, little-endian.
    word_bytes:
        Bytes of a word.
    bits:
        Bits that are kept of each word, at most ``8 * word_bytes``.
    """
    kept = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").reshape(-1, 8 * word_bytes)[:, :bits]
    return np.packbits(kept, bitorder="little").tobytes()


def unpack_words(packed: bytes, words: int, word_bytes: int, bits: int) -> bytes:
    """Inverse of :func:`pack_words`; bits that were not kept are 0.

    Parameters
    ----------
    packed:
        At least :func:`packed_bytes` of ``words`` and ``bits``; what follows is left alone.
    """
    given = np.unpackbits(np.frombuffer(packed, np.uint8), count=words * bits, bitorder="little").reshape(words, bits)
    whole = np.zeros((words, 8 * word_bytes), np.uint8)
    whole[:, :bits] = given
    return np.packbits(whole, axis=1, bitorder="little").tobytes()
