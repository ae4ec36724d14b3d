"""Turns sources into operations of the crossbar: whom a bit reaches, and which row of weights goes there."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from attractor.hdl.arithmetic import times_constant
from attractor.hdl.eqprop.layout import EqPropBank, Source, Store, layer_flags
from attractor.hdl.eqprop.signatures import LessonSignature
from attractor.hdl.operations import Operation, OperationKind
from attractor.spec import EqPropSpec

__all__ = ["EventSequencer", "down_row", "up_row"]


class EventSequencer(wiring.Component):
    """Broadcasts the bits of sources: an event to the layer above, and one to the layer below if that has neurons.

    A source is taken while the last event of the one before leaves; its first event is out a cycle later.

    Parameters
    ----------
    spec:
        The network.
    operation:
        Layout of the crossbar's operations.

    Members
    -------
    i: ``In(stream of Source)``
    o: ``Out(stream of Operation)``
    base: ``In(1)``
        The events go to :attr:`EqPropBank.BASE` instead of :attr:`EqPropBank.SUM`.
    lesson: ``In(LessonSignature)``
        Sources teach instead of sending events. It stays as it is while a source is inside.
    idle: ``Out(1)``
        Nothing is inside.
    """

    i: stream.Interface
    o: stream.Interface
    base: Signal
    lesson: Any
    idle: Signal

    def __init__(self, spec: EqPropSpec, operation: Operation) -> None:
        self.spec = spec
        super().__init__(
            {
                "i": In(stream.Signature(Source(spec))),
                "o": Out(stream.Signature(operation)),
                "base": In(1),
                "lesson": In(LessonSignature(spec)),
                "idle": Out(1),
            }
        )
        # What is being sent, the layer that it comes from (0 for an input), and where it still has to go.
        self._source = Signal(Source(spec))
        self._layer = Signal(spec.connections + 1)
        self._up = Signal()
        self._down = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, operation, source = self.spec, self.o.payload, self.i.payload
        up_row = Signal(range(spec.up_memory.words))
        down_row = Signal(range(spec.down_memory.words))
        layer = Cat(source.input, (~source.input & here for here in layer_flags(spec, source.group)))
        m.d.comb += [
            self.idle.eq(~self._up & ~self._down),
            self.i.ready.eq(self.idle | (self.o.ready & ~(self._up & self._down))),
            self.o.valid.eq(~self.idle),
            operation.kind.eq(OperationKind.ADD),
            operation.store.eq(Mux(self._up, Store.UP, Store.DOWN)),
            operation.row.eq(Mux(self._up, up_row, down_row)),
            operation.bank.eq(Mux(self.base, EqPropBank.BASE, EqPropBank.SUM)),
            operation.negate.eq(~self._source.flag),
            operation.context.amplitude.eq(1),
        ]
        with m.If(self.i.ready):
            m.d.sync += [
                self._source.eq(source),
                self._layer.eq(layer),
                self._up.eq(self.i.valid & ~layer[-1]),
                self._down.eq(self.i.valid & ~self.lesson.teaching & layer[2:].any()),
                up_row.eq(self._up_row(source, layer) + Mux(self.lesson.teaching, self.lesson.within, 0)),
                down_row.eq(self._down_row(source, layer)),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += self._up.eq(0)
        for index in range(spec.connections + 1):
            for goes, other in ((self._up, index + 1), (~self._up, index - 1)):
                if 1 <= other <= spec.connections:
                    with m.If(self._layer[index] & goes):
                        m.d.comb += operation.first.eq(spec.first_group(other))
                        m.d.comb += operation.more.eq(spec.groups_of(other) - 1)
        if spec.learning:
            with m.If(self.lesson.teaching):
                self._teach(m)
        return m

    def _teach(self, m: Module) -> None:
        """Turn the events into lessons: the weights to one group of the layer above learn."""
        operation, context, source = self.o.payload, self.o.payload.context, self._source
        m.d.comb += [
            operation.kind.eq(OperationKind.LEARN),
            operation.first.eq(self.lesson.group),
            operation.more.eq(0),
            operation.negate.eq(self.lesson.reversed),
            context.free.eq(~self.lesson.changed | ~source.flag),
            context.nudged.eq(~self.lesson.changed | source.flag),
            context.origin.eq(source.group),
            context.lane.eq(source.lane),
            context.paired.eq(~source.input),
        ]

    def _up_row(self, source: data.View, layer: Value) -> Value:
        """Return the first word of a source in the memory ``up``."""
        spec = self.spec
        neurons = (
            Mux(layer[index], up_row(spec, source.group, source.lane, index), 0) for index in range(1, spec.connections)
        )
        rows = (Mux(layer[0], times_constant(source.number, spec.groups_of(1)), 0), *neurons)
        return reduce(or_, rows)

    def _down_row(self, source: data.View, layer: Value) -> Value:
        """Return the first word of a source in the memory ``down``."""
        rows = (
            Mux(layer[index], down_row(self.spec, source.group, source.lane, index), 0)
            for index in range(2, self.spec.connections + 1)
        )
        return reduce(or_, rows)


def up_row(spec: EqPropSpec, group: Value, lane: Value, layer: int) -> Value:
    """Return the first word in the memory ``up`` of the neuron in ``lane`` of ``group``, which is one of ``layer``."""
    return _row(spec, group, lane, layer, spec.up_base(layer), spec.groups_of(layer + 1), spec.up_memory.words)


def down_row(spec: EqPropSpec, group: Value, lane: Value, layer: int) -> Value:
    """Return the first word in the memory ``down`` of such a neuron."""
    return _row(spec, group, lane, layer, spec.down_base(layer - 1), spec.groups_of(layer - 1), spec.down_memory.words)


def _row(spec: EqPropSpec, group: Value, lane: Value, layer: int, base: int, groups: int, words: int) -> Value:
    """Return the first word of a neuron of ``layer`` in a memory where these begin at ``base``, ``groups`` for each."""
    place = times_constant(group, spec.lanes) + lane
    start = base - spec.first_group(layer) * spec.lanes * groups
    bits = ceil_log2(words)
    return (times_constant(place, groups) + start)[:bits]
