"""The serial line: 8N1 with a whole number of clock cycles for each bit."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["GREATEST_ERROR", "LEAST_DIVISOR", "BaudError", "Receiver", "Transmitter", "uart_divisor"]

#: Fewest clock cycles of a bit: the receiver must find its middle.
LEAST_DIVISOR = 4
#: A receiver that starts at each start bit still samples the stop bit safely with this difference in rate.
GREATEST_ERROR = 0.01


class BaudError(ValueError):
    """A clock cannot be divided to a baud rate."""


def uart_divisor(clock_hz: float, baud: float) -> int:
    """Return the clock cycles of a bit.

    Parameters
    ----------
    clock_hz, baud:
        Clock frequency and bits in a second, both in Hz.

    Raises
    ------
    BaudError
        If no divisor of at least :data:`LEAST_DIVISOR` comes within :data:`GREATEST_ERROR` of ``baud``; the
        message names the nearest rates that the clock can make.
    """
    if clock_hz <= 0 or baud <= 0:
        raise BaudError(f"a clock of {clock_hz} Hz cannot make {baud} baud; both must be greater than 0")
    divisor = max(round(clock_hz / baud), LEAST_DIVISOR)
    if abs(clock_hz / divisor / baud - 1) <= GREATEST_ERROR:
        return divisor
    divisor = max(int(clock_hz // baud), LEAST_DIVISOR)
    highest = clock_hz / divisor
    rates = [highest] if highest < baud else [clock_hz / (divisor + 1), highest]
    raise BaudError(
        f"a clock of {clock_hz:.0f} Hz cannot make {baud} baud within {GREATEST_ERROR:.0%}: a bit takes a whole number "
        f"of clock cycles, at least {LEAST_DIVISOR}; choose {' or '.join(f'{rate:.0f}' for rate in rates)} baud"
    )


class Receiver(wiring.Component):
    """Takes bytes from a serial line; they cannot be held back.

    A bit is sampled in its middle, and each start bit sets the phase anew. A start bit that is gone by its middle is
    taken for noise. A byte comes with the middle of its stop bit; if that is low, the byte is lost, ``error`` tells
    so, and the next start bit is awaited after the line was high again.

    Parameters
    ----------
    divisor:
        Clock cycles of a bit, at least :data:`LEAST_DIVISOR`.

    Members
    -------
    rx: ``In(1)``
        The line, asynchronous.
    o: ``Out(stream of 8 bits, always ready)``
    error: ``Out(1)``
        For one cycle: a byte had no stop bit.
    busy: ``Out(1)``
        A byte is under way.
    """

    rx: Signal
    o: stream.Interface
    error: Signal
    busy: Signal

    def __init__(self, divisor: int) -> None:
        _check_divisor(divisor)
        self.divisor = divisor
        super().__init__(
            {
                "rx": In(1, init=1),  # pyright: ignore[reportCallIssue]
                "o": Out(stream.Signature(8, always_ready=True)),
                "error": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, line, init=1)
        timer = Signal(range(self.divisor))
        # Data come in at the top and push a one down; all are in when it has reached the bottom.
        bits = Signal(9)
        middle = Signal()
        m.d.comb += middle.eq(timer == 0)
        m.d.sync += timer.eq(timer - 1)
        with m.If(middle):
            m.d.sync += timer.eq(self.divisor - 1)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.sync += timer.eq((self.divisor - 1) // 2 - 1)
                with m.If(~line):
                    m.next = "START"
            with m.State("START"):
                m.d.sync += bits.eq(1 << 8)
                with m.If(middle):
                    m.next = "DATA"
                    with m.If(line):
                        m.next = "IDLE"
            with m.State("DATA"), m.If(middle):
                m.d.sync += bits.eq(Cat(bits[1:], line))
                with m.If(bits[1]):
                    m.next = "STOP"
            with m.State("STOP"), m.If(middle):
                m.d.comb += [self.o.valid.eq(line), self.error.eq(~line)]
                m.next = "RECOVER"
                with m.If(line):
                    m.next = "IDLE"
            with m.State("RECOVER"), m.If(line):
                m.next = "IDLE"
        m.d.comb += [self.o.payload.eq(bits[1:]), self.busy.eq(~fsm.ongoing("IDLE"))]
        return m


class Transmitter(wiring.Component):
    """Puts bytes on a serial line, one after another without a gap while more are there.

    ``i`` is ready while the line is idle and in the last cycle of a stop bit. The start bit begins in the cycle after
    a byte was taken.

    Parameters
    ----------
    divisor:
        Clock cycles of a bit, at least :data:`LEAST_DIVISOR`.

    Members
    -------
    i: ``In(stream of 8 bits)``
    tx: ``Out(1)``
        The line; a register, so free of glitches.
    busy: ``Out(1)``
        A byte is under way.
    """

    i: stream.Interface
    tx: Signal
    busy: Signal

    def __init__(self, divisor: int) -> None:
        _check_divisor(divisor)
        self.divisor = divisor
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "tx": Out(1, init=1),  # pyright: ignore[reportCallIssue]
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        timer = Signal(range(self.divisor))
        # Bits still to send, the next one lowest. The stop bit is the last one, so zero means that none is left.
        bits = Signal(9)
        last = Signal()
        m.d.comb += [
            last.eq(timer == 0),
            self.busy.eq(bits.any() | ~last),
            self.i.ready.eq(last & ~bits.any()),
        ]
        with m.If(~last):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(bits.any()):
            m.d.sync += [self.tx.eq(bits[0]), bits.eq(bits[1:]), timer.eq(self.divisor - 1)]
        with m.Elif(self.i.valid):
            m.d.sync += [self.tx.eq(0), bits.eq(Cat(self.i.payload, Const(1, 1))), timer.eq(self.divisor - 1)]
        return m


def _check_divisor(divisor: int) -> None:
    if divisor < LEAST_DIVISOR:
        raise BaudError(f"a bit of {divisor} clock cycles is too short; it must have at least {LEAST_DIVISOR}")
