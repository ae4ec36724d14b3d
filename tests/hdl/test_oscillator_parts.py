# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import Crossbar as GoldenCrossbar
from attractor.hdl.crossbar import Kind
from attractor.hdl.crossbar import Operation as OperationLayout
from attractor.hdl.oscillator.loader import StateLoader
from attractor.hdl.oscillator.move import Edge, EdgeSequencer, PhaseMover, Placement
from attractor.hdl.oscillator.readout import LabelReadout
from attractor.hdl.oscillator.schedule import Schedule
from attractor.sim.lockstep.oscillator_state import expected_accumulators
from attractor.spec import OscillatorSpec

from .link.streams import put, simulate, take, wait_until

SEEDS = st.integers(0, 2**32)


async def serve(ctx: Any, memory: list[int], part: Any) -> None:
    """Answer the reads of ``part`` from ``memory``, a cycle later."""
    while True:
        _, _, read, address = await ctx.tick().sample(part.read, part.address)
        if read:
            ctx.set(part.phase, memory[address])


# Read-out

READOUTS = [
    OscillatorSpec(oscillators=2, labels=1),
    OscillatorSpec(oscillators=6, inputs=2, labels=3, reference=1, phase_bits=3),
    OscillatorSpec(oscillators=9, labels=8, reference=8, phase_bits=5),
]


def winner(spec: OscillatorSpec, phases: list[int]) -> int:
    """Return the label at the least distance around the circle, the lowest one on ties."""

    def distance(label: int) -> int:
        ahead = (phases[spec.oscillators - spec.labels + label] - phases[spec.reference]) % spec.period
        return min(ahead, spec.period - ahead)

    return min(range(spec.labels), key=distance)


