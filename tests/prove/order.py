# amaranth: UnusedElaboratable=no
"""Numbers of the session and of the next request are compared, changed and shown as numbers are, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value, ValueLike

from attractor.hdl.link.order import RequestOrder

from .harness import Harness
from .proof import Fault, Proof

#: Bits of a number.
BITS = 16
#: What is done to the numbers, each alone: both are compared, the next one is set, and the session, one is shown.
_ALONE = 0b00001, 0b00010, 0b00110, 0b01000, 0b10000


class Numbers:
    """The numbers themselves, which an order has bit by bit.

    Parameters
    ----------
    require:
        Says of whoever uses the order that it does what the order asks for: an assumption about the inputs, or a claim
        about what drives them.

    Attributes
    ----------
    session, next, known:
        What the order stands for.
    number, compared:
        The number that was compared last, and whether its comparison is to be looked at.
    turn, doing:
        Bits that were done of what is being done, and what that is.
    fresh:
        A comparison may begin.
    """

    def __init__(self, h: Harness, order: Any, require: Callable[[ValueLike, str], None]) -> None:
        self._h, self._order = h, order
        self.session, self.next = Signal(BITS, name="number_of_session"), Signal(BITS, name="number_of_next")
        self.known, self.compared, self.fresh = Signal(), Signal(), Signal()
        self.number, self.turn, self.doing = Signal(BITS), Signal(range(BITS)), Signal(5)
        self._asked = Cat(order.compare, order.adopt, order.adopt & order.begin, order.show_session, order.show_next)
        middle = self.turn != 0
        require(self._asked.matches(0, *_ALONE), "two things are done to the numbers at once")
        require(~middle | (self._asked == self.doing), "something that is done to the numbers is left half way")
        require(~(order.adopt & ~middle & self.doing[1]), "a number is adopted right after another")
        require(~order.compare | middle | self.fresh, "numbers are compared without a restart")
        require(~(order.restart & (order.compare | (middle & self.doing[0]))), "a comparison is restarted half way")
        self._follow()

    def _follow(self) -> None:
        m, order, asked = self._h.m, self._order, self._asked
        takes = order.compare | order.adopt
        #: The number as far as its bits came, this one included.
        coming = Signal(BITS)
        m.d.comb += coming.eq(Mux(self.turn == 0, 0, self.number) | (order.bit << self.turn)[:BITS])
        m.d.sync += self.doing.eq(asked)
        with m.If(asked.any()):
            m.d.sync += self.turn.eq(self.turn + 1)
        with m.If(takes):
            m.d.sync += self.number.eq(coming)
        with m.If(takes & (self.turn == BITS - 1)):
            m.d.sync += self.compared.eq(order.compare)
        with m.Elif(takes | order.restart):
            m.d.sync += self.compared.eq(0)
        m.d.sync += self.fresh.eq(order.restart | (self.fresh & ~order.compare))
        with m.If(order.adopt & (self.turn == BITS - 1)):
            m.d.sync += self.next.eq(coming + 1)
            with m.If(order.begin):
                m.d.sync += [self.session.eq(coming), self.known.eq(1)]

    def claims(self) -> None:
        """Claim that the order shows these numbers."""
        h, order, turn = self._h, self._order, self.turn
        compared = self.compared & (turn == 0)
        behind = (self.number - self.next)[:BITS]
        h.claim(
            ~compared | (order.same_session == (self.known & (self.number == self.session))), "the session is wrong"
        )
        h.claim(~compared | (order.expected == (behind == 0)), "it is not the number of the next request")
        later = (behind != 0) & (behind < 1 << BITS - 1)
        h.claim(~compared | (order.later == later), "the number is not a later one, or is one")
        h.claim((turn != 0) | (order.known == self.known), "it is not known that there is a session")
        h.claim(~order.show_session | (order.session == self.session.bit_select(turn, 1)), "another session is shown")
        h.claim(~order.show_next | (order.next == self.next.bit_select(turn, 1)), "another next number is shown")
        h.cover(compared & order.later, "a later number is compared")
        h.cover(order.show_next & order.next & (turn == 3), "a number is shown")

    def lemmas(self, get: Callable[[str], Any]) -> None:
        """Say what the registers of the order hold, on the way and afterwards."""
        h, turn, doing = self._h, self.turn, self.doing
        session, following = get("session"), get("following")
        other, differs, borrow, sign, carry = map(get, ("other", "differs", "borrow", "sign", "carry"))
        low = Signal(BITS)
        h.m.d.comb += low.eq((1 << turn) - 1)
        number, middle = self.number & low, turn != 0
        compares, adopts, begins, shows_session, shows_next = (middle & bit for bit in doing)
        next_low, session_low = self.next & low, self.session & low
        h.lemma(
            session
            == _turned(self.session, Mux(begins, number, session_low), _when(turn, begins | compares | shows_session)),
            "the session turns",
        )
        new_low = (number + 1) & low
        h.lemma(
            following
            == _turned(self.next, Mux(adopts, new_low, next_low), _when(turn, adopts | compares | shows_next)),
            "the next number turns",
        )
        h.lemma(~middle | doing.matches(*_ALONE), "one thing is done")
        h.lemma(~adopts | (carry == (number == low)), "a carry runs through ones")
        h.lemma(adopts | carry | (~middle & doing[1]), "a carry is there at first")
        h.lemma(
            ~compares | ((other == (number != session_low)) & (differs == (number != next_low))), "bits were compared"
        )
        h.lemma(~compares | (borrow == (number < next_low)), "numbers are subtracted")
        h.lemma(~middle | ~(compares | adopts) | (self.number == number), "bits that did not come are 0")
        h.lemma(~self.fresh | ~(other | differs | borrow), "a comparison begins anew")
        stands = self.compared & ~(middle & (compares | adopts))
        behind = (self.number - self.next)[:BITS]
        equal = (other == (self.number != self.session)) & (differs == (behind != 0)) & (sign == behind[-1])
        h.lemma(~stands | equal, "the comparison stands")
        h.lemma(begins | (self._order.known == self.known), "it is known whether there is a session")
        h.lemma(~begins | self._order.known, "a session that begins is known")


def _when(turn: Value, turns: Value) -> Value:
    return Mux(turns, turn, 0)


def _turned(number: Value, low: Value, turn: Value) -> Value:
    """Return a number whose lowest ``turn`` bits went round, as ``low`` has them."""
    return ((number >> turn) | (low << BITS >> turn))[:BITS]


def build(h: Harness, component: type[RequestOrder]) -> None:
    dut = component()
    inside = h.open(dut)
    numbers = Numbers(h, dut, lambda condition, _: h.assume(condition))
    numbers.claims()
    numbers.lemmas(inside.get)


PROOFS = (
    Proof(
        "order of requests",
        RequestOrder,
        build,
        depth=2,
        cover_depth=30,
        faults=(
            Fault("self.expected.eq(~differs)", "self.expected.eq(~differs | sign)", depth=20),
            Fault("self.later.eq(differs & ~sign)", "self.later.eq(differs)", depth=20),
            Fault("differs | unequal", "unequal", depth=20),
            Fault("carry.eq(carry & self.bit)", "carry.eq(0)", depth=36),
            Fault("Mux(begins, self.bit, session[0])", "session[0]", depth=36),
        ),
    ),
)
