"""Learning: which counters a sample touches, found group by group, and all that follows."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arbiter import StreamArbiter
from attractor.hdl.eqprop.flips import FlipWriter
from attractor.hdl.eqprop.layout import EqPropBank
from attractor.hdl.eqprop.signatures import BeatSignature, LessonSignature, ProbeSignature
from attractor.hdl.operations import Beat, Operation, OperationKind
from attractor.hdl.ports import ReadSignature, TaskSignature
from attractor.hdl.synapse import CountingSynapse
from attractor.spec import EqPropSpec

__all__ = ["Learner"]


class Learner(wiring.Component):
    """Lets the sources of each group learn, after both phases.

    A counter is touched if its source and its target were on together in one phase and not in the other. So for each
    group two kinds of sources matter: those whose bit differs between the phases, and, if a neuron of the group
    differs, those that were on in both. Each of them costs a cycle, and each kind as many as the layer below has
    groups; a group that no counter of is touched costs six in a core.

    Parameters
    ----------
    spec:
        The network.
    operation, beat:
        Layouts of the crossbar's operations and beats.

    Members
    -------
    update: ``In(TaskSignature)``
        Update the weights.
    reversed: ``In(1)``
        The sample was nudged away from its label. Constant while it works.
    o: ``Out(stream of Operation)``
        To the crossbar: what shows how the phases differ, and what follows from flips; never while ``admits``.
    admits: ``Out(1)``
        What the sources teach may go to the crossbar. Those that come earlier wait.
    beats: ``In(BeatSignature)``
    flipped: ``Out(1)``
        All that follows from a flip was given in this cycle.
    probe: ``In(ProbeSignature)``
    quiet: ``In(1)``
        In the last cycle no source and no operation was on its way or began.
    header: ``Out(ReadSignature)``
        The first bytes of the sample.
    rule: ``Out(rule of the synapse)``
    scan: ``Out(1)``
        Begin to give the inputs that are on.
    lesson: ``Out(LessonSignature)``
    """

    update: Any
    reversed: Signal
    o: stream.Interface
    admits: Signal
    beats: Any
    flipped: Signal
    probe: Any
    quiet: Signal
    header: Any
    rule: Signal
    scan: Signal
    lesson: Any

    def __init__(self, spec: EqPropSpec, operation: Operation, beat: Beat) -> None:
        self.spec, self.synapse = spec, CountingSynapse(spec.counter_bits)
        super().__init__(
            {
                "update": In(TaskSignature()),
                "reversed": In(1),
                "o": Out(stream.Signature(operation)),
                "admits": Out(1),
                "beats": In(BeatSignature(beat)),
                "flipped": Out(1),
                "probe": In(ProbeSignature()),
                "quiet": In(1),
                "header": Out(ReadSignature(spec.header_bytes, 8)),
                "rule": Out(self.synapse.rule),
                "scan": Out(1),
                "lesson": Out(LessonSignature(spec)),
            }
        )
        self._flips = FlipWriter(spec, operation, beat)
        self._arbiter = StreamArbiter(operation, 2)
        # Operations that make neurons show how the phases differ.
        self._shows = self._arbiter.i[0]
        # The connection that learns; whether a neuron differs between the phases: one below the connection, one in the
        # group above it that learns, and one in any group above it so far.
        self._connection = Signal(range(spec.connections))
        self._sources_differ = Signal()
        self._group_differs = Signal()
        self._targets_differ = Signal()
        # Neither a source nor an operation is on its way, nor does anything follow from a flip.
        self._finished = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.flips = flips = self._flips
        m.submodules.arbiter = arbiter = self._arbiter
        wiring.connect(m, wiring.flipped(self.beats), flips.beats)
        wiring.connect(m, flips.o, arbiter.i[1])
        wiring.connect(m, arbiter.o, wiring.flipped(self.o))
        m.d.comb += [
            self.flipped.eq(flips.flipped),
            self.lesson.reversed.eq(self.reversed),
            self.lesson.teaching.eq(self.update.busy),
            self._finished.eq(self.quiet & ~flips.pending),
        ]
        with m.FSM() as fsm:
            m.d.comb += self.update.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.update.start):
                m.d.sync += [self.lesson.group.eq(0), self.lesson.within.eq(0), self._connection.eq(0)]
                m.d.sync += [self._sources_differ.eq(0), self._targets_differ.eq(0)]
                m.next = "threshold"
            self._read_threshold(m)
            self._probe(m)
            self._teach_changed(m)
            self._teach_on(m)
            self._go_on(m)
        return m

    def _read_threshold(self, m: Module) -> None:
        """Read the threshold of the connection: two bytes, the lower one first."""
        low_byte = Signal(8)
        address = (self._connection << 1) + self.spec.sample_record.start("threshold") // 8
        with m.State("threshold"):
            m.d.comb += [self.header.read.eq(1), self.header.address.eq(address)]
            m.next = "threshold high"
        with m.State("threshold high"):
            m.d.comb += [self.header.read.eq(1), self.header.address.eq(address + 1)]
            m.d.sync += low_byte.eq(self.header.data)
            m.next = "threshold read"
        with m.State("threshold read"):
            m.d.sync += self.rule.eq(self.synapse.limit(Cat(low_byte, self.header.data)[: self.spec.counter_bits]))
            m.next = "probe"

    def _probe(self, m: Module) -> None:
        """Find out whether a neuron of the group differs between the phases."""
        with m.State("probe"):
            self._show(m, self.lesson.group, 0)
            m.d.comb += [self._shows.payload.context.low.eq(1), self._shows.payload.context.probes.eq(1)]
            with m.If(self._shows.ready):
                m.next = "probed"
        with m.State("probed"), m.If(self.probe.answered):
            m.d.sync += self._group_differs.eq(self.probe.differs)
            m.d.sync += self._targets_differ.eq(self._targets_differ | self.probe.differs)
            m.next = "on"
            with m.If(self._sources_differ):
                m.next = "changed"

    def _teach_changed(self, m: Module) -> None:
        """Let those sources teach the group whose bit differs between the phases."""
        with m.State("changed"):
            self._show_below(m)
            m.d.comb += self._shows.payload.context.low.eq(1)
            with m.If(self._shows.ready):
                m.next = "teach changed"
        with m.State("teach changed"):
            self._teach(m)
            m.d.comb += self.lesson.changed.eq(1)
            with m.If(self._finished):
                m.next = "on"

    def _teach_on(self, m: Module) -> None:
        """Let those sources teach the group that were on in both phases, if a neuron of the group differs."""
        with m.State("on"):
            with m.If(~self._group_differs):
                m.next = "next"
            with m.Elif(self._connection == 0):
                m.d.comb += self.scan.eq(1)
                m.next = "teach on"
            with m.Else():
                self._show_below(m)
                m.d.comb += self._shows.payload.context.high.eq(1)
                with m.If(self._shows.ready):
                    m.next = "teach on"
        with m.State("teach on"):
            self._teach(m)
            with m.If(self._finished):
                m.next = "next"

    def _go_on(self, m: Module) -> None:
        """Go to the next group, of the next connection where a layer ends."""
        lesson = self.lesson
        last_of_layer = Signal()
        groups = Array(self.spec.groups_of(layer) for layer in range(1, self.spec.connections + 1))
        m.d.comb += last_of_layer.eq(lesson.within == groups[self._connection] - 1)
        with m.State("next"):
            m.d.sync += [lesson.group.eq(lesson.group + 1), lesson.within.eq(lesson.within + 1)]
            m.next = "probe"
            with m.If(last_of_layer):
                m.d.sync += [lesson.within.eq(0), self._connection.eq(self._connection + 1)]
                m.d.sync += [self._sources_differ.eq(self._targets_differ), self._targets_differ.eq(0)]
                m.next = "threshold"
            with m.If(lesson.group == self.spec.groups - 1):
                m.next = "idle"

    def _teach(self, m: Module) -> None:
        """Let sources teach as long as no weight flips; what follows from flips comes first."""
        m.d.comb += self.admits.eq(~self._flips.pending)

    def _show(self, m: Module, first: Any, more: Any) -> None:
        """Let the neurons of some groups show how the phases differ."""
        operation = self._shows.payload
        m.d.comb += [
            self._shows.valid.eq(1),
            operation.kind.eq(OperationKind.PUSH),
            operation.bank.eq(EqPropBank.FIELD),
            operation.first.eq(first),
            operation.more.eq(more),
            operation.context.shows.eq(1),
        ]

    def _show_below(self, m: Module) -> None:
        """Make sources of the marked neurons in the layer below."""
        spec = self.spec
        layers = range(1, spec.connections)
        first, groups = [spec.first_group(layer) for layer in layers], [spec.groups_of(layer) - 1 for layer in layers]
        below = (self._connection - 1)[: len(self._connection)]
        self._show(m, Array(first)[below], Array(groups)[below])
        m.d.comb += self._shows.payload.context.loads.eq(1)
