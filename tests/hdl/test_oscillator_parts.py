# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.noise import MASK_KINDS
from attractor.hdl.oscillator.loader import StateLoader
from attractor.hdl.oscillator.move import Placement
from attractor.hdl.oscillator.phases import PhaseMemory
from attractor.hdl.oscillator.readout import LabelReadout
from attractor.hdl.oscillator.schedule import Schedule
from attractor.hdl.records import record_layout
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator import FLIP_MASKS, FLIP_SHARES, MIXING_WORDS

from .link.streams import simulate, take, wait_until
from .oscillator_parts import MOVERS, SEEDS, as_bits, level, serve, write_window

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
            ctx.set(readout.task.start, 1)
            await ctx.tick()
            ctx.set(readout.task.start, 0)
            for _ in range(spec.labels + 2):
                assert ctx.get(readout.task.busy)
                await ctx.tick()
            assert not ctx.get(readout.task.busy)
            assert ctx.get(readout.winner) == winner(spec, phases)

    async def memory(ctx: Any) -> None:
        await serve(ctx, phases, readout.phases)

    simulate(readout, bench, memory)


# Schedule

SCHEDULES = [
    OscillatorSpec(oscillators=2, schedule_entries=1),
    OscillatorSpec(oscillators=2, schedule_entries=2),
    OscillatorSpec(oscillators=40, schedule_entries=5),
    OscillatorSpec(oscillators=40, schedule_entries=5, phase_bits=5, flips=True),
]
#: A run of which the table is never over: entries of up to 3 periods.
MOST_PERIODS = 16


Entry = dict[str, int]


def draw_entry(spec: OscillatorSpec, rng: random.Random) -> Entry:
    """Draw a word of the table; amplitudes may be larger than any that the spec allows."""
    largest = spec.largest_amplitude
    amplitudes = [0, 1, largest - 1, largest, largest + 1, 2 * largest + 1, 0xFFFF, rng.randrange(0x10000)]
    return {
        "periods": rng.randrange(0, 4),
        "noise": rng.choice(amplitudes),
        "max_step": rng.randrange(9),
        "lock": rng.choice(amplitudes),
        "alternate": rng.choice([0, 1] if spec.flips else [0, 0, 1, 2, 0x80]),
    } | ({"flips": rng.randrange(len(FLIP_SHARES) + 1)} if spec.flips else {})


def said_of_flips(flips: int) -> tuple[int, ...]:
    """Whether targets flip, and the kinds of the two masks."""
    rules = FLIP_MASKS[flips - 1] if flips else (0, 0)
    return int(flips > 0), *(MASK_KINDS.index(rule) for rule in rules)


def in_force(spec: OscillatorSpec, entry: Entry) -> tuple[int, ...]:
    """What the schedule says in a period of an entry."""
    noise, lock = (min(entry[name], spec.largest_amplitude) for name in ("noise", "lock"))
    flips = entry.get("flips", 0)
    max_step = spec.period // 2 if flips else entry["max_step"]
    return max_step, noise, lock, int(entry["alternate"] != 0), *(said_of_flips(flips) if spec.flips else ())


async def walk(ctx: Any, schedule: Schedule, said: list[tuple[int, ...]], settle: int, rng: random.Random) -> None:
    """Run the schedule once; ``said`` is what it has to say in each period."""
    slots, quiet, motion = rng.randrange(1, 5), 0, rng.choice([0.0, 0.1, 0.5])
    ctx.set(schedule.start, 1)
    await ctx.tick()
    ctx.set(schedule.start, 0)
    for period in range(MOST_PERIODS):
        for _ in range(3):
            if not ctx.get(schedule.now.busy):
                break
            await ctx.tick()
        assert not ctx.get(schedule.now.busy)
        over = period == len(said) or (settle > 0 and quiet >= settle)
        assert ctx.get(schedule.now.over) == over
        assert ctx.get(schedule.now.settled) == (quiet >= max(settle, 1))
        if over:
            return
        moved_in_period = False
        for slot in range(slots):
            await ctx.tick().repeat(rng.randrange(1, 3))
            now = schedule.now
            outputs = [now.max_step, now.noise, now.lock, now.alternate]
            outputs += [now.flips, now.mask_kinds[0], now.mask_kinds[1]] if schedule.spec.flips else []
            assert tuple(ctx.get(output) for output in outputs) == said[period]
            moved = rng.random() < motion
            moved_in_period |= moved
            ctx.set(schedule.progress.slot_end, 1)
            ctx.set(schedule.progress.moved, moved)
            ctx.set(schedule.progress.period_end, slot == slots - 1)
            await ctx.tick()
            for strobe in (schedule.progress.slot_end, schedule.progress.period_end):
                ctx.set(strobe, 0)
            ctx.set(schedule.progress.moved, rng.getrandbits(1))  # counts at the end of a slot only
        quiet = 0 if moved_in_period else quiet + 1
    raise AssertionError(f"not over after {MOST_PERIODS} periods")


