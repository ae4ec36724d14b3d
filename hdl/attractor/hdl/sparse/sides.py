"""On which side every target is, or which sign its field had; and which targets are free to move."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import one_hot
from attractor.hdl.oscillator.move import Placement
from attractor.hdl.sparse.layouts import groups_of
from attractor.spec.sparse import SparseSpec

__all__ = ["GroupSides", "Sides"]


class GroupSides(data.StructLayout):
    """What is kept of the targets of a group.

    Members
    -------
    high: ``lanes``
        Those at phase 0; the others are at half a period. With full phases, those whose reference is high: the sign of
        their field in the last slot, and before the first their own level.
    free: ``lanes``
        Those that are not clamped in this call; lanes without a target are not.
    """

    def __init__(self, spec: SparseSpec) -> None:
        super().__init__({"high": spec.lanes, "free": spec.lanes})


class Sides(wiring.Component):
    """One memory with a word for each group.

    At the start of a call a word is put together from the targets as they come, lane by lane, and written in the cycle
    after the last of them; in a slot it is read, and written a few cycles later.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    placed: ``In(1)``
        ``placement`` comes in this cycle.
    placement: ``In(Placement)``
        An oscillator, the first one first.
    read, group: ``In(1)``, ``In(range(groups))``
        Read the word of a group.
    sides: ``Out(GroupSides)``
        That of the cycle before.
    write, written_group, written: ``In(1)``, ``In(range(groups))``, ``In(GroupSides)``
        Write one.
    """

    placed: Signal
    placement: Any
    read: Signal
    group: Signal
    sides: Any
    write: Signal
    written_group: Signal
    written: Any

    def __init__(self, spec: SparseSpec) -> None:
        self.spec, self.word = spec, GroupSides(spec)
        groups = range(groups_of(spec))
        super().__init__(
            {
                "placed": In(1),
                "placement": In(Placement(spec)),
                "read": In(1),
                "group": In(groups),
                "sides": Out(self.word),
                "write": In(1),
                "written_group": In(groups),
                "written": In(self.word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = storage = memory.Memory(shape=self.word, depth=groups_of(self.spec), init=[])
        read, write = storage.read_port(), storage.write_port()
        gathered, whole = Signal(self.word), Signal()
        group = Signal.like(self.group)
        self._gather(m, gathered, group, whole)
        m.d.comb += [
            read.addr.eq(self.group),
            read.en.eq(self.read),
            self.sides.eq(read.data),
            write.addr.eq(Mux(whole, group, self.written_group)),
            write.data.eq(Mux(whole, gathered, self.written)),
            write.en.eq(whole | self.write),
        ]
        m.d.sync += [
            Assert(~(read.en & write.en & (read.addr == write.addr)), "sides read while written"),
            Assert(~(whole & self.write), "sides loaded in a slot"),
        ]
        return m

    def _gather(self, m: Module, word: data.View, group: Signal, whole: Signal) -> None:
        """Put the word of a group together; ``whole`` says that it is."""
        lanes, placement = self.spec.lanes, self.placement
        # The level before the first slot is the opposite of that in it.
        high = ~placement.new[-1] if self.spec.binary else placement.new[-1]
        takes, lane, kept = Signal(), Signal(lanes), Signal(self.word)
        last = (placement.lane == lanes - 1) | (placement.source == self.spec.oscillators - 1)
        m.d.comb += [
            takes.eq(self.placed & placement.free),
            lane.eq(Mux(takes, one_hot(placement.lane, lanes), 0)),
            kept.eq(Mux(whole, 0, word)),
        ]
        m.d.sync += [
            whole.eq(takes & last),
            word.high.eq(kept.high | (lane & high.replicate(lanes))),
            word.free.eq(kept.free | (lane & (~placement.clamp).replicate(lanes))),
        ]
        with m.If(takes):
            m.d.sync += group.eq(placement.group)
