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
    bits:
        So many of the highest bits of a phase are kept, and the others are 0; all by default.

    Members
    -------
    placed: ``In(1)``
        ``placement`` takes place in this cycle.
    placement: ``In(Placement)``
    window: ``In(WindowSignature)``
        Read only: the phases of the targets.
    spins: ``In(WindowSignature)``
        Read only: 1 for the targets on the reference oscillator's side. Only in networks with ``random_start``.
    readout, mover: ``In(ReadSignature)``
        All phases.
    """

    placed: Signal
    placement: data.View
    window: Any
    spins: Any
    readout: Any
    mover: Any

    def __init__(self, spec: OscillatorSpec, *, bits: int | None = None) -> None:
        self.spec, self.bits = spec, spec.phase_bits if bits is None else bits
        port = ReadSignature(spec.oscillators, spec.phase_bits)
        spins = {"spins": In(WindowSignature(spec.memory_map["spins"]))} if spec.random_start else {}
        super().__init__(
            {
                "placed": In(1),
                "placement": In(Placement(spec)),
                "window": In(WindowSignature(spec.memory_map["phases"])),
                **spins,
                "readout": In(port),
                "mover": In(port),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = phases = memory.Memory(shape=unsigned(self.bits), depth=self.spec.oscillators, init=[])
        read, write = phases.read_port(), phases.write_port()
        asks = [self.window.read, self.readout.read, self.mover.read]
        if self.spec.random_start:
            asks.append(self.spins.read)
        readers = Signal(len(asks))
        phase = Signal(self.spec.phase_bits)
        m.d.comb += [
            write.addr.eq(self.placement.source),
            write.data.eq(self.placement.new[-self.bits :]),
            write.en.eq(self.placed),
            readers.eq(Cat(asks)),
            read.en.eq(readers.any()),
            read.addr.eq(self.mover.address),
            phase.eq(read.data << self.spec.phase_bits - self.bits),
            self.window.read_data.eq(phase),
            self.readout.data.eq(phase),
            self.mover.data.eq(phase),
        ]
        with m.If(self.window.read):
            m.d.comb += read.addr.eq(self.window.address + self.spec.inputs)
        with m.Elif(self.readout.read):
            m.d.comb += read.addr.eq(self.readout.address)
        if self.spec.random_start:
            self._show_spins(m, read, phase)
        m.d.sync += [
            Assert((readers & (readers - 1)) == 0, "phases read by two in one cycle"),
            Assert(~(read.en & write.en & (read.addr == write.addr)), "phase read while written"),
        ]
        return m

    def _show_spins(self, m: Module, read: Any, phase: Signal) -> None:
        """Compare the phase that is read with that of the reference oscillator, which is kept as it is placed."""
        spec = self.spec
        reference = Signal(spec.phase_bits)
        ahead = Signal(spec.phase_bits)
        with m.If(self.placed & (self.placement.source == spec.reference)):
            m.d.sync += reference.eq(self.placement.new)
        with m.If(self.spins.read):
            m.d.comb += read.addr.eq(self.spins.address + spec.inputs)
        m.d.comb += [ahead.eq(phase - reference + spec.period // 4), self.spins.read_data.eq(~ahead[-1])]
