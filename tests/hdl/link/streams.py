"""Both ends of a stream in Amaranth's simulator, stalling at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from amaranth.sim import Simulator

Testbench = Callable[[Any], Coroutine[Any, Any, None]]


async def put(ctx: Any, stream: Any, values: Iterable[Any], rng: random.Random, stall: float = 0.0) -> None:
    """Send ``values``; in each cycle nothing is offered with chance ``stall``. An offer stays until it is taken."""
    valid = Pin(ctx, stream.valid)
    for value in values:
        while rng.random() < stall:
            valid.set(0)
            await ctx.tick()
        ctx.set(stream.payload, value)
        valid.set(1)
        await wait_for(ctx, stream.ready)
    valid.set(0)


class Pin:
    """A signal that is driven here alone, so that driving it as it is costs nothing: each change is simulated."""

    def __init__(self, ctx: Any, signal: Any) -> None:
        self._ctx, self._signal = ctx, signal
        self._value = ctx.get(signal)

    def set(self, value: int) -> None:
        """Drive a value."""
        if value != self._value:
            self._ctx.set(self._signal, value)
            self._value = value


# Waiting for every next cycle by a trigger of its own takes longer than what a small design does in the cycle.


async def wait_for(ctx: Any, signal: Any, limit: int = 5000) -> None:
    """Let cycles pass up to the first one in which ``signal`` is high, that included."""
    cycles = 0
    async for _, _, high in ctx.tick().sample(signal):
        cycles += 1
        if high:
            return
        assert cycles < limit, f"still waiting for {signal!r} after {limit} cycles"


async def take(ctx: Any, stream: Any, values: list[int], rng: random.Random, stall: float = 0.0) -> None:
    """Append what comes to ``values`` for ever, and see that an offer stays until it is taken."""
    offered, takes = None, Pin(ctx, stream.ready)
    takes.set(rng.random() >= stall)
    async for _, _, valid, ready, value in ctx.tick().sample(stream.valid, stream.ready, stream.payload):
        assert offered is None or (valid and value == offered), "an offer was taken back or changed"
        offered = value if valid and not ready else None
        if valid and ready:
            values.append(value)
        takes.set(rng.random() >= stall)


async def count(ctx: Any, strobe: Any, events: list[int]) -> None:
    """Append a 1 to ``events`` for each cycle in which ``strobe`` is high."""
    async for _, _, high in ctx.tick().sample(strobe):
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
    cycles = 0
    if not condition():
        async for _ in ctx.tick():
            cycles += 1
            if condition():
                break
            assert cycles < limit, f"still waiting after {limit} cycles"
    if settle:
        await ctx.tick().repeat(settle)
