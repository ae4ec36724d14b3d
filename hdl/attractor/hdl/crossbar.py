"""The event-driven crossbar that every network family stands on."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Assert, Cat, Const, Module, Mux, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import add_or_subtract, times_constant
from attractor.hdl.core import WindowSignature, port_name
from attractor.hdl.weights import WeightStore

__all__ = ["Beat", "Crossbar", "Kind", "Operation"]


class Kind(enum.Enum, shape=2):
    """What an operation does to the accumulators of its targets, or to their weights."""

    #: ``accumulator[bank] += increment * weight``: an event.
    ADD = 0
    #: ``accumulator[bank] += increment * (accumulator[addend] << fold_shift)``.
    FOLD = 1
    #: ``accumulator[bank] = accumulator[addend] + increment * amplitude``: noise, thresholds, and copies.
    PUSH = 2
    #: The weights learn by the rule of their synapse, upwards where the increment is 1. Accumulators stay.
    LEARN = 3


class Operation(data.StructLayout):
    """One operation on groups of targets.

    Members
    -------
    kind: :class:`Kind`
    store: ``range(stores)``
        Where the weights are; ADD and LEARN only.
    row: ``range(words)``
        Word of the first group's weights, those of the others follow; ADD and LEARN only.
    first, more: ``range(groups)``
        The first group, and how many follow it. All groups are visited where a crossbar has no ``parts``.
    bank: ``range(banks)``
        Accumulator that changes.
    addend: ``range(banks)``
        The other accumulator; FOLD and PUSH only.
    negate: ``1``
        The increment is -1 instead of 1.
    context: any
        Handed on with each :class:`Beat` of the operation.
    """

    def __init__(
        self, *, words: int, groups: int, banks: int, context: ShapeLike, stores: int = 1, parts: bool = False
    ) -> None:
        super().__init__(
            {
                "kind": Kind,
                "store": range(stores),
                "row": range(words),
                "first": range(groups) if parts else 0,
                "more": range(groups) if parts else 0,
                "bank": range(banks),
                "addend": range(banks),
                "negate": 1,
                "context": context,
            }
        )


class Beat(data.StructLayout):
    """One group of targets being written: what the neurons see, and when.

    Members
    -------
    kind, store, bank, context:
        Those of the operation.
    row: ``range(words)``
        Word of this group's weights.
    group: ``range(groups)``
        Targets ``group * lanes`` and following.
    sums: ``lanes`` times ``signed(sum_bits)``
        What is written; where a crossbar has ``push_sums`` only in a PUSH.
    tags: ``lanes`` times ``tag_bits``
        Tags of the accumulator that was read: that of ``bank``, for PUSH that of ``addend``.
    addend_tags: ``lanes`` times ``tag_bits``
        Tags of the accumulator that is added; FOLD only.
    states: ``lanes`` times ``state_bits``
        States of the neurons, as they were. They stay until the next operation is issued.
    """

    def __init__(
        self, operation: Operation, *, groups: int, lanes: int, sum_shape: Shape, tag_bits: int, state_bits: int
    ) -> None:
        shared = {name: operation.members[name] for name in ("kind", "store", "row", "bank", "context")}
        super().__init__(
            {
                **shared,
                "group": range(groups),
                "sums": data.ArrayLayout(sum_shape, lanes),
                "tags": data.ArrayLayout(tag_bits, lanes),
                "addend_tags": data.ArrayLayout(tag_bits, lanes),
                "states": data.ArrayLayout(state_bits, lanes),
            }
        )


class Crossbar(wiring.Component):
    """Weights in block RAM, accumulators beside them, and one adder for each lane.

    Every target has one accumulator for each bank. An operation visits groups of targets, ``lanes`` targets in a
    cycle::

        cycle            0            1            2
        issue      read group 0  read group 1      .
        execute          .       write group 0  write group 1

    An operation takes one cycle for each group, FOLD two: the first reads the accumulator to be added. Operations
    follow each other without a gap; an issue waits where it would read what is being written. Each
    accumulator carries ``tag_bits`` bits, and each target ``state_bits`` bits, that belong to the neuron: they are
    shown with each beat and replaced by ``tags`` and ``states`` in the same cycle.

    A lane is one carry chain. What it adds is the weight, or else the addend and the amplitude together: the addend is
    0 but in a FOLD, the amplitude wherever the neuron adds nothing, so that a bit of the sum needs one look-up table
    of six inputs. Weights of one bit choose the sign of the amplitude.

    ``i`` is ready in the last cycle in which the operation is issued. Beats come one cycle after their issue and
    cannot be held back. The weight windows must not be used while ``i`` is valid or ``busy`` is high.

    Parameters
    ----------
    stores:
        The weights, which become parts of the crossbar.
    groups, lanes:
        Targets are ``groups * lanes``.
    sum_bits:
        Signed width. Sums wrap around, so ``sum_bits`` must hold every sum that is looked at.
    banks:
        Accumulators for each target; all hold 0 when the device starts.
    parts:
        Operations say which groups they visit. Two that visit one group in adjacent cycles are then held apart
        whatever their banks are, unless the first only learns.
    fold_shift:
        FOLD adds the accumulator times ``2 ** fold_shift``. None: there are no such operations.
    push_sums:
        Neurons look at sums in a PUSH alone. They then come from an adder of their own, so that neurons do not wait for
        weights.
    tag_bits, state_bits:
        Bits beside each accumulator, and beside each target, that belong to the neuron.
    context:
        Shape of what an operation hands on to its beats.

    Members
    -------
    i: ``In(stream of Operation)``
    beat: ``Out(Beat)``
        Valid while ``beat_valid``.
    tags: ``In(lanes times tag_bits)``
    states: ``In(lanes times state_bits)``
        What to write in this beat.
    keep_states: ``In(1)``
        The states are not written in this beat. They must not be in a LEARN where there are ``parts``.
    amplitudes: ``In(lanes times sum_bits)``
        What a PUSH adds in this beat, or an event whose weights have one bit; otherwise 0.
    signs: ``In(lanes)``
        Lanes whose increment is the opposite in this beat.
    learns: ``In(lanes)``
        Lanes whose weight learns in this beat; LEARN only.
    rule: ``In(rule of the synapses)``
        How they learn.
    flips: ``Out(lanes)``
        Weights that become their opposite in this beat; LEARN only.
    busy: ``Out(1)``
        A write is still to come.
    weights: ``In(one WindowSignature for each window)``
    """

    i: stream.Interface
    beat: data.View
    beat_valid: Signal
    tags: data.View
    states: data.View
    keep_states: Signal
    amplitudes: data.View
    signs: Signal
    learns: Signal
    rule: Signal
    flips: Signal
    busy: Signal
    weights: wiring.PureInterface

    def __init__(
        self,
        stores: Sequence[WeightStore],
        *,
        groups: int,
        lanes: int,
        sum_bits: int,
        banks: int,
        parts: bool = False,
        fold_shift: int | None = None,
        push_sums: bool = False,
        tag_bits: int = 0,
        state_bits: int = 0,
        context: ShapeLike = 0,
    ) -> None:
        self.stores, self.groups, self.lanes, self.banks, self.parts = tuple(stores), groups, lanes, banks, parts
        self.sum_bits, self.fold_shift, self.tag_bits, self.state_bits = sum_bits, fold_shift, tag_bits, state_bits
        self.push_sums = push_sums
        self.learning = any(store.learning for store in stores)
        self.operation = Operation(
            stores=len(stores),
            words=max(store.layout.words for store in stores),
            groups=groups,
            banks=banks,
            parts=parts,
            context=context,
        )
        self._word = data.StructLayout({"sum": Shape(sum_bits, signed=True), "tags": tag_bits})
        beat = Beat(
            self.operation,
            groups=groups,
            lanes=lanes,
            sum_shape=Shape(sum_bits, signed=True),
            tag_bits=tag_bits,
            state_bits=state_bits,
        )
        windows = {port_name(w): Out(WindowSignature(w)) for store in stores for w in store.layout.windows}
        rule = max((store.synapse.rule for store in stores), key=lambda rule: Shape.cast(rule).width)
        super().__init__(
            {
                "i": In(stream.Signature(self.operation)),
                "beat": Out(beat),
                "beat_valid": Out(1),
                "tags": In(data.ArrayLayout(tag_bits, lanes)),
                "states": In(data.ArrayLayout(state_bits, lanes)),
                "keep_states": In(1),
                "amplitudes": In(data.ArrayLayout(sum_bits, lanes)),
                "signs": In(lanes),
                "learns": In(lanes),
                "rule": In(rule),
                "flips": Out(lanes),
                "busy": Out(1),
                "weights": In(wiring.Signature(windows)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self.banks * self.groups

        # Issue
        operation = self.i.payload
        offset, group = Signal(range(self.groups)), Signal(range(self.groups))
        second = Signal()
        fetches_addend = Signal()
        address, row = Signal(range(depth)), Signal.like(operation.row)
        hazard, issue = Signal(), Signal()
        reads_addend = fetches_addend | (operation.kind == Kind.PUSH)
        last = offset == (operation.more if self.parts else self.groups - 1)
        m.d.comb += [
            fetches_addend.eq((operation.kind == Kind.FOLD) & ~second if self.fold_shift is not None else 0),
            group.eq(operation.first + offset),
            address.eq(times_constant(Mux(reads_addend, operation.addend, operation.bank), self.groups) + group),
            row.eq(operation.row + offset),
            issue.eq(self.i.valid & ~hazard),
            self.i.ready.eq(issue & ~fetches_addend & last),
        ]
        with m.If(issue):
            m.d.sync += second.eq(fetches_addend)
            with m.If(~fetches_addend):
                m.d.sync += offset.eq(Mux(last, 0, offset + 1))

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
        # Block RAM returns nothing defined when a word is read while it is written.
        learns = write & (executing.kind == Kind.LEARN) if self.learning else Const(0)
        rereads = write & (write_address == address) if depth > 1 else Const(0)
        if self.parts:
            rereads = write & ~learns & (executing_group == group)
        # Weights are written a cycle after the accumulators.
        late, late_row = Signal(), Signal.like(row)
        if self.learning:
            m.d.sync += [late.eq(learns), late_row.eq(executing_row)]
        unlearnt = (learns & (executing_row == row)) | (late & (late_row == row))
        m.d.comb += hazard.eq(rereads | unlearnt)

        self._weights(m, issue & ~fetches_addend, row, executing, learns, executing_row)
        words = [Signal(self._word, name=f"word_{lane}") for lane in range(self.lanes)]
        old = self._memory(m, "accumulators", depth, issue, address, write & ~learns, write_address, words)
        before = self._memory(
            m,
            "neurons",
            self.groups,
            issue & ~fetches_addend,
            group,
            write & ~self.keep_states,
            executing_group,
            [self.states[lane] for lane in range(self.lanes)],
        )
        m.d.comb += [self.beat.states[lane].eq(state) for lane, state in enumerate(before)]
        for lane in range(self.lanes):
            self._lane(m, lane, executing, keep, data.View(self._word, old[lane]), words[lane])
        m.d.comb += [
            self.busy.eq(write | keep | late),
            self.beat_valid.eq(write),
            self.beat.kind.eq(executing.kind),
            self.beat.store.eq(executing.store),
            self.beat.row.eq(executing_row),
            self.beat.bank.eq(executing.bank),
            self.beat.group.eq(executing_group),
            self.beat.context.eq(executing.context),
        ]
        return m

    def _weights(
        self, m: Module, issue: Value, row: Value, executing: data.View, learns: Value, executing_row: Value
    ) -> None:
        """Connect the weight stores: all read the same row, the one that is meant learns."""
        flips = []
        for index, store in enumerate(self.stores):
            m.submodules[store.layout.name] = store
            for name in store.windows.signature.members:
                wiring.connect(m, wiring.flipped(getattr(self.weights, name)), getattr(store.windows, name))
            m.d.comb += [
                store.read.eq(issue & (self.i.payload.store == index)),
                store.row.eq(row),
                store.write.eq(learns & (executing.store == index) if store.learning else 0),
                store.written.eq(executing_row),
                store.learns.eq(self.learns),
                store.falls.eq(self.signs ^ executing.negate.replicate(self.lanes)),
                store.rule.eq(self.rule),
            ]
            flips.append(Mux(executing.store == index, store.flips, 0))
        m.d.comb += self.flips.eq(reduce(or_, flips))

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
        """Store one word for each lane; return those read in the last cycle. A single word is a register.

        So are words of no bits, of which synthesis makes no memory.
        """
        width = len(Value.cast(words[0]))
        word = Cat(Value.cast(lane) for lane in words)
        if depth == 1 or not width:
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
        self, m: Module, lane: int, executing: data.View, keep: Value, before: data.View, word: data.View
    ) -> None:
        """The adder of one lane."""
        adds = executing.kind == Kind.ADD
        changes, negates = Const(0, self.sum_bits), self.signs[lane] ^ executing.negate
        pushed = add_or_subtract(Value.cast(before.sum), Value.cast(self.amplitudes[lane]), negates)
        if self.fold_shift is not None:
            addend = Signal(self.sum_bits, name=f"addend_{lane}")
            addend_tags = Signal(self.tag_bits, name=f"addend_tags_{lane}")
            m.d.sync += addend.eq(Mux(keep, Value.cast(before.sum), 0))
            with m.If(keep):
                m.d.sync += addend_tags.eq(before.tags)
            m.d.comb += self.beat.addend_tags[lane].eq(addend_tags)
            changes = (addend << self.fold_shift)[: self.sum_bits]
        for index, store in enumerate(self.stores):
            chosen, synapse = adds & (executing.store == index), store.word[lane]
            changes = Mux(chosen, store.synapse.addend(synapse, self.sum_bits), changes)
            negates = negates ^ (chosen & store.synapse.negates(synapse))
        total = add_or_subtract(Value.cast(before.sum), changes | self.amplitudes[lane], negates)
        m.d.comb += [
            word.sum.eq(total),
            word.tags.eq(self.tags[lane]),
            self.beat.sums[lane].eq(pushed if self.push_sums else total),
            self.beat.tags[lane].eq(before.tags),
        ]
