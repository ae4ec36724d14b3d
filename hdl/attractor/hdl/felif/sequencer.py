"""The course of a tick in a layer: events add up in the crossbar, then the neurons get their sums one by one."""

from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import times_constant
from attractor.hdl.felif.layout import FelifBank, Token, TokenKind
from attractor.hdl.felif.signatures import TurnSignature
from attractor.hdl.operations import Operation, OperationKind
from attractor.spec import FelifSpec

__all__ = ["LayerSequencer"]


class LayerSequencer(wiring.Component):
    """Owns the crossbar of a layer, and works through its ticks one after another.

    What the layer itself sent in the tick before comes last, since the inputs of a layer may still double the sums. Of
    each group the sums are shown by an operation that changes nothing, and taken a neuron a cycle; the operation that
    clears them is issued with the last one.

    Parameters
    ----------
    spec:
        The network.
    index:
        Number of the layer.
    operation:
        Layout of the crossbar's operations.

    Members
    -------
    i: ``In(stream of Token)``
        From below.
    own: ``In(stream of Token)``
        Spikes of the tick before; recurrent layers only.
    own_empty: ``In(1)``
        None of them is left.
    room: ``In(1)``
        The layer above has taken all spikes of the tick before.
    clear: ``In(1)``
        Clear all sums before the next token. Only while ``idle``.
    o: ``Out(stream of Operation)``
    sums: ``In(lanes times signed(sum_bits))``
        Sums of the group that was asked for last.
    turns: ``Out(TurnSignature)``
    done: ``In(1)``
        The neurons are done.
    idle: ``Out(1)``
        Between two ticks, and nothing has come of the next.
    """

    i: stream.Interface
    own: stream.Interface
    own_empty: Signal
    room: Signal
    clear: Signal
    o: stream.Interface
    sums: Any
    turns: Any
    done: Signal
    idle: Signal

    def __init__(self, spec: FelifSpec, index: int, operation: Operation) -> None:
        self.layer, self.below = spec.layers[index], spec.below(index)
        self.lanes, self.groups = spec.lanes_of(index), spec.groups_of(index)
        self.doubles = index == 0 and spec.input_bits > 1
        total = Shape(spec.sum_bits(index), signed=True)
        super().__init__(
            {
                "i": In(stream.Signature(Token(self.below))),
                "own": In(stream.Signature(Token(self.layer.neurons))),
                "own_empty": In(1),
                "room": In(1),
                "clear": In(1),
                "o": Out(stream.Signature(operation)),
                "sums": In(data.ArrayLayout(total, self.lanes)),
                "turns": Out(TurnSignature(spec, index)),
                "done": In(1),
                "idle": Out(1),
            }
        )
        # The operation that is on offer while events are gathered.
        self._kind = Signal(OperationKind)
        self._row = Signal.like(self.o.payload.row)
        self._negate = Signal()
        self._waiting = Signal()
        self._clearing = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.FSM():
            with m.State("gather"):
                m.d.comb += self.idle.eq(~self._waiting & ~self._clearing & ~self.i.valid)
                with m.If(self._clearing):
                    self._push(m, FelifBank.ZERO)
                    m.d.comb += self._whole()
                    with m.If(self.o.ready):
                        m.d.sync += self._clearing.eq(0)
                with m.Else():
                    self._gather(m)
            self._visit(m)
            with m.State("finish"), m.If(self.done):
                m.next = "gather"
        with m.If(self.clear):
            m.d.sync += self._clearing.eq(1)
        return m

    def _whole(self) -> Any:
        """Let an operation visit all groups."""
        return self.o.payload.more.eq(self.groups - 1)

    def _push(self, m: Module, addend: FelifBank) -> None:
        operation = self.o.payload
        m.d.comb += [
            self.o.valid.eq(1),
            operation.kind.eq(OperationKind.PUSH),
            operation.bank.eq(FelifBank.SUM),
            operation.addend.eq(addend),
        ]

    def _gather(self, m: Module) -> None:
        """Turn tokens into operations, until the tick has no more."""
        operation, token, own = self.o.payload, self.i.payload, self.own.payload
        accepts = Signal()
        ends = Signal()
        ends_below = token.kind == TokenKind.END
        m.d.comb += [
            self.o.valid.eq(self._waiting),
            operation.kind.eq(self._kind),
            operation.row.eq(self._row),
            operation.negate.eq(self._negate),
            self._whole(),
            accepts.eq(~self._waiting | self.o.ready),
            ends.eq(self.i.valid & ends_below & self.own_empty & ~self._waiting & self.room),
            self.own.ready.eq(accepts & self.i.valid & ends_below),
            self.i.ready.eq(Mux(ends_below, ends, accepts)),
        ]
        with m.If(accepts):
            m.d.sync += self._waiting.eq(0)
            with m.If(self.i.valid & ~ends_below):
                m.d.sync += [
                    self._waiting.eq(1),
                    self._kind.eq(
                        Mux(token.kind == TokenKind.DOUBLE, OperationKind.FOLD, OperationKind.ADD)
                        if self.doubles
                        else OperationKind.ADD
                    ),
                    self._row.eq(times_constant(token.source, self.groups)),
                    self._negate.eq(token.negate & (token.kind == TokenKind.EVENT)),
                ]
            if self.layer.recurrent:
                with m.If(self.own.ready & self.own.valid):
                    m.d.sync += [
                        self._waiting.eq(1),
                        self._kind.eq(OperationKind.ADD),
                        self._row.eq(times_constant(own.source, self.groups) + self.below * self.groups),
                        self._negate.eq(0),
                    ]
        with m.If(ends):
            m.next = "ask"

    def _visit(self, m: Module) -> None:
        """Show the neurons their sums, group by group."""
        group = Signal(range(self.groups))
        lane = Signal(range(self.lanes))
        number = Signal(range(self.layer.neurons))
        last = Signal()
        last_lane = Signal()
        takes = Signal()
        with m.State("ask"):
            self._push(m, FelifBank.SUM)
            m.d.comb += self.o.payload.first.eq(group)
            with m.If(self.o.ready):
                m.next = "take"
        with m.State("take"):
            m.d.comb += [
                last.eq(number == self.layer.neurons - 1),
                last_lane.eq(last | (lane == self.lanes - 1)),
                takes.eq(~last_lane | self.o.ready),
            ]
            with m.If(last_lane):
                self._push(m, FelifBank.ZERO)
                m.d.comb += self.o.payload.first.eq(group)
            with m.If(takes):
                m.d.sync += [lane.eq(lane + 1), number.eq(number + 1)]
                with m.If(last_lane):
                    m.d.sync += [lane.eq(0), group.eq(group + 1)]
                    m.next = "ask"
                with m.If(last):
                    m.d.sync += [group.eq(0), number.eq(0)]
                    m.next = "finish"
        # Registered: cuts the path from the crossbar's adders through the choice of a lane to the product with the
        # neuron's scale; costs one cycle in a tick.
        m.d.sync += [self.turns.valid.eq(takes), self.turns.neuron.eq(number), self.turns.sum.eq(self.sums[lane])]
