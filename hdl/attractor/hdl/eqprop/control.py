"""The course of a call: inputs, steps of the free phase, scores, and when learning the nudged phase and the update."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.eqprop.layout import EqPropBank
from attractor.hdl.eqprop.signatures import ReportSignature, TargetSignature
from attractor.hdl.operations import Operation, OperationKind
from attractor.hdl.ports import ReadSignature, TaskSignature
from attractor.hdl.records import record_layout
from attractor.spec import EqPropSpec
from attractor.spec.eqprop import STEPS

__all__ = ["RunControl"]


class RunControl(wiring.Component):
    """State machine of a call: it gives the operations that begin a stretch of it, and waits until all is quiet again.

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
    run: ``In(TaskSignature)``
        The call.
    abort: ``In(1)``
        End it after the step under way.
    limits: ``In(layout of the record STEPS)``
        Most steps of each phase; 0 stands for 1.
    stale: ``In(1)``
        Weights were written by the link in this cycle.
    o: ``Out(stream of Operation)``
        To the crossbar; never while ``admits``.
    admits: ``Out(1)``
        Events may go to the crossbar. Those that come earlier wait.
    quiet: ``In(1)``
        In the last cycle no source was on its way, no operation, and none of them began.
    moved: ``In(1)``
        A state changed in the last beat.
    step_end: ``Out(1)``
        A step ends in this cycle.
    base: ``Out(1)``
        Events build the base.
    scan: ``Out(1)``
        Begin to give the inputs that are on.
    scores: ``Out(TaskSignature)``
        Add up the scores.
    report: ``Out(ReportSignature)``

    Only in networks with ``learning``:

    header: ``Out(ReadSignature)``
        The first bytes of the sample.
    target: ``Out(TargetSignature)``
        Outputs of its class; found with the scores.
    update: ``Out(TaskSignature)``
        Update the weights.
    reversed: ``Out(1)``
        The nudge is away from the label.
    """

    run: Any
    abort: Signal
    limits: data.View
    stale: Signal
    o: stream.Interface
    admits: Signal
    quiet: Signal
    moved: Signal
    step_end: Signal
    base: Signal
    scan: Signal
    scores: Any
    report: Any
    header: Any
    target: Any
    update: Any
    reversed: Signal

    def __init__(self, spec: EqPropSpec, operation: Operation) -> None:
        self.spec = spec
        learning = {
            "header": Out(ReadSignature(spec.header_bytes, 8)),
            "target": Out(TargetSignature(spec)),
            "update": Out(TaskSignature()),
            "reversed": Out(1),
        }
        super().__init__(
            {
                "run": In(TaskSignature()),
                **dict.fromkeys(("abort", "stale", "quiet", "moved"), In(1)),
                "limits": In(record_layout(STEPS)),
                "o": Out(stream.Signature(operation)),
                **dict.fromkeys(("admits", "step_end", "base", "scan"), Out(1)),
                "scores": Out(TaskSignature()),
                "report": Out(ReportSignature()),
                **(learning if spec.learning else {}),
            }
        )
        # The base does not fit the weights; an abort is wanted; a state changed in this step.
        self._rebuild = Signal(init=1)
        self._stopping = Signal()
        self._unsettled = Signal()
        # The sample is to be learnt; its nudged phase is under way.
        self._learns = Signal()
        self._nudging = Signal()
        # Steps of the phase under way that have ended; the next one is its last.
        self._steps = Signal(8)
        self._last_step = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.abort):
            m.d.sync += self._stopping.eq(1)
        with m.If(self.moved):
            m.d.sync += self._unsettled.eq(1)
        # Registered: cuts the path from the count of steps to the next state; costs nothing, as neither side changes
        # within a step.
        limit = Mux(self._nudging, self.limits.nudged, self.limits.free)
        m.d.sync += self._last_step.eq(self._steps + 1 >= limit)
        with m.FSM() as fsm:
            m.d.comb += self.run.busy.eq(~fsm.ongoing("idle"))
            self._start(m)
            self._build_base(m)
            self._give_inputs(m)
            self._step(m)
            self._settle(m)
            self._add_up_scores(m)
            if self.spec.learning:
                self._add_target(m)
                self._update(m)
        with m.If(self.stale):
            m.d.sync += self._rebuild.eq(1)
        return m

    def _start(self, m: Module) -> None:
        """Begin a call; where the core can learn, read from the sample whether it does."""
        with m.State("idle"), m.If(self.run.start):
            m.d.sync += [self._stopping.eq(0), self.report.aborted.eq(0), self.report.learnt.eq(0)]
            m.d.sync += [self._nudging.eq(0), self._steps.eq(0), self._learns.eq(0)]
            m.next = "header" if self.spec.learning else "prepare"
        if not self.spec.learning:
            return
        record = self.spec.sample_record
        flags = record.start("learn") // 8
        with m.State("header"):
            m.d.comb += [self.header.read.eq(1), self.header.address.eq(flags)]
            m.next = "flags"
        with m.State("flags"):
            m.d.comb += [self.header.read.eq(1), self.header.address.eq(record.start("label") // 8)]
            m.d.sync += [
                self._learns.eq(self.header.data[record.start("learn") - 8 * flags]),
                self.reversed.eq(self.header.data[record.start("reversed") - 8 * flags]),
            ]
            m.next = "label"
        with m.State("label"):
            m.d.sync += self.target.label.eq(self.header.data)
            m.next = "prepare"

    def _build_base(self, m: Module) -> None:
        """Clear the base, switch all neurons on, and add up what they send; only if the base does not fit."""
        context = self.o.payload.context
        with m.State("prepare"):
            m.next = "begin"
            with m.If(self._rebuild):
                m.next = "clear"
        with m.State("clear"):
            self._push(m, EqPropBank.BASE, EqPropBank.ZERO)
            m.d.comb += [context.low.eq(1), context.sets.eq(1)]
            with m.If(self.o.ready):
                m.next = "switch on"
        with m.State("switch on"):
            self._push(m, EqPropBank.FIELD, EqPropBank.ZERO)
            m.d.comb += [context.high.eq(1), context.sets.eq(1), context.loads.eq(1)]
            with m.If(self.o.ready):
                m.next = "build"
        with m.State("build"):
            m.d.comb += [self.base.eq(1), self.admits.eq(1)]
            with m.If(self.quiet):
                m.d.sync += self._rebuild.eq(0)
                m.next = "begin"

    def _give_inputs(self, m: Module) -> None:
        """Begin with the base and all neurons on, and add what the inputs send."""
        context = self.o.payload.context
        with m.State("begin"):
            self._push(m, EqPropBank.SUM, EqPropBank.BASE)
            m.d.comb += [context.high.eq(1), context.sets.eq(1)]
            with m.If(self.o.ready):
                m.d.comb += self.scan.eq(1)
                m.next = "inputs"
        with m.State("inputs"):
            m.d.comb += self.admits.eq(1)
            with m.If(self.quiet):
                m.d.sync += self._unsettled.eq(0)
                m.next = "step"

    def _step(self, m: Module) -> None:
        """Give the operations of a step: one, or, for the outputs of the nudged phase, one for each state added.

        With the target already in their sum, nudged outputs go to ``sum + (1 - sigma 2^shift) state``. Meanwhile the
        events of layers below wait.
        """
        spec, context = self.spec, self.o.payload.context
        outputs = Signal()
        times = Signal(range((1 << spec.nudge_shift) + 2))
        first_output = spec.first_group(spec.connections)
        with m.State("step"):
            self._push(m, EqPropBank.FIELD, EqPropBank.SUM)
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
            self._push(m, EqPropBank.FIELD, Mux(outputs, EqPropBank.SUM, EqPropBank.FIELD), first_output)
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

    def _settle(self, m: Module) -> None:
        """Let the changes of a step take effect, count it, and go where its phase goes on or ends."""
        report = self.report
        steps = Signal(8)
        with m.State("settle"):
            m.d.comb += self.admits.eq(1)
            with m.If(self.quiet):
                m.d.comb += [self.step_end.eq(1), steps.eq(self._steps + 1)]
                m.d.sync += [self._steps.eq(steps), self._unsettled.eq(0)]
                m.next = "step"
                with m.If(~self._unsettled | self._stopping | self._last_step):
                    with m.If(~self._nudging):
                        m.d.sync += [report.free_steps.eq(steps), report.nudged_steps.eq(0)]
                        m.d.sync += [report.settled.eq(~self._unsettled), report.aborted.eq(self._stopping)]
                        m.d.comb += self.scores.start.eq(1)
                        m.next = "scores"
                    with m.Elif(self._stopping):
                        m.d.sync += report.aborted.eq(1)
                        m.next = "idle"
                    if self.spec.learning:
                        with m.Else():
                            m.d.sync += [report.nudged_steps.eq(steps), report.learnt.eq(1)]
                            m.d.comb += self.update.start.eq(1)
                            m.next = "update"

    def _add_up_scores(self, m: Module) -> None:
        """Wait for the scores, which end the call or the free phase of one that learns."""
        with m.State("scores"), m.If(~self.scores.busy):
            m.next = "idle"
            if self.spec.learning:
                with m.If(self._learns & ~self.report.aborted):
                    m.d.sync += [self._nudging.eq(1), self._steps.eq(0)]
                    m.next = "target"

    def _add_target(self, m: Module) -> None:
        """Add the target to the sums of the outputs of the label, one after another."""
        spec, operation, context = self.spec, self.o.payload, self.o.payload.context
        group = Signal(range(spec.groups))
        lane = Signal(range(spec.lanes))
        left = Signal(range(spec.replicas + 1))
        with m.State("target"):
            m.d.sync += [group.eq(self.target.group), lane.eq(self.target.lane)]
            m.d.sync += left.eq(Mux(self.target.known, spec.replicas, 0))
            m.next = "add target"
        with m.State("add target"):
            with m.If(left == 0):
                m.next = "step"
            with m.Else():
                self._push(m, EqPropBank.SUM, EqPropBank.SUM, group, 0)
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

    def _update(self, m: Module) -> None:
        """Wait for the update of the weights."""
        with m.State("update"), m.If(~self.update.busy):
            m.next = "idle"

    def _push(self, m: Module, bank: EqPropBank, addend: ValueLike, first: ValueLike = 0, more: Any = None) -> None:
        """Set a bank of the groups from ``first`` on, by default to the last, to another one and what is added."""
        operation = self.o.payload
        if more is None:
            more = self.spec.groups - 1 - first if isinstance(first, int) else self.spec.groups - 1
        m.d.comb += [
            self.o.valid.eq(1),
            operation.kind.eq(OperationKind.PUSH),
            operation.bank.eq(bank),
            operation.addend.eq(addend),
            operation.first.eq(first),
            operation.more.eq(more),
        ]
