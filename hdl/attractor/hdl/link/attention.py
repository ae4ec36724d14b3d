"""The sign that ends a call under way."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.spec.protocol import ATTENTION

__all__ = ["AttentionDetector"]


class AttentionDetector(wiring.Component):
    """Looks for a row of zero bytes among all that come, before anything can hold them up.

    Members
    -------
    i: ``In(stream of 8 bits, always ready)``
    seen: ``Out(1)``
        With the last byte of the sign, once for each row of zeros.
    """

    i: stream.Interface
    seen: Signal

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(8, always_ready=True)), "seen": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        zeros = Signal(range(len(ATTENTION) + 1))
        m.d.comb += self.seen.eq(self.i.valid & (self.i.payload == 0) & (zeros == len(ATTENTION) - 1))
        with m.If(self.i.valid):
            with m.If(self.i.payload != 0):
                m.d.sync += zeros.eq(0)
            with m.Elif(zeros != len(ATTENTION)):
                m.d.sync += zeros.eq(zeros + 1)
        return m
