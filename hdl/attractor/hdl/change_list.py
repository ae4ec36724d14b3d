"""Keeps what changed in memory until it is asked for: the change queue of networks with many groups."""

from amaranth.hdl import Assert, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from attractor.hdl.change_queue import CHUNK_LANES
from attractor.hdl.lane_walker import LaneWalker

__all__ = ["ChangeList"]


class ChangeList(wiring.Component):
    """Takes change masks, one group of targets at a time, and gives out the changed targets one by one.

    It does what a :class:`~attractor.hdl.change_queue.ChangeQueue` does, with masks in a memory instead of
    registers, one word for each group that has a change: its logic goes with the lanes and not with the targets.
    Groups come out in the order in which their masks came.

    Masks may come in every cycle, but no more than ``groups`` of them may wait. The first change is on ``o`` four
    cycles after its mask, later where the first chunks of its word are empty; ``empty`` is true two cycles after an
    empty mask, and no more than a cycle for each chunk after the last change.

    Parameters
    ----------
    groups, lanes:
        Targets are ``groups * lanes``.
    chunk_lanes:
        Lanes of a chunk, see :class:`~attractor.hdl.lane_walker.LaneWalker`.

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

    def __init__(self, groups: int, lanes: int, *, chunk_lanes: int = CHUNK_LANES) -> None:
        self.groups, self.lanes = groups, lanes
        self._walker = LaneWalker(groups, lanes, chunk_lanes=chunk_lanes)
        super().__init__(
            {
                "i": In(stream.Signature(self._walker.marks, always_ready=True)),
                "o": Out(stream.Signature(self._walker.change)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walker = walker = self._walker
        depth_bits = ceil_log2(self.groups)
        storage = memory.Memory(shape=walker.marks, depth=1 << depth_bits, init=[])
        m.submodules.words = storage
        read, write = storage.read_port(), storage.write_port()
        # One bit more than an address has, so that a full list is not taken for an empty one.
        loaded = Signal(depth_bits + 1)
        taken = Signal(depth_bits + 1)
        valid = Signal()
        waiting = Signal()
        # Registered: cuts the path from the sums of all lanes, which decide what a mask is, to the write port of the
        # memory and its enable; costs one cycle before the first change.
        arrived = Signal()
        marks = Signal(walker.marks)
        m.d.sync += [arrived.eq(self.i.valid), marks.eq(self.i.payload)]
        m.d.comb += [
            waiting.eq(loaded != taken),
            write.addr.eq(loaded[:depth_bits]),
            write.en.eq(arrived & marks.mask.any()),
            write.data.eq(marks),
            read.addr.eq(taken[:depth_bits]),
            read.en.eq(waiting & (~valid | walker.i.ready)),
            walker.i.valid.eq(valid),
            walker.i.payload.eq(read.data),
            self.empty.eq(~(self.i.valid | arrived | waiting) & walker.idle),
        ]
        m.d.sync += [
            loaded.eq(loaded + write.en),
            taken.eq(taken + read.en),
            valid.eq(read.en | (valid & ~walker.i.ready)),
            Assert(~(read.en & write.en & (read.addr == write.addr)), "change read while written"),
            Assert(~write.en | ((loaded - taken)[: depth_bits + 1] < 1 << depth_bits), "too many changes wait"),
        ]
        wiring.connect(m, walker.o, wiring.flipped(self.o))
        return m
