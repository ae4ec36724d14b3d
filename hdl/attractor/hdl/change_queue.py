"""Finds what changed, without scanning what did not."""

from amaranth.hdl import Array, Cat, Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import lowest
from attractor.spec.base import CHUNK_LANES

__all__ = ["CHUNK_LANES", "Change", "ChangeQueue", "Marks"]


class Change(data.StructLayout):
    """A target that changed.

    Members
    -------
    group: ``range(groups)``
    lane: ``range(lanes)``
    flag: ``1``
        The flag that came with it.
    """

    def __init__(self, groups: int, lanes: int) -> None:
        super().__init__({"group": range(groups), "lane": range(lanes), "flag": 1})


class Marks(data.StructLayout):
    """Lanes of a group that are marked, because their targets changed.

    Members
    -------
    group: ``range(groups)``
    mask: ``lanes``
        Which lanes are marked.
    flags: ``lanes``
        A bit that goes with each.
    """

    def __init__(self, groups: int, lanes: int) -> None:
        super().__init__({"group": range(groups), "mask": lanes, "flags": lanes})


class ChangeQueue(wiring.Component):
    """Takes change masks, one group of targets at a time, and gives out the changed targets one by one.

    Two-level find-first: targets are cut into chunks of :data:`CHUNK_LANES`; the first chunk with a change is found in
    one cycle, fetched in the next, and then gives one target a cycle while the next chunk is being found. Targets
    come out in rising order of group and lane.

    Masks may come in every cycle, but only of a group of which nothing is waiting. The first change is on ``o`` three
    cycles after its mask; ``empty`` is true two cycles after an empty mask.

    Parameters
    ----------
    groups, lanes:
        Targets are ``groups * lanes``.

    Members
    -------
    i: ``In(stream of Marks, always ready)``
    o: ``Out(stream of Change)``
    empty: ``Out(1)``
        Nothing is waiting and nothing is on its way to ``o``.
    """

    i: stream.Interface
    o: stream.Interface
    empty: Signal

    def __init__(self, groups: int, lanes: int) -> None:
        self.groups, self.lanes = groups, lanes
        self.change = Change(groups, lanes)
        super().__init__(
            {
                "i": In(stream.Signature(Marks(groups, lanes), always_ready=True)),
                "o": Out(stream.Signature(self.change)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        starts = range(0, self.lanes, CHUNK_LANES)
        width = min(CHUNK_LANES, self.lanes)
        places = [(group, start) for group in range(self.groups) for start in starts]
        waiting = [Signal(width, name=f"waiting_{group}_{start}") for group, start in places]
        flags = [Signal(width, name=f"flags_{group}_{start}") for group, start in places]

        # The first chunk with a change. Registered: cuts the path from the find-first over all chunks to the fetch of
        # that chunk; costs one cycle before the first change, and makes ``first`` stale in a cycle after the chunks
        # changed.
        first = Signal(range(len(places)))
        found = Signal()
        stale = Signal()
        fetch = Signal()
        pending = Cat(chunk.any() for chunk in waiting)
        m.d.sync += [first.eq(lowest(pending)), found.eq(pending.any()), stale.eq(self.i.valid | fetch)]

        # The chunk that is being given out, one change a cycle.
        chunk, chunk_flags = Signal(width, name="chunk"), Signal(width, name="chunk_flags")
        group, start = Signal(range(self.groups), name="group"), Signal(range(self.lanes), name="start")
        rest = chunk & (chunk - 1)[:width]
        lane = lowest(chunk)
        m.d.comb += [
            self.o.valid.eq(chunk.any()),
            self.o.payload.group.eq(group),
            self.o.payload.lane.eq(start + lane),
            self.o.payload.flag.eq(chunk_flags.bit_select(lane, 1)),
            fetch.eq(found & ~stale & (~chunk.any() | (self.o.ready & ~rest.any()))),
            self.empty.eq(~(self.i.valid | stale | found | chunk.any())),
        ]
        with m.If(fetch):
            m.d.sync += [
                chunk.eq(Array(waiting)[first]),
                chunk_flags.eq(Array(flags)[first]),
                group.eq(Array(Const(place[0], len(group)) for place in places)[first]),
                start.eq(Array(Const(place[1], len(start)) for place in places)[first]),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += chunk.eq(rest)

        marks = self.i.payload
        for index, (place_group, place_start) in enumerate(places):
            with m.If(fetch & (first == index)):
                m.d.sync += waiting[index].eq(0)
            with m.If(self.i.valid & (marks.group == place_group)):
                lanes = slice(place_start, place_start + width)
                m.d.sync += [waiting[index].eq(marks.mask[lanes]), flags[index].eq(marks.flags[lanes])]
        return m
