# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import Crossbar as GoldenCrossbar
from attractor.golden.crossbar import CountingWeights, IntegerWeights, SignWeights, Weights
from attractor.hdl.core import port_name
from attractor.hdl.crossbar import Crossbar, OperationKind
from attractor.hdl.synapse import CountingSynapse, IntegerSynapse, SignSynapse, Synapse
from attractor.hdl.weights import WeightStore
from attractor.spec import Window
from attractor.spec.rows import LaneMemory

from .link.streams import simulate, wait_until

CONTEXT_BITS = 6


@dataclass(frozen=True)
class CutMemory(LaneMemory):
    """A memory cut into windows at will; ``cuts`` are their lanes."""

    cuts: tuple[int, ...] = ()

    @property
    def segments(self) -> tuple[slice, ...]:
        ends = list(accumulate(self.cuts))
        return tuple(slice(start, stop) for start, stop in zip([0, *ends], ends, strict=False))


@dataclass(frozen=True)
class Store:
    """Weights of a crossbar, and how they are read: one word for each source and group, or any number."""

    words: int
    synapse: Synapse
    learning: bool = True

    @property
    def signed(self) -> bool:
        """The weights are signs of the amplitudes."""
        return isinstance(self.synapse, SignSynapse)

    def golden(self, lanes: int, rng: random.Random) -> Weights:
        """Draw weights, word by word."""

        def draw(low: int, high: int, step: int = 1) -> list[list[int]]:
            values = range(low, high + 1, step)
            return [[rng.choice([low, high, rng.choice(values)]) for _ in range(lanes)] for _ in range(self.words)]

        match self.synapse:
            case CountingSynapse(counter_high=high, bits=bits):
                return CountingWeights(draw(-1, 1, 2), draw(-high, high), bits - 1)
            case SignSynapse():
                return SignWeights(draw(-1, 1, 2))
            case synapse:
                half = 1 << synapse.bits - 1
                return IntegerWeights(draw(-half, half - 1), synapse.bits)


