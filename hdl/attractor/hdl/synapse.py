"""Synapses: how the bits that a weight memory holds for a lane are read as a weight, and how they learn."""

from abc import ABC, abstractmethod

from amaranth.hdl import Cat, Const, Mux, ShapeLike, Value, signed

from attractor.hdl.arithmetic import add_or_subtract, sign_extend

__all__ = ["CountingSynapse", "IntegerSynapse", "SignSynapse", "Synapse"]


class Synapse(ABC):
    """One kind of synapse; combinational, built into each lane.

    Attributes
    ----------
    bits:
        Width of a lane in the memory.
    rule:
        Shape of what it needs for learning beside a direction, the same for all lanes.
    """

    bits: int
    rule: ShapeLike = 0

    @abstractmethod
    def addend(self, word: Value, width: int) -> Value:
        """Return what an event adds, ``width`` bits, beside the amplitude of the lane."""

    @abstractmethod
    def negates(self, word: Value) -> Value:
        """Return whether an event subtracts what it otherwise adds."""

    @abstractmethod
    def learn(self, word: Value, learns: Value, falls: Value, rule: Value) -> tuple[Value, Value]:
        """Return the word after a step down, or up, if it ``learns``; and whether the weight became its opposite."""


class IntegerSynapse(Synapse):
    """A signed weight, itself added by an event. It learns in steps of one, and stays at the ends of its range.

    Parameters
    ----------
    bits:
        Width of the weight.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def addend(self, word: Value, width: int) -> Value:
        return sign_extend(word, width)

    def negates(self, word: Value) -> Value:
        return Const(0, 1)

    def learn(self, word: Value, learns: Value, falls: Value, rule: Value) -> tuple[Value, Value]:
        sign, rest = word[-1], word[:-1]
        at_end = Mux(falls, sign & ~rest.any(), ~sign & rest.all())
        changed = add_or_subtract(word, Const(1, self.bits), falls)
        return Mux(learns & ~at_end, changed, word), Const(0, 1)


class SignSynapse(Synapse):
    """A weight of 1, or of -1 where the bit is set: an event adds or subtracts the amplitude. To learn is to flip."""

    bits = 1

    def addend(self, word: Value, width: int) -> Value:
        return Const(0, width)

    def negates(self, word: Value) -> Value:
        return word

    def learn(self, word: Value, learns: Value, falls: Value, rule: Value) -> tuple[Value, Value]:
        return word ^ learns, learns


class CountingSynapse(SignSynapse):
    """A weight of 1 or -1 with a signed counter above its bit, which says how much speaks for 1.

    The counter learns in steps of one and stays at plus or minus ``2 ** (counter_bits - 1) - 1``. If then at least a
    threshold speaks against the weight, the weight flips, and the counter stays as it is.

    ``rule`` is the threshold less one, no more than the greatest counter: with that no weight flips.

    Parameters
    ----------
    counter_bits:
        Width of the counter, at least 2.
    """

    def __init__(self, counter_bits: int) -> None:
        self.bits, self.rule = 1 + counter_bits, signed(counter_bits)
        self.counter_high = (1 << counter_bits - 1) - 1

    def negates(self, word: Value) -> Value:
        return word[0]

    def learn(self, word: Value, learns: Value, falls: Value, rule: Value) -> tuple[Value, Value]:
        negative, counter = word[0], word[1:]
        # Both ends are odd, and between sign and least bit they have bits unlike their sign.
        at_end = counter[0] & (counter[-1] == falls) & ~(counter[1:-1] ^ ~falls.replicate(len(counter) - 2)).any()
        moves = learns & ~at_end
        changed = (counter + Cat(moves, (moves & falls).replicate(len(counter) - 1)))[: len(counter)]
        # What speaks against a weight of 1 is minus the counter, which is its complement plus one.
        against = changed ^ (~negative).replicate(len(counter))
        width = len(counter) + 1
        margin = Cat(Const(0, 1), sign_extend(against, width)) - Cat(negative, sign_extend(rule, width))
        flips = learns & ~margin[width]
        return Cat(negative ^ flips, changed), flips

    def limit(self, threshold: Value) -> Value:
        """Return the ``rule`` of a threshold, which is unsigned."""
        return Mux(threshold > self.counter_high, self.counter_high, threshold.as_unsigned() - 1)
