"""The event-driven crossbar that every network family stands on."""

from collections.abc import Sequence

from amaranth.hdl import Assert, Cat, Const, Module, Mux, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import add_or_subtract, times_constant
from attractor.hdl.core import WindowSignature, port_name
from attractor.spec import Window


class Kind(enum.Enum, shape=2):
    """What an operation does to the accumulators of all targets."""

    #: ``accumulator[bank] = 0``, tags too.
    CLEAR = 0
    #: ``accumulator[bank] += increment * weight[source]``: an event.
    ADD = 1
    #: ``accumulator[bank] += increment * (accumulator[addend] << fold_shift)``.
    FOLD = 2


class Operation(data.StructLayout):
    """One operation on the accumulators of all targets.

    Members
    -------
    kind: :class:`Kind`
    source: ``range(sources)``
        Row of the weights; ADD only.
    bank: ``range(banks)``
        Accumulator that changes.
    addend: ``range(banks)``
        Accumulator that is added; FOLD only.
    negate: ``1``
        The increment is negative.
    double: ``1``
        The increment is two instead of one; ADD only.
    context: any
        Handed on with each :class:`Beat` of the operation.
    """

    def __init__(self, sources: int, banks: int, context: ShapeLike) -> None:
        super().__init__(
            {
                "kind": Kind,
                "source": range(sources),
                "bank": range(banks),
                "addend": range(banks),
                "negate": 1,
                "double": 1,
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
        Tags of the bank that is written, as they were.
    addend_tags: ``lanes`` times ``tag_bits``
        Tags of the bank that is added; FOLD only.
    """

    def __init__(
        self, *, banks: int, groups: int, lanes: int, sum_shape: Shape, tag_bits: int, context: ShapeLike
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
            }
        )


class Crossbar(wiring.Component):
    """Weights in block RAM, accumulators beside them, and one adder for each lane.

    Every target has one accumulator for each bank. An operation visits all targets, ``lanes`` of them in a cycle::

        cycle            0            1            2
        issue      read group 0  read group 1      .
        execute          .       write group 0  write group 1

    ADD and CLEAR take one cycle for each group, FOLD two: the first reads the accumulator to be added. Operations
    follow each other without a gap; an issue waits one cycle where it would read the accumulator that is being
    written. Each accumulator carries ``tag_bits`` bits that belong to the neuron: they are shown with each beat and
    replaced by ``tags`` in the same cycle, so all state of a target lives in one memory.

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
        Accumulators for each target.
    windows:
        Windows of the weight memories, each of ``sources * groups`` words, together ``lanes`` weights wide.
    fold_shift:
        FOLD adds the accumulator times ``2 ** fold_shift``.
    tag_bits:
        Bits beside each accumulator that belong to the neuron.
    context:
        Shape of what an operation hands on to its beats.

    Members
    -------
    i: ``In(stream of Operation)``
    beat: ``Out(Beat)``
        Valid while ``beat_valid``.
    tags: ``In(lanes times tag_bits)``
        Tags to write in this beat; ignored by CLEAR.
    busy: ``Out(1)``
        A write is still to come.
    weights: ``In(one WindowSignature for each window)``
    """

    i: stream.Interface
    beat: data.View
    beat_valid: Signal
    tags: data.View
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
        context: ShapeLike = 0,
    ) -> None:
        if sum(window.word_bits for window in windows) != lanes * weight_bits:
            raise ValueError(f"windows {windows} do not hold {lanes} weights of {weight_bits} bits")
        self.sources, self.groups, self.lanes, self.banks = sources, groups, lanes, banks
        self.weight_bits, self.sum_bits = weight_bits, sum_bits
        self.windows, self.fold_shift, self.tag_bits = tuple(windows), fold_shift, tag_bits
        self.operation = Operation(sources, banks, context)
        self._word = data.ArrayLayout(sum_bits + tag_bits, lanes)
        super().__init__(
            {
                "i": In(stream.Signature(self.operation)),
                "beat": Out(
                    Beat(
                        banks=banks,
                        groups=groups,
                        lanes=lanes,
                        sum_shape=Shape(sum_bits, signed=True),
                        tag_bits=tag_bits,
                        context=context,
                    )
                ),
                "beat_valid": Out(1),
                "tags": In(data.ArrayLayout(tag_bits, lanes)),
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
        address, hazard, issue = Signal(range(depth)), Signal(), Signal()
        bank = Mux(fetches_addend, operation.addend, operation.bank)
        m.d.comb += [
            fetches_addend.eq((operation.kind == Kind.FOLD) & ~second),
            address.eq(times_constant(bank, self.groups) + group),
            issue.eq(self.i.valid & ~hazard),
            self.i.ready.eq(issue & ~fetches_addend & (group == self.groups - 1)),
        ]
        with m.If(issue):
            m.d.sync += second.eq(fetches_addend)
            with m.If(~fetches_addend):
                m.d.sync += group.eq(Mux(group == self.groups - 1, 0, group + 1))

        # Execute
        executing = Signal(self.operation)
        executing_group, executing_address = Signal.like(group), Signal.like(address)
        write, keep = Signal(), Signal()
        m.d.sync += [write.eq(issue & ~fetches_addend), keep.eq(issue & fetches_addend)]
        with m.If(issue):
            m.d.sync += [executing.eq(operation), executing_group.eq(group), executing_address.eq(address)]
        word = Signal(self._word)
        weights = self._weights(m, issue, times_constant(operation.source, self.groups) + group)
        accumulator = self._accumulators(m, depth, issue, address, write, executing_address, word)
        if depth > 1:
            # Block RAM returns nothing defined when a word is read while it is written.
            m.d.comb += hazard.eq(write & (executing_address == address))
            m.d.sync += Assert(~(issue & write & (executing_address == address)), "accumulator read while written")
        self._lanes(m, executing, accumulator, weights, keep, word)
        m.d.comb += [
            self.busy.eq(write | keep),
            self.beat_valid.eq(write),
            self.beat.kind.eq(executing.kind),
            self.beat.bank.eq(executing.bank),
            self.beat.group.eq(executing_group),
            self.beat.context.eq(executing.context),
        ]
        return m

    def _weights(self, m: Module, issue: Value, row: Value) -> list[Value]:
        """Return the weights of the row read in the last cycle, lane by lane."""
        lanes: list[Value] = []
        for window in self.windows:
            port = getattr(self.weights, port_name(window))
            storage = memory.Memory(shape=unsigned(window.word_bits), depth=window.words, init=[])
            m.submodules[port_name(window)] = storage
            read, write = storage.read_port(), storage.write_port()
            m.d.comb += [
                read.addr.eq(Mux(port.read, port.address, row)),
                read.en.eq(port.read | issue),
                port.read_data.eq(read.data),
                write.addr.eq(port.address),
                write.en.eq(port.write),
                write.data.eq(port.write_data),
            ]
            m.d.sync += Assert(~(read.en & write.en) & ~(port.read & issue), "weights used twice at once")
            lanes += [
                read.data[start : start + self.weight_bits] for start in range(0, window.word_bits, self.weight_bits)
            ]
        return lanes

    def _accumulators(
        self, m: Module, depth: int, issue: Value, address: Value, write: Value, write_address: Value, word: data.View
    ) -> data.View:
        """Return the word read in the last cycle; a single word is a register and always there."""
        if depth == 1:
            register = Signal(self._word)
            with m.If(write):
                m.d.sync += register.eq(word)
            return register
        storage = m.submodules.accumulators = memory.Memory(shape=self._word, depth=depth, init=[])
        reader, writer = storage.read_port(), storage.write_port()
        m.d.comb += [
            reader.addr.eq(address),
            reader.en.eq(issue),
            writer.addr.eq(write_address),
            writer.en.eq(write),
            writer.data.eq(word),
        ]
        return reader.data

    def _lanes(
        self,
        m: Module,
        executing: data.View,
        accumulator: data.View,
        weights: list[Value],
        keep: Value,
        word: data.View,
    ) -> None:
        addend = Signal(self._word)
        with m.If(keep):
            m.d.sync += addend.eq(accumulator)
        clears, folds = executing.kind == Kind.CLEAR, executing.kind == Kind.FOLD
        for lane in range(self.lanes):
            old, folded = Value.cast(accumulator[lane]), Value.cast(addend[lane])
            weight = weights[lane].as_signed()
            total = add_or_subtract(
                Mux(clears, 0, old[: self.sum_bits])[: self.sum_bits],
                Mux(
                    folds,
                    folded[: self.sum_bits].as_signed() << self.fold_shift,
                    Mux(clears, 0, Mux(executing.double, weight << 1, weight)),
                ),
                executing.negate & ~clears,
            )
            m.d.comb += [
                self.beat.sums[lane].eq(total),
                self.beat.tags[lane].eq(old[self.sum_bits :]),
                self.beat.addend_tags[lane].eq(folded[self.sum_bits :]),
                word[lane].eq(Cat(total, Mux(clears, Const(0, self.tag_bits), self.tags[lane]))),
            ]
