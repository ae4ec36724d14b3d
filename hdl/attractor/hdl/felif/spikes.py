"""The spikes of a layer on their way to those that they reach."""

from typing import Any

from amaranth.hdl import Assert, Module, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from attractor.hdl.felif.layout import Token, TokenKind
from attractor.hdl.felif.signatures import UpdateSignature
from attractor.spec import FelifLayer

__all__ = ["SpikeList"]


class SpikeList(wiring.Component):
    """Keeps the neurons that spiked in a tick until they are asked for, in the order in which they came.

    Parameters
    ----------
    layer:
        The layer; no more spikes than it has neurons may wait.
    ends:
        Give the end of each tick as well, after its spikes.

    Members
    -------
    updates: ``In(UpdateSignature)``
        The neurons that may spike. With ``ends``, the last one of a tick only where nothing of the tick before is left.
    clear: ``In(1)``
        Forget everything. Not together with an update.
    o: ``Out(stream of Token)``
        An event for each spike, and with ``ends`` an end for each tick.
    empty: ``Out(1)``
        No spike and no end is left.
    """

    updates: Any
    clear: Signal
    o: stream.Interface
    empty: Signal

    def __init__(self, layer: FelifLayer, *, ends: bool) -> None:
        self.neurons, self.ends = layer.neurons, ends
        super().__init__(
            {
                "updates": In(UpdateSignature(layer)),
                "clear": In(1),
                "o": Out(stream.Signature(Token(layer.neurons))),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A single neuron has a number of no bits, of which synthesis makes no memory.
        number = unsigned(max(ceil_log2(self.neurons), 1))
        m.submodules.memory = storage = memory.Memory(shape=number, depth=self.neurons, init=[])
        read, write = storage.read_port(), storage.write_port()
        loaded = Signal(range(self.neurons + 1))
        taken = Signal(range(self.neurons + 1))
        # The word that was read is on offer; all spikes of the tick are known.
        shown = Signal()
        closed = Signal()
        load = Signal()
        close = Signal()
        waiting = Signal()
        ends = Signal()
        m.d.comb += [
            load.eq(self.updates.valid & self.updates.spikes),
            close.eq(self.updates.done if self.ends else 0),
            waiting.eq(loaded != taken),
            ends.eq(closed & ~shown & ~waiting),
            write.addr.eq(loaded),
            write.data.eq(self.updates.neuron),
            write.en.eq(load),
            read.addr.eq(taken),
            read.en.eq(waiting & (~shown | self.o.ready)),
            self.o.valid.eq(shown | ends),
            self.o.payload.kind.eq(TokenKind.END),
            self.empty.eq(~waiting & ~shown & ~closed),
        ]
        with m.If(shown):
            m.d.comb += [self.o.payload.kind.eq(TokenKind.EVENT), self.o.payload.source.eq(read.data)]
        m.d.sync += [
            loaded.eq(loaded + load),
            taken.eq(taken + read.en),
            shown.eq(read.en | (shown & ~self.o.ready)),
            closed.eq(close | (closed & ~(ends & self.o.ready))),
            Assert(~(load & (loaded == self.neurons)), "too many spikes"),
            Assert(~(close & closed), "a tick ends while the one before is still there"),
            Assert(~(read.en & write.en & (read.addr == write.addr)), "a spike is read while it is written"),
        ]
        # An empty list begins anew, so that it needs no more words than there are neurons.
        with m.If(self.clear | (self.empty & ~load & ~close)):
            m.d.sync += [loaded.eq(0), taken.eq(0), shown.eq(0), closed.eq(0)]
        return m
