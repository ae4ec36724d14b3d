"""Words in a row without the bits between them, against one big integer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attractor.spec.packing import pack_words, packed_bytes, unpack_words


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[int], int, int]:
    """Return words, their bytes, and the bits that are kept of each."""
    word_bytes = draw(st.integers(1, 40))
    words = draw(st.lists(st.integers(0, (1 << 8 * word_bytes) - 1), max_size=30))
    return words, word_bytes, draw(st.integers(1, 8 * word_bytes))


def in_a_row(words: list[int], bits: int) -> bytes:
    number = sum((word & ((1 << bits) - 1)) << index * bits for index, word in enumerate(words))
    return number.to_bytes((len(words) * bits + 7) // 8, "little")


@given(rows())
def test_words_in_a_row_are_one_number(row: tuple[list[int], int, int]) -> None:
    words, word_bytes, bits = row
    data = b"".join(word.to_bytes(word_bytes, "little") for word in words)
    packed = pack_words(data, word_bytes, bits)
    assert packed == in_a_row(words, bits)
    assert len(packed) == packed_bytes(len(words), bits)


@given(rows(), st.binary(max_size=3))
def test_unpacking_gives_the_bits_that_were_kept_and_leaves_what_follows(
    row: tuple[list[int], int, int], more: bytes
) -> None:
    words, word_bytes, bits = row
    kept = [word & ((1 << bits) - 1) for word in words]
    found = unpack_words(in_a_row(words, bits) + more, len(words), word_bytes, bits)
    assert found == b"".join(word.to_bytes(word_bytes, "little") for word in kept)


@pytest.mark.parametrize(
    ("data", "word_bytes", "bits", "packed"),
    [
        (b"", 1, 3, b""),
        (b"\1\0\1\1", 1, 1, b"\x0d"),
        (b"\x05\x03", 1, 4, b"\x35"),
        (b"\xff\xff", 1, 3, b"\x3f"),
        (b"\x34\x12\x78\x56", 2, 12, b"\x34\x82\x67"),
        (b"abc", 1, 8, b"abc"),
    ],
)
def test_some_rows_by_hand(data: bytes, word_bytes: int, bits: int, packed: bytes) -> None:
    assert pack_words(data, word_bytes, bits) == packed
