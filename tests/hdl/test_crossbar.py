# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import Crossbar as GoldenCrossbar
from attractor.hdl.core import port_name
from attractor.hdl.crossbar import Crossbar, Kind
from attractor.spec import Region, Window

from .link.streams import simulate, wait_until

CONTEXT_BITS = 6


@dataclass(frozen=True)
class Shape:
    """Sizes of a crossbar; ``segments`` are the lanes of each weight memory."""

    sources: int
    groups: int
    segments: tuple[int, ...]
    banks: int
    weight_bits: int = 5
    sum_bits: int = 8
    fold_shift: int = 0
    tag_bits: int = 2
    state_bits: int = 3
    learning: bool = True

    @property
    def lanes(self) -> int:
        return sum(self.segments)

    @property
    def way_bits(self) -> tuple[int, ...]:
        """Widths of what the neurons say in one beat: tags, states, signs, who learns."""
        return self.tag_bits, self.state_bits, 1, 1

    @property
    def windows(self) -> list[Window]:
        words = self.sources * self.groups
        return [
            Window(f"weights.{index}", Region.PARAMETERS, words, lanes * self.weight_bits)
            for index, lanes in enumerate(self.segments)
        ]

    def crossbar(self) -> Crossbar:
        return Crossbar(
            sources=self.sources,
            groups=self.groups,
            lanes=self.lanes,
            weight_bits=self.weight_bits,
            sum_bits=self.sum_bits,
            banks=self.banks,
            windows=self.windows,
            fold_shift=self.fold_shift,
            tag_bits=self.tag_bits,
            state_bits=self.state_bits,
            context=CONTEXT_BITS,
            learning=self.learning,
        )

    def golden(self, weights: list[list[int]]) -> GoldenCrossbar:
        return GoldenCrossbar(
            weights, self.banks, self.sum_bits, weight_bits=self.weight_bits, fold_shift=self.fold_shift
        )

    def draw_weights(self, rng: random.Random) -> list[list[int]]:
        half = 1 << self.weight_bits - 1
        targets = self.groups * self.lanes
        return [
            [rng.choice([-half, half - 1, rng.randrange(-half, half)]) for _ in range(targets)]
            for _ in range(self.sources)
        ]

    def draw_operation(self, rng: random.Random) -> dict[str, int]:
        """Draw an operation; what its kind does not read is random as well."""
        kinds = [Kind.ADD, Kind.FOLD, Kind.PUSH, *([Kind.LEARN] if self.learning else [])]
        return {
            "kind": rng.choice(kinds).value,
            "source": rng.randrange(self.sources),
            "bank": rng.randrange(self.banks),
            "addend": rng.randrange(self.banks),
            "negate": rng.getrandbits(1),
            "amplitude": rng.choice([0, rng.getrandbits(self.sum_bits)]),
            "context": rng.getrandbits(CONTEXT_BITS),
        }


#: Words of one and of several memories; a single accumulator word, which is a register; sums that wrap; one source.
SHAPES = [
    Shape(sources=3, groups=1, segments=(1,), banks=1, weight_bits=1),
    Shape(sources=2, groups=1, segments=(4,), banks=1, fold_shift=1),
    Shape(sources=5, groups=1, segments=(3,), banks=2, learning=False),
    Shape(sources=4, groups=3, segments=(2, 1), banks=1, weight_bits=8),
    Shape(sources=3, groups=2, segments=(3, 3, 1), banks=3, weight_bits=2, fold_shift=1),
    Shape(sources=7, groups=5, segments=(2,), banks=5, sum_bits=5, fold_shift=1, learning=False),
    Shape(sources=2, groups=3, segments=(4,), banks=4, weight_bits=3, sum_bits=3, tag_bits=0, state_bits=0),
    Shape(sources=1, groups=4, segments=(1,), banks=9, sum_bits=12, fold_shift=2, tag_bits=3, state_bits=1),
]


