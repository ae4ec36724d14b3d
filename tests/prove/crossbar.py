# amaranth: UnusedElaboratable=no
"""Every beat of a crossbar sees what the beats before it left: no word is read while it is written or still to be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value, signed

from attractor.hdl.crossbar import Crossbar, OperationKind
from attractor.hdl.synapse import IntegerSynapse
from attractor.hdl.weights import WeightStore
from attractor.spec.rows import LaneMemory

from .harness import Harness, Inside
from .proof import Fault, Proof

WEIGHT_BITS, SUM_BITS = 2, 3


@dataclass(frozen=True)
class Sizes:
    """A small crossbar of one lane, with a single store of weights that learn."""

    groups: int = 2
    banks: int = 2
    rows: int = 4
    parts: bool = False
    fold_shift: int | None = None
    push_sums: bool = False


class Memories:
    """The words of a crossbar as they are after every beat so far, and read ports that show what it stores itself."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        depth = sizes.banks * sizes.groups
        self.sums = [Signal(signed(SUM_BITS), name=f"sum_{address}") for address in range(depth)]
        self.tags = [Signal(name=f"tag_{address}") for address in range(depth)]
        self.states = [Signal(name=f"state_{group}") for group in range(sizes.groups)]
        self.weights = [Signal(signed(WEIGHT_BITS), name=f"weight_{row}") for row in range(sizes.rows)]
        self.ports: dict[str, list[Any]] = {}

    def watch(self, module: Any) -> None:
        """Add read ports to the memories of a module."""
        for name, depth in (
            ("accumulators", len(self.sums)),
            ("neurons", len(self.states)),
            ("weights_0", self.sizes.rows),
        ):
            try:
                storage = module.submodules[name]
            except (AttributeError, KeyError):
                continue
            self.ports[name] = [storage.read_port(domain="comb") for _ in range(depth)]


def watched(component: type[WeightStore], memories: Memories) -> type[WeightStore]:
    """Return a weight store whose memory is watched."""

    class Watched(component):
        def elaborate(self, platform: object) -> Any:
            module = super().elaborate(platform)
            memories.watch(module)
            return module

    return Watched


def build(h: Harness, component: type[Crossbar], *, sizes: Sizes) -> None:
    _build(h, component, WeightStore, sizes)


def build_store(h: Harness, component: type[WeightStore], *, sizes: Sizes) -> None:
    _build(h, Crossbar, component, sizes)


def _build(h: Harness, crossbar: type[Crossbar], store_type: type[WeightStore], sizes: Sizes) -> None:
    memories = Memories(sizes)
    layout = LaneMemory("weights", sizes.rows, 1, WEIGHT_BITS)
    store = watched(store_type, memories)(layout, IntegerSynapse(WEIGHT_BITS), learning=True)
    dut = crossbar(
        [store],
        groups=sizes.groups,
        lanes=1,
        sum_bits=SUM_BITS,
        banks=sizes.banks,
        parts=sizes.parts,
        fold_shift=sizes.fold_shift,
        push_sums=sizes.push_sums,
        tag_bits=1,
        state_bits=1,
    )
    inside = h.open(dut, memories.watch)
    for ports in memories.ports.values():
        h.m.d.comb += [port.addr.eq(place) for place, port in enumerate(ports)]
    _assume(h, dut, sizes)
    _follow(h, dut, sizes, memories)
    number = _sequence(h, dut, sizes)
    _pipeline_lemmas(h, dut, inside, sizes, memories, number)
    _memory_lemmas(h, inside, store, memories)


def _assume(h: Harness, dut: Any, sizes: Sizes) -> None:
    """Let operations be such as there can be, and whoever loads weights and neurons do as they are told."""
    # It does not reach memories, and what is about to be written is lost.
    h.never_reset()
    h.assume_stream(dut.i)
    operation, neurons = dut.i.payload, dut.neurons
    if sizes.fold_shift is None:
        h.assume(operation.kind != OperationKind.FOLD)
    visited = operation.more if sizes.parts else Const(sizes.groups - 1)
    h.assume((operation.first + visited < sizes.groups) & (operation.row + visited < sizes.rows))
    h.assume((operation.bank < sizes.banks) & (operation.addend < sizes.banks))
    port = dut.weights.weights_0
    h.assume(~((port.read | port.write) & (dut.i.valid | dut.busy)) & ~(port.read & port.write))
    h.assume(port.address < sizes.rows)
    amplitude = Value.cast(neurons.amplitudes)
    h.assume((neurons.beat.kind == OperationKind.PUSH) | (amplitude == 0))
    if sizes.parts:
        h.assume((neurons.beat.kind != OperationKind.LEARN) | neurons.keep_states)


