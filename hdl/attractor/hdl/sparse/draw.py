"""What a group's random word says: the signs of the noise, and who may move."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.noise import WORD_BITS, flip_masks, may_flip
from attractor.hdl.oscillator.signatures import ProgressSignature, ScheduleSignature
from attractor.hdl.sparse.layouts import groups_of
from attractor.hdl.sparse.terms import Choice
from attractor.spec.oscillator import FLIP_BITS
from attractor.spec.sparse import SparseSpec

__all__ = ["Draw"]


class Draw(wiring.Component):
    """Registers with what all lanes of a group take from its random word, a cycle after it.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    word, group: ``In(64)``, ``In(range(groups))``
    schedule: ``In(ScheduleSignature)``
    progress: ``In(ProgressSignature)``
    choice: ``Out(Choice(spec))``
        Which noise.
    allowed: ``Out(lanes)``
        Who may move: it is the target's turn and, where targets flip, it is among those that may by this word.
    """

    word: Signal
    group: Signal
    schedule: Any
    progress: Any
    choice: Any
    allowed: Signal

    def __init__(self, spec: SparseSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "word": In(WORD_BITS),
                "group": In(range(groups_of(spec))),
                "schedule": In(ScheduleSignature(spec)),
                "progress": In(ProgressSignature(spec)),
                "choice": Out(Choice(spec)),
                "allowed": Out(spec.lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, slot = self.spec, self.progress.slot
        members = Choice(spec).choose(m, self.word)
        if not spec.flips:
            members = {"negative": self.word[: spec.lanes]}
        elif spec.binary:
            # The sums are those of sides: in the second half of a period random signs count for the opposite.
            members["negative"] = members["negative"] ^ slot[-1].replicate(spec.lanes)
        else:
            members["negative"] = Mux(self.schedule.flips, members["negative"], self.word[: spec.lanes])
        m.d.sync += [self.choice[name].eq(value) for name, value in members.items()]
        allowed = self._turns(m)
        if spec.flips:
            allowed &= self._may_flip(m)
        m.d.sync += self.allowed.eq(allowed)
        return m

    def _turns(self, m: Module) -> Value:
        """Return whose turn it is."""
        # Of even, and of odd, targets; and of even, and of odd, lanes.
        turn, turns = Signal(2), Signal(2)
        even_or_odd = Mux(self.progress.slot[0] ^ self.progress.odd_period, 0b10, 0b01)
        swapped = self.group[0] if self.spec.lanes % 2 else 0
        m.d.comb += [
            turn.eq(Mux(self.schedule.alternate, even_or_odd, 0b11)),
            turns.eq(Mux(swapped, turn.rotate_left(1), turn)),
        ]
        return Cat(turns[lane % 2] for lane in range(self.spec.lanes))

    def _may_flip(self, m: Module) -> Value:
        """Return who may flip by the word; all, where none flips."""
        masks = [Signal(WORD_BITS, name=f"flip_mask_{number}") for number in range(len(FLIP_BITS))]
        made = flip_masks(self.word, [self.schedule.mask_kinds[mask] for mask in range(len(masks))])
        m.d.comb += [mask.eq(value) for mask, value in zip(masks, made, strict=True)]
        return may_flip(masks, self.spec.lanes)
