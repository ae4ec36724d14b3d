# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden.sparse import couplings_of
from attractor.hdl.sparse.layouts import numbers_of
from attractor.hdl.sparse.rows import RowReader
from attractor.hdl.sparse.sums import ClassSums
from attractor.hdl.sparse.terms import Terms, field_bits
from attractor.spec.oscillator import NOISE_SHIFTS
from attractor.spec.sparse import SparseSpec

from .link.streams import simulate
from .oscillator_parts import SEEDS, write_window

SPECS = [
    SparseSpec(oscillators=20, couplings=60, strength=20, lanes=8, entries=2, weight_bits=3, binary=True, flips=True),
    SparseSpec(oscillators=9, couplings=30, strength=9, lanes=3, inputs=2, binary=True, flips=True, fraction_bits=3),
    SparseSpec(oscillators=2, couplings=3, strength=3, binary=True, flips=True),
]
#: With full phases: several numbers are kept of a target.
FULL = [
    SparseSpec(oscillators=20, couplings=60, strength=20, lanes=8, entries=2, weight_bits=3, phase_bits=3),
    SparseSpec(oscillators=9, couplings=30, strength=9, lanes=3, inputs=2, flips=True, lock_phases=3),
    SparseSpec(oscillators=2, couplings=3, strength=3, phase_bits=5, flips=True),
]


def spec_id(spec: SparseSpec) -> str:
    return f"{spec.groups} groups, {'binary' if spec.binary else 'full'}"


