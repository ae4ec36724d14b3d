"""What a network answers: the scores of its classes, the winner, and the numbers of the run."""

from typing import Any

from amaranth.hdl import Array, Assert, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import count_ones
from attractor.hdl.core import WindowSignature
from attractor.hdl.eqprop.layout import EqPropBank, NeuronState
from attractor.hdl.eqprop.signatures import BeatSignature, ReportSignature, TargetSignature, TouchSignature
from attractor.hdl.operations import Beat, Operation, OperationKind
from attractor.hdl.ports import TaskSignature
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
    operation, beat:
        Layouts of the crossbar's operations and beats.

    Members
    -------
    scores: ``In(TaskSignature)``
        Add up the scores.
    o: ``Out(stream of Operation)``
        To the crossbar, which has nothing else to do.
    beats: ``In(BeatSignature)``
    winner: ``Out(range(classes))``
    window: ``In(WindowSignature)``
        The scores.
    target: ``In(TargetSignature)``
        Its label is looked for while scores are added up; what was found stays.
    """

    scores: Any
    o: stream.Interface
    beats: Any
    winner: Signal
    window: Any
    target: Any

    def __init__(self, spec: EqPropSpec, operation: Operation, beat: Beat) -> None:
        self.spec, self.state = spec, NeuronState(spec)
        super().__init__(
            {
                "scores": In(TaskSignature()),
                "o": Out(stream.Signature(operation)),
                "beats": In(BeatSignature(beat)),
                "winner": Out(range(spec.classes)),
                "window": In(WindowSignature(spec.memory_map["scores"])),
                "target": In(TargetSignature(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, target = self.spec, self.target
        # The output that is looked at: its place, its class, and its number among the replicas.
        group = Signal(range(spec.groups))
        lane = Signal(range(spec.lanes))
        label = Signal(range(spec.classes))
        replica = Signal(range(spec.replicas))
        looking = Signal()
        last_replica = Signal()
        last = Signal()
        m.d.comb += [
            last_replica.eq(replica == spec.replicas - 1),
            last.eq(last_replica & (label == spec.classes - 1)),
            self.o.payload.kind.eq(OperationKind.PUSH),
            self.o.payload.bank.eq(EqPropBank.FIELD),
            self.o.payload.first.eq(group),
        ]
        with m.FSM() as fsm:
            m.d.comb += self.scores.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.scores.start):
                m.d.sync += [group.eq(spec.first_group(spec.connections)), lane.eq(0), label.eq(0), replica.eq(0)]
                m.d.sync += target.known.eq(0)
                m.next = "ask"
            with m.State("ask"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "wait"
            with m.State("wait"), m.If(self.beats.valid):
                m.next = "look"
            with m.State("look"):
                m.d.comb += looking.eq(1)
                m.d.sync += [lane.eq(lane + 1), replica.eq(replica + 1)]
                with m.If((replica == 0) & (label == target.label)):
                    m.d.sync += [target.known.eq(1), target.group.eq(group), target.lane.eq(lane)]
                with m.If(last_replica):
                    m.d.sync += [replica.eq(0), label.eq(label + 1)]
                with m.If(lane == spec.lanes - 1):
                    m.d.sync += [lane.eq(0), group.eq(group + 1)]
                    m.next = "ask"
                with m.If(last):
                    m.next = "add"
            # The last score takes two cycles through the registers in ``_add`` before it is written.
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
        levels = Array(data.View(self.state, self.beats.beat.states[index]).level for index in range(outputs))
        level = Signal(spec.state_bits)
        score = Signal(16)
        most = Signal(16)
        adds = Signal()
        begins = Signal()
        ends = Signal()
        ended = Signal()
        added = Signal.like(label)
        written = Signal.like(label)
        # Registered twice, before and behind the addition: cuts the path from the output's number through the choice of
        # its state to the sum, and from there to the greatest; costs two cycles for all outputs together.
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
    touches: ``In(TouchSignature)``
    flipped: ``In(1)``
        A weight flipped.
    report: ``In(ReportSignature)``
    winner: ``In(range(classes))``
    window: ``In(WindowSignature)``
        The bytes.
    """

    start: Signal
    running: Signal
    touches: Any
    flipped: Signal
    report: Any
    winner: Signal
    window: Any

    def __init__(self, spec: EqPropSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                **dict.fromkeys(("start", "running", "flipped"), In(1)),
                "touches": In(TouchSignature(spec)),
                "report": In(ReportSignature()),
                "winner": In(range(spec.classes)),
                "window": In(WindowSignature(spec.memory_map["result"])),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cycles = Signal(32)
        touched = Signal(32)
        flips = Signal(32)
        with m.If(self.running):
            m.d.sync += cycles.eq(cycles + 1)
        if self.spec.learning:
            valid = Signal()
            mask = Signal(self.spec.lanes)
            count = Signal(range(self.spec.lanes + 1))
            # Registered, as is their number: cuts the path from the states of all lanes to the count; costs nothing, as
            # the call ends more than two cycles after its last lesson.
            m.d.sync += [
                valid.eq(self.touches.valid),
                mask.eq(self.touches.mask),
                count.eq(Mux(valid, count_ones(mask), 0)),
                touched.eq(touched + count),
                flips.eq(flips + self.flipped),
            ]
        with m.If(self.start):
            m.d.sync += [cycles.eq(0), touched.eq(0), flips.eq(0)]
        m.submodules.readout = readout = RecordReadout(self.spec.memory_map["result"])
        wiring.connect(m, wiring.flipped(self.window), readout.window)
        values = readout.values
        for name in self.report.signature.members:
            m.d.comb += getattr(values, name).eq(getattr(self.report, name))
        m.d.comb += [
            values.winner.eq(self.winner),
            values.touched.eq(touched),
            values.flips.eq(flips),
            values.cycles.eq(cycles),
        ]
        return m
