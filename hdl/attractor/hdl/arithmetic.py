"""Small combinational functions that several components share."""

from amaranth.hdl import Cat, Const, Mux, Value, ValueLike
from amaranth.utils import ceil_log2

__all__ = ["add_or_subtract", "count_ones", "exceeds", "lowest", "one_hot", "sign_extend", "times_constant"]


def times_constant(value: ValueLike, constant: int) -> Value:
    """Return ``value * constant`` as shifts and additions, which never become a DSP block."""
    product: Value = Const(0)
    shifted = Value.cast(value)
    for shift in range(constant.bit_length()):
        if constant >> shift & 1:
            product = product + (shifted << shift)
    return product


def add_or_subtract(value: Value, addend: Value, negate: ValueLike) -> Value:
    """Return ``value`` plus or minus ``addend``, both equally wide: one carry chain for both.

    Written as a subtraction, since synthesis lets the minuend alone: on 7-series devices it feeds the carry chain past
    the look-up tables, which are then free for whatever selects the addend. The least bit of the chain makes the carry
    that completes the two's complement: ``negate - 1`` borrows unless ``negate`` is set.
    """
    width = len(value)
    keep = ~Value.cast(negate)[:1]
    return (Cat(negate, value) - Cat(Const(1, 1), addend ^ keep.replicate(width)))[1 : width + 1]


def sign_extend(value: Value, width: int) -> Value:
    """Return the bits of a signed ``value`` in ``width`` bits, no fewer than it has."""
    return Cat(value, value[-1].replicate(width - len(value)))


def one_hot(index: Value, width: int) -> Value:
    """Return ``width`` bits of which only bit ``index`` is set, decoded in two halves to keep the fan-in small."""
    low_bits = min(len(index), ceil_log2(width) // 2)
    low, high = index[:low_bits], index[low_bits:]
    lows = [low == value for value in range(1 << low_bits)]
    highs = [high == value for value in range(-(-width // (1 << low_bits)))]
    return Cat(highs[bit >> low_bits] & lows[bit & ((1 << low_bits) - 1)] for bit in range(width))


def lowest(bits: Value) -> Value:
    """Return the index of the lowest set bit, as a tree; 0 if there is none."""
    if len(bits) <= 2:
        return ~bits[0] if len(bits) == 2 else Const(0, 1)
    half = 1 << (len(bits) - 1).bit_length() - 1
    low, high = bits[:half], bits[half:]
    return Mux(low.any(), lowest(low), half + lowest(high))


def exceeds(value: Value, constant: int) -> Value:
    """Return whether an unsigned ``value`` is greater than a constant, without a carry chain."""
    if constant < 0:
        return Const(1, 1)
    if constant >> len(value):
        return Const(0, 1)
    result: Value = Const(0, 1)
    for place in range(len(value)):
        result = value[place] & result if constant >> place & 1 else value[place] | result
    return result


def count_ones(bits: Value) -> Value:
    """Return how many bits are set, added up as a tree."""
    if len(bits) <= 1:
        return bits
    half = len(bits) // 2
    return count_ones(bits[:half]) + count_ones(bits[half:])
