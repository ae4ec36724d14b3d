"""What a network answers: the scores of its classes, the winner, and the numbers of the run."""

from typing import Any

from amaranth.hdl import Array, Assert, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import count_ones
from attractor.hdl.core import WindowSignature
from attractor.hdl.crossbar import Operation
from attractor.hdl.crossbar import OperationKind as Kind
from attractor.hdl.eqprop.layout import Bank, NeuronState
from attractor.hdl.windows import RecordReadout
from attractor.spec import EqPropSpec

__all__ = ["RunRecord", "ScoreReadout"]


class ScoreReadout(wiring.Component):
    """Adds up the states of the outputs of each class, and finds the class with the most, the lowest one on ties.

    It looks at the output layer group by group, through operations of the crossbar that change nothing, and takes one
    output a cycle from what the beat shows: in a core ``busy`` is high for ``outputs + 3 * groups + 3`` cycles.

    Parameters
    ----------
    spec:
        The network.
    operation:
        Layout of the crossbar's operations.

    Members
    -------
    start, busy: ``In(1)``, ``Out(1)``
    o: ``Out(stream of Operation)``
        To the crossbar, which has nothing else to do.
    valid, states: ``In(1)``, ``In(lanes times NeuronState)``
        A beat, and the states in it, which stay.
    winner: ``Out(range(classes))``
    window: ``In(WindowSignature)``
        The scores.
    label: ``In(8)``
        Class to be found while it reads.
    known, group, lane: ``Out(1)``, ``Out(range(groups))``, ``Out(range(lanes))``
        There is such a class, and where its first output is.
    """

    start: Signal
    busy: Signal
    o: stream.Interface
    valid: Signal
    states: data.View
    winner: Signal
    window: Any
    label: Signal
    known: Signal
    group: Signal
    lane: Signal

    def __init__(self, spec: EqPropSpec, operation: Operation) -> None:
        self.spec, self.state = spec, NeuronState(spec)
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "o": Out(stream.Signature(operation)),
                "valid": In(1),
                "states": In(data.ArrayLayout(self.state.size, spec.lanes)),
                "winner": Out(range(spec.classes)),
                "window": In(WindowSignature(spec.memory_map["scores"])),
                "label": In(8),
                "known": Out(1),
                "group": Out(range(spec.groups)),
                "lane": Out(range(spec.lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        # The output that is looked at: its place, its class, and its number among the replicas.
        group, lane = Signal(range(spec.groups)), Signal(range(spec.lanes))
        label, replica = Signal(range(spec.classes)), Signal(range(spec.replicas))
        looking, last_replica, last = Signal(), Signal(), Signal()
        m.d.comb += [
            last_replica.eq(replica == spec.replicas - 1),
            last.eq(last_replica & (label == spec.classes - 1)),
            self.o.payload.kind.eq(Kind.PUSH),
            self.o.payload.bank.eq(Bank.FIELD),
            self.o.payload.first.eq(group),
        ]
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.start):
                m.d.sync += [group.eq(spec.first_group(spec.connections)), lane.eq(0), label.eq(0), replica.eq(0)]
                m.d.sync += self.known.eq(0)
                m.next = "ask"
            with m.State("ask"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "wait"
            with m.State("wait"), m.If(self.valid):
                m.next = "look"
            with m.State("look"):
                m.d.comb += looking.eq(1)
                m.d.sync += [lane.eq(lane + 1), replica.eq(replica + 1)]
                with m.If((replica == 0) & (label == self.label)):
                    m.d.sync += [self.known.eq(1), self.group.eq(group), self.lane.eq(lane)]
                with m.If(last_replica):
                    m.d.sync += [replica.eq(0), label.eq(label + 1)]
                with m.If(lane == spec.lanes - 1):
                    m.d.sync += [lane.eq(0), group.eq(group + 1)]
                    m.next = "ask"
                with m.If(last):
                    m.next = "add"
            # The last score is on its way through the two registers of the sum.
            with m.State("add"):
                m.next = "write"
            with m.State("write"):
                m.next = "idle"
        self._add(m, looking, lane, label, replica == 0, last_replica)
        return m

    def _add(self, m: Module, looking: Signal, lane: Signal, label: Signal, first: Any, last: Any) -> None:
        """Add up the states that are looked at, and keep the score of each class and the greatest."""
        spec = self.spec
        m.submodules.scores = scores = memory.Memory(shape=unsigned(16), depth=spec.classes, init=[])
        read, write = scores.read_port(), scores.write_port()
        outputs = min(spec.lanes, spec.layers[-1])
        levels = Array(data.View(self.state, self.states[index]).level for index in range(outputs))
        level, score, most = Signal(spec.state_bits), Signal(16), Signal(16)
        adds, begins, ends, ended = Signal(), Signal(), Signal(), Signal()
        added, written = Signal.like(label), Signal.like(label)
        m.d.sync += [
            level.eq(levels[lane]),
            adds.eq(looking),
            begins.eq(first),
            ends.eq(looking & last),
            added.eq(label),
            ended.eq(ends),
            written.eq(added),
        ]
        with m.If(adds):
            m.d.sync += score.eq(Mux(begins, 0, score) + level)
        with m.If(ended & ((written == 0) | (score > most))):
            m.d.sync += [most.eq(score), self.winner.eq(written)]
        m.d.comb += [
            write.en.eq(ended),
            write.addr.eq(written),
            write.data.eq(score),
            read.en.eq(self.window.read),
            read.addr.eq(self.window.address),
            self.window.read_data.eq(read.data),
        ]
        m.d.sync += Assert(~(read.en & write.en), "score read while written")


class RunRecord(wiring.Component):
    """Counts a run, and shows the counts as the bytes of the window ``result``.

    Members
    -------
    start: ``In(1)``
        Forget the last run.
    running: ``In(1)``
        Count clock cycles.
    touches, touched: ``In(1)``, ``In(lanes)``
        Counters are touched in this cycle, and which.
    flipped: ``In(1)``
        A weight flipped.
    settled, aborted, learnt: ``In(1)``
        How the run stands.
    winner: ``In(range(classes))``
    free_steps, nudged_steps: ``In(8)``
    window: ``In(WindowSignature)``
        The bytes.
    """

    start: Signal
    running: Signal
    touches: Signal
    touched: Signal
    flipped: Signal
    settled: Signal
    aborted: Signal
    learnt: Signal
    winner: Signal
    free_steps: Signal
    nudged_steps: Signal
    window: Any

    def __init__(self, spec: EqPropSpec) -> None:
        self.spec = spec
        flags = ("start", "running", "touches", "flipped", "settled", "aborted", "learnt")
        super().__init__(
            {
                **dict.fromkeys(flags, In(1)),
                "touched": In(spec.lanes),
                "winner": In(range(spec.classes)),
                "free_steps": In(8),
                "nudged_steps": In(8),
                "window": In(WindowSignature(spec.memory_map["result"])),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cycles, touched, flips = Signal(32), Signal(32), Signal(32)
        with m.If(self.running):
            m.d.sync += cycles.eq(cycles + 1)
        if self.spec.learning:
            valid, mask, count = Signal(), Signal(self.spec.lanes), Signal(range(self.spec.lanes + 1))
            m.d.sync += [
                valid.eq(self.touches),
                mask.eq(self.touched),
                count.eq(Mux(valid, count_ones(mask), 0)),
                touched.eq(touched + count),
                flips.eq(flips + self.flipped),
            ]
        with m.If(self.start):
            m.d.sync += [cycles.eq(0), touched.eq(0), flips.eq(0)]
        m.submodules.readout = readout = RecordReadout(self.spec.memory_map["result"])
        wiring.connect(m, wiring.flipped(self.window), readout.window)
        values = readout.values
        m.d.comb += [
            values.settled.eq(self.settled),
            values.aborted.eq(self.aborted),
            values.learnt.eq(self.learnt),
            values.winner.eq(self.winner),
            values.free_steps.eq(self.free_steps),
            values.nudged_steps.eq(self.nudged_steps),
            values.touched.eq(touched),
            values.flips.eq(flips),
            values.cycles.eq(cycles),
        ]
        return m