class Ways(NamedTuple):
    """What the neurons say in one beat, lane by lane."""

    tags: list[int]
    states: list[int]
    signs: list[int]
    learns: list[int]


def as_mask(bits: list[int]) -> int:
    return sum(bit << lane for lane, bit in enumerate(bits))


class Bench:
    """A crossbar, its golden model, and what is expected of the beats to come."""

    def __init__(self, shape: Shape, rng: random.Random) -> None:
        self.shape, self.rng, self.dut = shape, rng, shape.crossbar()
        self.golden = shape.golden(shape.draw_weights(rng))
        self.tags = np.zeros((shape.banks, shape.groups * shape.lanes), int)
        self.states = np.zeros(shape.groups * shape.lanes, int)
        #: Operations that were given and whose beats are not over, and the group of the next beat.
        self.given: list[dict[str, int]] = []
        self.group = 0
        self.beats = 0

    async def load(self, ctx: Any) -> None:
        """Write all weights."""
        for number, (window, port) in enumerate(self._ports()):
            ctx.set(port.write, 1)
            for word in range(window.words):
                ctx.set(port.address, word)
                ctx.set(port.write_data, self._word(number, word))
                await ctx.tick()
            ctx.set(port.write, 0)

    async def read_back(self, ctx: Any) -> None:
        """See that all weights are what was written."""
        for number, (window, port) in enumerate(self._ports()):
            for word in range(window.words):
                ctx.set(port.address, word)
                ctx.set(port.read, 1)
                await ctx.tick()
                ctx.set(port.read, 0)
                assert ctx.get(port.read_data) == self._word(number, word)

    async def give(self, ctx: Any, operations: list[dict[str, int]], stall: float = 0.0) -> int:
        """Give operations, with pauses; return the cycles that they took."""
        cycles = 0
        for operation in operations:
            while self.rng.random() < stall:
                await ctx.tick()
                cycles += 1
            ctx.set(self.dut.i.payload, operation)
            ctx.set(self.dut.i.valid, 1)
            self.given.append(operation)
            for _ in range(4 * self.shape.groups + 4):
                _, _, ready = await ctx.tick().sample(self.dut.i.ready)
                cycles += 1
                if ready:
                    break
            else:
                raise AssertionError(f"{operation} is not taken")
            ctx.set(self.dut.i.valid, 0)
        return cycles

    async def drain(self, ctx: Any) -> None:
        """Wait for the last beat."""
        await wait_until(ctx, lambda: not self.given, 10, settle=5)
        assert not ctx.get(self.dut.busy)

    async def watch(self, ctx: Any) -> None:
        """Compare every beat, and hand in random tags, states, signs and who learns."""
        shape, dut = self.shape, self.dut
        while True:
            ways = Ways(*([self.rng.getrandbits(bits) for _ in range(shape.lanes)] for bits in shape.way_bits))
            if shape.tag_bits:
                ctx.set(dut.tags, ways.tags)
            if shape.state_bits:
                ctx.set(dut.states, ways.states)
            ctx.set(dut.signs, as_mask(ways.signs))
            ctx.set(dut.learns, as_mask(ways.learns))
            _, _, valid, beat, busy = await ctx.tick().sample(dut.beat_valid, dut.beat, dut.busy)
            if valid:
                assert busy
                self._check(beat, ways)

    def _check(self, beat: Any, ways: Ways) -> None:
        shape = self.shape
        assert self.given, "a beat of no operation"
        operation = self.given[0]
        kind, bank, lanes = (
            Kind(operation["kind"]),
            operation["bank"],
            slice(self.group * shape.lanes, (self.group + 1) * shape.lanes),
        )
        found = {name: int(beat[name]) for name in ("bank", "group", "context")}
        assert found == {"bank": bank, "group": self.group, "context": operation["context"]}
        assert Kind(beat.kind) is kind
        read = operation["addend"] if kind is Kind.PUSH else bank
        if shape.tag_bits:
            assert [int(value) for value in beat.tags] == self.tags[read, lanes].tolist()
            if kind is Kind.FOLD:
                assert [int(value) for value in beat.addend_tags] == self.tags[operation["addend"], lanes].tolist()
        if shape.state_bits:
            assert [int(value) for value in beat.states] == self.states[lanes].tolist()
        self._apply(operation, lanes, ways)
        if kind is not Kind.LEARN:
            assert [int(value) for value in beat.sums] == self.golden.sums[bank, lanes].tolist()
            self.tags[bank, lanes] = ways.tags
        self.states[lanes] = ways.states
        self.beats += 1
        self.group = (self.group + 1) % shape.groups
        if self.group == 0:
            self.given.pop(0)

    def _apply(self, operation: dict[str, int], lanes: slice, ways: Ways) -> None:
        """Run an operation on the golden model, and take over the targets of one group."""
        golden = self.golden
        sums, weights = golden.sums.copy(), golden.weights.copy()
        increments, learns = np.ones(sums.shape[1], int), np.zeros(sums.shape[1], bool)
        increments[lanes] = [-1 if sign ^ operation["negate"] else 1 for sign in ways.signs]
        learns[lanes] = ways.learns
        bank, addend, source = (operation[name] for name in ("bank", "addend", "source"))
        match Kind(operation["kind"]):
            case Kind.ADD:
                golden.add(source, bank, increments)
            case Kind.FOLD:
                golden.fold(addend, bank, increments)
            case Kind.PUSH:
                golden.push(addend, bank, operation["amplitude"], increments)
            case Kind.LEARN:
                golden.learn(source, learns, increments)
        sums[:, lanes], weights[:, lanes] = golden.sums[:, lanes], golden.weights[:, lanes]
        golden.sums, golden.weights = sums, weights

    def _ports(self) -> list[tuple[Window, Any]]:
        return [(window, getattr(self.dut.weights, port_name(window))) for window in self.dut.windows]

    def _word(self, segment: int, word: int) -> int:
        """Return a word of a weight memory: the lowest lane in the lowest bits."""
        shape = self.shape
        source, group = divmod(word, shape.groups)
        start = group * shape.lanes + sum(shape.segments[:segment])
        weights = self.golden.weights[source][start : start + shape.segments[segment]].tolist()
        mask = (1 << shape.weight_bits) - 1
        return sum((weight & mask) << lane * shape.weight_bits for lane, weight in enumerate(weights))


