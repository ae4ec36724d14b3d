"""Small combinational functions that several components share."""

from amaranth.hdl import Cat, Const, Value, ValueLike
from amaranth.utils import ceil_log2


def times_constant(value: ValueLike, constant: int) -> Value:
    """Return ``value * constant`` as shifts and additions, which never become a DSP block."""
    product: Value = Const(0)
    shifted = Value.cast(value)
    for shift in range(constant.bit_length()):
        if constant >> shift & 1:
            product = product + (shifted << shift)
    return product


def add_or_subtract(value: Value, addend: Value, negate: ValueLike) -> Value:
    """Return ``value`` plus or minus ``addend``, as wide as ``value``: one carry chain for both.

    The least bit is a one that meets ``negate``, so its carry completes the two's complement of the addend.
    """
    width = len(value)
    wide = addend.as_signed()[:width] if len(addend) >= width else _extend(addend, width)
    inverted = wide ^ negate_mask(negate, width)
    return (Cat(negate, inverted) + Cat(Const(1, 1), value))[1 : width + 1]


def negate_mask(negate: ValueLike, width: int) -> Value:
    """Return ``negate`` repeated ``width`` times."""
    return Value.cast(negate).replicate(width)


def one_hot(index: Value, width: int) -> Value:
    """Return ``width`` bits of which only bit ``index`` is set, decoded in two halves to keep the fan-in small."""
    low_bits = min(len(index), ceil_log2(width) // 2)
    low, high = index[:low_bits], index[low_bits:]
    lows = [low == value for value in range(1 << low_bits)]
    highs = [high == value for value in range(-(-width // (1 << low_bits)))]
    return Cat(highs[bit >> low_bits] & lows[bit & ((1 << low_bits) - 1)] for bit in range(width))


def _extend(value: Value, width: int) -> Value:
    signed = value.as_signed()
    return Cat(signed, signed[-1].replicate(width - len(signed)))
