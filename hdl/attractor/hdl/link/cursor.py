"""The place in a frame."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Cursor"]


class Cursor(wiring.Component):
    """Number of the byte that is worked on: of the request, or of the part of the reply that is being written.

    It moves in the next cycle, by the first of ``restart``, ``seek`` and ``advance`` that is asked for.

    Members
    -------
    restart: ``In(1)``
        Go to byte 0.
    seek, target: ``In(1)``, ``In(8)``
        Go to byte ``target``.
    advance: ``In(1)``
        Go to the next byte.
    index, following: ``Out(8)``
        Number of this byte, and of the next one.
    address: ``Out(8)``
        The byte to read now, so that after an ``advance`` it is there at once. After a ``restart`` or a ``seek`` it is
        there a cycle later.
    """

    restart: Signal
    seek: Signal
    target: Signal
    advance: Signal
    index: Signal
    following: Signal
    address: Signal

    def __init__(self) -> None:
        inputs, outputs = ("restart", "seek", "advance"), ("index", "following", "address")
        super().__init__({**dict.fromkeys(inputs, In(1)), "target": In(8), **dict.fromkeys(outputs, Out(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.following.eq(self.index + 1),
            self.address.eq(Mux(self.advance, self.following, self.index)),
        ]
        with m.If(self.restart):
            m.d.sync += self.index.eq(0)
        with m.Elif(self.seek):
            m.d.sync += self.index.eq(self.target)
        with m.Elif(self.advance):
            m.d.sync += self.index.eq(self.following)
        return m