def run(shape: Shape, operations: list[dict[str, int]], rng: random.Random, stall: float = 0.0) -> int:
    """Load weights, give operations and compare all beats; return the cycles until the last one was taken."""
    bench, cycles = Bench(shape, rng), 0

    async def drive(ctx: Any) -> None:
        nonlocal cycles
        await bench.load(ctx)
        cycles = await bench.give(ctx, operations, stall)
        await bench.drain(ctx)
        await bench.read_back(ctx)

    simulate(bench.dut, drive, bench.watch)
    assert bench.beats == len(operations) * shape.groups
    return cycles


@settings(max_examples=20, deadline=None)
@given(shape=st.sampled_from(SHAPES), stall=st.sampled_from([0.0, 0.3, 0.8]), seed=st.integers(0, 2**32))
def test_random_operations(shape: Shape, stall: float, seed: int) -> None:
    rng = random.Random(seed)
    run(shape, [shape.draw_operation(rng) for _ in range(60)], rng, stall)


LEARNING = [shape for shape in SHAPES if shape.learning]


@pytest.mark.parametrize("shape", SHAPES)
def test_back_to_back_on_one_bank(shape: Shape) -> None:
    """Every operation reads what the one before it has just written."""
    rng, last = random.Random(1), shape.banks - 1
    operations = [shape.draw_operation(rng) | {"bank": last, "addend": last} for _ in range(40)]
    run(shape, operations, rng)


