# amaranth: UnusedElaboratable=no
"""From a sample and from neurons to events: the scanner and the sequencer of an Equilibrium Propagation core."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.eqprop.events import EventSequencer
from attractor.hdl.eqprop.layout import EqPropBank, Store
from attractor.hdl.eqprop.scanner import InputScanner
from attractor.hdl.operations import OperationKind
from attractor.spec import EqPropSpec

from .eqprop_parts import LEARNERS, SEEDS, SPECS, draw_neuron, fields, layouts, place
from .link.streams import put, simulate, take, wait_until
from .oscillator_parts import write_window

STALLS = st.sampled_from([0.0, 0.6])

# Scanner


@settings(max_examples=12, deadline=None)
@given(spec=st.sampled_from(SPECS), stall=STALLS, seed=SEEDS)
def test_scanner_gives_the_inputs_that_are_on(spec: EqPropSpec, stall: float, seed: int) -> None:
    rng, scanner, out = random.Random(seed), InputScanner(spec), []

    async def bench(ctx: Any) -> None:
        for _ in range(4):
            bits = [int(rng.random() < rng.choice([0, 0.1, 0.5, 1])) for _ in range(spec.layers[0])]
            data = bytearray(spec.encode_input(bits))
            if spec.layers[0] % 8:  # unused bits may be anything
                data[-1] |= rng.getrandbits(8) << spec.layers[0] % 8 & 0xFF
            data[: spec.header_bytes] = rng.randbytes(spec.header_bytes)
            await write_window(ctx, scanner.window, list(data))
            for _ in range(2):  # a sample can be scanned again
                out.clear()
                ctx.set(scanner.start, 1)
                await ctx.tick()
                ctx.set(scanner.start, 0)
                assert not ctx.get(scanner.idle)
                await wait_until(ctx, lambda: bool(ctx.get(scanner.idle)), 500, settle=3)
                assert [int(source.number) for source in out] == [k for k, bit in enumerate(bits) if bit]
                assert all(source.input and source.flag for source in out)
            for address in rng.sample(range(spec.header_bytes), min(4, spec.header_bytes)):
                reader = rng.choice(scanner.readers)
                ctx.set(reader.address, address)
                ctx.set(reader.read, 1)
                await ctx.tick()
                ctx.set(reader.read, 0)
                assert [ctx.get(any_reader.data) for any_reader in scanner.readers] == [data[address]] * 2

    async def collect(ctx: Any) -> None:
        await take(ctx, scanner.o, out, random.Random(seed + 1), stall)

    simulate(scanner, bench, collect)


# Events

OPERATION = ("kind", "store", "row", "first", "more", "bank", "negate", "amplitude")


def up_event(spec: EqPropSpec, layer: int, index: int) -> dict[str, int]:
    """What reaches the layer above from a neuron, or from an input (layer 0)."""
    groups = spec.groups_of(layer + 1)
    return {
        "store": Store.UP,
        "row": spec.up_base(layer) + index * groups,
        "first": spec.first_group(layer + 1),
        "more": groups - 1,
    }


def down_event(spec: EqPropSpec, layer: int, index: int) -> dict[str, int]:
    """What reaches the layer below."""
    groups = spec.groups_of(layer - 1)
    return {
        "store": Store.DOWN,
        "row": spec.down_base(layer - 1) + index * groups,
        "first": spec.first_group(layer - 1),
        "more": groups - 1,
    }


def draw_source(spec: EqPropSpec, rng: random.Random) -> tuple[int, int, dict[str, int]]:
    """Draw a source; return its layer, its number there, and how the sequencer is told."""
    flag = rng.getrandbits(1)
    if rng.random() < 0.3:
        number = rng.randrange(spec.layers[0])
        return 0, number, {"input": 1, "number": number, "flag": flag}
    layer, index = draw_neuron(spec, rng)
    group, lane = place(spec, layer, index)
    return layer, index, {"input": 0, "group": group, "lane": lane, "flag": flag}


@settings(max_examples=12, deadline=None)
@given(spec=st.sampled_from(SPECS), stall=STALLS, base=st.booleans(), seed=SEEDS)
def test_a_source_reaches_the_layers_beside_it(spec: EqPropSpec, stall: float, base: bool, seed: int) -> None:
    rng, sequencer, out = random.Random(seed), EventSequencer(spec, layouts(spec)[0]), []
    sources = [draw_source(spec, rng) for _ in range(25)]
    expected = []
    for layer, index, told in sources:
        shared = {"kind": OperationKind.ADD.value, "bank": EqPropBank.BASE if base else EqPropBank.SUM}
        shared |= {"negate": 1 - told["flag"], "amplitude": 1}
        if layer < spec.connections:
            expected.append(up_event(spec, layer, index) | shared)
        if layer > 1:
            expected.append(down_event(spec, layer, index) | shared)

    async def bench(ctx: Any) -> None:
        ctx.set(sequencer.base, base)
        await put(ctx, sequencer.i, [told for _, _, told in sources], rng, stall)
        await wait_until(ctx, lambda: bool(ctx.get(sequencer.idle)), 50, settle=3)
        assert [fields(operation, *OPERATION) for operation in out] == expected

    async def collect(ctx: Any) -> None:
        await take(ctx, sequencer.o, out, random.Random(seed + 1), stall)

    simulate(sequencer, bench, collect)


LESSON = ("kind", "store", "row", "first", "more", "negate", "free", "nudged", "origin", "lane", "paired")


@settings(max_examples=12, deadline=None)
@given(spec=st.sampled_from(LEARNERS), stall=STALLS, seed=SEEDS)
def test_a_source_teaches_one_group_of_the_layer_above(spec: EqPropSpec, stall: float, seed: int) -> None:
    rng, sequencer, out = random.Random(seed), EventSequencer(spec, layouts(spec)[0]), []

    async def lesson(ctx: Any) -> None:
        layer, changed, reverse = rng.randrange(spec.connections), rng.getrandbits(1), rng.getrandbits(1)
        within = rng.randrange(spec.groups_of(layer + 1))
        sources, expected = [], []
        for _ in range(6):
            index, flag = rng.randrange(spec.layers[layer]), rng.getrandbits(1)
            group, lane = place(spec, layer, index) if layer else (0, 0)
            sources.append({"input": int(not layer), "number": index if not layer else 0, "flag": flag})
            sources[-1] |= {"group": group, "lane": lane}
            free, nudged = (1 - flag, flag) if changed else (1, 1)
            above = up_event(spec, layer, index)
            expected.append(
                above
                | {"row": above["row"] + within, "first": above["first"] + within, "more": 0}
                | {"kind": OperationKind.LEARN.value}
                | {"negate": reverse, "free": free, "nudged": nudged}
                | {"origin": group, "lane": lane, "paired": int(layer > 0)}
            )
        ctx.set(sequencer.lesson.teaching, 1)
        ctx.set(sequencer.lesson.group, spec.first_group(layer + 1) + within)
        ctx.set(sequencer.lesson.within, within)
        ctx.set(sequencer.lesson.changed, changed)
        ctx.set(sequencer.lesson.reversed, reverse)
        out.clear()
        await put(ctx, sequencer.i, sources, rng, stall)
        await wait_until(ctx, lambda: bool(ctx.get(sequencer.idle)), 50, settle=3)
        assert [fields(operation, *LESSON) for operation in out] == expected

    async def bench(ctx: Any) -> None:
        for _ in range(6):
            await lesson(ctx)

    async def collect(ctx: Any) -> None:
        await take(ctx, sequencer.o, out, random.Random(seed + 1), stall)

    simulate(sequencer, bench, collect)
