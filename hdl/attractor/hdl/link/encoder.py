"""From the bits of a reply to the bytes on the line."""

from typing import Any

from amaranth.hdl import Assert, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.crc import SerialCrc32
from attractor.spec import PAYLOAD_BYTES
from attractor.spec.protocol import NUMBERS, REPLY_HEADER

__all__ = ["FrameEncoder", "ReplySignature"]

_POSITION_BITS = NUMBERS.bit_length() - 1
#: Bits of the length of any frame.
_FRAME_BITS = 8


class ReplySignature(wiring.Signature):
    """A reply being written, and the replies that are kept, seen from the writer.

    Members
    -------
    begin: ``Out(1)``
        Begin a frame. ``bits`` becomes ready when there is room for all of it and its position is written.
    bits: ``Out(stream of 1 bit)``
        Command, payload and status, the lowest bit of each byte first. Once ready, it stays so up to ``finish``.
    full: ``In(1)``
        After a whole byte: the payload is as long as one may be; nothing but the status may follow.
    finish: ``Out(1)``
        That was all. Taken while ``bits`` is ready; not together with a bit.
    sent: ``In(1)``
        No frame is being written, and all bytes of those before are on their way.
    compare: ``Out(1)``
        In 16 cycles in a row: ``bits.payload`` is the next bit of a position, lowest first. Not within a frame.
    kept: ``In(1)``
        All bytes from the position that was compared last are kept.
    seek: ``Out(1)``
        As ``compare``: afterwards all bytes from this position on, which is kept, are sent again. Not before ``sent``.
    """

    def __init__(self) -> None:
        flags_out, flags_in = ("begin", "finish", "compare", "seek"), ("full", "sent", "kept")
        super().__init__(
            {
                "bits": Out(stream.Signature(1)),
                **dict.fromkeys(flags_out, Out(1)),
                **dict.fromkeys(flags_in, In(1)),
            }
        )


