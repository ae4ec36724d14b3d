"""A line whose time is the design's own: nothing here depends on the computer."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from attractor.host import Device
from attractor.host.rate import agree
from attractor.sim.rtl_board import RtlBoard
from attractor.sim.timed_board import TimedBoard
from attractor.sim.verilog import to_verilog
from attractor.sim.verilog_board import QUIET_CYCLES, SimulationError, VerilogBoard
from attractor.spec.protocol import Command, Identity, Reply, Request

from .designs import DIVISOR, FRAME_BITS, WORK_CYCLES, Commands, Echo
from .requests import SMALL

pytestmark = pytest.mark.usefixtures("tools")

BAUD = 1_000_000
BIT = 1 / BAUD
BYTE = FRAME_BITS * BIT
LATENCY = 0.001
#: Clock cycles in a second.
CLOCK_HZ = DIVISOR * BAUD
#: Bits after which a simulated board knows that a reply has ended.
PAUSE = 3 * BIT
#: Seconds: only a hang takes that long.
PATIENCE = 10.0


@pytest.fixture
def echo() -> Iterator[VerilogBoard]:
    with VerilogBoard(to_verilog(Echo(), "board"), "board", clocks_per_bit=DIVISOR) as board:
        yield board


@pytest.fixture
def commands() -> Iterator[VerilogBoard]:
    with VerilogBoard(to_verilog(Commands(), "board"), "board", clocks_per_bit=DIVISOR) as board:
        yield board


def timed(board: VerilogBoard, latency: float = LATENCY) -> TimedBoard:
    return TimedBoard(board, baud=BAUD, latency=latency)


def test_its_time_is_the_designs(commands: VerilogBoard) -> None:
    line = timed(commands)
    assert (line(), line.clock_hz, line.name) == (0.0, CLOCK_HZ, commands.name)
    commands.step(1000)
    assert line() == 1000 / CLOCK_HZ
    line.write(b"c")
    assert line() == 1000 / CLOCK_HZ, "sending takes no time of the host"


@pytest.mark.parametrize("latency", [0.0, 0.001, 0.016])
def test_an_answer_takes_the_line_both_ways_and_the_latency(echo: VerilogBoard, latency: float) -> None:
    line = timed(echo, latency)
    line.write(b"abc")
    assert line.read(PATIENCE) == b"abc"
    # The first byte comes back while the second is on its way.
    expected = 4 * BYTE + latency
    assert expected <= line() <= expected + BYTE


def test_the_work_of_the_design_takes_its_time(commands: VerilogBoard) -> None:
    line = timed(commands)
    line.write(b"w")
    assert line.read(PATIENCE) == b"w"
    expected = 2 * BYTE + WORK_CYCLES / CLOCK_HZ + LATENCY
    assert expected <= line() + BIT
    assert line() <= expected + BYTE


@pytest.mark.parametrize("cycles", [0, 1, 4000, 4097, 10 * QUIET_CYCLES])
def test_silence_is_listened_to_for_exactly_the_time_limit(commands: VerilogBoard, cycles: int) -> None:
    line = timed(commands)
    assert line.read(cycles / CLOCK_HZ) == b""
    assert commands.cycles == cycles


def test_an_answer_is_not_seen_before_its_latency_has_passed(echo: VerilogBoard) -> None:
    line = timed(echo)
    line.write(b"a")
    soon = 2 * BYTE + LATENCY - BIT
    assert line.read(soon) == b""
    assert line() == pytest.approx(soon, abs=1 / CLOCK_HZ)
    assert line.read(0.0) == b""
    assert line.read(PATIENCE) == b"a"
    assert line() < soon + BYTE


def test_what_has_arrived_is_read_at_once_and_once(echo: VerilogBoard) -> None:
    line = timed(echo)
    line.write(b"a")
    assert line.read(2 * BYTE + PAUSE) == b""
    echo.step(round(2 * LATENCY * CLOCK_HZ))
    time = line()
    assert line.read(PATIENCE) == b"a"
    assert line() == time
    assert line.read(LATENCY) == b""


@pytest.mark.parametrize("latency", [0.0, 0.0002, 0.004])
def test_a_long_stream_arrives_in_order_and_no_byte_too_early(echo: VerilogBoard, latency: float) -> None:
    rng = random.Random(1)
    line, sent, received = timed(echo, latency), rng.randbytes(5000), b""
    line.write(sent)
    while len(received) < len(sent):
        start, patience = line(), rng.choice([0.00001, 0.0001, 0.001, 0.01])
        data = line.read(patience)
        assert line() <= start + patience + 1 / CLOCK_HZ, "longer than the time limit"
        received += data
        if data:
            assert line() > len(received) * BYTE + latency, "earlier than the line can be"
    assert received == sent
    assert line() < (len(sent) + 1) * BYTE + latency + 0.01


def test_answers_under_way_together_arrive_one_after_the_other(echo: VerilogBoard) -> None:
    line = timed(echo)
    line.write(b"first")
    assert line.read(LATENCY / 2) == b""
    between = line()
    line.write(b"second")
    assert line.read(PATIENCE) == b"first"
    assert LATENCY + 6 * BYTE <= line() <= LATENCY + 7 * BYTE
    assert line.read(PATIENCE) == b"second"
    assert between + LATENCY + 7 * BYTE <= line() <= between + LATENCY + 8 * BYTE


def test_a_device_answers_through_it() -> None:
    with RtlBoard(SMALL) as board:
        line = timed(board)
        request = Request(1, Command.IDENTIFY).encode()
        line.write(request)
        answer = line.read(PATIENCE)
        assert Identity.unpack(Reply.decode(answer.removesuffix(b"\0")).payload).fingerprint == SMALL.fingerprint
        least = (len(request) + len(answer)) * BYTE + LATENCY
        assert least < line() < least + 0.001


def test_closing_it_switches_the_board_off(commands: VerilogBoard) -> None:
    line = timed(commands)
    line.close()
    with pytest.raises(SimulationError, match="is closed"):
        line.read(0.1)


def test_the_rate_changes_by_agreement_and_a_reset_brings_the_first_one_back() -> None:
    with RtlBoard(SMALL) as board:
        line = timed(board)
        first = board.clocks_per_bit
        with Device.open(line, baud=BAUD, clock=line) as device:
            start = line()
            device.link.ask(Command.COUNTERS, reply_bytes=12)
            quick = line() - start
            agree(device.link, line.clock_hz, BAUD // 5)
            assert board.clocks_per_bit == 5 * first
            start = line()
            device.link.ask(Command.COUNTERS, reply_bytes=12)
            assert 4 < (line() - start - LATENCY) / (quick - LATENCY) < 5
            board.reset()
            assert board.clocks_per_bit == first


def test_a_rate_of_no_whole_number_of_cycles_is_refused(echo: VerilogBoard) -> None:
    line = timed(echo)
    with pytest.raises(ValueError, match="a bit at 3000000 baud is no whole number of cycles at 4000000 Hz"):
        line.change_rate(3_000_000)
    assert echo.clocks_per_bit == DIVISOR
