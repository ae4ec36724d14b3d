"""Both ends of a stream in Amaranth's simulator, stalling at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from amaranth.sim import Simulator

Testbench = Callable[[Any], Coroutine[Any, Any, None]]


async def put(ctx: Any, stream: Any, values: Iterable[Any], rng: random.Random, stall: float = 0.0) -> None:
    """Send ``values``; in each cycle nothing is offered with chance ``stall``. An offer stays until it is taken."""
    for value in values:
        while rng.random() < stall:
            await ctx.tick()
        ctx.set(stream.valid, 1)
        ctx.set(stream.payload, value)
        await wait_for(ctx, stream.ready)
        ctx.set(stream.valid, 0)


async def wait_for(ctx: Any, signal: Any, limit: int = 5000) -> None:
    """Let cycles pass up to the first one in which ``signal`` is high, that included."""
    for _ in range(limit):
        _, _, high = await ctx.tick().sample(signal)
        if high:
            return
    raise AssertionError(f"still waiting for {signal!r} after {limit} cycles")


async def take(ctx: Any, stream: Any, values: list[int], rng: random.Random, stall: float = 0.0) -> None:
    """Append what comes to ``values`` for ever, and see that an offer stays until it is taken."""
    offered = None
    while True:
        ctx.set(stream.ready, rng.random() >= stall)
        _, _, valid, ready, value = await ctx.tick().sample(stream.valid, stream.ready, stream.payload)
        assert offered is None or (valid and value == offered), "an offer was taken back or changed"
        offered = value if valid and not ready else None
        if valid and ready:
            values.append(value)


async def count(ctx: Any, strobe: Any, events: list[int]) -> None:
    """Append a 1 to ``events`` for each cycle in which ``strobe`` is high."""
    while True:
        _, _, high = await ctx.tick().sample(strobe)
        if high:
            events.append(1)


def simulate(component: Any, foreground: Testbench, *background: Testbench) -> None:
    """Run until ``foreground`` ends; it has to limit itself.

    A background testbench must not wait by ``until`` or ``repeat``: Python cannot close what it is left in.
    """
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(foreground)
    for testbench in background:
        simulator.add_testbench(testbench, background=True)
    simulator.run()


async def wait_until(ctx: Any, condition: Callable[[], bool], limit: int, *, settle: int = 20) -> None:
    """Wait until ``condition``, at most ``limit`` cycles, and ``settle`` more to see what should not come."""
    for _ in range(limit):
        if condition():
            break
        await ctx.tick()
    else:
        raise AssertionError(f"still waiting after {limit} cycles")
    for _ in range(settle):
        await ctx.tick()
