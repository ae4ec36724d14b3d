# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.link.uart import BaudError, Receiver, Transmitter, uart_divisor

from .streams import count, put, simulate, wait_for


def bits_of(byte: int, stop: int = 1) -> list[int]:
    return [0, *(byte >> bit & 1 for bit in range(8)), stop]


def send_line(component: Receiver, levels: Sequence[tuple[int, float]]) -> Any:
    """Return a testbench that puts each level on the line for that many cycles, exact over the whole."""

    async def drive(ctx: Any) -> None:
        now, due = 0, 0.0
        for level, cycles in levels:
            ctx.set(component.rx, level)
            due += cycles
            if round(due) > now:
                await ctx.tick().repeat(round(due) - now)
            now = round(due)
        ctx.set(component.rx, 1)
        await ctx.tick().repeat(4 * component.divisor)

    return drive


def receive(divisor: int, levels: Sequence[tuple[int, float]]) -> tuple[list[int], int]:
    """Return the bytes that a receiver takes from the line, and the number of its errors."""
    receiver = Receiver(divisor)
    received: list[int] = []
    errors: list[int] = []

    async def collect(ctx: Any) -> None:
        while True:
            _, _, valid, byte = await ctx.tick().sample(receiver.o.valid, receiver.o.payload)
            if valid:
                received.append(byte)

    async def errors_seen(ctx: Any) -> None:
        await count(ctx, receiver.error, errors)

    simulate(receiver, send_line(receiver, levels), collect, errors_seen)
    return received, len(errors)


@settings(max_examples=15, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=12),
    divisor=st.integers(4, 17),
    rate=st.sampled_from([0.985, 1.0, 1.015]),
    start=st.floats(0, 1),
    idle_bits=st.sampled_from([0, 0, 1.3, 7]),
)
def test_receives_bytes_of_any_phase_and_slightly_wrong_rate(
    data: bytes, divisor: int, rate: float, start: float, idle_bits: float
) -> None:
    levels = [(1, 5 + start)]
    for byte in data:
        levels += [(bit, divisor * rate) for bit in bits_of(byte)]
        levels.append((1, idle_bits * divisor))
    assert receive(divisor, levels) == (list(data), 0)


def test_byte_without_stop_bit_is_an_error_and_the_next_is_received() -> None:
    levels = [(1, 10), *((bit, 8) for bit in bits_of(0x5A, stop=0)), (0, 100), (1, 8)]
    levels += [(bit, 8) for bit in bits_of(0xC3)]
    assert receive(8, levels) == ([0xC3], 1)


def test_short_pulse_is_no_start_bit() -> None:
    levels = [(1, 10), (0, 3), (1, 12), *((bit, 12) for bit in bits_of(0x81))]
    assert receive(12, levels) == ([0x81], 0)


def test_line_that_is_idle_at_reset_gives_nothing() -> None:
    assert receive(4, [(1, 200)]) == ([], 0)


def send(divisor: int, data: bytes, stall: float, seed: int) -> list[int]:
    """Return the line in each cycle from the first start bit to the end."""
    transmitter = Transmitter(divisor)
    line: list[int] = []

    async def drive(ctx: Any) -> None:
        assert not ctx.get(transmitter.busy)
        await put(ctx, transmitter.i, data, random.Random(seed), stall)
        await wait_for(ctx, ~transmitter.busy)
        await ctx.tick()

    async def watch(ctx: Any) -> None:
        while True:
            _, _, level = await ctx.tick().sample(transmitter.tx)
            if level == 0 or line:
                line.append(level)

    simulate(transmitter, drive, watch)
    return line


@settings(max_examples=15, deadline=None)
@given(data=st.binary(min_size=1, max_size=6), divisor=st.integers(4, 13))
def test_sends_bytes_without_a_gap(data: bytes, divisor: int) -> None:
    expected = [bit for byte in data for bit in bits_of(byte) for _ in range(divisor)]
    line = send(divisor, data, 0.0, 0)
    assert line[: len(expected)] == expected
    assert all(line[len(expected) :])


@settings(max_examples=10, deadline=None)
@given(data=st.binary(min_size=2, max_size=6), divisor=st.integers(4, 9), seed=st.integers(0, 99))
def test_sends_what_a_stalling_source_gives(data: bytes, divisor: int, seed: int) -> None:
    line = send(divisor, data, 0.97, seed)
    received = []
    while 0 in line:
        line = line[line.index(0) :]
        frame = [line[divisor * bit : divisor * (bit + 1)] for bit in range(10)]
        assert all(len(set(cycles)) == 1 for cycles in frame)
        assert frame[9][0] == 1
        received.append(sum(frame[bit + 1][0] << bit for bit in range(8)))
        line = line[10 * divisor - 1 :]
    assert bytes(received) == data


def test_divisor_is_within_a_percent_of_the_rate() -> None:
    assert uart_divisor(12_000_000, 1_000_000) == 12
    assert uart_divisor(25_000_000, 115_200) == 217
    assert uart_divisor(4_000_000, 1_000_000) == 4
    assert uart_divisor(12_000_000, 921_600) == 13


@pytest.mark.parametrize(
    ("clock_hz", "baud", "advice"),
    [
        (12_000_000, 3_500_000, "choose 3000000 baud"),
        (12_000_000, 2_200_000, "choose 2000000 or 2400000 baud"),
        (12_000_000, 1_150_000, "choose 1090909 or 1200000 baud"),
        (12_000_000, 0, "must be greater than 0"),
    ],
)
def test_rate_that_the_clock_cannot_make_names_those_it_can(clock_hz: int, baud: int, advice: str) -> None:
    with pytest.raises(BaudError, match=f"{clock_hz} Hz cannot make {baud} baud.*{advice}"):
        uart_divisor(clock_hz, baud)


@given(clock_hz=st.integers(1_000_000, 100_000_000), baud=st.integers(300, 4_000_000))
def test_rates_in_the_advice_are_taken(clock_hz: int, baud: int) -> None:
    try:
        divisor = uart_divisor(clock_hz, baud)
    except BaudError as error:
        advice = str(error).partition("choose ")[2].removesuffix(" baud")
        for rate in advice.split(" or "):
            assert uart_divisor(clock_hz, int(rate)) >= 4
    else:
        assert divisor >= 4
        assert abs(clock_hz / divisor / baud - 1) <= 0.01


@pytest.mark.parametrize("component", [Receiver, Transmitter])
def test_bit_that_is_too_short_is_refused(component: type[Receiver] | type[Transmitter]) -> None:
    with pytest.raises(BaudError, match="3 clock cycles"):
        component(3)
