"""From the bytes of a reply to the bytes on the line."""

from typing import Any

from amaranth.hdl import Assert, Cat, Module, Mux, ResetInserter, Signal, Value, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.crc.catalog import CRC16_IBM_3740
from amaranth.lib.wiring import In, Out

from attractor.spec import PAYLOAD_BYTES
from attractor.spec.protocol import REPLY_HEADER

__all__ = ["FrameEncoder", "ReplySignature"]


class ReplySignature(wiring.Signature):
    """A reply being written, seen from the writer.

    Members
    -------
    bytes: ``Out(stream of 8 bits)``
        Header and payload.
    full: ``In(1)``
        The payload is as long as one may be; a further byte would break the frame.
    discard: ``Out(1)``
        Forget all bytes since the last end; a byte given in the same cycle is lost.
    finish: ``Out(1)``
        That was all. Taken while ``bytes`` is ready and not valid.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "bytes": Out(stream.Signature(8)),
                "full": In(1),
                "discard": Out(1),
                "finish": Out(1),
            }
        )


class FrameEncoder(wiring.Component):
    """Appends the CRC-16, encodes COBS and sends the frame while the next one is written.

    COBS replaces a zero by the distance to the next one, so a zero at position p is never written: when it comes, the
    position of the last one gets the distance. A byte costs one cycle and one write, and frames are short enough to
    need no other code. The end of a frame takes four cycles, and longer while the frame before is still being sent.
    A byte goes out every other cycle at most.

    Members
    -------
    reply: ``In(ReplySignature)``
    o: ``Out(stream of 8 bits)``
    """

    reply: Any
    o: stream.Interface

    def __init__(self) -> None:
        super().__init__({"reply": In(ReplySignature()), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        crc: Any = CRC16_IBM_3740().create()
        restart = Signal()
        m.submodules.crc = ResetInserter(restart)(crc)
        reply = self.reply
        # Where the next byte goes, and where the distance to the next zero goes.
        position, code = Signal(8, init=1), Signal(8)
        put, end, byte = Signal(), Signal(), Signal(8)
        sending = Signal()
        m.d.comb += [
            byte.eq(reply.bytes.payload),
            crc.data.eq(reply.bytes.payload),
            crc.valid.eq(reply.bytes.valid & reply.bytes.ready),
            reply.full.eq(position == 1 + REPLY_HEADER.size + PAYLOAD_BYTES),
        ]
        with m.If(put):
            m.d.sync += position.eq(position + 1)
            with m.If(byte == 0):
                m.d.sync += code.eq(position)
        with m.FSM():
            with m.State("BODY"):
                m.d.comb += [reply.bytes.ready.eq(1), put.eq(reply.bytes.valid), restart.eq(reply.discard)]
                with m.If(reply.discard):
                    m.d.comb += put.eq(0)
                    m.d.sync += [position.eq(position.init), code.eq(code.init)]
                with m.Elif(reply.finish & ~reply.bytes.valid):
                    m.next = "CRC LOW"
            with m.State("CRC LOW"):
                m.d.comb += [byte.eq(crc.crc[:8]), put.eq(1)]
                m.next = "CRC HIGH"
            with m.State("CRC HIGH"):
                m.d.comb += [byte.eq(crc.crc[8:]), put.eq(1)]
                m.next = "CODE"
            with m.State("CODE"):
                # As if a zero came: the distance to the delimiter.
                m.d.comb += [byte.eq(0), put.eq(1)]
                m.next = "DELIMITER"
            with m.State("DELIMITER"):
                m.d.comb += [end.eq(~sending), restart.eq(1)]
                with m.If(end):
                    m.d.sync += [position.eq(position.init), code.eq(code.init)]
                    m.next = "BODY"
        address = Mux(end | (byte == 0), code, position)
        data = Mux(end, 0, Mux(byte == 0, position - code, byte))
        self._send(m, (put | end, address, data), end, sending)
        return m

    def _send(self, m: Module, write: tuple[Value, Value, Value], end: Value, sending: Signal) -> None:
        """Write into one half of the memory while the other half is sent up to its first zero.

        ``write`` is an enable, an address and a byte. At an ``end`` the halves change roles.
        """
        m.submodules.storage = storage = memory.Memory(shape=unsigned(8), depth=512, init=[])
        reader, writer = storage.read_port(), storage.write_port()
        half, address, done = Signal(), Signal(8), Signal()
        with m.If(end):
            m.d.sync += [half.eq(~half), address.eq(0), sending.eq(1)]
        with m.Elif(done):
            m.d.sync += sending.eq(0)
        m.d.comb += [
            writer.en.eq(write[0]),
            writer.addr.eq(Cat(write[1][:8], half)),
            writer.data.eq(write[2]),
            reader.en.eq(sending & ~self.o.valid),
            reader.addr.eq(Cat(address, ~half)),
            self.o.payload.eq(reader.data),
            done.eq(self.o.valid & self.o.ready & (reader.data == 0)),
        ]
        m.d.sync += Assert(~(reader.en & writer.en & (reader.addr == writer.addr)), "reply read while written")
        with m.If(reader.en):
            m.d.sync += [self.o.valid.eq(1), address.eq(address + 1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
