"""Holds the sample of a call, and finds the inputs that are on."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.hdl.eqprop.layout import Source
from attractor.hdl.lane_walker import LaneWalker
from attractor.spec import EqPropSpec
from attractor.spec.base import ceil_div

__all__ = ["InputScanner"]


class InputScanner(wiring.Component):
    """Gives the inputs that are on one by one, and bytes of the header where they are asked for.

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
    fetch, address: ``In(1)``, ``In(range(words))``
        Read a byte, only while ``idle``.
    byte: ``Out(8)``
        It, in the next cycle.
    """

    window: Any
    start: Signal
    o: stream.Interface
    idle: Signal
    fetch: Signal
    address: Signal
    byte: Signal

    def __init__(self, spec: EqPropSpec) -> None:
        self.spec, self.words = spec, spec.memory_map["sample"].words
        super().__init__(
            {
                "window": In(WindowSignature(spec.memory_map["sample"])),
                "start": In(1),
                "o": Out(stream.Signature(Source(spec))),
                "idle": Out(1),
                "fetch": In(1),
                "address": In(range(self.words)),
                "byte": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inputs = self.spec.layers[0]
        bytes_of_bits = ceil_div(inputs, 8)
        m.submodules.walker = walker = LaneWalker(bytes_of_bits, 8)
        m.submodules.sample = sample = memory.Memory(shape=unsigned(8), depth=self.words, init=[])
        read, write = sample.read_port(), sample.write_port()

        # ``number`` is the byte that is read next, ``walked`` the one that was read.
        number, walked = Signal(range(bytes_of_bits)), Signal(range(bytes_of_bits))
        reading, valid, advance = Signal(), Signal(), Signal()
        own_address = Signal(range(self.words))
        m.d.comb += [
            own_address.eq(Mux(self.fetch, self.address, number + self.spec.header_bytes)),
            advance.eq(reading & (~valid | walker.i.ready)),
            read.addr.eq(Mux(self.window.read, self.window.address, own_address)),
            read.en.eq(self.window.read | self.fetch | advance),
            self.window.read_data.eq(read.data),
            self.byte.eq(read.data),
            write.addr.eq(self.window.address),
            write.en.eq(self.window.write),
            write.data.eq(self.window.write_data),
            walker.i.valid.eq(valid),
            walker.i.payload.group.eq(walked),
            # Unused bits of the last byte may be anything.
            walker.i.payload.mask.eq(
                read.data & Mux(walked == bytes_of_bits - 1, (1 << (inputs - 1) % 8 + 1) - 1, 0xFF)
            ),
            self.idle.eq(~reading & walker.idle),
        ]
        m.d.sync += Assert(~(read.en & write.en), "sample read while written")
        with m.If(self.start):
            m.d.sync += [number.eq(0), reading.eq(1)]
        with m.Elif(advance):
            m.d.sync += [number.eq(number + 1), walked.eq(number), valid.eq(1)]
            with m.If(number == bytes_of_bits - 1):
                m.d.sync += reading.eq(0)
        with m.Elif(walker.i.ready):
            m.d.sync += valid.eq(0)
        m.d.comb += [
            self.o.valid.eq(walker.o.valid),
            self.o.payload.input.eq(1),
            self.o.payload.flag.eq(1),
            self.o.payload.number.eq((walker.o.payload.group << 3) | walker.o.payload.lane),
            walker.o.ready.eq(self.o.ready),
        ]
        return m
