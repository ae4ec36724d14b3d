# amaranth: UnusedElaboratable=no
from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Const, Module, Signal, Value
from amaranth.sim import Simulator

from attractor.hdl.arithmetic import add_or_subtract, exceeds, lowest, one_hot, sign_extend, times_constant


def evaluate(output: Value, inputs: tuple[Signal, ...], cases: list[tuple[int, ...]]) -> list[int]:
    """Return the value of a combinational ``output`` for each case, which has a value for each input."""
    m = Module()
    result = Signal(output.shape())
    m.d.comb += result.eq(output)
    values = []

    async def bench(ctx: Any) -> None:
        for case in cases:
            for signal, value in zip(inputs, case, strict=True):
                ctx.set(signal, value)
            values.append(ctx.get(result))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return values


def wrapped(value: int, bits: int) -> int:
    return value & ((1 << bits) - 1)


@pytest.mark.parametrize("constant", [*range(18), 27, 64, 255])
def test_times_constant(constant: int) -> None:
    value = Signal(5)
    found = evaluate(times_constant(value, constant), (value,), [(number,) for number in range(32)])
    assert found == [number * constant for number in range(32)]


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_add_or_subtract(width: int) -> None:
    value, addend, negate = Signal(width), Signal(width), Signal()
    cases = [(v, a, n) for v in range(1 << width) for a in range(1 << width) for n in (0, 1)]
    output = add_or_subtract(value, addend, negate)
    assert len(output) == width
    found = evaluate(output, (value, addend, negate), cases)
    assert found == [wrapped(v - a if n else v + a, width) for v, a, n in cases]


@pytest.mark.parametrize("negate", [0, 1])
def test_a_constant_is_added_or_subtracted(negate: int) -> None:
    value = Signal(4)
    found = evaluate(add_or_subtract(value, Const(5, 4), negate), (value,), [(number,) for number in range(16)])
    assert found == [wrapped(number - 5 if negate else number + 5, 4) for number in range(16)]


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("more", [0, 1, 5])
def test_sign_extend(width: int, more: int) -> None:
    value = Signal(width)
    output = sign_extend(value, width + more)
    assert len(output) == width + more
    half = 1 << width - 1
    found = evaluate(output, (value,), [(wrapped(number, width),) for number in range(-half, half)])
    assert found == [wrapped(number, width + more) for number in range(-half, half)]


@pytest.mark.parametrize("width", range(1, 20))
def test_one_hot(width: int) -> None:
    index = Signal(range(width))
    output = one_hot(index, width)
    assert len(output) == width
    found = evaluate(output, (index,), [(number,) for number in range(width)])
    assert found == [1 << number for number in range(width)]


@pytest.mark.parametrize("width", [1, 2, 5, 7])
def test_lowest(width: int) -> None:
    bits = Signal(width)
    found = evaluate(lowest(bits), (bits,), [(number,) for number in range(1, 1 << width)])
    assert found == [(number & -number).bit_length() - 1 for number in range(1, 1 << width)]


@pytest.mark.parametrize("constant", [-1, 0, 1, 5, 6, 7, 14, 15, 16, 99])
def test_exceeds(constant: int) -> None:
    value = Signal(4)
    found = evaluate(exceeds(value, constant), (value,), [(number,) for number in range(16)])
    assert found == [number > constant for number in range(16)]