@dataclass(frozen=True)
class Shape:
    """Sizes of a crossbar; ``segments`` are the lanes of each weight memory."""

    stores: tuple[Store, ...]
    groups: int
    segments: tuple[int, ...]
    banks: int
    sum_bits: int = 8
    fold_shift: int | None = None
    tag_bits: int = 2
    state_bits: int = 3
    parts: bool = False
    push_sums: bool = False

    @property
    def lanes(self) -> int:
        return sum(self.segments)

    @property
    def learning(self) -> bool:
        return any(store.learning for store in self.stores)

    @property
    def kinds(self) -> list[OperationKind]:
        folds, learns = [OperationKind.FOLD] * (self.fold_shift is not None), [OperationKind.LEARN] * self.learning
        return [OperationKind.ADD, OperationKind.PUSH, *folds, *learns]

    def crossbar(self) -> Crossbar:
        stores = [
            WeightStore(
                CutMemory(f"store{index}", store.words, self.lanes, store.synapse.bits, self.segments),
                store.synapse,
                learning=store.learning,
            )
            for index, store in enumerate(self.stores)
        ]
        return Crossbar(
            stores,
            groups=self.groups,
            lanes=self.lanes,
            sum_bits=self.sum_bits,
            banks=self.banks,
            parts=self.parts,
            push_sums=self.push_sums,
            fold_shift=self.fold_shift,
            tag_bits=self.tag_bits,
            state_bits=self.state_bits,
            context=CONTEXT_BITS,
        )

    def draw_operation(self, rng: random.Random) -> dict[str, int]:
        """Draw an operation; what its kind does not read is random as well."""
        kind = rng.choice(self.kinds)
        chosen = [index for index, store in enumerate(self.stores) if store.learning or kind is not OperationKind.LEARN]
        index = rng.choice(chosen)
        words, first, more = self.stores[index].words, 0, 0
        if self.parts:
            first = rng.randrange(self.groups)
            more = rng.randrange(min(self.groups - first, words))
            row = rng.randrange(words - more)
        else:
            row = rng.randrange(words // self.groups) * self.groups
        return {
            "kind": kind.value,
            "store": index,
            "row": row,
            "first": first,
            "more": more,
            "bank": rng.randrange(self.banks),
            "addend": rng.randrange(self.banks),
            "negate": rng.getrandbits(1),
            "context": rng.getrandbits(CONTEXT_BITS),
        }

    def beats(self, operation: dict[str, int]) -> int:
        """Return how many groups an operation visits."""
        return operation["more"] + 1 if self.parts else self.groups


def rows(sources: int, groups: int, bits: int = 5, *, learning: bool = True) -> tuple[Store]:
    """Integer weights, a word for each source and group."""
    return (Store(sources * groups, IntegerSynapse(bits), learning),)


COUNTING = (Store(9, CountingSynapse(3)), Store(4, SignSynapse()))
#: Words of one and of several memories; a single accumulator word, which is a register; sums that wrap; one source;
#: weights of one bit, with and without counters, in one store or two; operations on some groups.
SHAPES = [
    Shape(rows(3, 1, bits=1), groups=1, segments=(1,), banks=1, fold_shift=0),
    Shape(rows(2, 1), groups=1, segments=(4,), banks=1, fold_shift=1),
    Shape(rows(5, 1, learning=False), groups=1, segments=(3,), banks=2, fold_shift=0),
    Shape(rows(4, 3, bits=8), groups=3, segments=(2, 1), banks=1),
    Shape(rows(3, 2, bits=2), groups=2, segments=(3, 3, 1), banks=3, fold_shift=1),
    Shape(rows(7, 5, learning=False), groups=5, segments=(2,), banks=5, sum_bits=5, fold_shift=1),
    Shape(rows(2, 3, bits=3), groups=3, segments=(4,), banks=4, sum_bits=3, fold_shift=0, tag_bits=0, state_bits=0),
    Shape(rows(1, 4), groups=4, segments=(1,), banks=9, sum_bits=12, fold_shift=2, tag_bits=3, state_bits=1),
    Shape(COUNTING, groups=4, segments=(3,), banks=3, tag_bits=0, parts=True),
    Shape(COUNTING[::-1], groups=2, segments=(2, 1), banks=2, sum_bits=4, parts=True),
    Shape((Store(5, CountingSynapse(2)),), groups=3, segments=(2,), banks=2, parts=True, push_sums=True),
    Shape((Store(6, SignSynapse(), learning=False),) * 2, groups=3, segments=(5,), banks=4, tag_bits=0, parts=True),
    Shape((Store(8, SignSynapse()), *rows(2, 2)), groups=2, segments=(2,), banks=3, fold_shift=1),
]


class Ways(NamedTuple):
    """What the neurons say in one beat, lane by lane, and to all lanes."""

    tags: list[int]
    states: list[int]
    signs: list[int]
    learns: list[int]
    amplitudes: list[int]
    keep_states: int
    threshold: int


def as_mask(bits: list[int]) -> int:
    return sum(bit << lane for lane, bit in enumerate(bits))


class Bench:
    """A crossbar, its golden model, and what is expected of the beats to come."""

    def __init__(self, shape: Shape, rng: random.Random) -> None:
        self.shape, self.rng, self.dut = shape, rng, shape.crossbar()
        stores = [store.golden(shape.lanes, rng) for store in shape.stores]
        targets = shape.groups * shape.lanes
        fold_shift = shape.fold_shift or 0
        self.golden = GoldenCrossbar(stores, targets, shape.banks, shape.sum_bits, fold_shift=fold_shift)
        self.tags = np.zeros((shape.banks, targets), int)
        self.states = np.zeros(targets, int)
        #: Operations that were given and whose beats are not over, and the next beat of the first.
        self.given: list[dict[str, int]] = []
        self.beat = 0
        self.beats = 0

    async def load(self, ctx: Any) -> None:
        """Write all weights."""
        for window, port, words in self._ports():
            ctx.set(port.write, 1)
            for word in range(window.words):
                ctx.set(port.address, word)
                ctx.set(port.write_data, words[word])
                await ctx.tick()
            ctx.set(port.write, 0)

    async def read_back(self, ctx: Any) -> None:
        """See that all weights are those of the golden model."""
        for window, port, words in self._ports():
            for word in range(window.words):
                ctx.set(port.address, word)
                ctx.set(port.read, 1)
                await ctx.tick()
                ctx.set(port.read, 0)
                assert ctx.get(port.read_data) == words[word]

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
        """Compare every beat, and hand in what neurons say, at random."""
        dut, neurons = self.dut, self.dut.neurons
        while True:
            ways = self._draw_ways(OperationKind(ctx.get(neurons.beat.kind)), ctx.get(neurons.beat.store))
            if self.shape.tag_bits:
                ctx.set(neurons.tags, ways.tags)
            if self.shape.state_bits:
                ctx.set(neurons.states, ways.states)
            ctx.set(neurons.signs, as_mask(ways.signs))
            ctx.set(neurons.learns, as_mask(ways.learns))
            ctx.set(neurons.amplitudes, ways.amplitudes)
            ctx.set(neurons.keep_states, ways.keep_states)
            if self.shape.learning and len(dut.rule):
                high = max(getattr(store.synapse, "counter_high", 0) for store in self.shape.stores)
                ctx.set(dut.rule, min(ways.threshold - 1, high))
            outputs = (neurons.valid, neurons.beat, dut.flips, dut.busy)
            _, _, valid, beat, flips, busy = await ctx.tick().sample(*outputs)
            if valid:
                assert busy
                self._check(beat, flips, ways)

    def _draw_ways(self, kind: OperationKind, store: int) -> Ways:
        shape, rng = self.shape, self.rng
        widths = shape.tag_bits, shape.state_bits, 1, 1
        lanes = [[rng.getrandbits(bits) for _ in range(shape.lanes)] for bits in widths]
        used = kind is OperationKind.PUSH or (kind is OperationKind.ADD and shape.stores[store].signed)
        amplitudes = [rng.choice([0, 1, rng.getrandbits(shape.sum_bits)]) if used else 0 for _ in range(shape.lanes)]
        keep_states = 1 if kind is OperationKind.LEARN and shape.parts else rng.getrandbits(1)
        return Ways(*lanes, amplitudes, keep_states, rng.choice([0, 1, 2, 3, rng.randrange(8)]))

    def _check(self, beat: Any, flips: int, ways: Ways) -> None:
        shape = self.shape
        assert self.given, "a beat of no operation"
        operation = self.given[0]
        group = operation["first"] + self.beat
        kind, bank, lanes = (
            OperationKind(beat.kind),
            operation["bank"],
            slice(group * shape.lanes, (group + 1) * shape.lanes),
        )
        found = {name: int(beat[name]) for name in ("store", "bank", "group", "context")}
        assert found == {"bank": bank, "group": group, **{name: operation[name] for name in ("store", "context")}}
        assert kind is OperationKind(operation["kind"])
        read = operation["addend"] if kind is OperationKind.PUSH else bank
        if shape.tag_bits:
            assert [int(value) for value in beat.tags] == self.tags[read, lanes].tolist()
            if kind is OperationKind.FOLD:
                assert [int(value) for value in beat.addend_tags] == self.tags[operation["addend"], lanes].tolist()
        if shape.state_bits:
            assert [int(value) for value in beat.states] == self.states[lanes].tolist()
        flipped = self._apply(operation, lanes, ways)
        if kind is OperationKind.LEARN:
            assert flips == as_mask(flipped)
        else:
            if kind is OperationKind.PUSH or not shape.push_sums:
                assert [int(value) for value in beat.sums] == self.golden.sums[bank, lanes].tolist()
            self.tags[bank, lanes] = ways.tags
        if not ways.keep_states:
            self.states[lanes] = ways.states
        self.beats += 1
        self.beat += 1
        if self.beat == shape.beats(operation):
            self.beat = 0
            self.given.pop(0)

    def _apply(self, operation: dict[str, int], targets: slice, ways: Ways) -> list[int]:
        """Run one beat of an operation on the golden model; return the weights that flipped."""
        golden, row = self.golden, operation["row"] + self.beat
        increments = [-1 if sign ^ operation["negate"] else 1 for sign in ways.signs]
        bank, addend, store = (operation[name] for name in ("bank", "addend", "store"))
        match OperationKind(operation["kind"]):
            case OperationKind.ADD:
                golden.add(row, bank, increments, targets=targets, store=store, amplitudes=ways.amplitudes)
            case OperationKind.FOLD:
                golden.fold(addend, bank, increments, targets=targets)
            case OperationKind.PUSH:
                golden.push(addend, bank, ways.amplitudes, increments, targets=targets)
            case OperationKind.LEARN:
                flips = golden.learn(
                    row, ways.learns, increments, targets=targets, store=store, threshold=ways.threshold
                )
                return flips.astype(int).tolist()
        return [0] * self.shape.lanes

    def _ports(self) -> Iterator[tuple[Window, Any, list[int]]]:
        """Give each window, its port, and its words as the golden model has them."""
        for store, golden in zip(self.dut.stores, self.golden.stores, strict=True):
            values = golden.weights
            if isinstance(golden, SignWeights):
                values = (golden.weights < 0) | (golden.counters if isinstance(golden, CountingWeights) else 0) << 1
            contents = store.layout.encode(values.astype(np.int16))
            for window in store.layout.windows:
                data, size = contents[window.name], window.word_bytes
                words = [int.from_bytes(data[start : start + size], "little") for start in range(0, len(data), size)]
                yield window, getattr(self.dut.weights, port_name(window)), words


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
    assert bench.beats == sum(shape.beats(operation) for operation in operations)
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
    rng = random.Random(6)
    store = next(index for index, store in enumerate(shape.stores) if store.learning)
    where = {"store": store, "row": 0, "first": 0, "more": 0}
    kinds = [OperationKind.LEARN, OperationKind.LEARN, OperationKind.ADD, shape.kinds[-2]]
    operations = [
        shape.draw_operation(rng) | where | {"kind": rng.choice(kinds).value, "bank": number % shape.banks}
        for number in range(60)
    ]
    run(shape, operations, rng)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.parts])
