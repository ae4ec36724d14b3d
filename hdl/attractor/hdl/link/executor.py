"""Carries out requests."""

from typing import Any

from amaranth.hdl import Array, Assert, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.check import HeaderCheck
from attractor.hdl.link.cursor import Cursor
from attractor.hdl.link.decoder import FrameSignature
from attractor.hdl.link.encoder import ReplySignature
from attractor.hdl.link.report import Report
from attractor.hdl.link.request import HEADER_BYTES, RequestRegisters
from attractor.hdl.link.words import WindowKind, WordsSignature
from attractor.spec.protocol import CRC32, REPLY_BIT, REQUEST_HEADER, Command, Counters, Identity, Status

__all__ = ["Executor"]

_PAYLOAD = REQUEST_HEADER.size
_WORDS_OF_CALL = _PAYLOAD + CRC32.size


class Executor(wiring.Component):
    """Takes verified frames one after another, acts, and writes replies.

    After :class:`HeaderCheck` these checks follow, and the first that fails decides: for READ that the words fit a
    frame; the last word exists. Only CALL then looks whether it is the last call again, and whether the parameters are
    valid. Nothing is written before all of them.

    A word of k bytes costs k + 2 cycles where it is read (READ, DIGEST, COMMIT; all inputs and outputs of a CALL) and
    2 (k + 1) where it is written: the payload is run through twice, to check it and to write it, and in between the
    header is read again to get back to the first word. A request and its reply cost some 30 cycles more.

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
    reporting: ``Out(1)``
        They are being looked at, byte by byte, and must not change.
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
    reporting: Signal
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
                "reporting": Out(1),
                "start": Out(1),
                "abort": Out(1),
                "core_busy": In(1),
                "calling": Out(1),
                "parameters_valid": Out(1),
            }
        )
        # Bytes left of the word in the register.
        self._left = Signal.like(self.words.word_bytes, reset_less=True)
        # The words to be written were run through once, and all of them exist.
        self._checked = Signal()
        # A CRC-32 of the request is another than that of the device.
        self._differs = Signal(reset_less=True)
        self._status = Signal(Status, reset_less=True)
        # Go back to the first byte; begin the reply, with this status.
        self._restart, self._reply_now, self._reply_status = Signal(), Signal(), Signal(Status)
        # The last call was ended by ABORT; its results are the reply.
        self._aborted, self._results = Signal(reset_less=True), Signal()
        self._cursor = Cursor()
        self._request = RequestRegisters(words)
        self._check = HeaderCheck()
        self._report = Report(identity)
        self._digest: Any = CRC32_ISO_HDLC().create()
        self._restart_digest = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.cursor = self._cursor
        m.submodules.request = self._request
        m.submodules.check = self._check
        m.submodules.report = self._report
        m.submodules.digest = ResetInserter(self._restart_digest)(self._digest)
        self._connect(m)
        with m.FSM() as fsm:
            self._take_request(m)
            self._move_words(m)
            self._send_reply(m)
        # The report shows byte ``index % 4`` of its CRC-32. The one in a request begins at byte 7, one before a
        # multiple of four: it is compared by the number of the following byte.
        m.d.comb += [
            self._report.index.eq(Mux(fsm.ongoing("COMPARE"), self._cursor.following, self._cursor.index)),
            self.reporting.eq(fsm.ongoing("REPORT")),
        ]
        return m

    def _connect(self, m: Module) -> None:
        request = self._request
        m.d.comb += [
            self._cursor.restart.eq(self._restart | self._reply_now),
            self.frame.address.eq(self._cursor.address),
            request.index.eq(self._cursor.index),
            request.data.eq(self.frame.data),
            request.within.eq(self.words.within),
            self.words.window.eq(request.window),
            self.words.address.eq(request.address),
            self.words.byte_in.eq(self.frame.data),
            self._digest.data.eq(self.words.byte_out),
            self._check.command.eq(self._command),
            self._check.is_command.eq(request.is_command),
            self._check.no_address.eq(request.no_address),
            self._check.word_exists.eq(self.words.exists & self.words.within & ~request.beyond),
            self._check.kind.eq(self.words.kind),
            self._check.length.eq(self.frame.length),
            self._report.command.eq(self._command),
            self._report.digest.eq(self._digest.crc),
            self._report.parameters_valid.eq(self.parameters_valid),
            self._report.counters.eq(self.counters),
        ]
        with m.If(self._reply_now):
            m.d.sync += [self._status.eq(self._reply_status), self._checked.eq(0)]
        touched = self.words.read | self.words.write | self.start
        m.d.sync += Assert(~(self.core_busy & touched), "busy core was touched")

    @property
    def _command(self) -> Value:
        """The command of a request that was found good."""
        return self._request.command[:4]

    def _answer(self, m: Module, status: Status | Value) -> None:
        m.d.comb += [self._reply_now.eq(1), self._reply_status.eq(status)]
        m.next = "REPLY"

    def _answer_call(self, m: Module) -> None:
        m.d.comb += self._request.recall.eq(1)
        m.d.sync += [self.calling.eq(0), self._results.eq(1)]
        self._answer(m, Mux(self._aborted, Status.ABORTED, Status.OK))

    def _release(self, m: Module) -> None:
        """Let go of the frame without an answer now."""
        m.d.comb += [self.frame.release.eq(1), self._restart.eq(1)]
        m.d.sync += self._checked.eq(0)
        m.next = "IDLE"

    def _take_request(self, m: Module) -> None:
        """Take in the header of a frame, and see what it asks for."""
        with m.State("IDLE"):
            with m.If(self.calling & ~self.core_busy):
                self._answer_call(m)
            with m.Elif(self.frame.valid):
                m.next = "HEADER"
        with m.State("HEADER"):
            m.d.comb += [self._request.take.eq(1), self._cursor.advance.eq(1), self._restart_digest.eq(1)]
            m.d.sync += self._differs.eq(0)
            with m.If(self._cursor.index == HEADER_BYTES - 1):
                m.next = "DISPATCH"
        with m.State("DISPATCH"):
            with m.If(self.calling):
                self._watch(m)
            with m.Elif(self._check.status == Status.OK):
                self._begin(m)
            with m.Else():
                self._answer(m, self._check.status)

    def _watch(self, m: Module) -> None:
        """Look at the next frame while a call is under way."""
        request = self._request
        no_payload = self.frame.length == _PAYLOAD
        with m.If(~self.core_busy):
            self._answer_call(m)
        with m.Elif((request.command == Command.ABORT) & request.no_address & no_payload):
            m.d.comb += self.abort.eq(1)
            m.d.sync += self._aborted.eq(1)
        with m.Elif((request.command == Command.CALL) & request.repeated):
            self._release(m)

    def _begin(self, m: Module) -> None:
        m.d.comb += [self._cursor.seek.eq(1), self._cursor.target.eq(_PAYLOAD)]
        with m.Switch(self._command):
            with m.Case(Command.IDENTIFY):
                m.d.comb += self._request.forget.eq(1)
                self._answer(m, Status.OK)
            with m.Case(Command.COMMIT):
                m.d.comb += self._request.first_window.eq(1)
                m.next = "NEXT"
            with m.Case(Command.DIGEST):
                m.next = "NEXT"
                with m.If(self._request.count_beyond):
                    self._answer(m, Status.BAD_ADDRESS)
            with m.Case(Command.WRITE):
                with m.If(self._checked & (self.words.kind == WindowKind.PARAMETERS)):
                    m.d.sync += self.parameters_valid.eq(0)
                m.next = "FETCH"
            with m.Case(Command.CALL):
                m.d.comb += self._cursor.target.eq(_WORDS_OF_CALL)
                m.next = "FETCH"
                with m.If(self._checked):
                    self._admit_call(m)
            with m.Default():
                self._answer(m, Status.OK)

    def _admit_call(self, m: Module) -> None:
        with m.If(self._request.repeated):
            # Nothing is started, and so the results of the last call are sent again at once.
            m.d.sync += self.calling.eq(1)
            self._release(m)
        with m.Elif(~self.parameters_valid):
            self._answer(m, Status.INVALID_PARAMETERS)

    def _move_words(self, m: Module) -> None:
        """Take in words of the request and write them; read words and give them out."""
        with m.State("FETCH"):
            self._continue_writing(m)
        with m.State("TAKE"):
            self._take_byte(m)
        with m.State("STORE"):
            m.d.comb += [self.words.write.eq(self._checked), self._request.next_word.eq(1)]
            self._continue_writing(m)
        with m.State("NEXT"):
            with m.If((self._command == Command.COMMIT) | (self._command == Command.CALL)):
                self._next_of_region(m)
            with m.Else():
                self._next_of_window(m)
        with m.State("LOAD"):
            m.d.comb += self._request.next_word.eq(1)
            m.d.sync += self._left.eq(self.words.word_bytes)
            m.next = "GIVE"
        with m.State("GIVE"):
            self._give_byte(m)
        with m.State("COMPARE"):
            self._compare(m)

    def _continue_writing(self, m: Module) -> None:
        """Begin a word, or end one of the two runs through the payload."""
        cursor = self._cursor
        m.d.sync += self._left.eq(self.words.word_bytes)
        m.next = "TAKE"
        with m.If(cursor.index == self.frame.length):
            with m.If(~self._checked & (self._request.beyond | ~self.words.within)):
                self._answer(m, Status.BAD_ADDRESS)
            with m.Elif(~self._checked):
                m.d.comb += self._restart.eq(1)
                m.d.sync += self._checked.eq(1)
                m.next = "IDLE"
            with m.Elif(self._command == Command.WRITE):
                self._answer(m, Status.OK)
            with m.Else():
                m.d.comb += [self._request.first_window.eq(1), cursor.seek.eq(1), cursor.target.eq(_PAYLOAD)]
                m.next = "NEXT"

    def _take_byte(self, m: Module) -> None:
        m.d.comb += [self.words.shift.eq(1), self._cursor.advance.eq(1)]
        m.d.sync += self._left.eq(self._left - 1)
        with m.If(self._cursor.index == self.frame.length):
            self._answer(m, Status.BAD_LENGTH)
        with m.Elif(self._left == 1):
            m.next = "STORE"

    def _next_of_region(self, m: Module) -> None:
        """Read the next word of all windows of one kind."""
        words, wanted = self.words, Signal(WindowKind)
        m.d.comb += wanted.eq(WindowKind.INPUT)
        with m.If(self._command == Command.COMMIT):
            m.d.comb += wanted.eq(WindowKind.PARAMETERS)
        with m.Elif(self._results):
            m.d.comb += wanted.eq(WindowKind.OUTPUT)
        with m.If(~words.exists):
            m.next = "COMPARE"
            with m.If(self._results):
                m.next = "FINISH"
        with m.Elif((words.kind != wanted) | ~words.within):
            m.d.comb += self._request.next_window.eq(1)
        with m.Else():
            m.d.comb += words.read.eq(1)
            m.next = "LOAD"

    def _next_of_window(self, m: Module) -> None:
        """Read the next word of as many as were asked for."""
        digests = self._command == Command.DIGEST
        with m.If(digests & ~self._request.none_left & ~self.words.within):
            self._answer(m, Status.BAD_ADDRESS)
        with m.Elif(~self._request.none_left):
            # READ goes on past the end: more words than a frame holds is the error that is told first.
            m.d.comb += self.words.read.eq(self.words.within)
            m.next = "LOAD"
        with m.Elif(digests):
            self._answer(m, Status.OK)
        with m.Else():
            m.next = "FINISH"
            with m.If(self._request.beyond):
                self._abandon(m, Status.BAD_ADDRESS)

    def _abandon(self, m: Module, status: Status) -> None:
        """Answer with an error instead of what was already written of the reply."""
        m.d.comb += self.reply.discard.eq(1)
        self._answer(m, status)

    def _give_byte(self, m: Module) -> None:
        """Give a byte of the word to the reply or to the CRC-32."""
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
        """Compare the CRC-32 at the start of the payload with that of the device, which the report shows."""
        differs = Signal()
        m.d.comb += [self._cursor.advance.eq(1), differs.eq(self._differs | (self.frame.data != self._report.byte))]
        m.d.sync += self._differs.eq(differs)
        with m.If(self._cursor.index == _PAYLOAD + CRC32.size - 1):
            with m.If(self._command == Command.COMMIT):
                m.d.sync += self.parameters_valid.eq(~differs)
                self._answer(m, Mux(differs, Status.COMMIT_MISMATCH, Status.OK))
            with m.Elif(differs):
                self._answer(m, Status.INPUT_MISMATCH)
            with m.Else():
                m.d.comb += [self.start.eq(1), self._request.remember.eq(1)]
                m.d.sync += [self.calling.eq(1), self._aborted.eq(0)]
                self._release(m)

    def _send_reply(self, m: Module) -> None:
        """Write the header of the reply, and what the report shows or the words gave; then release the frame."""
        with m.State("REPLY"):
            self._write_header(m)
        with m.State("REPORT"):
            m.d.comb += [self.reply.bytes.valid.eq(1), self.reply.bytes.payload.eq(self._report.byte)]
            with m.If(self.reply.bytes.ready):
                m.d.comb += self._cursor.advance.eq(1)
                with m.If(self._report.last):
                    m.next = "FINISH"
        with m.State("FINISH"):
            m.d.comb += self.reply.finish.eq(1)
            with m.If(self.reply.bytes.ready):
                m.d.comb += [self.frame.release.eq(~self._results), self._restart.eq(1)]
                m.d.sync += self._results.eq(0)
                m.next = "IDLE"

    def _write_header(self, m: Module) -> None:
        request = self._request
        header = Array([request.sequence[:8], request.sequence[8:], request.command | REPLY_BIT, self._status])
        m.d.comb += [self.reply.bytes.valid.eq(1), self.reply.bytes.payload.eq(header[self._cursor.index[:2]])]
        with m.If(self.reply.bytes.ready):
            m.d.comb += self._cursor.advance.eq(1)
            with m.If(self._cursor.index == len(header) - 1):
                m.d.comb += self._restart.eq(1)
                m.next = "FINISH"
                carries = self._status.matches(Status.OK, Status.COMMIT_MISMATCH, Status.ABORTED)
                with m.If(carries), m.Switch(self._command):
                    with m.Case(Command.READ, Command.CALL):
                        m.next = "NEXT"
                    with m.Case(Command.IDENTIFY, Command.DIGEST, Command.COMMIT, Command.COUNTERS):
                        m.next = "REPORT"
