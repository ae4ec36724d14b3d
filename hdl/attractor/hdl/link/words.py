"""Access to all memory windows through one register."""

from typing import Any

from amaranth.hdl import Assert, Cat, Module, Signal, Value
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowsSignature, port_name
from attractor.spec import MemoryMap, Region, Window
from attractor.spec.protocol import DESCRIPTION_WINDOW

__all__ = ["WindowKind", "Words", "WordsSignature"]


class WindowKind(enum.Enum, shape=2):
    """What the selected window is for."""

    DESCRIPTION = 0
    PARAMETERS = 1
    INPUT = 2
    OUTPUT = 3


_KINDS = {Region.PARAMETERS: WindowKind.PARAMETERS, Region.INPUT: WindowKind.INPUT, Region.OUTPUT: WindowKind.OUTPUT}


class WordsSignature(wiring.Signature):
    """Words of any window, bit by bit, seen from the accessing side.

    Parameters
    ----------
    window_bits, address_bits, length_bits:
        Widths of ``window``, ``address`` and ``word_bits``.

    Members
    -------
    window: ``Out(window_bits)``
        Number of the window; 0 is the description.
    address: ``Out(address_bits)``
        Index of the word.
    exists: ``In(1)``
        There is such a window. The following are defined only then.
    within: ``In(1)``
        It has such a word.
    kind: ``In(WindowKind)``
    word_bits: ``In(length_bits)``
    read: ``Out(1)``
        Load the word; its lowest bit is in ``bit_out`` two cycles later.
    shift: ``Out(1)``
        Show the next bit in ``bit_out``, and take in ``bit_in`` as the highest bit. What comes after ``word_bits``
        bits means nothing.
    bit_in: ``Out(1)``
    bit_out: ``In(1)``
    write: ``Out(1)``
        Write the last ``word_bits`` bits that were taken in. Not for read-only windows.
    """

    def __init__(self, window_bits: int, address_bits: int, length_bits: int) -> None:
        super().__init__(
            {
                "window": Out(window_bits),
                "address": Out(address_bits),
                "exists": In(1),
                "within": In(1),
                "kind": In(WindowKind),
                "word_bits": In(length_bits),
                "read": Out(1),
                "shift": Out(1),
                "bit_in": Out(1),
                "bit_out": In(1),
                "write": Out(1),
            }
        )


class Words(wiring.Component):
    """One word register for all windows.

    The register is as wide as the widest word. Bits leave it at the bottom and enter it at the top, so a word that is
    to be written ends up at the top and needs no multiplexer for each width.

    Parameters
    ----------
    memory_map:
        Windows of the core.
    description_bytes:
        Words of window 0, whose contents are elsewhere.

    Members
    -------
    words: ``In(WordsSignature)``
    description: ``In(8)``
        The byte of the description that ``words`` read in the cycle before.
    windows: ``Out(WindowsSignature)``
    """

    words: Any
    description: Signal
    windows: Any

    def __init__(self, memory_map: MemoryMap, description_bytes: int) -> None:
        self.memory_map = memory_map
        self._all = (Window("description", Region.OUTPUT, description_bytes, 8), *memory_map.windows)
        self.signature_of_words = WordsSignature(
            # Wide enough for one more than the last window and the last word, so that their ends can be told.
            window_bits=len(self._all).bit_length(),
            address_bits=max(window.words for window in self._all).bit_length(),
            length_bits=max(window.word_bits for window in self._all).bit_length(),
        )
        super().__init__(
            {
                "words": In(self.signature_of_words),
                "description": In(8),
                "windows": Out(WindowsSignature(memory_map)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = self.words
        register = Signal(max(window.word_bits for window in self._all), reset_less=True)
        loading = Signal()
        m.d.sync += loading.eq(words.read)
        with m.If(loading):
            self._load(m, register)
        with m.Elif(words.shift):
            m.d.sync += register.eq(Cat(register[1:], words.bit_in))
        m.d.comb += words.bit_out.eq(register[0])

        within, kind, word_bits = Signal(), Signal(WindowKind), Signal.like(words.word_bits)
        with m.Switch(words.window):
            for number, window in enumerate(self._all):
                with m.Case(number):
                    m.d.comb += [
                        words.exists.eq(1),
                        within.eq(words.address < window.words),
                        kind.eq(WindowKind.DESCRIPTION if number == DESCRIPTION_WINDOW else _KINDS[window.region]),
                        word_bits.eq(window.word_bits),
                    ]
        m.d.comb += [words.within.eq(within), words.kind.eq(kind), words.word_bits.eq(word_bits)]
        for number, window in enumerate(self.memory_map.windows, start=1):
            self._connect(m, number, window, register)
        read_only = (kind == WindowKind.DESCRIPTION) | (kind == WindowKind.OUTPUT)
        m.d.sync += Assert(~(words.write & (~within | read_only)), "write to a word that cannot be written")
        return m

    def _connect(self, m: Module, number: int, window: Window, register: Signal) -> None:
        port = getattr(self.windows, port_name(window))
        selected = self.words.window == number
        m.d.comb += [
            port.address.eq(self.words.address),
            port.read.eq(self.words.read & selected),
            port.write_data.eq(register[len(register) - window.word_bits :]),
        ]
        if window.region is not Region.OUTPUT:
            m.d.comb += port.write.eq(self.words.write & selected)

    def _load(self, m: Module, register: Signal) -> None:
        """Load the selected window's word, each bit from the windows that have such a bit."""
        data: dict[int, Value] = {DESCRIPTION_WINDOW: self.description}
        for number, window in enumerate(self.memory_map.windows, start=1):
            data[number] = getattr(self.windows, port_name(window)).read_data
        widths = sorted({len(value) for value in data.values()})
        for low, high in zip([0, *widths], widths, strict=False):
            # What a narrower window leaves in bits that it does not have is never looked at.
            *others, last = [number for number, value in data.items() if len(value) > low]
            with m.Switch(self.words.window):
                for number in others:
                    with m.Case(number):
                        m.d.sync += register[low:high].eq(data[number][low:high])
                with m.Default():
                    m.d.sync += register[low:high].eq(data[last][low:high])
