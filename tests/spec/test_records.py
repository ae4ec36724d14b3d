"""Records: one declaration, and every codec and table that derives from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attractor.spec import Field, MemoryMap, Record, Region, Window
from attractor.spec.memory_map import number_window, record_window
from attractor.spec.records import unused


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Draw fields of all kinds: signed, repeated, unused, of any width."""
    fields = []
    for index in range(draw(st.integers(1, 6))):
        bits = draw(st.integers(1, 63))
        if draw(st.integers(0, 4)) == 0:
            fields.append(unused(bits, index))
            continue
        count = draw(st.none() | st.integers(1, 5))
        fields.append(Field(f"field_{index}", bits, signed=draw(st.booleans()), count=count))
    return Record(tuple(fields))


def drawn_values(record: Record, rng: np.random.Generator, words: int) -> dict[str, np.ndarray]:
    return {
        field.name: rng.integers(
            *field.range, (words,) if field.count is None else (words, field.count), endpoint=True, dtype=np.int64
        )
        for field in record.used
    }


def plain_word(record: Record, values: dict[str, np.ndarray], word: int) -> int:
    """Return a word of a record as an integer, straight from what a record is."""
    total = place = 0
    for field in record:
        numbers = [0] * (field.count or 1) if field.unused else np.ravel(values[field.name][word]).tolist()
        for number in numbers:
            total |= (number % (1 << field.bits)) << place
            place += field.bits
    assert place == record.bits
    return total


@given(records(), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_words_are_their_fields_from_the_lowest_bit_on(record: Record, seed: int, words: int) -> None:
    values = drawn_values(record, np.random.default_rng(seed), words)
    data = record.encode_words(values, words)
    assert data.shape == (words, record.size)
    for word in range(words):
        assert int.from_bytes(data[word].tobytes(), "little") == plain_word(record, values, word)
    found = record.decode_words(data.tobytes(), words)
    assert found.keys() == values.keys()
    for name, numbers in values.items():
        np.testing.assert_array_equal(found[name], numbers)


@given(records(), st.integers(0, 2**32 - 1))
def test_one_record_is_the_same_as_one_word(record: Record, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {name: numbers[0] for name, numbers in drawn_values(record, rng, 1).items()}
    data = record.encode(values)
    assert data == record.encode_words({name: np.asarray(value)[None] for name, value in values.items()}, 1).tobytes()
    for name, value in record.decode(data).items():
        np.testing.assert_array_equal(value, values[name])
        assert isinstance(value, int) == (record[name].count is None)


@given(records(), st.integers(0, 2**32 - 1))
def test_unused_bits_are_written_as_zero_and_read_as_nothing(record: Record, seed: int) -> None:
    values = {name: numbers[0] for name, numbers in drawn_values(record, np.random.default_rng(seed), 1).items()}
    noise = int.from_bytes(record.encode(values), "little")
    for field in record:
        if field.unused:
            start = record.start(field.name)
            mask = ((1 << field.width) - 1) << start
            assert noise & mask == 0
            noise |= mask
    found = record.decode(noise.to_bytes(record.size, "little"))
    assert {name: np.ravel(value).tolist() for name, value in found.items()} == {
        name: np.ravel(value).tolist() for name, value in values.items()
    }


def test_fields_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="two fields called twice"):
        Record((Field("twice", 1), Field("twice", 2)))
    with pytest.raises(ValueError, match="field wide has 64 bits; it must have 1 to 63"):
        Field("wide", 64)


def test_ranges_are_what_a_field_holds_or_less() -> None:
    assert Field("plain", 3).range == (0, 7)
    assert Field("signed", 3, signed=True).range == (-4, 3)
    assert Field("bounded", 8, high=100).range == (0, 100)


STATE = Record((Field("phase", 4, meaning="in slots"), unused(3), Field("clamp", 1)))
PAIR = Record((Field("flag", 1), unused(7), Field("level", 12, signed=True, count=2, meaning="both")))


def test_a_record_tells_what_its_bits_mean() -> None:
    assert STATE.describe() == [
        {"name": "phase", "bit": 0, "bits": 4, "meaning": "in slots"},
        {"name": "clamp", "bit": 7, "bits": 1},
    ]
    assert PAIR.table().splitlines()[2:] == [
        "| 0 | `flag` |  |",
        "| 8 to 31 | `level` x 2, 12 bits each, signed | both |",
    ]


def test_windows_are_decoded_by_their_records() -> None:
    memory_map = MemoryMap(
        (
            number_window("settle", Region.INPUT, 16, "periods"),
            Window("state", Region.INPUT, 3, 8, STATE),
            record_window("pair", Region.INPUT, PAIR),
            Window("raw", Region.INPUT, 2, 8),
        )
    )
    data = bytes([5, 1, 0x83, 0x02, 0x8F, 1, 0xFF, 0x1F, 0x00, 9, 8])
    found = memory_map.decode(Region.INPUT, data)
    assert found["settle"] == {"settle": 261}
    assert found["state"]["phase"].tolist() == [3, 2, 15]
    assert found["state"]["clamp"].tolist() == [1, 0, 1]
    assert found["pair"]["flag"] == 1
    assert found["pair"]["level"].tolist() == [-1, 1]
    assert found["raw"] == bytes([9, 8])
    assert memory_map.encode(Region.INPUT, found) == data
    assert [sorted(entry.keys() & {"fields_of_a_word", "fields_of_the_window"}) for entry in memory_map.describe()] == [
        ["fields_of_the_window"],
        ["fields_of_a_word"],
        ["fields_of_the_window"],
        [],
    ]


def test_a_record_must_fit_its_window() -> None:
    with pytest.raises(ValueError, match="record of window odd has 8 bits; it must have those of a word, 16, or"):
        Window("odd", Region.INPUT, 2, 16, STATE)
