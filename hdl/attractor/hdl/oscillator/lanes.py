"""The neuron behind each accumulator: reference bits, own edges, noise and lock, and who has to move."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import one_hot
from attractor.hdl.crossbar import Beat, OperationKind
from attractor.hdl.noise import WORD_BITS, spread
from attractor.spec import OscillatorSpec

__all__ = ["EDGE_TAGS", "TAG_BITS", "Lanes", "NeuronState"]

#: Tags in the banks of the differences: the target's own edge is in this bank, and its phase is in the second half.
#: A fold takes them along into the banks of the sums.
EDGE_TAGS = data.StructLayout({"present": 1, "late": 1})
TAG_BITS = 2


class NeuronState(data.StructLayout):
    """What a target keeps from slot to slot.

    Members
    -------
    reference: ``1``
        Sign of its field in the last slot.
    clamp: ``1``
        It does not move in this call.
    lock: ``range(lock_phases)``
        The lock phase nearest to its own.
    teach: ``1``
        It learns the present pattern; only in networks with ``learning``.
    """

    def __init__(self, spec: OscillatorSpec) -> None:
        members = {"reference": 1, "clamp": 1, "lock": range(spec.lock_phases)}
        super().__init__(members | ({"teach": 1} if spec.learning else {}))


class Lanes(wiring.Component):
    """Combinational: watches the beats of the crossbar, says what to write beside the sums and which targets move.

    The beat that decides, a fold or, with noise or lock, the last push of a slot, carries the field of the target; its
    sign is the new reference, and a zero keeps the old one. A target has to move if its reference changed, it is not
    clamped, and its own edge of the same direction is not in this very slot already.

    Parameters
    ----------
    spec:
        The network.
    beat:
        Layout of the crossbar's beats.

    Members
    -------
    beat: ``In(Beat)``
    late_slot: ``In(1)``
        The slot lies in the second half of the period.
    turn: ``In(2)``
        Even, and odd, targets may move in this slot.
    noise: ``In(64)``
        The random word in a beat that adds noise, otherwise 0.
    low_locks: ``In(lock_phases)``
        Lock phases whose level is -1 in this slot in a beat that adds the lock, otherwise 0.
    tags: ``Out(lanes times 2)``
    states: ``Out(lanes times NeuronState)``
    amplitudes: ``Out(lanes times sum_bits)``
    signs: ``Out(lanes)``
    learns: ``Out(lanes)``
        As in :class:`~attractor.hdl.crossbar.Crossbar`.
    moving: ``Out(lanes)``
        Targets that have to move, if the beat decides.
    rising: ``Out(lanes)``
        New references.
    teaches: ``Out(1)``
        A target of this beat learns, if the beat marks.
    """

    beat: data.View
    late_slot: Signal
    turn: Signal
    noise: Signal
    low_locks: Signal
    tags: data.View
    states: data.View
    amplitudes: data.View
    signs: Signal
    learns: Signal
    moving: Signal
    rising: Signal
    teaches: Signal

    def __init__(self, spec: OscillatorSpec, beat: Beat) -> None:
        self.spec, self.state = spec, NeuronState(spec)
        super().__init__(
            {
                "beat": In(beat),
                "late_slot": In(1),
                "turn": In(2),
                "noise": In(WORD_BITS),
                "low_locks": In(spec.lock_phases),
                "tags": Out(data.ArrayLayout(TAG_BITS, spec.lanes)),
                "states": Out(data.ArrayLayout(self.state.size, spec.lanes)),
                "amplitudes": Out(data.ArrayLayout(spec.sum_bits, spec.lanes)),
                "signs": Out(spec.lanes),
                "learns": Out(spec.lanes),
                "moving": Out(spec.lanes),
                "rising": Out(spec.lanes),
                "teaches": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, edge = self.spec, self.beat.context
        selected, starts, turns, noise = (Signal(spec.lanes, name=name) for name in ("own", "starts", "turns", "noise"))
        m.d.comb += [
            selected.eq(Mux(edge.free & (self.beat.group == edge.group), one_hot(edge.lane, spec.lanes), 0)),
            starts.eq(Mux(edge.first, selected, 0)),
            turns.eq(Mux(edge.places, selected, 0)),
            noise.eq(spread(self.noise, spec.lanes)),
        ]
        marked = Signal(spec.lanes)
        for lane in range(spec.lanes):
            state, following = data.View(self.state, self.beat.states[lane]), self._following(m, lane)
            moves = self._decide(m, lane, state, following, turns[lane])
            sign = noise[lane] ^ Array(self.low_locks)[state.lock]
            if spec.learning:
                # The margin counts against the level; the weight grows with the product of two levels.
                sign ^= (edge.marks & state.reference) ^ ((self.beat.kind == OperationKind.LEARN) & ~state.reference)
                m.d.comb += [self.learns[lane].eq(state.teach & ~selected[lane]), marked[lane].eq(moves)]
                with m.If(edge.marks):
                    m.d.comb += following.teach.eq(moves)
            m.d.comb += [self.signs[lane].eq(sign), self.amplitudes[lane].eq(edge.amplitude)]
            with m.If(starts[lane]):
                m.d.comb += [following.reference.eq(edge.late), following.clamp.eq(edge.clamp)]
            with m.If(turns[lane]):
                m.d.comb += following.lock.eq(edge.lock)
        m.d.comb += self.teaches.eq(marked.any())
        return m

    def _following(self, m: Module, lane: int) -> data.View:
        """Return the state that is written; unless something is assigned to it, it stays."""
        following = Signal(self.state, name=f"following_{lane}")
        m.d.comb += [following.eq(self.beat.states[lane]), self.states[lane].eq(following)]
        return following

    def _decide(self, m: Module, lane: int, state: data.View, following: data.View, turns: Value) -> Value:
        """Find the new reference and the tags of one lane; return whether its reference changes and it is free."""
        spec, beat, edge = self.spec, self.beat, self.beat.context
        tags = data.View(EDGE_TAGS, Mux(beat.kind == OperationKind.FOLD, beat.addend_tags[lane], beat.tags[lane]))
        total: Value = beat.sums[lane]
        rises, moves = Signal(name=f"rises_{lane}"), Signal(name=f"moves_{lane}")
        in_place = tags.present & (tags.late == (self.late_slot ^ ~rises))
        odd = beat.group[0] ^ (lane & 1) if spec.lanes % 2 and spec.groups > 1 else Const(lane & 1, 1)
        last_lanes = spec.targets - (spec.groups - 1) * spec.lanes
        exists = 1 if lane < last_lanes else beat.group != spec.groups - 1
        m.d.comb += [
            rises.eq(Mux(total == 0, state.reference, ~total[-1])),
            moves.eq((rises ^ state.reference) & ~state.clamp & exists),
            self.rising[lane].eq(rises),
            self.moving[lane].eq(moves & ~in_place & self.turn.bit_select(odd, 1)),
            self.tags[lane].eq(Mux(turns, Cat(edge.present, edge.late), tags)),
        ]
        with m.If(edge.decides):
            m.d.comb += following.reference.eq(rises)
        return moves
