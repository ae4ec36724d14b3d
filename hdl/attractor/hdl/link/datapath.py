"""What carries out requests, without the order in which it does so."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.check import HeaderCheck
from attractor.hdl.link.cursor import Cursor
from attractor.hdl.link.decoder import FrameSignature
from attractor.hdl.link.encoder import ReplySignature
from attractor.hdl.link.order import RequestOrder
from attractor.hdl.link.report import Report
from attractor.hdl.link.request import RequestRegisters
from attractor.hdl.link.word_bits import WordBits
from attractor.hdl.link.words import WordsSignature
from attractor.spec.protocol import Command, Status

__all__ = ["Datapath"]


class Datapath(wiring.Component):
    """Registers and parts of :class:`~.executor.Executor`, connected, and what its states do with them.

    Parameters
    ----------
    frame:
        Signature of the frame, whose constants are identity and description.
    words:
        Signature of the access to the windows.
    output_bytes:
        Bytes of all outputs in a row.

    Members
    -------
    frame: ``In(FrameSignature)``
    reply: ``Out(ReplySignature)``
    words: ``Out(WordsSignature)``
    attention: ``In(1)``
        For one cycle: the attention sign came.
    counters, counters_ready: ``In(1)``
    counters_hold, counters_step: ``Out(1)``
        As in :class:`~.counters.LineCounters`.
    rate_take: ``Out(3)``
        The frame shows a byte of the rate, as in :class:`~.rate.LineRate`.
    line_idle: ``In(1)``
        All that was sent has left, up to the last bit.
    start, abort: ``Out(1)``
    core_busy: ``In(1)``
        As in :class:`~attractor.hdl.core.CoreSignature`.
    calling: ``Out(1)``
        A call is under way.
    parameters_valid: ``Out(1)``
        Parameters are those of the last commit.
    """

    frame: Any
    reply: Any
    words: Any
    attention: Signal
    counters: Signal
    counters_ready: Signal
    counters_hold: Signal
    counters_step: Signal
    rate_take: Signal
    line_idle: Signal
    start: Signal
    abort: Signal
    core_busy: Signal
    calling: Signal
    parameters_valid: Signal

    def __init__(self, frame: FrameSignature, words: WordsSignature, output_bytes: int) -> None:
        inputs = ("attention", "counters", "counters_ready", "line_idle", "core_busy")
        outputs = ("counters_hold", "counters_step", "start", "abort", "calling", "parameters_valid")
        super().__init__(
            {
                "frame": In(frame),
                "reply": Out(ReplySignature()),
                "words": Out(words),
                "rate_take": Out(3),
                **dict.fromkeys(inputs, In(1)),
                **dict.fromkeys(outputs, Out(1)),
            }
        )
        self._request = RequestRegisters(words, output_bytes)
        self._word = WordBits(words)
        self._cursor, self._order = Cursor(), RequestOrder()
        self._check, self._report = HeaderCheck(), Report()
        self._status = Signal(Status, reset_less=True)
        # The bit of the byte that is worked on, and the one there in the request.
        self._place, self._bit = Signal(3), Signal()
        # The request was found good, and its reply was begun.
        self._begun = Signal()
        # Frames are dropped; the device complained and has taken no request since.
        self._halted, self._complained = Signal(), Signal()
        # The CRC-32 of the request is another than that of the device.
        self._differs = Signal(reset_less=True)
        # The two commands that are outside of the order; the second one also stands for a complaint.
        self._identifies, self._syncs = Signal(), Signal()

    def _connect(self, m: Module) -> None:
        m.submodules.request, m.submodules.word = self._request, self._word
        m.submodules.cursor, m.submodules.order = self._cursor, self._order
        m.submodules.check, m.submodules.report = self._check, self._report
        request, check, report, order, word = self._request, self._check, self._report, self._order, self._word
        m.d.comb += [
            self._bit.eq(self.frame.data.bit_select(self._place, 1)),
            self.frame.address.eq(self._cursor.address),
            self.frame.crc.bit.eq(self._word_bit),
            request.index.eq(word.place),
            request.data.eq(self.frame.data),
            self.words.window.eq(request.window),
            self.words.address.eq(request.address),
            word.word_bits.eq(self.words.word_bits),
            word.packed.eq(self._is(Command.CALL)),
            word.given.eq(request.bits),
            order.bit.eq(self._bit),
            order.begin.eq(self._identifies),
            self._identifies.eq(request.is_command & self._is(Command.IDENTIFY)),
            self._syncs.eq(request.is_command & self._is(Command.SYNC)),
            check.command.eq(self._command),
            check.is_command.eq(request.is_command),
            check.no_address.eq(request.no_address),
            check.word_exists.eq(self.words.exists & self.words.within & ~request.beyond),
            check.kind.eq(self.words.kind),
            check.end.eq(self.frame.end),
            check.call_good.eq(~request.none_left & (request.bits <= self.words.word_bits)),
            check.rate_good.eq(request.rate_good),
            check.may_run.eq(self.parameters_valid | request.none_wanted),
            report.command.eq(self._command),
            report.index.eq(self._cursor.index),
            report.first.eq(self._place == 0),
            report.identity.eq(self._bit),
            report.parameters_valid.eq(self.parameters_valid),
            report.session.eq(order.session),
            report.next.eq(order.next),
            report.counters.eq(self.counters),
            report.crc.eq(self.frame.crc.result),
        ]

    @property
    def _command(self) -> Value:
        """The command of a request that was found good."""
        return self._request.command[:4]

    def _is(self, *commands: Command) -> Value:
        return self._command.matches(*commands)

    @property
    def _word_bit(self) -> Value:
        """The next bit of a word that is read."""
        return self.words.bit_out & (self._word.packed | ~self._word.past)

    @property
    def _ended(self) -> Value:
        """The payload has no more bytes."""
        return self._cursor.index == self.frame.end

    def _step(self, m: Module, *, move: bool = True) -> Value:
        """Go to the next bit, and with ``move`` to the next byte of the request; return whether a byte is done."""
        m.d.sync += self._place.eq(self._place + 1)
        whole = self._place == 7
        if move:
            m.d.comb += self._cursor.advance.eq(whole)
        return whole

    def _give(self, m: Module, bit: Value) -> None:
        m.d.comb += [self.reply.bits.valid.eq(1), self.reply.bits.payload.eq(bit)]

    def _end(self, m: Module, status: Status | Value) -> None:
        """End the reply."""
        m.d.sync += [self._status.eq(status), self._place.eq(0)]
        m.next = "STATUS"
