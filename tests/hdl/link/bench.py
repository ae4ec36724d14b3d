"""Drives a link in Amaranth's simulator as a host would."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from attractor.hdl.link import Link
from attractor.sim.golden_link import GoldenLink
from attractor.spec import Window
from attractor.spec.protocol import Command, Reply, Request

from .dummy import WINDOWS, DummyModel, DummySpec
from .dummy_core import DummyCore

DESCRIPTION = bytes(range(256)) + b"description"
CYCLE_LIMIT = 60_000
#: Number of the session that most tests begin with.
SESSION = 0xFFFC
START_RATE = 80_000
# Longer than any exchange, and not much: tests wait for it.
FALLBACK_CYCLES = 8_000


class Host:
    """The other end of the line, in one simulation."""

    def __init__(self, link: Link, core: DummyCore, seed: int) -> None:
        self.ctx: Any = None
        self.link = link
        self.core = core
        self.random = random.Random(seed)
        self.received = bytearray()
        #: Chance that the line does not take a byte in a cycle.
        self.stall = 0.0

    async def send(self, data: bytes, *, gap: Callable[[], int] = lambda: 0) -> None:
        """Put bytes on the line, ``gap()`` idle cycles after each."""
        i = self.link.i
        self.ctx.set(i.valid, bool(data))
        for byte in data:
            self.ctx.set(i.payload, byte)
            await self.ctx.tick()
            if idle := gap():
                self.ctx.set(i.valid, 0)
                await self.wait(idle)
                self.ctx.set(i.valid, 1)
        self.ctx.set(i.valid, 0)

    async def wait(self, cycles: int) -> None:
        """Let time pass."""
        if cycles:
            await self.ctx.tick().repeat(cycles)

    async def until(self, condition: Any, limit: int = CYCLE_LIMIT) -> None:
        """Wait until a signal is high."""
        await self._until(lambda: bool(self.ctx.get(condition)), limit, "nothing happened")

    async def _until(self, happened: Callable[[], bool], limit: int, otherwise: str) -> int:
        """Wait until something has happened and return the cycles that it took."""
        cycles = 0
        if not happened():
            async for _ in self.ctx.tick():
                cycles += 1
                if happened():
                    break
                assert cycles < limit, f"{otherwise} in {limit} cycles"
        return cycles

    async def frames(self, count: int, limit: int = CYCLE_LIMIT) -> list[Reply]:
        """Wait for ``count`` replies in all and return them."""
        await self.delimiters(count, limit)
        return self.replies()

    async def delimiters(self, count: int, limit: int = CYCLE_LIMIT) -> int:
        """Wait for ``count`` delimiters in all and return the cycles that it took."""
        return await self._until(lambda: self.received.count(0) >= count, limit, f"no {count} replies")

    def replies(self) -> list[Reply]:
        """Return what came so far."""
        return [Reply.decode(frame) for frame in bytes(self.received).split(b"\0")[:-1]]

    async def collect(self, ctx: Any) -> None:
        """Take in replies for ever."""
        o = self.link.o
        ctx.set(o.ready, 1)
        async for _, _, valid, ready, payload in ctx.tick().sample(o.valid, o.ready, o.payload):
            if valid and ready:
                self.received.append(payload)
            takes = not self.stall or self.random.random() >= self.stall
            if takes != ready:
                ctx.set(o.ready, takes)


class Bench:
    """A link with a dummy core, built once and reset for each script."""

    def __init__(self, spec: DummySpec, reply_buffer: int) -> None:
        self.spec = spec
        self.reply_buffer = reply_buffer
        self.link = Link(spec, DESCRIPTION, rate=START_RATE, fallback_cycles=FALLBACK_CYCLES, reply_buffer=reply_buffer)
        self.core = DummyCore(spec)
        m = Module()
        m.submodules.link, m.submodules.core = self.link, self.core
        wiring.connect(m, self.link.core, self.core.bus)
        self._simulator = Simulator(m)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._drive)
        self._simulator.add_testbench(self._collect, background=True)
        self._script: Callable[[Host], Awaitable[None]] | None = None
        self._host = Host(self.link, self.core, 0)
        self._started = False

    def run(self, script: Callable[[Host], Awaitable[None]], seed: int = 0) -> None:
        """Run ``script`` from reset to its end."""
        self._script, self._host = script, Host(self.link, self.core, seed)
        if self._started:
            self._simulator.reset()
        self._started = True
        self._simulator.run()

    def golden(self) -> tuple[GoldenLink, DummyModel]:
        """Return a fresh model of link and core."""
        model = DummyModel(self.spec.memory_map)
        return GoldenLink(self.spec, DESCRIPTION, model.run, reply_buffer=self.reply_buffer), model

    async def _drive(self, ctx: Any) -> None:
        assert self._script is not None
        self._host.ctx = ctx
        await self._script(self._host)

    async def _collect(self, ctx: Any) -> None:
        await self._host.collect(ctx)


@cache
def bench(windows: tuple[Window, ...] = WINDOWS, reply_buffer: int = 512) -> Bench:
    """Return the bench for a memory map, the same one each time: building it takes longer than most scripts."""
    return Bench(DummySpec(windows=windows), reply_buffer)


async def exchange(host: Host, golden: GoldenLink, data: bytes, *, gap: Callable[[], int] = lambda: 0) -> bytes:
    """Send bytes, and check that the link answers what the golden model does; return that."""
    expected = golden.receive(data)
    start = len(host.received)
    await host.send(data, gap=gap)
    await host.delimiters(bytes(host.received[:start]).count(0) + expected.count(0))
    # Nothing else may come. A byte takes the decoder 8 cycles, and a frame takes some 70 until it is dropped.
    await host.wait(60 if expected else 8 * len(data) + 200)
    assert bytes(host.received[start:]) == expected
    return expected


async def begin(host: Host, golden: GoldenLink) -> None:
    """Begin the session :data:`SESSION`."""
    await exchange(host, golden, Request(SESSION, Command.IDENTIFY).encode())


async def ask(host: Host, golden: GoldenLink, request: Request) -> list[Reply]:
    """Send a request as :func:`exchange` does; return the replies."""
    answer = await exchange(host, golden, request.encode())
    return [Reply.decode(frame) for frame in answer.split(b"\0")[:-1]]
