"""What lies behind the windows of a core: memories that the link fills, registers, and the record of a run."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.hdl.records import record_layout
from attractor.hdl.weights import LARGE
from attractor.spec import Window

__all__ = ["RecordReadout", "WindowMemory", "WindowRegister"]


class WindowMemory(wiring.Component):
    """Words in one memory, behind a window.

    Both ports of the memory share one address, which is all that a memory with a single port needs. The window must
    not be used in a cycle with a ``read``.

    Parameters
    ----------
    window:
        The window. Where its words are records, ``word`` has their fields.
    told:
        The core says when it reads, instead of being heard whenever the window is not used: so that neither the address
        of a large memory nor its enables wait for the link.
    large:
        It may be in a large RAM: it is never read and written in one cycle, and ``word`` counts only in the cycle after
        its ``read``.

    Members
    -------
    window: ``In(WindowSignature)``
    running: ``In(1)``
        The core's address counts, and not the window's; only if ``told``.
    read, address: ``In(1)``, ``In(range(words))``
        Read a word.
    word: ``Out(word_bits)``, or the layout of the record
        That of the last ``read``, of whichever side; if ``told``, of the core's.
    """

    window: Any
    running: Signal
    read: Signal
    address: Signal
    word: Any

    def __init__(self, window: Window, *, told: bool = False, large: bool = False) -> None:
        self.layout = word_layout(window)
        self.words, self.told, self.large = window.words, told, large
        super().__init__(
            {
                "window": In(WindowSignature(window)),
                "read": In(1),
                "address": In(range(window.words)),
                "word": Out(self.layout),
            }
            | ({"running": In(1)} if told else {})
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        window = self.window
        attributes = {LARGE: "1"} if self.large else {}
        storage = memory.Memory(shape=self.layout, depth=self.words, init=[], attrs=attributes)
        m.submodules.memory = storage
        read, write = storage.read_port(), storage.write_port()
        theirs = ~self.running if self.told else window.read | window.write
        address = Mux(theirs, window.address, self.address)
        m.d.comb += [
            read.addr.eq(address),
            write.addr.eq(address),
            write.en.eq(window.write),
            write.data.eq(window.write_data),
            self.word.eq(read.data),
            window.read_data.eq(read.data),
        ]
        if self.told:
            # The window's address is always read: what it asked for is there in the next cycle, and no longer.
            always = theirs & ~window.write if self.large else theirs
            m.d.comb += read.en.eq(always | self.read)
        else:
            m.d.comb += read.en.eq(window.read | self.read)
        m.d.sync += [
            Assert(~((window.read | window.write) & self.read), "a window is used while the core reads it"),
            Assert(theirs | ~(window.read | window.write), "a window is used while the core runs"),
            Assert(~(theirs & self.read), "the core reads what it does not have"),
        ]
        if self.large:
            m.d.sync += Assert(~(read.en & write.en), "one port reads and writes at once")
        return m


class WindowRegister(wiring.Component):
    """The one word of a window, in a register.

    Parameters
    ----------
    window:
        The window. Where its word is a record, ``value`` has its fields.

    Members
    -------
    window: ``In(WindowSignature)``
    value: ``Out(word_bits)``, or the layout of the record
        What was written last; 0 at first.
    """

    window: Any
    value: Any

    def __init__(self, window: Window) -> None:
        if window.words != 1:
            raise ValueError(f"window {window.name} has {window.words} words; a register holds one")
        super().__init__({"window": In(WindowSignature(window)), "value": Out(word_layout(window))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.window.write):
            m.d.sync += Value.cast(self.value).eq(self.window.write_data)
        m.d.comb += self.window.read_data.eq(self.value)
        return m


class RecordReadout(wiring.Component):
    """Shows a record as the bytes of a window.

    Parameters
    ----------
    window:
        The window; its record fills it.

    Members
    -------
    values: ``In(layout of the record)``
        The fields; unused ones are to be left alone.
    window: ``In(WindowSignature)``
        Read only: ``read_data`` is the byte at ``address`` of the cycle with ``read``.
    """

    values: Any
    window: Any

    def __init__(self, window: Window) -> None:
        if window.record is None or window.record.size != window.size:
            raise ValueError(f"window {window.name} is not filled by a record")
        super().__init__({"values": In(record_layout(window.record)), "window": In(WindowSignature(window))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.window.read):
            m.d.sync += self.window.read_data.eq(Value.cast(self.values).word_select(self.window.address, 8))
        return m


def word_layout(window: Window) -> data.StructLayout | int:
    """Return the layout of a word of a window: that of its record, or its width."""
    return record_layout(window.record) if window.record and window.record_is_a_word else window.word_bits
