"""What the tests of the parts of an oscillator core share."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const
from hypothesis import strategies as st

from attractor.spec import OscillatorSpec

SEEDS = st.integers(0, 2**32)
#: Networks whose oscillators are moved: one and several groups, inputs, lock phases, learning, start phases drawn,
#: targets that flip.
MOVERS = [
    OscillatorSpec(oscillators=2, phase_bits=3),
    OscillatorSpec(oscillators=9, inputs=2, lanes=3, lock_phases=3, learning=True),
    OscillatorSpec(oscillators=8, inputs=1, lanes=4, phase_bits=5, lock_phases=4, reference=3, random_start=True),
    OscillatorSpec(oscillators=5, lanes=1, phase_bits=6, lock_phases=8, learning=True, random_start=True, flips=True),
    OscillatorSpec(oscillators=9, inputs=2, lanes=4, phase_bits=3, lock_phases=3, flips=True),
]


def as_bits(layout: Any, fields: dict[str, int]) -> int:
    return Const.cast(layout.const(fields)).value


def level(spec: OscillatorSpec, phase: int, slot: int) -> int:
    return 1 if (slot - phase) % spec.period < spec.period // 2 else -1


async def serve(ctx: Any, memory: list[int], port: Any) -> None:
    """Answer reads of ``memory`` at a port, a cycle later."""
    while True:
        _, _, read, address = await ctx.tick().sample(port.read, port.address)
        if read:
            ctx.set(port.data, memory[address])


async def write_window(ctx: Any, port: Any, words: list[int]) -> None:
    """Write a window and see that it reads back."""
    for address, word in enumerate(words):
        ctx.set(port.address, address)
        ctx.set(port.write_data, word)
        ctx.set(port.write, 1)
        await ctx.tick()
        ctx.set(port.write, 0)
    for address, word in enumerate(words):
        ctx.set(port.address, address)
        ctx.set(port.read, 1)
        await ctx.tick()
        ctx.set(port.read, 0)
        assert ctx.get(port.read_data) == word
