"""Which clocks boards have, and the domain that a PLL makes."""

from __future__ import annotations

import dataclasses
import re

import pytest
from amaranth.hdl import ClockDomain, Module, ResetSignal, Signal
from amaranth.sim import Simulator

from attractor.gateware import clocking, clocks
from attractor.gateware.boards import BOARDS, Board, PllCell
from attractor.gateware.clocking import START_SECONDS, PllClock
from attractor.gateware.clocks import Clock, ClockError
from attractor.gateware.flow import prepare, synthesise
from attractor.gateware.placements import Placements
from attractor.gateware.top import Top
from attractor.spec import OscillatorSpec

from .scrambler import Scrambler

ICEBREAKER, ULX3S = BOARDS["icebreaker"], BOARDS["ulx3s-25f"]
WITHOUT = dataclasses.replace(ICEBREAKER, pll=None)


def always(_hz: int) -> bool:
    return True


def test_the_oscillator_needs_no_pll() -> None:
    assert clocks.at(ICEBREAKER, 12e6) == clocks.oscillator(ICEBREAKER) == Clock(12_000_000)
    assert clocks.fastest(ICEBREAKER, 15e6, always) == Clock(12_000_000)  # a PLL begins at 16 MHz
    assert clocks.fastest(ICEBREAKER, 11.9e6, always) is None
    assert clocks.fastest(ULX3S, 25e6, always) == Clock(25_000_000)


def test_a_clock_comes_with_the_setting_that_makes_it() -> None:
    clock = clocks.at(ICEBREAKER, 21e6)
    assert clock.hz == 21_000_000
    assert clock.setting is not None
    assert clock.setting.output_hz == 21_000_000
    assert clocks.at(ICEBREAKER, 20e6).hz == 19_875_000
    assert clocks.fastest(ICEBREAKER, 21.3e6, always) == clock
    assert clocks.fastest(ICEBREAKER, 23.9e6, lambda hz: hz % 7_000_000 == 0) == clock


@pytest.mark.parametrize("hz", [0.0, -12e6, float("nan"), float("inf")])
def test_no_clock_at_all_is_refused(hz: float) -> None:
    with pytest.raises(ClockError, match="must be more than 0"):
        clocks.at(ICEBREAKER, hz)


def test_an_unreachable_clock_names_those_beside_it() -> None:
    message = (
        "no PLL setting of iCE40 makes 14 MHz of 12 MHz within 1%; the nearest it makes: 16.125 MHz, and 12 MHz without"
    )
    with pytest.raises(ClockError, match=re.escape(message)):
        clocks.at(ICEBREAKER, 14e6)


def test_a_board_without_a_pll_keeps_its_oscillator() -> None:
    assert clocks.at(WITHOUT, 12e6) == Clock(12_000_000)
    assert clocks.fastest(WITHOUT, 48e6, always) == Clock(12_000_000)
    with pytest.raises(
        ClockError, match=r"icebreaker has no PLL for its oscillator, so its clock is 12 MHz, not 24 MHz"
    ):
        clocks.at(WITHOUT, 24e6)


def test_a_clock_serves_a_baud_that_it_can_be_divided_to() -> None:
    placements = Placements(OscillatorSpec(oscillators=6, lanes=2), ICEBREAKER, 1_000_000)
    assert placements.serves(21_000_000)
    assert not placements.serves(3_900_000)  # not four cycles for each bit


