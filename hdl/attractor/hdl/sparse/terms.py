"""What noise can add to a field: the few values that a sum of random signs has."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import add_or_subtract, sign_extend
from attractor.hdl.noise import WORD_BITS
from attractor.spec.oscillator import NOISE_SHIFTS
from attractor.spec.sparse import NOISE_OFFSETS, SparseSpec

__all__ = ["Choice", "Term", "Terms", "chosen_term", "field_bits", "signs_of"]

# The signs are thrice, twice and once of the same weight; everything below stands on that.
assert NOISE_SHIFTS == (1, 1, 1, 2, 2, 3)


def field_bits(spec: SparseSpec) -> int:
    """Return the signed width of a field with noise: in steps of one sum, 3.125 strengths, and one.

    With full phases in steps of a field, and there may be a lock.
    """
    return spec.accumulator_bits + 2 if spec.binary else spec.sum_bits


class Term(data.StructLayout):
    """A value of the noise, in steps of one sum; with full phases in steps of a field.

    Members
    -------
    whole: ``signed``
        Rounded down.
    rest: ``1``
        It is not whole.
    """

    def __init__(self, spec: SparseSpec) -> None:
        super().__init__({"whole": field_bits(spec), "rest": 1})


class Choice(data.StructLayout):
    """Of all lanes, which value the random signs make, where most of the first three are positive.

    Where most of them are negative, the value is the opposite, and all signs here are, too.

    Members
    -------
    negative: ``lanes``
        Most of the first three signs are negative.
    equal: ``lanes``
        They are all equal.
    differ: ``lanes``
        The two of the middle weight cancel each other.
    middle, least: ``lanes``
        The fourth sign, and the sixth, is the opposite of most of the first three.
    """

    def __init__(self, spec: SparseSpec) -> None:
        super().__init__(dict.fromkeys(("negative", "equal", "differ", "middle", "least"), spec.lanes))

    def choose(self, m: Module, word: Value) -> dict[str, Value]:
        """Return all members, made of a random word."""
        lanes = self.members["equal"]
        signs = [Signal(lanes, name=f"signs_{number}") for number in range(len(NOISE_OFFSETS))]
        for sign, offset in zip(signs, NOISE_OFFSETS, strict=True):
            m.d.comb += sign.eq(Value.cast(word).rotate_right(offset % WORD_BITS)[:lanes])
        first, second, third, fourth, fifth, sixth = signs
        most = Signal(lanes, name="most")
        m.d.comb += most.eq((first & second) | (third & (first | second)))
        return {
            "negative": most,
            "equal": ~((first ^ second) | (second ^ third)),
            "differ": fourth ^ fifth,
            "middle": fourth ^ most,
            "least": sixth ^ most,
        }


class Terms(wiring.Component):
    """Registers with all values that noise can have where most of the first three signs are positive.

    Six signs have 64 combinations, but 24 values, and half of them are the opposites of the others. They change with
    the entry of the schedule alone, so a lane chooses one of twelve instead of adding six numbers.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    noise: ``In(range(largest_amplitude + 1))``
        The amplitude.
    flips: ``In(1)``
        Targets flip; otherwise there is one sign, and all values are the amplitude.
    values: ``Out(12 times Term)``
        Those of the amplitude of the cycle before: for three unequal and for three equal signs; for two middle ones
        that cancel each other, are positive, or negative; for a positive and a negative last one.
    """

    noise: Signal
    flips: Signal
    values: Any

    def __init__(self, spec: SparseSpec) -> None:
        self.spec = spec
        values = data.ArrayLayout(Term(spec), 12)
        super().__init__({"noise": In(range(spec.largest_amplitude + 1)), "flips": In(1), "values": Out(values)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fraction = self.spec.fraction_bits if self.spec.binary else 0
        most, middle, least = (self.noise >> shift for shift in sorted(set(NOISE_SHIFTS)))
        number = 0
        for first in (most, most + (most << 1)):
            for second in (None, middle << 1, -(middle << 1)):
                for third in (least, -least):
                    value = Signal(range(-self.spec.largest_sum, 3 * self.spec.largest_sum), name=f"value_{number}")
                    total = first + third if second is None else first + third + second
                    m.d.comb += value.eq(Mux(self.flips, total, self.noise))
                    term = self.values[number]
                    m.d.sync += [term.whole.eq(value >> fraction), term.rest.eq(value[:fraction].any())]
                    number += 1
        return m


def chosen_term(values: Any, lane: int, choice: Any) -> Value:
    """Return the value of a lane as bits."""
    terms = [Value.cast(values[number]) for number in range(12)]
    equal, differ, middle, least = (choice[name][lane] for name in ("equal", "differ", "middle", "least"))
    pairs = [Mux(least, terms[number + 1], terms[number]) for number in range(0, 12, 2)]
    triples = [Mux(differ, pairs[n], Mux(middle, pairs[n + 2], pairs[n + 1])) for n in (0, 3)]
    return Mux(equal, triples[1], triples[0])


def signs_of(m: Module, spec: SparseSpec, held: Sequence[Value], values: Any, negative: Value) -> tuple[Signal, Signal]:
    """Return of which lanes the field with its noise is positive, if it is not 0, and of which it is 0.

    Parameters
    ----------
    held:
        The signed fields of all lanes without noise, in steps of a :class:`Term`.
    values:
        The noise of all lanes, or its opposite.
    negative:
        Those of which it is the opposite.
    """
    bits, signs, zeros = field_bits(spec), [], []
    for lane, field_held in enumerate(held):
        # The opposite of the field where the noise was taken for the opposite of what it is.
        field = Signal(bits, name=f"field_{lane}")
        m.d.comb += field.eq(add_or_subtract(values[lane].whole, sign_extend(field_held, bits), negative[lane]))
        signs.append(field[-1])
        zeros.append((field == 0) & ~values[lane].rest)
    positive, balanced = Signal(spec.lanes, name="positive"), Signal(spec.lanes, name="balanced")
    m.d.comb += [positive.eq(~(Cat(signs) ^ negative)), balanced.eq(Cat(zeros))]
    return positive, balanced