@settings(max_examples=15, deadline=None)
@given(spec=st.sampled_from(READOUTS), seed=SEEDS)
def test_read_out_finds_the_closest_label(spec: OscillatorSpec, seed: int) -> None:
    rng, readout, phases = random.Random(seed), LabelReadout(spec), [0] * spec.oscillators

    async def bench(ctx: Any) -> None:
        for number in range(20):
            few = rng.choice([2, spec.period])
            phases[:] = [rng.randrange(few) * (spec.period // few) for _ in phases]
            if number == 0:  # every label as far away as can be: the greatest distance counts too
                phases[:] = [spec.period // 2] * spec.oscillators
                phases[spec.reference] = 0
            ctx.set(readout.start, 1)
            await ctx.tick()
            ctx.set(readout.start, 0)
            for _ in range(spec.labels + 2):
                assert ctx.get(readout.busy)
                await ctx.tick()
            assert not ctx.get(readout.busy)
            assert ctx.get(readout.winner) == winner(spec, phases)

    async def memory(ctx: Any) -> None:
        await serve(ctx, phases, readout)

    simulate(readout, bench, memory)


# Schedule

SCHEDULES = [
    OscillatorSpec(oscillators=2, schedule_entries=1),
    OscillatorSpec(oscillators=2, schedule_entries=2),
    OscillatorSpec(oscillators=2, schedule_entries=5),
]
#: A run of which the table is never over: entries of up to 3 periods.
MOST_PERIODS = 16


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


async def walk(ctx: Any, schedule: Schedule, steps: list[int], settle: int, rng: random.Random) -> None:
    """Run the schedule once; ``steps`` is the greatest step of each period."""
    slots, quiet, motion = rng.randrange(1, 5), 0, rng.choice([0.0, 0.1, 0.5])
    ctx.set(schedule.start, 1)
    await ctx.tick()
    ctx.set(schedule.start, 0)
    for period in range(MOST_PERIODS):
        for _ in range(3):
            if not ctx.get(schedule.busy):
                break
            await ctx.tick()
        assert not ctx.get(schedule.busy)
        over = period == len(steps) or (settle > 0 and quiet >= settle)
        assert ctx.get(schedule.over) == over
        assert ctx.get(schedule.settled) == (quiet >= max(settle, 1))
        if over:
            return
        moved_in_period = False
        for slot in range(slots):
            await ctx.tick().repeat(rng.randrange(1, 3))
            assert ctx.get(schedule.max_step) == steps[period]
            moved = rng.random() < motion
            moved_in_period |= moved
            ctx.set(schedule.slot_end, 1)
            ctx.set(schedule.moved, moved)
            ctx.set(schedule.period_end, slot == slots - 1)
            await ctx.tick()
            for strobe in (schedule.slot_end, schedule.period_end):
                ctx.set(strobe, 0)
            ctx.set(schedule.moved, rng.getrandbits(1))  # counts at the end of a slot only
        quiet = 0 if moved_in_period else quiet + 1
    raise AssertionError(f"not over after {MOST_PERIODS} periods")


@settings(max_examples=15, deadline=None)
@given(spec=st.sampled_from(SCHEDULES), seed=SEEDS)
def test_schedule_ends_with_its_table_or_when_the_network_is_quiet(spec: OscillatorSpec, seed: int) -> None:
    rng, schedule = random.Random(seed), Schedule(spec)

    async def bench(ctx: Any) -> None:
        for _ in range(6):
            entries = [(rng.randrange(0, 4), rng.randrange(9)) for _ in range(spec.schedule_entries)]
            settle = rng.randrange(4)
            used = entries[: next(index for index in count() if [*entries, (0, 0)][index][0] == 0)]
            steps = [step for periods, step in used for _ in range(periods)]
            await write_window(ctx, schedule.window, [periods | step << 32 for periods, step in entries])
            await write_window(ctx, schedule.settle_window, [settle])
            for _ in range(2):
                await walk(ctx, schedule, steps, settle, rng)

    simulate(schedule, bench)


# Phase changes

MOVERS = [
    OscillatorSpec(oscillators=2, phase_bits=3),
    OscillatorSpec(oscillators=9, inputs=2, lanes=3),
    OscillatorSpec(oscillators=8, inputs=1, lanes=4, phase_bits=5),
    OscillatorSpec(oscillators=5, lanes=1, phase_bits=6),
]


def level(spec: OscillatorSpec, phase: int, slot: int) -> int:
    return 1 if (slot - phase) % spec.period < spec.period // 2 else -1


def nearest(spec: OscillatorSpec, phase: int, goal: int, max_step: int) -> int:
    """Return the phase within ``max_step`` of ``phase`` that is nearest to ``goal``; of two, the one ahead."""
    steps = range(-max_step, max_step + 1)

    def distance(step: int) -> tuple[int, int]:
        ahead = (goal - phase - step) % spec.period
        return min(ahead, spec.period - ahead), -step

    return (phase + min(steps, key=distance)) % spec.period


def as_bits(layout: Any, fields: dict[str, int]) -> int:
    return Const.cast(layout.const(fields)).value


def draw_changes(spec: OscillatorSpec, rng: random.Random) -> list[tuple[int, int]]:
    """Draw targets that changed, in any order, and the directions in which they did."""
    targets = rng.sample(range(spec.targets), rng.randrange(spec.targets + 1))
    return [(target, rng.getrandbits(1)) for target in targets]


@settings(max_examples=25, deadline=None)
@given(spec=st.sampled_from(MOVERS), stall=st.sampled_from([0.0, 0.6]), seed=SEEDS)
def test_mover_goes_the_shorter_way(spec: OscillatorSpec, stall: float, seed: int) -> None:
    rng, mover = random.Random(seed), PhaseMover(spec)
    phases = [rng.randrange(spec.period) for _ in range(spec.oscillators)]
    layout, out = Placement(spec), []

    async def slot_of(ctx: Any, slot: int, max_step: int) -> None:
        ctx.set(mover.slot, slot)
        ctx.set(mover.max_step, max_step)
        changes, expected = draw_changes(spec, rng), []
        for target, rises in changes:
            source, goal = spec.inputs + target, slot if rises else slot + spec.period // 2
            old, new = phases[source], nearest(spec, phases[source], goal, max_step)
            if old != new:
                before, after = level(spec, old, slot), level(spec, new, slot)
                group, lane = divmod(target, spec.lanes)
                expected.append(
                    {"source": source, "free": 1, "group": group, "lane": lane, "clamp": 0, "first": 0}
                    | {"old": old, "new": new, "level": int(before != after), "low": int(after < 0)}
                )
        out.clear()
        words = [
            dict(zip(("group", "lane"), divmod(target, spec.lanes), strict=True), flag=rises)
            for target, rises in changes
        ]
        await put(ctx, mover.i, words, rng, stall)
        await wait_until(ctx, lambda: bool(ctx.get(mover.idle)), 200, settle=3)
        assert [as_bits(layout, fields) for fields in expected] == [value.as_bits() for value in out]
        for placement in out:
            phases[placement.source] = placement.new

    async def bench(ctx: Any) -> None:
        for _ in range(8):
            slot = rng.randrange(spec.period)
            await slot_of(ctx, slot, rng.choice([0, 1, spec.period // 2, rng.randrange(spec.period // 2 + 1)]))

    async def memory(ctx: Any) -> None:
        await serve(ctx, phases, mover)

    async def collect(ctx: Any) -> None:
        await take(ctx, mover.o, out, random.Random(seed + 1), stall)

    simulate(mover, bench, memory, collect)


# Operations of a placement


def placements(spec: OscillatorSpec, rng: random.Random, slot: int, phases: list[int]) -> list[dict[str, int]]:
    """Place all oscillators before ``slot``, and then move some at it; ``phases`` become those at the end."""
    result = []
    for source in range(spec.oscillators):
        phases.append(rng.randrange(spec.period))
        group, lane = divmod(max(source - spec.inputs, 0), spec.lanes)
        result.append(
            {"source": source, "free": int(source >= spec.inputs), "group": group, "lane": lane}
            | {"clamp": rng.getrandbits(1), "first": 1, "old": 0, "new": phases[source], "level": 1}
            | {"low": int(level(spec, phases[source], slot) < 0)}
        )
    for _ in range(20):
        target = rng.randrange(spec.targets)
        source, (group, lane) = spec.inputs + target, divmod(target, spec.lanes)
        old, new = phases[source], rng.randrange(spec.period)
        if old != new:
            before, after = level(spec, old, slot), level(spec, new, slot)
            result.append(
                {"source": source, "free": 1, "group": group, "lane": lane, "clamp": 0, "first": 0}
                | {"old": old, "new": new, "level": int(before != after), "low": int(after < 0)}
            )
            phases[source] = new
    return result


@settings(max_examples=20, deadline=None)
@given(spec=st.sampled_from(MOVERS), stall=st.sampled_from([0.0, 0.6]), seed=SEEDS)
def test_sequencer_keeps_sums_and_tags_true(spec: OscillatorSpec, stall: float, seed: int) -> None:
    """Its operations, run by the golden crossbar, give the sums of the phases at the end, by their definition."""
    rng, half, phases = random.Random(seed), spec.period // 2, []
    layout = OperationLayout(spec.oscillators, half + 1, Edge(spec))
    sequencer, out = EdgeSequencer(spec, layout), []
    slot = rng.randrange(spec.period)
    given_placements = placements(spec, rng, slot, phases)

    async def bench(ctx: Any) -> None:
        await put(ctx, sequencer.i, given_placements, rng, stall)
        await wait_until(ctx, lambda: bool(ctx.get(sequencer.idle)), 50, settle=3)

    async def collect(ctx: Any) -> None:
        await take(ctx, sequencer.o, out, random.Random(seed + 1), stall)

    simulate(sequencer, bench, collect)
    weights = np.random.default_rng(seed).integers(-16, 16, (spec.targets, spec.oscillators))
    crossbar = GoldenCrossbar(weights.T, half + 1, 32)
    own: dict[tuple[int, int], int] = {}
    for operation in out:
        assert Kind(operation.kind) is Kind.ADD
        crossbar.add(operation.source, operation.bank, (-1 if operation.negate else 1) << operation.double)
        edge = operation.context
        if edge.free and operation.bank < half:
            place = (edge.group * spec.lanes + edge.lane, int(operation.bank))
            assert edge.present or place in own
            own.pop(place, None)
            if edge.present:
                own[place] = int(edge.late)
    assert (crossbar.sums == expected_accumulators(spec, weights, np.array(phases), slot)).all()
    free = phases[spec.inputs :]
    assert own == {(target, phase % half): int(phase >= half) for target, phase in enumerate(free)}


def test_sequencer_gives_one_operation_a_cycle() -> None:
    spec = MOVERS[1]
    sequencer = EdgeSequencer(spec, OperationLayout(spec.oscillators, spec.period // 2 + 1, Edge(spec)))
    given_placements, out, gaps = placements(spec, random.Random(1), 0, []), [], []

    async def bench(ctx: Any) -> None:
        await put(ctx, sequencer.i, given_placements, random.Random(2))
        await wait_until(ctx, lambda: bool(ctx.get(sequencer.idle)), 50)

    async def collect(ctx: Any) -> None:
        ctx.set(sequencer.o.ready, 1)
        for cycle in count():
            _, _, valid, operation = await ctx.tick().sample(sequencer.o.valid, sequencer.o.payload)
            if valid:
                out.append(operation)
                gaps.append(cycle)

    simulate(sequencer, bench, collect)
    assert len(out) > 2 * spec.oscillators
    assert all(later - earlier == 1 for earlier, later in pairwise(gaps))


# Loading


@pytest.mark.parametrize("spec", MOVERS)
@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_loader_places_every_oscillator_once(spec: OscillatorSpec, stall: float) -> None:
    rng, loader, out = random.Random(7), StateLoader(spec), []
    layout = Placement(spec)

    async def bench(ctx: Any) -> None:
        for _ in range(3):
            state = [rng.getrandbits(8) for _ in range(spec.oscillators)]
            await write_window(ctx, loader.window, state)
            out.clear()
            ctx.set(loader.start, 1)
            await ctx.tick()
            ctx.set(loader.start, 0)
            assert not ctx.get(loader.idle)
            await wait_until(ctx, lambda: bool(ctx.get(loader.idle)), 200, settle=3)
            assert [value.source for value in out] == list(range(spec.oscillators))
            for value, byte in zip(out, state, strict=True):
                assert value.as_bits() == as_bits(layout, expected_first(spec, int(value.source), byte))

    async def collect(ctx: Any) -> None:
        await take(ctx, loader.o, out, random.Random(8), stall)

    simulate(loader, bench, collect)


def expected_first(spec: OscillatorSpec, source: int, byte: int) -> dict[str, int]:
    """Return the first placement of an oscillator whose state is ``byte``, in the slot before the first."""
    phase, (group, lane) = byte % spec.period, divmod(max(source - spec.inputs, 0), spec.lanes)
    return (
        {"source": source, "free": int(source >= spec.inputs), "group": group, "lane": lane}
        | {"clamp": byte >> 7, "first": 1, "old": 0, "new": phase, "level": 1}
        | {"low": int(level(spec, phase, -1) < 0)}
    )
