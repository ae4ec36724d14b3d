"""Learning: which counters a sample touches, found group by group, and all that follows."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.crossbar import Beat, Operation
from attractor.hdl.crossbar import OperationKind as Kind
from attractor.hdl.eqprop.flips import FlipWriter
from attractor.hdl.eqprop.layout import Bank
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
    start, busy: ``In(1)``, ``Out(1)``
    i: ``In(stream of Operation)``
        What the sources teach, from the sequencer.
    o: ``Out(stream of Operation)``
    beat, valid, flips: ``In(Beat)``, ``In(1)``, ``In(lanes)``
        Beats of the crossbar, and the weights that flip in them.
    flipped: ``Out(1)``
        A flip was dealt with.
    probed, differs: ``In(1)``, ``In(1)``
        A probe was answered: a neuron of the group differs between the phases.
    quiet: ``In(1)``
        No source is on its way, and no operation.
    fetch, address, byte: ``Out(1)``, ``Out``, ``In(8)``
        Read port of the sample.
    rule: ``Out(rule of the synapse)``
    scan: ``Out(1)``
        Begin to give the inputs that are on.
    group, within, changed: ``Out(range(groups))``, ``Out(range(groups))``, ``Out(1)``
        As in :class:`EventSequencer`.
    """

    start: Signal
    busy: Signal
    i: stream.Interface
    o: stream.Interface
    beat: data.View
    valid: Signal
    flips: Signal
    flipped: Signal
    probed: Signal
    differs: Signal
    quiet: Signal
    fetch: Signal
    address: Signal
    byte: Signal
    rule: Signal
    scan: Signal
    group: Signal
    within: Signal
    changed: Signal

    def __init__(self, spec: EqPropSpec, operation: Operation, beat: Beat) -> None:
        self.spec, self.synapse = spec, CountingSynapse(spec.counter_bits)
        self._flips = FlipWriter(spec, operation, beat)
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "i": In(stream.Signature(operation)),
                "o": Out(stream.Signature(operation)),
                "beat": In(beat),
                "valid": In(1),
                "flips": In(spec.lanes),
                "flipped": Out(1),
                "probed": In(1),
                "differs": In(1),
                "quiet": In(1),
                "fetch": Out(1),
                "address": Out(range(spec.header_bytes)),
                "byte": In(8),
                "rule": Out(self.synapse.rule),
                "scan": Out(1),
                "group": Out(range(spec.groups)),
                "within": Out(range(spec.groups)),
                "changed": Out(1),
            }
        )
        # The connection that learns; whether a neuron below it differs, in this group above it, and in any above.
        self._connection = Signal(range(spec.connections))
        self._below, self._here, self._above = Signal(), Signal(), Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.flips = flips = self._flips
        m.d.comb += [
            flips.beat.eq(self.beat),
            flips.valid.eq(self.valid),
            flips.mask.eq(self.flips),
            self.flipped.eq(flips.flipped),
        ]
        quiet, last_of_layer = Signal(), Signal()
        groups = Array(self.spec.groups_of(layer) for layer in range(1, self.spec.connections + 1))
        m.d.comb += [
            quiet.eq(self.quiet & ~flips.pending),
            last_of_layer.eq(self.within == groups[self._connection] - 1),
        ]
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.start):
                m.d.sync += [self.group.eq(0), self.within.eq(0), self._connection.eq(0)]
                m.d.sync += [self._below.eq(0), self._above.eq(0)]
                m.next = "threshold"
            self._read_threshold(m)
            with m.State("probe"):
                self._show(m, self.group, 0)
                m.d.comb += [self.o.payload.context.low.eq(1), self.o.payload.context.probes.eq(1)]
                with m.If(self.o.ready):
                    m.next = "probed"
            with m.State("probed"), m.If(self.probed):
                m.d.sync += [self._here.eq(self.differs), self._above.eq(self._above | self.differs)]
                m.next = "on"
                with m.If(self._below):
                    m.next = "changed"
            with m.State("changed"):
                self._show_below(m)
                m.d.comb += self.o.payload.context.low.eq(1)
                with m.If(self.o.ready):
                    m.next = "teach changed"
            with m.State("teach changed"):
                self._teach(m)
                m.d.comb += self.changed.eq(1)
                with m.If(quiet):
                    m.next = "on"
            with m.State("on"):
                with m.If(~self._here):
                    m.next = "next"
                with m.Elif(self._connection == 0):
                    m.d.comb += self.scan.eq(1)
                    m.next = "teach on"
                with m.Else():
                    self._show_below(m)
                    m.d.comb += self.o.payload.context.high.eq(1)
                    with m.If(self.o.ready):
                        m.next = "teach on"
            with m.State("teach on"):
                self._teach(m)
                with m.If(quiet):
                    m.next = "next"
            with m.State("next"):
                m.d.sync += [self.group.eq(self.group + 1), self.within.eq(self.within + 1)]
                m.next = "probe"
                with m.If(last_of_layer):
                    m.d.sync += [self.within.eq(0), self._connection.eq(self._connection + 1)]
                    m.d.sync += [self._below.eq(self._above), self._above.eq(0)]
                    m.next = "threshold"
                with m.If(self.group == self.spec.groups - 1):
                    m.next = "idle"
        return m

    def _read_threshold(self, m: Module) -> None:
        low_byte = Signal(8)
        high_address = (self._connection << 1) + 3
        with m.State("threshold"):
            m.d.comb += [self.fetch.eq(1), self.address.eq(high_address - 1)]
            m.next = "threshold high"
        with m.State("threshold high"):
            m.d.comb += [self.fetch.eq(1), self.address.eq(high_address)]
            m.d.sync += low_byte.eq(self.byte)
            m.next = "threshold read"
        with m.State("threshold read"):
            m.d.sync += self.rule.eq(self.synapse.limit(Cat(low_byte, self.byte)[: self.spec.counter_bits]))
            m.next = "probe"

    def _teach(self, m: Module) -> None:
        """Let sources teach as long as no weight flips; what follows from flips comes first."""
        with m.If(self._flips.o.valid):
            wiring.connect(m, self._flips.o, wiring.flipped(self.o))
        with m.Elif(~self._flips.pending):
            wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))

    def _show(self, m: Module, first: Any, more: Any) -> None:
        """Let the neurons of some groups show how the phases differ."""
        operation = self.o.payload
        m.d.comb += [
            self.o.valid.eq(1),
            operation.kind.eq(Kind.PUSH),
            operation.bank.eq(Bank.FIELD),
            operation.first.eq(first),
            operation.more.eq(more),
            operation.context.shows.eq(1),
        ]

    def _show_below(self, m: Module) -> None:
        """Make sources of the layer below."""
        spec = self.spec
        layers = range(1, spec.connections)
        first, groups = [spec.first_group(layer) for layer in layers], [spec.groups_of(layer) - 1 for layer in layers]
        below = (self._connection - 1)[: len(self._connection)]
        self._show(m, Array(first)[below], Array(groups)[below])
        m.d.comb += self.o.payload.context.loads.eq(1)