class FrameEncoder(wiring.Component):
    """Writes position and CRC-32, encodes COBS into a ring of bytes, and sends them from there.

    COBS replaces a zero by the distance to the next one, so a zero at place p of a frame is never written: when it
    comes, the place of the last one gets the distance. Frames are short enough to need no other code. A bit takes one
    cycle; the start of a frame takes 17 cycles, and longer while too little of the ring was sent; its end takes 36. A
    byte goes out every other cycle at most.

    Parameters
    ----------
    depth:
        Bytes of the ring, a power of two from 512 to 8192.

    Members
    -------
    reply: ``In(ReplySignature)``
    o: ``Out(stream of 8 bits)``
    """

    reply: Any
    o: stream.Interface

    def __init__(self, depth: int) -> None:
        if depth not in (512, 1024, 2048, 4096, 8192):
            raise ValueError(f"a reply buffer of {depth} bytes; it must be a power of two from 512 to 8192")
        self.depth = depth
        self._address_bits = depth.bit_length() - 1
        super().__init__({"reply": In(ReplySignature()), "o": Out(stream.Signature(8))})
        # Position of the frame that is written or comes next; one more bit than an address tells full from empty.
        self._head, self._tail = Signal(_POSITION_BITS), Signal(self._address_bits + 1)
        # As many bytes as the ring holds were written.
        self._wrapped = Signal()
        # Bits of what is written now.
        self._count = Signal(5)
        # Bytes of the frame so far, and the place among them that gets the distance to the next zero.
        self._place, self._code = Signal(8), Signal(8)
        # Write the byte, or that distance, or a zero.
        self._put, self._patch, self._zero = Signal(), Signal(), Signal()
        self._byte = Signal(8, reset_less=True)
        self._end = Signal(_POSITION_BITS)
        # Nothing of the ring is to be sent.
        self._empty = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = SerialCrc32()
        step, bit, whole = Signal(), Signal(), Signal()
        m.d.comb += [
            crc.step.eq(step),
            crc.bit.eq(bit),
            whole.eq(step & (self._count[:3] == 7)),
            self.reply.full.eq(self._place == REPLY_HEADER.size + PAYLOAD_BYTES),
        ]
        m.d.sync += self._put.eq(whole)
        with m.If(step):
            m.d.sync += [self._byte.eq(Cat(self._byte[1:], bit)), self._count.eq(self._count + 1)]
        with m.If(whole):
            m.d.sync += self._place.eq(self._place + 1)
        with m.FSM() as fsm:
            self._write(m, crc, step, bit)
            self._finish(m)
        sought = self.reply.compare | self.reply.seek
        m.d.sync += Assert(~sought | fsm.ongoing("IDLE"), "position sought within a frame")
        self._store(m)
        m.d.comb += self.reply.sent.eq(self._empty & fsm.ongoing("IDLE"))
        return m

    @property
    def _head_bit(self) -> Value:
        return self._head.bit_select(self._count[:4], 1)

    def _write(self, m: Module, crc: SerialCrc32, step: Signal, bit: Signal) -> None:
        reply = self.reply
        with m.State("IDLE"):
            self._compare(m)
            m.d.comb += crc.restart.eq(1)
            # Of two times 256 bytes one is room enough, wherever head and tail are in theirs.
            unsent = Signal(len(self._tail) - _FRAME_BITS)
            m.d.comb += unsent.eq(self._head[_FRAME_BITS:] - self._tail[_FRAME_BITS:])
            with m.If(reply.begin & (unsent < (self.depth >> _FRAME_BITS) - 1)):
                m.next = "POSITION"
        with m.State("POSITION"):
            m.d.comb += [step.eq(1), bit.eq(self._head_bit)]
            with m.If(self._count == _POSITION_BITS - 1):
                m.next = "BODY"
        with m.State("BODY"):
            m.d.comb += [reply.bits.ready.eq(1), step.eq(reply.bits.valid), bit.eq(reply.bits.payload)]
            with m.If(reply.finish):
                m.d.sync += self._count.eq(0)
                m.next = "CRC"
        with m.State("CRC"):
            m.d.comb += [step.eq(1), bit.eq(crc.result), crc.drain.eq(1)]
            with m.If(self._count == 31):
                m.next = "LAST"

    def _finish(self, m: Module) -> None:
        """End a frame as if a zero came, with the distance to the delimiter and the delimiter."""
        with m.State("LAST"):
            m.d.sync += self._place.eq(self._place + 1)
            m.next = "DISTANCE"
        with m.State("DISTANCE"):
            m.d.comb += self._patch.eq(1)
            m.next = "DELIMITER"
        with m.State("DELIMITER"):
            m.d.comb += self._zero.eq(1)
            m.d.sync += self._place.eq(self._place + 1)
            m.next = "NEXT"
        with m.State("NEXT"):
            m.d.sync += [
                self._head.eq(self._end),
                self._wrapped.eq(self._wrapped | self._end[self._address_bits]),
                self._place.eq(0),
                self._code.eq(0),
                self._count.eq(0),
            ]
            m.next = "IDLE"

    def _compare(self, m: Module) -> None:
        """Subtract a position from the end bit by bit, and see that the difference is at most what is kept."""
        reply, count = self.reply, self._count
        # Of the difference so far: there is a borrow; it is not zero; it is more than the ring holds.
        borrow, some, beyond = (Signal(reset_less=True) for _ in range(3))
        was_borrow, was_some, difference = Signal(), Signal(), Signal()
        position = reply.bits.payload
        m.d.comb += [
            was_borrow.eq(borrow & (count != 0)),
            was_some.eq(some & (count != 0)),
            difference.eq(self._head_bit ^ position ^ was_borrow),
            reply.kept.eq(~beyond & (self._wrapped | ~borrow)),
        ]
        above = (count > self._address_bits) | ((count == self._address_bits) & was_some)
        with m.If(reply.compare):
            m.d.sync += [
                borrow.eq(Mux(self._head_bit ^ position, position, was_borrow)),
                some.eq(difference | was_some),
                beyond.eq((difference & above) | (beyond & (count != 0))),
            ]
        with m.If(reply.compare | reply.seek):
            m.d.sync += count.eq((count + 1)[:4])

    def _store(self, m: Module) -> None:
        """Write the frame at the end of the ring, and send what lies between tail and head."""
        m.submodules.storage = storage = memory.Memory(shape=unsigned(8), depth=self.depth, init=[])
        reader, writer = storage.read_port(), storage.write_port()
        empty, patch = self._empty, Signal()
        m.d.comb += [
            patch.eq(self._patch | (self._put & (self._byte == 0))),
            self._end.eq(self._head + Mux(patch, self._code, self._place)),
            writer.en.eq(self._put | self._patch | self._zero),
            writer.addr.eq(self._end[: self._address_bits]),
            writer.data.eq(Mux(patch, self._place - self._code, Mux(self._zero, 0, self._byte))),
            empty.eq(self._tail == self._head[: len(self._tail)]),
            reader.en.eq(~empty & ~self.o.valid & ~self.reply.seek),
            reader.addr.eq(self._tail[: self._address_bits]),
            self.o.payload.eq(reader.data),
        ]
        m.d.sync += Assert(~(reader.en & writer.en & (reader.addr == writer.addr)), "reply read while written")
        with m.If(patch):
            m.d.sync += self._code.eq(self._place)
        with m.If(reader.en):
            m.d.sync += [self.o.valid.eq(1), self._tail.eq(self._tail + 1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.reply.seek & (self._count <= self._address_bits)):
            m.d.sync += self._tail.eq(Cat(self._tail[1:], self.reply.bits.payload))
