"""What a device tells about itself."""

from amaranth.hdl import Array, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.spec.protocol import CRC32, Command, Counters, Identity

__all__ = ["Report"]


class Report(wiring.Component):
    """Chooses the bytes of the replies to IDENTIFY, COUNTERS, and all that answer with a CRC-32. Combinational.

    Parameters
    ----------
    identity:
        What IDENTIFY answers, but for the validity of the parameters.

    Members
    -------
    command: ``In(4)``
    index: ``In(4)``
        Which byte of the payload; of a CRC-32 only the two lowest bits are looked at.
    parameters_valid: ``In(1)``
    counters: ``In(96)``
    digest: ``In(32)``
    byte: ``Out(8)``
    last: ``Out(1)``
        There are no more.
    """

    command: Signal
    index: Signal
    parameters_valid: Signal
    counters: Signal
    digest: Signal
    byte: Signal
    last: Signal

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        super().__init__(
            {
                "command": In(4),
                "index": In(4),
                "parameters_valid": In(1),
                "counters": In(8 * Counters.STRUCT.size),
                "digest": In(8 * CRC32.size),
                "byte": Out(8),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        *constant, _ = self.identity.pack()
        last, number = Signal.like(self.index), Signal(2)
        numbers = [*(self.counters.word_select(place, 32) for place in range(len(self.counters) // 32)), self.digest]
        m.d.comb += [
            last.eq(CRC32.size - 1),
            number.eq(len(numbers) - 1),
            # The byte first and the number then: fewer multiplexers than the other way.
            self.byte.eq(Array(value.word_select(self.index[:2], 8) for value in numbers)[number]),
            self.last.eq(self.index == last),
        ]
        with m.If(self.command == Command.COUNTERS):
            m.d.comb += [last.eq(Counters.STRUCT.size - 1), number.eq(self.index[2:])]
        with m.If(self.command == Command.IDENTIFY):
            m.d.comb += [last.eq(len(constant)), self.byte.eq(Array(map(Const, constant))[self.index])]
            with m.If(self.last):
                m.d.comb += self.byte.eq(self.parameters_valid)
        return m
