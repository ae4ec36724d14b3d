"""What a device tells about itself."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.decoder import PAYLOAD
from attractor.spec.protocol import CRC32, Command, Counters, Identity, SessionState

__all__ = ["Report"]

#: Where an identity has the session.
_SESSION = PAYLOAD + 9, PAYLOAD + 10


class Report(wiring.Component):
    """Chooses the bits of the replies to IDENTIFY, SYNC, COUNTERS, and all that answer with a CRC-32. Combinational.

    Members
    -------
    command: ``In(4)``
    index: ``In(5)``
        Which byte: where the payload of a request would have it.
    first: ``In(1)``
        This is the first bit of the byte.
    identity: ``In(1)``
        The bit of the identity as far as it never changes.
    parameters_valid, session, next, counters, crc: ``In(1)``
        The next bits of what is shown bit by bit.
    takes_session, takes_next, takes_counters, takes_crc: ``Out(1)``
        This is such a bit.
    bit: ``Out(1)``
    last: ``Out(1)``
        This is the last byte.
    """

    command: Signal
    index: Signal
    first: Signal
    identity: Signal
    parameters_valid: Signal
    session: Signal
    next: Signal
    counters: Signal
    crc: Signal
    takes_session: Signal
    takes_next: Signal
    takes_counters: Signal
    takes_crc: Signal
    bit: Signal
    last: Signal

    def __init__(self) -> None:
        inputs = ("first", "identity", "parameters_valid", "session", "next", "counters", "crc")
        outputs = ("takes_session", "takes_next", "takes_counters", "takes_crc", "bit", "last")
        super().__init__(
            {
                "command": In(4),
                "index": In(5),
                **dict.fromkeys(inputs, In(1)),
                **dict.fromkeys(outputs, Out(1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        index, last = self.index, Signal.like(self.index)
        m.d.comb += self.last.eq(index == last)
        with m.Switch(self.command):
            with m.Case(Command.IDENTIFY):
                m.d.comb += last.eq(PAYLOAD + Identity.STRUCT.size - 1)
                with m.If(index.matches(*_SESSION)):
                    m.d.comb += [self.takes_session.eq(1), self.bit.eq(self.session)]
                with m.Elif(self.last):
                    m.d.comb += self.bit.eq(self.parameters_valid & self.first)
                with m.Else():
                    m.d.comb += self.bit.eq(self.identity)
            with m.Case(Command.SYNC):
                m.d.comb += last.eq(PAYLOAD + SessionState.STRUCT.size - 1)
                with m.If(~index[1]):
                    m.d.comb += [self.takes_session.eq(1), self.bit.eq(self.session)]
                with m.Else():
                    m.d.comb += [self.takes_next.eq(1), self.bit.eq(self.next)]
            with m.Case(Command.COUNTERS):
                m.d.comb += last.eq(PAYLOAD + Counters.STRUCT.size - 1)
                m.d.comb += [self.takes_counters.eq(1), self.bit.eq(self.counters)]
            with m.Default():
                m.d.comb += last.eq(PAYLOAD + CRC32.size - 1)
                m.d.comb += [self.takes_crc.eq(1), self.bit.eq(self.crc)]
        return m
