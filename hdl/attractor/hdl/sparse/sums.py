"""The sums of all targets, in one memory for each class."""

from typing import Any

from amaranth.hdl import Assert, Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import add_or_subtract, one_hot
from attractor.hdl.sparse.layouts import Entry, RowWord, groups_of
from attractor.spec.sparse import SparseSpec

__all__ = ["ClassSums", "Sums"]


class ClassSums(wiring.Component):
    """The sums of one class of targets: a word for each group, of those of its targets that lie in the group.

    A coupling takes three cycles::

        cycle      0            1            2
        coupling   read word    add          write

    One may come in every cycle. Where it needs a word that one or two of those before it have changed, it takes over
    the result: this costs two comparators, and no cycle is ever lost. The word is then not read in the very cycle in
    which it is written, of which block RAM makes nothing defined.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    valid, entry, negate, twice: ``In``
        Add the weight of a coupling to the sum of its target, its opposite, or twice as much.
    scan, group: ``In``
        Read the word of this group; not while couplings are added.
    clear: ``In(1)``
        Set that word to 0.
    sums: ``Out(lanes of the class, times accumulator_bits)``
        The word that was read in the cycle before.
    """

    valid: Signal
    entry: Any
    negate: Signal
    twice: Signal
    scan: Signal
    group: Signal
    clear: Signal
    sums: Signal

    def __init__(self, spec: SparseSpec) -> None:
        self.spec, self.share = spec, spec.lanes // spec.entries
        groups = groups_of(spec)
        flags = dict.fromkeys(("valid", "negate", "twice", "scan", "clear"), In(1))
        words = Out(self.share * spec.accumulator_bits)
        super().__init__({**flags, "entry": In(Entry(spec)), "group": In(range(groups)), "sums": words})
        self._groups = groups

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = storage = memory.Memory(shape=len(self.sums), depth=self._groups, init=[])
        read, write = storage.read_port(), storage.write_port()
        place, lane_bits = self.entry.place, self.share.bit_length() - 1
        group, adding_group, written_group = (Signal.like(self.group, name=f"group_{stage}") for stage in range(3))
        # Of the coupling that is added in this cycle: what it takes over, its lane and its addend.
        adding, near, far, negate = Signal(), Signal(), Signal(), Signal()
        selected = Signal(self.share)
        addend = Signal(self.spec.accumulator_bits)
        writing = Signal()
        result, result_before, total = (Signal.like(self.sums, name=name) for name in ("result", "before", "total"))
        is_near, is_far = Signal(), Signal()
        m.d.comb += [
            group.eq(place[lane_bits:]),
            is_near.eq(adding & (group == adding_group)),
            is_far.eq(writing & (group == written_group)),
            read.addr.eq(Mux(self.scan, self.group, group)),
            read.en.eq(self.scan | (self.valid & ~is_far)),
            write.addr.eq(written_group),
            write.en.eq(writing),
            write.data.eq(result),
            self.sums.eq(read.data),
            total.eq(
                self._added(Mux(near, result, Mux(far, result_before, read.data)), Value.cast(addend), selected, negate)
            ),
        ]
        m.d.sync += [
            adding.eq(self.valid),
            adding_group.eq(group),
            near.eq(is_near),
            far.eq(is_far),
            selected.eq(one_hot(place[:lane_bits], self.share) if lane_bits else 1),
            addend.eq(Mux(self.twice, self.entry.weight << 1, self.entry.weight)),
            negate.eq(self.negate),
            writing.eq(adding | self.clear),
            written_group.eq(adding_group),
            result.eq(total),
            result_before.eq(result),
            Assert(~(read.en & write.en & (read.addr == write.addr)), "sums read while written"),
            Assert(~(self.valid & (self.scan | self.clear)), "sums of a coupling while they are scanned"),
        ]
        with m.If(self.clear):
            m.d.sync += [written_group.eq(self.group), result.eq(0)]
        return m

    def _added(self, sums: Value, addend: Value, selected: Signal, negate: Signal) -> Value:
        """Return the sums of a word with the addend added to the selected one."""
        width, words = len(addend), []
        for lane in range(self.share):
            chosen = addend & selected[lane].replicate(width)
            words.append(add_or_subtract(sums[lane * width : (lane + 1) * width], chosen, negate))
        return Cat(words)


class Sums(wiring.Component):
    """The sums of all targets: over what is coupled to each, weight times side.

    The lanes of a group are shared out among the classes: lane l is of class ``l % entries``.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    i: ``In(stream of RowWord, always ready)``
        Add the weights of a word for a source that is up, and subtract them for one that is down.
    twice: ``In(1)``
        Twice, as for one that was on the other side before.
    scan, clear: ``In(1)``
        Read, or set to 0, the sums of a group. Neither while anything is on its way.
    group: ``In(range(groups))``
    sums: ``Out(lanes times accumulator_bits)``
        Those of the group that was read in the cycle before, lane by lane.
    idle: ``Out(1)``
        Nothing is to be written, but what comes in this cycle.
    """

    i: stream.Interface
    twice: Signal
    scan: Signal
    clear: Signal
    group: Signal
    sums: Signal
    idle: Signal

    def __init__(self, spec: SparseSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "i": In(stream.Signature(RowWord(spec), always_ready=True)),
                "twice": In(1),
                "scan": In(1),
                "clear": In(1),
                "group": In(range(groups_of(spec))),
                "sums": Out(spec.lanes * spec.accumulator_bits),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width, entries, word = self.spec.accumulator_bits, self.spec.entries, self.i.payload
        lanes: list[Value] = [Value.cast(0)] * self.spec.lanes
        for number in range(entries):
            part = ClassSums(self.spec)
            m.submodules[f"class_{number}"] = part
            m.d.comb += [
                part.valid.eq(self.i.valid),
                part.entry.eq(word.entries[number]),
                part.negate.eq(~word.up),
                part.twice.eq(self.twice),
                part.scan.eq(self.scan),
                part.group.eq(self.group),
                part.clear.eq(self.clear),
            ]
            for place in range(part.share):
                lanes[place * entries + number] = part.sums[place * width : (place + 1) * width]
        # A coupling is added in the cycle after it came, and written in the one after that.
        adding, writing = Signal(), Signal()
        m.d.sync += [adding.eq(self.i.valid), writing.eq(adding)]
        m.d.comb += [self.sums.eq(Cat(lanes)), self.idle.eq(~(adding | writing))]
        return m
