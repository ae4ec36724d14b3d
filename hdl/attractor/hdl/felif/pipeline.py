"""What the datapaths of the neurons are made of: values that move on together, and limits of numbers."""

from typing import Self

from amaranth.hdl import Cat, Module, Mux, Signal, Value, ValueLike

from attractor.hdl.arithmetic import lowest

__all__ = ["Stage", "at_most_one", "bit_length", "clamp", "entry", "magnitude", "saturate", "toward_zero", "with_sign"]


class Stage:
    """Values that move through a pipeline together.

    A value that no later stage looks at costs nothing: synthesis removes registers that nobody reads. A reset empties
    the pipeline: it clears the value called ``valid``, and leaves the others alone.

    Parameters
    ----------
    m:
        Where the registers are.
    values:
        What the pipeline begins with, by name.
    level:
        Cycles since the beginning.
    """

    def __init__(self, m: Module, values: dict[str, ValueLike], level: int = 0) -> None:
        self._module, self.level = m, level
        self._values = {name: Value.cast(value) for name, value in values.items()}

    def __getattr__(self, name: str) -> Value:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def beside(self, **values: ValueLike) -> Self:
        """Return this stage with further values, such as those that a memory shows in this cycle."""
        return type(self)(self._module, {**self._values, **values}, self.level)

    def next(self, **values: ValueLike) -> Self:
        """Return the stage a cycle later, with some values replaced or added."""
        level, registers = self.level + 1, {}
        for name, value in {**self._values, **values}.items():
            held = Value.cast(value)
            registers[name] = Signal(held.shape(), name=f"{name}_{level}", reset_less=name != "valid")
            self._module.d.sync += registers[name].eq(held)
        return type(self)(self._module, registers, level)

    def after(self, cycles: int) -> Self:
        """Return the stage some cycles later, with all values as they are."""
        return self if cycles == 0 else self.next().after(cycles - 1)


def magnitude(value: Value) -> Value:
    """Return the magnitude of a signed value, unsigned and as wide."""
    return Mux(value[-1], -value, value)[: len(value)]


def with_sign(size: Value, negative: ValueLike) -> Value:
    """Return a size, or minus it."""
    return Mux(negative, -size, size)


def saturate(value: Value, bits: int) -> Value:
    """Return a signed value limited to what ``bits`` bits hold in two's complement."""
    if len(value) <= bits:
        return value
    sign, rest = value[-1], value[bits - 1 : -1]
    fits = rest == sign.replicate(len(rest))
    return Mux(fits, value[:bits], Cat((~sign).replicate(bits - 1), sign)).as_signed()


def clamp(value: Value, limit: Value) -> Value:
    """Return a signed value limited to plus or minus ``limit``, which is unsigned."""
    bounded = Mux(value > limit, limit, Mux(value < -limit, -limit, value))
    return bounded[: len(limit) + 1].as_signed()


def toward_zero(value: Value, loss: Value) -> Value:
    """Return a signed value nearer to 0 by ``loss``, which is unsigned, or 0 where it is no more than that."""
    nearer = Mux(value[-1], value + loss, value - loss)
    return Mux(nearer[-1] == value[-1], nearer, 0)[: len(value)].as_signed()


def entry(value: Value, shift: int, entries: int) -> Value:
    """Return ``value >> shift`` limited to the entries of a table, a power of two of them."""
    bits, high = entries.bit_length() - 1, value[shift:-1]
    beyond = high[bits:].any()
    return Mux(value[-1], 0, high[:bits] | beyond.replicate(bits))


def bit_length(value: Value, most: int) -> Value:
    """Return the bit length of an unsigned value, at most ``most``."""
    bits = Cat(value[: most - 1], value[most - 1 :].any())
    return Mux(bits.any(), most - lowest(bits[::-1]), 0)


def at_most_one(value: Value) -> Value:
    """Return a fraction with one bit before the point, limited to 1."""
    return Mux(value[-1], 1 << len(value) - 1, value)
