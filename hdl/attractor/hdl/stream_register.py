"""Registers between the two ends of a stream, so that no path leads through."""

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamRegister"]


class StreamRegister(wiring.Component):
    """Holds up to two payloads: a transfer in each cycle, with neither ``ready`` nor ``valid`` passed on in the same.

    What comes is out a cycle later at the earliest.

    Parameters
    ----------
    shape:
        Shape of the payload.

    Members
    -------
    i: ``In(stream of shape)``
    o: ``Out(stream of shape)``
        Valid whenever anything is held.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike) -> None:
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valid = Signal()
        spare_valid = Signal()
        payload = Signal.like(self.o.payload)
        spare = Signal.like(self.o.payload)
        m.d.comb += [self.i.ready.eq(~spare_valid), self.o.valid.eq(valid), self.o.payload.eq(payload)]
        with m.If(self.o.ready | ~valid):
            m.d.sync += [valid.eq(spare_valid | self.i.valid), spare_valid.eq(0)]
            with m.If(spare_valid):
                m.d.sync += payload.eq(spare)
            with m.Else():
                m.d.sync += payload.eq(self.i.payload)
        with m.Elif(self.i.ready):
            m.d.sync += [spare_valid.eq(self.i.valid), spare.eq(self.i.payload)]
        return m
