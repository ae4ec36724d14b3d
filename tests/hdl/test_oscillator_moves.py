# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import Crossbar as GoldenCrossbar
from attractor.golden.crossbar import IntegerWeights
from attractor.hdl.crossbar import Operation as OperationLayout
from attractor.hdl.crossbar import OperationKind
from attractor.hdl.oscillator.move import Context, EdgeSequencer, PhaseMover, Placement
from attractor.hdl.oscillator.rule import lock_index
from attractor.sim.lockstep.oscillator.state import expected_accumulators
from attractor.spec import OscillatorSpec

from .link.streams import put, simulate, take, wait_until
from .oscillator_parts import MOVERS, SEEDS, as_bits, level, serve

# Phase changes


def nearest(spec: OscillatorSpec, phase: int, goal: int, max_step: int) -> int:
    """Return the phase within ``max_step`` of ``phase`` that is nearest to ``goal``; of two, the one ahead."""
    steps = range(-max_step, max_step + 1)

    def distance(step: int) -> tuple[int, int]:
        ahead = (goal - phase - step) % spec.period
        return min(ahead, spec.period - ahead), -step

    return (phase + min(steps, key=distance)) % spec.period


def flipped(spec: OscillatorSpec, *, positive: int, slot: int) -> int:
    """Return where a target that flips goes: a positive field wants it up in the first half of a period."""
    up = bool(positive) == (slot < spec.period // 2)
    return 0 if up else spec.period // 2


def draw_changes(spec: OscillatorSpec, rng: random.Random) -> list[tuple[int, int]]:
    """Draw targets that changed, in any order, and the directions in which they did."""
    targets = rng.sample(range(spec.targets), rng.randrange(spec.targets + 1))
    return [(target, rng.getrandbits(1)) for target in targets]


@settings(max_examples=25, deadline=None)
@given(spec=st.sampled_from(MOVERS), stall=st.sampled_from([0.0, 0.6]), seed=SEEDS)
def test_mover_goes_the_shorter_way_or_flips(spec: OscillatorSpec, stall: float, seed: int) -> None:
    rng, mover = random.Random(seed), PhaseMover(spec)
    phases = [rng.randrange(spec.period) for _ in range(spec.oscillators)]
    layout, out = Placement(spec), []

    async def slot_of(ctx: Any, slot: int, max_step: int, flips: int) -> None:
        ctx.set(mover.progress.slot, slot)
        ctx.set(mover.schedule.max_step, spec.period // 2 if flips else max_step)
        if spec.flips:
            ctx.set(mover.schedule.flips, flips > 0)
        changes, expected = draw_changes(spec, rng), []
        for target, rises in changes:
            source, goal = spec.inputs + target, slot if rises else slot + spec.period // 2
            old = phases[source]
            new = flipped(spec, positive=rises, slot=slot) if flips else nearest(spec, old, goal, max_step)
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
            slot, flips = rng.randrange(spec.period), rng.choice([0, rng.randrange(1, 8)]) * spec.flips
            await slot_of(ctx, slot, rng.choice([0, 1, spec.period // 2, rng.randrange(spec.period // 2 + 1)]), flips)

    async def memory(ctx: Any) -> None:
        await serve(ctx, phases, mover.phases)

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


def sequencer_of(spec: OscillatorSpec) -> EdgeSequencer:
    words, banks = spec.weight_memory.words, spec.period // 2 + 3
    return EdgeSequencer(spec, OperationLayout(words=words, groups=spec.groups, banks=banks, context=Context(spec)))


def sequence(
    spec: OscillatorSpec, batches: list[tuple[int, list[dict[str, int]]]], seed: int, stall: float
) -> list[list[Any]]:
    """Give batches of placements, each teaching or not; return the operations of each batch."""
    rng, sequencer = random.Random(seed), sequencer_of(spec)
    out: list[Any] = []
    result: list[list[Any]] = []

    async def bench(ctx: Any) -> None:
        for teaching, batch in batches:
            ctx.set(sequencer.teaching, teaching)
            await put(ctx, sequencer.i, batch, rng, stall)
            await wait_until(ctx, lambda: bool(ctx.get(sequencer.idle)), 50, settle=3)
            result.append(list(out))
            out.clear()

    async def collect(ctx: Any) -> None:
        await take(ctx, sequencer.o, out, random.Random(seed + 1), stall)

    simulate(sequencer, bench, collect)
    return result


def expected_operations(spec: OscillatorSpec, placement: dict[str, int]) -> list[dict[str, int]]:
    """Return bank, sign and meaning of the operations of a placement, in their order."""
    half = spec.period // 2
    level = {"bank": half, "negate": placement["low"], "places": 0, "present": 0}
    remove = {"bank": placement["old"] % half, "negate": int(placement["old"] < half), "places": 1, "present": 0}
    place = {"bank": placement["new"] % half, "negate": int(placement["new"] >= half), "places": 1, "present": 1}
    if placement["first"]:
        return [level, place]
    return [level, remove, level, place] if placement["level"] else [remove, place]


def check_context(spec: OscillatorSpec, operation: Any, placement: dict[str, int]) -> None:
    """See that an operation says whose it is, and where its oscillator goes."""
    edge = operation.context
    assert operation.row == placement["source"] * spec.groups
    for name in ("free", "group", "lane", "clamp"):
        assert getattr(edge, name) == placement[name], name
    assert (edge.late, edge.lock) == (
        placement["new"] >= spec.period // 2,
        int(spec.lock_index(np.array(placement["new"]))),
    )
    assert not any((edge.noisy, edge.locked, edge.decides, edge.marks))


@settings(max_examples=20, deadline=None)
@given(spec=st.sampled_from(MOVERS), stall=st.sampled_from([0.0, 0.6]), seed=SEEDS)
def test_sequencer_keeps_sums_and_tags_true(spec: OscillatorSpec, stall: float, seed: int) -> None:
    """Its operations, run by the golden crossbar, give the sums of the phases at the end, by their definition."""
    rng, half, phases = random.Random(seed), spec.period // 2, []
    slot = rng.randrange(spec.period)
    [out] = sequence(spec, [(0, placements(spec, rng, slot, phases))], seed, stall)
    weights = np.random.default_rng(seed).integers(-16, 16, (spec.targets, spec.oscillators))
    crossbar = GoldenCrossbar([IntegerWeights(weights.T)], spec.targets, half + 1, 32)
    own: dict[tuple[int, int], int] = {}
    for operation in out:
        assert OperationKind(operation.kind) is OperationKind.ADD
        source, offset = divmod(operation.row, spec.groups)
        assert offset == 0
        crossbar.add(source, operation.bank, -1 if operation.negate else 1)
        edge = operation.context
        if edge.free and edge.places:
            place = (edge.group * spec.lanes + edge.lane, int(operation.bank))
            assert edge.present or place in own
            own.pop(place, None)
            if edge.present:
                own[place] = int(edge.late)
    assert (crossbar.sums == expected_accumulators(spec, weights, np.array(phases), slot)).all()
    free = phases[spec.inputs :]
    assert own == {(target, phase % half): int(phase >= half) for target, phase in enumerate(free)}


@settings(max_examples=20, deadline=None)
@given(spec=st.sampled_from(MOVERS), stall=st.sampled_from([0.0, 0.6]), seed=SEEDS)
def test_order_of_the_operations(spec: OscillatorSpec, stall: float, seed: int) -> None:
    rng = random.Random(seed)
    given_placements = placements(spec, rng, rng.randrange(spec.period), [])
    [out] = sequence(spec, [(0, given_placements)], seed, stall)
    rest, counts = iter(out), set()
    for placement in given_placements:
        expected = expected_operations(spec, placement)
        found = [next(rest) for _ in expected]
        for operation, wanted in zip(found, expected, strict=True):
            check_context(spec, operation, placement)
            assert operation.context.first == placement["first"]
            edge = operation.context
            assert wanted == {
                "bank": operation.bank,
                "negate": operation.negate,
                "places": edge.places,
                "present": edge.present,
            }
        assert all(one.bank != other.bank for one, other in pairwise(found))
        counts.add((placement["first"], len(found)))
    assert next(rest, None) is None
    assert (1, 2) in counts


@settings(max_examples=10, deadline=None)
@given(spec=st.sampled_from([spec for spec in MOVERS if spec.learning]), stall=st.sampled_from([0.0, 0.6]), seed=SEEDS)
def test_a_teaching_placement_is_one_operation(spec: OscillatorSpec, stall: float, seed: int) -> None:
    rng = random.Random(seed)
    phases: list[int] = []
    loaded = placements(spec, rng, 0, phases)[: spec.oscillators]
    before, out, after = sequence(spec, [(0, loaded), (1, loaded), (0, loaded)], seed, stall)
    assert len(out) == spec.oscillators
    for operation, placement in zip(out, loaded, strict=True):
        check_context(spec, operation, placement)
        edge = operation.context
        assert OperationKind(operation.kind) is OperationKind.LEARN
        assert (operation.negate, edge.first, edge.places) == (placement["low"], 0, 0)
    assert [value.as_bits() for value in before] == [value.as_bits() for value in after]
    assert len(before) == 2 * spec.oscillators


@pytest.mark.parametrize(
    ("phase_bits", "lock_phases"),
    [(bits, count) for bits in (3, 4, 5, 6) for count in range(2, 9) if count <= 1 << bits - 1],
)
def test_lock_index(phase_bits: int, lock_phases: int) -> None:
    spec = OscillatorSpec(oscillators=2, phase_bits=phase_bits, lock_phases=lock_phases)
    m, phase, index = Module(), Signal(phase_bits), Signal(8)
    m.d.comb += index.eq(lock_index(spec, phase))
    found = []

    async def bench(ctx: Any) -> None:
        for value in range(spec.period):
            ctx.set(phase, value)
            found.append(ctx.get(index))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == spec.lock_index(np.arange(spec.period)).tolist()


def test_sequencer_gives_one_operation_a_cycle() -> None:
    spec = MOVERS[1]
    sequencer = sequencer_of(spec)
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
