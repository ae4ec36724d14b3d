"""A memory whose words are read, changed and written back, one in each cycle."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Assert, Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RewrittenMemory"]


class RewrittenMemory(wiring.Component):
    """Words that are read, changed and written back, in each cycle another one or the same.

    ::

        cycle        0       1           2           3
        at once      read    change      write
        registered   read    register    change      write

    Where a word is needed that one of those before it have changed and not yet written, it takes over the result: this
    costs a comparator for each of them, and no cycle is ever lost. The word is then not read in the very cycle in which
    it is written, of which block RAM makes nothing defined.

    Parameters
    ----------
    width, words:
        Bits of a word, and words of the memory.
    registered:
        There is a register behind the memory: a cycle more, and no path from block RAM into what changes the word.

    Members
    -------
    address: ``In(range(words))``
    read: ``In(1)``
        Read this word.
    rewrite: ``In(1)``
        And write it back. Only with ``read``.
    clear: ``In(1)``
        But write 0. Only with ``rewrite``.
    word: ``Out(width)``
        One cycle after ``read``, or two if registered, the word as all that was read before it has left it.
    changed: ``In(width)``
        What becomes of it, in the same cycle.
    result: ``Out(width)``
        ``changed`` in the cycle before.
    busy: ``Out(1)``
        A word is to be written that was read before this cycle.
    """

    address: Signal
    read: Signal
    rewrite: Signal
    clear: Signal
    word: Signal
    changed: Signal
    result: Signal
    busy: Signal

    def __init__(self, width: int, words: int, *, registered: bool) -> None:
        self.width, self.words, self.registered = width, words, registered
        flags = dict.fromkeys(("read", "rewrite", "clear"), In(1))
        data: dict[str, Any] = {"word": Out(width), "changed": In(width), "result": Out(width), "busy": Out(1)}
        super().__init__({"address": In(range(words)), **flags, **data})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = storage = memory.Memory(shape=self.width, depth=self.words, init=[])
        read, write = storage.read_port(), storage.write_port()
        last = 3 if self.registered else 2
        addresses = [self.address, *(Signal.like(self.address, name=f"address_{age}") for age in range(1, last + 1))]
        rewrites = [self.rewrite, *(Signal(name=f"rewrite_{age}") for age in range(1, last + 1))]
        clears = [self.clear, *(Signal(name=f"clear_{age}") for age in range(1, last))]
        for chain in (addresses, rewrites, clears):
            m.d.sync += [after.eq(before) for before, after in pairwise(chain)]
        # Whether the word that is read in this cycle was also read so many cycles before, to be changed.
        same = [Signal(name=f"same_{age}") for age in range(last + 1)]
        m.d.comb += [same[age].eq(rewrites[age] & (addresses[age] == self.address)) for age in range(1, last + 1)]
        before = Signal(self.width)
        m.d.comb += [
            read.addr.eq(self.address),
            read.en.eq(self.read & ~same[last]),
            write.addr.eq(addresses[last]),
            write.en.eq(rewrites[last]),
            write.data.eq(self.result),
            self.busy.eq(Cat(rewrites[1:]).any()),
        ]
        m.d.sync += [
            self.result.eq(self.changed),
            before.eq(self.result),
            Assert(~(read.en & write.en & (read.addr == write.addr)), "a word is read while it is written"),
        ]
        with m.If(clears[-1]):
            m.d.sync += self.result.eq(0)
        self._take_over(m, same, read.data, before)
        return m

    def _take_over(self, m: Module, same: list[Signal], seen: Any, before: Signal) -> None:
        """Show the word that was read or, where there is one, the result that makes it out of date."""
        *_, nearer, farthest = same
        near, far = Signal(), Signal()
        m.d.sync += far.eq(farthest)
        known = Mux(far, before, seen)
        if not self.registered:
            m.d.sync += near.eq(nearer)
            m.d.comb += self.word.eq(Mux(near, self.result, known))
            return
        middle, nearest, kept = Signal(), Signal(), Signal(self.width)
        m.d.sync += [
            middle.eq(nearer),
            kept.eq(Mux(middle, self.result, known)),
            nearest.eq(same[1]),
            near.eq(nearest),
        ]
        m.d.comb += self.word.eq(Mux(near, self.result, kept))