def test_back_to_back_on_one_group(shape: Shape) -> None:
    """Every operation reads the accumulators and the state that the one before it has just written."""
    rng = random.Random(7)
    operations = [shape.draw_operation(rng) | {"first": shape.groups - 1, "more": 0} for _ in range(60)]
    run(shape, operations, rng)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.fold_shift is not None])
def test_a_bank_folded_into_itself(shape: Shape) -> None:
    rng = random.Random(2)
    add = shape.draw_operation(rng) | {"kind": OperationKind.ADD.value, "bank": 0}
    fold = shape.draw_operation(rng) | {"kind": OperationKind.FOLD.value, "bank": 0, "addend": 0}
    run(shape, [add, fold, fold, fold | {"negate": 1}, add], rng)


def cycles_of(shape: Shape, kind: OperationKind, banks: list[tuple[int, int]], rows: list[int] | None = None) -> int:
    """Return the cycles of operations of one kind with these banks and addends, on these rows of the first store."""
    rng = random.Random(3)
    sources = shape.stores[0].words // shape.groups
    chosen = rows or [number % sources * shape.groups for number in range(len(banks))]
    whole = {"kind": kind.value, "store": 0, "first": 0, "more": shape.groups - 1 if shape.parts else 0}
    operations = [
        shape.draw_operation(rng) | whole | {"bank": bank, "addend": addend, "row": row}
        for (bank, addend), row in zip(banks, chosen, strict=True)
    ]
    return run(shape, operations, rng)


