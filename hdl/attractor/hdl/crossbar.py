"""The event-driven crossbar that every network family stands on."""

from collections.abc import Sequence

from amaranth.hdl import Assert, Cat, Const, Module, Mux, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import add_or_subtract, sign_extend, times_constant
from attractor.hdl.core import WindowSignature, port_name
from attractor.spec import Window


class Kind(enum.Enum, shape=2):
    """What an operation does to the accumulators of all targets, or to their weights."""

    #: ``accumulator[bank] += increment * weight[source]``: an event.
    ADD = 0
    #: ``accumulator[bank] += increment * (accumulator[addend] << fold_shift)``.
    FOLD = 1
    #: ``accumulator[bank] = accumulator[addend] + increment * amplitude``: noise, thresholds, and copies.
    PUSH = 2
    #: ``weight[source] += increment`` where ``learns``; a weight at the end of its range stays. Accumulators stay.
    LEARN = 3


class Operation(data.StructLayout):
    """One operation on all targets.

    Members
    -------
    kind: :class:`Kind`
    source: ``range(sources)``
        Row of the weights; ADD and LEARN only.
    bank: ``range(banks)``
        Accumulator that changes.
    addend: ``range(banks)``
        The other accumulator; FOLD and PUSH only.
    negate: ``1``
        The increment is -1 instead of 1.
    amplitude: ``sum_bits``
        PUSH only.
    context: any
        Handed on with each :class:`Beat` of the operation.
    """

    def __init__(self, sources: int, banks: int, sum_bits: int, context: ShapeLike) -> None:
        super().__init__(
            {
                "kind": Kind,
                "source": range(sources),
                "bank": range(banks),
                "addend": range(banks),
                "negate": 1,
                "amplitude": sum_bits,
                "context": context,
            }
        )


class Beat(data.StructLayout):
    """One group of targets being written: what the neurons see, and when.

    Members
    -------
    kind, bank, context:
        Those of the operation.
    group: ``range(groups)``
        Targets ``group * lanes`` and following.
    sums: ``lanes`` times ``signed(sum_bits)``
        What is written.
    tags: ``lanes`` times ``tag_bits``
        Tags of the accumulator that was read: that of ``bank``, for PUSH that of ``addend``.
    addend_tags: ``lanes`` times ``tag_bits``
        Tags of the accumulator that is added; FOLD only.
    states: ``lanes`` times ``state_bits``
        States of the neurons, as they were.
    """

    def __init__(
        self,
        *,
        banks: int,
        groups: int,
        lanes: int,
        sum_shape: Shape,
        tag_bits: int,
        state_bits: int,
        context: ShapeLike,
    ) -> None:
        super().__init__(
            {
                "kind": Kind,
                "bank": range(banks),
                "group": range(groups),
                "context": context,
                "sums": data.ArrayLayout(sum_shape, lanes),
                "tags": data.ArrayLayout(tag_bits, lanes),
                "addend_tags": data.ArrayLayout(tag_bits, lanes),
                "states": data.ArrayLayout(state_bits, lanes),
            }
        )


