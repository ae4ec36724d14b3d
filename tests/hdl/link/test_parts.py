# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.link.attention import AttentionDetector
from attractor.hdl.link.counters import LineCounters
from attractor.hdl.link.order import RequestOrder
from attractor.hdl.link.rate import LineRate
from attractor.spec.protocol import NUMBERS, RATE_CYCLES, Counters

from .streams import simulate


async def pulse(ctx: Any, signal: Any, value: int = 1) -> None:
    ctx.set(signal, value)
    await ctx.tick()
    ctx.set(signal, 0)


async def pass_bits(ctx: Any, order: RequestOrder, strobe: Any, number: int) -> None:
    ctx.set(strobe, 1)
    for place in range(16):
        ctx.set(order.bit, number >> place & 1)
        await ctx.tick()
    ctx.set(strobe, 0)


async def shown(ctx: Any, bit: Any, strobe: Any) -> int:
    value = 0
    ctx.set(strobe, 1)
    for place in range(16):
        value |= ctx.get(bit) << place
        await ctx.tick()
    ctx.set(strobe, 0)
    return value


def test_order_is_that_of_numbers_modulo_65536() -> None:
    order, rng = RequestOrder(), random.Random(5)
    drawn: Counter[str] = Counter()

    async def drive(ctx: Any) -> None:
        session, following, known = 0, 0, False
        for _ in range(150):
            distance = rng.choice([0, 0, 1, 2, 0x7FFF, 0x8000, 0xFFFF, rng.randrange(NUMBERS)])
            number = session if rng.random() < 0.2 else (following + distance) % NUMBERS
            distance = (number - following) % NUMBERS
            await pulse(ctx, order.restart)
            await pass_bits(ctx, order, order.compare, number)
            found = tuple(ctx.get(flag) for flag in (order.known, order.same_session, order.expected, order.later))
            assert found == (known, known and number == session, distance == 0, 0 < distance < 0x8000)
            drawn["same session"] += found[1]
            drawn["expected"] += found[2]
            drawn["later"] += found[3]
            drawn["earlier"] += distance >= 0x8000
            if rng.random() < 0.5:
                begins = rng.random() < 0.3
                ctx.set(order.begin, begins)
                await pass_bits(ctx, order, order.adopt, number)
                ctx.set(order.begin, 0)
                following = (number + 1) % NUMBERS
                session, known = (number, True) if begins else (session, known)
                drawn["begins"] += begins
                await ctx.tick()
            if rng.random() < 0.3:
                assert await shown(ctx, order.session, order.show_session) == session
                assert await shown(ctx, order.next, order.show_next) == following

    simulate(order, drive)
    assert min(drawn[event] for event in ("same session", "expected", "later", "earlier", "begins")) > 5


def test_counters_count_and_carry() -> None:
    counters, rng = LineCounters(), random.Random(6)

    async def drive(ctx: Any) -> None:
        async def read() -> Counters:
            ctx.set(counters.hold, 1)
            while not ctx.get(counters.ready):
                await ctx.tick()
            value = 0
            for place in range(96):
                # What happens meanwhile is added later.
                happens = place % 96 == 50
                ctx.set(counters.events, 0b111 * happens)
                ctx.set(counters.step, 1)
                value |= ctx.get(counters.bit) << place
                await ctx.tick()
                ctx.set(counters.events, 0)
                ctx.set(counters.step, 0)
                if rng.random() < 0.2:
                    await ctx.tick()
            ctx.set(counters.hold, 0)
            for field in range(3):
                expected[field] += 1
            return Counters.unpack(value.to_bytes(12, "little"))

        expected = [0, 0, 0]
        for _ in range(6):
            for _ in range(rng.choice([1, 60, 200])):
                events = rng.randrange(8)
                for field in range(3):
                    expected[field] += events >> field & 1
                await pulse(ctx, counters.events, events)
                await ctx.tick().repeat(rng.choice([33, 34, 40, 90]))
            await ctx.tick().repeat(70)
            before = list(expected)
            assert await read() == Counters(*before)
        assert expected[0] > 256

    simulate(counters, drive)


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 255)), max_size=8), pause=st.integers(0, 2))
def test_attention_is_seen_once_in_a_row_of_zeros(rows: list[tuple[int, int]], pause: int) -> None:
    detector, seen = AttentionDetector(), list[int]()

    async def drive(ctx: Any) -> None:
        for zeros, byte in rows:
            for number, value in enumerate([*bytes(zeros), byte], 1):
                ctx.set(detector.i.valid, 1)
                ctx.set(detector.i.payload, value)
                if ctx.get(detector.seen):
                    seen.append(number)
                await ctx.tick()
                ctx.set(detector.i.valid, 0)
                for _ in range(pause):
                    await ctx.tick()

    if rows:
        simulate(detector, drive)
    assert seen == [8 for zeros, _ in rows if zeros >= 8]


def test_rate_is_taken_byte_by_byte_and_falls_back_after_silence() -> None:
    rate = LineRate(RATE_CYCLES // 12, 100)

    async def drive(ctx: Any) -> None:
        assert ctx.get(rate.step) == rate.start
        for step in (1, 0x3FFFF, 0x40000, 0x12345):
            for part, byte in enumerate(step.to_bytes(3, "little")):
                ctx.set(rate.data, byte)
                await pulse(ctx, rate.take, 1 << part)
            assert ctx.get(rate.step) == step
            await ctx.tick().repeat(300)  # nothing comes
            assert ctx.get(rate.step) == step
            await pulse(ctx, rate.heard)
            await ctx.tick().repeat(50)
            await pulse(ctx, rate.keep)  # and it made sense
            await ctx.tick().repeat(300)
            assert ctx.get(rate.step) == step
            await pulse(ctx, rate.heard)
            await ctx.tick().repeat(50)
            await pulse(ctx, rate.heard)  # more of it begins nothing anew
            await ctx.tick().repeat(49)
            assert ctx.get(rate.step) == step
            await ctx.tick()
            assert ctx.get(rate.step) == rate.start
            await pulse(ctx, rate.keep)

    simulate(rate, drive)


@pytest.mark.parametrize(("start", "cycles"), [(0, 5), (RATE_CYCLES // 4 + 1, 5), (7, 0)])
def test_rate_that_there_cannot_be_is_refused(start: int, cycles: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        LineRate(start, cycles)
