# amaranth: UnusedElaboratable=no
"""What lies behind a core's windows, against the codec of the same records."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from attractor.hdl.windows import RecordReadout, WindowMemory, WindowRegister
from attractor.spec import Field, Record, Region, Window
from attractor.spec.memory_map import record_window
from attractor.spec.records import unused

from .link.streams import simulate

RECORD = Record(
    (
        Field("flag", 1),
        unused(2),
        Field("level", 5, signed=True),
        Field("row", 3, count=4),
        Field("number", 13),
    )
)


def drawn(rng: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in RECORD.used:
        low, high = field.range
        numbers = [rng.randint(low, high) for _ in range(field.count or 1)]
        values[field.name] = numbers if field.count else numbers[0]
    return values


def shown(view: Any, ctx: Any) -> dict[str, Any]:
    """Return the fields of a view."""
    values = {}
    for field in RECORD.used:
        member = getattr(view, field.name)
        values[field.name] = [ctx.get(member[i]) for i in range(field.count)] if field.count else ctx.get(member)
    return values


def word_of(values: dict[str, Any]) -> int:
    arrays = {name: np.asarray(value) for name, value in values.items()}
    return int.from_bytes(RECORD.encode(arrays), "little")


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_memory_shows_the_fields_of_the_words_that_were_written(seed: int, told: bool) -> None:
    rng = random.Random(seed)
    window = Window("table", Region.PARAMETERS, 6, RECORD.bits, RECORD)
    dut = WindowMemory(window, told=told)

    async def bench(ctx: Any) -> None:
        contents = [drawn(rng) for _ in range(window.words)]
        for address, values in enumerate(contents):
            ctx.set(dut.window.address, address)
            ctx.set(dut.window.write_data, word_of(values))
            ctx.set(dut.window.write, 1)
            await ctx.tick()
        ctx.set(dut.window.write, 0)
        for _ in range(20):
            address, inside = rng.randrange(window.words), rng.random() < 0.5
            port = dut if inside else dut.window
            if told:
                ctx.set(dut.running, inside)
            ctx.set(port.address, address)
            ctx.set(port.read, 1)
            await ctx.tick()
            ctx.set(port.read, 0)
            if inside or not told:
                assert shown(dut.word, ctx) == contents[address]
            if inside and told:
                continue
            ctx.set(port.address, rng.randrange(window.words))
            assert ctx.get(dut.window.read_data) == word_of(contents[address])

    simulate(dut, bench)


@pytest.mark.parametrize("seed", range(3))
def test_a_register_keeps_its_one_word(seed: int) -> None:
    rng = random.Random(seed)
    dut = WindowRegister(Window("word", Region.INPUT, 1, RECORD.bits, RECORD))

    async def bench(ctx: Any) -> None:
        assert word_of(shown(dut.value, ctx)) == 0
        values = shown(dut.value, ctx)
        for _ in range(20):
            given, writes = drawn(rng), rng.random() < 0.5
            ctx.set(dut.window.write_data, word_of(given))
            ctx.set(dut.window.write, writes)
            await ctx.tick()
            values = given if writes else values
            assert shown(dut.value, ctx) == values
            assert ctx.get(dut.window.read_data) == word_of(values)

    simulate(dut, bench)


@pytest.mark.parametrize("seed", range(3))
def test_a_record_is_read_byte_by_byte(seed: int) -> None:
    rng = random.Random(seed)
    dut = RecordReadout(record_window("result", Region.OUTPUT, RECORD))

    async def bench(ctx: Any) -> None:
        values = drawn(rng)
        for name, value in values.items():
            member = getattr(dut.values, name)
            for index, number in enumerate(value if isinstance(value, list) else [value]):
                ctx.set(member[index] if isinstance(value, list) else member, number)
        data = bytearray()
        for address in range(RECORD.size):
            ctx.set(dut.window.address, address)
            ctx.set(dut.window.read, 1)
            await ctx.tick()
            data.append(ctx.get(dut.window.read_data))
            ctx.set(dut.window.read, 0)
            ctx.set(dut.window.address, rng.randrange(RECORD.size))
            await ctx.tick()
            assert ctx.get(dut.window.read_data) == data[-1]  # until it is read anew
        assert bytes(data) == word_of(values).to_bytes(RECORD.size, "little")

    simulate(dut, bench)


def test_windows_that_they_cannot_serve() -> None:
    with pytest.raises(ValueError, match="window table has 2 words; a register holds one"):
        WindowRegister(Window("table", Region.INPUT, 2, 8))
    with pytest.raises(ValueError, match="window raw is not filled by a record"):
        RecordReadout(Window("raw", Region.OUTPUT, 4, 8))
