# amaranth: UnusedElaboratable=no
"""Parts of a spiking core, each against its own definition."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Shape, Signal, Value, signed, unsigned
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.felif.layout import TokenKind
from attractor.hdl.felif.pipeline import (
    Stage,
    at_most_one,
    bit_length,
    clamp,
    entry,
    magnitude,
    saturate,
    toward_zero,
    with_sign,
)
from attractor.hdl.felif.readout import OutputReadout
from attractor.hdl.felif.scanner import InputScanner
from attractor.hdl.felif.spikes import SpikeList
from attractor.spec import FelifLayer, FelifSpec
from attractor.spec.memory_map import Region

from .link.streams import simulate, take, wait_for

SEEDS = st.integers(0, 2**32)

# Arithmetic


def limited(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def nearer(value: int, loss: int) -> int:
    size = max(abs(value) - loss, 0)
    return size if value > 0 else -size


#: Shapes of the operands, what the gateware makes of them, and what that is.
FUNCTIONS: dict[str, tuple[tuple[Shape, ...], Any, Any]] = {
    "saturate": ((signed(9),), lambda a: saturate(a, 6), lambda a: limited(a, -32, 31)),
    "saturate nothing": ((signed(5),), lambda a: saturate(a, 6), lambda a: a),
    "clamp": ((signed(7), unsigned(5)), clamp, lambda a, b: limited(a, -b, b)),
    "toward zero": ((signed(6), unsigned(6)), toward_zero, nearer),
    "a great loss": ((signed(4), unsigned(7)), toward_zero, nearer),
    "magnitude": ((signed(6),), magnitude, abs),
    "with sign": ((unsigned(5), unsigned(1)), with_sign, lambda a, b: -a if b else a),
    "entry": ((signed(10),), lambda a: entry(a, 3, 8), lambda a: limited(a >> 3, 0, 7)),
    "bit length": ((unsigned(9),), lambda a: bit_length(a, 6), lambda a: min(a.bit_length(), 6)),
    "at most 1": ((unsigned(6),), at_most_one, lambda a: min(a, 32)),
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_arithmetic(name: str) -> None:
    shapes, built, expected = FUNCTIONS[name]
    operands = [Signal(shape) for shape in shapes]
    m, result = Module(), Value.cast(built(*operands))
    output = Signal(result.shape())
    m.d.comb += output.eq(result)

    async def bench(ctx: Any) -> None:
        ranges = [range(-(1 << s.width - 1), 1 << s.width - 1) if s.signed else range(1 << s.width) for s in shapes]
        for values in [(a, b) for a in ranges[0] for b in ranges[1]] if len(ranges) > 1 else [(a,) for a in ranges[0]]:
            for operand, value in zip(operands, values, strict=True):
                ctx.set(operand, value)
            assert ctx.get(output) == expected(*values), values

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def test_stages_keep_what_is_not_replaced() -> None:
    m, a, b = Module(), Signal(4), Signal(signed(4))
    stage = Stage(m, {"a": a, "b": b}).next(a=a + 1).beside(c=Const(3)).after(2)
    assert stage.level == 3
    with pytest.raises(AttributeError, match="d"):
        _ = stage.d
    out = Signal(signed(8))
    m.d.comb += out.eq(stage.a + stage.b + stage.c)

    async def bench(ctx: Any) -> None:
        for number in range(8):
            ctx.set(a, number)
            ctx.set(b, -number)
            await ctx.tick()
            assert number < 2 or ctx.get(out) == 4

    simulate(m, bench)


# Spikes


async def update(ctx: Any, spikes: SpikeList, neuron: int, *, spiking: bool = True, done: bool = False) -> None:
    """Show one neuron for a cycle."""
    for name, value in (("valid", 1), ("neuron", neuron), ("spikes", spiking), ("done", done)):
        ctx.set(getattr(spikes.updates, name), value)
    await ctx.tick()
    ctx.set(spikes.updates.valid, 0)
    ctx.set(spikes.updates.done, 0)


@settings(max_examples=25, deadline=None)
@given(neurons=st.sampled_from([1, 2, 5, 16]), ends=st.booleans(), seed=SEEDS, stall=st.sampled_from([0.0, 0.5]))
def test_spikes_come_out_in_order_and_each_tick_ends(neurons: int, ends: bool, seed: int, stall: float) -> None:
    rng, spikes, found = random.Random(seed), SpikeList(FelifLayer(neurons=neurons, kind="lif"), ends=ends), []
    sent: list[tuple[TokenKind, int]] = []

    async def bench(ctx: Any) -> None:
        for _ in range(8):
            chosen = [neuron for neuron in range(neurons) if rng.random() < rng.choice([0.2, 1])]
            with_last = rng.random() < 0.5
            for number, neuron in enumerate(chosen):
                await update(ctx, spikes, neuron, done=with_last and number == len(chosen) - 1)
                for _ in range(rng.choice([0, 0, 2])):
                    await ctx.tick()
            if not (with_last and chosen):
                await update(ctx, spikes, neurons - 1, spiking=False, done=True)
            sent.extend((TokenKind.EVENT, neuron) for neuron in chosen)
            sent.extend([(TokenKind.END, 0)] * ends)
            await wait_for(ctx, spikes.empty)

    async def sink(ctx: Any) -> None:
        await take(ctx, spikes.o, found, rng, stall)

    simulate(spikes, bench, sink)
    tokens = [(token.kind, int(token.source) if token.kind == TokenKind.EVENT else 0) for token in found]
    assert tokens == sent


def test_a_cleared_list_begins_anew() -> None:
    spikes = SpikeList(FelifLayer(neurons=3, kind="lif"), ends=True)

    async def bench(ctx: Any) -> None:
        for waiting in range(4):
            for number in range(3):
                await update(ctx, spikes, number)
            for _ in range(waiting):
                await ctx.tick()
            assert not ctx.get(spikes.empty)
            ctx.set(spikes.clear, 1)
            await ctx.tick()
            ctx.set(spikes.clear, 0)
            assert ctx.get(spikes.empty)
            assert not ctx.get(spikes.o.valid)

    simulate(spikes, bench)


# Inputs

SCANNED = [
    FelifSpec(inputs=1, layers=(FelifLayer(neurons=1, kind="readout"),), ticks=3),
    FelifSpec(inputs=37, layers=(FelifLayer(neurons=1, kind="readout"),), ticks=2),
    FelifSpec(inputs=7, input_bits=3, layers=(FelifLayer(neurons=1, kind="readout"),), ticks=3),
    FelifSpec(inputs=3, input_bits=8, layers=(FelifLayer(neurons=1, kind="readout"),), ticks=4),
]


@settings(max_examples=20, deadline=None)
@given(spec=st.sampled_from(SCANNED), seed=SEEDS, stall=st.sampled_from([0.0, 0.5]))
def test_inputs_come_bit_by_bit_and_add_up_to_their_values(spec: FelifSpec, seed: int, stall: float) -> None:
    rng, scanner, found = np.random.default_rng(seed), InputScanner(spec), []
    low, high = spec.input_range
    frames = rng.integers(low, high + 1, (spec.ticks, spec.inputs)) * (rng.random((spec.ticks, 1)) < 0.8)
    data = spec.memory_map.split(Region.INPUT, spec.encode_input(frames))["frames"]
    limit, stop = int(rng.integers(1, spec.ticks + 1)), bool(rng.random() < 0.2)
    window, used = spec.memory_map["frames"], spec.inputs_per_word * spec.input_bits
    in_last = (spec.inputs - (spec.frame_words - 1) * spec.inputs_per_word) * spec.input_bits

    async def bench(ctx: Any) -> None:
        ctx.set(scanner.window.write, 1)
        for word in range(window.words):
            value = int.from_bytes(data[word * window.word_bytes : (word + 1) * window.word_bytes], "little")
            if (word + 1) % spec.frame_words == 0:  # unused bits may be anything
                value |= int(rng.integers(0, 1 << used)) >> in_last << in_last
            ctx.set(scanner.window.address, word)
            ctx.set(scanner.window.write_data, value)
            await ctx.tick()
        ctx.set(scanner.window.write, 0)
        ctx.set(scanner.scan.limit, limit)
        ctx.set(scanner.scan.start, 1)
        await ctx.tick()
        ctx.set(scanner.scan.start, 0)
        ctx.set(scanner.scan.stop, stop)
        assert ctx.get(scanner.scan.busy)
        for _ in range(5000):
            if not ctx.get(scanner.scan.busy):
                break
            await ctx.tick()
        assert not ctx.get(scanner.scan.busy)
        assert ctx.get(scanner.scan.stopped) == (stop and limit > 1)

    async def sink(ctx: Any) -> None:
        await take(ctx, scanner.o, found, random.Random(seed), stall)

    simulate(scanner, bench, sink)
    ticks = 1 if stop else limit
    assert values_of(found, spec) == frames[:ticks].tolist()
    assert sum(token.kind == TokenKind.DOUBLE for token in found) == ticks * (spec.input_bits - 1)


def values_of(tokens: list[Any], spec: FelifSpec) -> list[list[int]]:
    """Return the values that tokens stand for, tick by tick."""
    values, ticks = [0] * spec.inputs, []
    for token in tokens:
        match token.kind:
            case TokenKind.EVENT:
                values[int(token.source)] += -1 if token.negate else 1
            case TokenKind.DOUBLE:
                values = [2 * value for value in values]
            case TokenKind.END:
                ticks.append(values)
                values = [0] * spec.inputs
    assert values == [0] * spec.inputs
    return ticks


# Outputs


@settings(max_examples=15, deadline=None)
@given(kind=st.sampled_from(["lif", "readout"]), outputs=st.sampled_from([1, 2, 7]), seed=SEEDS)
def test_outputs_are_counts_or_voltages_and_the_first_greatest_wins(kind: str, outputs: int, seed: int) -> None:
    spec = FelifSpec(inputs=1, layers=(FelifLayer(neurons=outputs, kind=kind, state_bits=8),), ticks=9)
    rng, readout = random.Random(seed), OutputReadout(spec)

    async def bench(ctx: Any) -> None:
        for _ in range(3):
            ctx.set(readout.start, 1)
            await ctx.tick()
            ctx.set(readout.start, 0)
            expected = [0] * outputs
            ticks = rng.randint(1, spec.ticks)
            for _ in range(ticks):
                for neuron in range(outputs):
                    voltage, spikes = rng.choice([-128, -3, -2, 5, 127]), rng.random() < 0.5
                    expected[neuron] = expected[neuron] + spikes if kind == "lif" else voltage
                    ctx.set(readout.updates.valid, 1)
                    ctx.set(readout.updates.neuron, neuron)
                    ctx.set(readout.updates.voltage, voltage)
                    ctx.set(readout.updates.spikes, spikes)
                    ctx.set(readout.updates.done, neuron == outputs - 1)
                    await ctx.tick()
                    ctx.set(readout.updates.valid, 0)
                    ctx.set(readout.updates.done, 0)
                    for _ in range(rng.choice([0, 0, 3]) + 2 * (neuron == outputs - 1)):
                        await ctx.tick()
            assert ctx.get(readout.outcome.winner) == expected.index(max(expected))
            assert ctx.get(readout.outcome.ticks) == ticks
            for neuron, value in enumerate(expected):
                ctx.set(readout.window.read, 1)
                ctx.set(readout.window.address, neuron)
                await ctx.tick()
                ctx.set(readout.window.read, 0)
                assert ctx.get(readout.window.read_data) == value & (1 << spec.output_bits) - 1

    simulate(readout, bench)
