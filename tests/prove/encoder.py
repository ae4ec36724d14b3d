# amaranth: UnusedElaboratable=no
"""The encoder writes each reply as COBS has it, never over bytes that are still to be sent."""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import Cat, Mux, Signal

from attractor.hdl.link.encoder import FrameEncoder
from attractor.spec.protocol import PAYLOAD_BYTES, REPLY_HEADER

from .decoder import FIRST, POLYNOMIAL
from .harness import Harness, Inside
from .proof import Fault, Proof

DEPTH = 512
#: Bytes of position, command, payload and status; those of a CRC-32; and what comes on the line beside them.
LONGEST, CHECK = REPLY_HEADER.size + PAYLOAD_BYTES + 1, 4


def build(h: Harness, component: type[FrameEncoder]) -> None:
    dut = component(DEPTH)
    probes: list[Any] = []
    inside = h.open(
        dut, lambda module: probes.extend(module.submodules.storage.read_port(domain="comb") for _ in range(3))
    )
    reply, count, place = dut.reply, inside.get("_count"), inside.get("_place")
    # No bytes are sent again: positions that are kept are not followed here.
    h.drive(reply.seek, 0)
    h.assume(~reply.compare | inside.state()("IDLE"), "positions are compared between frames")
    compared = Signal(4)
    h.m.d.sync += compared.eq(compared + reply.compare)
    h.assume(~reply.begin | ((compared == 0) & ~reply.compare), "a position is compared as a whole")
    h.lemma(~inside.state()("IDLE") | (count == compared), "bits of a position are counted")
    h.lemma(inside.state()("IDLE") | (compared == 0), "no position is being compared")
    taken = reply.bits.valid & reply.bits.ready
    h.assume(~taken | (place < LONGEST), "a reply is no longer than one may be")
    whole = reply.bits.ready & ~reply.bits.valid & (count[:3] == 0)
    h.assume(~reply.finish | whole, "a reply ends with a whole byte")
    _contents(h, inside, probes)
    _check(h, inside)
    _ring(h, dut, inside)
    _sent(h, dut, inside, probes[2])
    state, past = inside.state(), h.past(inside.state()("NEXT"))
    h.cover(state("NEXT") & (place == LONGEST + CHECK + 2), "the longest reply ends")
    h.cover(past & (inside.get("_head") > 2 * DEPTH), "the ring is written again")
    h.cover(state("IDLE") & h.past(reply.begin & state("IDLE")), "a reply waits for room")
    h.scenario = partial(_replies, h, dut)


def _contents(h: Harness, inside: Inside, probes: list[Any]) -> None:
    """Claim of any one place of a frame that the right byte lies there when it ends."""
    m, state = h.m, inside.state()
    head, place, code = (inside.get(name) for name in ("_head", "_place", "_code"))
    put, byte, step, bit = (inside.get(name) for name in ("_put", "_byte", "step", "bit"))
    watched = h.constant(8, "place")
    # The byte at this place, the first of which counts as a zero, and where the next zero is.
    value, following = Signal(8), Signal(8)
    starts = state("IDLE")
    zero = (put & (byte == 0)) | state("DISTANCE")
    with m.If(starts):
        m.d.sync += value.eq(0)
    with m.Elif(put & (place == watched)):
        m.d.sync += value.eq(byte)
    with m.If(zero & (code == watched)):
        m.d.sync += following.eq(place)
    # The bits of the byte that is being written, the lowest first.
    bits = Signal(8, reset_less=True)
    with m.If(step):
        m.d.sync += bits.eq(Cat(bits[1:], bit))
    h.claim(~put | (byte == bits), "another byte is written than was given")
    h.lemma(byte == bits, "bits of a byte are given")
    m.d.comb += [
        probes[0].addr.eq((head + watched)[: len(probes[0].addr)]),
        probes[1].addr.eq((head + place - 1)[: len(probes[1].addr)]),
    ]
    shown = Mux(value == 0, following - watched, value)[:8]
    ended = state("NEXT")
    # Places up to this one were written.
    last = (place - Mux(ended, 2, put | state("DISTANCE", "DELIMITER")))[:8]
    written = ~starts & (watched <= last)
    h.claim(~(ended & written) | (probes[0].data == shown), "a byte of a frame is not as COBS has it")
    h.claim(~(ended & written) | (probes[0].data != 0), "there is a zero in a frame")
    h.claim(~ended | (probes[1].data == 0), "a frame has no delimiter")
    closed = written & ((value != 0) | (watched != code))
    h.lemma(~closed | (probes[0].data == shown), "a byte is written")
    behind = (following > watched) & (following <= place)
    h.lemma(~(closed & (value == 0)) | behind, "the next zero is behind")
    h.lemma(~(written & (watched == code)) | (value == 0), "the distance is missing of a zero alone")
    h.lemma(starts | state("DELIMITER", "NEXT") | (code <= last), "the last zero was written")
    h.lemma(~state("DELIMITER") | (code == place), "the last zero is the delimiter")
    h.lemma(~ended | (code == place - 1), "the last zero was the delimiter")