@pytest.mark.parametrize("spec", SPECS + FULL, ids=spec_id)
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS)
def test_couplings_of_one_word_follow_each_other_without_a_gap(spec: SparseSpec, seed: int) -> None:
    """Few words, so that a coupling needs what one of the two or three before it has changed."""
    part, rng = ClassSums(spec), random.Random(seed)
    share, width, numbers = spec.lanes // spec.entries, spec.accumulator_bits, numbers_of(spec)
    places = -(-spec.targets // spec.entries)
    held = [[0] * numbers for _ in range(spec.groups * share)]
    slot = rng.randrange(spec.period)

    async def bench(ctx: Any) -> None:
        if not spec.binary:
            ctx.set(part.slot, slot)
        for group in range(spec.groups):
            ctx.set(part.clear, 1)
            ctx.set(part.group, group)
            await ctx.tick()
        ctx.set(part.clear, 0)
        for _ in range(200):
            valid, place, weight = rng.random() < 0.8, rng.randrange(places), rng.randint(-1, 1)
            adds, negate, twice = (rng.randrange(1 << numbers) for _ in range(3))
            ctx.set(part.valid, valid)
            ctx.set(part.entry, {"place": place, "weight": weight})
            ctx.set(part.step, {"adds": adds, "negate": negate, "twice": twice})
            for number in range(numbers):
                if valid and adds >> number & 1:
                    held[place][number] += (weight << (twice >> number & 1)) * (-1 if negate >> number & 1 else 1)
            await ctx.tick()
        ctx.set(part.valid, 0)
        await ctx.tick().until(~part.busy)
        await scan(ctx)

    async def scan(ctx: Any) -> None:
        for group in range(spec.groups):
            ctx.set(part.scan, 1)
            ctx.set(part.group, group)
            await ctx.tick()
            if not spec.binary:
                ctx.set(part.scan, 0)
                await ctx.tick().repeat(2)
            word = ctx.get(part.sums)
            for lane in range(share):
                *differences, expected = held[group * share + lane]
                if differences:
                    expected += differences[slot % len(differences)] * (2 if slot < len(differences) else -2)
                found = word >> lane * width & ((1 << width) - 1)
                assert found == expected % (1 << width)

    simulate(part, bench)


@pytest.mark.parametrize("spec", SPECS, ids=spec_id)
@settings(max_examples=6, deadline=None)
@given(seed=SEEDS, pause=st.sampled_from([0.0, 0.5]))
def test_rows_come_word_after_word(spec: SparseSpec, seed: int, pause: float) -> None:
    """Every word of every row once, in order, and one in each cycle unless there is nothing to read, or a hold."""
    rng, reader = np.random.default_rng(seed), RowReader(spec)
    weights = rng.integers(-1, 2, (spec.targets, spec.oscillators)) * (rng.random((1, spec.oscillators)) < 0.7)
    kept = np.flatnonzero(weights)
    weights.flat[rng.permutation(kept)[spec.couplings // 2 :]] = 0
    parameters = couplings_of(spec, weights)
    first, bits = spec.row_memory.pack(*(parameters[name] for name in ("starts", "targets", "weights")))
    lengths = np.maximum(spec.row_memory.lengths(parameters["starts"], parameters["targets"]), 1)
    words = [int("".join("1" if bit else "0" for bit in word[::-1]), 2) for word in bits]
    visits = [(int(rng.integers(spec.oscillators)), int(rng.integers(2))) for _ in range(40)]
    expected = [
        (words[first[source] + word] & ((1 << spec.row_memory.word_bits - 1) - 1), up)
        for source, up in visits
        for word in range(lengths[source])
    ]
    found: list[tuple[int, int]] = []
    gaps: list[int] = []

    async def bench(ctx: Any) -> None:
        await write_window(ctx, reader.rows, words)
        await write_window(ctx, reader.pointers, first.tolist())
        ctx.set(reader.running, 1)
        for source, up in visits:
            ctx.set(reader.i.payload, {"source": source, "effect": {"up": up}})
            ctx.set(reader.i.valid, 1)
            await ctx.tick().until(reader.i.ready)
            ctx.set(reader.i.valid, 0)
            if rng.random() < pause:
                await ctx.tick()
        await ctx.tick().until(reader.idle)
        assert found == expected
        assert pause or all(gap == 1 for gap in gaps[1:])

    async def watch(ctx: Any) -> None:
        since = 0
        async for _, _, valid, entries, up in ctx.tick().sample(
            reader.o.valid, reader.o.payload.entries.as_value(), reader.o.payload.effect.up
        ):
            since += 1
            if valid:
                found.append((entries, up))
                gaps.append(since)
                since = 0

    simulate(reader, bench, watch)


@pytest.mark.parametrize("marked", [False, True])
def test_a_row_ends_with_the_memory(marked: bool) -> None:
    """The link does not check what it writes: a call must end whatever the words are."""
    spec = SPECS[1]
    reader, found = RowReader(spec), []
    words = [number | (marked and number % 2) << spec.row_memory.word_bits - 1 for number in range(spec.row_words)]

    async def bench(ctx: Any) -> None:
        await write_window(ctx, reader.rows, words)
        await write_window(ctx, reader.pointers, [spec.row_words - 3] * spec.oscillators)
        ctx.set(reader.running, 1)
        for _ in range(2):
            ctx.set(reader.i.valid, 1)
            await ctx.tick()
        ctx.set(reader.i.valid, 0)
        for _ in range(30):
            _, _, valid, entries = await ctx.tick().sample(reader.o.valid, reader.o.payload.entries.as_value())
            found.extend([entries] if valid else [])
        assert ctx.get(reader.idle)

    simulate(reader, bench)
    first = spec.row_words - 3
    ends = next((word + 1 for word in range(first, spec.row_words) if marked and word % 2), spec.row_words)
    assert found == 2 * list(range(first, ends))


@pytest.mark.parametrize("spec", [*SPECS, *FULL[1:]], ids=spec_id)
def test_terms_are_all_that_six_signs_make(spec: SparseSpec) -> None:
    terms = Terms(spec)
    width, scale = field_bits(spec), 1 << spec.fraction_bits if spec.binary else 1

    async def bench(ctx: Any) -> None:
        largest = spec.largest_amplitude
        for noise in sorted({0, 1, min(7, largest), min(8, largest), largest - 1, largest}):
            ctx.set(terms.noise, noise)
            ctx.set(terms.flips, 1)
            await ctx.tick()
            parts = [noise >> shift for shift in NOISE_SHIFTS]
            expected = {
                sum(part * (1 - 2 * (signs >> place & 1)) for place, part in enumerate(parts))
                for signs in range(64)
                if (signs & 7).bit_count() < 2
            }
            assert values(ctx) == {(value // scale, int(value % scale > 0)) for value in expected}
            if not spec.binary:
                ctx.set(terms.flips, 0)
                await ctx.tick()
                assert values(ctx) == {(noise, 0)}

    def values(ctx: Any) -> set[tuple[int, int]]:
        found = [ctx.get(terms.values[number]) for number in range(12)]
        return {(term.whole - (term.whole >> width - 1 << width), term.rest) for term in found}

    simulate(terms, bench)
