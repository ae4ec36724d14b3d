"""The neuron behind each accumulator: reference bits, own edges, noise and lock, and who has to move."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import one_hot
from attractor.hdl.change_queue import Marks
from attractor.hdl.noise import WORD_BITS, spread
from attractor.hdl.operations import Beat, NeuronSignature, OperationKind
from attractor.hdl.oscillator.signatures import ProgressSignature, ScheduleSignature
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
    crossbar: ``In(NeuronSignature)``
    schedule: ``In(ScheduleSignature)``
    progress: ``In(ProgressSignature)``
    word: ``In(64)``
        The random word of this beat.
    changes: ``Out(stream of Marks, always ready)``
        In a beat that decides, the targets that have to move; the flag is set where the reference rose.
    learns: ``Out(1)``
        In a beat that marks, a target of it learns.
    """

    crossbar: Any
    schedule: Any
    progress: Any
    word: Signal
    changes: stream.Interface
    learns: Signal

    def __init__(self, spec: OscillatorSpec, beat: Beat) -> None:
        self.spec, self.state = spec, NeuronState(spec)
        super().__init__(
            {
                "crossbar": In(NeuronSignature(beat)),
                "schedule": In(ScheduleSignature(spec)),
                "progress": In(ProgressSignature(spec)),
                "word": In(WORD_BITS),
                "changes": Out(stream.Signature(Marks(spec.groups, spec.lanes), always_ready=True)),
                "learns": Out(1),
            }
        )
        # Even, and odd, targets may move in this slot.
        self._turn = Signal(2)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, beat, edge = self.spec, self.crossbar.beat, self.crossbar.beat.context
        selected, starts, turns, noise = (Signal(spec.lanes, name=name) for name in ("own", "starts", "turns", "noise"))
        low_locks = self._lock_levels()
        marked = Signal(spec.lanes)
        even_or_odd = Mux(self.progress.slot[0] ^ self.progress.odd_period, 0b10, 0b01)
        m.d.comb += [
            self._turn.eq(Mux(self.schedule.alternate, even_or_odd, 0b11)),
            selected.eq(Mux(edge.free & (beat.group == edge.group), one_hot(edge.lane, spec.lanes), 0)),
            starts.eq(Mux(edge.first, selected, 0)),
            turns.eq(Mux(edge.places, selected, 0)),
            noise.eq(spread(Mux(edge.noisy, self.word, 0), spec.lanes)),
            self.changes.valid.eq(self.crossbar.valid & edge.decides),
            self.changes.payload.group.eq(beat.group),
            self.learns.eq(self.crossbar.valid & edge.marks & marked.any()),
        ]
        for lane in range(spec.lanes):
            state, following = data.View(self.state, beat.states[lane]), self._following(m, lane)
            moves = self._decide(m, lane, state, following, turns[lane])
            sign = noise[lane] ^ Array(low_locks)[state.lock]
            if spec.learning:
                # The margin counts against the level; the weight grows with the product of two levels.
                sign ^= (edge.marks & state.reference) ^ ((beat.kind == OperationKind.LEARN) & ~state.reference)
                m.d.comb += [self.crossbar.learns[lane].eq(state.teach & ~selected[lane]), marked[lane].eq(moves)]
                with m.If(edge.marks):
                    m.d.comb += following.teach.eq(moves)
            m.d.comb += [self.crossbar.signs[lane].eq(sign), self.crossbar.amplitudes[lane].eq(edge.amplitude)]
            with m.If(starts[lane]):
                m.d.comb += [following.reference.eq(edge.late), following.clamp.eq(edge.clamp)]
            with m.If(turns[lane]):
                m.d.comb += following.lock.eq(edge.lock)
        return m

    def _lock_levels(self) -> Value:
        """Return the lock phases whose level is -1 in this slot in a beat that adds the lock, otherwise 0."""
        spec, slot = self.spec, self.progress.slot
        low = Cat((slot - lock)[spec.phase_bits - 1] for lock in spec.lock_slots)
        return Mux(self.crossbar.beat.context.locked, low, 0)

    def _following(self, m: Module, lane: int) -> data.View:
        """Return the state that is written; unless something is assigned to it, it stays."""
        following = Signal(self.state, name=f"following_{lane}")
        m.d.comb += [following.eq(self.crossbar.beat.states[lane]), self.crossbar.states[lane].eq(following)]
        return following

    def _decide(self, m: Module, lane: int, state: data.View, following: data.View, turns: Value) -> Value:
        """Find the new reference and the tags of one lane; return whether its reference changes and it is free."""
        spec, beat, edge = self.spec, self.crossbar.beat, self.crossbar.beat.context
        tags = data.View(EDGE_TAGS, Mux(beat.kind == OperationKind.FOLD, beat.addend_tags[lane], beat.tags[lane]))
        total: Value = beat.sums[lane]
        rises, moves = Signal(name=f"rises_{lane}"), Signal(name=f"moves_{lane}")
        in_place = tags.present & (tags.late == (self.progress.slot[-1] ^ ~rises))
        odd = beat.group[0] ^ (lane & 1) if spec.lanes % 2 and spec.groups > 1 else Const(lane & 1, 1)
        last_lanes = spec.targets - (spec.groups - 1) * spec.lanes
        exists = 1 if lane < last_lanes else beat.group != spec.groups - 1
        m.d.comb += [
            rises.eq(Mux(total == 0, state.reference, ~total[-1])),
            moves.eq((rises ^ state.reference) & ~state.clamp & exists),
            self.changes.payload.flags[lane].eq(rises),
            self.changes.payload.mask[lane].eq(moves & ~in_place & self._turn.bit_select(odd, 1)),
            self.crossbar.tags[lane].eq(Mux(turns, Cat(edge.present, edge.late), tags)),
        ]
        with m.If(edge.decides):
            m.d.comb += following.reference.eq(rises)
        return moves
