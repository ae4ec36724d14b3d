"""The core of :mod:`.dummy`, apart from it because Amaranth evaluates annotations."""

from typing import Any

from amaranth.hdl import Assert, Module, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In

from attractor.hdl.core import CoreSignature, port_name
from attractor.spec import Region, Window

from .dummy import DummySpec


class DummyCore(wiring.Component):
    """Waits ``duration`` cycles or for ``abort``, then writes all outputs as :class:`.dummy.DummyModel` does.

    ``duration`` and ``runs`` are open to the test.
    """

    bus: Any

    def __init__(self, spec: DummySpec) -> None:
        self.spec = spec
        self.duration = Signal(20, init=10)
        self.runs = Signal(16)
        self.seed = Signal(64)
        self.aborted = Signal()
        self.word = Signal(range(1 + max(window.words for window in spec.windows)))
        super().__init__({"bus": In(CoreSignature(spec))})

    def elaborate(self, platform: object) -> Module:  # noqa: ARG002
        m = Module()
        bus = self.bus
        timer = Signal.like(self.duration)
        filling, fetched = Signal(), Signal()
        for window in self.spec.windows:
            self._window(m, window, filling, fetched)
        with m.FSM() as fsm:
            m.d.comb += bus.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"), m.If(bus.start):
                m.d.sync += [self.runs.eq(self.runs + 1), timer.eq(self.duration), self.aborted.eq(0), self.word.eq(0)]
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += fetched.eq(1)
                m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += [fetched.eq(0), timer.eq(timer - 1)]
                with m.If(bus.abort):
                    m.d.sync += self.aborted.eq(1)
                    m.next = "FILL"
                with m.Elif(timer == 0):
                    m.next = "FILL"
            with m.State("FILL"):
                m.d.comb += filling.eq(1)
                m.d.sync += self.word.eq(self.word + 1)
                with m.If(self.word == max(window.words for window in self.spec.windows)):
                    m.next = "IDLE"
        m.d.sync += Assert(~(bus.start & bus.busy), "started while busy")
        return m

    def _window(self, m: Module, window: Window, filling: Signal, fetched: Signal) -> None:
        port = getattr(self.bus.windows, port_name(window))
        storage = memory.Memory(shape=unsigned(window.word_bits), depth=window.words, init=[])
        m.submodules[port_name(window)] = storage
        read, write = storage.read_port(), storage.write_port()
        m.d.comb += [
            read.addr.eq(port.address),
            read.en.eq(port.read),
            port.read_data.eq(read.data),
            write.addr.eq(port.address),
            write.data.eq(port.write_data),
            write.en.eq(port.write),
        ]
        m.d.sync += [
            Assert(~((port.read | port.write) & self.bus.busy), "touched while busy"),
            Assert(~(port.read & port.write), "read and written at once"),
            Assert(~((port.read | port.write) & (port.address >= window.words)), "no such word"),
        ]
        with m.If(self.bus.busy):
            m.d.comb += read.addr.eq(0), read.en.eq(1)
        if window.region is Region.OUTPUT:
            m.d.sync += Assert(~port.write, "results are read-only")
            with m.If(filling & (self.word < window.words)):
                m.d.comb += [
                    write.en.eq(1),
                    write.addr.eq(self.word),
                    write.data.eq((self.seed + self.runs + self.word) * 0x9E3779B97F4A7C15 + self.aborted),
                ]
        if window is self.spec.memory_map.region(Region.INPUT)[0]:
            with m.If(fetched):
                m.d.sync += self.seed.eq(read.data)
