"""Takes the inputs of a call into the network."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.hdl.oscillator.move import Placement
from attractor.hdl.records import record_layout
from attractor.spec import OscillatorSpec

__all__ = ["StateLoader"]


class StateLoader(wiring.Component):
    """Holds the window ``state``, and places every oscillator once at the phase that it says.

    The first placement is on ``o`` two cycles after ``start``; after it one a cycle, as fast as they are taken.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    window: ``In(WindowSignature)``
    start: ``In(1)``
        Place all oscillators, the first one first. Only while ``idle``.
    o: ``Out(stream of Placement)``
    idle: ``Out(1)``
        Nothing is left to place.
    """

    window: Any
    start: Signal
    o: stream.Interface
    idle: Signal

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "window": In(WindowSignature(spec.memory_map["state"])),
                "start": In(1),
                "o": Out(stream.Signature(Placement(spec))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        m.submodules.state = state = memory.Memory(
            shape=record_layout(spec.state_record), depth=spec.oscillators, init=[]
        )
        read, write = state.read_port(), state.write_port()

        # ``source`` is being read while ``placed`` is on the output.
        source, reading, valid = Signal(range(spec.oscillators)), Signal(), Signal()
        placed, advance = Signal.like(source), Signal()
        group, lane = Signal(range(spec.groups)), Signal(range(spec.lanes))
        m.d.comb += [
            advance.eq(reading & (~valid | self.o.ready)),
            read.addr.eq(Mux(self.window.read, self.window.address, source)),
            read.en.eq(self.window.read | advance),
            self.window.read_data.eq(read.data),
            write.addr.eq(self.window.address),
            write.en.eq(self.window.write),
            write.data.eq(self.window.write_data),
            self.idle.eq(~(reading | valid)),
        ]
        m.d.sync += Assert(~(read.en & write.en), "state read while written")
        with m.If(self.start):
            m.d.sync += [source.eq(0), reading.eq(1)]
        with m.Elif(advance):
            m.d.sync += [source.eq(source + 1), placed.eq(source), valid.eq(1)]
            with m.If(source == spec.oscillators - 1):
                m.d.sync += reading.eq(0)
        with m.Elif(self.o.ready):
            m.d.sync += valid.eq(0)

        free = placed >= spec.inputs
        with m.If(self.start):
            m.d.sync += [group.eq(0), lane.eq(0)]
        with m.Elif(self.o.valid & self.o.ready & free):
            m.d.sync += lane.eq(lane + 1)
            with m.If(lane == spec.lanes - 1):
                m.d.sync += [lane.eq(0), group.eq(group + 1)]

        phase = read.data.phase
        m.d.comb += [
            self.o.valid.eq(valid),
            self.o.payload.source.eq(placed),
            self.o.payload.free.eq(free),
            self.o.payload.group.eq(group),
            self.o.payload.lane.eq(lane),
            self.o.payload.clamp.eq(read.data.clamp),
            self.o.payload.first.eq(1),
            self.o.payload.new.eq(phase),
            # In the slot before the first one the level is high if the phase lies in the second half.
            self.o.payload.level.eq(1),
            self.o.payload.low.eq(~phase[-1]),
        ]
        return m
