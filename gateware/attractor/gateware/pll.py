"""Settings of the phase-locked loops of iCE40 and ECP5: which clocks they make, and from which dividers.

A loop divides its input by R, and its oscillator (VCO) by N, and holds the two in phase; the output is the oscillator
divided by Q:

    detector = input / R,  oscillator = detector * N,  output = oscillator / Q

Frequencies are exact, as fractions of Hz. Needs neither Amaranth nor any tool.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache

__all__ = ["ECP5", "ICE40", "TOLERANCE", "ClockError", "Pll", "Range", "Setting", "fastest", "nearest", "settings"]

#: Greatest relative difference between a frequency that was asked for and the one that it gets.
TOLERANCE = 0.01


class ClockError(ValueError):
    """A board cannot run at a frequency; the message names the nearest that it can."""


@dataclass(frozen=True)
class Range:
    """Frequencies from ``lowest`` to ``highest``, both in MHz and included."""

    lowest: float
    highest: float

    def __contains__(self, hz: float | Fraction) -> bool:
        return self.lowest * 1_000_000 <= hz <= self.highest * 1_000_000


@dataclass(frozen=True)
class Pll:
    """What a kind of loop can do.

    Parameters
    ----------
    name:
        FPGA family, for messages.
    input, detector, oscillator, output:
        Frequencies that the vendor allows.
    input_dividers, feedback_dividers, output_dividers:
        Values of R, N and Q.
    """

    name: str
    input: Range
    detector: Range
    oscillator: Range
    output: Range
    input_dividers: tuple[int, ...]
    feedback_dividers: tuple[int, ...]
    output_dividers: tuple[int, ...]


#: SB_PLL40 of iCE40 LP, HX and UltraPlus with FEEDBACK_PATH "SIMPLE": ranges and dividers as the open tools have them,
#: icepll above all. The vendor's data sheets were not at hand: compare before a board depends on a limit.
ICE40 = Pll(
    "iCE40",
    input=Range(10, 133),
    detector=Range(10, 133),
    oscillator=Range(533, 1066),
    output=Range(16, 275),
    input_dividers=tuple(range(1, 17)),
    feedback_dividers=tuple(range(1, 129)),
    output_dividers=(2, 4, 8, 16, 32, 64),
)
#: EHXPLLL of ECP5, its output CLKOP fed back undivided, so that N is the divider of CLKOP, and its output CLKOS used:
#: the loop of ecppll's "highres". Ranges are those of the open tools, but for the detector, which ecppll lets run at
#: 3.125 MHz and which is kept above 10 MHz here to be safe. The vendor's data sheet was not at hand.
ECP5 = Pll(
    "ECP5",
    input=Range(8, 400),
    detector=Range(10, 400),
    oscillator=Range(400, 800),
    output=Range(3.125, 400),
    input_dividers=tuple(range(1, 129)),
    feedback_dividers=tuple(range(1, 129)),
    output_dividers=tuple(range(1, 129)),
)


@dataclass(frozen=True)
class Setting:
    """One setting of a loop: the dividers R, N and Q for an input of ``input_hz``."""

    input_hz: int
    input_divider: int
    feedback_divider: int
    output_divider: int

    def to_dict(self) -> dict[str, int]:
        """Return the fields, ready for JSON."""
        return asdict(self)

    @property
    def detector_hz(self) -> Fraction:
        """Frequency at which the phases are compared."""
        return Fraction(self.input_hz, self.input_divider)

    @property
    def oscillator_hz(self) -> Fraction:
        """Frequency of the loop's oscillator."""
        return self.detector_hz * self.feedback_divider

    @property
    def output_hz(self) -> Fraction:
        """Frequency of the output, exact."""
        return self.oscillator_hz / self.output_divider

    @property
    def hz(self) -> int:
        """Frequency of the output in whole Hz."""
        return round(self.output_hz)


@cache
def settings(pll: Pll, input_hz: int) -> tuple[Setting, ...]:
    """Return one setting for each frequency that ``pll`` makes of ``input_hz``, slowest first.

    Of several settings with the same output, it is the one that compares phases most often, and then the one with the
    fastest oscillator: both have less jitter.

    Raises
    ------
    ClockError
        If the input is outside the range of the loop.
    """
    if input_hz not in pll.input:
        raise ClockError(
            f"a PLL of {pll.name} takes {pll.input.lowest:g} to {pll.input.highest:g} MHz, not {_mhz(input_hz)}"
        )
    allowed = [
        setting
        for divider in pll.input_dividers
        if Fraction(input_hz, divider) in pll.detector
        for feedback in pll.feedback_dividers
        if Fraction(input_hz * feedback, divider) in pll.oscillator
        for output in pll.output_dividers
        if (setting := Setting(input_hz, divider, feedback, output)).output_hz in pll.output
    ]
    allowed.sort(key=lambda setting: (setting.detector_hz, setting.oscillator_hz))
    best = {setting.output_hz: setting for setting in allowed}
    return tuple(best[hz] for hz in sorted(best))


def fastest(pll: Pll, input_hz: int, limit_hz: float, suits: Callable[[int], bool] = lambda _: True) -> Setting | None:
    """Return the setting with the highest output that is at most ``limit_hz``; None if there is none.

    Only outputs are considered whose whole Hz ``suits`` accepts.
    """
    found = settings(pll, input_hz)
    above = bisect_right(found, limit_hz, key=lambda setting: setting.output_hz)
    return next((setting for setting in reversed(found[:above]) if suits(setting.hz)), None)


def nearest(pll: Pll, input_hz: int, wanted_hz: float) -> Setting:
    """Return the setting whose output is nearest to ``wanted_hz``.

    Raises
    ------
    ClockError
        If none comes within :data:`TOLERANCE`; the message names the nearest on either side.
    """
    found = settings(pll, input_hz)
    best = min(found, key=lambda setting: abs(setting.output_hz - wanted_hz))
    if abs(best.output_hz - wanted_hz) <= TOLERANCE * wanted_hz:
        return best
    above = bisect_right(found, wanted_hz, key=lambda setting: setting.output_hz)
    near = " and ".join(_mhz(setting.hz) for setting in found[max(above - 1, 0) : above + 1])
    raise ClockError(
        f"no PLL setting of {pll.name} makes {_mhz(wanted_hz)} of {_mhz(input_hz)} within {TOLERANCE:.0%}; "
        f"the nearest it makes: {near}"
    )


def _mhz(hz: float) -> str:
    return f"{hz / 1e6:.6g} MHz"
