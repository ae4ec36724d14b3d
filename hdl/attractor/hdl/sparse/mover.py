"""The way of targets that have to move, from the list to their visits: a phase is read, and a new one made."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import times_constant
from attractor.hdl.change_queue import Change
from attractor.hdl.oscillator.rule import MoveRule
from attractor.hdl.oscillator.signatures import ProgressSignature, ScheduleSignature
from attractor.hdl.ports import ReadSignature
from attractor.hdl.sparse.layouts import Effect, Visit, groups_of
from attractor.spec.sparse import SparseSpec

__all__ = ["Move", "VisitMover"]


class Move(data.StructLayout):
    """A target on its way.

    Members
    -------
    source: ``range(oscillators)``
    change: :class:`~attractor.hdl.change_queue.Change`
    """

    def __init__(self, spec: SparseSpec) -> None:
        super().__init__({"source": range(spec.oscillators), "change": Change(groups_of(spec), spec.lanes)})


class VisitMover(wiring.Component):
    """Makes visits of changes, one a cycle, as :class:`~attractor.hdl.oscillator.rule.MoveRule` says.

    ::

        cycle   0         1              2           3             4
        change  enters    phase read     register    rule          leaves

    Each step waits for the next one. A change whose phase stays where it is vanishes before the last.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    i: ``In(stream of Change)``
        ``flag`` is set if the reference is high.
    o: ``Out(stream of Visit)``
    moved: ``Out(Change)``
        The target of the visit on ``o``.
    schedule: ``In(ScheduleSignature)``
    progress: ``In(ProgressSignature)``
        Both constant while anything is inside.
    phases: ``Out(ReadSignature)``
    idle: ``Out(1)``
        Nothing is inside.
    """

    i: stream.Interface
    o: stream.Interface
    moved: Any
    schedule: Any
    progress: Any
    phases: Any
    idle: Signal

    def __init__(self, spec: SparseSpec) -> None:
        self.spec = spec
        change = Change(groups_of(spec), spec.lanes)
        super().__init__(
            {
                "i": In(stream.Signature(change)),
                "o": Out(stream.Signature(Visit(spec))),
                "moved": Out(change),
                "schedule": In(ScheduleSignature(spec)),
                "progress": In(ProgressSignature(spec)),
                "phases": Out(ReadSignature(spec.oscillators, spec.phase_bits)),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, change, last = self.spec, self.i.payload, 4
        moves = [Signal(Move(spec), name=f"move_{step}") for step in range(last + 1)]
        valid = [self.i.valid, *(Signal(name=f"valid_{step}") for step in range(1, last + 1))]
        # Whether what is in a step can go on.
        ready = [Signal(name=f"ready_{step}") for step in range(last + 1)]
        m.submodules.rule = rule = MoveRule(spec)
        m.d.comb += [
            moves[0].change.eq(change),
            moves[0].source.eq(times_constant(change.group, spec.lanes) + change.lane + spec.inputs),
            self.i.ready.eq(ready[0]),
            ready[last].eq(self.o.ready),
        ]
        for step in range(last):
            m.d.comb += ready[step].eq(~valid[step + 1] | ready[step + 1])
            stays = ~rule.moves if step == last - 1 else 0
            with m.If(ready[step]):
                m.d.sync += [valid[step + 1].eq(valid[step] & ~stays), moves[step + 1].eq(moves[step])]
        effect = self._move(m, rule, moves[3].change.flag, ready[2], ready[3])
        m.d.comb += [
            self.phases.read.eq(valid[1] & ready[1]),
            self.phases.address.eq(moves[1].source),
            self.o.valid.eq(valid[last]),
            self.o.payload.source.eq(moves[last].source),
            self.o.payload.effect.eq(effect),
            self.moved.eq(moves[last].change),
            self.idle.eq(~Cat(valid[1:]).any()),
        ]
        return m

    def _move(self, m: Module, rule: MoveRule, rises: Value, loads: Signal, leaves: Signal) -> data.View:
        """Make the new phase: the old one is kept in a register first, and the effect in another, which is returned."""
        old, effect = Signal(self.spec.phase_bits), Signal(Effect(self.spec))
        wiring.connect(m, wiring.flipped(self.schedule), rule.schedule)
        wiring.connect(m, wiring.flipped(self.progress), rule.progress)
        m.d.comb += [rule.phase.eq(old), rule.rises.eq(rises)]
        with m.If(loads):
            m.d.sync += old.eq(self.phases.data)
        with m.If(leaves):
            m.d.sync += [
                effect.old.eq(old),
                effect.new.eq(rule.new),
                effect.level.eq(rule.level),
                effect.low.eq(rule.low),
            ]
        return effect
