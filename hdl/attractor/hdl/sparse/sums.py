"""The sums of all targets, and what edges make of them, in one memory for each class."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import add_or_subtract, one_hot
from attractor.hdl.sparse.layouts import Entry, RowWord, groups_of, numbers_of
from attractor.hdl.sparse.rewritten import RewrittenMemory
from attractor.spec.sparse import SparseSpec

__all__ = ["ClassSums", "Step", "Sums"]


class Step(data.StructLayout):
    """What a coupling does to the numbers of its target: a bit for each, the last one that of the sum.

    Members
    -------
    adds: ``numbers``
        The weight is added.
    negate: ``numbers``
        Its opposite is.
    twice: ``numbers``
        Twice as much.
    """

    def __init__(self, spec: SparseSpec) -> None:
        super().__init__(dict.fromkeys(("adds", "negate", "twice"), numbers_of(spec)))


def step_of(spec: SparseSpec, effect: data.View) -> dict[str, Value]:
    """Return the members of the step that all couplings of a visited oscillator make.

    A level that flips counts twice, and one that was not there before once. With full phases difference b is what the
    edges at slot b make of a sum: a rise adds the weight, a fall half a period later subtracts it, so a phase in the
    second half counts negative. The old edge is taken out and the new one put in, in one go: into one difference, and
    twice then, where a phase moves by half a period.
    """
    if spec.binary:
        return {"adds": Value.cast(1), "negate": ~effect.up, "twice": ~effect.first}
    old, new = effect.old, effect.new
    banks = range(spec.period // 2)
    takes = [~effect.first & (old[:-1] == bank) for bank in banks]
    puts = [new[:-1] == bank for bank in banks]
    return {
        "adds": Cat(*(took | put for took, put in zip(takes, puts, strict=True)), effect.level),
        "negate": Cat(*(Mux(took, ~old[-1], new[-1]) for took in takes), effect.low),
        "twice": Cat(*(took & put for took, put in zip(takes, puts, strict=True)), ~effect.first),
    }


class ClassSums(wiring.Component):
    """The numbers of one class of targets: a word for each group, of those of its targets that lie in the group.

    A coupling may come in every cycle, see :class:`~attractor.hdl.sparse.rewritten.RewrittenMemory`: all numbers of its
    target are changed at once. With full phases a scanned word is changed, too: for each target, twice the difference
    of this slot is added to the sum, or subtracted in the second half of a period.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    valid, entry, step: ``In``
        Change the numbers of the target of a coupling.
    scan, group: ``In``
        Read the word of this group; not while couplings are added.
    slot: ``In(phase_bits)``
        The present slot; constant until the sums of a scan are there. Only with full phases.
    clear: ``In(1)``
        Set that word to 0.
    sums: ``Out(lanes of the class, times accumulator_bits)``
        The sums of the word that was scanned in the cycle before, or with full phases three cycles before.
    busy: ``Out(1)``
        A word is to be written, but the one that is asked for in this cycle.
    """

    valid: Signal
    entry: data.View
    step: data.View
    scan: Signal
    group: Signal
    slot: Signal
    clear: Signal
    sums: Signal
    busy: Signal

    def __init__(self, spec: SparseSpec) -> None:
        self.spec, self.share = spec, spec.lanes // spec.entries
        self._groups, self._numbers = groups_of(spec), numbers_of(spec)
        super().__init__(
            {
                **dict.fromkeys(("valid", "scan", "clear"), In(1)),
                "entry": In(Entry(spec)),
                "step": In(Step(spec)),
                "group": In(range(self._groups)),
                "sums": Out(self.share * spec.accumulator_bits),
                "busy": Out(1),
            }
            | ({} if spec.binary else {"slot": In(spec.phase_bits)})
        )
        self._target = data.ArrayLayout(spec.accumulator_bits, self._numbers)
        self._word = data.ArrayLayout(self._target, self.share)
        # What a coupling adds, and to which of the targets of its word; and that the word is scanned.
        self._work = data.StructLayout(
            {"selected": self.share, "addends": self._target, "negate": self._numbers, "folds": 1}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full = not self.spec.binary
        m.submodules.words = words = RewrittenMemory(self._word.size, self._groups, registered=full)
        place, lane_bits = self.entry.place, self.share.bit_length() - 1
        group = Signal.like(self.group, name="coupled_group")
        m.d.comb += [
            group.eq(place[lane_bits:]),
            words.address.eq(Mux(self.scan | self.clear, self.group, group)),
            words.read.eq(self.scan | self.clear | self.valid),
            words.rewrite.eq(self.clear | self.valid | (self.scan if full else 0)),
            words.clear.eq(self.clear),
            self.busy.eq(words.busy),
        ]
        asked, work = Signal(self._work), Signal(self._work)
        self._ask(m, asked, lane_bits)
        if full:
            waiting = Signal(self._work)
            m.d.sync += [waiting.eq(asked), work.eq(waiting)]
        else:
            m.d.sync += work.eq(asked)
        word = Signal(self._word)
        m.d.comb += [word.as_value().eq(words.word), words.changed.eq(self._changed(word, work))]
        seen = data.View(self._word, words.result) if full else word
        m.d.comb += self.sums.eq(Cat(seen[lane][-1] for lane in range(self.share)))
        return m

    def _ask(self, m: Module, asked: data.View, lane_bits: int) -> None:
        """Say what is to be done with the word that is read."""
        spec, step, weight = self.spec, self.step, Signal(self.spec.accumulator_bits)
        m.d.comb += [
            weight.eq(self.entry.weight),
            asked.selected.eq(one_hot(self.entry.place[:lane_bits], self.share) if lane_bits else 1),
            asked.negate.eq(step.negate),
        ]
        for number in range(self._numbers):
            addend = Mux(step.twice[number], weight << 1, weight)
            with m.If(self.valid & step.adds[number]):
                m.d.comb += asked.addends[number].eq(addend)
        if not spec.binary:
            m.d.comb += asked.folds.eq(self.scan)
            with m.If(self.scan):
                m.d.comb += asked.negate.eq(Cat(step.negate[:-1], self.slot[-1]))

    def _changed(self, word: data.View, work: data.View) -> Value:
        """Return the word with the addends added to the numbers of the selected target, or as scanned."""
        width, targets = self.spec.accumulator_bits, []
        for lane in range(self.share):
            target, chosen = word[lane], work.selected[lane].replicate(width)
            addends = [work.addends[number] & chosen for number in range(self._numbers)]
            if not self.spec.binary:
                difference = Array(target[bank] for bank in range(self._numbers - 1))[self.slot[:-1]]
                addends[-1] |= (difference << 1)[:width] & work.folds.replicate(width)
            targets += [
                add_or_subtract(target[number], addend, work.negate[number]) for number, addend in enumerate(addends)
            ]
        return Cat(targets)


class Sums(wiring.Component):
    """The sums of all targets: over what is coupled to each, weight times side or, with full phases, times level.

    The lanes of a group are shared out among the classes: lane l is of class ``l % entries``.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    i: ``In(stream of RowWord, always ready)``
        Add the couplings of a word.
    scan, clear: ``In(1)``
        Read, or set to 0, the sums of a group. Neither while anything is on its way.
    group: ``In(range(groups))``
    slot: ``In(phase_bits)``
        The present slot. Only with full phases.
    sums: ``Out(lanes times accumulator_bits)``
        Those of the group that was scanned in the cycle before, lane by lane; with full phases three cycles before, as
        they are in this slot.
    idle: ``Out(1)``
        Nothing is to be written, but what comes in this cycle.
    """

    i: stream.Interface
    scan: Signal
    clear: Signal
    group: Signal
    slot: Signal
    sums: Signal
    idle: Signal

    def __init__(self, spec: SparseSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "i": In(stream.Signature(RowWord(spec), always_ready=True)),
                "scan": In(1),
                "clear": In(1),
                "group": In(range(groups_of(spec))),
                "sums": Out(spec.lanes * spec.accumulator_bits),
                "idle": Out(1),
            }
            | ({} if spec.binary else {"slot": In(spec.phase_bits)})
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width, entries, word = self.spec.accumulator_bits, self.spec.entries, self.i.payload
        lanes: list[Value] = [Value.cast(0)] * self.spec.lanes
        step = Signal(Step(self.spec))
        m.d.comb += [step[name].eq(value) for name, value in step_of(self.spec, word.effect).items()]
        parts = [ClassSums(self.spec) for _ in range(entries)]
        for number, part in enumerate(parts):
            m.submodules[f"class_{number}"] = part
            m.d.comb += [
                part.valid.eq(self.i.valid),
                part.entry.eq(word.entries[number]),
                part.step.eq(step),
                part.scan.eq(self.scan),
                part.group.eq(self.group),
                part.clear.eq(self.clear),
            ]
            if not self.spec.binary:
                m.d.comb += part.slot.eq(self.slot)
            for place in range(part.share):
                lanes[place * entries + number] = part.sums[place * width : (place + 1) * width]
        # All classes are at the same stage.
        m.d.comb += self.idle.eq(~parts[0].busy)
        m.d.comb += self.sums.eq(Cat(lanes))
        return m
