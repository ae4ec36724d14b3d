# amaranth: UnusedElaboratable=no
from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module, Signal, Value, signed
from amaranth.sim import Simulator

from attractor.hdl.arithmetic import add_or_subtract, negate_mask, one_hot, times_constant


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


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("addend_width", [1, 2, 3, 5])
def test_add_or_subtract(width: int, addend_width: int) -> None:
    value, addend, negate = Signal(width), Signal(signed(addend_width)), Signal()
    half = 1 << addend_width - 1
    cases = [(v, a, n) for v in range(1 << width) for a in range(-half, half) for n in (0, 1)]
    output = add_or_subtract(value, addend, negate)
    assert len(output) == width
    found = evaluate(output, (value, addend, negate), cases)
    assert found == [wrapped(v - a if n else v + a, width) for v, a, n in cases]


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_negate_mask(width: int) -> None:
    negate = Signal()
    assert evaluate(negate_mask(negate, width), (negate,), [(0,), (1,)]) == [0, (1 << width) - 1]


@pytest.mark.parametrize("width", range(1, 20))
def test_one_hot(width: int) -> None:
    index = Signal(range(width))
    output = one_hot(index, width)
    assert len(output) == width
    found = evaluate(output, (index,), [(number,) for number in range(width)])
    assert found == [1 << number for number in range(width)]
