"""The request under way."""

from amaranth.hdl import Const, Module, ShapeLike, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.decoder import PAYLOAD
from attractor.hdl.link.words import WordsSignature
from attractor.spec.protocol import CallHeader, Command

__all__ = ["CAPTURED", "RequestRegisters"]

#: Address behind the bytes of a frame that :class:`RequestRegisters` takes in: header and longest start of a payload.
CAPTURED = PAYLOAD + CallHeader.STRUCT.size


class RequestRegisters(wiring.Component):
    """Fields of the request, and the place in memory where it acts.

    Everything takes effect in the next cycle. Numbers that are too large for their registers count as endless: there
    are not so many words, and not so many bytes of outputs.

    Parameters
    ----------
    words:
        Signature of the access to the windows; it gives the widths of window and address.
    output_bytes:
        Bytes of all outputs in a row.

    Members
    -------
    take: ``In(1)``
        Take in ``data``, the byte at address ``index`` of the frame, in order up to :data:`CAPTURED`.
    index: ``In(4)``
    data: ``In(8)``
    complain: ``In(1)``
        Let the command be SYNC.
    command: ``Out(8)``
    is_command: ``Out(1)``
        ``command`` is at most 15, so that its four lowest bits tell all.
    window, address: ``Out``
        Where the next word is.
    no_address: ``Out(1)``
        Window and word are 0.
    beyond: ``Out(1)``
        Window or word are more than there can be.
    bits: ``Out(8)``
        Bits of each word of a call; 0 for all.
    none_left: ``Out(1)``
        As many words as READ, DIGEST or CALL asked for are done.
    none_wanted: ``Out(1)``
        As many bytes of the outputs as CALL asked for are done.
    rate_good: ``Out(1)``
        BAUD asks for a rate that there can be.
    next_word, next_byte: ``In(1)``
        A word, or a byte of the outputs, is done.
    first_window, next_window: ``In(1)``
        Go to the first word of window 1, or of the following window.
    """

    take: Signal
    index: Signal
    data: Signal
    complain: Signal
    command: Signal
    is_command: Signal
    window: Signal
    address: Signal
    no_address: Signal
    beyond: Signal
    bits: Signal
    none_left: Signal
    none_wanted: Signal
    rate_good: Signal
    next_word: Signal
    next_byte: Signal
    first_window: Signal
    next_window: Signal

    def __init__(self, words: WordsSignature, output_bytes: int) -> None:
        window, address = (words.members[name].shape for name in ("window", "address"))
        self._window, self._address, self._count = _register(window), _register(address), _register(address)
        self._want = _register(range(output_bytes + 1))
        self._command, self._bits = _register(8), _register(8)
        self._beyond, self._count_beyond, self._want_beyond = _register(1), _register(1), _register(1)
        # Of a rate: its 18 lowest bits are not all 0; bit 18; there are higher bits.
        self._rate_low, self._rate_top, self._rate_beyond = _register(1), _register(1), _register(1)
        flags = ("take", "complain", "next_word", "next_byte", "first_window", "next_window")
        results = ("is_command", "no_address", "beyond", "none_left", "none_wanted", "rate_good")
        super().__init__(
            {
                "index": In(4),
                "data": In(8),
                "command": Out(8),
                "window": Out(window),
                "address": Out(address),
                "bits": Out(8),
                **dict.fromkeys(flags, In(1)),
                **dict.fromkeys(results, Out(1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.command.eq(self._command),
            self.window.eq(self._window),
            self.address.eq(self._address),
            self.bits.eq(self._bits),
            self.beyond.eq(self._beyond),
            self.is_command.eq(~self._command[4:].any()),
            self.no_address.eq(~(self._window.any() | self._address.any() | self._beyond)),
            self.none_left.eq((self._count == 0) & ~self._count_beyond),
            self.none_wanted.eq((self._want == 0) & ~self._want_beyond),
            self.rate_good.eq((self._rate_low ^ self._rate_top) & ~self._rate_beyond),
        ]
        with m.If(self.take):
            self._capture(m)
        with m.Elif(self.next_word):
            m.d.sync += [self._address.eq(self._address + 1), self._count.eq(self._count - 1)]
        with m.If(self.next_byte):
            m.d.sync += self._want.eq(self._want - 1)
        with m.If(self.first_window):
            m.d.sync += [self._window.eq(1), self._address.eq(0)]
        with m.Elif(self.next_window):
            m.d.sync += [self._window.eq(self._window + 1), self._address.eq(0)]
        with m.If(self.complain):
            m.d.sync += self._command.eq(Command.SYNC)
        return m

    def _capture(self, m: Module) -> None:
        """Take in one byte of header and payload."""
        data = self.data
        digest, call = self._command[:4] == Command.DIGEST, self._command[:4] == Command.CALL
        with m.Switch(self.index):
            with m.Case(3):
                m.d.sync += self._command.eq(data)
            with m.Case(4):
                m.d.sync += self._beyond.eq(_capture_byte(m, self._window, 0, data))
            for part in range(3):
                with m.Case(5 + part):
                    m.d.sync += self._beyond.eq(self._beyond | _capture_byte(m, self._address, part, data))
            with m.Case(8):
                m.d.sync += [self._bits.eq(data), self._rate_low.eq(data.any())]
                m.d.sync += self._count_beyond.eq(_capture_byte(m, self._count, 0, data))
            with m.Case(9):
                m.d.sync += self._rate_low.eq(self._rate_low | data.any())
                with m.If(call):
                    m.d.sync += self._count_beyond.eq(_capture_byte(m, self._count, 0, data))
                with m.Elif(digest):
                    m.d.sync += self._count_beyond.eq(self._count_beyond | _capture_byte(m, self._count, 1, data))
            with m.Case(10):
                m.d.sync += self._rate_low.eq(self._rate_low | data[:2].any())
                m.d.sync += [self._rate_top.eq(data[2]), self._rate_beyond.eq(data[3:].any())]
                with m.If(call):
                    m.d.sync += self._count_beyond.eq(self._count_beyond | _capture_byte(m, self._count, 1, data))
                with m.Elif(digest):
                    m.d.sync += self._count_beyond.eq(self._count_beyond | _capture_byte(m, self._count, 2, data))
            with m.Case(11):
                m.d.sync += self._want_beyond.eq(_capture_byte(m, self._want, 0, data))
            with m.Case(12):
                m.d.sync += self._want_beyond.eq(self._want_beyond | _capture_byte(m, self._want, 1, data))


def _register(shape: ShapeLike) -> Signal:
    """Return a register without reset: it is looked at only after it was written."""
    return Signal(shape, reset_less=True)


def _capture_byte(m: Module, register: Value, part: int, data: Value) -> Value:
    """Take in one byte of a little-endian number, lowest first; return whether the register is too narrow for it."""
    fitting = max(0, min(8, len(register) - 8 * part))
    if part == 0:
        m.d.sync += register.eq(data)
    elif fitting:
        m.d.sync += register[8 * part : 8 * part + fitting].eq(data[:fitting])
    return data[fitting:].any() if fitting < 8 else Const(0)
