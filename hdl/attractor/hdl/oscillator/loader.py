"""Takes the inputs of a call into the network."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.hdl.oscillator.move import Placement
from attractor.hdl.windows import WindowMemory
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
        last = self.spec.oscillators - 1
        m.submodules.state = state = WindowMemory(self.spec.memory_map["state"])
        wiring.connect(m, wiring.flipped(self.window), state.window)
        # ``source`` is being read while ``placed`` is on the output.
        source = Signal(range(self.spec.oscillators))
        reading = Signal()
        valid = Signal()
        placed = Signal.like(source)
        advance = Signal()
        m.d.comb += [
            advance.eq(reading & (~valid | self.o.ready)),
            state.address.eq(source),
            state.read.eq(advance),
            self.o.valid.eq(valid),
            self.idle.eq(~(reading | valid)),
        ]
        with m.If(self.start):
            m.d.sync += [source.eq(0), reading.eq(1)]
        with m.Elif(advance):
            m.d.sync += [source.eq(source + 1), placed.eq(source), valid.eq(1)]
            with m.If(source == last):
                m.d.sync += reading.eq(0)
        with m.Elif(self.o.ready):
            m.d.sync += valid.eq(0)
        self._place(m, placed, state.word)
        return m

    def _place(self, m: Module, source: Signal, state: data.View) -> None:
        """Show the placement of an oscillator by its state, and count up group and lane of the targets."""
        placement = self.o.payload
        group = Signal(range(self.spec.groups))
        lane = Signal(range(self.spec.lanes))
        with m.If(self.start):
            m.d.sync += [group.eq(0), lane.eq(0)]
        with m.Elif(self.o.valid & self.o.ready & placement.free):
            m.d.sync += lane.eq(lane + 1)
            with m.If(lane == self.spec.lanes - 1):
                m.d.sync += [lane.eq(0), group.eq(group + 1)]
        m.d.comb += [
            placement.source.eq(source),
            placement.free.eq(source >= self.spec.inputs),
            placement.group.eq(group),
            placement.lane.eq(lane),
            placement.clamp.eq(state.clamp),
            placement.first.eq(1),
            placement.new.eq(state.phase),
            # In the slot before the first one the level is high if the phase lies in the second half.
            placement.level.eq(1),
            placement.low.eq(~state.phase[-1]),
        ]
