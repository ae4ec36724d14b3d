# amaranth: UnusedElaboratable=no
"""The transmitter puts each byte on the line once, framed, at any rate."""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal

from attractor.hdl.link.rate import STEP_BITS
from attractor.hdl.link.uart import Receiver, Transmitter
from attractor.spec.protocol import LEAST_CYCLES_PER_BIT, RATE_CYCLES

from .harness import Harness, Inside, any_of
from .proof import Fault, Proof

#: A start bit, those of a byte, and a stop bit.
BITS = 10


class _Sent:
    """What a transmitter puts on the line.

    Attributes
    ----------
    left, byte:
        Which bit is on the line, counted down to the stop bit, of which byte; 0 where the line is idle.
    begins, spent:
        Parts of a bit that passed before its first cycle, and since.
    last, taken:
        This is the last cycle of a bit; a byte is taken.
    """

    def __init__(self, h: Harness, dut: Any, inside: Inside, step: Signal) -> None:
        self._h, m = h, h.m
        self.left, self.byte = Signal(range(BITS + 1)), Signal(8)
        self.begins, self.spent = Signal(20), Signal(21)
        self._first = Signal(20)
        parts = self.begins + self.spent + step
        self.last, self.taken = parts >= RATE_CYCLES, dut.i.valid & dut.i.ready
        ends = (self.left == 1) & self.last & ~self.taken
        with m.If(self.left == 0):
            m.d.sync += [self.spent.eq(0), self.begins.eq(0)]
        with m.Elif(self.last):
            m.d.sync += [self.left.eq(self.left - 1), self.spent.eq(0), self.begins.eq(Mux(ends, 0, parts[:20]))]
        with m.Else():
            m.d.sync += self.spent.eq(self.spent + step)
        with m.If(self.taken):
            m.d.sync += [self.left.eq(BITS), self.byte.eq(dut.i.payload)]
            m.d.sync += self._first.eq(Mux(self.left == 0, 0, parts[:20]))
        self._lemmas(inside, step)

    def _lemmas(self, inside: Inside, step: Signal) -> None:
        h, left = self._h, self.left
        h.lemma(left <= BITS, "there are as many bits")
        h.lemma((self.begins < step) & (self.spent < RATE_CYCLES), "a bit begins within a cycle")
        h.lemma(inside.get("phase") == Mux(left == 0, 0, self.begins + self.spent), "parts of a bit are counted")
        rest = (Cat(self.byte, Const(0b11, 2)) >> (BITS - left)[:4])[:BITS]
        h.lemma(inside.get("bits") == Mux(left == 0, 0, rest), "bits that are left are there")
        h.lemma(self._first < step, "a byte begins within a cycle")
        h.lemma((left != BITS) | (self.begins == self._first), "a byte begins with its start bit")

    def seen(self) -> list[Signal]:
        """Return what a receiver sees behind its synchroniser: bit, byte, parts of the bit, and those at the start."""
        now = (self.left, self.byte, (self.begins + self.spent)[:20], self._first)
        return [self._h.past(self._h.past(value)) for value in now]


