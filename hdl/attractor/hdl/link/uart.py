"""The serial line: 8N1 at any rate up to a quarter of the clock."""

import warnings

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.rate import STEP_BITS
from attractor.spec.protocol import LEAST_CYCLES_PER_BIT, RATE_CYCLES, BaudError

__all__ = ["Receiver", "Transmitter", "uart_divisor"]

_PHASE_BITS = RATE_CYCLES.bit_length() - 1


def uart_divisor(clock_hz: float, baud: float) -> int:
    """Return the clock cycles of a bit, a whole number. Deprecated: :func:`~attractor.spec.protocol.rate_step`.

    Raises
    ------
    BaudError
        If no whole number of at least :data:`~attractor.spec.protocol.LEAST_CYCLES_PER_BIT` comes within 1 % of
        ``baud``.
    """
    warnings.warn("uart_divisor is deprecated; use rate_step of attractor.spec.protocol", DeprecationWarning, 2)
    if clock_hz <= 0 or baud <= 0:
        raise BaudError(f"a clock of {clock_hz} Hz cannot make {baud} baud; both must be greater than 0")
    divisor = max(round(clock_hz / baud), LEAST_CYCLES_PER_BIT)
    if abs(clock_hz / divisor / baud - 1) > 0.01:
        raise BaudError(f"a clock of {clock_hz:.0f} Hz divided by a whole number cannot make {baud} baud")
    return divisor


class Receiver(wiring.Component):
    """Takes bytes from a serial line; they cannot be held back.

    A bit is sampled within half a bit around its middle, and each start bit sets the phase anew. A start bit that is
    gone by then is taken for noise. A byte comes with its stop bit; if that is low, the byte is lost, ``error`` tells
    so, and the next start bit is awaited after the line was high again.

    Members
    -------
    step: ``In(19)``
        The rate, as :func:`~attractor.spec.protocol.rate_step` returns it.
    rx: ``In(1)``
        The line, asynchronous.
    o: ``Out(stream of 8 bits, always ready)``
    error: ``Out(1)``
        For one cycle: a byte had no stop bit.
    busy: ``Out(1)``
        A byte is under way.
    """

    step: Signal
    rx: Signal
    o: stream.Interface
    error: Signal
    busy: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "step": In(STEP_BITS),
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
        # Parts of a bit since the last sample. Half a bit after its start a bit is sampled, a whole one after another.
        phase, sum_, sample = Signal(_PHASE_BITS, init=RATE_CYCLES // 2), Signal(_PHASE_BITS + 1), Signal()
        # Data come in at the top and push a one down; all are in when it has reached the bottom.
        bits = Signal(9)
        m.d.comb += [sum_.eq(phase + self.step), sample.eq(sum_[-1])]
        m.d.sync += phase.eq(sum_)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.next = "START"
                with m.If(line):
                    m.d.sync += phase.eq(phase.init)
                    m.next = "IDLE"
            with m.State("START"):
                m.d.sync += bits.eq(1 << 8)
                with m.If(sample):
                    m.next = "DATA"
                    with m.If(line):
                        m.d.sync += phase.eq(phase.init)
                        m.next = "IDLE"
            with m.State("DATA"), m.If(sample):
                m.d.sync += bits.eq(Cat(bits[1:], line))
                with m.If(bits[1]):
                    m.next = "STOP"
            with m.State("STOP"), m.If(sample):
                m.d.comb += [self.o.valid.eq(line), self.error.eq(~line)]
                m.d.sync += phase.eq(phase.init)
                m.next = "RECOVER"
                with m.If(line):
                    m.next = "IDLE"
            with m.State("RECOVER"):
                m.d.sync += phase.eq(phase.init)
                with m.If(line):
                    m.next = "IDLE"
        m.d.comb += [self.o.payload.eq(bits[1:]), self.busy.eq(~fsm.ongoing("IDLE"))]
        return m


class Transmitter(wiring.Component):
    """Puts bytes on a serial line, one after another without a gap while more are there.

    ``i`` is ready while the line is idle and in the last cycle of a stop bit. The start bit begins in the cycle after
    a byte was taken. Bits that follow one another have a whole number of cycles each and the given rate on average.

    Members
    -------
    step: ``In(19)``
        The rate, as :func:`~attractor.spec.protocol.rate_step` returns it.
    i: ``In(stream of 8 bits)``
    tx: ``Out(1)``
        The line; a register, so free of glitches.
    busy: ``Out(1)``
        A byte is under way.
    """

    step: Signal
    i: stream.Interface
    tx: Signal
    busy: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "step": In(STEP_BITS),
                "i": In(stream.Signature(8)),
                "tx": Out(1, init=1),  # pyright: ignore[reportCallIssue]
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Parts of a bit since its start.
        phase, sum_, last = Signal(_PHASE_BITS), Signal(_PHASE_BITS + 1), Signal()
        # Bits still to send, the next one lowest, and a one above the stop bit: a one alone means that this is the
        # stop bit, and nothing that the line is idle.
        bits = Signal(10)
        m.d.comb += [
            sum_.eq(phase + self.step),
            self.busy.eq(bits.any()),
            last.eq(sum_[-1] | ~self.busy),
            self.i.ready.eq(last & ~bits[1:].any()),
        ]
        with m.If(self.busy):
            m.d.sync += phase.eq(sum_)
        with m.If(last):
            m.d.sync += [self.tx.eq(bits[0] | ~bits[1:].any()), bits.eq(bits[1:])]
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += [self.tx.eq(0), bits.eq(Cat(self.i.payload, Const(0b11, 2)))]
            with m.Elif(~bits[1:].any()):
                m.d.sync += phase.eq(0)
        return m
