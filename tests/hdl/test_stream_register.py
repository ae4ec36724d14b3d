from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.stream_register import StreamRegister

from .link.streams import put, simulate, take, wait_until

STALLS = st.sampled_from([0.0, 0.3, 0.8])


@settings(max_examples=20, deadline=None)
@given(before=STALLS, behind=STALLS, seed=st.integers(0, 2**32))
def test_all_comes_through_in_order(before: float, behind: float, seed: int) -> None:
    rng, register, out = random.Random(seed), StreamRegister(8), []
    values = [rng.randrange(256) for _ in range(60)]

    async def bench(ctx: Any) -> None:
        await put(ctx, register.i, values, rng, before)
        await wait_until(ctx, lambda: not ctx.get(register.o.valid), 200)
        assert out == values

    async def collect(ctx: Any) -> None:
        await take(ctx, register.o, out, random.Random(seed + 1), behind)

    simulate(register, bench, collect)


def test_what_is_held_is_offered_before_it_is_wanted() -> None:
    register = StreamRegister(8)

    async def bench(ctx: Any) -> None:
        ctx.set(register.i.valid, 1)
        for value in (77, 78):
            ctx.set(register.i.payload, value)
            await ctx.tick()
            assert (ctx.get(register.o.valid), ctx.get(register.o.payload)) == (1, 77)

    simulate(register, bench)


def test_a_payload_a_cycle_and_no_path_through() -> None:
    register = StreamRegister(8)

    async def bench(ctx: Any) -> None:
        ctx.set(register.o.ready, 1)
        ctx.set(register.i.valid, 1)
        for value in range(20):
            ctx.set(register.i.payload, value)
            assert ctx.get(register.i.ready)
            await ctx.tick()
            assert (ctx.get(register.o.valid), ctx.get(register.o.payload)) == (1, value)
        # Two are held without being taken, and what is offered meanwhile changes nothing in the same cycle.
        ctx.set(register.o.ready, 0)
        await ctx.tick()
        assert (ctx.get(register.i.ready), ctx.get(register.o.payload)) == (0, 19)
        ctx.set(register.o.ready, 1)
        assert not ctx.get(register.i.ready)

    simulate(register, bench)