CYCLES = {OperationKind.ADD: 1, OperationKind.FOLD: 2, OperationKind.PUSH: 1, OperationKind.LEARN: 1}


@pytest.mark.parametrize(
    ("shape", "kind"), [(shape, kind) for shape in SHAPES if shape.banks > 2 for kind in shape.kinds]
)
def test_operations_follow_each_other_without_a_gap(shape: Shape, kind: OperationKind) -> None:
    """They do where no accumulator is read while it is written, and no row of weights."""
    cycles = cycles_of(shape, kind, [(number % 2, 2) for number in range(20)])
    assert cycles == 20 * CYCLES[kind] * shape.groups


ONE_GROUP = Shape(rows(4, 1), groups=1, segments=(2,), banks=2, fold_shift=0)


@pytest.mark.parametrize("kind", [OperationKind.ADD, OperationKind.PUSH])
def test_one_group_waits_a_cycle_for_its_own_result(kind: OperationKind) -> None:
    assert cycles_of(ONE_GROUP, kind, [(1, 1)] * 10) == 19


def test_a_push_waits_for_its_addend_and_not_for_its_bank() -> None:
    assert cycles_of(ONE_GROUP, OperationKind.PUSH, [(0, 1), (1, 0)] * 5) == 19
    assert cycles_of(ONE_GROUP, OperationKind.PUSH, [(1, 0)] * 10) == 10


def test_a_fold_waits_for_its_addend_and_not_for_its_bank() -> None:
    assert cycles_of(ONE_GROUP, OperationKind.FOLD, [(0, 1), (1, 0)] * 5) == 29
    assert cycles_of(ONE_GROUP, OperationKind.FOLD, [(1, 0)] * 10) == 20


def test_one_group_waits_two_cycles_for_its_own_weights() -> None:
    assert cycles_of(ONE_GROUP, OperationKind.LEARN, [(0, 0), (1, 0)] * 5, [2] * 10) == 28


@pytest.mark.parametrize("kind", [OperationKind.ADD, OperationKind.PUSH])
def test_a_register_never_waits(kind: OperationKind) -> None:
    shape = Shape(rows(4, 1), groups=1, segments=(2,), banks=1)
    assert cycles_of(shape, kind, [(0, 0)] * 10) == 10


def cycles_of_parts(kinds: list[OperationKind]) -> int:
    """Return the cycles of operations on the same single group, each with a row of its own."""
    shape, rng = SHAPES[8], random.Random(9)
    place = {"store": 0, "first": 2, "more": 0}
    operations = [
        shape.draw_operation(rng) | place | {"kind": kind.value, "row": number % 9, "bank": number % 3}
        for number, kind in enumerate(kinds)
    ]
    assert shape.parts
    return run(shape, operations, rng)


def test_one_group_waits_a_cycle_for_whatever_was_written() -> None:
    assert cycles_of_parts([OperationKind.ADD, OperationKind.PUSH] * 5) == 19


def test_one_group_does_not_wait_for_what_only_learns() -> None:
    assert cycles_of_parts([OperationKind.LEARN] * 10) == 10


def test_lanes_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="memory up has 4 bits a lane; a synapse has 5"):
        WeightStore(LaneMemory("up", 4, 2, 4), IntegerSynapse(5))
