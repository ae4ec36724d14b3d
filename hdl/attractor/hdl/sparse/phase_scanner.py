"""Decides in each slot, group by group, which targets have to move, with full phases."""

from itertools import pairwise
from typing import Any

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import add_or_subtract, sign_extend
from attractor.hdl.change_queue import Marks
from attractor.hdl.noise import WORD_BITS
from attractor.hdl.oscillator.rule import low_locks
from attractor.hdl.oscillator.signatures import ProgressSignature, ScheduleSignature
from attractor.hdl.sparse.draw import Draw
from attractor.hdl.sparse.layouts import groups_of
from attractor.hdl.sparse.sides import GroupSides
from attractor.hdl.sparse.terms import Term, Terms, chosen_term, field_bits, signs_of
from attractor.spec.sparse import SparseSpec

__all__ = ["PhaseScanner"]

#: Cycles from the address of a group to the registers with its changes.
DECIDED = 5


class PhaseScanner(wiring.Component):
    """Takes a group of targets in each cycle, and says five cycles later which of them have to move.

    ::

        cycle   0       1           2                  3             4              5
        sums    read    register    difference added   lock added    noise added    changes listed, references written
        phases  read    register    compared
        word                        bits chosen        values chosen

    The sign of a field is the new reference, and a zero keeps the old one. A target has to move if its reference
    changes, it is free, it is its turn, and its own edge of the same direction is not in this very slot already. Where
    targets flip, the old reference is the level of the side on which the target is: at the first lock phase, or at
    another one.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    issue, group: ``In(1)``, ``In(range(groups))``
        What is known of a group is being read: its sums are here in three cycles, all else in the next one.
    word: ``In(64)``
        The random word of this group, in the cycle of ``issue``.
    sums: ``In(lanes times accumulator_bits)``
    sides: ``In(GroupSides)``
    phases: ``In(lanes times phase_bits)``
    schedule: ``In(ScheduleSignature)``
    progress: ``In(ProgressSignature)``
    changes: ``Out(stream of Marks, always ready)``
        The targets that have to move; the flag is set where the reference is now high.
    write, written_group, written: ``Out``
        The references of a group as they are after that.
    idle: ``Out(1)``
        No group is inside, or comes in.
    """

    issue: Signal
    group: Signal
    word: Signal
    sums: Signal
    sides: Any
    phases: Any
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
                "phases": In(data.ArrayLayout(spec.phase_bits, spec.lanes)),
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
        numbers = range(1, DECIDED + 1)
        stages = [self.issue, *(Signal(name=f"valid_{stage}") for stage in numbers)]
        groups = [self.group, *(Signal.like(self.group, name=f"group_{stage}") for stage in numbers)]
        words = [self.word, *(Signal.like(self.word, name=f"word_{stage}") for stage in (1, 2))]
        for chain in (stages, groups, words):
            m.d.sync += [after.eq(before) for before, after in pairwise(chain)]
        m.submodules.draw = draw = Draw(self.spec)
        wiring.connect(m, wiring.flipped(self.schedule), draw.schedule)
        wiring.connect(m, wiring.flipped(self.progress), draw.progress)
        m.d.comb += [draw.word.eq(words[2]), draw.group.eq(groups[2])]

        known = self._compare(m, draw.allowed)
        values, negative = self._choose(m, draw.choice)
        positive, balanced = signs_of(m, self.spec, self._locked(m, known.low), values, negative)
        m.d.sync += [
            self.changes.payload.mask.eq((positive ^ known.held) & ~balanced & known.may),
            self.written.high.eq((positive & ~balanced) | (known.held & balanced)),
            self.written.free.eq(known.free),
        ]
        m.d.comb += [
            self.changes.valid.eq(stages[-1]),
            self.changes.payload.group.eq(groups[-1]),
            self.changes.payload.flags.eq(self.written.high),
            self.write.eq(stages[-1]),
            self.written_group.eq(groups[-1]),
            self.idle.eq(~Cat(stages).any()),
        ]
        return m

    def _compare(self, m: Module, allowed: Value) -> data.View:
        """Look at the phases of a group; return what is to be known of them, in cycle 4, but ``low`` in cycle 3.

        ``held`` are the references that a field of 0 keeps; ``may`` is who moves if its reference changes, and ``low``
        whose lock phase is low in this slot.
        """
        spec, slot = self.spec, self.progress.slot
        sides, phases, locks = Signal(self.sides_layout), Signal.like(self.phases), Signal(spec.lock_phases)
        m.d.sync += [sides.eq(self.sides), phases.eq(self.phases), locks.eq(Cat(low_locks(spec, slot)))]
        indices = [lock_table(spec, phases[lane]) for lane in range(spec.lanes)]
        held = Signal(spec.lanes, name="held_now")
        m.d.comb += held.eq(sides.high)
        if spec.flips:
            levels = Cat(index == 0 for index in indices) ^ slot[-1].replicate(spec.lanes)
            m.d.comb += held.eq(Mux(self.schedule.flips, levels, sides.high))
        stays = Cat(self._in_place(phases[lane], held[lane]) for lane in range(spec.lanes))
        names = ("held", "may", "low", "free")
        compared, known = (
            Signal(data.StructLayout(dict.fromkeys(names, spec.lanes)), name=n) for n in ("now", "known")
        )
        m.d.sync += [
            compared.held.eq(held),
            compared.may.eq(~stays & sides.free),
            compared.free.eq(sides.free),
            known.low.eq(Cat(Array(locks)[index] for index in indices)),
            known.held.eq(compared.held),
            known.may.eq(compared.may & allowed),
            known.free.eq(compared.free),
        ]
        return known

    def _in_place(self, phase: Value, held: Value) -> Value:
        """Return whether the edge that a target would move for, if its reference changed, is in this very slot."""
        slot = self.progress.slot
        return (phase[:-1] == slot[:-1]) & ~(phase[-1] ^ slot[-1] ^ held)

    def _locked(self, m: Module, low: Value) -> list[Value]:
        """Return the fields of all lanes with the lock, and without noise, in cycle 4."""
        spec, lanes = self.spec, []
        width, bits, fraction = spec.accumulator_bits, field_bits(spec), spec.fraction_bits
        lock = Signal(bits)
        m.d.comb += lock.eq(self.schedule.lock)
        for lane in range(spec.lanes):
            field, total = Signal(bits, name=f"locked_{lane}"), self.sums[lane * width : (lane + 1) * width]
            m.d.sync += field.eq(add_or_subtract(sign_extend(Cat(Const(0, fraction), total), bits), lock, low[lane]))
            lanes.append(field)
        return lanes

    def _choose(self, m: Module, choice: Any) -> tuple[Any, Signal]:
        """Return the noise of all lanes, and of which it is the opposite, in cycle 4."""
        spec = self.spec
        values, negative = Signal(data.ArrayLayout(Term(spec), spec.lanes)), Signal(spec.lanes, name="negative")
        m.d.sync += negative.eq(choice.negative)
        if spec.flips:
            m.submodules.terms = terms = Terms(spec)
            m.d.comb += [terms.noise.eq(self.schedule.noise), terms.flips.eq(self.schedule.flips)]
            m.d.sync += values.eq(Cat(chosen_term(terms.values, lane, choice) for lane in range(spec.lanes)))
        else:
            m.d.comb += [values[lane].whole.eq(self.schedule.noise) for lane in range(spec.lanes)]
        return values, negative


def lock_table(spec: SparseSpec, phase: Value) -> Value:
    """Return the number of the lock phase nearest to a phase: bit by bit, since each depends on few bits."""
    numbers = spec.lock_index(np.arange(spec.period)).tolist()
    tables = [sum((number >> bit & 1) << place for place, number in enumerate(numbers)) for bit in range(3)]
    width = (spec.lock_phases - 1).bit_length()
    return Cat(Const(table, spec.period).bit_select(phase, 1) for table in tables[:width])
