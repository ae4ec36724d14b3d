# amaranth: UnusedElaboratable=no
"""The executor carries out each request once and in order, and no call on parameters that were not committed."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Mux, Signal, Value

from attractor.hdl.link.check import HeaderCheck
from attractor.hdl.link.decoder import HEADER, PAYLOAD, FrameSignature
from attractor.hdl.link.executor import Executor
from attractor.hdl.link.request import CAPTURED
from attractor.hdl.link.words import WindowKind, WordsSignature
from attractor.spec.protocol import CRC32, REQUEST_HEADER, Command, Status

from .harness import Harness, Inside
from .order import Numbers
from .proof import Fault, Proof

#: Widths of a frame's addresses, of windows and words, and of the length of a word; bytes of all outputs.
ADDRESS_BITS, WINDOW_BITS, WORD_BITS, LENGTH_BITS, OUTPUT_BYTES = 9, 3, 2, 3, 2


class Request:
    """The frame that is there, whose first bytes are known by name.

    Attributes
    ----------
    number, command, window:
        Fields of the header, the window as far as it can be.
    nothing_wanted:
        A CALL asks for no outputs.
    read:
        Address of the byte that is shown.
    ordered, is_call:
        It is a request that has its turn; and a CALL.
    """

    def __init__(self, h: Harness, dut: Any) -> None:
        frame = dut.frame
        self.content = content = h.free(8 * CAPTURED, "content")
        stays = h.past(frame.valid)
        h.assume(~stays | ((content == h.past(content)) & (frame.end == h.past(frame.end))))
        h.assume(frame.valid == (frame.valid & ~h.past(frame.release) | h.past(frame.valid & ~frame.release)))
        h.assume(frame.end >= PAYLOAD)
        self.read = h.past(frame.address)
        known = (self.read < CAPTURED) & stays
        h.drive(frame.data, Mux(known, content.word_select(self.read[:4], 8), h.free(8, "other_byte")))
        bytes_ = [content[8 * place : 8 * place + 8] for place in range(CAPTURED)]
        self.number, self.command = Cat(bytes_[1:3]), bytes_[3]
        self.window, self.nothing_wanted = bytes_[4][:WINDOW_BITS], Cat(bytes_[11:13]) == 0
        self.identifies, self.syncs = (self.command == command for command in (Command.IDENTIFY, Command.SYNC))
        self.want_low = bytes_[11]
        self.is_call = self.command == Command.CALL
        self.ordered = ~(self.identifies | self.syncs)


def build(h: Harness, component: type[Executor]) -> None:
    _build(h, component, HeaderCheck)


def build_check(h: Harness, component: type[HeaderCheck]) -> None:
    _build(h, Executor, component)


def _build(h: Harness, executor: type[Executor], check: type[HeaderCheck]) -> None:
    words = WordsSignature(WINDOW_BITS, WORD_BITS, LENGTH_BITS)
    dut = executor(FrameSignature(ADDRESS_BITS), words, OUTPUT_BYTES)
    # A broken copy of the part that it has made itself.
    dut._check.__class__ = check
    inside = h.open(dut)
    request = Request(h, dut)
    kinds = [h.constant(2, f"kind_of_window_{window}") for window in range(1 << WINDOW_BITS)]
    sizes = [h.constant(WORD_BITS + 1, f"words_of_window_{window}") for window in range(1 << WINDOW_BITS)]
    h.drive(dut.words.kind, Array(kinds)[dut.words.window])
    h.drive(dut.words.within, dut.words.address < Array(sizes)[dut.words.window])
    h.assume(~dut.core_busy | h.past(dut.start | dut.core_busy), "a core is busy from the cycle after its start on")
    numbers = Numbers(h, dut._order, h.claim)
    before = _claims(h, dut, inside, request, numbers)
    _commits(h, dut, inside, request)
    numbers.lemmas(lambda name: inside.get(name, dut._order))
    Lemmas(h, dut, inside, request, numbers, before, kinds).say()
    h.scenario = Host(h, dut, request).run


class Host:
    """A scenario: frames that a host sends, good ones and such that must not be carried out."""

    def __init__(self, h: Harness, dut: Any, request: Request) -> None:
        self._h, self._dut, self._content = h, dut, request.content

    async def run(self, ctx: Any) -> None:
        for window, kind in enumerate(WindowKind):
            ctx.set(self._h.input(f"any_kind_of_window_{window}"), kind.value)
            ctx.set(self._h.input(f"any_words_of_window_{window}"), 1)
        dut, call = self._dut, bytes([0, 1, 0, 1, 0])
        for signal in (dut.reply.bits.ready, dut.reply.sent, dut.reply.kept, dut.line_idle, dut.counters_ready):
            ctx.set(signal, 1)
        ctx.set(dut.words.word_bits, 4)
        await self._send(ctx, 0x12FE, Command.IDENTIFY)
        await self._send(ctx, 0x12FF, Command.WRITE, 1, bytes(1))
        await self._send(ctx, 0x1300, Command.COMMIT, payload=bytes(4))
        # It runs; a copy of it; one comes too early.
        for number in (0x1301, 0x1301, 0x1303):
            await self._send(ctx, number, Command.CALL, 2, call)
        await self._attend(ctx)
        await self._send(ctx, 0x1302, Command.CALL, 2, call)
        await self._send(ctx, 0x12FE, Command.SYNC)
        await self._send(ctx, 0x1302, Command.CALL, 2, call)
        # No inputs are there; then parameters are not valid any more, and do not become so.
        await self._send(ctx, 0x1303, Command.CALL, 1, call)
        await self._send(ctx, 0x1304, Command.WRITE, 1, bytes(1))
        await self._send(ctx, 0x1305, Command.CALL, 2, call)
        await self._send(ctx, 0x1306, Command.COMMIT, payload=bytes([1, 0, 0, 0]))
        await self._send(ctx, 0x1307, Command.CALL, 2, call)

    async def _attend(self, ctx: Any) -> None:
        """Give the attention sign between two frames."""
        ctx.set(self._dut.attention, 1)
        await ctx.tick()
        ctx.set(self._dut.attention, 0)
        await ctx.tick()

    async def _send(self, ctx: Any, number: int, command: Command, window: int = 0, payload: bytes = b"") -> None:
        """Give a frame and play the core until it is released."""
        dut = self._dut
        content = bytes(1) + REQUEST_HEADER.pack(number, command, window, 0, 0) + payload
        ctx.set(self._content, int.from_bytes(content, "little"))
        ctx.set(dut.frame.end, len(content) + (command == Command.CALL))
        ctx.set(dut.frame.valid, 1)
        busy = 0
        for _ in range(1000):
            ctx.set(dut.words.exists, ctx.get(dut.words.window) < len(WindowKind))
            _, _, released, started = await ctx.tick().sample(dut.frame.release, dut.start)
            busy = 5 if started else max(0, busy - 1)
            ctx.set(dut.core_busy, busy > 0)
            if released:
                ctx.set(dut.frame.valid, 0)
                await ctx.tick()
                return
        raise RuntimeError(f"{command.name} {number:#x} is not done with")


def _claims(h: Harness, dut: Any, inside: Inside, request: Request, numbers: Numbers) -> Value:
    """Claim what a host may count on; return the next number as it was before the frame."""
    before, halted, was_halted = Signal(16), Signal(), Signal()
    with h.m.If(~dut.frame.valid):
        h.m.d.sync += [before.eq(numbers.next), was_halted.eq(halted)]
    with h.m.If(dut.attention):
        h.m.d.sync += halted.eq(1)
    with h.m.Elif(dut.frame.valid & ~request.ordered):
        h.m.d.sync += halted.eq(0)
    start = dut.start
    in_turn = (request.number == before) & numbers.known
    h.claim(~start | dut.parameters_valid, "a call runs on parameters that were not committed")
    h.claim(~start | (dut.frame.valid & request.is_call), "something runs that is no call")
    h.claim(~start | in_turn, "a call runs out of its turn")
    h.claim(~start | (numbers.next == (before + 1)[:16]), "a call runs before it is counted, so that it may run again")
    h.claim(~(dut.frame.release | dut.frame.crc.drain) | dut.frame.valid, "a frame is used that is not there")
    h.claim(~start | ~was_halted, "a call runs that came after the attention sign")
    kept = numbers.next == before
    counted = request.ordered & in_turn & (numbers.next == (before + 1)[:16])
    first = request.identifies & (numbers.next == (request.number + 1)[:16]) & (numbers.session == request.number)
    h.claim(~dut.frame.valid | kept | counted | first, "the next number changes otherwise than by one")
    parameters = dut.words.kind == WindowKind.PARAMETERS
    h.claim(~(dut.words.write & parameters & dut.parameters_valid), "parameters are written and stay valid")
    writable = dut.words.within & (parameters | (dut.words.kind == WindowKind.INPUT))
    h.claim(~dut.words.write | writable, "a word is written that cannot be")
    h.claim(~(dut.words.write & parameters & request.is_call), "a call writes parameters")
    h.cover(start & h.past(~dut.attention), "a call runs")
    h.cover(dut.words.write & parameters, "parameters are written")
    h.cover(dut.reply.finish & request.is_call & ~in_turn, "a call is complained about")
    h.cover(dut.frame.release & was_halted & request.is_call, "a call is dropped after the attention sign")
    h.cover(dut.frame.release & request.is_call & (numbers.next == (request.number + 1)[:16]), "a call is released")
    turn = request.ordered & (inside.get("_request._command") != Command.SYNC)
    h.lemma(~halted | inside.get("_halted"), "it is known that the attention sign came")
    h.lemma(~(was_halted & dut.frame.valid & request.ordered) | halted, "a frame in its turn does not end that")
    begun = inside.get("_begun") & ~inside.state()("RELEASE", "IDLE")
    admitted = inside.state()("BEGIN", "COMMAND", "ADOPT", "DISPATCH") | begun
    h.lemma(~(admitted & turn) | ~was_halted, "nothing is begun after the attention sign")
    return before


def _commits(h: Harness, dut: Any, inside: Inside, request: Request) -> None:
    """Claim that parameters become valid by a COMMIT alone, and only if all bits of both CRC-32 are equal."""
    equal, compared = Signal(), Signal(range(8 * CRC32.size + 1))
    drains = dut.frame.crc.drain & dut.frame.crc.step
    bit = dut.frame.data.bit_select(inside.get("_place"), 1)
    with h.m.If(dut.frame.crc.restart):
        h.m.d.sync += [equal.eq(1), compared.eq(0)]
    with h.m.Elif(drains):
        h.m.d.sync += [equal.eq(equal & (bit == dut.frame.crc.result)), compared.eq(compared + 1)]
    becomes = dut.parameters_valid & ~h.past(dut.parameters_valid)
    good = h.past(request.command) == Command.COMMIT
    h.cover(becomes, "parameters become valid")
    h.cover(h.past(dut.parameters_valid) & ~dut.parameters_valid, "parameters become invalid")
    h.claim(
        ~becomes | (good & equal & (compared == 8 * CRC32.size)), "parameters become valid without a COMMIT of theirs"
    )
    state, index, place = inside.state(), inside.get("_cursor.index"), inside.get("_place")
    commits = inside.get("_request._command") == Command.COMMIT
    reports = state("REPORT") & commits
    done = ((index - PAYLOAD) * 8 + place)[:6]
    h.lemma(~reports | ((compared == done) & (index >= PAYLOAD) & (index < PAYLOAD + CRC32.size)), "bits are compared")
    h.lemma(~reports | (equal == ~inside.get("_differs")), "it is known whether they are equal")
    walks = state("NEXT", "LOAD", "GIVE") & commits
    h.lemma(~walks | ((compared == 0) & equal & ~inside.get("_differs")), "nothing was compared yet")
    h.lemma(~walks | (index == PAYLOAD), "the CRC-32 of the request comes next")


class Lemmas:
    """What holds in each state of the executor."""

    def __init__(
        self, h: Harness, dut: Any, inside: Inside, request: Request, numbers: Numbers, before: Value, kinds: list[Any]
    ) -> None:
        self.h, self.dut, self.request, self.numbers, self.before = h, dut, request, numbers, before
        self.get, self.state, self.kinds = inside.get, inside.state(), kinds
        self.place, self.begun, self.index = inside.get("_place"), inside.get("_begun"), inside.get("_cursor.index")
        self.command = inside.get("_request._command")

    def at(self, *states: str, condition: Value, text: str) -> None:
        """Say what holds in some states."""
        self.h.lemma(~self.state(*states) | condition, f"{text} ({', '.join(states)})")

    def say(self) -> None:
        self._frame()
        self._turns()
        self._captured()
        self._admitted()
        self._commands()
        self._reports()

    def _frame(self) -> None:
        self.h.lemma(self.state("IDLE") | self.dut.frame.valid, "there is a frame")
        self.h.lemma(~self.dut.core_busy | self.state("RUN"), "the core runs while it is waited for")
        early = ("COMPARE", "ADMIT", "FLUSH", "SEEK", "DISPATCH", "ADOPT")
        self.at("IDLE", *early, condition=~self.begun, text="no reply was begun")
        late = (
            "FETCH",
            "TAKE",
            "STORE",
            "COUNT",
            "START",
            "RUN",
            "NEXT",
            "LOAD",
            "GIVE",
            "FILL",
            "WORDS",
            "CHANGE",
            "REPORT",
            "STATUS",
            "FINISH",
        )
        self.at(*late, condition=self.begun, text="a reply was begun")
        still = ("IDLE", "CAPTURE", "ADMIT", "FLUSH", "BEGIN", "DISPATCH")
        self.h.lemma(~self.state(*still) | self.begun | (self.place == 0), "a byte begins")
        self.at("IDLE", condition=self.index == HEADER, text="the header comes next")
        self.at("DISPATCH", "FINISH", "RELEASE", "CHANGE", condition=self.place == 0, text="a byte begins")
        changes = self.state("CAPTURE", "WORDS") & (self.command == Command.BAUD) & self.begun
        self.h.lemma(~changes | (self.place == 0), "a byte begins")

    def _turns(self) -> None:
        """What is done to the numbers goes with the place in the header."""
        turn, doing, number = self.numbers.turn, self.numbers._doing, self.numbers.number
        counted = ((self.index - HEADER) * 8 + self.place)[:5]
        header = (self.index == HEADER) | (self.index == HEADER + 1)
        low = ((1 << turn) - 1)[:16]
        came = number == (self.request.number & Mux(turn == 0, 0xFFFF, low))
        comparing = self.state("COMPARE")
        self.at("COMPARE", condition=(self.index >= HEADER) & (self.index <= HEADER + 5), text="the header passes by")
        self.at("COMPARE", condition=turn == Mux(header, counted, 0), text="bits of the number pass by")
        self.at("COMPARE", "ADOPT", condition=self.request.read == self.index, text="the byte is shown")
        first = header & (counted == 0)
        self.h.lemma(~comparing | ~first | self.numbers._fresh, "a comparison begins anew")
        self.h.lemma(~comparing | ~header | first | (doing[0] & came), "the number is compared")
        self.at("ADOPT", condition=header & (turn == counted), text="bits of the number are counted")
        adopting = doing[1] & (doing[2] == self.request.identifies) & came
        self.at("ADOPT", condition=(counted == 0) | adopting, text="the number is adopted")
        self.h.lemma(self.state("COMPARE", "ADOPT", "REPORT") | (turn == 0), "nothing is done to the numbers")
        compared = self.numbers.compared & (number == self.request.number)
        self.h.lemma(~comparing | header | compared, "the number was compared")
        self.h.lemma(~self.state("CAPTURE") | self.begun | compared, "the number was compared")
        self.at("ADMIT", "FLUSH", "SEEK", condition=compared, text="the number was compared")
        self.h.lemma(~self.state("BEGIN", "COMMAND") | self.begun | compared, "the number was compared")
        self.at("BEGIN", "COMMAND", condition=self.begun | True, text="a reply is begun")

    def _captured(self) -> None:
        """Registers hold the fields of the frame once these were taken in."""
        place, capturing = self.get("_word.place"), self.state("CAPTURE")
        complained = self.command == Command.SYNC
        same = self.command == self.request.command
        self.h.lemma(~capturing | (place < CAPTURED), "as many bytes as there are taken in")
        self.at("COMPARE", condition=place == 0, text="nothing was taken in")
        self.h.lemma(~capturing | (place == 0) | (self.request.read == place), "the byte is shown")
        self.h.lemma(~capturing | ~(self.begun | (place > 3)) | same, "the command was taken in")
        self.h.lemma(
            self.state("IDLE", "COMPARE", "CAPTURE", "RELEASE") | same | complained, "the command is that of the frame"
        )
        window = self.get("_request._window") == self.request.window
        self.h.lemma(~capturing | (place <= 4) | window, "the window was taken in")
        want, beyond = self.get("_request._want"), self.get("_request._want_beyond")
        nothing = ~(want.any() | beyond)
        low = self.request_want_low()
        self.h.lemma(~capturing | (place <= 11) | (nothing == low), "what is wanted was taken in")
        writes = ("WORDS", "FETCH", "TAKE", "STORE", "COUNT", "ADMIT")
        self.at(*writes, condition=nothing == self.request.nothing_wanted, text="what is wanted was taken in")
        self.at(*writes, condition=window, text="the window is that of the frame")

    def request_want_low(self) -> Value:
        """Return whether nothing is wanted as far as the first of two bytes tells."""
        return self.request.want_low == 0

    def _admitted(self) -> None:
        """What was begun had its turn, and what is under way was counted."""
        request, numbers = self.request, self.numbers
        kept = numbers.next == self.before
        counted = (request.number == self.before) & numbers.known & (numbers.next == (self.before + 1)[:16])
        in_turn = (request.number == self.before) & numbers.known & kept
        early = ("COMPARE", "ADMIT", "FLUSH", "SEEK", "ADOPT")
        self.at(*early, condition=kept, text="nothing was counted")
        self.h.lemma(~self.state("CAPTURE", "BEGIN", "COMMAND") | self.begun | kept, "nothing was counted")
        complained = self.command == Command.SYNC
        turn = request.ordered & ~complained
        self.h.lemma(~self.state("BEGIN", "COMMAND") | self.begun | ~turn | in_turn, "it has its turn")
        self.at("ADOPT", condition=~turn | in_turn, text="it has its turn")
        self.at("ADOPT", condition=~complained, text="a complaint counts nothing")
        self.at("DISPATCH", condition=~turn | counted, text="it was counted")
        self.h.lemma(~self.begun | ~turn | self.state("RELEASE", "IDLE") | counted, "it was counted")

    def _commands(self) -> None:
        """Each state has its commands, and a call may run."""
        states = {
            ("FETCH", "TAKE", "STORE"): (Command.WRITE, Command.CALL),
            ("WORDS",): (Command.WRITE, Command.CALL, Command.BAUD),
            ("COUNT", "START", "RUN", "FILL"): (Command.CALL,),
            ("NEXT", "LOAD", "GIVE"): (Command.READ, Command.DIGEST, Command.COMMIT, Command.CALL),
            ("CHANGE",): (Command.BAUD,),
            ("FLUSH", "SEEK"): (Command.SYNC,),
            ("REPORT",): (Command.IDENTIFY, Command.SYNC, Command.COUNTERS, Command.DIGEST, Command.COMMIT),
        }
        for names, commands in states.items():
            self.at(*names, condition=self.command.matches(*commands), text="the command is one of these")
        again = self.state("CAPTURE") & self.begun
        self.h.lemma(
            ~again | self.command.matches(Command.CALL, Command.BAUD), "what is taken in again is one of these"
        )
        further = self.state("BEGIN", "COMMAND") & self.begun
        self.h.lemma(~further | (self.command == Command.CALL), "a further reply is that to a call")
        calls, kind = self.command == Command.CALL, Array(self.kinds)[self.request.window]
        valid = self.dut.parameters_valid
        under_way = self.begun & calls & self.state(
            "CAPTURE", "BEGIN", "COMMAND", "WORDS", "FETCH", "TAKE", "STORE", "COUNT", "START", "RUN", "NEXT", "LOAD",
            "GIVE", "FILL",
        )  # fmt: skip
        more = self.get("_status") == Status.MORE.value
        ends = self.state("STATUS", "FINISH") & more
        self.h.lemma(~ends | calls, "only the reply to a call goes on")
        taking = self.state("IDLE", "COMPARE", "ADMIT", "RELEASE") | (self.state("CAPTURE") & ~self.begun)
        self.h.lemma(taking | ends | ~more, "a reply goes on once it is full")
        under_way = under_way | ends
        self.h.lemma(~under_way | valid | self.request.nothing_wanted, "a call may run")
        self.h.lemma(~under_way | (kind == WindowKind.INPUT.value), "a call has inputs")
        self.at("START", "RUN", condition=valid, text="a call runs on valid parameters")
        writes = self.begun & (self.command == Command.WRITE) & self.state("WORDS", "FETCH", "TAKE", "STORE")
        writable = (kind == WindowKind.INPUT.value) | ((kind == WindowKind.PARAMETERS.value) & ~valid)
        self.h.lemma(~writes | writable, "what is written may be")
        self.at("TAKE", "STORE", condition=self.dut.words.within, text="the word exists")
        good = self.get("_status") == Status.OK.value
        admitted = self.state("BEGIN", "COMMAND", "ADOPT", "DISPATCH") & ~self.begun & good
        self.h.lemma(
            ~(admitted & calls) | ((kind == WindowKind.INPUT.value) & (valid | self.request.nothing_wanted)), "checked"
        )
        ends = self.state("STATUS", "FINISH") & good
        self.h.lemma(~(admitted | ends) | self.command.matches(*Command), "the command exists")
        may = (kind == WindowKind.INPUT.value) | (kind == WindowKind.PARAMETERS.value)
        self.h.lemma(~(admitted & (self.command == Command.WRITE)) | may, "checked")
        kept = ("BEGIN", "COMMAND", "ADOPT", "DISPATCH")
        want, beyond = self.get("_request._want"), self.get("_request._want_beyond")
        fresh = ~self.begun & self.state(*kept) & (self.command != Command.SYNC)
        self.h.lemma(~fresh | (~(want.any() | beyond) == self.request.nothing_wanted), "what is wanted stays")
        self.h.lemma(~fresh | (self.get("_request._window") == self.request.window), "the window stays")

    def _reports(self) -> None:
        """A report shows the numbers where it has them."""
        index, place, turn, doing = self.index, self.place, self.numbers.turn, self.numbers._doing
        reports, command = self.state("REPORT"), self.command
        last = Mux(
            command == Command.IDENTIFY, PAYLOAD + 17, Mux(command == Command.COUNTERS, PAYLOAD + 11, PAYLOAD + 3)
        )
        self.h.lemma(~reports | ((index >= PAYLOAD) & (index <= last)), "a report has as many bytes")
        shown = (command == Command.IDENTIFY) & index.matches(PAYLOAD + 9, PAYLOAD + 10)
        start = Mux(command == Command.IDENTIFY, PAYLOAD + 9, PAYLOAD)
        number = shown | (command == Command.SYNC)
        counted = ((index - start) * 8 + place)[:4]
        self.h.lemma(~reports | (turn == Mux(number, counted, 0)), "a number is shown bit by bit")
        kind = Mux((command == Command.SYNC) & index[1], 0b10000, 0b01000)
        self.h.lemma(~reports | (turn == 0) | (doing == kind), "the number that is shown")
        self.at(
            "DISPATCH",
            condition=index == Mux(command[:4] == Command.CALL, CAPTURED, PAYLOAD),
            text="the payload is next",
        )
        adopts = self.get("adopts")
        self.h.lemma(~self.state("COMMAND") | self.begun | ~adopts | (index == HEADER), "the number is next")
        self.h.lemma(
            ~self.state("COMMAND") | self.begun | ~adopts | (self.request.read == HEADER) | (place == 0), "it is shown"
        )
        plain = command != Command.CALL
        walks = self.state("NEXT", "LOAD", "GIVE") & plain
        self.h.lemma(~walks | (index == PAYLOAD), "the payload is next")
        self.h.lemma(~self.state("NEXT", "LOAD") | ~plain | (place == 0), "a word begins with a byte")
        word = self.get("_word.place")
        self.h.lemma(~self.state("GIVE") | ~plain | (place == word[:3]), "bits of a word are bits of bytes")


PROOFS = (
    Proof(
        "executor of requests",
        Executor,
        build,
        depth=2,
        faults=(
            Fault("self.parameters_valid.eq(0)", "self.parameters_valid.eq(self.parameters_valid)"),
            Fault("with m.Elif(order.expected):", "with m.Elif(order.expected | order.later):"),
            Fault("with m.Elif(order.expected):", "with m.Elif(~order.later):"),
            Fault("with m.Elif(self._halted):", "with m.Elif(0):"),
            Fault(
                "Mux(self._identifies, begins, ~self._syncs)",
                "Mux(self._identifies, begins, ~(self._syncs | self._is(Command.CALL)))",
            ),
            Fault("self.parameters_valid.eq(~differs)", "self.parameters_valid.eq(1)"),
            Fault("self._differs | (self._bit ^ self.frame.crc.result)", "self._bit ^ self.frame.crc.result"),
            Fault("with m.If(~self.core_busy):", "with m.If(1):"),
            Fault("index.matches(HEADER, HEADER + 1)", "index.matches(HEADER)"),
        ),
    ),
    Proof(
        "check of headers before the executor",
        HeaderCheck,
        build_check,
        depth=2,
        faults=(
            Fault("(self.command == Command.CALL) & ~self.may_run", "0"),
            Fault("self.word_exists & is_input", "self.word_exists"),
        ),
    ),
)
