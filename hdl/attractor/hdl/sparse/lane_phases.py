"""The phases of all targets, a word for each group."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import one_hot
from attractor.hdl.sparse.layouts import groups_of
from attractor.spec.sparse import SparseSpec

__all__ = ["LanePhases"]


class LanePhases(wiring.Component):
    """One memory, of which whole words are read, and single lanes written two cycles after they are placed.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    placed, placed_group, lane, phase: ``In``
        A target takes on a phase.
    read, group: ``In(1)``, ``In(range(groups))``
        Read the phases of a group.
    phases: ``Out(lanes times phase_bits)``
        Those, in the cycle after.
    """

    placed: Signal
    placed_group: Signal
    lane: Signal
    phase: Signal
    read: Signal
    group: Signal
    phases: Any

    def __init__(self, spec: SparseSpec) -> None:
        self.spec, self.word = spec, data.ArrayLayout(spec.phase_bits, spec.lanes)
        groups = range(groups_of(spec))
        super().__init__(
            {
                "placed": In(1),
                "placed_group": In(groups),
                "lane": In(range(spec.lanes)),
                "phase": In(spec.phase_bits),
                "read": In(1),
                "group": In(groups),
                "phases": Out(self.word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = self.spec.lanes
        m.submodules.memory = storage = memory.Memory(shape=self.word, depth=groups_of(self.spec), init=[])
        read, write = storage.read_port(), storage.write_port(granularity=1)
        # Registered: the lane is found in one cycle, and reaches the enables of many block RAMs in the next.
        enables, group, phase = Signal(lanes), Signal.like(self.placed_group), Signal.like(self.phase)
        m.d.sync += [
            enables.eq(Mux(self.placed, one_hot(self.lane, lanes), 0)),
            group.eq(self.placed_group),
            phase.eq(self.phase),
            Assert(~(read.en & write.en.any() & (read.addr == write.addr)), "phases read while written"),
        ]
        m.d.comb += [
            read.addr.eq(self.group),
            read.en.eq(self.read),
            self.phases.eq(read.data),
            write.addr.eq(group),
            write.en.eq(enables),
            write.data.as_value().eq(phase.replicate(lanes)),
        ]
        return m
