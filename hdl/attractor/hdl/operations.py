"""What a crossbar is told, and what it shows to the neurons behind its accumulators."""

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Beat", "NeuronSignature", "Operation", "OperationKind"]


class OperationKind(enum.Enum, shape=2):
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
    kind: :class:`OperationKind`
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
                "kind": OperationKind,
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
        self.lanes, self.sum_bits, self.tag_bits, self.state_bits = lanes, sum_shape.width, tag_bits, state_bits
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


class NeuronSignature(wiring.Signature):
    """The neurons behind the accumulators, seen from the crossbar: it shows a beat, they answer in the same cycle.

    Parameters
    ----------
    beat:
        Layout of the beats.

    Members
    -------
    valid: ``Out(1)``
        There is a beat in this cycle; it cannot be held back.
    beat: ``Out(Beat)``
    tags: ``In(lanes times tag_bits)``
    states: ``In(lanes times state_bits)``
        What to write in this beat.
    keep_states: ``In(1)``
        The states are not written in this beat. They must not be in a LEARN where a crossbar has ``parts``.
    amplitudes: ``In(lanes times sum_bits)``
        What a PUSH adds in this beat, or an event whose weights have one bit; otherwise 0.
    signs: ``In(lanes)``
        Lanes whose increment is the opposite in this beat.
    learns: ``In(lanes)``
        Lanes whose weight learns in this beat; LEARN only.
    """

    def __init__(self, beat: Beat) -> None:
        self.beat = beat
        super().__init__(
            {
                "valid": Out(1),
                "beat": Out(beat),
                "tags": In(data.ArrayLayout(beat.tag_bits, beat.lanes)),
                "states": In(data.ArrayLayout(beat.state_bits, beat.lanes)),
                "keep_states": In(1),
                "amplitudes": In(data.ArrayLayout(beat.sum_bits, beat.lanes)),
                "signs": In(beat.lanes),
                "learns": In(beat.lanes),
            }
        )
