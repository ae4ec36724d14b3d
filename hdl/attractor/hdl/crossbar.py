"""The event-driven crossbar that every network family stands on."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Assert, Cat, Const, Module, Mux, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import add_or_subtract, times_constant
from attractor.hdl.core import WindowSignature, connect_windows, port_name
from attractor.hdl.operations import Beat, NeuronSignature, Operation, OperationKind
from attractor.hdl.weights import WeightStore

__all__ = ["Beat", "Crossbar", "Operation", "OperationKind"]


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
    neurons: ``Out(NeuronSignature)``
    rule: ``In(rule of the synapses)``
        How they learn.
    flips: ``Out(lanes)``
        Weights that become their opposite in this beat; LEARN only.
    busy: ``Out(1)``
        A write is still to come.
    weights: ``In(one WindowSignature for each window)``

    Attributes
    ----------
    operation, beat:
        Layouts of an operation and of a beat.
    """

    i: stream.Interface
    neurons: Any
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
        self.sum_bits, self.fold_shift, self.tag_bits, self.push_sums = sum_bits, fold_shift, tag_bits, push_sums
        self.learning = any(store.learning for store in stores)
        words, sum_shape = max(store.layout.words for store in stores), Shape(sum_bits, signed=True)
        self.operation = Operation(
            stores=len(stores), words=words, groups=groups, banks=banks, parts=parts, context=context
        )
        self.beat = Beat(
            self.operation,
            groups=groups,
            lanes=lanes,
            sum_shape=sum_shape,
            tag_bits=tag_bits,
            state_bits=state_bits,
        )
        self._word = data.StructLayout({"sum": sum_shape, "tags": tag_bits})
        windows = {port_name(w): Out(WindowSignature(w)) for store in stores for w in store.layout.windows}
        rule = max((store.synapse.rule for store in stores), key=lambda rule: Shape.cast(rule).width)
        super().__init__(
            {
                "i": In(stream.Signature(self.operation)),
                "neurons": Out(NeuronSignature(self.beat)),
                "rule": In(rule),
                "flips": Out(lanes),
                "busy": Out(1),
                "weights": In(wiring.Signature(windows)),
            }
        )
        self._pipeline = _Pipeline(self.operation, depth=banks * groups, groups=groups, words=words)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipe, executing = self._pipeline, self._pipeline.executing
        self._issue(m)
        self._execute(m)
        self._hold_apart(m)
        self._weights(m)
        words = [Signal(self._word, name=f"word_{lane}") for lane in range(self.lanes)]
        old = self._memory(
            m,
            "accumulators",
            pipe.depth,
            (pipe.issue, pipe.address),
            (pipe.write & ~pipe.learns, executing.address),
            words,
        )
        before = self._memory(
            m,
            "neurons",
            self.groups,
            (pipe.issue & ~pipe.fetches_addend, pipe.issued.group),
            (pipe.write & ~self.neurons.keep_states, executing.group),
            list(self.neurons.states),
        )
        m.d.comb += self.neurons.beat.states.eq(Cat(before))
        self._lanes(m, [data.View(self._word, word) for word in old], words)
        return m

    def _issue(self, m: Module) -> None:
        """Go through the groups of the operation that waits, and read."""
        pipe, issued, operation = self._pipeline, self._pipeline.issued, self.i.payload
        offset = Signal(range(self.groups))
        second = Signal()
        reads_addend = pipe.fetches_addend | (operation.kind == OperationKind.PUSH)
        last = offset == (operation.more if self.parts else self.groups - 1)
        bank = Mux(reads_addend, operation.addend, operation.bank)
        m.d.comb += [
            pipe.fetches_addend.eq(
                (operation.kind == OperationKind.FOLD) & ~second if self.fold_shift is not None else 0
            ),
            issued.operation.eq(operation),
            issued.group.eq(operation.first + offset),
            issued.row.eq(operation.row + offset),
            issued.address.eq(times_constant(operation.bank, self.groups) + issued.group),
            pipe.address.eq(times_constant(bank, self.groups) + issued.group),
            pipe.issue.eq(self.i.valid & ~pipe.hazard),
            self.i.ready.eq(pipe.issue & ~pipe.fetches_addend & last),
        ]
        with m.If(pipe.issue):
            m.d.sync += second.eq(pipe.fetches_addend)
            with m.If(~pipe.fetches_addend):
                m.d.sync += offset.eq(Mux(last, 0, offset + 1))

    def _execute(self, m: Module) -> None:
        """Show what was read in the cycle before to the neurons, and write."""
        pipe, executing, beat = self._pipeline, self._pipeline.executing, self.neurons.beat
        m.d.sync += [
            pipe.write.eq(pipe.issue & ~pipe.fetches_addend),
            pipe.keep.eq(pipe.issue & pipe.fetches_addend),
        ]
        with m.If(pipe.issue):
            m.d.sync += executing.eq(pipe.issued)
        if self.learning:
            m.d.comb += pipe.learns.eq(pipe.write & (executing.operation.kind == OperationKind.LEARN))
        m.d.comb += [
            self.neurons.valid.eq(pipe.write),
            beat.kind.eq(executing.operation.kind),
            beat.store.eq(executing.operation.store),
            beat.row.eq(executing.row),
            beat.bank.eq(executing.operation.bank),
            beat.group.eq(executing.group),
            beat.context.eq(executing.operation.context),
        ]

    def _hold_apart(self, m: Module) -> None:
        """Hold back an issue that would read what is being written: block RAM then returns nothing defined."""
        pipe, issued, executing = self._pipeline, self._pipeline.issued, self._pipeline.executing
        rereads: Value = Const(0)
        if self.parts:
            rereads = pipe.write & ~pipe.learns & (executing.group == issued.group)
        elif pipe.depth > 1:
            rereads = pipe.write & ~pipe.learns & (executing.address == pipe.address)
        # The weight stores write what was learnt a cycle after its beat.
        stored = Signal()
        stored_row = Signal.like(issued.row)
        if self.learning:
            m.d.sync += [stored.eq(pipe.learns), stored_row.eq(executing.row)]
        unlearnt = (pipe.learns & (executing.row == issued.row)) | (stored & (stored_row == issued.row))
        m.d.comb += [pipe.hazard.eq(rereads | unlearnt), self.busy.eq(pipe.write | pipe.keep | stored)]

    def _weights(self, m: Module) -> None:
        """Connect the weight stores: all read the same row, the one that is meant learns."""
        pipe, operation, flips = self._pipeline, self._pipeline.executing.operation, []
        for index, store in enumerate(self.stores):
            m.submodules[store.layout.name] = store
            connect_windows(m, self.weights, store.windows)
            m.d.comb += [
                store.read.eq(pipe.issue & ~pipe.fetches_addend & (self.i.payload.store == index)),
                store.row.eq(pipe.issued.row),
                store.write.eq(pipe.learns & (operation.store == index) if store.learning else 0),
                store.written.eq(pipe.executing.row),
                store.learns.eq(self.neurons.learns),
                store.falls.eq(self.neurons.signs ^ operation.negate.replicate(self.lanes)),
                store.rule.eq(self.rule),
            ]
            flips.append(Mux(operation.store == index, store.flips, 0))
        m.d.comb += self.flips.eq(reduce(or_, flips))

    def _memory(
        self,
        m: Module,
        name: str,
        depth: int,
        read: tuple[Value, Value],
        write: tuple[Value, Value],
        words: Sequence[Value | data.View],
    ) -> list[Value]:
        """Store one word for each lane; return those read in the last cycle. A single word is a register.

        So are words of no bits, of which synthesis makes no memory. ``read`` and ``write`` are each an enable and an
        address.
        """
        issue, address = read
        writes, write_address = write
        width = len(Value.cast(words[0]))
        word = Cat(Value.cast(lane) for lane in words)
        if depth == 1 or not width:
            register = Signal(len(word), name=name)
            with m.If(writes):
                m.d.sync += register.eq(word)
            return [register.word_select(lane, width) if width else Const(0, 0) for lane in range(len(words))]
        storage = memory.Memory(shape=unsigned(len(word)), depth=depth, init=[])
        m.submodules[name] = storage
        reader, writer = storage.read_port(), storage.write_port()
        m.d.comb += [
            reader.addr.eq(address),
            reader.en.eq(issue),
            writer.addr.eq(write_address),
            writer.en.eq(writes),
            writer.data.eq(word),
        ]
        m.d.sync += Assert(~(reader.en & writes & (write_address == address)), f"{name} read while written")
        return [reader.data[lane * width : (lane + 1) * width] for lane in range(len(words))]

    def _lanes(self, m: Module, old: Sequence[data.View], words: Sequence[data.View]) -> None:
        """The adders of all lanes.

        What is as wide as all lanes is read once and assigned as a whole: Amaranth goes through all of it each time.
        """
        neurons, beat, operation = self.neurons, self.neurons.beat, self._pipeline.executing.operation
        kind, chosen_store, negate = operation.kind, operation.store, operation.negate
        weights = zip(*(store.word for store in self.stores), strict=True)
        lanes = zip(old, words, neurons.signs, neurons.amplitudes, neurons.tags, weights, strict=True)
        changes, sums = self._addends(m, old), []
        for lane, (before, word, sign, amplitude, tags, synapses) in enumerate(lanes):
            change, negates = changes[lane], sign ^ negate
            held, amplitude_bits = Value.cast(before.sum), Value.cast(amplitude)
            pushed = add_or_subtract(held, amplitude_bits, negates)
            for index, (store, synapse) in enumerate(zip(self.stores, synapses, strict=True)):
                chosen = (kind == OperationKind.ADD) & (chosen_store == index)
                change = Mux(chosen, store.synapse.addend(synapse, self.sum_bits), change)
                negates = negates ^ (chosen & store.synapse.negates(synapse))
            total = add_or_subtract(held, change | amplitude_bits, negates)
            m.d.comb += [word.sum.eq(total), word.tags.eq(tags)]
            sums.append(pushed if self.push_sums else total)
        m.d.comb += [beat.sums.eq(Cat(sums)), beat.tags.eq(Cat(before.tags for before in old))]

    def _addends(self, m: Module, old: Sequence[data.View]) -> list[Value]:
        """Return what a FOLD adds in each lane, otherwise 0; its tags go into the beat."""
        if self.fold_shift is None:
            return [Const(0, self.sum_bits)] * self.lanes
        keep = self._pipeline.keep
        addends = [Signal(self.sum_bits, name=f"addend_{lane}") for lane in range(self.lanes)]
        tags = [Signal(self.tag_bits, name=f"addend_tags_{lane}") for lane in range(self.lanes)]
        for addend, before in zip(addends, old, strict=True):
            m.d.sync += addend.eq(Mux(keep, Value.cast(before.sum), 0))
        with m.If(keep):
            m.d.sync += [held.eq(before.tags) for held, before in zip(tags, old, strict=True)]
        m.d.comb += self.neurons.beat.addend_tags.eq(Cat(tags))
        return [(addend << self.fold_shift)[: self.sum_bits] for addend in addends]


class _Pipeline:
    """The signals of the two stages of a crossbar, which a group goes through in adjacent cycles.

    Attributes
    ----------
    depth:
        Words of accumulators.
    hazard:
        The group must not be issued in this cycle.
    issue:
        A group is issued: ``issued``, and its accumulator is read at ``address``.
    fetches_addend:
        What is read is only the addend of a FOLD; the group stays for another cycle.
    keep:
        That addend has come.
    write:
        A group is executed: ``executing``, whose accumulator is written at its address.
    learns:
        It is one whose weights learn.
    """

    def __init__(self, operation: Operation, *, depth: int, groups: int, words: int) -> None:
        visit = data.StructLayout(
            {"operation": operation, "group": range(groups), "row": range(words), "address": range(depth)}
        )
        self.depth = depth
        self.issued = Signal(visit)
        self.executing = Signal(visit)
        self.hazard = Signal()
        self.issue = Signal()
        self.fetches_addend = Signal()
        self.keep = Signal()
        self.address = Signal(range(depth))
        self.write = Signal()
        self.learns = Signal()
