# amaranth: UnusedElaboratable=no
"""What learns in an Equilibrium Propagation core: the order of the groups, and what follows from a flip."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.eqprop.flips import FLIP_WORDS, FlipWriter
from attractor.hdl.eqprop.layout import EqPropBank, Store
from attractor.hdl.eqprop.learner import Learner
from attractor.hdl.operations import OperationKind
from attractor.spec import EqPropSpec

from .eqprop_parts import LEARNERS, SEEDS, fields, layouts, owner_of, place
from .link.streams import count, simulate, take, wait_until

STALLS = st.sampled_from([0.0, 0.6])
OPERATION = ("kind", "store", "row", "first", "more", "bank", "negate", "amplitude", "alone", "lane")

# Flips


@dataclass
class Word:
    """Weights from one neuron or input to a group above that flip together."""

    spec: EqPropSpec
    layer: int
    below: int
    group: int
    mask: int

    @classmethod
    def draw(cls, spec: EqPropSpec, rng: random.Random) -> Word:
        """Draw a word; most have no flip or one."""
        layer = rng.randrange(spec.connections)
        below = rng.randrange(spec.layers[layer])
        group = spec.first_group(layer + 1) + rng.randrange(spec.groups_of(layer + 1))
        mask = rng.choice([0, 1 << rng.randrange(spec.lanes), rng.getrandbits(spec.lanes)])
        neurons = spec.layers[layer + 1] - (group - spec.first_group(layer + 1)) * spec.lanes
        return cls(spec, layer, below, group, mask & ((1 << min(neurons, spec.lanes)) - 1))

    @property
    def beat(self) -> dict[str, Any]:
        """The beat in which they flip."""
        spec, within = self.spec, self.group - self.spec.first_group(self.layer + 1)
        origin, lane = place(spec, self.layer, self.below) if self.layer else (0, 0)
        return {
            "kind": OperationKind.LEARN,
            "store": Store.UP,
            "row": spec.up_base(self.layer) + self.below * spec.groups_of(self.layer + 1) + within,
            "group": self.group,
            "origin": origin,
            "lane": lane,
            "paired": int(self.layer > 0),
        }

    @property
    def lanes(self) -> list[int]:
        """Lanes that flip."""
        return [lane for lane in range(self.spec.lanes) if self.mask >> lane & 1]

    @property
    def operations(self) -> list[dict[str, int]]:
        """What follows: twice the new weight for the neuron above, the copy, twice the weight for the one below."""
        if not self.layer:
            return []
        spec, result = self.spec, []
        origin, below_lane = place(spec, self.layer, self.below)
        shared = {"more": 0, "bank": EqPropBank.BASE, "negate": 0, "amplitude": 2, "alone": 1}
        for lane in self.lanes:
            above = (self.group - spec.first_group(self.layer + 1)) * spec.lanes + lane
            copy = spec.down_base(self.layer) + above * spec.groups_of(self.layer) + self.below // spec.lanes
            up = {"store": Store.UP, "row": self.beat["row"], "first": self.group, "lane": lane}
            down = {"store": Store.DOWN, "row": copy, "first": origin, "lane": below_lane}
            kinds = ((OperationKind.ADD, up), (OperationKind.LEARN, down), (OperationKind.ADD, down))
            result += [shared | where | {"kind": kind.value} for kind, where in kinds]
        return result


async def beat(ctx: Any, beats: Any, members: dict[str, Any], flips: int) -> None:
    """Show one beat for a cycle."""
    for name, value in members.items():
        ctx.set(getattr(owner_of(beats.beat, name), name), value)
    ctx.set(beats.flips, flips)
    ctx.set(beats.valid, 1)
    await ctx.tick()
    ctx.set(beats.valid, 0)


@settings(max_examples=20, deadline=None)
@given(spec=st.sampled_from(LEARNERS), stall=STALLS, seed=SEEDS)
def test_a_flip_is_copied_and_counts_twice(spec: EqPropSpec, stall: float, seed: int) -> None:
    rng, writer, out, flipped = random.Random(seed), FlipWriter(spec, *layouts(spec)), [], []
    words: list[Word] = []

    async def bench(ctx: Any) -> None:
        for _ in range(12):
            await wait_until(ctx, lambda: not ctx.get(writer.pending), 400, settle=0)
            if rng.random() < 0.5:  # beats of other kinds flip nothing here
                other = rng.choice([{"kind": OperationKind.ADD}, {"kind": OperationKind.PUSH}, {"store": Store.DOWN}])
                await beat(ctx, writer.beats, Word.draw(spec, rng).beat | other, rng.getrandbits(spec.lanes))
                assert not ctx.get(writer.pending)
            # Some are on their way when the first one is seen to flip.
            for _ in range(rng.randint(1, FLIP_WORDS - 1)):
                words.append(Word.draw(spec, rng))
                await beat(ctx, writer.beats, words[-1].beat, words[-1].mask)
                assert ctx.get(writer.pending) or not words[-1].mask
        await wait_until(ctx, lambda: not ctx.get(writer.pending), 400, settle=5)
        expected = [operation for word in words for operation in word.operations]
        assert [fields(operation, *OPERATION) for operation in out] == expected
        assert len(flipped) == sum(len(word.lanes) for word in words)

    async def collect(ctx: Any) -> None:
        await take(ctx, writer.o, out, random.Random(seed + 1), stall)

    async def flips(ctx: Any) -> None:
        await count(ctx, writer.flipped, flipped)

    simulate(writer, bench, collect, flips)


# The order of learning

SHOWN = ("kind", "bank", "first", "more", "shows", "low", "high", "loads", "probes")


@dataclass
class Update:
    """Differences between the phases, and all that the learner has to do about them, in order."""

    spec: EqPropSpec
    differs: set[int]
    thresholds: list[int]
    steps: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def draw(cls, spec: EqPropSpec, rng: random.Random) -> Update:
        """Draw the groups in which a neuron differs, and thresholds."""
        part = rng.choice([0.0, 0.3, 1.0])
        differs = {group for group in range(spec.groups) if rng.random() < part}
        return cls(spec, differs, [rng.randrange(1 << spec.counter_bits) for _ in range(spec.connections)])

    def expected(self) -> list[dict[str, Any]]:
        """Return every operation, every scan, and what was in force in each."""
        spec, steps = self.spec, []
        show = {"kind": OperationKind.PUSH.value, "bank": EqPropBank.FIELD, "shows": 1}
        show |= {"low": 0, "high": 0, "loads": 0, "probes": 0}
        for connection in range(spec.connections):
            rule = min(self.thresholds[connection] - 1, spec.counter_high)
            first, groups = spec.first_group(connection), spec.groups_of(connection) if connection else 0
            below = any(group in self.differs for group in range(first, first + groups)) if connection else False
            sources = show | {"first": first, "more": groups - 1, "loads": 1}
            for within in range(spec.groups_of(connection + 1)):
                group = spec.first_group(connection + 1) + within
                steps.append({"operation": show | {"first": group, "more": 0, "low": 1, "probes": 1}})
                lesson = {"group": group, "within": within, "rule": rule}
                if below:
                    steps += [{"operation": sources | {"low": 1}}, {"taught": lesson | {"changed": 1}}]
                if group in self.differs:
                    steps.append({"operation": sources | {"high": 1}} if connection else {"scan": True})
                    steps.append({"taught": lesson | {"changed": 0}})
        return steps


async def be_the_core(ctx: Any, learner: Learner, update: Update, rng: random.Random) -> None:
    """Be sequencer, crossbar and neurons for one update: note what is asked, answer probes, be quiet in the end.

    A lesson is always on offer, so that it shows where the learner admits one; none ends without a source.
    """
    # A lesson is under way; one is to come; cycles until a probe is answered, and until all is quiet.
    taught_now, awaited, probe_in, busy = False, False, -1, 0
    while ctx.get(learner.update.busy):
        ready, probed = rng.random() < 0.6, probe_in == 0
        ctx.set(learner.o.ready, ready)
        ctx.set(learner.probe.answered, probed)
        # What differs says something only in the cycle of the answer.
        answer = update.steps[-1]["operation"]["first"] in update.differs if probed else rng.getrandbits(1)
        ctx.set(learner.probe.differs, answer)
        ctx.set(learner.quiet, busy == 0 and not awaited)
        probe_in -= 1
        await ctx.delay(1e-7)
        shows, admits = ctx.get(learner.o.valid), ctx.get(learner.admits)
        assert not (shows and admits)
        address, fetched = ctx.get(learner.header.address), ctx.get(learner.header.read)
        busy = max(busy - 1, 0)
        if ready and admits:
            names = ("group", "within", "changed")
            lesson = {name: int(ctx.get(getattr(learner.lesson, name))) for name in names}
            assert ctx.get(learner.lesson.teaching)
            if not taught_now:
                update.steps.append({"taught": lesson | {"rule": ctx.get(learner.rule)}})
            taught_now, awaited, busy = True, False, rng.randrange(1, 4)
        elif ready and shows:
            asked = fields(ctx.get(learner.o.payload), *SHOWN)
            update.steps.append({"operation": asked})
            taught_now, awaited, busy = False, bool(asked["loads"]), rng.randrange(2, 5)
            probe_in = 1 if asked["probes"] else -1
        if ctx.get(learner.scan):
            update.steps.append({"scan": True})
            taught_now, awaited, busy = False, True, rng.randrange(2, 5)
        await ctx.tick()
        if fetched:
            limits = b"".join(limit.to_bytes(2, "little") for limit in update.thresholds)
            ctx.set(learner.header.data, (limits + bytes(2))[address])


@settings(max_examples=25, deadline=None)
@given(spec=st.sampled_from(LEARNERS), seed=SEEDS)
def test_only_groups_and_sources_that_differ_learn(spec: EqPropSpec, seed: int) -> None:
    rng, learner = random.Random(seed), Learner(spec, *layouts(spec))

    async def bench(ctx: Any) -> None:
        for _ in range(3):
            update = Update.draw(spec, rng)
            ctx.set(learner.update.start, 1)
            await ctx.tick()
            ctx.set(learner.update.start, 0)
            assert ctx.get(learner.update.busy)
            await be_the_core(ctx, learner, update, rng)
            assert update.steps == update.expected()

    simulate(learner, bench)


@settings(max_examples=5, deadline=None)
@given(seed=SEEDS, lessons_left=st.booleans())
def test_flips_are_dealt_with_before_anything_else(seed: int, lessons_left: bool) -> None:
    """Neither is a further lesson taught until then, nor does the learner go on where there is none."""
    rng, spec, order = random.Random(seed), LEARNERS[0], []
    learner = Learner(spec, *layouts(spec))
    word = next(word for _ in range(1000) if (word := Word.draw(spec, rng)).layer and word.mask)

    async def bench(ctx: Any) -> None:
        for member in (learner.update.start, learner.o.ready, learner.probe.answered, learner.probe.differs):
            ctx.set(member, 1)
        await wait_until(ctx, lambda: bool(ctx.get(learner.admits)), 50, settle=0)
        await beat(ctx, learner.beats, word.beat, word.mask)
        ctx.set(learner.quiet, not lessons_left)
        for _ in range(200):
            if ctx.get(learner.o.valid):
                order.append(fields(ctx.get(learner.o.payload), *OPERATION))
            elif lessons_left and ctx.get(learner.admits):
                order.append("lesson")
            if len(order) > len(word.operations):
                break
            await ctx.tick()
        assert order[:-1] == word.operations
        following = order[-1] if lessons_left else OperationKind(order[-1]["kind"])
        assert following == ("lesson" if lessons_left else OperationKind.PUSH)

    simulate(learner, bench)