def _transmit(h: Harness, component: type[Transmitter]) -> None:
    dut = component()
    inside = h.open(dut)
    step = h.constant(STEP_BITS, "rate")
    h.assume((step != 0) & (step <= RATE_CYCLES // LEAST_CYCLES_PER_BIT), "the rate is one that there can be")
    h.drive(dut.step, step)
    h.assume_stream(dut.i)
    sent = _Sent(h, dut, inside, step)
    left, last, byte = sent.left, sent.last, sent.byte
    line = Cat(Const(0b11, 2), byte[::-1], Const(0, 1))
    h.claim(dut.tx == Array(line)[left], "another bit is on the line")
    h.claim(dut.busy == (left != 0), "it calls itself busy while the line is idle, or the other way round")
    h.claim(dut.i.ready == ((left == 0) | ((left == 1) & last)), "a byte is taken before the one before has left")
    ended = h.past((left != 0) & last)
    length = h.past(sent.spent) + step
    h.claim(~ended | ((length + step > RATE_CYCLES) & (length < RATE_CYCLES + step)), "a bit has another length")
    h.cover(sent.taken & (left == 1), "a byte follows another one at once")
    h.cover(sent.taken & (left == 0) & h.past(byte != 0), "a byte follows another one later")
    h.scenario = partial(_send, h, dut)


async def _send(h: Harness, dut: Transmitter, ctx: Any) -> None:
    """A scenario: some bytes at an odd rate, two of them without a gap."""
    ctx.set(h.input("any_rate"), RATE_CYCLES * 10 // 53)
    for byte, pause in ((0x53, 0), (0xA6, 100), (0x80, 100)):
        ctx.set(dut.i.payload, byte)
        ctx.set(dut.i.valid, 1)
        ready = False
        while not ready:
            _, _, ready = await ctx.tick().sample(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        for _ in range(pause):
            await ctx.tick()


def _receive(h: Harness, component: type[Receiver]) -> None:
    """What a transmitter of the same rate sends, a receiver takes in."""
    sender, dut = Transmitter(), component()
    sent, inside = h.open(sender), h.open(dut)
    step = h.constant(STEP_BITS, "rate")
    h.assume((step != 0) & (step <= RATE_CYCLES // LEAST_CYCLES_PER_BIT), "the rate is one that there can be")
    # The synchroniser lets a reset pass by.
    h.never_reset()
    h.assume_stream(sender.i)
    for signal, value in ((sender.step, step), (dut.step, step), (dut.rx, sender.tx)):
        h.drive(signal, value)
    left, byte, phase, begins = _Sent(h, sender, sent, step).seen()
    came = Signal()
    stops = left == 1
    h.m.d.sync += came.eq(stops & (came | dut.o.valid))
    right = stops & ~came & (dut.o.payload == byte)
    h.claim(~dut.o.valid | right, "a byte comes that was not sent, or comes again")
    h.claim(~dut.error, "a byte has no stop bit")
    h.claim(~h.past(stops) | stops | came, "a byte does not come")
    state, bits, parts = inside.state(), inside.get("bits"), inside.get("phase")
    on_line = Array(Cat(Const(0b11, 2), byte[::-1], Const(0, 1)))[left]
    h.lemma(inside.get("line") == on_line, "the line is seen two cycles later")
    h.lemma(state("IDLE", "START", "DATA", "STOP"), "no byte is bad")
    h.lemma((left != 0) | state("IDLE"), "nothing is sent and nothing received")
    h.lemma((left != BITS) | (state("IDLE") == (phase == begins)), "a start bit is seen at once")
    h.lemma(~state("IDLE") | (parts == RATE_CYCLES // 2), "it waits in the middle of a bit")
    h.lemma(~state("IDLE") | (left == 0) | (left == BITS) | (stops & came), "between bytes it waits")
    h.lemma(state("IDLE") | ~came, "what came is over")
    # Parts of a bit that the line shows, half a bit later than the receiver counts them.
    shown = ((BITS - left) * RATE_CYCLES + phase + RATE_CYCLES // 2 - begins)[:25]
    counted = [(number * RATE_CYCLES + parts)[:25] == shown for number in range(BITS)]
    h.lemma(~state("START") | counted[0], "a start bit is being received")
    h.lemma(~state("START") | (left == BITS) | (left == BITS - 1), "a start bit is being received")
    stored = [((byte[:number] << 9) | (1 << 8))[number : number + 9] for number in range(9)]
    some = any_of((bits == stored[number]) & counted[number + 1] for number in range(8))
    h.lemma(~state("DATA") | some, "bits are being received")
    h.lemma(~state("STOP") | ((bits == stored[8]) & counted[9]), "a stop bit is being received")
    h.cover(dut.o.valid & (byte == 0x80), "the last of some bytes comes")
    h.scenario = partial(_send, h, sender)


PROOFS = (
    Proof(
        "transmitter, any rate",
        Transmitter,
        _transmit,
        faults=(
            Fault("last & ~bits[1:].any()", "last & ~bits[2:].any()"),
            Fault("Cat(self.i.payload, Const(0b11, 2))", "Cat(self.i.payload[::-1], Const(0b11, 2))"),
            Fault("Const(0b11, 2)", "Const(0b10, 2)"),
            Fault("bits[0] | ~bits[1:].any()", "bits[0]"),
        ),
    ),
    Proof(
        "receiver behind a transmitter, any rate",
        Receiver,
        _receive,
        faults=(
            Fault("init=RATE_CYCLES // 2", "init=0"),
            Fault("bits.eq(Cat(bits[1:], line))", "bits.eq(Cat(bits[1:], ~line))"),
            Fault("bits.eq(1 << 8)", "bits.eq(1 << 7)"),
            Fault("with m.If(bits[1]):", "with m.If(bits[0]):"),
            Fault("self.o.payload.eq(bits[1:])", "self.o.payload.eq(bits[:8])"),
            Fault("self.o.valid.eq(line), self.error.eq(~line)", "self.o.valid.eq(1), self.error.eq(line)"),
        ),
    ),
)
