"""The phases of all oscillators."""

from typing import Any

from amaranth.hdl import Assert, Cat, Module, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In

from attractor.hdl.core import WindowSignature
from attractor.hdl.oscillator.move import Placement
from attractor.hdl.ports import ReadSignature
from attractor.spec import OscillatorSpec

__all__ = ["PhaseMemory"]


class PhaseMemory(wiring.Component):
    """One memory that follows the placements, and whoever reads it.

    Its readers take turns: the link while the core is idle, the mover in a slot, the read-out after the last one. In
    simulation two in one cycle end the run, and so does a phase that is read while it is written.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    placed: ``In(1)``
        ``placement`` takes place in this cycle.
    placement: ``In(Placement)``
    window: ``In(WindowSignature)``
        Read only: the phases of the targets.
    readout, mover: ``In(ReadSignature)``
        All phases.
    """

    placed: Signal
    placement: data.View
    window: Any
    readout: Any
    mover: Any

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        port = ReadSignature(spec.oscillators, spec.phase_bits)
        super().__init__(
            {
                "placed": In(1),
                "placement": In(Placement(spec)),
                "window": In(WindowSignature(spec.memory_map["phases"])),
                "readout": In(port),
                "mover": In(port),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = phases = memory.Memory(
            shape=unsigned(self.spec.phase_bits), depth=self.spec.oscillators, init=[]
        )
        read, write = phases.read_port(), phases.write_port()
        readers = Signal(3)
        m.d.comb += [
            write.addr.eq(self.placement.source),
            write.data.eq(self.placement.new),
            write.en.eq(self.placed),
            readers.eq(Cat(self.window.read, self.readout.read, self.mover.read)),
            read.en.eq(readers.any()),
            read.addr.eq(self.mover.address),
            self.window.read_data.eq(read.data),
            self.readout.data.eq(read.data),
            self.mover.data.eq(read.data),
        ]
        with m.If(self.window.read):
            m.d.comb += read.addr.eq(self.window.address + self.spec.inputs)
        with m.Elif(self.readout.read):
            m.d.comb += read.addr.eq(self.readout.address)
        m.d.sync += [
            Assert((readers & (readers - 1)) == 0, "phases read by two in one cycle"),
            Assert(~(read.en & write.en & (read.addr == write.addr)), "phase read while written"),
        ]
        return m
