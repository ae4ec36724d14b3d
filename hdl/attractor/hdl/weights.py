"""Weights in block RAM, seen by the link through windows and by the crossbar in words of all lanes."""

from amaranth.hdl import Assert, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature, port_name
from attractor.hdl.synapse import Synapse
from attractor.spec import Window
from attractor.spec.rows import LaneMemory

__all__ = ["LARGE", "WeightStore"]

#: Attribute of memories that one port is enough for, and of which no word is read before it was written: a build may
#: put them into large RAMs, which have neither a second port nor contents. A component that has such memories has no
#: others, for a build takes the contents of all of them.
LARGE = "attractor_large"


class WeightStore(wiring.Component):
    """Words that hold a synapse for each lane, in one memory for each window.

    ``word`` is that of the last cycle in which ``read`` was high. Where ``write`` is high, what its synapses learn in
    this cycle goes back in the next one, in which that word must not be read. The windows must not be used while the
    crossbar is.

    Parameters
    ----------
    layout:
        Words, lanes and windows of the memory.
    synapse:
        What a lane holds.
    learning:
        Words are written by the crossbar too. Otherwise both ports of a memory share one address, which is all that a
        memory with a single port needs.

    Members
    -------
    windows: ``In(one WindowSignature for each window)``
    read, row: ``In(1)``, ``In(range(words))``
        Read the word ``row``.
    word: ``Out(lanes times synapse.bits)``
    write, written: ``In(1)``, ``In(range(words))``
        Write the word ``written``, the one that was read last, in the next cycle.
    learns, falls: ``In(lanes)``, ``In(lanes)``
        Lanes that learn, and in which direction.
    rule: ``In(synapse.rule)``
    flips: ``Out(lanes)``
        Lanes whose weight becomes its opposite, if ``write`` is high.

    Raises
    ------
    ValueError
        If a lane of the memory has not the width of the synapse.
    """

    windows: wiring.PureInterface
    read: Signal
    row: Signal
    word: data.View
    write: Signal
    written: Signal
    learns: Signal
    falls: Signal
    rule: Signal
    flips: Signal

    def __init__(self, layout: LaneMemory, synapse: Synapse, *, learning: bool = False) -> None:
        if layout.lane_bits != synapse.bits:
            raise ValueError(f"memory {layout.name} has {layout.lane_bits} bits a lane; a synapse has {synapse.bits}")
        self.layout, self.synapse, self.learning = layout, synapse, learning
        super().__init__(
            {
                "windows": In(wiring.Signature({port_name(w): Out(WindowSignature(w)) for w in layout.windows})),
                "read": In(1),
                "row": In(range(layout.words)),
                "word": Out(data.ArrayLayout(synapse.bits, layout.lanes)),
                "write": In(1),
                "written": In(range(layout.words)),
                "learns": In(layout.lanes),
                "falls": In(layout.lanes),
                "rule": In(synapse.rule),
                "flips": Out(layout.lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        learnt = Signal(self.word.shape())
        if self.learning:
            for lane in range(self.layout.lanes):
                directions = self.learns[lane], self.falls[lane]
                following, flips = self.synapse.learn(self.word[lane], *directions, Value.cast(self.rule))
                m.d.comb += [learnt[lane].eq(following), self.flips[lane].eq(flips)]
        # Registered: cuts the path from the synapses of all lanes, which learn from what was just read, to the write
        # ports of block RAMs all over the device; costs the cycle in which a word that learns must not be read.
        storing = Signal()
        written = Signal.like(self.written)
        changed = Signal(len(Value.cast(learnt)))
        if self.learning:
            m.d.sync += [storing.eq(self.write), written.eq(self.written), changed.eq(learnt)]
        start, words = 0, []
        for window in self.layout.windows:
            stop = start + window.word_bits
            words.append(self._memory(m, window, storing, written, changed[start:stop]))
            start = stop
        m.d.comb += self.word.eq(Cat(words))
        return m

    def _memory(self, m: Module, window: Window, learns: Value, written: Value, learnt: Value) -> Value:
        """Build the memory of one window; return the word that it reads."""
        port = getattr(self.windows, port_name(window))
        attributes = {} if self.learning else {LARGE: "1"}
        storage = memory.Memory(shape=unsigned(window.word_bits), depth=window.words, init=[], attrs=attributes)
        m.submodules[port_name(window)] = storage
        read, write = storage.read_port(), storage.write_port()
        address = Mux(port.read | port.write, port.address, self.row)
        m.d.comb += [
            read.addr.eq(address),
            read.en.eq(port.read | self.read),
            port.read_data.eq(read.data),
            write.addr.eq(Mux(learns, written, port.address) if self.learning else address),
            write.en.eq(port.write | learns if self.learning else port.write),
            write.data.eq(Mux(learns, learnt, port.write_data) if self.learning else port.write_data),
        ]
        m.d.sync += [
            Assert(~(port.write & read.en) & ~(port.read & self.read), "weights used twice at once"),
            Assert(~(read.en & write.en & (read.addr == write.addr)), "weights read while written"),
        ]
        return read.data