@settings(max_examples=15, deadline=None)
@given(spec=st.sampled_from(SCHEDULES), seed=SEEDS)
def test_schedule_ends_with_its_table_or_when_the_network_is_quiet(spec: OscillatorSpec, seed: int) -> None:
    rng, schedule, layout = random.Random(seed), Schedule(spec), record_layout(spec.schedule_record)

    async def bench(ctx: Any) -> None:
        for _ in range(6):
            entries = [draw_entry(spec, rng) for _ in range(spec.schedule_entries)]
            settle = rng.randrange(4)
            ends = [*(entry["periods"] for entry in entries), 0]
            used = entries[: ends.index(0)]
            said = [in_force(spec, entry) for entry in used for _ in range(entry["periods"])]
            await write_window(ctx, schedule.window, [as_bits(layout, entry) for entry in entries])
            await write_window(ctx, schedule.settle_window, [settle])
            for _ in range(2):
                await walk(ctx, schedule, said, settle, rng)

    simulate(schedule, bench)


@pytest.mark.parametrize("spec", SCHEDULES)
def test_a_word_of_the_table_is_what_the_host_writes(spec: OscillatorSpec) -> None:
    largest = spec.largest_amplitude
    entry = {"periods": 0x1234, "noise": largest, "max_step": 7, "lock": largest - 1, "alternate": 1}
    entry |= {"flips": 5} if spec.flips else {}
    rows = np.zeros((spec.schedule_entries, len(entry)), int)
    rows[0] = list(entry.values())
    parameters = {"weights": np.zeros((spec.targets, spec.oscillators), int), "schedule": rows, "settle": 0}
    size = spec.memory_map["schedule"].word_bytes
    word = int.from_bytes(spec.encode_parameters(parameters)["schedule"][:size], "little")
    assert word == as_bits(record_layout(spec.schedule_record), entry)


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


DRAWING = [spec for spec in MOVERS if spec.random_start]


@pytest.mark.parametrize("spec", DRAWING)
@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_loader_draws_phases_of_what_is_free(spec: OscillatorSpec, stall: float) -> None:
    """Each word is shown until it is taken; how long placements are held back changes nothing."""
    rng, loader, out = random.Random(5), StateLoader(spec), []
    words: list[int] = []
    taken = 0

    async def bench(ctx: Any) -> None:
        nonlocal taken
        for draws in (1, 0, 1, 1):
            state = [rng.getrandbits(8) for _ in range(spec.oscillators)]
            await write_window(ctx, loader.window, state)
            out.clear()
            taken, words[:] = 0, [rng.getrandbits(64) for _ in range(MIXING_WORDS + spec.oscillators + 1)]
            ctx.set(loader.random, draws)
            ctx.set(loader.start, 1)
            await ctx.tick()
            ctx.set(loader.start, 0)
            await wait_until(ctx, lambda: bool(ctx.get(loader.idle)), 200, settle=3)
            expected, used = list(state), MIXING_WORDS * draws
            for source in range(spec.inputs, spec.oscillators if draws else 0):
                if not state[source] >> 7:
                    expected[source] = words[used] >> 64 - spec.phase_bits
                    used += 1
            assert taken == used
            for value, byte in zip(out, expected, strict=True):
                assert value.as_bits() == as_bits(Placement(spec), expected_first(spec, int(value.source), byte))

    async def collect(ctx: Any) -> None:
        await take(ctx, loader.o, out, random.Random(8), stall)

    async def generate(ctx: Any) -> None:
        nonlocal taken
        while True:
            ctx.set(loader.word, words[taken] if words else 0)
            _, _, steps = await ctx.tick().sample(loader.steps)
            taken += steps

    simulate(loader, bench, collect, generate)


# Phases


@settings(max_examples=15, deadline=None)
@given(spec=st.sampled_from(MOVERS), seed=SEEDS)
def test_phases_are_those_that_were_placed_last(spec: OscillatorSpec, seed: int) -> None:
    rng, memory = random.Random(seed), PhaseMemory(spec)
    phases = [0] * spec.oscillators
    readers = [
        (memory.window, memory.window.read_data, spec.inputs, spec.targets),
        (memory.readout, memory.readout.data, 0, spec.oscillators),
        (memory.mover, memory.mover.data, 0, spec.oscillators),
    ]
    if spec.random_start:
        readers.append((memory.spins, memory.spins.read_data, spec.inputs, spec.targets))

    async def bench(ctx: Any) -> None:
        for _ in range(60):
            source, phase = rng.randrange(spec.oscillators), rng.randrange(spec.period)
            ctx.set(memory.placement, {"source": source, "new": phase})
            placed = rng.getrandbits(1)
            ctx.set(memory.placed, placed)
            port, data, first, words = rng.choice(readers)
            # A phase is not read in the cycle in which it is placed.
            address = rng.choice([word for word in range(words) if first + word != source or not placed] or [None])
            if address is not None:
                ctx.set(port.address, address)
                ctx.set(port.read, 1)
            await ctx.tick()
            ctx.set(port.read, 0)
            if placed:
                phases[source] = phase
            if address is not None:
                spins = spec.random_start and port is memory.spins
                shown = spec.spins(np.array(phases))[address] > 0 if spins else phases[first + address]
                assert ctx.get(data) == shown

    simulate(memory, bench)


@pytest.mark.parametrize("pair", list(combinations(("window", "spins", "readout", "mover"), 2)))
def test_two_readers_of_phases_in_one_cycle_end_a_simulation(pair: tuple[str, str]) -> None:
    memory = PhaseMemory(DRAWING[0])

    async def bench(ctx: Any) -> None:
        for name in pair:
            await ctx.tick()
            ctx.set(getattr(memory, name).read, 1)
        await ctx.tick()

    with pytest.raises(AssertionError, match="phases read by two in one cycle"):
        simulate(memory, bench)
