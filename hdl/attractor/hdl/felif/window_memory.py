"""A memory that the link fills and the core reads."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.spec import Window


class WindowMemory(wiring.Component):
    """Words in one memory, behind a window.

    Both ports of the memory share one address, which is all that a memory with a single port needs. The window must
    not be used in a cycle with a ``read``.

    Parameters
    ----------
    window:
        The window.
    layout:
        Fields of a word; None: a word is a number.

    Members
    -------
    window: ``In(WindowSignature)``
    read, address: ``In(1)``, ``In(range(words))``
        Read a word.
    word: ``Out(layout)``
        That of the last ``read``, of whichever side.
    """

    window: Any
    read: Signal
    address: Signal
    word: Any

    def __init__(self, window: Window, layout: data.StructLayout | None = None) -> None:
        self.layout = layout or window.word_bits
        self.words = window.words
        super().__init__(
            {
                "window": In(WindowSignature(window)),
                "read": In(1),
                "address": In(range(window.words)),
                "word": Out(self.layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        window = self.window
        m.submodules.memory = storage = memory.Memory(shape=self.layout, depth=self.words, init=[])
        read, write = storage.read_port(), storage.write_port()
        address = Mux(window.read | window.write, window.address, self.address)
        m.d.comb += [
            read.addr.eq(address),
            read.en.eq(window.read | self.read),
            write.addr.eq(address),
            write.en.eq(window.write),
            write.data.eq(window.write_data),
            window.read_data.eq(read.data),
            self.word.eq(read.data),
        ]
        m.d.sync += Assert(~((window.read | window.write) & self.read), "a window is used while the core reads it")
        return m
