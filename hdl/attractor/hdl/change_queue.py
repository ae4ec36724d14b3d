"""Finds what changed, without scanning what did not."""

from amaranth.hdl import Array, Cat, Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import lowest

__all__ = ["CHUNK_LANES", "Change", "ChangeQueue"]

#: Targets that share one find-first step; small enough for one short path, large enough to keep chunks few.
CHUNK_LANES = 16


class Change(data.StructLayout):
    """A target that changed.

    Members
    -------
    group: ``range(groups)``
    lane: ``range(lanes)``
    flag: ``1``
        The flag that was loaded with it.
    """

    def __init__(self, groups: int, lanes: int) -> None:
        super().__init__({"group": range(groups), "lane": range(lanes), "flag": 1})


class ChangeQueue(wiring.Component):
    """Takes change masks, one group of targets at a time, and gives out the changed targets one by one.

    Two-level find-first: targets are cut into chunks of :data:`CHUNK_LANES`; the first chunk with a change is found in
    one cycle, fetched in the next, and then gives one target a cycle while the next chunk is being found. Targets
    come out in rising order of group and lane.

    A mask may be loaded in every cycle, but only into a group of which nothing is waiting. The first change is on
    ``o`` three cycles after its ``load``; ``empty`` is true two cycles after a ``load`` of nothing.

    Parameters
    ----------
    groups, lanes:
        Targets are ``groups * lanes``.

    Members
    -------
    load: ``In(1)``
        Take ``mask`` and ``flags`` for ``group`` in this cycle.
    group: ``In(range(groups))``
    mask: ``In(lanes)``
        Which lanes changed.
    flags: ``In(lanes)``
        A bit that goes with each change.
    o: ``Out(stream of Change)``
    empty: ``Out(1)``
        Nothing is waiting and nothing is on its way to ``o``.
    """

    load: Signal
    group: Signal
    mask: Signal
    flags: Signal
    o: stream.Interface
    empty: Signal

    def __init__(self, groups: int, lanes: int) -> None:
        self.groups, self.lanes = groups, lanes
        self.change = Change(groups, lanes)
        super().__init__(
            {
                "load": In(1),
                "group": In(range(groups)),
                "mask": In(lanes),
                "flags": In(lanes),
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

        # The first chunk with a change, as of the last cycle; stale while the chunks have just been changed.
        first, found, stale = Signal(range(len(places))), Signal(), Signal()
        fetch = Signal()
        pending = Cat(chunk.any() for chunk in waiting)
        m.d.sync += [first.eq(lowest(pending)), found.eq(pending.any()), stale.eq(self.load | fetch)]

        # The chunk that is given out.
        chunk, chunk_flags = Signal(width), Signal(width)
        group, start = Signal(range(self.groups)), Signal(range(self.lanes))
        rest = chunk & (chunk - 1)[:width]
        lane = lowest(chunk)
        m.d.comb += [
            self.o.valid.eq(chunk.any()),
            self.o.payload.group.eq(group),
            self.o.payload.lane.eq(start + lane),
            self.o.payload.flag.eq(chunk_flags.bit_select(lane, 1)),
            fetch.eq(found & ~stale & (~chunk.any() | (self.o.ready & ~rest.any()))),
            self.empty.eq(~(self.load | stale | found | chunk.any())),
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

        for index, (place_group, place_start) in enumerate(places):
            with m.If(fetch & (first == index)):
                m.d.sync += waiting[index].eq(0)
            with m.If(self.load & (self.group == place_group)):
                lanes = slice(place_start, place_start + width)
                m.d.sync += [waiting[index].eq(self.mask[lanes]), flags[index].eq(self.flags[lanes])]
        return m
