"""The design on a board: a system, its clock, its serial pins and its status LEDs."""

from typing import Any, Protocol

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io

from attractor.gateware.boards import Board
from attractor.gateware.clocking import PllClock
from attractor.gateware.clocks import Clock, oscillator
from attractor.gateware.estimate import estimate
from attractor.hdl.cores import build_core
from attractor.hdl.system import System
from attractor.spec import Spec
from attractor.spec.protocol import rate_step

__all__ = ["STATUS", "SerialSystem", "Top", "system_top"]

#: Status outputs of a system in the order of the LEDs that show them, as far as a board has LEDs.
STATUS = ("busy", "parameters_valid", "activity")


class SerialSystem(Protocol):
    """An elaboratable that talks over two wires."""

    #: Serial data from the host, asynchronous, idle high.
    rx: Signal
    #: Serial data to the host, idle high.
    tx: Signal

    def elaborate(self, platform: Any) -> Any:
        """Return the logic."""
        ...


class Top(Elaboratable):
    """A system on a board's pins.

    Parameters
    ----------
    system:
        What runs on the board; it synchronises ``rx`` itself.
    status:
        Names of one-bit outputs of ``system`` that light LED 0, 1, ... as far as the board has them.
    clocking:
        What drives the domain ``sync``; the platform does, from the board's oscillator, unless it is given.
    """

    def __init__(self, system: SerialSystem, status: tuple[str, ...] = (), clocking: PllClock | None = None) -> None:
        self.system = system
        self.status = status
        self.clocking = clocking

    def elaborate(self, platform: Any) -> Module:
        """Connect the pins."""
        m = Module()
        m.submodules.system = self.system
        if self.clocking is not None:
            m.domains += self.clocking.domain()
            m.submodules.clocking = self.clocking
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, uart.tx)
        m.d.comb += [self.system.rx.eq(rx.i), tx.o.eq(self.system.tx)]
        for index, name in enumerate(self.status):
            if ("led", index) not in platform.resources:
                break
            m.submodules[f"led_{index}"] = led = io.Buffer(io.Direction.Output, platform.request("led", index, dir="-"))
            m.d.comb += led.o.eq(getattr(self.system, name))
        return m


def system_top(spec: Spec, board: Board, baud: int, clock: Clock | None = None) -> Top:
    """Return the top level that serves the network ``spec`` on ``board``, clocked by its oscillator or by ``clock``.

    Where block RAM is short its link keeps less of both directions, so that a host has fewer calls on the way.

    Raises
    ------
    BaudError
        If the clock cannot make this rate.
    """
    chosen = clock or oscillator(board)
    rate_step(chosen.hz, baud)  # before anything is built: what is built must be used, or Amaranth warns
    buffers = estimate(spec, board).buffers
    system = System(build_core(spec), spec, clock_hz=chosen.hz, baud=baud, board=board.name, buffers=buffers)
    clocking = PllClock(board.pll, chosen.setting) if board.pll and chosen.setting else None
    return Top(system, STATUS, clocking)
