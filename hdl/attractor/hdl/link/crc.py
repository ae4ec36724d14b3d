"""CRC-32, one bit in a cycle."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CrcSignature", "SerialCrc32"]

#: The polynomial, highest power lowest, as bytes come with their lowest bits first.
_POLYNOMIAL = 0xEDB88320
#: What the register holds after data and their CRC-32.
_RESIDUE = 0xDEBB20E3


class CrcSignature(wiring.Signature):
    """A CRC-32 being computed, seen from whoever gives the data. Everything takes effect in the next cycle.

    Members
    -------
    restart: ``Out(1)``
        Begin anew, whatever else is asked for.
    step: ``Out(1)``
        Take in ``bit``; the lowest bit of each byte comes first.
    bit: ``Out(1)``
    drain: ``Out(1)``
        Instead, ``step`` goes on to the next bit of the result.
    result: ``In(1)``
        The lowest bit of the CRC-32 that no ``drain`` went past.
    """

    def __init__(self) -> None:
        super().__init__(
            {"restart": Out(1), "step": Out(1), "bit": Out(1), "drain": Out(1), "result": In(1)},
        )


class SerialCrc32(wiring.Component):
    """The CRC-32 of zlib. It takes a bit in every cycle.

    Members
    -------
    restart, step, bit, drain: ``In(1)``
    result: ``Out(1)``
        As in :class:`CrcSignature`.
    good: ``Out(1)``
        The bits so far end with the CRC-32 of those before.
    """

    restart: Signal
    step: Signal
    bit: Signal
    drain: Signal
    result: Signal
    good: Signal

    def __init__(self) -> None:
        super().__init__(
            {**dict.fromkeys(("restart", "step", "bit", "drain"), In(1)), "result": Out(1), "good": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        register = Signal(32, init=0xFFFFFFFF)
        feedback = Signal()
        m.d.comb += [
            feedback.eq((register[0] ^ self.bit) & ~self.drain),
            self.result.eq(~register[0]),
            self.good.eq(register == _RESIDUE),
        ]
        with m.If(self.step):
            m.d.sync += register.eq(Cat(register[1:], Const(0, 1)) ^ (feedback.replicate(32) & _POLYNOMIAL))
        with m.If(self.restart):
            m.d.sync += register.eq(register.init)
        return m
