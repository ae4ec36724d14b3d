"""The place in a frame."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.decoder import HEADER

__all__ = ["Cursor"]


class Cursor(wiring.Component):
    """Address of the byte that is worked on: of the request, or of the reply as far as it is payload.

    It moves in the next cycle, by the first of ``restart``, ``seek`` and ``advance`` that is asked for.

    Members
    -------
    restart: ``In(1)``
        Go to the first byte of the header.
    seek, target: ``In(1)``, ``In(4)``
        Go to byte ``target``.
    advance: ``In(1)``
        Go to the next byte.
    index: ``Out(8)``
    address: ``Out(8)``
        The byte to read now, so that after an ``advance`` it is there at once. After a ``restart`` or a ``seek`` it is
        there a cycle later.
    """

    restart: Signal
    seek: Signal
    target: Signal
    advance: Signal
    index: Signal
    address: Signal

    def __init__(self) -> None:
        inputs = ("restart", "seek", "advance")
        super().__init__(
            {
                **dict.fromkeys(inputs, In(1)),
                "target": In(4),
                "index": Out(8, init=HEADER),  # pyright: ignore[reportCallIssue]
                "address": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        following = Signal(8)
        m.d.comb += [following.eq(self.index + 1), self.address.eq(Mux(self.advance, following, self.index))]
        with m.If(self.restart):
            m.d.sync += self.index.eq(HEADER)
        with m.Elif(self.seek):
            m.d.sync += self.index.eq(self.target)
        with m.Elif(self.advance):
            m.d.sync += self.index.eq(following)
        return m