@pytest.mark.parametrize("phase", [0, 1])
def test_reset_ends_some_cycles_after_the_lock_and_returns_with_its_loss(phase: int) -> None:
    """On iCE40; the lock comes and goes before or after an edge of the clock."""
    cycles = 20
    clock, locked, reset = Signal(), Signal(), Signal()
    m = Module()
    m.domains.sync = ClockDomain()
    clocking._domain_reset(m, clock, locked, cycles)
    m.d.comb += reset.eq(ResetSignal("sync"))

    async def bench(ctx) -> None:
        async def edge() -> None:
            for level in (phase, 1 - phase):
                ctx.set(clock, level)
                await ctx.delay(1e-8)

        async def seen(count: int) -> list[int]:
            values = []
            for _ in range(count):
                await edge()
                values.append(ctx.get(reset))
            return values

        assert all(await seen(3 * cycles))
        for _ in range(2):
            ctx.set(locked, 1)
            held = (await seen(3 * cycles)).index(0)
            assert cycles <= held <= cycles + 3  # two flip-flops of the synchroniser besides
            assert not any(await seen(cycles))
            ctx.set(locked, 0)
            assert (await seen(3))[-1]

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def cell_of(netlist: str, kind: str) -> dict[str, str]:
    """Return the parameters and connections of the only cell of a kind in RTLIL."""
    (found,) = re.findall(rf"cell \\{kind} [^\n]*\n(.*?)\n\s*end\n", netlist, re.S)
    return dict(re.findall(r"(?:parameter|connect) \\(\w+) ([^\n]*)", found))


@pytest.mark.parametrize("name", ["icebreaker", "hx8k-evn"])
def test_the_cell_of_ice40_has_the_dividers_of_the_setting(name: str) -> None:
    board = BOARDS[name]
    clock = clocks.at(board, 21e6)
    assert board.pll is not None
    assert clock.setting is not None
    netlist = prepare(Top(Scrambler(), clocking=PllClock(board.pll, clock.setting)), board)["top.il"]
    cell = cell_of(netlist, board.pll.value)
    assert (cell["DIVR"], cell["DIVF"], cell["DIVQ"]) == ("4'0000", "7'0110111", "3'101")  # 12 MHz * 56 / 32
    assert cell["FILTER_RANGE"] == "3'001"
    assert cell["FEEDBACK_PATH"] == '"SIMPLE"'
    assert cell["RESETB"] == "1'1"
    assert ("PACKAGEPIN" in cell) == (board.pll is PllCell.SB_PLL40_PAD)


def test_the_cell_of_ecp5_has_the_dividers_of_the_setting() -> None:
    clock = clocks.at(ULX3S, 62.5e6)
    assert clock.setting is not None
    netlist = prepare(Top(Scrambler(), clocking=PllClock(PllCell.EHXPLLL, clock.setting)), ULX3S)["top.il"]
    cell = cell_of(netlist, "EHXPLLL")
    dividers = [cell[name] for name in ("CLKI_DIV", "CLKFB_DIV", "CLKOP_DIV", "CLKOS_DIV")]
    assert dividers == ["1", "1", "30", "12"]  # 25 MHz * 30 / 12
    assert (cell["CLKOP_CPHASE"], cell["CLKOS_CPHASE"]) == ("29", "11")
    fed_back, clock_net = (cell[name].split()[0] for name in ("CLKOP", "CLKOS"))
    assert cell["CLKFB"].split()[0] == fed_back != clock_net
    assert cell_of(netlist, "SGSR")["CLK"].split()[0] == clock_net


@pytest.mark.parametrize("mhz", [16.125, 21, 48, 96, 270])
def test_ice40_stays_in_reset_for_fifteen_microseconds(mhz: float) -> None:
    setting = clocks.at(ICEBREAKER, mhz * 1e6).setting
    assert setting is not None
    assert round(START_SECONDS * setting.hz) / setting.hz == pytest.approx(15e-6, rel=0.01)


@pytest.mark.parametrize(("board", "mhz"), [(ICEBREAKER, 21), (ULX3S, 62.5)], ids=["icebreaker", "ulx3s-25f"])
def test_a_pll_is_synthesised_once(board: Board, mhz: float) -> None:
    clock = clocks.at(board, mhz * 1e6)
    assert board.pll is not None
    assert clock.setting is not None
    cells = synthesise(Top(Scrambler(), clocking=PllClock(board.pll, clock.setting)), board).cells
    assert cells[board.pll.value] == 1
