"""The clock domain of a design whose clock comes from a PLL, and its reset."""

from typing import Any

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import Out
from amaranth.utils import exact_log2

from attractor.gateware.boards import PllCell
from attractor.gateware.pll import Setting

__all__ = ["START_SECONDS", "PllClock", "StartTimer"]

#: How long iCE40 designs stay in reset once the clock runs: block RAM reads zero for 3 us after configuration, and
#: Amaranth's own reset waits five times as long.
START_SECONDS = 15e-6

# FILTER_RANGE of SB_PLL40: the first whose detector frequency in MHz is above that of the setting, as in
# icepll.
_FILTER_RANGES = ((17, 1), (26, 2), (44, 3), (66, 4), (101, 5), (float("inf"), 6))


class PllClock(Elaboratable):
    """Drives clock and reset of the domain ``sync`` by a PLL, from the board's oscillator.

    The design is held in reset until the PLL is locked, and again if it ever loses its lock; reset begins at once and
    ends with an edge of the clock. On iCE40 it ends :data:`START_SECONDS` after that, and is the reset of the
    domain. On ECP5 it is the global one, which needs no wires: there the domain has no reset of its own, as in a design
    without a PLL.

    nextpnr knows the cells and derives the constraint of the clock from that of the oscillator.

    Parameters
    ----------
    cell:
        The PLL.
    setting:
        Its dividers.
    """

    def __init__(self, cell: PllCell, setting: Setting) -> None:
        self.cell = cell
        self.setting = setting

    def domain(self) -> ClockDomain:
        """Return a new domain ``sync``, for the module above this one and what it drives."""
        return ClockDomain("sync", reset_less=self.cell is PllCell.EHXPLLL)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        clock = Signal()
        locked = Signal()
        pin = platform.request(platform.default_clk, dir="-")
        if self.cell is PllCell.SB_PLL40_PAD:
            source = pin.io
        else:
            m.submodules.buffer = buffer = io.Buffer(io.Direction.Input, pin)
            source = buffer.i
        if self.cell is PllCell.EHXPLLL:
            m.submodules.pll = _ehxplll(self.setting, source, clock, locked)
            _global_reset(m, clock, locked)
        else:
            m.submodules.pll = _sb_pll40(self.cell, self.setting, source, clock, locked)
            _domain_reset(m, clock, locked, round(START_SECONDS * self.setting.hz))
        m.d.comb += ClockSignal("sync").eq(clock)
        return m


class StartTimer(wiring.Component):
    """Says when a clock has run for some cycles since its reset ended.

    Parameters
    ----------
    cycles:
        How many, at least 1.

    Members
    -------
    ready: ``Out(1)``
        Low in reset and for ``cycles`` cycles after it; then high.
    """

    ready: Signal

    def __init__(self, cycles: int) -> None:
        self.cycles = cycles
        super().__init__({"ready": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(range(self.cycles))
        m.d.sync += [count.eq(count + 1), self.ready.eq(self.ready | (count == self.cycles - 1))]
        return m


def _sb_pll40(cell: PllCell, setting: Setting, source: Any, clock: Signal, locked: Signal) -> Instance:
    """Return the cell of iCE40; its dividers are one less than R and N, and the exponent of Q."""
    detector_mhz = setting.detector_hz / 1_000_000
    filter_range = next(value for above, value in _FILTER_RANGES if detector_mhz < above)
    return Instance(
        cell.value,
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=Const(setting.input_divider - 1, 4),
        p_DIVF=Const(setting.feedback_divider - 1, 7),
        p_DIVQ=Const(exact_log2(setting.output_divider), 3),
        p_FILTER_RANGE=Const(filter_range, 3),
        i_RESETB=Const(1),
        i_BYPASS=Const(0),
        o_PLLOUTGLOBAL=clock,
        o_LOCK=locked,
        **{"i_PACKAGEPIN" if cell is PllCell.SB_PLL40_PAD else "i_REFERENCECLK": source},
    )


def _ehxplll(setting: Setting, source: Signal, clock: Signal, locked: Signal) -> Instance:
    """Return the cell of ECP5: CLKOP, divided by N, is fed back; CLKOS, divided by Q, is the clock.

    A phase of one less than the divider is a shift of 0. The attributes are those of the loop's filter that ecppll
    writes, whatever the frequencies.
    """
    feedback = Signal()
    outputs = {
        f"p_{name}_{parameter}": value
        for name, divider in (("CLKOP", setting.feedback_divider), ("CLKOS", setting.output_divider))
        for parameter, value in (("ENABLE", "ENABLED"), ("DIV", divider), ("CPHASE", divider - 1), ("FPHASE", 0))
    }
    unused = ("RST", "STDBY", "PHASESEL0", "PHASESEL1", "PHASEDIR", "PHASESTEP", "PHASELOADREG", "PLLWAKESYNC")
    return Instance(
        "EHXPLLL",
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2",
        p_FEEDBK_PATH="CLKOP",
        p_CLKI_DIV=setting.input_divider,
        p_CLKFB_DIV=1,
        i_CLKI=source,
        i_CLKFB=feedback,
        o_CLKOP=feedback,
        o_CLKOS=clock,
        o_LOCK=locked,
        **outputs,
        **{f"i_{name}": Const(0) for name in (*unused, "ENCLKOP", "ENCLKOS")},
    )


def _domain_reset(m: Module, clock: Signal, locked: Signal, cycles: int) -> None:
    """Reset ``sync`` until the clock has run for some cycles with the PLL in lock."""
    m.domains += ClockDomain("starting", local=True)
    m.d.comb += ClockSignal("starting").eq(clock)
    m.submodules.synchroniser = ResetSynchronizer(~locked, domain="starting")
    m.submodules.timer = timer = DomainRenamer("starting")(StartTimer(cycles))
    m.d.comb += ResetSignal("sync").eq(~timer.ready)


def _global_reset(m: Module, clock: Signal, locked: Signal) -> None:
    """Reset everything on the chip until the PLL is in lock, by the global net of ECP5.

    Two flip-flops bring the lock into the clock; they are not of the net, and 0 after configuration.
    """
    first = Signal()
    second = Signal()
    m.submodules.first = Instance("FD1S3DX", p_GSR="DISABLED", i_CK=clock, i_CD=~locked, i_D=Const(1), o_Q=first)
    m.submodules.second = Instance("FD1S3DX", p_GSR="DISABLED", i_CK=clock, i_CD=~locked, i_D=first, o_Q=second)
    m.submodules.reset = Instance("SGSR", i_CLK=clock, i_GSR=second)
