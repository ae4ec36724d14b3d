# amaranth: UnusedElaboratable=no
"""The decoder finds exactly the good frames, whatever comes between two zero bytes, and keeps them as they came."""

from __future__ import annotations

import zlib
from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value
from cobs import cobs

from attractor.hdl.link.decoder import CONSTANTS, HEADER, PAYLOAD, FrameDecoder
from attractor.spec.protocol import CRC32, FRAME_BYTES

from .harness import Harness, Inside
from .proof import Fault, Proof

SHORTEST, LONGEST = PAYLOAD + CRC32.size, HEADER + FRAME_BYTES
CONSTANT = 0x5A
#: Where the frames of the scenario have a zero.
ZERO = 4
#: The CRC-32 of zlib: its polynomial and first value, and what is left of data with their CRC-32.
POLYNOMIAL, FIRST, RESIDUE = 0xEDB88320, 0xFFFFFFFF, 0xDEBB20E3


class Frame:
    """What came since the last delimiter, byte by byte.

    Attributes
    ----------
    count:
        Bytes, or one more than a frame may have.
    left:
        Bytes up to the next code byte.
    crc:
        CRC-32 of the decoded bytes, without the first code byte, before it is inverted.
    byte, ended:
        The decoded byte that is offered; what came is a frame, and its CRC-32 is right.
    """

    def __init__(self, h: Harness, dut: Any) -> None:
        m, i = h.m, dut.i
        self.count, self.left = Signal(range(LONGEST + 2)), Signal(8)
        self.crc, self.byte, self.good = Signal(32), Signal(8), Signal()
        taken, delimiter = i.valid & i.ready, i.payload == 0
        code = self.left == 0
        m.d.comb += [
            self.byte.eq(Mux(code, 0, i.payload)),
            self.good.eq((self.count >= SHORTEST) & (self.count <= LONGEST) & code & (self.crc == RESIDUE)),
        ]
        self.partial: list[Value] = [self.crc]
        for bit in range(8):
            feedback = self.partial[-1][0] ^ self.byte[bit]
            self.partial.append(Cat(self.partial[-1][1:], Const(0, 1)) ^ Mux(feedback, POLYNOMIAL, 0))
        with m.If(taken & delimiter):
            m.d.sync += self.left.eq(0)
            with m.If(~self.good):
                m.d.sync += self.count.eq(0)
        with m.Elif(taken):
            m.d.sync += [
                self.count.eq(Mux(self.count > LONGEST, self.count, self.count + 1)),
                self.left.eq(Mux(code, i.payload - 1, self.left - 1)),
                self.crc.eq(Mux(self.count == 0, FIRST, self.partial[8])),
            ]
        with m.If(dut.frame.release):
            m.d.sync += self.count.eq(0)


def build(h: Harness, component: type[FrameDecoder]) -> None:
    dut = component(bytes([CONSTANT]))
    probes: list[Any] = []
    inside = h.open(dut, lambda module: probes.extend(module.submodules.storage.read_port(domain="comb") for _ in "ab"))
    i, frame = dut.i, dut.frame
    h.assume_stream(i)
    # Who has a frame releases it, and has the CRC-32 as long.
    h.assume(~(frame.release | frame.crc.drain) | frame.valid)
    h.assume(frame.address <= CONSTANTS)
    came = Frame(h, dut)
    taken, ends = i.valid & i.ready, i.valid & i.ready & (i.payload == 0)
    h.claim(dut.verified == (ends & came.good), "a good frame is not verified, or another one is")
    h.claim(dut.damaged == (ends & ~came.good & (came.count != 0)), "a damaged frame is not told, or another one is")
    h.claim(
        frame.valid == (h.past(dut.verified) | h.past(frame.valid & ~frame.release)), "a frame comes or goes by itself"
    )
    h.claim(~(frame.valid & i.ready), "something is taken while there is a frame")
    h.claim(~frame.valid | (frame.end == came.count - CRC32.size), "the payload ends elsewhere")
    waits = Signal(4)
    h.m.d.sync += waits.eq(Mux(i.valid & ~taken & ~frame.valid, waits + 1, 0))
    h.claim(waits < 8, "a byte takes more than eight cycles")
    _contents(h, dut, came, probes)
    _lemmas(h, dut, inside, came, waits)
    h.cover(dut.damaged & (came.count < SHORTEST), "a frame that is too short is damaged")
    h.cover(dut.damaged & (came.count > LONGEST), "a frame that is too long is damaged")
    h.cover(dut.verified & (came.count == SHORTEST), "the shortest frame is verified")
    h.cover(dut.verified & (came.count == LONGEST), "the longest frame is verified")
    h.scenario = Line(h, dut).run


