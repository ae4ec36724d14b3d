"""What follows from a weight that flipped: its copy in the other memory, and the sums that it is part of."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Assert, Module, Mux, Shape, Signal
from amaranth.lib import data, enum, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.eqprop.events import down_row
from attractor.hdl.eqprop.layout import EqPropBank, Store, layer_flags
from attractor.hdl.eqprop.signatures import BeatSignature
from attractor.hdl.lane_walker import LaneWalker
from attractor.hdl.operations import Beat, Operation, OperationKind
from attractor.spec import EqPropSpec

__all__ = ["FLIP_WORDS", "FlipStep", "FlipWriter", "Flips"]

#: Words with flips that may wait: the first one, and those that may be on their way when it is seen, two in the
#: register before the crossbar and one in the crossbar.
FLIP_WORDS = 4


class FlipStep(enum.Enum, shape=2):
    """Operations that follow a flip, in their order."""

    #: The new weight counts twice in the base of the neuron above: once against the old one.
    ABOVE = 0
    #: The copy flips.
    COPY = 1
    #: The new weight counts twice in the base of the neuron below.
    BELOW = 2


class Flips(data.StructLayout):
    """Weights of one word that flipped.

    Members
    -------
    row: ``range(words)``
        The word in the memory ``up``.
    group: ``range(groups)``
    mask: ``lanes``
        The neurons above.
    origin: ``range(groups)``
    lane: ``range(lanes)``
    paired: ``1``
        The neuron below; not ``paired``: it is an input.
    """

    def __init__(self, spec: EqPropSpec) -> None:
        groups, lanes = range(spec.groups), range(spec.lanes)
        places = {"row": range(spec.up_memory.words), "group": groups, "origin": groups, "lane": lanes}
        super().__init__({"mask": spec.lanes, "paired": 1, **places})


class FlipWriter(wiring.Component):
    """Collects flips, one word at a time, and gives the operations that follow from each.

    A flip between an input and a neuron is only counted, one in a cycle. Others take three operations.

    ``pending`` is high from the cycle after a word with a flip. No more than :data:`FLIP_WORDS` with flips may come
    until it is low again: those on their way.

    Parameters
    ----------
    spec:
        The network.
    operation, beat:
        Layouts of the crossbar's operations and beats.

    Members
    -------
    beats: ``In(BeatSignature)``
        Flips in the memory ``up`` are collected from them.
    o: ``Out(stream of Operation)``
        To the crossbar; only while ``pending``.
    flipped: ``Out(1)``
        All that follows from a flip was given in this cycle.
    pending: ``Out(1)``
        There are flips of which that is not so.
    """

    beats: Any
    o: stream.Interface
    flipped: Signal
    pending: Signal

    def __init__(self, spec: EqPropSpec, operation: Operation, beat: Beat) -> None:
        self.spec = spec
        super().__init__(
            {
                "beats": In(BeatSignature(beat)),
                "o": Out(stream.Signature(operation)),
                "flipped": Out(1),
                "pending": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, beat = self.spec, self.beats.beat
        m.submodules.walker = walker = LaneWalker(spec.groups, spec.lanes)
        m.submodules.words = words = fifo.SyncFIFO(width=Shape.cast(Flips(spec)).width, depth=FLIP_WORDS)
        arrived = Signal(Flips(spec))
        word = Signal(Flips(spec))
        walked = Signal()
        learns = self.beats.valid & (beat.kind == OperationKind.LEARN) & (beat.store == Store.UP)
        # Registered: cuts the path from the counters of all lanes, which decide what flips, to the write port of the
        # queue; ``pending`` is a cycle later, in which one more word may come.
        m.d.sync += [
            arrived.mask.eq(Mux(learns, self.beats.flips, 0)),
            arrived.row.eq(beat.row),
            arrived.group.eq(beat.group),
            arrived.origin.eq(beat.context.origin),
            arrived.lane.eq(beat.context.lane),
            arrived.paired.eq(beat.context.paired),
        ]
        m.d.comb += [
            words.w_data.eq(arrived),
            words.w_en.eq(arrived.mask.any()),
            word.eq(words.r_data),
            words.r_en.eq(walked & walker.idle),
            walker.i.valid.eq(words.r_rdy & ~walked),
            walker.i.payload.group.eq(word.group),
            walker.i.payload.mask.eq(word.mask),
            self.pending.eq(words.w_en | words.r_rdy),
        ]
        with m.If(words.r_en):
            m.d.sync += walked.eq(0)
        with m.Elif(walker.i.valid & walker.i.ready):
            m.d.sync += walked.eq(1)
        m.d.sync += Assert(~(words.w_en & ~words.w_rdy), "flips are lost")
        self._follow(m, word, walker)
        return m

    def _follow(self, m: Module, word: data.View, walker: LaneWalker) -> None:
        """Give the operations of the flip that the walker shows."""
        spec, operation, context = self.spec, self.o.payload, self.o.payload.context
        step = Signal(FlipStep)
        flip: Any = walker.o.payload
        above = layer_flags(spec, flip.group)
        rows = (
            Mux(above[layer - 1], down_row(spec, flip.group, flip.lane, layer) - spec.first_group(layer - 1), 0)
            for layer in range(2, spec.connections + 1)
        )
        m.d.comb += [
            self.o.valid.eq(walker.o.valid & word.paired),
            walker.o.ready.eq(~word.paired | (self.o.ready & (step == FlipStep.BELOW))),
            self.flipped.eq(walker.o.valid & walker.o.ready),
            operation.bank.eq(EqPropBank.BASE),
            context.alone.eq(1),
            context.amplitude.eq(2),
        ]
        with m.If(step == FlipStep.ABOVE):
            m.d.comb += [
                operation.store.eq(Store.UP),
                operation.row.eq(word.row),
                operation.first.eq(word.group),
                context.lane.eq(flip.lane),
            ]
        with m.Else():
            m.d.comb += [
                operation.kind.eq(Mux(step == FlipStep.COPY, OperationKind.LEARN, OperationKind.ADD)),
                operation.store.eq(Store.DOWN),
                operation.row.eq(reduce(or_, rows) + word.origin),
                operation.first.eq(word.origin),
                context.lane.eq(word.lane),
            ]
        with m.If(self.o.valid & self.o.ready), m.Switch(step):
            with m.Case(FlipStep.ABOVE):
                m.d.sync += step.eq(FlipStep.COPY)
            with m.Case(FlipStep.COPY):
                m.d.sync += step.eq(FlipStep.BELOW)
            with m.Default():
                m.d.sync += step.eq(FlipStep.ABOVE)
