# amaranth: UnusedElaboratable=no
from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attractor.golden.noise import NoiseGenerator as GoldenGenerator
from attractor.hdl.noise import WORD_BITS, NoiseGenerator, flip_masks, mask_kinds, may_flip, spread
from attractor.spec.oscillator import FLIP_SHARES, MOST_LANES, SEED_BITS

from .link.streams import simulate

SEEDS = st.integers(0, 2**SEED_BITS - 1)


class Spread(wiring.Component):
    """The generator and the bits of its lanes."""

    bits: Signal

    def __init__(self, lanes: int) -> None:
        self.generator = NoiseGenerator()
        self.lanes = lanes
        super().__init__({"bits": Out(lanes), "unused": In(1)})

    def elaborate(self, platform: object) -> Module:  # noqa: ARG002
        m = Module()
        m.submodules.generator = self.generator
        bits = spread(self.generator.word, self.lanes)
        assert len(bits) == self.lanes
        m.d.comb += self.bits.eq(bits)
        # Without a clocked statement of its own the top level has no clock.
        beat = Signal()
        m.d.sync += beat.eq(~beat)
        return m


def golden_bits(golden: GoldenGenerator) -> int:
    """Return the golden bits of the present word as a number, and step."""
    return sum(int(bit) << lane for lane, bit in enumerate(golden.draw()[0].tolist()))


@pytest.mark.parametrize("lanes", [1, 5, 63, 64, 65, 200, MOST_LANES])
@settings(max_examples=4, deadline=None)
@example(seeds=[0x1234_5678_9ABC_DEF0], steps=[True, False, True, True])
@given(seeds=st.lists(SEEDS, min_size=1, max_size=3), steps=st.lists(st.booleans(), max_size=12))
def test_lanes_equal_the_golden_generator(lanes: int, seeds: list[int], steps: list[bool]) -> None:
    part = Spread(lanes)
    generator = part.generator

    async def bench(ctx: Any) -> None:
        for seed in seeds:
            ctx.set(generator.seed, seed)
            ctx.set(generator.start, 1)
            await ctx.tick()
            ctx.set(generator.start, 0)
            ctx.set(generator.seed, seed ^ 1)  # read at the start only
            golden = GoldenGenerator([seed], lanes)
            assert ctx.get(generator.word) == 2 * seed + 1
            expected = golden_bits(golden)
            assert ctx.get(part.bits) == expected
            for step in steps:
                ctx.set(generator.step, step)
                await ctx.tick()
                ctx.set(generator.step, 0)
                expected = golden_bits(golden) if step else expected
                assert ctx.get(part.bits) == expected

    simulate(part, bench)


@pytest.mark.parametrize("seed", [0, 2**SEED_BITS - 1])
def test_a_start_counts_more_than_a_step(seed: int) -> None:
    generator = NoiseGenerator()

    async def bench(ctx: Any) -> None:
        ctx.set(generator.seed, seed)
        ctx.set(generator.start, 1)
        ctx.set(generator.step, 1)
        await ctx.tick()
        assert ctx.get(generator.word) == 2 * seed + 1

    simulate(generator, bench)


def test_words_equal_the_golden_generator_for_long() -> None:
    generator, golden = NoiseGenerator(), GoldenGenerator([987654321], WORD_BITS)

    async def bench(ctx: Any) -> None:
        ctx.set(generator.seed, 987654321)
        ctx.set(generator.start, 1)
        await ctx.tick()
        ctx.set(generator.start, 0)
        ctx.set(generator.step, 1)
        for _ in range(500):
            assert ctx.get(generator.word) == golden_bits(golden)
            await ctx.tick()

    simulate(generator, bench)


class MayFlip(wiring.Component):
    """Who may flip, of all lanes."""

    word: Signal
    flips: Signal
    bits: Signal

    def __init__(self, lanes: int) -> None:
        super().__init__({"word": In(WORD_BITS), "flips": In(range(len(FLIP_SHARES) + 1)), "bits": Out(lanes)})

    def elaborate(self, platform: object) -> Module:  # noqa: ARG002
        m = Module()
        m.d.comb += self.bits.eq(may_flip(flip_masks(self.word, mask_kinds(self.flips)), len(self.bits)))
        return m


@pytest.mark.parametrize("lanes", [1, 67, 300, MOST_LANES])
def test_who_may_flip_equals_the_golden_generator(lanes: int) -> None:
    part, golden = MayFlip(lanes), GoldenGenerator([0x1234_5678_9ABC_DEF0], lanes)

    async def bench(ctx: Any) -> None:
        for _ in range(4):
            ctx.set(part.word, int(golden.words[0]))
            for flips in range(1, len(FLIP_SHARES) + 1):
                ctx.set(part.flips, flips)
                expected = sum(int(bit) << lane for lane, bit in enumerate(golden.may_flip(flips)[0].tolist()))
                assert ctx.get(part.bits) == expected
            ctx.set(part.flips, 0)
            assert ctx.get(part.bits) == (1 << lanes) - 1
            golden.skip(1)

    simulator = Simulator(part)
    simulator.add_testbench(bench)
    simulator.run()
