# amaranth: UnusedElaboratable=no
"""The executor carries out each request once and in order, and no call on parameters that were not committed."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Signal

from attractor.hdl.link.check import HeaderCheck
from attractor.hdl.link.decoder import PAYLOAD, FrameSignature
from attractor.hdl.link.executor import Executor
from attractor.hdl.link.words import WindowKind, WordsSignature
from attractor.spec.protocol import CRC32, Command

from .executor_frames import WINDOW_BITS, Host, Request
from .executor_lemmas import Lemmas
from .harness import Harness, Inside
from .order import Numbers
from .proof import Fault, Proof

#: Widths of a frame's addresses, of words, and of the length of a word; bytes of all outputs.
ADDRESS_BITS, WORD_BITS, LENGTH_BITS, OUTPUT_BYTES = 9, 2, 3, 2


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
    _replies(h, dut, inside)
    numbers.lemmas(lambda name: inside.get(name, dut._order))
    Lemmas(h, dut, inside, request=request, numbers=numbers, before=before, kinds=kinds).say()
    h.scenario = Host(h, dut, request).run


def _claims(h: Harness, dut: Any, inside: Inside, request: Request, numbers: Numbers) -> Signal:
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


def _replies(h: Harness, dut: Any, inside: Inside) -> None:
    """Claim that replies are written as the encoder asks for."""
    reply, state = dut.reply, inside.state()
    opened = Signal()
    h.m.d.sync += opened.eq((reply.begin | opened) & ~reply.finish)
    h.claim(~(reply.finish & reply.bits.valid), "a reply ends together with a bit")
    h.claim(~(reply.finish & ~opened), "a reply ends that was not begun")
    h.claim(~((reply.compare | reply.seek) & opened), "a position is sought within a reply")
    h.claim(~(reply.bits.valid & ~opened & ~(reply.compare | reply.seek)), "a bit is given to no reply")
    changes = inside.get("_request._command") == Command.BAUD
    between = state("IDLE", "COMPARE", "ADMIT", "FLUSH", "SEEK", "RELEASE", "CHANGE")
    again = state("CAPTURE", "WORDS") & changes
    opening = state("CAPTURE") & ~inside.get("_begun")
    h.lemma(~(between | again | opening) | ~opened, "no reply was begun, or it has ended")
    h.lemma(between | opening | again | state("BEGIN") | opened, "a reply is being written")


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
            Fault(
                "m.d.comb += self.reply.finish.eq(1)",
                "m.d.comb += [self.reply.finish.eq(1), self.reply.bits.valid.eq(1)]",
            ),
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
