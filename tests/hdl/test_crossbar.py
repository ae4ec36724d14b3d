# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

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

    @property
    def lanes(self) -> int:
        return sum(self.segments)

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
            context=CONTEXT_BITS,
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
        return {
            "kind": rng.choice([Kind.CLEAR, Kind.ADD, Kind.ADD, Kind.ADD, Kind.FOLD, Kind.FOLD]).value,
            "source": rng.randrange(self.sources),
            "bank": rng.randrange(self.banks),
            "addend": rng.randrange(self.banks),
            "negate": rng.getrandbits(1),
            "double": rng.getrandbits(1),
            "context": rng.getrandbits(CONTEXT_BITS),
        }


#: Words of one and of several memories; a single accumulator word, which is a register; sums that wrap.
SHAPES = [
    Shape(sources=3, groups=1, segments=(1,), banks=1),
    Shape(sources=2, groups=1, segments=(4,), banks=1, fold_shift=1),
    Shape(sources=5, groups=1, segments=(3,), banks=2),
    Shape(sources=4, groups=3, segments=(2, 1), banks=1, weight_bits=8),
    Shape(sources=3, groups=2, segments=(3, 3, 1), banks=3, weight_bits=2, fold_shift=1),
    Shape(sources=7, groups=5, segments=(2,), banks=5, sum_bits=5, fold_shift=1),
    Shape(sources=2, groups=3, segments=(4,), banks=4, weight_bits=3, sum_bits=3, tag_bits=0),
    Shape(sources=1, groups=4, segments=(1,), banks=9, sum_bits=12, fold_shift=1, tag_bits=3),
]


class Bench:
    """A crossbar, its golden model, and what is expected of the beats to come."""

    def __init__(self, shape: Shape, rng: random.Random) -> None:
        self.shape, self.rng, self.dut = shape, rng, shape.crossbar()
        self.weights = shape.draw_weights(rng)
        self.golden = GoldenCrossbar(self.weights, shape.banks, shape.sum_bits)
        self.tags = np.zeros((shape.banks, shape.groups * shape.lanes), int)
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
        """Compare every beat, and hand in random tags."""
        mask = (1 << self.shape.tag_bits) - 1
        while True:
            tags = [self.rng.getrandbits(8) & mask for _ in range(self.shape.lanes)]
            if mask:
                ctx.set(self.dut.tags, tags)
            _, _, valid, beat, busy = await ctx.tick().sample(self.dut.beat_valid, self.dut.beat, self.dut.busy)
            if valid:
                assert busy
                self._check(beat, tags)

    def _check(self, beat: Any, tags: list[int]) -> None:
        shape = self.shape
        assert self.given, "a beat of no operation"
        operation = self.given[0]
        kind, bank, lanes = (
            Kind(operation["kind"]),
            operation["bank"],
            slice(self.group * shape.lanes, (self.group + 1) * shape.lanes),
        )
        if self.group == 0:
            self._apply(operation)
        found = {name: int(beat[name]) for name in ("bank", "group", "context")}
        assert found == {"bank": bank, "group": self.group, "context": operation["context"]}
        assert Kind(beat.kind) is kind
        assert [int(value) for value in beat.sums] == self.golden.sums[bank, lanes].tolist()
        if shape.tag_bits:
            assert [int(value) for value in beat.tags] == self.tags[bank, lanes].tolist()
            if kind is Kind.FOLD:
                assert [int(value) for value in beat.addend_tags] == self.tags[operation["addend"], lanes].tolist()
        self.tags[bank, lanes] = 0 if kind is Kind.CLEAR else tags
        self.beats += 1
        self.group = (self.group + 1) % shape.groups
        if self.group == 0:
            self.given.pop(0)

    def _apply(self, operation: dict[str, int]) -> None:
        """Run an operation on the golden model: targets are independent, so for all groups at once."""
        bank, sign = operation["bank"], -1 if operation["negate"] else 1
        match Kind(operation["kind"]):
            case Kind.CLEAR:
                self.golden.clear(bank)
            case Kind.ADD:
                self.golden.add(operation["source"], bank, sign << operation["double"])
            case Kind.FOLD:
                self.golden.fold(operation["addend"], bank, sign << self.shape.fold_shift)

    def _ports(self) -> list[tuple[Window, Any]]:
        return [(window, getattr(self.dut.weights, port_name(window))) for window in self.dut.windows]

    def _word(self, segment: int, word: int) -> int:
        """Return a word of a weight memory: the lowest lane in the lowest bits."""
        shape = self.shape
        source, group = divmod(word, shape.groups)
        start = group * shape.lanes + sum(shape.segments[:segment])
        weights = self.weights[source][start : start + shape.segments[segment]]
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


@pytest.mark.parametrize("shape", SHAPES)
def test_back_to_back_on_one_bank(shape: Shape) -> None:
    """Every operation reads what the one before it has just written."""
    rng = random.Random(1)
    operations = [shape.draw_operation(rng) | {"bank": shape.banks - 1} for _ in range(40)]
    run(shape, operations, rng)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_bank_folded_into_itself(shape: Shape) -> None:
    rng = random.Random(2)
    add = shape.draw_operation(rng) | {"kind": Kind.ADD.value, "bank": 0}
    fold = shape.draw_operation(rng) | {"kind": Kind.FOLD.value, "bank": 0, "addend": 0}
    run(shape, [add, fold, fold, fold | {"negate": 1}, add], rng)


@pytest.mark.parametrize(("kind", "cycles"), [(Kind.CLEAR, 1), (Kind.ADD, 1), (Kind.FOLD, 2)])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.banks > 2])
def test_operations_follow_each_other_without_a_gap(shape: Shape, kind: Kind, cycles: int) -> None:
    """They do where no accumulator is read while it is written."""
    rng = random.Random(3)
    banks = [(number % 2, 2) for number in range(20)]
    operations = [
        shape.draw_operation(rng) | {"kind": kind.value, "bank": bank, "addend": addend} for bank, addend in banks
    ]
    assert run(shape, operations, rng) == len(operations) * cycles * shape.groups


def test_one_group_waits_a_cycle_for_its_own_result() -> None:
    rng, shape = random.Random(4), Shape(sources=4, groups=1, segments=(2,), banks=2)
    operations = [shape.draw_operation(rng) | {"kind": Kind.ADD.value, "bank": 1} for _ in range(10)]
    assert run(shape, operations, rng) == 2 * len(operations) - 1


def test_a_register_never_waits() -> None:
    rng, shape = random.Random(5), Shape(sources=4, groups=1, segments=(2,), banks=1)
    operations = [shape.draw_operation(rng) | {"kind": Kind.ADD.value} for _ in range(10)]
    assert run(shape, operations, rng) == len(operations)


def test_windows_of_another_width_are_refused() -> None:
    windows = [Window("weights.0", Region.PARAMETERS, 4, 9)]
    with pytest.raises(ValueError, match="2 weights of 5 bits"):
        Crossbar(sources=4, groups=1, lanes=2, weight_bits=5, sum_bits=8, banks=2, windows=windows)
