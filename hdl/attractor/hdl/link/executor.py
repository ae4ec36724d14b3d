"""Carries out requests."""

from amaranth.hdl import Assert, Cat, Const, Module, Mux, Signal

from attractor.hdl.link.datapath import Datapath
from attractor.hdl.link.decoder import CONSTANTS, DESCRIPTION, HEADER, PAYLOAD
from attractor.hdl.link.request import CAPTURED
from attractor.hdl.link.words import WindowKind
from attractor.spec.protocol import Command, Status

__all__ = ["Executor"]

#: Addresses in a frame of the position that SYNC asks for.
_POSITION = HEADER + 4, HEADER + 5


class Executor(Datapath):
    """Takes verified frames one after another, acts, and writes replies, bit by bit.

    The sequence number and the position that SYNC would ask for are compared while the header passes by, 48 cycles;
    header and the first bytes of the payload are taken in, 13 cycles; and then the frame is carried out, complained
    about or dropped. A request and its reply cost some 150 cycles, and further 8 for each byte of words; a word costs 3
    more where it is written, 2 where it is read, and each run of a call 20.

    The attention sign may come at any time. From then on frames are dropped. A call under way is aborted, or as soon as
    it runs if its inputs are still being taken in, and the rest of its frame does not run. Its reply says so even if
    the sign came after the last run, while the result was being given.

    Parameters and members are those of :class:`~.datapath.Datapath`.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._connect(m)
        with m.FSM() as fsm:
            self._take_request(m)
            self._begin_reply(m)
            self._write_words(m)
            self._read_words(m)
            self._end_reply(m)
        m.d.comb += [
            self.calling.eq(fsm.ongoing("START") | fsm.ongoing("RUN")),
            self.counters_hold.eq(fsm.ongoing("REPORT")),
        ]
        with m.If(self.words.read):
            # The window may be the description; the byte of the request is there again a cycle later.
            m.d.comb += self.frame.address.eq(DESCRIPTION + self.words.address)
        with m.If((fsm.ongoing("DISPATCH") | fsm.ongoing("REPORT")) & self._identifies):
            m.d.comb += self.frame.address.eq(CONSTANTS + self._cursor.address)
        with m.If(self.attention):
            m.d.sync += self._halted.eq(1)
        touched = self.words.read | self.words.write | self.start
        m.d.sync += Assert(~(self.core_busy & touched), "busy core was touched")
        return m

    def _take_request(self, m: Module) -> None:
        """Take in the first bytes of a frame, and see whether it is its turn."""
        cursor, order, request = self._cursor, self._order, self._request
        with m.State("IDLE"):
            m.d.comb += [order.restart.eq(1), self._word.restart.eq(1)]
            with m.If(self.frame.valid):
                m.next = "COMPARE"
        with m.State("COMPARE"):
            index = cursor.index[:3]
            m.d.comb += [
                order.compare.eq(index.matches(HEADER, HEADER + 1)),
                self.reply.compare.eq(index.matches(*_POSITION)),
                self.reply.bits.payload.eq(self._bit),
            ]
            with m.If(self._step(m) & (index == _POSITION[-1])):
                m.next = "CAPTURE"
        with m.State("CAPTURE"):
            m.d.comb += [
                self.frame.address.eq(self._word.following),
                self._word.step.eq(1),
                request.take.eq(1),
            ]
            with m.If(self._word.place[:4] == CAPTURED - 1):
                m.next = "ADMIT"
                with m.If(self._begun):
                    m.next = "WORDS"
            with m.If(self._begun & self._is(Command.BAUD)):
                m.d.comb += self.rate_take.eq(Cat(self._word.place[:4] == PAYLOAD + part for part in range(3)))
        with m.State("ADMIT"):
            m.d.sync += self._status.eq(self._check.status)
            m.d.comb += [cursor.seek.eq(1), cursor.target.eq(_POSITION[0])]
            self._admit(m)

    def _admit(self, m: Module) -> None:
        order = self._order
        good = self._check.status == Status.OK
        m.next = "RELEASE"
        with m.If(self._identifies | self._syncs):
            m.next = "BEGIN"
            with m.If(good & (order.same_session | self._identifies)):
                m.d.sync += [self._halted.eq(0), self._complained.eq(0)]
            with m.If(good & self._syncs):
                m.next = "FLUSH"
                with m.If(~order.same_session):
                    m.d.sync += self._status.eq(Status.NO_SESSION)
                    m.next = "BEGIN"
                with m.Elif(~self.reply.kept):
                    m.d.sync += self._status.eq(Status.LOST)
                    m.next = "BEGIN"
        with m.Elif(~order.known):
            self._complain(m, Status.NO_SESSION)
        with m.Elif(self._halted):
            pass
        with m.Elif(order.expected):
            m.d.sync += self._complained.eq(0)
            m.next = "BEGIN"
        with m.Elif(order.later):
            self._complain(m, Status.OUT_OF_ORDER)

    def _complain(self, m: Module, status: Status) -> None:
        with m.If(~self._complained):
            m.d.comb += self._request.complain.eq(1)
            m.d.sync += [self._complained.eq(1), self._status.eq(status)]
            m.next = "BEGIN"

    def _begin_reply(self, m: Module) -> None:
        """Begin a reply, count the request, and set about it."""
        cursor, order, request = self._cursor, self._order, self._request
        # What was taken in need not be read again.
        behind = Mux(self._is(Command.CALL), CAPTURED, PAYLOAD)
        with m.State("FLUSH"), m.If(self.reply.sent):
            m.next = "SEEK"
        with m.State("SEEK"):
            m.d.comb += [self.reply.seek.eq(1), self.reply.bits.payload.eq(self._bit)]
            with m.If(self._step(m) & (cursor.index[:3] == _POSITION[-1])):
                m.next = "BEGIN"
        with m.State("BEGIN"):
            m.d.comb += [self.reply.begin.eq(1), cursor.restart.eq(~self._begun)]
            with m.If(self.reply.bits.ready):
                m.next = "COMMAND"
        with m.State("COMMAND"):
            self._give(m, Cat(request.command[:7], Const(1, 1)).bit_select(self._place, 1))
            begins = (self._status == Status.OK) & ~order.same_session
            adopts = Mux(self._identifies, begins, ~self._syncs)
            m.d.comb += [cursor.seek.eq(~self._begun & ~adopts), cursor.target.eq(behind)]
            with m.If(self._step(m, move=False)):
                m.next = "DISPATCH"
                with m.If(self._begun):
                    m.next = "GIVE"
                with m.Elif(adopts):
                    m.next = "ADOPT"
        with m.State("ADOPT"):
            m.d.comb += order.adopt.eq(1)
            with m.If(self._step(m) & (cursor.index[:3] == HEADER + 1)):
                m.d.comb += [cursor.seek.eq(1), cursor.target.eq(behind)]
                m.next = "DISPATCH"
        with m.State("DISPATCH"):
            m.d.sync += [self._begun.eq(1), self._differs.eq(0)]
            m.d.comb += self.frame.crc.restart.eq(1)
            self._dispatch(m)

    def _dispatch(self, m: Module) -> None:
        m.next = "STATUS"
        with m.If(self._syncs & (self._status != Status.BAD_LENGTH)):
            m.next = "REPORT"
        with m.Elif(self._status == Status.OK), m.Switch(self._command):
            with m.Case(Command.IDENTIFY, Command.COUNTERS):
                m.next = "REPORT"
            with m.Case(Command.READ, Command.DIGEST):
                m.next = "NEXT"
            with m.Case(Command.COMMIT):
                m.d.comb += self._request.first_window.eq(1)
                m.next = "NEXT"
            with m.Case(Command.WRITE):
                with m.If(self.words.kind == WindowKind.PARAMETERS):
                    m.d.sync += self.parameters_valid.eq(0)
                m.next = "WORDS"
            with m.Case(Command.CALL):
                m.next = "WORDS"

    def _write_words(self, m: Module) -> None:
        """Take words from the payload and write them; run the core when those of a call are there."""
        cursor, request, word, words = self._cursor, self._request, self._word, self.words
        call = self._is(Command.CALL)
        with m.State("WORDS"):
            m.next = "FETCH"
            with m.If(self._is(Command.BAUD)):
                m.next = "RELEASE"
            with m.Elif(self._ended):
                self._end(m, Status.OK)
        with m.State("FETCH"):
            m.d.comb += word.restart.eq(1)
            m.next = "TAKE"
            with m.If(~words.within):
                self._end(m, Status.BAD_ADDRESS)
        with m.State("TAKE"):
            self._take_bit(m)
        with m.State("STORE"):
            m.d.comb += [words.write.eq(1), request.next_word.eq(1)]
            m.next = "WORDS"
            with m.If(call):
                m.next = "COUNT"
        with m.State("COUNT"):
            m.next = "FETCH"
            with m.If(request.none_left):
                # The next call begins with a byte of its own.
                m.d.comb += [cursor.advance.eq(self._place != 0), word.restart.eq(1)]
                m.d.sync += self._place.eq(0)
                m.next = "START"
                with m.If(request.none_wanted):
                    m.next = "CAPTURE"
        with m.State("START"):
            m.d.comb += self.start.eq(1)
            m.next = "RUN"
        with m.State("RUN"):
            m.d.comb += self.abort.eq(self._halted)
            with m.If(~self.core_busy):
                m.d.comb += request.first_window.eq(1)
                m.next = "NEXT"

    def _take_bit(self, m: Module) -> None:
        """Take a bit of a word: from the payload, or 0 where a call gives no more of them."""
        word = self._word
        given = ~(word.packed & word.past)
        with m.If(given & self._ended):
            self._end(m, Status.BAD_LENGTH)
        with m.Else():
            m.d.comb += [
                word.step.eq(1),
                self.words.shift.eq(word.packed | ~word.past),
                self.words.bit_in.eq(self._bit & given),
            ]
            with m.If(given):
                self._step(m)
            with m.If(word.last):
                m.next = "STORE"

    def _read_words(self, m: Module) -> None:
        """Read words and give them to the reply or to the CRC-32."""
        request = self._request
        with m.State("NEXT"):
            with m.If(self._is(Command.COMMIT, Command.CALL)):
                self._next_of_region(m)
            with m.Else():
                self._next_of_window(m)
        with m.State("LOAD"):
            m.d.comb += [request.next_word.eq(1), self._word.restart.eq(1)]
            m.next = "GIVE"
        with m.State("GIVE"):
            self._give_word(m)
        with m.State("FILL"):
            with m.If(self._place == 0):
                self._next_call(m)
            with m.Else():
                self._give(m, Const(0, 1))
                self._step(m, move=False)

    def _next_call(self, m: Module) -> None:
        m.d.comb += self._word.restart.eq(1)
        m.next = "CAPTURE"
        with m.If(self._halted):
            self._end(m, Status.ABORTED)

    def _next_of_region(self, m: Module) -> None:
        """Read the next word of all windows of one kind."""
        words, commit, wanted = self.words, self._is(Command.COMMIT), Signal(WindowKind)
        m.d.comb += wanted.eq(WindowKind.OUTPUT)
        with m.If(commit):
            m.d.comb += wanted.eq(WindowKind.PARAMETERS)
        with m.If(~words.exists):
            m.next = "FILL"
            with m.If(commit):
                m.next = "REPORT"
        with m.Elif((words.kind != wanted) | ~words.within):
            m.d.comb += self._request.next_window.eq(1)
        with m.Else():
            m.d.comb += words.read.eq(1)
            m.next = "LOAD"

    def _next_of_window(self, m: Module) -> None:
        """Read the next word of as many as were asked for."""
        with m.If(self._request.none_left):
            m.next = "REPORT"
            with m.If(self._is(Command.READ)):
                self._end(m, Status.OK)
        with m.Elif(~self.words.within):
            self._end(m, Status.BAD_ADDRESS)
        with m.Else():
            m.d.comb += self.words.read.eq(1)
            m.next = "LOAD"

    def _give_word(self, m: Module) -> None:
        begins, call = self._place == 0, self._is(Command.CALL)
        with m.If(begins & call & self._request.none_wanted):
            self._next_call(m)
        with m.Elif(begins & self._is(Command.CALL, Command.READ) & self.reply.full):
            self._end(m, Mux(call, Status.MORE, Status.BAD_LENGTH))
        with m.Else():
            with m.If(self._is(Command.CALL, Command.READ)):
                self._give(m, self._word_bit)
            with m.Else():
                m.d.comb += self.frame.crc.step.eq(1)
            m.d.comb += [self.words.shift.eq(1), self._word.step.eq(1)]
            m.d.comb += self._request.next_byte.eq(self._step(m, move=False))
            with m.If(self._word.last):
                m.next = "NEXT"

    def _end_reply(self, m: Module) -> None:
        """Write what the report shows and the status, and release the frame."""
        with m.State("REPORT"), m.If(~self._report.takes_counters | self.counters_ready):
            self._give_report(m)
        with m.State("STATUS"):
            status = Cat(self._status, Const(0, 8 - len(self._status)))
            self._give(m, status.bit_select(self._place, 1))
            with m.If(self._step(m, move=False)):
                m.next = "FINISH"
        with m.State("FINISH"):
            m.d.comb += self.reply.finish.eq(1)
            m.d.sync += self._status.eq(Status.OK)
            m.next = "RELEASE"
            with m.If(self._status == Status.MORE):
                m.next = "BEGIN"
            with m.Elif(self._is(Command.BAUD) & (self._status == Status.OK)):
                m.next = "CHANGE"
        with m.State("CHANGE"):
            m.d.comb += self._word.restart.eq(1)
            with m.If(self.line_idle):
                m.next = "CAPTURE"
        with m.State("RELEASE"):
            m.d.comb += [self.frame.release.eq(1), self._cursor.restart.eq(1)]
            m.d.sync += self._begun.eq(0)
            m.next = "IDLE"

    def _give_report(self, m: Module) -> None:
        report, order = self._report, self._order
        self._give(m, report.bit)
        m.d.comb += [
            order.show_session.eq(report.takes_session),
            order.show_next.eq(report.takes_next),
            self.counters_step.eq(report.takes_counters),
            self.frame.crc.drain.eq(report.takes_crc),
            self.frame.crc.step.eq(report.takes_crc),
        ]
        differs = self._differs | (self._bit ^ self.frame.crc.result)
        m.d.sync += self._differs.eq(differs)
        with m.If(self._step(m) & report.last):
            m.next = "STATUS"
            with m.If(self._is(Command.COMMIT)):
                m.d.sync += self.parameters_valid.eq(~differs)
                with m.If(differs):
                    m.d.sync += self._status.eq(Status.COMMIT_MISMATCH)
