"""The rate of the line."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.spec.protocol import LEAST_CYCLES_PER_BIT, RATE_CYCLES

__all__ = ["STEP_BITS", "LineRate"]

#: Bits of a rate.
STEP_BITS = (RATE_CYCLES // LEAST_CYCLES_PER_BIT).bit_length()


class LineRate(wiring.Component):
    """Holds the rate at which both directions run, and goes back to the first one after a silence.

    Parameters
    ----------
    start:
        The rate after a reset, as :func:`~attractor.spec.protocol.rate_step` returns it.
    fallback_cycles:
        Clock cycles of the silence.

    Members
    -------
    data: ``In(8)``
        A byte of another rate.
    take: ``In(3)``
        Which byte it is, one bit for each, the lowest byte first; none of them: no byte.
    keep: ``In(1)``
        A good frame came, a call is under way, or a byte is being sent: the silence begins anew.
    step: ``Out(19)``
        Bits in :data:`~attractor.spec.protocol.RATE_CYCLES` clock cycles.
    """

    data: Signal
    take: Signal
    keep: Signal
    step: Signal

    def __init__(self, start: int, fallback_cycles: int) -> None:
        if not 1 <= start <= RATE_CYCLES // LEAST_CYCLES_PER_BIT:
            raise ValueError(f"a rate of {start}; it must be between 1 and {RATE_CYCLES // LEAST_CYCLES_PER_BIT}")
        if fallback_cycles < 1:
            raise ValueError(f"a silence of {fallback_cycles} clock cycles; it must be 1 at least")
        self.start = start
        self.fallback_cycles = fallback_cycles
        super().__init__({"data": In(8), "take": In(3), "keep": In(1), "step": Out(STEP_BITS, init=start)})  # pyright: ignore[reportCallIssue]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # It begins where its highest bit becomes 1 after these cycles.
        bits = self.fallback_cycles.bit_length()
        silence = Signal(bits + 1, init=(1 << bits) - self.fallback_cycles)
        over = silence[-1]
        with m.If(self.keep):
            m.d.sync += silence.eq(silence.init)
        with m.Elif(~over):
            m.d.sync += silence.eq(silence + 1)
        for part in range(len(self.take)):
            with m.If(self.take[part]):
                register = self.step[8 * part : 8 * part + 8]
                m.d.sync += register.eq(self.data)
        with m.If(over):
            m.d.sync += self.step.eq(self.start)
        return m
