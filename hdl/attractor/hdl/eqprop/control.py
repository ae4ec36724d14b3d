"""The course of a call: inputs, steps of the free phase, scores, and when learning the nudged phase and the update."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.crossbar import Operation
from attractor.hdl.crossbar import OperationKind as Kind
from attractor.hdl.eqprop.layout import Bank
from attractor.spec import EqPropSpec

__all__ = ["RunControl"]


class RunControl(wiring.Component):
    """State machine of a call; it owns the crossbar, and lends it to whom the stretch of the call belongs.

    Every call starts with all bits on. The sums of that state do not depend on the inputs, so they are kept as the base
    from call to call, and built from events of all neurons only where parameters were written.

    Parameters
    ----------
    spec:
        The network.
    operation:
        Layout of the crossbar's operations.

    Members
    -------
    start, abort, busy: ``In(1)``, ``In(1)``, ``Out(1)``
        As in :class:`~attractor.hdl.core.CoreSignature`. An abort takes effect at the end of a step.
    stale: ``In(1)``
        Weights were written by the link in this cycle.
    events, readout, learner: ``In(stream of Operation)``
        Operations of those who are lent the crossbar.
    o: ``Out(stream of Operation)``
        Operations for the crossbar.
    quiet: ``In(1)``
        No source is on its way, and no operation.
    free_limit, nudged_limit: ``In(8)``
        Most steps of each phase; 0 stands for 1.
    moved: ``In(1)``
        A state changed in the last beat.
    step_end: ``Out(1)``
        A step ends in this cycle.
    base: ``Out(1)``
        Events build the base.
    scan: ``Out(1)``
        Begin to give the inputs that are on.
    read_out, reading_out: ``Out(1)``, ``In(1)``
        Add up the scores; high until that is done.
    settled, aborted, learnt: ``Out(1)``
    free_steps, nudged_steps: ``Out(8)``
        How the last call ended.

    Only in networks with ``learning``:

    fetch, address, byte: ``Out(1)``, ``Out(1)``, ``In(8)``
        Read port of the sample.
    label: ``Out(8)``
    known, group, lane: ``In(1)``, ``In(range(groups))``, ``In(range(lanes))``
        There is such a class, and where its first output is.
    reversed: ``Out(1)``
        The nudge is away from the label.
    learn, learning: ``Out(1)``, ``In(1)``
        Update the weights; high until that is done.
    """

    start: Signal
    abort: Signal
    busy: Signal
    stale: Signal
    events: stream.Interface
    readout: stream.Interface
    learner: stream.Interface
    o: stream.Interface
    quiet: Signal
    free_limit: Signal
    nudged_limit: Signal
    moved: Signal
    step_end: Signal
    base: Signal
    scan: Signal
    read_out: Signal
    reading_out: Signal
    settled: Signal
    aborted: Signal
    learnt: Signal
    free_steps: Signal
    nudged_steps: Signal
    fetch: Signal
    address: Signal
    byte: Signal
    label: Signal
    known: Signal
    group: Signal
    lane: Signal
    reversed: Signal
    learn: Signal
    learning: Signal

    def __init__(self, spec: EqPropSpec, operation: Operation) -> None:
        self.spec = spec
        operations = In(stream.Signature(operation))
        inputs = ("start", "abort", "stale", "quiet", "moved", "reading_out", "known", "learning")
        outputs = ("busy", "step_end", "base", "scan", "read_out", "settled", "aborted", "learnt")
        super().__init__(
            {
                **dict.fromkeys(inputs, In(1)),
                **dict.fromkeys((*outputs, "fetch", "address", "reversed", "learn"), Out(1)),
                **dict.fromkeys(("events", "readout", "learner"), operations),
                "o": Out(stream.Signature(operation)),
                "free_limit": In(8),
                "nudged_limit": In(8),
                "free_steps": Out(8),
                "nudged_steps": Out(8),
                "byte": In(8),
                "label": Out(8),
                "group": In(range(spec.groups)),
                "lane": In(range(spec.lanes)),
            }
        )
        # The base does not fit the weights; an abort is wanted; a state changed in this step.
        self._rebuild, self._stopping, self._moved = Signal(init=1), Signal(), Signal()
        self._nudging, self._wanted, self._steps = Signal(), Signal(), Signal(8)
        # This is the last step of its phase.
        self._last = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        context = self.o.payload.context
        with m.If(self.abort):
            m.d.sync += self._stopping.eq(1)
        with m.If(self.moved):
            m.d.sync += self._moved.eq(1)
        # Neither changes within a step.
        m.d.sync += self._last.eq(self._steps + 1 >= Mux(self._nudging, self.nudged_limit, self.free_limit))
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.start):
                m.d.sync += [self._stopping.eq(0), self.aborted.eq(0), self.learnt.eq(0), self._nudging.eq(0)]
                m.d.sync += [self._steps.eq(0), self._wanted.eq(0)]
                m.next = "header" if self.spec.learning else "prepare"
            if self.spec.learning:
                self._read_header(m)
            with m.State("prepare"):
                m.next = "begin"
                with m.If(self._rebuild):
                    m.next = "clear"
            with m.State("clear"):
                self._push(m, Bank.BASE, Bank.ZERO)
                m.d.comb += [context.low.eq(1), context.sets.eq(1)]
                with m.If(self.o.ready):
                    m.next = "switch on"
            with m.State("switch on"):
                self._push(m, Bank.FIELD, Bank.ZERO)
                m.d.comb += [context.high.eq(1), context.sets.eq(1), context.loads.eq(1)]
                with m.If(self.o.ready):
                    m.next = "build"
            with m.State("build"):
                m.d.comb += self.base.eq(1)
                wiring.connect(m, wiring.flipped(self.events), wiring.flipped(self.o))
                with m.If(self.quiet):
                    m.d.sync += self._rebuild.eq(0)
                    m.next = "begin"
            with m.State("begin"):
                self._push(m, Bank.SUM, Bank.BASE)
                m.d.comb += [context.high.eq(1), context.sets.eq(1)]
                with m.If(self.o.ready):
                    m.d.comb += self.scan.eq(1)
                    m.next = "inputs"
            with m.State("inputs"):
                wiring.connect(m, wiring.flipped(self.events), wiring.flipped(self.o))
                with m.If(self.quiet):
                    m.d.sync += self._moved.eq(0)
                    m.next = "step"
            self._step(m)
            with m.State("settle"):
                wiring.connect(m, wiring.flipped(self.events), wiring.flipped(self.o))
                with m.If(self.quiet):
                    self._end_step(m)
            with m.State("read out"):
                wiring.connect(m, wiring.flipped(self.readout), wiring.flipped(self.o))
                with m.If(~self.reading_out):
                    m.next = "idle"
                    if self.spec.learning:
                        with m.If(self._wanted & ~self.aborted):
                            m.d.sync += [self._nudging.eq(1), self._steps.eq(0)]
                            m.next = "label"
            if self.spec.learning:
                self._label(m)
                with m.State("learn"):
                    wiring.connect(m, wiring.flipped(self.learner), wiring.flipped(self.o))
                    with m.If(~self.learning):
                        m.next = "idle"
        with m.If(self.stale):
            m.d.sync += self._rebuild.eq(1)
        return m

    def _read_header(self, m: Module) -> None:
        with m.State("header"):
            m.d.comb += [self.fetch.eq(1), self.address.eq(0)]
            m.next = "flags"
        flags = self.spec.sample_record
        with m.State("flags"):
            m.d.comb += [self.fetch.eq(1), self.address.eq(1)]
            m.d.sync += [
                self._wanted.eq(self.byte[flags.start("learn")]),
                self.reversed.eq(self.byte[flags.start("reversed")]),
            ]
            m.next = "label read"
        with m.State("label read"):
            m.d.sync += self.label.eq(self.byte)
            m.next = "prepare"

    def _step(self, m: Module) -> None:
        """Give the operations of a step: one, or, for the outputs of the nudged phase, one for each state added.

        With the target already in their sum, nudged outputs go to ``sum + (1 - sigma 2^shift) state``.
        """
        spec, context = self.spec, self.o.payload.context
        outputs, times = Signal(), Signal(range((1 << spec.nudge_shift) + 2))
        first_output = spec.first_group(spec.connections)
        with m.State("step"):
            self._push(m, Bank.FIELD, Bank.SUM)
            m.d.comb += [context.adds_state.eq(1), context.sets.eq(1), context.loads.eq(1)]
            if not spec.learning:
                with m.If(self.o.ready):
                    m.next = "settle"
                return
            m.d.comb += context.holds.eq(self._nudging)
            with m.If(self._nudging):
                m.d.comb += self.o.payload.more.eq(first_output - 1)
            with m.If(self.o.ready):
                m.d.sync += times.eq((1 << spec.nudge_shift) + Mux(self.reversed, 1, -1))
                m.d.sync += outputs.eq(1)
                m.next = "settle"
                with m.If(self._nudging):
                    m.next = "nudge"
        with m.State("nudge"):
            last = times <= 1
            self._push(m, Bank.FIELD, Mux(outputs, Bank.SUM, Bank.FIELD), first_output)
            m.d.comb += [
                self.o.payload.negate.eq(~self.reversed),
                context.adds_state.eq(times != 0),
                context.sets.eq(last),
                context.loads.eq(last),
                context.holds.eq(1),
            ]
            with m.If(self.o.ready):
                m.d.sync += [times.eq(times - 1), outputs.eq(0)]
                with m.If(last):
                    m.next = "settle"

    def _end_step(self, m: Module) -> None:
        """Count a step, and go where its phase goes on or ends."""
        steps = Signal(8)
        m.d.comb += [self.step_end.eq(1), steps.eq(self._steps + 1)]
        m.d.sync += [self._steps.eq(steps), self._moved.eq(0)]
        m.next = "step"
        with m.If(~self._moved | self._stopping | self._last):
            with m.If(~self._nudging):
                m.d.sync += [self.free_steps.eq(steps), self.nudged_steps.eq(0), self.settled.eq(~self._moved)]
                m.d.sync += self.aborted.eq(self._stopping)
                m.d.comb += self.read_out.eq(1)
                m.next = "read out"
            with m.Elif(self._stopping):
                m.d.sync += self.aborted.eq(1)
                m.next = "idle"
            if self.spec.learning:
                with m.Else():
                    m.d.sync += [self.nudged_steps.eq(steps), self.learnt.eq(1)]
                    m.d.comb += self.learn.eq(1)
                    m.next = "learn"

    def _label(self, m: Module) -> None:
        """Add the target to the sums of the outputs of the label, one after another."""
        spec, operation, context = self.spec, self.o.payload, self.o.payload.context
        group, lane, left = Signal(range(spec.groups)), Signal(range(spec.lanes)), Signal(range(spec.replicas + 1))
        with m.State("label"):
            m.d.sync += [group.eq(self.group), lane.eq(self.lane), left.eq(Mux(self.known, spec.replicas, 0))]
            m.next = "target"
        with m.State("target"):
            with m.If(left == 0):
                m.next = "step"
            with m.Else():
                self._push(m, Bank.SUM, Bank.SUM, group, 0)
                m.d.comb += [
                    operation.negate.eq(self.reversed),
                    context.amplitude.eq(spec.high_of(spec.connections) << spec.nudge_shift),
                    context.alone.eq(1),
                    context.lane.eq(lane),
                ]
                with m.If(self.o.ready):
                    m.d.sync += [left.eq(left - 1), lane.eq(lane + 1)]
                    with m.If(lane == spec.lanes - 1):
                        m.d.sync += [lane.eq(0), group.eq(group + 1)]

    def _push(self, m: Module, bank: Bank, addend: ValueLike, first: ValueLike = 0, more: Any = None) -> None:
        """Set a bank of the groups from ``first`` on, by default to the last, to another one and what is added."""
        operation = self.o.payload
        if more is None:
            more = self.spec.groups - 1 - first if isinstance(first, int) else self.spec.groups - 1
        m.d.comb += [
            self.o.valid.eq(1),
            operation.kind.eq(Kind.PUSH),
            operation.bank.eq(bank),
            operation.addend.eq(addend),
            operation.first.eq(first),
            operation.more.eq(more),
        ]
