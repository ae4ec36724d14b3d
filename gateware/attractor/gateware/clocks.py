"""Which clock a design gets: that of the board's oscillator, or one that a PLL makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from attractor.gateware import pll
from attractor.gateware.boards import Board
from attractor.gateware.pll import ClockError, Setting

__all__ = ["Clock", "ClockError", "at", "fastest", "oscillator"]


@dataclass(frozen=True)
class Clock:
    """The clock of a design.

    Parameters
    ----------
    hz:
        Frequency in whole Hz.
    setting:
        Of the PLL that makes it; None for the board's oscillator itself.
    """

    hz: int
    setting: Setting | None = None


def oscillator(board: Board) -> Clock:
    """Return the clock of the board's oscillator."""
    return Clock(board.clock_hz)


def at(board: Board, hz: float) -> Clock:
    """Return the clock of ``board`` that is nearest to ``hz``: the oscillator if it is that, else the PLL's.

    Raises
    ------
    ClockError
        If nothing comes within :data:`attractor.gateware.pll.TOLERANCE`; the message names what does.
    """
    if not 0 < hz < float("inf"):
        raise ClockError(
            f"a clock of {hz / 1e6:g} MHz: it must be more than 0 and finite, such as the "
            f"{board.clock_hz / 1e6:g} MHz of the oscillator"
        )
    if hz == board.clock_hz:
        return oscillator(board)
    if board.pll is None:
        raise ClockError(
            f"{board.name} has no PLL for its oscillator, so its clock is {board.clock_hz / 1e6:g} MHz, "
            f"not {hz / 1e6:g} MHz; leave the clock out"
        )
    try:
        return _from(pll.nearest(board.pll.kind, board.clock_hz, hz))
    except ClockError as error:
        raise ClockError(f"{error}, and {board.clock_hz / 1e6:g} MHz without it") from error


def fastest(board: Board, limit_hz: float, suits: Callable[[int], bool]) -> Clock | None:
    """Return the fastest clock of ``board`` that is at most ``limit_hz`` and ``suits``; None if there is none."""
    setting = board.pll and pll.fastest(board.pll.kind, board.clock_hz, limit_hz, suits)
    own = board.clock_hz if board.clock_hz <= limit_hz and suits(board.clock_hz) else 0
    if setting and setting.hz > own:
        return _from(setting)
    return oscillator(board) if own else None


def _from(setting: Setting) -> Clock:
    return Clock(setting.hz, setting)
