from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attractor.spec import PAYLOAD_BYTES, MemoryMap, OscillatorSpec, Region, Window

MAP = MemoryMap(
    (
        Window("table", Region.PARAMETERS, 3, 12),
        Window("start", Region.INPUT, 2, 8),
        Window("bias", Region.PARAMETERS, 1, 1),
        Window("end", Region.OUTPUT, 4, 17),
    )
)


@given(words=st.integers(1, (1 << 24) - 1), word_bits=st.integers(1, 8 * PAYLOAD_BYTES))
def test_sizes_of_a_window(words: int, word_bits: int) -> None:
    window = Window("w", Region.INPUT, words, word_bits)
    assert 8 * (window.word_bytes - 1) < word_bits <= 8 * window.word_bytes
    assert window.size == words * window.word_bytes
    assert (
        window.words_per_frame * window.word_bytes <= PAYLOAD_BYTES < (window.words_per_frame + 1) * window.word_bytes
    )


@pytest.mark.parametrize(
    ("words", "word_bits", "value"), [(0, 8, 0), (1 << 24, 8, 1 << 24), (1, 0, 0), (1, 1921, 1921)]
)
def test_windows_that_cannot_be(words: int, word_bits: int, value: int) -> None:
    with pytest.raises(ValueError, match=rf"window table has {value} "):
        Window("table", Region.INPUT, words, word_bits)


def test_windows_are_numbered_in_order() -> None:
    assert [MAP.number(window.name) for window in MAP.windows] == [1, 2, 3, 4]
    assert MAP["bias"].words == 1
    with pytest.raises(KeyError, match="absent"):
        MAP["absent"]


def test_regions() -> None:
    assert [window.name for window in MAP.region(Region.PARAMETERS)] == ["table", "bias"]
    assert [MAP.size(region) for region in Region] == [7, 2, 12]


def test_region_is_joined_in_order_and_split_again() -> None:
    contents = {"bias": b"z", "table": b"abcdef"}
    joined = MAP.join(Region.PARAMETERS, contents)
    assert joined == b"abcdefz"
    assert MAP.split(Region.PARAMETERS, joined) == contents
    with pytest.raises(ValueError, match="6 bytes for the parameters region of 7 bytes"):
        MAP.split(Region.PARAMETERS, joined[1:])


@st.composite
def regions(draw: st.DrawFn) -> tuple[MemoryMap, list[list[int]]]:
    """Return windows of one region and others, and the words of those of the region."""
    shapes = draw(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 300), st.booleans()), min_size=1, max_size=5))
    windows = tuple(
        Window(f"w{index}", Region.OUTPUT if ours or not index else Region.INPUT, words, bits)
        for index, (words, bits, ours) in enumerate(shapes)
    )
    memory_map = MemoryMap(windows)
    contents = [
        draw(st.lists(st.integers(0, (1 << window.word_bits) - 1), min_size=window.words, max_size=window.words))
        for window in memory_map.region(Region.OUTPUT)
    ]
    return memory_map, contents


@given(regions())
def test_a_region_is_packed_as_one_number_and_unpacked_again(drawn: tuple[MemoryMap, list[list[int]]]) -> None:
    memory_map, contents = drawn
    number, bits, data = 0, 0, b""
    for window, words in zip(memory_map.region(Region.OUTPUT), contents, strict=True):
        for word in words:
            number |= word << bits
            bits += window.word_bits
            data += word.to_bytes(window.word_bytes, "little")
    packed = number.to_bytes((bits + 7) // 8, "little")
    assert memory_map.packed(Region.OUTPUT, data) == packed
    assert memory_map.packed_size(Region.OUTPUT) == len(packed)
    assert memory_map.unpacked(Region.OUTPUT, packed) == data


def test_packing_drops_bits_that_no_word_keeps() -> None:
    assert MAP.packed(Region.PARAMETERS, b"\xff" * 7) == b"\xff" * 4 + b"\x1f"
    assert MAP.unpacked(Region.PARAMETERS, b"\xff" * 5) == b"\xff\x0f" * 3 + b"\x01"


def test_names_are_unique() -> None:
    window = Window("twice", Region.INPUT, 1, 8)
    with pytest.raises(ValueError, match=r"\['twice', 'twice'\]"):
        MemoryMap((window, window))


def test_no_more_windows_than_a_byte_numbers() -> None:
    windows = tuple(Window(f"w{index}", Region.INPUT, 1, 8) for index in range(256))
    assert MemoryMap(windows[:255]).number("w254") == 255
    with pytest.raises(ValueError, match="256 windows"):
        MemoryMap(windows)


def test_map_of_an_oscillator_network() -> None:
    spec = OscillatorSpec(oscillators=500, inputs=10, weight_bits=8, lanes=300, schedule_entries=4)
    found = [(window.name, window.region.name, window.words, window.word_bits) for window in spec.memory_map.windows]
    assert found == [
        ("schedule", "PARAMETERS", 4, 64),
        ("settle", "PARAMETERS", 1, 16),
        ("weights.0", "PARAMETERS", 1000, 1728),
        ("weights.1", "PARAMETERS", 1000, 672),
        ("seed", "INPUT", 1, 63),
        ("state", "INPUT", 500, 8),
        ("result", "OUTPUT", 16, 8),
        ("phases", "OUTPUT", 490, 4),
    ]
