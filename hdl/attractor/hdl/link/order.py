"""Which request is next: the order and the session."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RequestOrder"]


class RequestOrder(wiring.Component):
    """Numbers of the session and of the next request, compared and changed bit by bit.

    Sequence numbers have 16 bits. All that is done to a number takes 16 cycles, the lowest bit first, and must not stop
    in between: each cycle turns a register by one bit, so that afterwards it is where it was.

    Members
    -------
    bit: ``In(1)``
        A bit of the request's sequence number.
    restart: ``In(1)``
        Forget what was compared; needed before ``compare``.
    compare: ``In(1)``
    same_session: ``Out(1)``
        There is a session, and it has the number that was compared.
    expected, later: ``Out(1)``
        The number that was compared is that of the next request, or one of the 2**15 - 1 after it.
    adopt: ``In(1)``
        Make the number after the given one that of the next request. Not in the cycle after another one was adopted.
    begin: ``In(1)``
        With ``adopt``: make the given one the number of the session.
    known: ``Out(1)``
        There is a session.
    show_session, show_next: ``In(1)``
        Go to the next bit.
    session, next: ``Out(1)``
        A bit; 0 before the first session.
    """

    bit: Signal
    restart: Signal
    compare: Signal
    same_session: Signal
    expected: Signal
    later: Signal
    adopt: Signal
    begin: Signal
    known: Signal
    show_session: Signal
    show_next: Signal
    session: Signal
    next: Signal

    def __init__(self) -> None:
        inputs = ("bit", "restart", "compare", "adopt", "begin", "show_session", "show_next")
        outputs = ("same_session", "expected", "later", "known", "session", "next")
        super().__init__({**dict.fromkeys(inputs, In(1)), **dict.fromkeys(outputs, Out(1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        session, following = Signal(16), Signal(16)
        # Of the comparison: another session, another number, a borrow, and the sign so far. Of the sum: its carry.
        other, differs, borrow, sign, carry = Signal(), Signal(), Signal(), Signal(), Signal(init=1)
        unequal, difference = Signal(), Signal()
        begins = self.adopt & self.begin
        m.d.comb += [
            self.session.eq(session[0]),
            self.next.eq(following[0]),
            unequal.eq(self.bit ^ following[0]),
            difference.eq(unequal ^ borrow),
            self.same_session.eq(self.known & ~other),
            self.expected.eq(~differs),
            self.later.eq(differs & ~sign),
        ]
        with m.If(self.restart):
            m.d.sync += [other.eq(0), differs.eq(0), borrow.eq(0)]
        with m.Elif(self.compare):
            m.d.sync += [
                other.eq(other | (self.bit ^ session[0])),
                differs.eq(differs | unequal),
                borrow.eq(Mux(unequal, following[0], borrow)),
                sign.eq(difference),
            ]
        with m.If(self.compare | begins | self.show_session):
            m.d.sync += session.eq(Cat(session[1:], Mux(begins, self.bit, session[0])))
        with m.If(self.compare | self.adopt | self.show_next):
            m.d.sync += following.eq(Cat(following[1:], Mux(self.adopt, self.bit ^ carry, following[0])))
        with m.If(self.adopt):
            m.d.sync += carry.eq(carry & self.bit)
        with m.Else():
            m.d.sync += carry.eq(1)
        with m.If(begins):
            m.d.sync += self.known.eq(1)
        return m
