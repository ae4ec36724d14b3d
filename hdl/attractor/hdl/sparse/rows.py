"""The couplings: where the row of each oscillator begins, and its words one after the other."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.hdl.sparse.layouts import Effect, RowWord, Visit
from attractor.hdl.stream_register import StreamRegister
from attractor.hdl.windows import WindowMemory
from attractor.spec.sparse import SparseSpec

__all__ = ["RowReader"]


class RowReader(wiring.Component):
    """Reads the rows of the oscillators that come in, one word a cycle and without a gap between rows.

    Pointers are read ahead: up to five visits are inside. The mark that ends a row lies in a memory of its own, which
    is read a cycle before the word: it decides in that one cycle whether the row goes on or the next one begins, while
    a word may come from dozens of block RAMs. A row also ends with the memory, whatever was written into it.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    pointers, rows: ``In(WindowSignature)``
    running: ``In(1)``
        The windows are not used, and there may be visits.
    i: ``In(stream of Visit)``
    hold: ``In(1)``
        Begin no row in this cycle.
    o: ``Out(stream of RowWord, always ready)``
        Comes out of registers, three cycles after the word was asked for.
    idle: ``Out(1)``
        Nothing is inside.
    """

    pointers: Any
    rows: Any
    running: Signal
    i: stream.Interface
    hold: Signal
    o: stream.Interface
    idle: Signal

    def __init__(self, spec: SparseSpec) -> None:
        self.spec = spec
        windows = spec.memory_map
        super().__init__(
            {
                "pointers": In(WindowSignature(windows["pointers"])),
                "rows": In(WindowSignature(windows["rows"])),
                "running": In(1),
                "i": In(stream.Signature(Visit(spec))),
                "hold": In(1),
                "o": Out(stream.Signature(RowWord(spec), always_ready=True)),
                "idle": Out(1),
            }
        )
        self._start = data.StructLayout({"pointer": spec.pointer_bits, "effect": Effect(spec)})
        # A word is being read: its mark is known in this cycle, the rest of it in the next.
        self._reading = Signal()
        self._arrived = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.starts = starts = StreamRegister(self._start)
        waiting = self._find_starts(m, starts.i)
        self._read_words(m, starts.o)
        m.d.comb += self.idle.eq(~(waiting | starts.o.valid | self._reading | self._arrived | self.o.valid))
        return m

    def _find_starts(self, m: Module, starts: stream.Interface) -> Signal:
        """Read the pointer of each visit; return whether any is on its way to ``starts``."""
        window = self.spec.memory_map["pointers"]
        m.submodules.pointers = memory = WindowMemory(window, told=True, large=True)
        wiring.connect(m, wiring.flipped(self.pointers), memory.window)
        # Registered: cuts the path from the find-first of the changes to the address.
        visit = Signal.like(self.i.payload)
        valid = Signal()
        # That of the word being shown. A large RAM keeps none: the address is given again for as long as it must wait.
        asked = Signal.like(visit.source)
        read = Signal()
        effect = Signal.like(visit.effect)
        advance = Signal()
        m.d.comb += [
            advance.eq(valid & (~read | starts.ready)),
            self.i.ready.eq(~valid | advance),
            memory.running.eq(self.running),
            memory.address.eq(Mux(advance, visit.source, asked)),
            memory.read.eq(advance | (read & ~starts.ready)),
            starts.valid.eq(read),
            starts.payload.pointer.eq(memory.word.pointer),
            starts.payload.effect.eq(effect),
        ]
        fresh = Signal()
        m.d.sync += [
            asked.eq(memory.address),
            fresh.eq(memory.read),
            Assert(fresh | ~read, "a pointer counts that was not read in the cycle before"),
        ]
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), visit.eq(self.i.payload)]
        with m.If(advance):
            m.d.sync += [read.eq(1), effect.eq(visit.effect)]
        with m.Elif(starts.ready):
            m.d.sync += read.eq(0)
        waiting = Signal()
        m.d.comb += waiting.eq(valid | read)
        return waiting

    def _read_words(self, m: Module, starts: stream.Interface) -> None:
        """Ask for the words of a row, one a cycle, until one is marked; then for those of the next."""
        window, last = self.spec.memory_map["rows"], self.spec.row_words - 1
        m.submodules.words = words = WindowMemory(
            replace(window, word_bits=window.word_bits - 1), told=True, large=True
        )
        m.submodules.marks = marks = WindowMemory(replace(window, word_bits=1), told=True)
        for part, bits in ((words, slice(None, -1)), (marks, slice(-1, None))):
            m.d.comb += [
                part.running.eq(self.running),
                part.window.address.eq(self.rows.address),
                part.window.read.eq(self.rows.read),
                part.window.write.eq(self.rows.write),
                part.window.write_data.eq(self.rows.write_data[bits]),
                self.rows.read_data[bits].eq(part.window.read_data),
            ]
        asks, goes_on, takes = Signal(), Signal(), Signal()
        address, asked, following = (Signal(range(self.spec.row_words), name=n) for n in ("address", "asked", "next"))
        at_end, effect, arrived_effect = Signal(), *(Signal(Effect(self.spec), name=n) for n in ("effect", "arrived"))
        m.d.comb += [
            goes_on.eq(self._reading & ~(marks.word[0] | at_end)),
            takes.eq(starts.valid & ~self.hold & ~goes_on),
            starts.ready.eq(~self.hold & ~goes_on),
            asks.eq(goes_on | takes),
            address.eq(Mux(goes_on, following, starts.payload.pointer)),
            marks.address.eq(address),
            marks.read.eq(asks),
            words.address.eq(asked),
            words.read.eq(self._reading),
        ]
        m.d.sync += [
            self._reading.eq(asks),
            asked.eq(address),
            following.eq(address + 1),
            at_end.eq(address == last),
            self._arrived.eq(self._reading),
            arrived_effect.eq(effect),
            self.o.valid.eq(self._arrived),
            self.o.payload.entries.as_value().eq(words.word),
            self.o.payload.effect.eq(arrived_effect),
        ]
        with m.If(takes):
            m.d.sync += effect.eq(starts.payload.effect)
