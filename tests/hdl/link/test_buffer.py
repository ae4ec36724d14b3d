# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.link.buffer import ReceiveBuffer

from .streams import count, simulate, take, wait_until


def run(depth: int, data: bytes, gap: float, stall: float, seed: int) -> tuple[list[int], int]:
    """Return the bytes that went through a buffer, and how many it lost."""
    buffer = ReceiveBuffer(depth)
    rng = random.Random(seed)
    out: list[int] = []
    lost: list[int] = []

    async def drive(ctx: Any) -> None:
        for byte in data:
            while rng.random() < gap:
                await ctx.tick()
            ctx.set(buffer.i.valid, 1)
            ctx.set(buffer.i.payload, byte)
            await ctx.tick()
            ctx.set(buffer.i.valid, 0)
        await wait_until(ctx, lambda: len(out) + len(lost) == len(data), 5000)

    async def collect(ctx: Any) -> None:
        await take(ctx, buffer.o, out, random.Random(seed + 1), stall)

    async def watch(ctx: Any) -> None:
        await count(ctx, buffer.overrun, lost)

    simulate(buffer, drive, collect, watch)
    return out, len(lost)


@settings(max_examples=15, deadline=None)
@given(
    data=st.binary(max_size=200), gap=st.sampled_from([0.6, 0.9]), stall=st.sampled_from([0.0, 0.3]), seed=st.integers()
)
def test_bytes_come_out_in_order(data: bytes, gap: float, stall: float, seed: int) -> None:
    assert run(64, data, gap, stall, seed) == (list(data), 0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(), depth=st.sampled_from([2, 8, 16]))
def test_what_comes_out_is_what_came_in_less_what_was_lost(seed: int, depth: int) -> None:
    data = bytes(range(200))
    out, lost = run(depth, data, 0.3, 0.7, seed)
    assert lost == len(data) - len(out)
    assert lost > 0
    assert out == sorted(set(out))


def test_buffer_holds_its_depth_before_it_loses_any() -> None:
    buffer = ReceiveBuffer(16)
    lost: list[int] = []

    async def drive(ctx: Any) -> None:
        ctx.set(buffer.i.valid, 1)
        # One byte more than the depth: the first one waits at the output.
        for value in range(17):
            ctx.set(buffer.i.payload, value)
            await ctx.tick()
        assert not lost
        await ctx.tick().repeat(3)
        ctx.set(buffer.i.valid, 0)
        await ctx.tick()
        assert len(lost) == 3
        ctx.set(buffer.o.ready, 1)
        for value in range(17):
            await wait_until(ctx, lambda: ctx.get(buffer.o.valid), 10, settle=0)
            assert ctx.get(buffer.o.payload) == value
            await ctx.tick()
        await ctx.tick().repeat(5)
        assert not ctx.get(buffer.o.valid)

    async def watch(ctx: Any) -> None:
        await count(ctx, buffer.overrun, lost)

    simulate(buffer, drive, watch)


def test_depth_that_is_no_power_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="500 bytes"):
        ReceiveBuffer(500)
