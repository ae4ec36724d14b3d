"""What happens to the sums when an oscillator's phase is set: the arithmetic that exists once, not in every lane."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import times_constant
from attractor.hdl.change_queue import Change
from attractor.hdl.operations import Operation, OperationKind
from attractor.hdl.oscillator.rule import MoveRule, lock_index
from attractor.hdl.oscillator.signatures import ProgressSignature, ScheduleSignature
from attractor.hdl.ports import ReadSignature
from attractor.spec import OscillatorSpec

__all__ = ["Context", "EdgeSequencer", "EdgeStep", "PhaseMover", "Placement"]


class Placement(data.StructLayout):
    """A phase that an oscillator takes on.

    Members
    -------
    source: ``range(oscillators)``
    free: ``1``
        It is a target: ``group`` and ``lane`` say which.
    group: ``range(groups)``
    lane: ``range(lanes)``
    clamp: ``1``
        It does not move in this call. Read only when placed for the first time.
    first: ``1``
        It had no phase before: ``old`` means nothing.
    old, new: ``phase_bits``
    level: ``1``
        The sums change at once: by its level when placed for the first time, otherwise because its level flips.
    low: ``1``
        They change downward: the level at this slot is -1.
    """

    def __init__(self, spec: OscillatorSpec) -> None:
        super().__init__(
            {
                "source": range(spec.oscillators),
                "free": 1,
                "group": range(spec.groups),
                "lane": range(spec.lanes),
                "clamp": 1,
                "first": 1,
                "old": spec.phase_bits,
                "new": spec.phase_bits,
                "level": 1,
                "low": 1,
            }
        )


class Context(data.StructLayout):
    """What an operation of the crossbar means for the neurons.

    Members
    -------
    free, group, lane, clamp, first:
        Those of the :class:`Placement` that it belongs to; ``free`` and ``first`` are 0 if there is none.
    places: ``1``
        It takes an edge of the oscillator out of a bank, or puts it in.
    present: ``1``
        The oscillator's own edge is now in the bank.
    late: ``1``
        Its phase lies in the second half of the period.
    lock: ``range(lock_phases)``
        The lock phase nearest to its phase.
    amplitude: ``sum_bits``
        What it adds for noise, lock or margin, otherwise 0.
    noisy, locked: ``1``
        It adds noise, or the lock.
    decides: ``1``
        The sums are the fields of this slot: their signs are the new references.
    marks: ``1``
        It takes the margin from the fields: who is below it learns.
    """

    def __init__(self, spec: OscillatorSpec) -> None:
        flags = ("free", "clamp", "first", "places", "present", "late", "noisy", "locked", "decides", "marks")
        super().__init__(
            {
                "group": range(spec.groups),
                "lane": range(spec.lanes),
                "lock": range(spec.lock_phases),
                "amplitude": spec.sum_bits,
                **dict.fromkeys(flags, 1),
            }
        )


class PhaseMover(wiring.Component):
    """Moves the phases of oscillators that have to move, as :class:`~attractor.hdl.oscillator.rule.MoveRule` says.

    A change leaves a cycle after it entered, or vanishes if the phase stays where it is, and only then the next one
    enters: two cycles for a change, no more than its operations take. So ``i.ready`` is a register: it cuts the path
    from the crossbar, which says when an operation can be issued, to the find-first of the changes that wait, and costs
    no cycle.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    i: ``In(stream of Change)``
        ``flag`` is set if the reference is high.
    o: ``Out(stream of Placement)``
    schedule: ``In(ScheduleSignature)``
    progress: ``In(ProgressSignature)``
        Both constant while anything is inside.
    phases: ``Out(ReadSignature)``
    idle: ``Out(1)``
        Nothing is inside.
    """

    i: stream.Interface
    o: stream.Interface
    schedule: Any
    progress: Any
    phases: Any
    idle: Signal

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "i": In(stream.Signature(Change(spec.groups, spec.lanes))),
                "o": Out(stream.Signature(Placement(spec))),
                "schedule": In(ScheduleSignature(spec)),
                "progress": In(ProgressSignature(spec)),
                "phases": Out(ReadSignature(spec.oscillators, spec.phase_bits)),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, phases = self.spec, self.phases
        change = Signal.like(self.i.payload)
        valid = Signal()
        leaves = Signal()
        source = Signal.like(phases.address)
        m.d.comb += [
            self.i.ready.eq(~valid),
            phases.read.eq(self.i.valid & self.i.ready),
            phases.address.eq(times_constant(self.i.payload.group, spec.lanes) + self.i.payload.lane + spec.inputs),
            self.idle.eq(~valid),
        ]
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), change.eq(self.i.payload), source.eq(phases.address)]
        with m.Elif(leaves):
            m.d.sync += valid.eq(0)

        m.submodules.rule = rule = MoveRule(spec)
        wiring.connect(m, wiring.flipped(self.schedule), rule.schedule)
        wiring.connect(m, wiring.flipped(self.progress), rule.progress)
        placement = self.o.payload
        m.d.comb += [
            rule.phase.eq(phases.data),
            rule.rises.eq(change.flag),
            placement.source.eq(source),
            placement.free.eq(1),
            placement.group.eq(change.group),
            placement.lane.eq(change.lane),
            placement.old.eq(phases.data),
            placement.new.eq(rule.new),
            placement.level.eq(rule.level),
            placement.low.eq(rule.low),
            self.o.valid.eq(valid & rule.moves),
            leaves.eq(self.o.ready | ~rule.moves),
        ]
        return m


class EdgeStep(enum.Enum, shape=2):
    """Operations of a placement, in their order; no two in a row use the same bank."""

    #: The sum changes by the weight.
    LEVEL = 0
    #: The old edge is taken out.
    REMOVE = 1
    #: The sum changes once more: a level that flips changes it by twice the weight.
    LEVEL_AGAIN = 2
    #: The new edge is put in.
    PLACE = 3


class EdgeSequencer(wiring.Component):
    """Turns a placement into the crossbar operations that keep the sums true.

    Bank b < P/2 holds, for each target, the difference that the edges at slot b make in its sum: a rise adds the
    weight, a fall half a period later subtracts it, so a phase in the second half counts negative. Bank P/2 is the sum
    itself. A placement becomes two or four operations, one each cycle that the crossbar takes one: the old edge is
    removed, the new one added, and the sum is corrected if the level at the present slot changes. A new placement is
    taken while the last operation of the one before leaves.

    Members
    -------
    i: ``In(stream of Placement)``
    teaching: ``In(1)``
        A placement becomes one operation that adds the oscillator's level to the weights of all that learn.
    o: ``Out(stream of Operation)``
        With a :class:`Context`.
    idle: ``Out(1)``
        Nothing is inside.
    """

    i: stream.Interface
    teaching: Signal
    o: stream.Interface
    idle: Signal

    def __init__(self, spec: OscillatorSpec, operation: Operation) -> None:
        self.spec = spec
        super().__init__(
            {
                "i": In(stream.Signature(Placement(spec))),
                "teaching": In(1),
                "o": Out(stream.Signature(operation)),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        placement = Signal.like(self.i.payload)
        valid = Signal()
        step = Signal(EdgeStep)
        following = Signal(EdgeStep)
        m.d.comb += [
            self.o.valid.eq(valid),
            self.idle.eq(~valid),
            self.i.ready.eq(~valid | (self.o.ready & (step == EdgeStep.PLACE))),
        ]
        with m.If(self.i.ready):
            begins_with = Mux(self.i.payload.level, EdgeStep.LEVEL, EdgeStep.REMOVE)
            entry = Mux(self.i.payload.first, EdgeStep.LEVEL_AGAIN, begins_with)
            m.d.sync += [
                valid.eq(self.i.valid),
                placement.eq(self.i.payload),
                step.eq(Mux(self.teaching, EdgeStep.PLACE, entry)),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += step.eq(following)
        self._say_whose(m, placement)
        self._change_bank(m, placement, step, following)
        return m

    def _say_whose(self, m: Module, placement: data.View) -> None:
        """Say which oscillator an operation belongs to, and where it goes."""
        operation, context = self.o.payload, self.o.payload.context
        m.d.comb += [
            operation.row.eq(times_constant(placement.source, self.spec.groups)),
            context.free.eq(placement.free),
            context.group.eq(placement.group),
            context.lane.eq(placement.lane),
            context.clamp.eq(placement.clamp),
            context.first.eq(placement.first),
            context.late.eq(placement.new[-1]),
            context.lock.eq(lock_index(self.spec, placement.new)),
        ]

    def _change_bank(self, m: Module, placement: data.View, step: Any, following: Any) -> None:
        """Say which bank an operation changes, and how; and which step follows."""
        operation, context = self.o.payload, self.o.payload.context
        m.d.comb += [
            operation.kind.eq(OperationKind.ADD),
            operation.bank.eq(self.spec.period // 2),
            operation.negate.eq(placement.low),
        ]
        with m.Switch(step):
            with m.Case(EdgeStep.LEVEL):
                m.d.comb += following.eq(EdgeStep.REMOVE)
            with m.Case(EdgeStep.REMOVE):
                m.d.comb += [
                    operation.bank.eq(placement.old[:-1]),
                    operation.negate.eq(~placement.old[-1]),
                    context.places.eq(1),
                    following.eq(Mux(placement.level, EdgeStep.LEVEL_AGAIN, EdgeStep.PLACE)),
                ]
            with m.Case(EdgeStep.LEVEL_AGAIN):
                m.d.comb += following.eq(EdgeStep.PLACE)
            with m.Case(EdgeStep.PLACE):
                m.d.comb += [
                    operation.bank.eq(placement.new[:-1]),
                    operation.negate.eq(placement.new[-1]),
                    context.places.eq(1),
                    context.present.eq(1),
                ]
        if self.spec.learning:
            with m.If(self.teaching):
                m.d.comb += [
                    operation.kind.eq(OperationKind.LEARN),
                    operation.negate.eq(placement.low),
                    context.first.eq(0),
                    context.places.eq(0),
                ]