def _follow(h: Harness, dut: Any, sizes: Sizes, memories: Memories) -> None:
    """Carry out each beat on the words as they are, and claim that the crossbar sees the same."""
    m, neurons, beat = h.m, dut.neurons, dut.neurons.beat
    operation = dut.operation(h.past(dut.i.payload))
    address, source = ((bank * sizes.groups + beat.group)[:8] for bank in (beat.bank, operation.addend))
    adds, pushes, learns, folds = (
        beat.kind == kind for kind in (OperationKind.ADD, OperationKind.PUSH, OperationKind.LEARN, OperationKind.FOLD)
    )
    sums, tags = Array(memories.sums), Array(memories.tags)
    weight = Array(memories.weights)[beat.row]
    negative = neurons.signs[0] ^ operation.negate
    change = Mux(adds, weight, Mux(pushes, Value.cast(neurons.amplitudes).as_signed(), 0))
    change = Mux(folds, (sums[source] << (sizes.fold_shift or 0)), change)
    before = Mux(pushes, sums[source], sums[address])
    total = (before + Mux(negative, -change, change))[:SUM_BITS]
    seen = ~neurons.valid
    h.claim(seen | (Value.cast(beat.states) == Array(memories.states)[beat.group]), "a beat shows an old state")
    h.claim(seen | (Value.cast(beat.tags) == Mux(pushes, tags[source], tags[address])), "a beat shows old tags")
    h.claim(seen | ~folds | (Value.cast(beat.addend_tags) == tags[source]), "a beat shows old tags of the addend")
    shown = pushes if sizes.push_sums else ~learns
    h.claim(seen | ~shown | (Value.cast(beat.sums) == total), "a beat sees an old sum or weight")
    highest, lowest = (1 << WEIGHT_BITS - 1) - 1, -(1 << WEIGHT_BITS - 1)
    learnt = Mux(negative, Mux(weight == lowest, weight, weight - 1), Mux(weight == highest, weight, weight + 1))
    with m.If(neurons.valid):
        with m.If(~learns):
            m.d.sync += [sums[address].eq(total), tags[address].eq(Value.cast(neurons.tags))]
        with m.If(~neurons.keep_states):
            m.d.sync += Array(memories.states)[beat.group].eq(Value.cast(neurons.states))
        with m.If(learns & neurons.learns[0]):
            m.d.sync += weight.eq(learnt)
    port = dut.weights.weights_0
    with m.If(port.write):
        m.d.sync += Array(memories.weights)[port.address].eq(port.write_data.as_signed())
    read = h.past(port.read)
    stored: Any = Array(memories.weights)[h.past(port.address)]
    h.claim(~read | (port.read_data == stored[:WEIGHT_BITS]), "a window shows an old weight")
    for kind, name in zip((adds, pushes, learns), ("an event", "a push", "a lesson"), strict=True):
        h.cover(neurons.valid & h.past(neurons.valid) & kind & (total != 0), f"{name} follows another beat")
    if sizes.fold_shift is not None:
        h.cover(neurons.valid & folds & (total != before), "a fold changes a sum")
    h.cover(dut.i.valid & ~dut.i.ready & h.past(neurons.valid & dut.i.ready), "an operation waits")


def _sequence(h: Harness, dut: Any, sizes: Sizes) -> Signal:
    """Claim that an operation has a beat for each of its groups, in order, and is then taken; return its number."""
    beat, offered, taken = dut.neurons.beat, h.past(dut.i.valid), h.past(dut.i.valid & dut.i.ready)
    operation = dut.operation(h.past(dut.i.payload))
    visited = operation.more if sizes.parts else Const(sizes.groups - 1)
    number = Signal(range(sizes.groups + 1))
    with h.m.If(dut.neurons.valid):
        h.m.d.sync += number.eq(Mux(number == visited, 0, number + 1))
    right = (
        (beat.group == operation.first + number) & (beat.row == operation.row + number) & (beat.bank == operation.bank)
    )
    right = right & (Value.cast(beat.kind) == Value.cast(operation.kind)) & offered
    h.claim(~dut.neurons.valid | right, "a beat is not that of the operation that was offered")
    h.claim(taken == (dut.neurons.valid & (number == visited)), "an operation is not taken with its last beat")
    h.claim(dut.busy | ~dut.neurons.valid, "a beat comes and it does not call itself busy")
    idle = Signal(3)
    h.m.d.sync += idle.eq(Mux(offered & dut.i.valid & ~dut.neurons.valid, Mux(idle.all(), idle, idle + 1), 0))
    h.claim(idle <= 3, "an operation waits for longer than three cycles")
    return number


