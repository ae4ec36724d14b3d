"""The spikes of a layer on their way to those that they reach."""

from amaranth.hdl import Assert, Module, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from attractor.hdl.felif.layout import Token, TokenKind

__all__ = ["SpikeList"]


class SpikeList(wiring.Component):
    """Keeps the neurons that spiked in a tick until they are asked for, in the order in which they came.

    Parameters
    ----------
    neurons:
        Neurons of the layer; no more spikes than these may wait.

    Members
    -------
    load, neuron: ``In(1)``, ``In(range(neurons))``
        A spike.
    close: ``In(1)``
        The tick has no more; a last spike may come with it. Only where nothing of the tick before is left.
    clear: ``In(1)``
        Forget everything. Not together with ``load`` or ``close``.
    o: ``Out(stream of Token)``
        An event for each spike, and an end for each ``close``.
    empty: ``Out(1)``
        No spike and no end is left.
    """

    load: Signal
    neuron: Signal
    close: Signal
    clear: Signal
    o: stream.Interface
    empty: Signal

    def __init__(self, neurons: int) -> None:
        self.neurons, self.token = neurons, Token(neurons)
        super().__init__(
            {
                "load": In(1),
                "neuron": In(range(neurons)),
                "close": In(1),
                "clear": In(1),
                "o": Out(stream.Signature(self.token)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A single neuron has a number of no bits, of which synthesis makes no memory.
        number = unsigned(max(ceil_log2(self.neurons), 1))
        m.submodules.memory = storage = memory.Memory(shape=number, depth=self.neurons, init=[])
        read, write = storage.read_port(), storage.write_port()
        loaded, taken = Signal(range(self.neurons + 1)), Signal(range(self.neurons + 1))
        # The word that was read is on offer; all spikes of the tick are known.
        shown, closed = Signal(), Signal()
        waiting, ends = Signal(), Signal()
        m.d.comb += [
            waiting.eq(loaded != taken),
            ends.eq(closed & ~shown & ~waiting),
            write.addr.eq(loaded),
            write.data.eq(self.neuron),
            write.en.eq(self.load),
            read.addr.eq(taken),
            read.en.eq(waiting & (~shown | self.o.ready)),
            self.o.valid.eq(shown | ends),
            self.o.payload.kind.eq(TokenKind.END),
            self.empty.eq(~waiting & ~shown & ~closed),
        ]
        with m.If(shown):
            m.d.comb += [self.o.payload.kind.eq(TokenKind.EVENT), self.o.payload.source.eq(read.data)]
        m.d.sync += [
            loaded.eq(loaded + self.load),
            taken.eq(taken + read.en),
            shown.eq(read.en | (shown & ~self.o.ready)),
            closed.eq(self.close | (closed & ~(ends & self.o.ready))),
            Assert(~(self.load & (loaded == self.neurons)), "too many spikes"),
            Assert(~(self.close & closed), "a tick ends while the one before is still there"),
            Assert(~(read.en & write.en & (read.addr == write.addr)), "a spike is read while it is written"),
        ]
        # An empty list begins anew, so that it needs no more words than there are neurons.
        with m.If(self.clear | (self.empty & ~self.load & ~self.close)):
            m.d.sync += [loaded.eq(0), taken.eq(0), shown.eq(0), closed.eq(0)]
        return m
