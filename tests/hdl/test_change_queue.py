# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.change_list import ChangeList
from attractor.hdl.change_queue import CHUNK_LANES, ChangeQueue

from .link.streams import simulate

#: From one change to several chunks in a group, the last of them cut short.
SHAPES = [(1, 1), (3, 1), (1, 2), (4, 5), (2, CHUNK_LANES), (2, CHUNK_LANES + 1), (3, 2 * CHUNK_LANES + 5)]
#: Both are used in the same way.
Queue = ChangeQueue | ChangeList
QUEUES: list[type[Queue]] = [ChangeQueue, ChangeList]
#: Cycles without a load after which a queue without changes must call itself empty.
DRAIN_CYCLES = 3


class Model:
    """Set of the changes that were loaded and have not come out."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.flags: dict[tuple[int, int], int] = {}
        #: A list has to see that the last chunks of a word are empty.
        self.drain_cycles = DRAIN_CYCLES + (-(-queue.lanes // CHUNK_LANES) if isinstance(queue, ChangeList) else 0)
        self.since_busy = self.drain_cycles

    def free_groups(self) -> list[int]:
        """Return the groups of which nothing is waiting."""
        waiting = {group for group, _ in self.flags}
        return [group for group in range(self.queue.groups) if group not in waiting]

    def check(self, load: int, group: int, mask: int, flags: int, out: Any, empty: int) -> None:
        """Follow one cycle; ``out`` is the change that was taken, or None."""
        busy = bool(self.flags) or (load and mask)
        self.since_busy = 0 if load or busy else self.since_busy + 1
        assert not (busy and empty), "empty, but changes are waiting"
        assert busy or empty or self.since_busy < self.drain_cycles, "nothing is waiting, but the queue is not empty"
        if out is not None:
            assert self.flags.pop((out.group, out.lane)) == out.flag
        for lane in range(self.queue.lanes):
            if load and mask >> lane & 1:
                assert (group, lane) not in self.flags
                self.flags[group, lane] = flags >> lane & 1


def draw_mask(rng: random.Random, lanes: int) -> int:
    """Draw a mask; nothing, one change and all changes are likely."""
    return rng.choice([0, 1 << rng.randrange(lanes), (1 << lanes) - 1, rng.getrandbits(lanes), rng.getrandbits(lanes)])


async def cycle(ctx: Any, queue: Queue, model: Model, load: tuple[int, int, int] | None, ready: bool) -> Any:
    """Run one cycle against the model; return the change that was taken, or None."""
    ctx.set(queue.i.valid, load is not None)
    marks = queue.i.payload
    if load is not None:
        ctx.set(marks, dict(zip(("group", "mask", "flags"), load, strict=True)))
    ctx.set(queue.o.ready, ready)
    inputs = (queue.i.valid, marks.group, marks.mask, marks.flags)
    _, _, *loaded, valid, change, empty = await ctx.tick().sample(*inputs, queue.o.valid, queue.o.payload, queue.empty)
    out = change if valid and ready else None
    model.check(*loaded, out, empty)
    return out


@pytest.mark.parametrize("kind", QUEUES)
@settings(max_examples=25, deadline=None)
@given(shape=st.sampled_from(SHAPES), stall=st.sampled_from([0.0, 0.3, 0.8]), seed=st.integers(0, 2**32))
def test_every_change_comes_out_once(kind: type[Queue], shape: tuple[int, int], stall: float, seed: int) -> None:
    queue, rng = kind(*shape), random.Random(seed)

    async def bench(ctx: Any) -> None:
        model = Model(queue)
        rate = rng.choice([0.05, 0.5, 1])
        for _ in range(300):
            free, load = model.free_groups(), None
            if free and rng.random() < rate:
                load = rng.choice(free), draw_mask(rng, queue.lanes), rng.getrandbits(queue.lanes)
            await cycle(ctx, queue, model, load, rng.random() >= stall)
        for _ in range(3 * queue.groups * queue.lanes + 20):
            await cycle(ctx, queue, model, None, ready=True)
        assert not model.flags

    simulate(queue, bench)


@pytest.mark.parametrize("kind", QUEUES)
@settings(max_examples=15, deadline=None)
@given(shape=st.sampled_from(SHAPES), stall=st.sampled_from([0.0, 0.5]), seed=st.integers(0, 2**32))
def test_a_scan_comes_out_in_order(kind: type[Queue], shape: tuple[int, int], stall: float, seed: int) -> None:
    queue, rng = kind(*shape), random.Random(seed)

    async def bench(ctx: Any) -> None:
        model = Model(queue)
        for _ in range(3):
            loads = [(group, draw_mask(rng, queue.lanes), 0) for group in range(queue.groups)]
            out = []
            for number in range(6 * queue.groups * queue.lanes + 40):
                load = loads[number] if number < queue.groups else None
                out.append(await cycle(ctx, queue, model, load, rng.random() >= stall))
            found = [(change.group, change.lane) for change in out if change is not None]
            lanes = range(queue.lanes)
            assert found == [(group, lane) for group, mask, _ in loads for lane in lanes if mask >> lane & 1]

    simulate(queue, bench)


@pytest.mark.parametrize("kind", QUEUES)
@pytest.mark.parametrize("lanes", [7, 3 * CHUNK_LANES])
def test_one_change_a_cycle_without_gaps_between_chunks(kind: type[Queue], lanes: int) -> None:
    queue = kind(2, lanes)

    async def bench(ctx: Any) -> None:
        model = Model(queue)
        mask = (1 << lanes) - 1
        out = [await cycle(ctx, queue, model, (group, mask, 0), ready=True) for group in range(2)]
        out += [await cycle(ctx, queue, model, None, ready=True) for _ in range(2 * lanes + 3)]
        taken = [change is not None for change in out]
        first = taken.index(True)
        assert first <= 5
        assert all(taken[first : first + 2 * lanes])

    simulate(queue, bench)


def test_an_empty_chunk_of_a_list_costs_one_cycle() -> None:
    queue, chunks = ChangeList(2, 5 * CHUNK_LANES), 5

    async def bench(ctx: Any) -> None:
        model = Model(queue)
        last = 1 << chunks * CHUNK_LANES - 1
        out = [await cycle(ctx, queue, model, (group, last, 0), ready=True) for group in range(2)]
        out += [await cycle(ctx, queue, model, None, ready=True) for _ in range(20)]
        first, second = [number for number, change in enumerate(out) if change is not None]
        assert first == 4 + chunks - 1
        assert second == first + chunks

    simulate(queue, bench)