@pytest.mark.parametrize("shape", LEARNING)
def test_back_to_back_on_one_row(shape: Shape) -> None:
    """Every operation reads the weights that the one before it has just changed, up to the ends of their range."""
    rng, last = random.Random(6), shape.sources - 1
    kinds = [Kind.LEARN, Kind.LEARN, Kind.ADD, Kind.FOLD]
    operations = [
        shape.draw_operation(rng) | {"source": last, "kind": rng.choice(kinds).value, "bank": number % shape.banks}
        for number in range(60)
    ]
    run(shape, operations, rng)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_bank_folded_into_itself(shape: Shape) -> None:
    rng = random.Random(2)
    add = shape.draw_operation(rng) | {"kind": Kind.ADD.value, "bank": 0}
    fold = shape.draw_operation(rng) | {"kind": Kind.FOLD.value, "bank": 0, "addend": 0}
    run(shape, [add, fold, fold, fold | {"negate": 1}, add], rng)


def cycles_of(
    shape: Shape, kind: Kind, rng: random.Random, banks: list[tuple[int, int]], sources: list[int] | None = None
) -> int:
    """Return the cycles of operations of one kind with these banks and addends."""
    rows = sources or [number % shape.sources for number in range(len(banks))]
    operations = [
        shape.draw_operation(rng) | {"kind": kind.value, "bank": bank, "addend": addend, "source": source}
        for (bank, addend), source in zip(banks, rows, strict=True)
    ]
    return run(shape, operations, rng)


CYCLES = {Kind.ADD: 1, Kind.FOLD: 2, Kind.PUSH: 1, Kind.LEARN: 1}


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (shape, kind)
        for shape in SHAPES
        for kind in CYCLES
        if shape.banks > 2 and (shape.learning or kind is not Kind.LEARN)
    ],
)
def test_operations_follow_each_other_without_a_gap(shape: Shape, kind: Kind) -> None:
    """They do where no accumulator is read while it is written, and no row of weights."""
    cycles = cycles_of(shape, kind, random.Random(3), [(number % 2, 2) for number in range(20)])
    assert cycles == 20 * CYCLES[kind] * shape.groups


ONE_GROUP = Shape(sources=4, groups=1, segments=(2,), banks=2)


@pytest.mark.parametrize("kind", [Kind.ADD, Kind.PUSH])
def test_one_group_waits_a_cycle_for_its_own_result(kind: Kind) -> None:
    assert cycles_of(ONE_GROUP, kind, random.Random(4), [(1, 1)] * 10) == 19


def test_a_push_waits_for_its_addend_and_not_for_its_bank() -> None:
    assert cycles_of(ONE_GROUP, Kind.PUSH, random.Random(4), [(0, 1), (1, 0)] * 5) == 19
    assert cycles_of(ONE_GROUP, Kind.PUSH, random.Random(4), [(1, 0)] * 10) == 10


def test_a_fold_waits_for_its_addend_and_not_for_its_bank() -> None:
    assert cycles_of(ONE_GROUP, Kind.FOLD, random.Random(4), [(0, 1), (1, 0)] * 5) == 29
    assert cycles_of(ONE_GROUP, Kind.FOLD, random.Random(4), [(1, 0)] * 10) == 20


def test_one_group_waits_a_cycle_for_its_own_weights() -> None:
    assert cycles_of(ONE_GROUP, Kind.LEARN, random.Random(4), [(0, 0), (1, 0)] * 5, [2] * 10) == 19


@pytest.mark.parametrize("kind", [Kind.ADD, Kind.PUSH])
def test_a_register_never_waits(kind: Kind) -> None:
    shape = Shape(sources=4, groups=1, segments=(2,), banks=1)
    assert cycles_of(shape, kind, random.Random(5), [(0, 0)] * 10) == 10


def test_windows_of_another_width_are_refused() -> None:
    windows = [Window("weights.0", Region.PARAMETERS, 4, 9)]
    with pytest.raises(ValueError, match="2 weights of 5 bits"):
        Crossbar(sources=4, groups=1, lanes=2, weight_bits=5, sum_bits=8, banks=2, windows=windows)
