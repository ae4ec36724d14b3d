# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pytest
from amaranth.hdl import Module
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.link import BaudError, uart_divisor
from attractor.hdl.link.uart import Receiver, Transmitter
from attractor.spec.protocol import RATE_CYCLES

from .streams import count, put, simulate, wait_for

#: Rates by the clock cycles of a bit: the highest ones, whole numbers and others.
cycles_of_a_bit = st.one_of(st.floats(4.0, 4.5), st.integers(4, 17).map(float), st.floats(4.0, 40.0))


def step_of(cycles: float) -> int:
    return int(RATE_CYCLES / cycles)


def bits_of(byte: int, stop: int = 1) -> list[int]:
    return [0, *(byte >> bit & 1 for bit in range(8)), stop]


def send_line(component: Receiver, levels: Sequence[tuple[int, float]]) -> Any:
    """Return a testbench that puts each level on the line for that many cycles, exact over the whole."""

    async def drive(ctx: Any) -> None:
        now, due = 0, 0.0
        for level, cycles in levels:
            ctx.set(component.rx, level)
            due += cycles
            if int(due) > now:
                await ctx.tick().repeat(int(due) - now)
            now = int(due)
        ctx.set(component.rx, 1)
        await ctx.tick().repeat(200)

    return drive


def receive(cycles: float, levels: Sequence[tuple[int, float]]) -> tuple[list[int], int]:
    """Return the bytes that a receiver takes from the line, and the number of its errors."""
    receiver = Receiver()
    received: list[int] = []
    errors: list[int] = []

    async def drive(ctx: Any) -> None:
        ctx.set(receiver.step, step_of(cycles))
        await send_line(receiver, levels)(ctx)

    async def collect(ctx: Any) -> None:
        while True:
            _, _, valid, byte = await ctx.tick().sample(receiver.o.valid, receiver.o.payload)
            if valid:
                received.append(byte)

    async def errors_seen(ctx: Any) -> None:
        await count(ctx, receiver.error, errors)

    simulate(receiver, drive, collect, errors_seen)
    return received, len(errors)


@settings(max_examples=40, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=12),
    cycles=cycles_of_a_bit,
    rate=st.sampled_from([0.98, 0.99, 1.0, 1.01, 1.02]),
    start=st.floats(0, 1),
    idle_bits=st.sampled_from([0, 0, 0.3, 1.3, 7]),
)
def test_receives_bytes_of_any_phase_and_slightly_wrong_rate(
    data: bytes, cycles: float, rate: float, start: float, idle_bits: float
) -> None:
    levels = [(1, 5 + start)]
    for byte in data:
        levels += [(bit, cycles * rate) for bit in bits_of(byte)]
        levels.append((1, idle_bits * cycles))
    assert receive(cycles, levels) == (list(data), 0)


@pytest.mark.parametrize("cycles", [4.0, 4.25, 4.5, 5.0, 6.5])
@pytest.mark.parametrize("rate", [0.98, 1.02])
def test_start_bits_that_follow_at_once_are_seen(cycles: float, rate: float) -> None:
    """Also where the stop bit before was sampled late, and the sender is fast."""
    data = bytes([0x55, 0xAA, 0xFF, 0x00, 0x0F, 0xC3])
    for start in range(10):
        levels = [(1, 5 + start / 10), *((bit, cycles * rate) for byte in data for bit in bits_of(byte))]
        assert receive(cycles, levels) == (list(data), 0)


@settings(max_examples=30, deadline=None)
@given(cycles=cycles_of_a_bit, start=st.floats(0, 1), byte=st.integers(0, 255), quarter=st.sampled_from([0, 1]))
def test_samples_within_the_middle_half_of_each_bit(cycles: float, start: float, byte: int, quarter: int) -> None:
    """The first or the last quarter of each bit is wrong, but for the start bit, which has to begin."""
    levels = [(1, 5 + start), (0, cycles)]
    for bit in bits_of(byte)[1:]:
        parts = [(1 - bit, cycles / 4), (bit, 3 * cycles / 4)]
        levels += [(level, length) for level, length in (parts if quarter == 0 else parts[::-1])]
    if quarter:
        levels[-1] = (1, cycles)
    assert receive(cycles, levels) == ([byte], 0)


def test_byte_without_stop_bit_is_an_error_and_the_next_is_received() -> None:
    levels = [(1, 10), *((bit, 8) for bit in bits_of(0x5A, stop=0)), (0, 100), (1, 8)]
    levels += [(bit, 8) for bit in bits_of(0xC3)]
    assert receive(8, levels) == ([0xC3], 1)


