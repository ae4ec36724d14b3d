# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.arbiter import StreamArbiter

from .link.streams import put, simulate, take, wait_until

STALLS = st.sampled_from([0.0, 0.3, 0.8])


def draw_turns(rng: random.Random, places: int) -> list[tuple[int, list[int]]]:
    """Return who has a turn, and the bytes of that turn."""
    return [(rng.randrange(places), [rng.randrange(256) for _ in range(rng.randrange(4))]) for _ in range(30)]


@settings(max_examples=20, deadline=None)
@given(inputs=st.integers(1, 5), before=STALLS, behind=STALLS, seed=st.integers(0, 2**32))
def test_whoever_has_a_turn_is_passed_on(inputs: int, before: float, behind: float, seed: int) -> None:
    rng, arbiter, out = random.Random(seed), StreamArbiter(8, inputs), []
    turns = draw_turns(rng, inputs)

    async def bench(ctx: Any) -> None:
        for source, values in turns:
            await put(ctx, arbiter.i[source], values, rng, before)
        await wait_until(ctx, lambda: not ctx.get(arbiter.o.valid), 20)
        assert out == [value for _, values in turns for value in values]

    async def collect(ctx: Any) -> None:
        await take(ctx, arbiter.o, out, random.Random(seed + 1), behind)

    simulate(arbiter, bench, collect)


def test_it_takes_no_cycle_and_only_the_source_that_is_passed_on_is_ready() -> None:
    arbiter = StreamArbiter(8, 3)

    async def bench(ctx: Any) -> None:
        for source in range(3):
            ctx.set(arbiter.i[source].valid, 1)
            ctx.set(arbiter.i[source].payload, 70 + source)
            for ready in range(2):
                ctx.set(arbiter.o.ready, ready)
                assert (ctx.get(arbiter.o.valid), ctx.get(arbiter.o.payload)) == (1, 70 + source)
                assert [ctx.get(other.ready) for other in arbiter.i] == [
                    ready * (other == source) for other in range(3)
                ]
            ctx.set(arbiter.i[source].valid, 0)
            assert not ctx.get(arbiter.o.valid)

    simulate(arbiter, bench)


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_two_requests_in_one_cycle_end_a_simulation(pair: Sequence[int]) -> None:
    arbiter = StreamArbiter(8, 3)

    async def bench(ctx: Any) -> None:
        for source in pair:
            await ctx.tick()
            ctx.set(arbiter.i[source].valid, 1)
        await ctx.tick()

    with pytest.raises(AssertionError, match="two requests at an arbiter in one cycle"):
        simulate(arbiter, bench)


def test_there_is_something_to_connect() -> None:
    with pytest.raises(ValueError, match="an arbiter of 0 streams"):
        StreamArbiter(8, 0)
