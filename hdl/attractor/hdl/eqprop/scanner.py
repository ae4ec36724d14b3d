"""Holds the sample of a call, and finds the inputs that are on."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.hdl.eqprop.layout import Source
from attractor.hdl.lane_walker import LaneWalker
from attractor.hdl.ports import ReadSignature
from attractor.hdl.windows import WindowMemory
from attractor.spec import EqPropSpec
from attractor.spec.base import ceil_div

__all__ = ["InputScanner"]


class InputScanner(wiring.Component):
    """Gives the inputs that are on one by one, and the bytes of the header to those who read them.

    A byte without any costs one cycle, others one for each input that is on; the first comes three cycles after
    ``start`` at the earliest.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    window: ``In(WindowSignature)``
        The sample.
    start: ``In(1)``
        Begin with the first input. Only while ``idle``.
    o: ``Out(stream of Source)``
    idle: ``Out(1)``
        No input is left.
    readers: ``In(ReadSignature)``, twice
        The bytes before the inputs, for two parts that read in turn and only while ``idle``; only in networks with
        ``learning``.
    """

    window: Any
    start: Signal
    o: stream.Interface
    idle: Signal
    readers: list[Any]

    def __init__(self, spec: EqPropSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "window": In(WindowSignature(spec.memory_map["sample"])),
                "start": In(1),
                "o": Out(stream.Signature(Source(spec))),
                "idle": Out(1),
                **({"readers": In(ReadSignature(spec.header_bytes, 8)).array(2)} if spec.learning else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inputs, words = self.spec.layers[0], ceil_div(self.spec.layers[0], 8)
        m.submodules.walker = walker = LaneWalker(words, 8)
        m.submodules.sample = sample = WindowMemory(self.spec.memory_map["sample"])
        wiring.connect(m, wiring.flipped(self.window), sample.window)
        # As bits: a sample of a single byte would come with the fields of its record.
        byte = Value.cast(sample.word)
        # ``number`` is the byte of inputs that is read next, ``walked`` the one that was read.
        number = Signal(range(words))
        walked = Signal(range(words))
        reading = Signal()
        valid = Signal()
        advance = Signal()
        m.d.comb += [
            advance.eq(reading & (~valid | walker.i.ready)),
            sample.read.eq(advance),
            sample.address.eq(number + self.spec.header_bytes),
            walker.i.valid.eq(valid),
            walker.i.payload.group.eq(walked),
            # Unused bits of the last byte may be anything.
            walker.i.payload.mask.eq(byte & Mux(walked == words - 1, (1 << (inputs - 1) % 8 + 1) - 1, 0xFF)),
            self.idle.eq(~reading & walker.idle),
        ]
        with m.If(self.start):
            m.d.sync += [number.eq(0), reading.eq(1)]
        with m.Elif(advance):
            m.d.sync += [number.eq(number + 1), walked.eq(number), valid.eq(1)]
            with m.If(number == words - 1):
                m.d.sync += reading.eq(0)
        with m.Elif(walker.i.ready):
            m.d.sync += valid.eq(0)
        if self.spec.learning:
            self._read_header(m, sample)
        self._give(m, walker)
        return m

    def _read_header(self, m: Module, sample: WindowMemory) -> None:
        """Lend the memory to the readers of the header."""
        first, second = self.readers
        with m.If(first.read | second.read):
            m.d.comb += [sample.read.eq(1), sample.address.eq(Mux(second.read, second.address, first.address))]
        m.d.comb += [first.data.eq(sample.word), second.data.eq(sample.word)]
        m.d.sync += [
            Assert(~(first.read & second.read), "two parts read the header at once"),
            Assert(~((first.read | second.read) & ~self.idle), "the header is read while inputs are"),
        ]

    def _give(self, m: Module, walker: LaneWalker) -> None:
        """Give what the walker finds as sources."""
        place, source = walker.o.payload, self.o.payload
        m.d.comb += [
            self.o.valid.eq(walker.o.valid),
            source.input.eq(1),
            source.flag.eq(1),
            source.number.eq((place.group << 3) | place.lane),
            walker.o.ready.eq(self.o.ready),
        ]
