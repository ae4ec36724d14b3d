"""The place in a word that is moved."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.words import WordsSignature

__all__ = ["WordBits"]


class WordBits(wiring.Component):
    """Counts the bits of a word: as many as it has, or up to a whole number of bytes.

    Parameters
    ----------
    words:
        Signature of the access to the windows; it gives the longest word.

    Members
    -------
    word_bits: ``In``
        Bits of the word.
    packed: ``In(1)``
        The word has no bits more than that, and ``given`` ones come from a request. Otherwise it goes up to the end of
        a byte.
    given: ``In(8)``
        0 for all.
    restart: ``In(1)``
        Begin a word in the next cycle.
    step: ``In(1)``
        Go to the next bit.
    place, following: ``Out``
        Number of this bit, and of the next one.
    last: ``Out(1)``
        This is the last bit.
    past: ``Out(1)``
        This is behind the bits that come from a request, or behind those that the word has.
    """

    word_bits: Signal
    packed: Signal
    given: Signal
    restart: Signal
    step: Signal
    place: Signal
    following: Signal
    last: Signal
    past: Signal

    def __init__(self, words: WordsSignature) -> None:
        # Room for the bits of whole bytes, and for the addresses of a header's bytes, which are counted here, too.
        shape = max(4, len(Signal(words.members["word_bits"].shape)) + 1)
        super().__init__(
            {
                "word_bits": In(words.members["word_bits"].shape),
                "given": In(8),
                **dict.fromkeys(("packed", "restart", "step"), In(1)),
                **dict.fromkeys(("place", "following"), Out(shape)),
                **dict.fromkeys(("last", "past"), Out(1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        reached, ends = Signal(), Signal()
        m.d.comb += [
            self.following.eq(self.place + 1),
            reached.eq(self.following == self.word_bits),
            ends.eq(Mux(self.packed, self.following == self.given, reached)),
            self.last.eq(Mux(self.packed, reached, (reached | self.past) & (self.following[:3] == 0))),
        ]
        with m.If(self.restart):
            m.d.sync += [self.place.eq(0), self.past.eq(0)]
        with m.Elif(self.step):
            m.d.sync += [self.place.eq(self.following), self.past.eq(self.past | ends)]
        return m
