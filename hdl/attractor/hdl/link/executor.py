"""Carries out requests."""

from typing import Any

from amaranth.hdl import Array, Assert, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.decoder import FrameSignature
from attractor.hdl.link.encoder import ReplySignature
from attractor.hdl.link.words import Kind, WordsSignature
from attractor.spec.protocol import CRC32, REPLY_BIT, REQUEST_HEADER, Command, Counters, Identity, Status

_PAYLOAD = REQUEST_HEADER.size
_WORDS_OF_CALL = _PAYLOAD + CRC32.size
_COUNT_BYTES = {Command.READ: 1, Command.DIGEST: 3}
#: Length of header and payload of the commands whose payload has one length only.
_LENGTHS = {
    Command.IDENTIFY: _PAYLOAD,
    Command.READ: _PAYLOAD + _COUNT_BYTES[Command.READ],
    Command.DIGEST: _PAYLOAD + _COUNT_BYTES[Command.DIGEST],
    Command.COMMIT: _PAYLOAD + CRC32.size,
    Command.ABORT: _PAYLOAD,
    Command.COUNTERS: _PAYLOAD,
}


class Executor(wiring.Component):
    """Takes verified frames one after another, acts, and writes replies.

    Checks run in this order, and the first that fails decides: the command exists; window and first word exist and may
    be used so; the length of the payload; for READ that the words fit a frame; the last word exists. Only CALL then
    looks whether it is the last call again, and whether the parameters are valid.

    A frame is read in as many cycles as its header has bytes. WRITE and the writing part of CALL run through the words
    twice, to count and to write them; then the header is read again to get back to the first word. Costs of a word of
    k bytes, in cycles: READ, DIGEST, COMMIT, inputs and outputs of a CALL k + 2; WRITE k + 2.

    While a call is under way the next frame is looked at. ABORT ends the call, the same CALL once more is dropped, and
    anything else stays where it is. When the core is done, the call is answered, and then the frame is read anew.

    Parameters
    ----------
    words:
        Signature of the access to the windows.
    identity:
        What IDENTIFY answers, but for the validity of the parameters.

    Members
    -------
    frame: ``In(FrameSignature)``
    reply: ``Out(ReplySignature)``
    words: ``Out(WordsSignature)``
    counters: ``In(96)``
        What COUNTERS answers.
    start, abort: ``Out(1)``
    core_busy: ``In(1)``
        As in :class:`~attractor.hdl.core.CoreSignature`.
    calling: ``Out(1)``
        A call is under way, or done and not yet answered.
    parameters_valid: ``Out(1)``
        Parameters are those of the last commit.
    """

    frame: Any
    reply: Any
    words: Any
    counters: Signal
    start: Signal
    abort: Signal
    core_busy: Signal
    calling: Signal
    parameters_valid: Signal

    def __init__(self, words: WordsSignature, identity: Identity) -> None:
        self.identity = identity
        super().__init__(
            {
                "frame": In(FrameSignature()),
                "reply": Out(ReplySignature()),
                "words": Out(words),
                "counters": In(8 * Counters.STRUCT.size),
                "start": Out(1),
                "abort": Out(1),
                "core_busy": In(1),
                "calling": Out(1),
                "parameters_valid": Out(1),
            }
        )
        # The request
        self._sequence = Signal(16)
        self._command = Signal(8)
        self._count = Signal.like(self.words.address)
        # The word is past the window; the count is more than any window has.
        self._beyond, self._count_beyond = Signal(), Signal()
        # Words to be written were counted, and all of them exist.
        self._counted = Signal()
        # Position in the frame, or in the part of the reply that is being written.
        self._index, self._advance = Signal(8), Signal()
        # Bytes left of the word in the register.
        self._left = Signal.like(self.words.word_bytes)
        # A CRC-32 of the request is another than that of the device.
        self._differs = Signal()
        self._status = Signal(Status)
        # The last call that ran; results are being answered.
        self._last_sequence, self._remembered = Signal(16), Signal()
        self._aborted, self._results = Signal(), Signal()
        self._digest = CRC32_ISO_HDLC().create()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.digest = self._digest
        following = Signal.like(self._index)
        m.d.comb += [
            following.eq(self._index + 1),
            self.frame.address.eq(Mux(self._advance, following, self._index)),
            self._digest.data.eq(self.words.byte_out),
            self.words.byte_in.eq(self.frame.data),
        ]
        touched = self.words.read | self.words.write | self.start
        m.d.sync += Assert(~(self.core_busy & touched), "busy core was touched")
        with m.If(self._advance):
            m.d.sync += self._index.eq(following)
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.calling & ~self.core_busy):
                    self._answer_call(m)
                with m.Elif(self.frame.valid):
                    m.next = "HEADER"
            with m.State("HEADER"):
                self._read_header(m)
            with m.State("DISPATCH"):
                with m.If(self.calling):
                    self._watch(m)
                with m.Else():
                    self._check(m)
            with m.State("COUNT"):
                self._count_words(m)
            with m.State("FETCH"):
                self._continue_writing(m)
            with m.State("TAKE"):
                self._take_byte(m)
            with m.State("STORE"):
                m.d.comb += self.words.write.eq(1)
                m.d.sync += self.words.address.eq(self.words.address + 1)
                self._continue_writing(m)
            with m.State("NEXT"):
                self._next_word(m)
            with m.State("LOAD"):
                m.d.sync += [
                    self._left.eq(self.words.word_bytes),
                    self.words.address.eq(self.words.address + 1),
                    self._count.eq(self._count - 1),
                ]
                m.next = "GIVE"
            with m.State("GIVE"):
                self._give_byte(m)
            with m.State("COMPARE"):
                self._compare(m)
            with m.State("REPLY"):
                self._write_header(m)
            with m.State("PAYLOAD"):
                self._write_payload(m)
            with m.State("FINISH"):
                m.d.comb += self.reply.finish.eq(1)
                with m.If(self.reply.bytes.ready):
                    m.d.comb += self.frame.release.eq(~self._results)
                    m.d.sync += [self._results.eq(0), self._index.eq(0)]
                    m.next = "IDLE"
        return m

    # Steps that several states share

    def _answer(self, m: Module, status: Status | Value) -> None:
        m.d.sync += [self._status.eq(status), self._index.eq(0)]
        m.next = "REPLY"

    def _answer_call(self, m: Module) -> None:
        m.d.sync += [
            self.calling.eq(0),
            self._results.eq(1),
            self._command.eq(Command.CALL),
            self._sequence.eq(self._last_sequence),
        ]
        self._answer(m, Mux(self._aborted, Status.ABORTED, Status.OK))
        self._walk(m)

    def _release(self, m: Module) -> None:
        """Let go of the frame without an answer now."""
        m.d.comb += self.frame.release.eq(1)
        m.d.sync += self._index.eq(0)
        m.next = "IDLE"

    def _walk(self, m: Module) -> None:
        """Stand before the first word of all windows."""
        m.d.sync += [self.words.window.eq(1), self.words.address.eq(0)]

    # Request

    def _read_header(self, m: Module) -> None:
        data = self.frame.data
        m.d.comb += [self._advance.eq(1), self._digest.start.eq(1)]
        m.d.sync += self._differs.eq(0)
        with m.Switch(self._index[:4]):
            for part in range(2):
                with m.Case(part):
                    m.d.sync += self._sequence.word_select(part, 8).eq(data)
            with m.Case(2):
                m.d.sync += self._command.eq(data)
            with m.Case(3):
                m.d.sync += self.words.window.eq(data)
            for part in range(3):
                with m.Case(4 + part):
                    _capture(m, self.words.address, self._beyond, part, data)
            with m.Case(_PAYLOAD):
                _capture(m, self._count, self._count_beyond, 0, data)
            for part in (1, 2):
                with m.Case(_PAYLOAD + part), m.If(self._command == Command.DIGEST):
                    _capture(m, self._count, self._count_beyond, part, data)
        with m.If(self._index == _PAYLOAD + 2):
            m.next = "DISPATCH"

    def _watch(self, m: Module) -> None:
        """Look at the next frame while a call is under way."""
        with m.If(~self.core_busy):
            self._answer_call(m)
        with m.Elif((self._command == Command.ABORT) & self._no_address() & (self.frame.length == _PAYLOAD)):
            m.d.comb += self.abort.eq(1)
            m.d.sync += self._aborted.eq(1)
        with m.Elif((self._command == Command.CALL) & self._repeated()):
            self._release(m)

    def _no_address(self) -> Value:
        return ~(self.words.window.any() | self.words.address.any() | self._beyond)

    def _repeated(self) -> Value:
        return self._remembered & (self._sequence == self._last_sequence)

    def _check(self, m: Module) -> None:
        known, address_good, length_good = Signal(), Signal(), Signal()
        word_exists = self.words.exists & self.words.within & ~self._beyond
        kind = self.words.kind
        with m.Switch(self._command):
            for command in (Command.IDENTIFY, Command.COMMIT, Command.ABORT, Command.COUNTERS):
                with m.Case(command):
                    m.d.comb += [known.eq(1), address_good.eq(self._no_address())]
            with m.Case(Command.READ, Command.DIGEST):
                m.d.comb += [known.eq(1), address_good.eq(word_exists)]
            with m.Case(Command.WRITE):
                writable = (kind == Kind.PARAMETERS) | (kind == Kind.INPUT)
                m.d.comb += [known.eq(1), address_good.eq(word_exists & writable), length_good.eq(1)]
            with m.Case(Command.CALL):
                m.d.comb += [
                    known.eq(1),
                    address_good.eq(word_exists & (kind == Kind.INPUT)),
                    length_good.eq(self.frame.length >= _WORDS_OF_CALL),
                ]
        with m.Switch(self._command):
            for command, length in _LENGTHS.items():
                with m.Case(command):
                    m.d.comb += length_good.eq(self.frame.length == length)
        with m.If(~known):
            self._answer(m, Status.BAD_COMMAND)
        with m.Elif(~address_good):
            self._answer(m, Status.BAD_ADDRESS)
        with m.Elif(~length_good):
            self._answer(m, Status.BAD_LENGTH)
        with m.Else():
            self._begin(m)

    def _begin(self, m: Module) -> None:
        m.d.sync += self._index.eq(_PAYLOAD)
        with m.Switch(self._command):
            with m.Case(Command.IDENTIFY):
                m.d.sync += self._remembered.eq(0)
                self._answer(m, Status.OK)
            with m.Case(Command.COMMIT):
                self._walk(m)
                m.next = "NEXT"
            with m.Case(Command.DIGEST):
                m.next = "NEXT"
                with m.If(self._count_beyond):
                    self._answer(m, Status.BAD_ADDRESS)
            with m.Case(Command.WRITE):
                self._begin_writing(m)
            with m.Case(Command.CALL):
                m.d.sync += self._index.eq(_WORDS_OF_CALL)
                self._begin_writing(m)
            with m.Default():
                self._answer(m, Status.OK)

    # Words into memory

    def _begin_writing(self, m: Module) -> None:
        m.d.sync += self._counted.eq(0)
        with m.If(~self._counted):
            m.next = "COUNT"
        with m.Elif(self._command == Command.WRITE):
            m.next = "FETCH"
            with m.If(self.words.kind == Kind.PARAMETERS):
                m.d.sync += self.parameters_valid.eq(0)
        with m.Elif(self._repeated()):
            m.d.sync += self.calling.eq(1)
            self._release(m)
        with m.Elif(~self.parameters_valid):
            self._answer(m, Status.INVALID_PARAMETERS)
        with m.Else():
            m.next = "FETCH"

    def _count_words(self, m: Module) -> None:
        """Go from word to word until the end of the payload, which must be the end of a word."""
        following = Signal(9)
        m.d.comb += following.eq(self._index + self.words.word_bytes)
        with m.If(self._index == self.frame.length):
            m.d.sync += [self._counted.eq(1), self._index.eq(0)]
            m.next = "IDLE"
            with m.If(self._beyond):
                m.d.sync += self._counted.eq(0)
                self._answer(m, Status.BAD_ADDRESS)
        with m.Elif(following > self.frame.length):
            self._answer(m, Status.BAD_LENGTH)
        with m.Else():
            m.d.sync += [self._index.eq(following), self.words.address.eq(self.words.address + 1)]
            with m.If(~self.words.within):
                m.d.sync += self._beyond.eq(1)

    def _continue_writing(self, m: Module) -> None:
        m.d.sync += self._left.eq(self.words.word_bytes)
        m.next = "TAKE"
        with m.If(self._index == self.frame.length):
            with m.If(self._command == Command.WRITE):
                self._answer(m, Status.OK)
            with m.Else():
                m.d.sync += self._index.eq(_PAYLOAD)
                self._walk(m)
                m.next = "NEXT"

    def _take_byte(self, m: Module) -> None:
        m.d.comb += [self.words.shift.eq(1), self._advance.eq(1)]
        m.d.sync += self._left.eq(self._left - 1)
        with m.If(self._left == 1):
            m.next = "STORE"

    # Words out of memory

    def _next_word(self, m: Module) -> None:
        """Read a word: of one window as many as were asked for, or all of all windows of one kind."""
        words = self.words
        wanted = Signal(Kind)
        m.d.comb += wanted.eq(
            Mux(self._command == Command.COMMIT, Kind.PARAMETERS, Mux(self._results, Kind.OUTPUT, Kind.INPUT))
        )
        with m.If((self._command == Command.COMMIT) | (self._command == Command.CALL)):
            with m.If(~words.exists):
                m.next = "COMPARE"
                with m.If(self._results):
                    m.next = "FINISH"
            with m.Elif((words.kind != wanted) | ~words.within):
                m.d.sync += [words.window.eq(words.window + 1), words.address.eq(0)]
            with m.Else():
                m.d.comb += words.read.eq(1)
                m.next = "LOAD"
        with m.Elif((self._count == 0) | ((self._command == Command.DIGEST) & ~words.within)):
            with m.If(self._beyond | (self._count != 0)):
                self._abandon(m, Status.BAD_ADDRESS)
            with m.Elif(self._command == Command.READ):
                m.next = "FINISH"
            with m.Else():
                self._answer(m, Status.OK)
        with m.Else():
            # READ goes on past the end: too many words for a frame is the error that counts first.
            m.d.comb += words.read.eq(words.within)
            m.next = "LOAD"
            with m.If(~words.within):
                m.d.sync += self._beyond.eq(1)

    def _abandon(self, m: Module, status: Status) -> None:
        """Answer with an error instead of what was already written of the reply."""
        m.d.comb += self.reply.discard.eq(1)
        self._answer(m, status)

    def _give_byte(self, m: Module) -> None:
        step = Signal()
        m.d.comb += self.reply.bytes.payload.eq(self.words.byte_out)
        with m.If((self._command == Command.READ) | self._results):
            with m.If(~self.reply.full):
                m.d.comb += [self.reply.bytes.valid.eq(1), step.eq(self.reply.bytes.ready)]
            with m.Elif(self._results):
                m.next = "FINISH"
            with m.Else():
                self._abandon(m, Status.BAD_LENGTH)
        with m.Else():
            m.d.comb += [self._digest.valid.eq(1), step.eq(1)]
        with m.If(step):
            m.d.comb += self.words.shift.eq(1)
            m.d.sync += self._left.eq(self._left - 1)
            with m.If(self._left == 1):
                m.next = "NEXT"

    def _compare(self, m: Module) -> None:
        """Compare the CRC-32 of the device with that at the start of the payload."""
        differs = Signal()
        part = (self._index[:2] - _PAYLOAD)[:2]
        m.d.comb += [
            self._advance.eq(1),
            differs.eq(self._differs | (self.frame.data != self._digest.crc.word_select(part, 8))),
        ]
        m.d.sync += self._differs.eq(differs)
        with m.If(self._index == _PAYLOAD + CRC32.size - 1):
            with m.If(self._command == Command.COMMIT):
                m.d.sync += self.parameters_valid.eq(~differs)
                self._answer(m, Mux(differs, Status.COMMIT_MISMATCH, Status.OK))
            with m.Elif(differs):
                self._answer(m, Status.INPUT_MISMATCH)
            with m.Else():
                m.d.comb += self.start.eq(1)
                m.d.sync += [
                    self.calling.eq(1),
                    self._aborted.eq(0),
                    self._remembered.eq(1),
                    self._last_sequence.eq(self._sequence),
                ]
                self._release(m)

    # Reply

    def _write_header(self, m: Module) -> None:
        header = Array([self._sequence[:8], self._sequence[8:], self._command | REPLY_BIT, Value.cast(self._status)])
        m.d.comb += [self.reply.bytes.valid.eq(1), self.reply.bytes.payload.eq(header[self._index[:2]])]
        with m.If(self.reply.bytes.ready):
            m.d.comb += self._advance.eq(1)
            with m.If(self._index == len(header) - 1):
                m.d.sync += self._index.eq(0)
                m.next = "FINISH"
                carries = self._status.matches(Status.OK, Status.COMMIT_MISMATCH, Status.ABORTED)
                with m.If(carries), m.Switch(self._command):
                    with m.Case(Command.READ, Command.CALL):
                        m.next = "NEXT"
                    with m.Case(Command.IDENTIFY, Command.DIGEST, Command.COMMIT, Command.COUNTERS):
                        m.next = "PAYLOAD"

    def _write_payload(self, m: Module) -> None:
        identity = Array(map(Const, self.identity.pack()[:-1]))
        byte, last = Signal(8), Signal(4)
        with m.Switch(self._command):
            with m.Case(Command.IDENTIFY):
                m.d.comb += [byte.eq(identity[self._index[:4]]), last.eq(len(identity))]
                with m.If(self._index[:4] == last):
                    m.d.comb += byte.eq(self.parameters_valid)
            with m.Case(Command.COUNTERS):
                m.d.comb += [
                    byte.eq(self.counters.word_select(self._index[:4], 8)),
                    last.eq(Counters.STRUCT.size - 1),
                ]
            with m.Default():
                m.d.comb += [byte.eq(self._digest.crc.word_select(self._index[:2], 8)), last.eq(CRC32.size - 1)]
        m.d.comb += [self.reply.bytes.valid.eq(1), self.reply.bytes.payload.eq(byte)]
        with m.If(self.reply.bytes.ready):
            m.d.comb += self._advance.eq(1)
            with m.If(self._index[:4] == last):
                m.next = "FINISH"


def _capture(m: Module, register: Value, beyond: Value, part: int, data: Value) -> None:
    """Take in one byte of a little-endian number, lowest first; ``beyond`` tells that the register is too narrow."""
    fitting = max(0, min(8, len(register) - 8 * part))
    if part == 0:
        m.d.sync += [register.eq(data), beyond.eq(data[fitting:].any() if fitting < 8 else 0)]
        return
    if fitting:
        m.d.sync += register[8 * part : 8 * part + fitting].eq(data[:fitting])
    if fitting < 8:
        with m.If(data[fitting:].any()):
            m.d.sync += beyond.eq(1)
