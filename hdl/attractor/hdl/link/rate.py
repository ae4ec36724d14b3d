"""The rate of the line."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.spec.protocol import LEAST_CYCLES_PER_BIT, RATE_CYCLES

__all__ = ["STEP_BITS", "LineRate"]

#: Bits of a rate.
STEP_BITS = (RATE_CYCLES // LEAST_CYCLES_PER_BIT).bit_length()


class LineRate(wiring.Component):
    """Holds the rate at which both directions run, and goes back to the first one where nothing makes sense.

    Parameters
    ----------
    start:
        The rate after a reset, as :func:`~attractor.spec.protocol.rate_step` returns it.
    fallback_cycles:
        Clock cycles between something that came and the end of patience.

    Members
    -------
    data: ``In(8)``
        A byte of another rate.
    take: ``In(3)``
        Which byte it is, one bit for each, the lowest byte first; none of them: no byte.
    heard: ``In(1)``
        Something came.
    keep: ``In(1)``
        A good frame came, a call is under way, or a byte is being sent: whatever came before made sense.
    step: ``Out(19)``
        Bits in :data:`~attractor.spec.protocol.RATE_CYCLES` clock cycles.
    """

    data: Signal
    take: Signal
    heard: Signal
    keep: Signal
    step: Signal

    def __init__(self, start: int, fallback_cycles: int) -> None:
        if not 1 <= start <= RATE_CYCLES // LEAST_CYCLES_PER_BIT:
            raise ValueError(f"a rate of {start}; it must be between 1 and {RATE_CYCLES // LEAST_CYCLES_PER_BIT}")
        if fallback_cycles < 1:
            raise ValueError(f"a patience of {fallback_cycles} clock cycles; it must be 1 at least")
        self.start = start
        self.fallback_cycles = fallback_cycles
        step = Out(STEP_BITS, init=start)  # pyright: ignore[reportCallIssue]
        super().__init__({"data": In(8), "take": In(3), "heard": In(1), "keep": In(1), "step": step})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # It begins where its highest bit becomes 1 after these cycles.
        bits = self.fallback_cycles.bit_length()
        waited = Signal(bits + 1, init=(1 << bits) - self.fallback_cycles)
        waiting, over = Signal(), waited[-1]
        with m.If(self.keep):
            m.d.sync += [waited.eq(waited.init), waiting.eq(0)]
        with m.Else():
            m.d.sync += waiting.eq(waiting | self.heard)
            with m.If(waiting & ~over):
                m.d.sync += waited.eq(waited + 1)
        for part in range(len(self.take)):
            with m.If(self.take[part]):
                register = self.step[8 * part : 8 * part + 8]
                m.d.sync += register.eq(self.data)
        with m.If(over):
            m.d.sync += self.step.eq(self.start)
        return m
