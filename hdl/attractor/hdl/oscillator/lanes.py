"""The neuron behind each accumulator: reference bits, own edges, noise and lock, and who has to move."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import one_hot
from attractor.hdl.change_queue import Marks
from attractor.hdl.noise import WORD_BITS, flip_masks, may_flip, spread
from attractor.hdl.operations import Beat, NeuronSignature, OperationKind
from attractor.hdl.oscillator.rule import low_locks
from attractor.hdl.oscillator.signatures import ProgressSignature, ScheduleSignature
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator import FLIP_BITS

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

    Where targets flip, one has to move if the sign of its field wants it on the other side than it is on, it is not
    clamped, and it may flip by the random word of this beat.

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
        In a beat that decides, the targets that have to move; the flag is set where the reference is now high.
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
        if spec.flips:
            # This beat decides who flips.
            self._flipping = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, beat, edge = self.spec, self.crossbar.beat, self.crossbar.beat.context
        selected, starts, turns, noise = (Signal(spec.lanes, name=name) for name in ("own", "starts", "turns", "noise"))
        lows = self._lock_levels()
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
        if spec.flips:
            # Not in a beat that marks for a lesson, whatever the schedule says.
            m.d.comb += self._flipping.eq(self.schedule.flips & edge.decides)
        lanes = self._decide(m, turns)
        signs, learns = [], []
        for lane, (state, following, moves) in enumerate(lanes):
            sign = noise[lane] ^ Array(lows)[state.lock]
            if spec.learning:
                # The margin counts against the level; the weight grows with the product of two levels.
                sign ^= (edge.marks & state.reference) ^ ((beat.kind == OperationKind.LEARN) & ~state.reference)
                learns.append(state.teach & ~selected[lane])
                with m.If(edge.marks):
                    m.d.comb += following.teach.eq(moves)
            signs.append(sign)
            with m.If(starts[lane]):
                m.d.comb += [following.reference.eq(edge.late), following.clamp.eq(edge.clamp)]
            with m.If(turns[lane]):
                m.d.comb += following.lock.eq(edge.lock)
        m.d.comb += [
            self.crossbar.states.eq(Cat(following for _, following, _ in lanes)),
            self.crossbar.signs.eq(Cat(signs)),
            self.crossbar.amplitudes.eq(edge.amplitude.replicate(spec.lanes)),
            self.crossbar.learns.eq(Cat(learns)),
            marked.eq(Cat(moves for _, _, moves in lanes) if spec.learning else 0),
        ]
        return m

    def _lock_levels(self) -> Value:
        """Return the lock phases whose level is -1 in this slot in a beat that adds the lock, otherwise 0."""
        low = Cat(low_locks(self.spec, self.progress.slot))
        return Mux(self.crossbar.beat.context.locked, low, 0)

    def _decide(self, m: Module, turns: Value) -> list[tuple[data.View, data.View, Value]]:
        """Find the new references and the tags of all lanes.

        What is as wide as all lanes is read once and assigned as a whole: Amaranth goes through all of it each time.

        Returns
        -------
        list
            For each lane its state; the state that is written, which is the same unless something is assigned to it;
            and whether it is free and its reference changes or, where targets flip, is to be on the other side.
        """
        beat, changes, lanes, rising, marked, tags = self.crossbar.beat, self.changes.payload, [], [], [], []
        allowed = Signal(self.spec.lanes)
        if self.spec.flips:
            m.d.comb += allowed.eq(self._allowed(m))
        seen = zip(beat.states, beat.sums, beat.tags, beat.addend_tags, strict=True)
        for lane, (before, total, own_tags, addend_tags) in enumerate(seen):
            state, following = data.View(self.state, before), Signal(self.state, name=f"following_{lane}")
            edge_tags = data.View(EDGE_TAGS, Mux(beat.kind == OperationKind.FOLD, addend_tags, own_tags))
            rises, moves = Signal(name=f"rises_{lane}"), Signal(name=f"moves_{lane}")
            held = self._held(state)
            m.d.comb += [
                following.eq(before),
                rises.eq(Mux(total == 0, held, ~total[-1])),
                moves.eq((rises ^ held) & ~state.clamp & self._exists(lane)),
            ]
            with m.If(beat.context.decides):
                m.d.comb += following.reference.eq(rises)
            stays = edge_tags.present & (edge_tags.late == (self.progress.slot[-1] ^ ~rises))
            turn = self._turn.bit_select(self._odd(lane), 1)
            if self.spec.flips:
                # Who moves has a reference that changes: so this need not wait for the sum.
                stays = edge_tags.present & (edge_tags.late == (self.progress.slot[-1] ^ held))
                turn = allowed[lane]
            rising.append(rises)
            marked.append(moves & ~stays & turn)
            tags.append(Mux(turns[lane], Cat(beat.context.present, beat.context.late), edge_tags))
            lanes.append((state, following, moves))
        m.d.comb += [changes.flags.eq(Cat(rising)), changes.mask.eq(Cat(marked)), self.crossbar.tags.eq(Cat(tags))]
        return lanes

    def _held(self, state: data.View) -> Value:
        """Return the reference that a target keeps if its field is 0: where targets flip, the level of its side."""
        if not self.spec.flips:
            return state.reference
        return Mux(self._flipping, (state.lock == 0) ^ self.progress.slot[-1], state.reference)

    def _allowed(self, m: Module) -> Value:
        """Return a bit for each lane: it is its target's turn, and it may flip by this word, as all may if none flips.

        Where a lane's targets are all even or all odd, the turn is part of a mask: once for even, once for odd lanes.
        """
        masks = [Signal(WORD_BITS, name=f"flip_mask_{number}") for number in range(len(FLIP_BITS))]
        made = flip_masks(self.word, [self.schedule.mask_kinds[mask] for mask in range(len(masks))])
        m.d.comb += [mask.eq(value) for mask, value in zip(masks, made, strict=True)]
        lanes = self.spec.lanes
        if not isinstance(self._odd(0), Const):
            return may_flip(masks, lanes) & Cat(self._turn.bit_select(self._odd(lane), 1) for lane in range(lanes))
        turned = [Signal(lanes, name=f"may_flip_{parity}") for parity in range(2)]
        for parity, bits in enumerate(turned):
            mask = Signal(WORD_BITS, name=f"turned_mask_{parity}")
            m.d.comb += mask.eq(masks[0] & self._turn[parity].replicate(WORD_BITS))
            m.d.comb += bits.eq(may_flip([mask, masks[1]], lanes))
        return Cat(turned[lane & 1][lane] for lane in range(lanes))

    def _odd(self, lane: int) -> Value:
        """Return whether the target in a lane has an odd number."""
        spec = self.spec
        groups_alternate = spec.lanes % 2 and spec.groups > 1
        return self.crossbar.beat.group[0] ^ (lane & 1) if groups_alternate else Const(lane & 1, 1)

    def _exists(self, lane: int) -> ValueLike:
        """Return whether there is a target in a lane, as there is in all but some of the last group."""
        spec = self.spec
        last_lanes = spec.targets - (spec.groups - 1) * spec.lanes
        return 1 if lane < last_lanes else self.crossbar.beat.group != spec.groups - 1
