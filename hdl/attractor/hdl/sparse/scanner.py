"""Decides in each slot, group by group, which targets flip, where phases are 0 or half a period."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.change_queue import Marks
from attractor.hdl.noise import WORD_BITS
from attractor.hdl.oscillator.signatures import ProgressSignature, ScheduleSignature
from attractor.hdl.sparse.draw import Draw
from attractor.hdl.sparse.layouts import groups_of
from attractor.hdl.sparse.sides import GroupSides
from attractor.hdl.sparse.terms import Terms, chosen_term, signs_of
from attractor.spec.sparse import SparseSpec

__all__ = ["SideScanner"]


class SideScanner(wiring.Component):
    """Takes a group of targets in each cycle, and says three cycles later which of them flip.

    ::

        cycle   0                1                    2               3
        sums    read             into registers       noise added     flips listed, sides written
        word    bits chosen      values chosen

    A level is the side of its oscillator in the first half of a period, and the opposite in the second. So the sums of
    sides stay as they are while nothing flips, and a target wants to be where the sign of its sum says in both halves:
    only the random signs are the opposite in the second. A sum with noise of 0 leaves a target where it is.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    issue, group: ``In(1)``, ``In(range(groups))``
        The sums and sides of a group are being read, to be there in the next cycle.
    word: ``In(64)``
        The random word of this group, in the cycle of ``issue``.
    sums: ``In(lanes times accumulator_bits)``
    sides: ``In(GroupSides)``
    schedule: ``In(ScheduleSignature)``
    progress: ``In(ProgressSignature)``
    changes: ``Out(stream of Marks, always ready)``
        The targets that flip; the flag is set where one is now up.
    write, written_group, written: ``Out``
        The sides of a group as they are after that.
    idle: ``Out(1)``
        No group is inside.
    """

    issue: Signal
    group: Signal
    word: Signal
    sums: Signal
    sides: Any
    schedule: Any
    progress: Any
    changes: stream.Interface
    write: Signal
    written_group: Signal
    written: Any
    idle: Signal

    def __init__(self, spec: SparseSpec) -> None:
        self.spec, self.sides_layout = spec, GroupSides(spec)
        groups = groups_of(spec)
        super().__init__(
            {
                "issue": In(1),
                "group": In(range(groups)),
                "word": In(WORD_BITS),
                "sums": In(spec.lanes * spec.accumulator_bits),
                "sides": In(self.sides_layout),
                "schedule": In(ScheduleSignature(spec)),
                "progress": In(ProgressSignature(spec)),
                "changes": Out(stream.Signature(Marks(groups, spec.lanes), always_ready=True)),
                "write": Out(1),
                "written_group": Out(range(groups)),
                "written": Out(self.sides_layout),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.terms = terms = Terms(self.spec)
        stages = [self.issue, *(Signal(name=f"valid_{stage}") for stage in range(1, 4))]
        groups = [self.group, *(Signal.like(self.group, name=f"group_{stage}") for stage in range(1, 4))]
        m.d.sync += [after.eq(before) for before, after in pairwise(stages)]
        m.d.sync += [after.eq(before) for before, after in pairwise(groups)]
        m.d.comb += [terms.noise.eq(self.schedule.noise), terms.flips.eq(1)]

        m.submodules.draw = draw = Draw(self.spec)
        wiring.connect(m, wiring.flipped(self.schedule), draw.schedule)
        wiring.connect(m, wiring.flipped(self.progress), draw.progress)
        m.d.comb += [draw.word.eq(self.word), draw.group.eq(self.group)]
        choice, allowed = draw.choice, draw.allowed
        sums, sides, may, negative = Signal.like(self.sums), Signal(self.sides_layout), *self._likes(allowed, 2)
        values = Signal(data.ArrayLayout(terms.values.shape().elem_shape, self.spec.lanes))
        m.d.sync += [
            sums.eq(self.sums),
            sides.eq(self.sides),
            may.eq(allowed),
            negative.eq(choice.negative),
            values.eq(Cat(chosen_term(terms.values, lane, choice) for lane in range(self.spec.lanes))),
        ]
        width = self.spec.accumulator_bits
        held = [sums[lane * width : (lane + 1) * width] for lane in range(self.spec.lanes)]
        wants_up, balanced = signs_of(m, self.spec, held, values, negative)
        up, flips = self._likes(allowed, 2)
        m.d.sync += [
            flips.eq((wants_up ^ sides.high) & ~balanced & may & sides.free),
            up.eq(sides.high),
            self.written.free.eq(sides.free),
        ]
        m.d.comb += [
            self.changes.valid.eq(stages[3]),
            self.changes.payload.group.eq(groups[3]),
            self.changes.payload.mask.eq(flips),
            self.changes.payload.flags.eq(up ^ flips),
            self.write.eq(stages[3]),
            self.written_group.eq(groups[3]),
            self.written.high.eq(up ^ flips),
            self.idle.eq(~Cat(stages[1:]).any()),
        ]
        return m

    def _likes(self, bits: Signal, count: int) -> list[Signal]:
        return [Signal.like(bits, name=f"{bits.name}_{number}") for number in range(count)]
