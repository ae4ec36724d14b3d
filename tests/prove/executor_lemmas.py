"""What holds in each state of an executor, so that induction reaches from one request to the next."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Mux, Signal, Value

from attractor.hdl.link.decoder import HEADER, PAYLOAD
from attractor.hdl.link.request import CAPTURED
from attractor.hdl.link.words import WindowKind
from attractor.spec.protocol import Command, Status

from .executor_frames import Request
from .harness import Harness, Inside
from .order import Numbers

__all__ = ["Lemmas"]

#: States of a request whose reply was not begun, of one that was, and of a call.
_BEFORE = "IDLE", "COMPARE", "ADMIT", "FLUSH", "SEEK", "ADOPT", "DISPATCH"
_TAKING = "WORDS", "FETCH", "TAKE", "STORE", "COUNT"
_CALLING = *_TAKING, "START", "RUN", "NEXT", "LOAD", "GIVE", "FILL"
_AFTER = *_CALLING, "CHANGE", "REPORT", "STATUS", "FINISH"
#: States that both may be in.
_EITHER = "CAPTURE", "BEGIN", "COMMAND"
#: States between the check of a request and its being carried out.
_CHECKED = "BEGIN", "COMMAND", "ADOPT", "DISPATCH"
#: Commands that a state belongs to.
_COMMANDS = {
    ("FETCH", "TAKE", "STORE"): (Command.WRITE, Command.CALL),
    ("WORDS",): (Command.WRITE, Command.CALL, Command.BAUD),
    ("COUNT", "START", "RUN", "FILL"): (Command.CALL,),
    ("NEXT", "LOAD", "GIVE"): (Command.READ, Command.DIGEST, Command.COMMIT, Command.CALL),
    ("CHANGE",): (Command.BAUD,),
    ("FLUSH", "SEEK"): (Command.SYNC,),
    ("REPORT",): (Command.IDENTIFY, Command.SYNC, Command.COUNTERS, Command.DIGEST, Command.COMMIT),
}


class Lemmas:
    """What holds in each state of an executor.

    Parameters
    ----------
    request, numbers:
        The frame that is there, and the numbers that the executor counts with.
    before:
        Number of the next request when the frame came.
    kinds:
        What each window is for.
    """

    def __init__(
        self,
        h: Harness,
        dut: Any,
        inside: Inside,
        *,
        request: Request,
        numbers: Numbers,
        before: Signal,
        kinds: list[Signal],
    ) -> None:
        self._h, self._dut, self._request, self._numbers, self._before = h, dut, request, numbers, before
        self._get, self._state = inside.get, inside.state()
        self._place, self._index, self._begun = map(inside.get, ("_place", "_cursor.index", "_begun"))
        self._command, self._status = inside.get("_request._command"), inside.get("_status")
        self._same_window = inside.get("_request._window") == request.window
        self._nothing_wanted = ~(inside.get("_request._want").any() | inside.get("_request._want_beyond"))
        kind = Array(kinds)[request.window]
        self._is_input, self._is_parameters = (kind == each.value for each in (WindowKind.INPUT, WindowKind.PARAMETERS))

    def say(self) -> None:
        """Say all of it."""
        self._frame()
        self._comparison()
        self._adoption()
        self._captured()
        self._counted()
        self._commands()
        self._calls()
        self._writes()
        self._reports()

    def _when(self, condition: Value, holds: Value, text: str) -> None:
        self._h.lemma(~condition | holds, text)

    def _at(self, *states: str, holds: Value, text: str) -> None:
        self._when(self._state(*states), holds, f"{text} ({', '.join(states)})")

    def _opening(self, *states: str) -> Value:
        return self._state(*states) & ~self._begun

    def _going(self, *states: str) -> Value:
        return self._state(*states) & self._begun

    @property
    def _in_turn(self) -> Value:
        return (self._request.number == self._before) & self._numbers.known

    @property
    def _ordered(self) -> Value:
        """It is a request that has its turn, and nothing that the executor complains about."""
        return self._request.ordered & (self._command != Command.SYNC)

    def _frame(self) -> None:
        begins = self._place == 0
        self._h.lemma(self._state("IDLE") | self._dut.frame.valid, "there is a frame")
        self._when(self._dut.core_busy, self._state("RUN"), "the core runs while it is waited for")
        self._at(*_BEFORE, holds=~self._begun, text="no reply was begun")
        self._at(*_AFTER, holds=self._begun, text="a reply was begun")
        self._when(self._opening("IDLE", "CAPTURE", "ADMIT", "FLUSH", "BEGIN", "DISPATCH"), begins, "a byte begins")
        self._at("IDLE", holds=self._index == HEADER, text="the header comes next")
        self._at("DISPATCH", "FINISH", "RELEASE", "CHANGE", holds=begins, text="a byte begins")
        changes = self._going("CAPTURE", "WORDS") & (self._command == Command.BAUD)
        self._when(changes, begins, "a byte begins before the rate changes")

    @property
    def _header_bits(self) -> tuple[Value, Value]:
        """Return whether the cursor is at the number of the frame, and at which bit of it."""
        return self._index.matches(HEADER, HEADER + 1), ((self._index - HEADER) * 8 + self._place)[:5]

    @property
    def _came(self) -> Value:
        """The bits that were done are those of the number of the frame."""
        numbers = self._numbers
        low = Mux(numbers.turn == 0, 0xFFFF, ((1 << numbers.turn) - 1)[:16])
        return numbers.number == (self._request.number & low)

    def _comparison(self) -> None:
        """The number of a frame is compared while the header passes by, and stays compared up to the reply."""
        numbers, comparing = self._numbers, self._state("COMPARE")
        header, bit = self._header_bits
        first = header & (bit == 0)
        self._when(comparing, (self._index >= HEADER) & (self._index <= HEADER + 5), "the header passes by")
        self._when(comparing, numbers.turn == Mux(header, bit, 0), "bits of the number pass by")
        self._at("COMPARE", "ADOPT", holds=self._request.read == self._index, text="the byte is shown")
        self._when(comparing & first, numbers.fresh, "a comparison begins anew")
        self._when(comparing & header & ~first, numbers.doing[0] & self._came, "the number is compared")
        self._h.lemma(self._state("COMPARE", "ADOPT", "REPORT") | (numbers.turn == 0), "the numbers are let alone")
        done = (comparing & ~header) | self._opening(*_EITHER, "ADMIT", "FLUSH", "SEEK")
        self._when(done, numbers.compared & (numbers.number == self._request.number), "the number was compared")

    def _adoption(self) -> None:
        """The number of a frame is adopted bit by bit."""
        numbers, (header, bit) = self._numbers, self._header_bits
        self._at("ADOPT", holds=header & (numbers.turn == bit), text="bits of the number are counted")
        adopting = numbers.doing[1] & (numbers.doing[2] == self._request.identifies) & self._came
        self._at("ADOPT", holds=(bit == 0) | adopting, text="the number is adopted")
        adopts = self._opening("COMMAND") & self._get("adopts")
        self._when(adopts, self._index == HEADER, "the number is next")
        self._when(adopts, (self._request.read == HEADER) | (self._place == 0), "its first byte is shown")

    def _captured(self) -> None:
        """Registers hold the fields of the frame once these were taken in."""
        request, place, capturing = self._request, self._get("_word.place"), self._state("CAPTURE")
        same = self._command == request.command
        self._when(capturing, place < CAPTURED, "as many bytes as there are taken in")
        self._at("COMPARE", holds=place == 0, text="nothing was taken in")
        self._when(capturing & (place != 0), request.read == place, "the byte is shown")
        self._when(capturing & (self._begun | (place > 3)), same, "the command was taken in")
        early = self._state("IDLE", "COMPARE", "CAPTURE", "RELEASE")
        self._h.lemma(early | same | (self._command == Command.SYNC), "the command is that of the frame")
        self._when(capturing & (place > 4), self._same_window, "the window was taken in")
        first = self._nothing_wanted == (request.wanted[:8] == 0)
        self._when(capturing & (place > 11), first, "the first byte of what is wanted was taken in")
        stay = self._state(*_TAKING, "ADMIT") | (self._opening(*_CHECKED) & (self._command != Command.SYNC))
        self._when(stay, self._nothing_wanted == (request.wanted == 0), "what is wanted was taken in")
        self._when(stay, self._same_window, "the window is that of the frame")

    def _counted(self) -> None:
        """What was begun had its turn, and what is under way was counted."""
        kept = self._numbers.next == self._before
        counted = self._in_turn & (self._numbers.next == (self._before + 1)[:16])
        self._at("COMPARE", "ADMIT", "FLUSH", "SEEK", "ADOPT", holds=kept, text="nothing was counted")
        self._when(self._opening(*_EITHER), kept, "nothing was counted before the reply")
        begins = (self._opening("BEGIN", "COMMAND") | self._state("ADOPT")) & self._ordered
        self._when(begins, self._in_turn, "it has its turn")
        self._at("ADOPT", holds=self._command != Command.SYNC, text="a complaint counts nothing")
        self._when(self._state("DISPATCH") & self._ordered, counted, "it was counted")
        going = self._begun & ~self._state("RELEASE", "IDLE") & self._ordered
        self._when(going, counted, "it was counted before it goes on")

    def _commands(self) -> None:
        """Each state has its commands."""
        for names, commands in _COMMANDS.items():
            self._at(*names, holds=self._command.matches(*commands), text="the command belongs to the state")
        again = self._command.matches(Command.CALL, Command.BAUD)
        self._when(self._going("CAPTURE"), again, "what is taken in again belongs to the command")
        self._when(self._going("BEGIN", "COMMAND"), self._command == Command.CALL, "only calls have further replies")
        good = (self._status == Status.OK.value) & (self._opening(*_CHECKED) | self._state("STATUS", "FINISH"))
        self._when(good, self._command.matches(*Command), "the command exists")

    def _calls(self) -> None:
        """A call that was found good stays so, and so does one whose reply goes on."""
        calls, valid = self._command == Command.CALL, self._dut.parameters_valid
        good = self._opening(*_CHECKED) & (self._status == Status.OK.value) & calls
        more = self._status == Status.MORE.value
        full = self._state("STATUS", "FINISH") & more
        self._when(full, calls, "only the reply to a call goes on")
        before = self._state("IDLE", "COMPARE", "ADMIT", "RELEASE") | self._opening("CAPTURE")
        self._h.lemma(before | full | ~more, "a reply goes on once it is full")
        under_way = good | full | (self._going(*_EITHER, *_CALLING) & calls)
        self._when(under_way, valid | (self._request.wanted == 0), "a call may run")
        self._when(under_way, self._is_input, "a call has inputs")
        self._at("START", "RUN", holds=valid, text="a call runs on valid parameters")

    def _writes(self) -> None:
        """Words are written where they may be."""
        writes, valid = self._command == Command.WRITE, self._dut.parameters_valid
        good = self._opening(*_CHECKED) & (self._status == Status.OK.value) & writes
        self._when(good, self._is_input | self._is_parameters, "a window is written that may be")
        writing = self._going(*_TAKING) & writes
        self._when(
            writing, self._is_input | (self._is_parameters & ~valid), "parameters are written that are not valid"
        )
        self._at("TAKE", "STORE", holds=self._dut.words.within, text="the word exists")

    def _reports(self) -> None:
        """A report shows the numbers where it has them, and comes after whole bytes."""
        index, place, numbers, command = self._index, self._place, self._numbers, self._command
        reports, identifies, syncs = self._state("REPORT"), command == Command.IDENTIFY, command == Command.SYNC
        longer = Mux(command == Command.COUNTERS, 11, 3)
        last = PAYLOAD + Mux(identifies, 17, longer)
        self._when(reports, (index >= PAYLOAD) & (index <= last), "a report has as many bytes")
        shown = syncs | (identifies & index.matches(PAYLOAD + 9, PAYLOAD + 10))
        bit = ((index - PAYLOAD - Mux(identifies, 9, 0)) * 8 + place)[:4]
        self._when(reports, numbers.turn == Mux(shown, bit, 0), "a number is shown bit by bit")
        which = Mux(syncs & index[1], 0b10000, 0b01000)
        self._when(reports & (numbers.turn != 0), numbers.doing == which, "the number that is shown")
        behind = Mux(command[:4] == Command.CALL, CAPTURED, PAYLOAD)
        self._at("DISPATCH", holds=index == behind, text="the cursor is behind what was taken in")
        plain = command != Command.CALL
        self._when(self._state("NEXT", "LOAD", "GIVE") & plain, index == PAYLOAD, "the payload is next")
        self._when(self._state("NEXT", "LOAD") & plain, place == 0, "a word begins with a byte")
        word = self._get("_word.place")
        self._when(self._state("GIVE") & plain, place == word[:3], "bits of a word are bits of bytes")
