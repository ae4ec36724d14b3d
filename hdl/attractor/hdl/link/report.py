"""What a device tells about itself."""

from amaranth.hdl import Array, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.spec.protocol import CRC32, Command, Counters, Identity


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
        Which byte of the payload.
    parameters_valid: ``In(1)``
    counters: ``In(96)``
    digest: ``In(8)``
        Byte ``index`` of the CRC-32.
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
                "digest": In(8),
                "byte": Out(8),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        last = Signal.like(self.index)
        m.d.comb += self.last.eq(self.index == last)
        with m.Switch(self.command):
            with m.Case(Command.IDENTIFY):
                *constant, _ = self.identity.pack()
                m.d.comb += [last.eq(len(constant)), self.byte.eq(Array(map(Const, constant))[self.index])]
                with m.If(self.last):
                    m.d.comb += self.byte.eq(self.parameters_valid)
            with m.Case(Command.COUNTERS):
                numbers = [self.counters.word_select(number, 32) for number in range(len(self.counters) // 32)]
                # The byte first and the number then: half the multiplexers of the other way.
                part = Array(number.word_select(self.index[:2], 8) for number in numbers)[self.index[2:]]
                m.d.comb += [last.eq(Counters.STRUCT.size - 1), self.byte.eq(part)]
            with m.Default():
                m.d.comb += [last.eq(CRC32.size - 1), self.byte.eq(self.digest)]
        return m