def _pipeline_lemmas(h: Harness, dut: Any, inside: Inside, sizes: Sizes, memories: Memories, number: Signal) -> None:
    pipe, offset, second = (inside.get(name) for name in ("_pipeline", "offset", "second"))
    operation, executing = dut.operation(h.past(dut.i.payload)), pipe.executing
    visited = (operation.more if sizes.parts else Const(sizes.groups - 1))[:8]
    following = Mux(number == visited, 0, number + 1)
    h.lemma(~pipe.write | (number <= visited), "there are no more beats than groups")
    h.lemma(offset == Mux(pipe.write, following, number), "groups that were not issued are still to come")
    h.lemma((number == 0) | pipe.write | dut.i.valid, "an operation stays until all its groups were visited")
    now = dut.i.payload.more if sizes.parts else Const(sizes.groups - 1)
    h.lemma(pipe.write | (number <= now) | ~dut.i.valid, "a group that exists is visited next")
    busy = pipe.write | pipe.keep
    h.lemma(~busy | h.past(dut.i.valid), "an operation was offered")
    h.lemma(~busy | (Value.cast(executing.operation) == Value.cast(operation)), "it is the one that is executed")
    h.lemma(second == pipe.keep, "nothing holds up the second half of a fold")
    h.lemma(~second | (operation.kind == OperationKind.FOLD), "only a fold has a second half")
    h.lemma(~(pipe.write & pipe.keep), "a fold does one thing at a time")
    words = [Cat(total, tag) for total, tag in zip(memories.sums, memories.tags, strict=True)]
    read = h.past(pipe.address)
    h.lemma(~busy | (Cat(map(Value.cast, inside.get("old"))) == Array(words)[read]), "what was read is not old")
    row = pipe.write & (Value.cast(executing.row) < sizes.rows)
    h.lemma(~pipe.write | (executing.group < sizes.groups), "a group exists")
    h.lemma(
        ~row | (Value.cast(dut.stores[0].word) == Array(memories.weights)[executing.row][:WEIGHT_BITS]), "nor weights"
    )


def _memory_lemmas(h: Harness, inside: Inside, store: Any, memories: Memories) -> None:
    words = [Cat(total, tag) for total, tag in zip(memories.sums, memories.tags, strict=True)]
    for name, kept in (("accumulators", words), ("neurons", memories.states)):
        if name in memories.ports:
            for place, (port, word) in enumerate(zip(memories.ports[name], kept, strict=True)):
                h.lemma(port.data == word, f"{name} holds what beats left at {place}")
        else:
            held = inside.get("old" if name == "accumulators" else "before")
            h.lemma(Value.cast(held[0]) == kept[0], f"{name} holds what beats left")
    storing, written, changed = (inside.get(name, store) for name in ("storing", "written", "changed"))
    for row, (port, weight) in enumerate(zip(memories.ports["weights_0"], memories.weights, strict=True)):
        latest = Mux(storing & (written == row), changed, port.data)
        h.lemma(latest == weight[:WEIGHT_BITS], f"weight {row} is in memory or about to be written")


FOLDS = Sizes(fold_shift=1)

PROOFS = (
    Proof(
        "crossbar, 1 group, 2 banks, folds",
        Crossbar,
        partial(build, sizes=Sizes(groups=1, fold_shift=1)),
        faults=(
            Fault("pipe.issue.eq(self.i.valid & ~pipe.hazard)", "pipe.issue.eq(self.i.valid)"),
            Fault("hazard.eq(rereads | unlearnt)", "hazard.eq(rereads)"),
            Fault("executing.address == pipe.address", "executing.address == issued.address", depth=6),
            Fault(" | (stored & (stored_row == issued.row))", ""),
            Fault("Mux(keep, Value.cast(before.sum), 0)", "Value.cast(before.sum)"),
            Fault("pipe.fetches_addend | (operation.kind == OperationKind.PUSH)", "pipe.fetches_addend"),
        ),
    ),
    Proof(
        "crossbar, 2 groups, 2 banks, folds",
        Crossbar,
        partial(build, sizes=FOLDS),
        faults=(
            Fault("unlearnt = (pipe.learns & ", "unlearnt = (0 & pipe.learns & "),
            Fault("(pipe.write & ~pipe.learns, executing.address)", "(pipe.write, executing.address)"),
            Fault("<< self.fold_shift", "<< 0", depth=6),
        ),
    ),
    Proof(
        "crossbar, 2 groups, 2 banks, parts",
        Crossbar,
        partial(build, sizes=Sizes(parts=True)),
        faults=(
            Fault("pipe.write & ~pipe.learns & (executing.group == issued.group)", "Const(0)"),
            Fault("group.eq(operation.first + offset)", "group.eq(offset)"),
            Fault("row.eq(operation.row + offset)", "row.eq(operation.row)"),
            Fault("pipe.write & ~self.neurons.keep_states", "pipe.write"),
        ),
    ),
    Proof(
        "crossbar, 1 group, 1 bank, registers",
        Crossbar,
        partial(build, sizes=Sizes(groups=1, banks=1, fold_shift=1)),
        faults=(Fault("with m.If(keep):", "with m.If(~keep):"),),
    ),
    Proof(
        "crossbar, 1 group, 2 banks, sums of pushes",
        Crossbar,
        partial(build, sizes=Sizes(groups=1, parts=True, push_sums=True)),
        faults=(
            Fault("add_or_subtract(held, amplitude_bits, negates)", "add_or_subtract(held, amplitude_bits, negate)"),
        ),
    ),
    Proof(
        "weight store behind a crossbar",
        WeightStore,
        partial(build_store, sizes=FOLDS),
        faults=(
            Fault("Mux(learns, written, port.address)", "port.address"),
            Fault("written.eq(self.written)", "written.eq(self.row)"),
            Fault("storing.eq(self.write)", "storing.eq(self.read)"),
        ),
    ),
)
