"""Gives the marked lanes of a word one by one."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import lowest
from attractor.hdl.change_queue import CHUNK_LANES, Change, Marks

__all__ = ["LaneWalker"]


class LaneWalker(wiring.Component):
    """Turns words of marked lanes into changes, in rising order of the lanes.

    Lanes are cut into chunks. A chunk takes a cycle to be fetched,
    in which the last change of the one before may leave, and then gives a change a cycle; an empty chunk takes just
    that one cycle. A word stays on ``i`` until its last chunk is fetched.

    Parameters
    ----------
    groups, lanes:
        Targets are ``groups * lanes``.
    chunk_lanes:
        Lanes of a chunk: the more, the longer the path of the find-first, and the fewer cycles for empty chunks.

    Members
    -------
    i: ``In(stream of Marks)``
    o: ``Out(stream of Change)``
    idle: ``Out(1)``
        Nothing is inside, and nothing is on ``i``.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(self, groups: int, lanes: int, *, chunk_lanes: int = CHUNK_LANES) -> None:
        self.groups, self.lanes, self.chunk_lanes = groups, lanes, chunk_lanes
        self.marks, self.change = Marks(groups, lanes), Change(groups, lanes)
        super().__init__(
            {"i": In(stream.Signature(self.marks)), "o": Out(stream.Signature(self.change)), "idle": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        starts = range(0, self.lanes, self.chunk_lanes)
        width = min(self.chunk_lanes, self.lanes)
        number = Signal(range(len(starts)))
        chunk = Signal(width)
        flags = Signal(width)
        group = Signal(range(self.groups))
        start = Signal(range(self.lanes))
        rest = chunk & (chunk - 1)[:width]
        fetch = Signal()
        last = Signal()
        lane = lowest(chunk)
        m.d.comb += [
            fetch.eq(self.i.valid & (~chunk.any() | (self.o.ready & ~rest.any()))),
            last.eq(number == len(starts) - 1),
            self.i.ready.eq(fetch & last),
            self.o.valid.eq(chunk.any()),
            self.o.payload.group.eq(group),
            self.o.payload.lane.eq(start + lane),
            self.o.payload.flag.eq(flags.bit_select(lane, 1)),
            self.idle.eq(~self.i.valid & ~chunk.any()),
        ]
        marks = self.i.payload
        with m.If(fetch):
            m.d.sync += [
                number.eq(Mux(last, 0, number + 1)),
                chunk.eq(Array(marks.mask[first : first + width] for first in starts)[number]),
                flags.eq(Array(marks.flags[first : first + width] for first in starts)[number]),
                start.eq(Array(starts)[number]),
                group.eq(marks.group),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += chunk.eq(rest)
        return m