def _check(h: Harness, inside: Inside) -> None:
    """Claim that the CRC-32 of all bits before it ends a frame."""
    state, count, step, bit = inside.state(), inside.get("_count"), inside.get("step"), inside.get("bit")
    crc = Signal(32, init=FIRST)
    with h.m.If(state("IDLE")):
        h.m.d.sync += crc.eq(FIRST)
    with h.m.Elif(step & ~state("CRC")):
        h.m.d.sync += crc.eq((crc >> 1) ^ Mux(crc[0] ^ bit, POLYNOMIAL, 0))
    ends = state("CRC")
    h.claim(~ends | (bit == ~crc.bit_select(count, 1)), "a frame ends with another CRC-32")
    register, gives = inside.get("crc.register"), state("POSITION", "BODY")
    h.lemma(~gives | (register == crc), "bits are counted in")
    h.lemma(~ends | (register == crc >> count), "bits of the CRC-32 are given")


def _ring(h: Harness, dut: Any, inside: Inside) -> None:
    """Claim that bytes leave in order, and none is written over before."""
    head, tail, place, code, count = (inside.get(name) for name in ("_head", "_tail", "_place", "_code", "_count"))
    state, width = inside.state(), len(inside.get("_tail"))
    unsent = (head[:width] - tail)[:width]
    writes, end = inside.get("writer").en, inside.get("_end")
    offset = (end[:width] - tail)[:width]
    h.claim(~writes | ((offset >= unsent) & (offset < DEPTH)), "a byte is written over before it was sent")
    h.claim(~inside.get("reader").en | (unsent != 0), "a byte is sent that was not written")
    h.claim_stream(dut.o, "a byte")
    h.lemma(unsent <= Mux(state("IDLE"), DEPTH, DEPTH - 257), "there is room for a frame")
    h.lemma(~inside.get("_put") | (count[:3] == 0), "a byte is written once it is whole")
    h.lemma(~state("IDLE") | ((place == 0) & (code == 0) & ~inside.get("_put")), "a frame begins anew")
    h.lemma(~state("POSITION") | ((count < 16) & (place == count >> 3)), "the position is written")
    h.lemma(~state("BODY") | ((place >= 2) & (place <= LONGEST)), "the body is no longer than it may be")
    crc = place - (count >> 3)
    h.lemma(~state("CRC") | ((crc >= 2) & (crc <= LONGEST)), "the CRC-32 follows")
    h.lemma(~state("LAST", "DISTANCE", "DELIMITER", "NEXT") | (place <= LONGEST + CHECK + 2), "the frame is no longer")
    h.lemma(~state("LAST", "DISTANCE", "DELIMITER", "NEXT") | (place >= 2), "the frame is not empty")


def _sent(h: Harness, dut: Any, inside: Inside, probe: Any) -> None:
    """Claim that bytes of the ring leave one after another."""
    tail = inside.get("_tail")
    sent = Signal.like(tail)
    h.m.d.sync += sent.eq(sent + (dut.o.valid & dut.o.ready))
    h.m.d.comb += probe.addr.eq(sent[: len(probe.addr)])
    shown = h.past(inside.get("reader").en)
    h.claim(~shown | (dut.o.valid & (dut.o.payload == probe.data)), "another byte is sent than comes next")
    h.claim(shown | h.past(dut.o.valid) | ~dut.o.valid, "a byte is sent that was not read")
    h.lemma(tail == (sent + dut.o.valid)[: len(tail)], "bytes that were sent are counted")


async def _replies(h: Harness, dut: FrameEncoder, ctx: Any) -> None:
    """A scenario: replies with zeros and without, the longest too, to a line that is slow at first."""
    ctx.set(h.input("any_place"), 4)
    for number, body in enumerate([bytes(9), bytes(range(250, 256)), *(bytes(range(LONGEST - 2)) for _ in range(5))]):
        ctx.set(dut.o.ready, number > 4)
        ctx.set(dut.reply.begin, 1)
        ready = False
        for cycle in range(2000):
            ctx.set(dut.o.ready, (number > 4) | (cycle > 500))
            _, _, ready = await ctx.tick().sample(dut.reply.bits.ready)
            if ready:
                break
        ctx.set(dut.reply.begin, 0)
        ctx.set(dut.reply.bits.valid, 1)
        for bit in range(8 * len(body)):
            ctx.set(dut.reply.bits.payload, body[bit >> 3] >> (bit & 7) & 1)
            await ctx.tick()
        ctx.set(dut.reply.bits.valid, 0)
        ctx.set(dut.reply.finish, 1)
        await ctx.tick()
        ctx.set(dut.reply.finish, 0)
        for _ in range(50):
            await ctx.tick()


PROOFS = (
    Proof(
        "encoder of replies",
        FrameEncoder,
        build,
        faults=(
            Fault("self._place - self._code", "self._place - self._code + 1"),
            Fault("m.d.sync += self._code.eq(self._place)", "m.d.sync += self._code.eq(self._place + 1)"),
            Fault("(self._put & (self._byte == 0))", "(self._put & (self._byte == 1))"),
            Fault("(self.depth >> _FRAME_BITS) - 1", "(self.depth >> _FRAME_BITS)"),
            Fault("m.d.comb += self._zero.eq(1)", "m.d.comb += self._zero.eq(0)"),
            Fault("reader.en.eq(~empty & ", "reader.en.eq("),
            Fault("self._tail.eq(self._tail + 1)", "self._tail.eq(self._tail + 2)"),
            Fault("Cat(self._byte[1:], bit)", "Cat(bit, self._byte[:7])"),
            Fault("bit.eq(crc.result)", "bit.eq(~crc.result)"),
        ),
    ),
)
