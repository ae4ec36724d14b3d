"""The pseudo-random generator that all families share."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.spec.oscillator import SEED_BITS

__all__ = ["WORD_BITS", "NoiseGenerator", "high_bits", "spread"]

WORD_BITS = 64


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


def high_bits(word: Value, count: int) -> Value:
    """Return so many of the highest bits of a word."""
    return word[-count:]
