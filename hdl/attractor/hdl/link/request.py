"""The request under way and the last call."""

from amaranth.hdl import Const, Module, ShapeLike, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.words import WordsSignature
from attractor.spec.protocol import REQUEST_HEADER, Command

__all__ = ["HEADER_BYTES", "RequestRegisters"]

#: Bytes of a frame that :class:`RequestRegisters` takes in: the header, and the longest number of words.
HEADER_BYTES = REQUEST_HEADER.size + 3


class RequestRegisters(wiring.Component):
    """Fields of the request, the place in memory where it acts, and what is needed to know the last call again.

    Everything takes effect in the next cycle.

    Parameters
    ----------
    words:
        Signature of the access to the windows; it gives the widths of window and address.

    Members
    -------
    take: ``In(1)``
        Take in ``data``, byte ``index`` of the frame, up to :data:`HEADER_BYTES`.
    index: ``In(4)``
    data: ``In(8)``
    sequence: ``Out(16)``
    command: ``Out(8)``
    is_command: ``Out(1)``
        ``command`` is at most 15, so that its four lowest bits tell all.
    window, address: ``Out``
        Where the next word is.
    no_address: ``Out(1)``
        Window and word are 0.
    beyond: ``Out(1)``
        Window or word are more than there can be, or ``next_word`` went over a word that does not exist.
    none_left: ``Out(1)``
        As many words as READ or DIGEST asked for are done.
    count_beyond: ``Out(1)``
        They asked for more words than there can be.
    next_word: ``In(1)``
    within: ``In(1)``
        The word at ``address`` exists.
    first_window, next_window: ``In(1)``
        Go to the first word of window 1, or of the following window.
    remember, forget: ``In(1)``
        This is the last call from now on; there is no last call.
    recall: ``In(1)``
        Become the last call, at the first window.
    repeated: ``Out(1)``
        This has the sequence number of the last call.
    """

    take: Signal
    index: Signal
    data: Signal
    sequence: Signal
    command: Signal
    is_command: Signal
    window: Signal
    address: Signal
    no_address: Signal
    beyond: Signal
    none_left: Signal
    count_beyond: Signal
    next_word: Signal
    within: Signal
    first_window: Signal
    next_window: Signal
    remember: Signal
    forget: Signal
    recall: Signal
    repeated: Signal

    def __init__(self, words: WordsSignature) -> None:
        window, address = (words.members[name].shape for name in ("window", "address"))
        self._window, self._address, self._count = _register(window), _register(address), _register(address)
        self._sequence, self._last_sequence = _register(16), _register(16)
        flags = ("take", "next_word", "within", "first_window", "next_window", "remember", "forget", "recall")
        results = ("is_command", "no_address", "beyond", "none_left", "count_beyond", "repeated")
        super().__init__(
            {
                "index": In(4),
                "data": In(8),
                "sequence": Out(16),
                "command": Out(8),
                "window": Out(window),
                "address": Out(address),
                **dict.fromkeys(flags, In(1)),
                **dict.fromkeys(results, Out(1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command = _register(8)
        remembered = Signal()
        m.d.comb += [
            self.sequence.eq(self._sequence),
            self.command.eq(command),
            self.window.eq(self._window),
            self.address.eq(self._address),
            self.is_command.eq(~command[4:].any()),
            self.no_address.eq(~(self._window.any() | self._address.any() | self.beyond)),
            self.none_left.eq(self._count == 0),
            self.repeated.eq(remembered & (self._sequence == self._last_sequence)),
        ]
        with m.If(self.take):
            self._capture(m, command)
        with m.Elif(self.next_word):
            m.d.sync += [self._address.eq(self._address + 1), self._count.eq(self._count - 1)]
            with m.If(~self.within):
                m.d.sync += self.beyond.eq(1)
        with m.If(self.first_window | self.recall):
            m.d.sync += [self._window.eq(1), self._address.eq(0)]
        with m.Elif(self.next_window):
            m.d.sync += [self._window.eq(self._window + 1), self._address.eq(0)]
        with m.If(self.recall):
            m.d.sync += [command.eq(Command.CALL), self._sequence.eq(self._last_sequence)]
        with m.If(self.remember):
            m.d.sync += [remembered.eq(1), self._last_sequence.eq(self._sequence)]
        with m.Elif(self.forget):
            m.d.sync += remembered.eq(0)
        return m

    def _capture(self, m: Module, command: Signal) -> None:
        """Take in one byte of the header."""
        data = self.data
        with m.Switch(self.index):
            for part in range(2):
                with m.Case(part):
                    m.d.sync += self._sequence.word_select(part, 8).eq(data)
            with m.Case(2):
                m.d.sync += command.eq(data)
            with m.Case(3):
                m.d.sync += self.beyond.eq(_capture_byte(m, self._window, 0, data))
            for part in range(3):
                with m.Case(4 + part), m.If(_capture_byte(m, self._address, part, data)):
                    m.d.sync += self.beyond.eq(1)
            with m.Case(REQUEST_HEADER.size):
                m.d.sync += self.count_beyond.eq(_capture_byte(m, self._count, 0, data))
            for part in (1, 2):
                # A READ has no more bytes; what follows them in memory is from another frame.
                with m.Case(REQUEST_HEADER.size + part), m.If(command[:4] == Command.DIGEST):
                    m.d.sync += self.count_beyond.eq(self.count_beyond | _capture_byte(m, self._count, part, data))


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
