"""The pseudo-random generator that all families share."""

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_

from amaranth.hdl import Array, Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.spec.oscillator import FLIP_BITS, FLIP_MASKS, SEED_BITS

__all__ = [
    "MASK_KINDS",
    "MASK_KIND_BITS",
    "WORD_BITS",
    "NoiseGenerator",
    "flip_masks",
    "high_bits",
    "mask_kinds",
    "may_flip",
    "spread",
]

WORD_BITS = 64
#: How a mask of who may flip is made, as in :data:`FLIP_MASKS`.
MASK_KINDS = (0, *sorted({rule for rules in FLIP_MASKS for rule in rules if rule}))
MASK_KIND_BITS = (len(MASK_KINDS) - 1).bit_length()


class NoiseGenerator(wiring.Component):
    """A xorshift generator of 64 bits (Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003) 14).

    Members
    -------
    seed: ``In(63)``
    start: ``In(1)``
        Take the seed; the next word is ``2 * seed + 1``.
    step: ``In(1)``
        ``x ^= x << 13; x ^= x >> 7; x ^= x << 17``.
    word: ``Out(64)``
    """

    seed: Signal
    start: Signal
    step: Signal
    word: Signal

    def __init__(self) -> None:
        super().__init__({"seed": In(SEED_BITS), "start": In(1), "step": In(1), "word": Out(WORD_BITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first = Signal(WORD_BITS)
        second = Signal(WORD_BITS)
        m.d.comb += [first.eq(self.word ^ (self.word << 13)), second.eq(first ^ (first >> 7))]
        with m.If(self.start):
            m.d.sync += self.word.eq(Cat(Const(1, 1), self.seed))
        with m.Elif(self.step):
            m.d.sync += self.word.eq(second ^ (second << 17))
        return m


def spread(word: Value, lanes: int) -> Value:
    """Return one bit for each lane: bit ``l % 64``, from lane 64 on xored with the bit ``l // 64`` places above it."""
    bits: list[Value] = []
    for lane in range(lanes):
        bit = word[lane % WORD_BITS]
        if distance := lane // WORD_BITS:
            bit = bit ^ word[(lane + distance) % WORD_BITS]
        bits.append(bit)
    return Cat(bits)


def mask_kinds(flips: Value) -> list[Value]:
    """Return for each mask which of :data:`MASK_KINDS` it is; ``flips`` is the number of the share, 0 for no mask."""
    kinds: list[Value] = []
    for rules in zip((0, 0), *FLIP_MASKS, strict=True):
        numbers = [MASK_KINDS.index(rule) for rule in rules]
        # Bit by bit: of an array of constants Yosys would make a memory.
        tables = [
            sum((number >> bit & 1) << place for place, number in enumerate(numbers)) for bit in range(MASK_KIND_BITS)
        ]
        kinds.append(Cat(Const(table, 1 << len(flips)).bit_select(flips, 1) for table in tables))
    return kinds


def flip_masks(word: Value, kinds: Sequence[Value]) -> list[Value]:
    """Return the masks of who may flip, of as many bits as the word, from their kinds.

    They are made once for all lanes. A bit depends on three bits of the word and three of the kind: one look-up table
    of six inputs if the kinds are registers.
    """
    masks: list[Value] = []
    for kind, (_, offsets) in zip(kinds, FLIP_BITS, strict=True):
        seen = [word.rotate_right(offset) for offset in offsets]
        masks.append(Array(_mask(seen, rule) for rule in MASK_KINDS)[kind])
    return masks


def _all_set(word: Value) -> Value:
    return Const(-1, len(word))


def _mask(seen: list[Value], rule: int) -> Value:
    """Return where the first words that a rule of :data:`FLIP_MASKS` reads have all, or any, of their bits set."""
    if not rule:
        return _all_set(seen[0])
    return reduce(and_ if rule > 0 else or_, seen[: abs(rule)])


def may_flip(masks: Sequence[Value], lanes: int) -> Value:
    """Return one bit for each lane, from the masks of :func:`flip_masks`: the lanes whose targets may flip."""
    bits: list[Value] = []
    for lane in range(lanes):
        block = lane // WORD_BITS
        places = ((lane + stride * block) % WORD_BITS for stride, _ in FLIP_BITS)
        bits.append(Cat(mask[place] for mask, place in zip(masks, places, strict=True)).all())
    return Cat(bits)


def high_bits(word: Value, count: int) -> Value:
    """Return so many of the highest bits of a word."""
    return word[-count:]