@pytest.mark.parametrize("pause", [1, 2, 3, 12])
def test_short_pulse_is_no_start_bit(pause: int) -> None:
    levels = [(1, 10), (0, 3), (1, 3 + pause), *((bit, 12) for bit in bits_of(0x81))]
    assert receive(12, levels) == ([0x81], 0)


def test_line_that_is_idle_at_reset_gives_nothing() -> None:
    assert receive(4, [(1, 200)]) == ([], 0)


def send(cycles: float, data: bytes, stall: float, seed: int) -> list[int]:
    """Return the line in each cycle from the first start bit to the end."""
    transmitter = Transmitter()
    line: list[int] = []

    async def drive(ctx: Any) -> None:
        ctx.set(transmitter.step, step_of(cycles))
        assert not ctx.get(transmitter.busy)
        await put(ctx, transmitter.i, data, random.Random(seed), stall)
        assert ctx.get(transmitter.busy)
        await wait_for(ctx, ~transmitter.busy)
        assert ctx.get(transmitter.tx)
        await ctx.tick()

    async def watch(ctx: Any) -> None:
        while True:
            _, _, level = await ctx.tick().sample(transmitter.tx)
            if level == 0 or line:
                line.append(level)

    simulate(transmitter, drive, watch)
    return line


@settings(max_examples=25, deadline=None)
@given(data=st.binary(min_size=1, max_size=8), cycles=cycles_of_a_bit)
def test_sends_bytes_without_a_gap_each_edge_within_a_cycle(data: bytes, cycles: float) -> None:
    line = send(cycles, data, 0.0, 0)
    exact = RATE_CYCLES / step_of(cycles)
    bits = [bit for byte in data for bit in bits_of(byte)]
    due, edges = 0, []
    for _, same in groupby(bits):
        due += len(list(same))
        edges.append(due * exact)
    found = 0
    for (_, same), edge in zip(groupby(line), edges[:-1], strict=False):
        found += len(list(same))
        assert 0 <= found - edge < 1
    # The stop bit has its full length before the line is called idle.
    assert len(line) >= len(bits) * exact
    assert all(line[found:])


@settings(max_examples=10, deadline=None)
@given(data=st.binary(min_size=2, max_size=6), cycles=st.integers(4, 9), seed=st.integers(0, 99))
def test_sends_what_a_stalling_source_gives(data: bytes, cycles: int, seed: int) -> None:
    line = send(cycles, data, 0.97, seed)
    received = []
    while 0 in line:
        line = line[line.index(0) :]
        bits = [line[int((place + 0.5) * RATE_CYCLES / step_of(cycles))] for place in range(10)]
        assert bits[9] == 1
        received.append(sum(bit << place for place, bit in enumerate(bits[1:9])))
        line = line[int(9.5 * RATE_CYCLES / step_of(cycles)) :]
    assert bytes(received) == data


@settings(max_examples=25, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=20),
    cycles=cycles_of_a_bit,
    mismatch=st.floats(0.98, 1.02),
    stall=st.sampled_from([0.0, 0.0, 0.9]),
    seed=st.integers(0, 999),
)
def test_a_receiver_takes_what_a_transmitter_sends(
    data: bytes, cycles: float, mismatch: float, stall: float, seed: int
) -> None:
    """Back to back and with pauses, at slightly different rates."""
    receiver, transmitter, received = Receiver(), Transmitter(), list[int]()
    m = Module()
    m.submodules += receiver, transmitter
    m.d.comb += receiver.rx.eq(transmitter.tx)
    step = step_of(cycles)

    async def drive(ctx: Any) -> None:
        ctx.set(receiver.step, step)
        ctx.set(transmitter.step, min(round(step * mismatch), RATE_CYCLES // 4))
        await put(ctx, transmitter.i, data, random.Random(seed), stall)
        await ctx.tick().repeat(int(12 * cycles) + 10)
        assert not ctx.get(transmitter.busy)

    async def collect(ctx: Any) -> None:
        while True:
            _, _, valid, error, byte = await ctx.tick().sample(receiver.o.valid, receiver.error, receiver.o.payload)
            assert not error
            if valid:
                received.append(byte)

    simulate(m, drive, collect)
    assert bytes(received) == data


def test_the_old_divisor_is_still_told() -> None:
    with pytest.warns(DeprecationWarning, match="rate_step"):
        assert uart_divisor(12_000_000, 1_000_000) == 12
    with pytest.warns(DeprecationWarning, match="rate_step"), pytest.raises(BaudError, match="3500000 baud"):
        uart_divisor(12_000_000, 3_500_000)
