# amaranth: UnusedElaboratable=no
"""Neurons and the read-out of an Equilibrium Propagation core against what their words mean."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.eqprop.layout import NeuronState, Store, largest_amplitude, sum_bits
from attractor.hdl.eqprop.neurons import Neurons
from attractor.hdl.eqprop.readout import RunRecord, ScoreReadout
from attractor.hdl.operations import OperationKind
from attractor.spec import EqPropSpec
from attractor.spec.eqprop import RESULT

from .eqprop_parts import SEEDS, SPECS, layer_of, layouts, place
from .link.streams import simulate, wait_until

# Neurons

FLAGS = ("adds_state", "low", "high", "sets", "loads", "holds", "shows", "probes", "free", "nudged", "alone")


class Lane:
    """A neuron by the definition: what it was, and what a beat makes of it."""

    def __init__(self, spec: EqPropSpec, group: int, lane: int, rng: random.Random) -> None:
        layer = layer_of(spec, group)
        self.lane = lane
        self.exists = (group - spec.first_group(layer)) * spec.lanes + lane < spec.layers[layer]
        self.high = spec.high_of(layer)
        near = [0, (self.high - 1) // 2, (self.high + 1) // 2, self.high, rng.randint(0, self.high)]
        self.level = rng.choice(near) if self.exists else 0
        self.free = rng.getrandbits(1) if self.exists and spec.learning else 0
        limit = (1 << sum_bits(spec) - 1) - 1
        total = rng.choice([-1, 0, 1, 2 * rng.choice(near) + rng.getrandbits(1), rng.randint(-limit, limit)])
        self.total = max(-limit, min(limit, total))

    @property
    def bit(self) -> int:
        """What it has sent."""
        return int(2 * self.level >= self.high)

    def after(self, context: dict[str, int]) -> int:
        """Return its new state."""
        if not self.exists or context["low"]:
            return 0
        return self.high if context["high"] else min(max(self.total >> 1, 0), self.high)

    def expected(self, spec: EqPropSpec, context: dict[str, int]) -> dict[str, int]:
        """Return what has to be seen in the beat, and a cycle later."""
        level = self.after(context)
        sends = int(2 * level >= self.high and self.exists)
        takes_part = not context["alone"] or context["lane"] == self.lane
        touched = (self.bit & context["nudged"]) ^ (self.free & context["free"])
        mask = sends ^ self.bit
        if context["shows"]:
            mask = self.free & self.bit if sends else self.free ^ self.bit
        return {
            "level": level,
            "free": (self.free if context["holds"] else sends) if spec.learning else 0,
            "amplitude": (self.level if context["adds_state"] else context["amplitude"] if takes_part else 0),
            "touched": touched,
            "learns": int(takes_part) if context["alone"] else touched,
            "sign": self.free & context["free"],
            "mask": mask,
            "flag": self.bit if context["shows"] else sends,
            "moved": int(level != self.level),
        }


def draw_context(spec: EqPropSpec, rng: random.Random) -> dict[str, int]:
    """Draw what an operation means; a state and an amplitude are never added together."""
    context = {name: int(rng.random() < 0.3) for name in FLAGS} | {"lane": rng.randrange(spec.lanes), "amplitude": 0}
    context["high"] &= 1 - context["low"]
    if not spec.learning:
        context |= dict.fromkeys(FLAGS[5:], 0)
    if not context["adds_state"]:
        context["amplitude"] = rng.randint(0, largest_amplitude(spec))
    return context


def show(ctx: Any, spec: EqPropSpec, neurons: Neurons, group: int, context: dict[str, int], lanes: list[Lane]) -> None:
    """Put a beat before the neurons."""
    state = NeuronState(spec)
    ctx.set(neurons.crossbar.beat.group, group)
    for name, value in context.items():
        if name in neurons.crossbar.beat.context.shape().members:
            ctx.set(getattr(neurons.crossbar.beat.context, name), value)
    for lane in lanes:
        ctx.set(neurons.crossbar.beat.sums[lane.lane], lane.total)
        kept = {"level": lane.level} | ({"free": lane.free} if spec.learning else {})
        ctx.set(neurons.crossbar.beat.states[lane.lane], state.const(kept).as_bits())


@settings(max_examples=10, deadline=None)
@given(spec=st.sampled_from(SPECS), seed=SEEDS)
def test_neurons_halve_their_sum_and_say_what_changed(spec: EqPropSpec, seed: int) -> None:
    rng, neurons, state = random.Random(seed), Neurons(spec, layouts(spec)[1]), NeuronState(spec)
    crossbar, marks = neurons.crossbar, neurons.marks

    async def bench(ctx: Any) -> None:
        for _ in range(30):
            group, context, valid = rng.randrange(spec.groups), draw_context(spec, rng), rng.getrandbits(1)
            lanes = [Lane(spec, group, lane, rng) for lane in range(spec.lanes)]
            show(ctx, spec, neurons, group, context, lanes)
            kind, store = rng.choice(list(OperationKind)), rng.choice(list(Store))
            ctx.set(crossbar.beat.kind, kind)
            ctx.set(crossbar.beat.store, store)
            ctx.set(crossbar.valid, valid)
            await ctx.delay(1e-7)
            expected = [lane.expected(spec, context) for lane in lanes]
            assert ctx.get(crossbar.keep_states) == 1 - context["sets"]
            for lane, wanted in enumerate(expected):
                following = state.from_bits(ctx.get(crossbar.states[lane]))
                assert following.level == wanted["level"]
                assert ctx.get(crossbar.amplitudes[lane]) == wanted["amplitude"]
                if spec.learning:
                    assert following.free == wanted["free"]
            if spec.learning:
                touches = valid and kind == OperationKind.LEARN and store == Store.UP
                assert ctx.get(neurons.touches.valid) == touches
                assert ctx.get(neurons.touches.mask) == word(expected, "touched")
                assert ctx.get(crossbar.learns) == word(expected, "learns")
                assert ctx.get(crossbar.signs) == word(expected, "sign")
            await ctx.tick()
            assert ctx.get(marks.payload.group) == group
            assert ctx.get(marks.valid) == (valid & context["loads"])
            assert ctx.get(marks.payload.mask) == word(expected, "mask")
            assert ctx.get(marks.payload.flags) == word(expected, "flag")
            assert ctx.get(neurons.probe.answered) == (valid & context["probes"])
            if spec.learning:
                assert ctx.get(neurons.probe.differs) == any(wanted["mask"] for wanted in expected)
            assert ctx.get(neurons.moved) == (valid & context["loads"] & any(wanted["moved"] for wanted in expected))

    simulate(neurons, bench)


def word(expected: list[dict[str, int]], name: str) -> int:
    """Return one bit of every lane as a word."""
    return sum(wanted[name] << lane for lane, wanted in enumerate(expected))


# Read-out

READOUTS = [*SPECS, EqPropSpec(layers=(3, 9, 14), classes=7, state_high=255, lanes=5, learning=True)]


async def give_states(ctx: Any, spec: EqPropSpec, readout: ScoreReadout, levels: list[int], rng: random.Random) -> None:
    """Be the crossbar: answer each operation with the states of its group, which stay until the next one."""
    state = NeuronState(spec)
    while True:
        ctx.set(readout.o.ready, int(rng.random() < 0.7))
        _, _, asked, ready, operation = await ctx.tick().sample(readout.o.valid, readout.o.ready, readout.o.payload)
        if not (asked and ready):
            continue
        ctx.set(readout.o.ready, 0)
        assert operation.kind == OperationKind.PUSH
        assert operation.more == 0
        for lane in range(spec.lanes):
            index = (int(operation.first) - spec.first_group(spec.connections)) * spec.lanes + lane
            level = levels[index] if index < len(levels) else 0
            ctx.set(readout.beats.beat.states[lane], state.const({"level": level}).as_bits())
        ctx.set(readout.beats.valid, 1)
        await ctx.tick()
        ctx.set(readout.beats.valid, 0)


@settings(max_examples=15, deadline=None)
@given(spec=st.sampled_from(READOUTS), seed=SEEDS)
def test_read_out_finds_the_greatest_score_and_a_label(spec: EqPropSpec, seed: int) -> None:
    rng, readout, levels = random.Random(seed), ScoreReadout(spec, *layouts(spec)), [0] * spec.layers[-1]

    async def bench(ctx: Any) -> None:
        for _ in range(6):
            most = rng.choice([0, 1, spec.high_of(spec.connections)])
            levels[:] = [rng.randint(0, most) for _ in levels]
            label = rng.choice([*range(spec.classes), spec.classes, 255])
            ctx.set(readout.target.label, label)
            ctx.set(readout.scores.start, 1)
            await ctx.tick()
            ctx.set(readout.scores.start, 0)
            assert ctx.get(readout.scores.busy)
            await wait_until(ctx, lambda: not ctx.get(readout.scores.busy), 500, settle=1)
            scores = [sum(levels[k * spec.replicas : (k + 1) * spec.replicas]) for k in range(spec.classes)]
            for number, score in enumerate(scores):
                ctx.set(readout.window.address, number)
                ctx.set(readout.window.read, 1)
                await ctx.tick()
                ctx.set(readout.window.read, 0)
                assert ctx.get(readout.window.read_data) == score
            assert ctx.get(readout.winner) == scores.index(max(scores))
            assert ctx.get(readout.target.known) == (label < spec.classes)
            if label < spec.classes:
                first = place(spec, spec.connections, label * spec.replicas)
                assert (ctx.get(readout.target.group), ctx.get(readout.target.lane)) == first

    async def crossbar(ctx: Any) -> None:
        await give_states(ctx, spec, readout, levels, random.Random(seed + 1))

    simulate(readout, bench, crossbar)


@settings(max_examples=8, deadline=None)
@given(spec=st.sampled_from(SPECS), seed=SEEDS)
def test_the_record_of_a_run_is_what_the_host_reads(spec: EqPropSpec, seed: int) -> None:
    rng, record = random.Random(seed), RunRecord(spec)

    async def bench(ctx: Any) -> None:
        for _ in range(2):
            ctx.set(record.start, 1)
            await ctx.tick()
            ctx.set(record.start, 0)
            cycles = touched = flips = 0
            for _ in range(60):
                running, touches, flipped = (rng.getrandbits(1) for _ in range(3))
                lanes = rng.getrandbits(spec.lanes)
                cycles, flips = cycles + running, flips + flipped * spec.learning
                touched += touches * lanes.bit_count() * spec.learning
                ctx.set(record.running, running)
                ctx.set(record.touches.valid, touches)
                ctx.set(record.touches.mask, lanes)
                ctx.set(record.flipped, flipped)
                await ctx.tick()
            for member in (record.running, record.touches.valid, record.flipped):
                ctx.set(member, 0)
            await ctx.tick()
            await ctx.tick()
            ends = {name: rng.getrandbits(1) for name in ("settled", "aborted", "learnt")}
            ends |= {"winner": rng.randrange(spec.classes)}
            ends |= {name: rng.randrange(256) for name in ("free_steps", "nudged_steps")}
            for name, value in ends.items():
                ctx.set(getattr(record if name == "winner" else record.report, name), value)
            data = bytearray()
            for address in range(spec.memory_map["result"].size):
                ctx.set(record.window.address, address)
                ctx.set(record.window.read, 1)
                await ctx.tick()
                data.append(ctx.get(record.window.read_data))
            ctx.set(record.window.read, 0)
            found = RESULT.decode(bytes(data))
            expected = ends | {"touched": touched, "flips": flips, "cycles": cycles}
            assert found == expected

    simulate(record, bench)