class Crossbar(wiring.Component):
    """Weights in block RAM, accumulators beside them, and one adder for each lane.

    Every target has one accumulator for each bank. An operation visits all targets, ``lanes`` of them in a cycle::

        cycle            0            1            2
        issue      read group 0  read group 1      .
        execute          .       write group 0  write group 1

    An operation takes one cycle for each group, FOLD two: the first reads the accumulator to be added. Operations
    follow each other without a gap; an issue waits one cycle where it would read the accumulator that is being
    written. Each accumulator carries ``tag_bits`` bits, and each target ``state_bits`` bits, that belong to the
    neuron: they are shown with each beat and replaced by ``tags`` and ``states`` in the same cycle.

    A lane is one carry chain. What it adds is the weight, or else the addend and the amplitude together: the addend is
    0 but in a FOLD, the amplitude but in a PUSH, so that a bit of the sum needs one look-up table of six inputs.

    ``i`` is ready in the last cycle in which the operation is issued. Beats come one cycle after their issue and
    cannot be held back. The weight windows must not be used while ``i`` is valid or ``busy`` is high.

    Parameters
    ----------
    sources:
        Rows of the weights.
    groups, lanes:
        Targets are ``groups * lanes``.
    weight_bits, sum_bits:
        Signed widths. Sums wrap around, so ``sum_bits`` must hold every sum that is looked at.
    banks:
        Accumulators for each target; all hold 0 when the device starts.
    windows:
        Windows of the weight memories, each of ``sources * groups`` words, together ``lanes`` weights wide.
    fold_shift:
        FOLD adds the accumulator times ``2 ** fold_shift``.
    tag_bits, state_bits:
        Bits beside each accumulator, and beside each target, that belong to the neuron.
    context:
        Shape of what an operation hands on to its beats.
    learning:
        There are LEARN operations.

    Members
    -------
    i: ``In(stream of Operation)``
    beat: ``Out(Beat)``
        Valid while ``beat_valid``.
    tags: ``In(lanes times tag_bits)``
    states: ``In(lanes times state_bits)``
        What to write in this beat.
    signs: ``In(lanes)``
        Lanes whose increment is the opposite in this beat.
    learns: ``In(lanes)``
        Lanes whose weight changes in this beat; LEARN only.
    busy: ``Out(1)``
        A write is still to come.
    weights: ``In(one WindowSignature for each window)``
    """

    i: stream.Interface
    beat: data.View
    beat_valid: Signal
    tags: data.View
    states: data.View
    signs: Signal
    learns: Signal
    busy: Signal
    weights: wiring.PureInterface

    def __init__(
        self,
        *,
        sources: int,
        groups: int,
        lanes: int,
        weight_bits: int,
        sum_bits: int,
        banks: int,
        windows: Sequence[Window],
        fold_shift: int = 0,
        tag_bits: int = 0,
        state_bits: int = 0,
        context: ShapeLike = 0,
        learning: bool = False,
    ) -> None:
        if sum(window.word_bits for window in windows) != lanes * weight_bits:
            raise ValueError(f"windows {windows} do not hold {lanes} weights of {weight_bits} bits")
        self.sources, self.groups, self.lanes, self.banks = sources, groups, lanes, banks
        self.weight_bits, self.sum_bits = weight_bits, sum_bits
        self.windows, self.fold_shift, self.learning = tuple(windows), fold_shift, learning
        self.tag_bits, self.state_bits = tag_bits, state_bits
        self.operation = Operation(sources, banks, sum_bits, context)
        self._word = data.StructLayout({"sum": Shape(sum_bits, signed=True), "tags": tag_bits})
        beat = Beat(
            banks=banks,
            groups=groups,
            lanes=lanes,
            sum_shape=Shape(sum_bits, signed=True),
            tag_bits=tag_bits,
            state_bits=state_bits,
            context=context,
        )
        super().__init__(
            {
                "i": In(stream.Signature(self.operation)),
                "beat": Out(beat),
                "beat_valid": Out(1),
                "tags": In(data.ArrayLayout(tag_bits, lanes)),
                "states": In(data.ArrayLayout(state_bits, lanes)),
                "signs": In(lanes),
                "learns": In(lanes),
                "busy": Out(1),
                "weights": In(wiring.Signature({port_name(w): Out(WindowSignature(w)) for w in windows})),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self.banks * self.groups

        # Issue
        operation = self.i.payload
        group = Signal(range(self.groups))
        second = Signal()
        fetches_addend = Signal()
        address, row = Signal(range(depth)), Signal(range(self.sources * self.groups))
        hazard, issue = Signal(), Signal()
        reads_addend = fetches_addend | (operation.kind == Kind.PUSH)
        m.d.comb += [
            fetches_addend.eq((operation.kind == Kind.FOLD) & ~second),
            address.eq(times_constant(Mux(reads_addend, operation.addend, operation.bank), self.groups) + group),
            row.eq(times_constant(operation.source, self.groups) + group),
            issue.eq(self.i.valid & ~hazard),
            self.i.ready.eq(issue & ~fetches_addend & (group == self.groups - 1)),
        ]
        with m.If(issue):
            m.d.sync += second.eq(fetches_addend)
            with m.If(~fetches_addend):
                m.d.sync += group.eq(Mux(group == self.groups - 1, 0, group + 1))

        # Execute
        executing = Signal(self.operation)
        executing_group, write_address, executing_row = Signal.like(group), Signal.like(address), Signal.like(row)
        write, keep = Signal(), Signal()
        written = Signal.like(address)
        m.d.comb += written.eq(times_constant(operation.bank, self.groups) + group)
        m.d.sync += [write.eq(issue & ~fetches_addend), keep.eq(issue & fetches_addend)]
        with m.If(issue):
            m.d.sync += [executing.eq(operation), executing_group.eq(group), executing_row.eq(row)]
            m.d.sync += write_address.eq(written)
            with m.If(operation.kind != Kind.PUSH):
                m.d.sync += executing.amplitude.eq(0)
        # Block RAM returns nothing defined when a word is read while it is written.
        learns = write & (executing.kind == Kind.LEARN) if self.learning else Const(0)
        rereads = write & (write_address == address) if depth > 1 else Const(0)
        m.d.comb += hazard.eq(rereads | (learns & (executing_row == row)))
        words = [Signal(self._word, name=f"word_{lane}") for lane in range(self.lanes)]
        old = self._memory(m, "accumulators", depth, issue, address, write & ~learns, write_address, words)
        states = [Signal(self.state_bits, name=f"state_{lane}") for lane in range(self.lanes)]
        states_before = self._memory(
            m, "neurons", self.groups, issue & ~fetches_addend, group, write, executing_group, states
        )
        changed = Signal(self.lanes * self.weight_bits)
        weights = self._weights(m, issue & ~fetches_addend, row, learns, executing_row, changed)
        if self.learning:
            m.d.comb += changed.eq(Cat(self._learn(executing, lane, weights[lane]) for lane in range(self.lanes)))
        for lane in range(self.lanes):
            before = data.View(self._word, old[lane])
            self._lane(m, lane, executing, keep, before, weights[lane], words[lane])
            m.d.comb += [states[lane].eq(self.states[lane]), self.beat.states[lane].eq(states_before[lane])]
        m.d.comb += [
            self.busy.eq(write | keep),
            self.beat_valid.eq(write),
            self.beat.kind.eq(executing.kind),
            self.beat.bank.eq(executing.bank),
            self.beat.group.eq(executing_group),
            self.beat.context.eq(executing.context),
        ]
        return m

    def _weights(
        self, m: Module, issue: Value, row: Value, learns: Value, learnt_row: Value, changed: Value
    ) -> list[Value]:
        """Return the weights of the row read in the last cycle, lane by lane."""
        lanes: list[Value] = []
        start = 0
        for window in self.windows:
            port = getattr(self.weights, port_name(window))
            storage = memory.Memory(shape=unsigned(window.word_bits), depth=window.words, init=[])
            m.submodules[port_name(window)] = storage
            read, write = storage.read_port(), storage.write_port()
            # Without learning both ports share one address: all that a single-ported memory needs.
            address = Mux(port.read | port.write, port.address, row)
            m.d.comb += [
                read.addr.eq(address),
                read.en.eq(port.read | issue),
                port.read_data.eq(read.data),
                write.addr.eq(Mux(learns, learnt_row, port.address) if self.learning else address),
                write.en.eq(port.write | learns),
                write.data.eq(Mux(learns, changed[start : start + window.word_bits], port.write_data)),
            ]
            m.d.sync += [
                Assert(~(port.write & read.en) & ~(port.read & issue), "weights used twice at once"),
                Assert(~(read.en & write.en & (read.addr == write.addr)), "weights read while written"),
            ]
            start += window.word_bits
            lanes += [read.data[bit : bit + self.weight_bits] for bit in range(0, window.word_bits, self.weight_bits)]
        return lanes

    def _memory(
        self,
        m: Module,
        name: str,
        depth: int,
        issue: Value,
        address: Value,
        write: Value,
        write_address: Value,
        words: Sequence[Value | data.View],
    ) -> list[Value]:
        """Store one word for each lane; return those read in the last cycle. A single word is a register."""
        width = len(Value.cast(words[0]))
        word = Cat(Value.cast(lane) for lane in words)
        if depth == 1:
            register = Signal(len(word), name=name)
            with m.If(write):
                m.d.sync += register.eq(word)
            return [register.word_select(lane, width) if width else Const(0, 0) for lane in range(len(words))]
        storage = memory.Memory(shape=unsigned(len(word)), depth=depth, init=[])
        m.submodules[name] = storage
        reader, writer = storage.read_port(), storage.write_port()
        m.d.comb += [
            reader.addr.eq(address),
            reader.en.eq(issue),
            writer.addr.eq(write_address),
            writer.en.eq(write),
            writer.data.eq(word),
        ]
        m.d.sync += Assert(~(reader.en & write & (write_address == address)), f"{name} read while written")
        return [reader.data[lane * width : (lane + 1) * width] for lane in range(len(words))]

    def _lane(
        self,
        m: Module,
        lane: int,
        executing: data.View,
        keep: Value,
        before: data.View,
        weight: Value,
        word: data.View,
    ) -> None:
        """The adder of one lane."""
        addend = Signal(self.sum_bits, name=f"addend_{lane}")
        addend_tags = Signal(self.tag_bits, name=f"addend_tags_{lane}")
        m.d.sync += addend.eq(Mux(keep, Value.cast(before.sum), 0))
        with m.If(keep):
            m.d.sync += addend_tags.eq(before.tags)
        shifted = (addend << self.fold_shift)[: self.sum_bits]
        total = add_or_subtract(
            Value.cast(before.sum),
            Mux(
                executing.kind == Kind.ADD,
                sign_extend(weight, self.sum_bits),
                shifted | executing.amplitude,
            ),
            executing.negate ^ self.signs[lane],
        )
        m.d.comb += [
            word.sum.eq(total),
            word.tags.eq(self.tags[lane]),
            self.beat.sums[lane].eq(total),
            self.beat.tags[lane].eq(before.tags),
            self.beat.addend_tags[lane].eq(addend_tags),
        ]

    def _learn(self, executing: data.View, lane: int, weight: Value) -> Value:
        """Return the weight of one lane one higher or lower, unless it is at the end of its range or does not learn."""
        falls = executing.negate ^ self.signs[lane]
        sign, rest = weight[-1], weight[:-1]
        at_end = Mux(falls, sign & ~rest.any(), ~sign & rest.all())
        changed = add_or_subtract(weight, Const(1, self.weight_bits), falls)
        return Mux(self.learns[lane] & ~at_end, changed, weight)