class Line:
    """A scenario: what comes over a line, and who reads the frames."""

    def __init__(self, h: Harness, dut: Any) -> None:
        self._h, self._dut = h, dut

    async def run(self, ctx: Any) -> None:
        ctx.set(self._h.input("any_place"), ZERO)
        short, long = (frame(bytes([0x34, 0x12, 1, 0, 0, 0, 0]) + payload) for payload in (b"", bytes(240)))
        await self._put(ctx, bytes([3, 1, 1, 0, 0]))
        for line in (short, long, bytes([5]) * 300 + bytes(1), short, bytes([9, 0]), short[:-3] + bytes(1), short):
            await self._put(ctx, line)
            if ctx.get(self._dut.frame.valid):
                await self._read(ctx)

    async def _put(self, ctx: Any, line: bytes) -> None:
        stream = self._dut.i
        ctx.set(stream.valid, 1)
        for byte in line:
            ctx.set(stream.payload, byte)
            for _ in range(10):
                _, _, taken = await ctx.tick().sample(stream.ready)
                if taken:
                    break
        ctx.set(stream.valid, 0)

    async def _read(self, ctx: Any) -> None:
        frame_ = self._dut.frame
        for address in (ZERO, CONSTANTS, ZERO):
            ctx.set(frame_.address, address)
            await ctx.tick()
        ctx.set(frame_.release, 1)
        await ctx.tick()
        ctx.set(frame_.release, 0)


def frame(request: bytes) -> bytes:
    """Return what a good frame is on the line."""
    return cobs.encode(request + CRC32.pack(zlib.crc32(request))) + bytes(1)


def _contents(h: Harness, dut: Any, came: Frame, probes: list[Any]) -> None:
    """Claim that any one byte of a frame is where it belongs, and that what is no frame stays."""
    frame, place = dut.frame, h.constant(8, "place")
    expected = Signal(8)
    written = dut.i.valid & dut.i.ready & (dut.i.payload != 0) & (came.count == place)
    with h.m.If(written):
        h.m.d.sync += expected.eq(came.byte)
    h.m.d.comb += [probes[0].addr.eq(place), probes[1].addr.eq(CONSTANTS)]
    asked = h.past(frame.valid)
    within = asked & (h.past(frame.address) == place) & (place < came.count) & frame.valid
    h.claim(~within | (frame.data == expected), "a byte of a frame is another one")
    h.claim(~(asked & (h.past(frame.address) == CONSTANTS)) | (frame.data == CONSTANT), "a constant is overwritten")
    h.lemma((place >= came.count) | (came.count > LONGEST) | (probes[0].data == expected), "a byte is stored")
    h.lemma(probes[1].data == CONSTANT, "a constant is stored")


def _lemmas(h: Harness, dut: Any, inside: Inside, came: Frame, waits: Value) -> None:
    length, broken, next_code, bit = (inside.get(name) for name in ("length", "broken", "next_code", "bit"))
    register = inside.get("crc.register")
    valid, long = dut.frame.valid, came.count > LONGEST
    h.lemma(came.count <= LONGEST + 1, "bytes are counted")
    h.lemma(length == Mux(long, LONGEST, came.count), "the length is that of what came")
    h.lemma(broken == (long & ~valid), "what is too long is broken")
    h.lemma(valid | long | (next_code == (came.count + came.left)[:8]), "the next code byte is known")
    h.lemma(~valid | ((next_code == 0) & (bit == 0) & (came.left == 0) & ~long), "a frame leaves a fresh start")
    h.lemma((came.count != 0) | (came.left == 0), "a frame begins with a code byte")
    h.lemma(came.left != 255, "a code byte is at most 255")
    h.lemma((bit == 0) | (dut.i.valid & ~valid & (dut.i.payload != 0)), "a byte stays while its bits are taken")
    h.lemma(waits == bit, "a bit is taken in each cycle")
    fresh = (came.count == 0) & (bit != 0)
    h.lemma(~fresh | (register == FIRST), "the CRC-32 begins with a frame")
    h.lemma(
        valid | long | (came.count == 0) | (register == Array(came.partial[:8])[bit]), "the CRC-32 is that of what came"
    )


PROOFS = (
    Proof(
        "decoder of frames",
        FrameDecoder,
        build,
        depth=2,
        faults=(
            Fault("delimiter | (bit == 7)", "delimiter | (bit == 6)"),
            Fault("(end & ~good) | self.frame.release", "self.frame.release"),
            Fault("end & ~good & (length != 0)", "end & ~good"),
            Fault("[next_code.eq(0), broken.eq(0)]", "broken.eq(0)"),
            Fault("[next_code.eq(0), broken.eq(0)]", "next_code.eq(0)"),
            Fault("length == _LONGEST", "length == _LONGEST - 1"),
            Fault("length >= _SHORTEST", "length > _SHORTEST"),
            Fault("length - CRC32.size", "length"),
            Fault("Mux(code, 0, self.i.payload)", "self.i.payload"),
            Fault("~code & self.i.payload.bit_select(bit, 1)", "self.i.payload.bit_select(bit, 1)"),
        ),
    ),
)
