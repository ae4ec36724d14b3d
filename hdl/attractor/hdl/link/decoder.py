"""From bytes to verified frames."""

from typing import Any

from amaranth.hdl import Assert, Cat, Module, Mux, ResetInserter, Signal, Value, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.crc.catalog import CRC16_IBM_3740
from amaranth.lib.wiring import In, Out

from attractor.spec import PAYLOAD_BYTES
from attractor.spec.protocol import REQUEST_HEADER

__all__ = ["GREATEST_BODY", "LEAST_BODY", "FrameDecoder", "FrameSignature"]

#: Bytes before and with the longest payload, without the CRC.
LEAST_BODY = REQUEST_HEADER.size
GREATEST_BODY = REQUEST_HEADER.size + PAYLOAD_BYTES


class FrameSignature(wiring.Signature):
    """A verified frame in memory, seen from the decoder.

    Members
    -------
    valid: ``Out(1)``
        There is a frame; it stays until released.
    length: ``Out(8)``
        Bytes of header and payload.
    address: ``In(8)``
        Index of a byte.
    data: ``Out(8)``
        The byte whose index ``address`` was in the cycle before.
    release: ``In(1)``
        The frame is done with; ``valid`` falls in the next cycle.
    """

    def __init__(self) -> None:
        super().__init__(
            {"valid": Out(1), "length": Out(8), "address": In(8), "data": Out(8), "release": In(1)},
        )


class FrameDecoder(wiring.Component):
    """Decodes COBS, checks length and CRC-16, and keeps the last good frame while it takes in the next one.

    Takes a byte in every cycle, and the frame is there in the cycle after its delimiter. A delimiter waits while the
    frame before it was not released; that is all the back-pressure there is. Damaged frames leave no trace but a
    strobe, and whatever they were, the next delimiter ends them. Nothing between two delimiters is no frame at all.

    Members
    -------
    i: ``In(stream of 8 bits)``
    frame: ``Out(FrameSignature)``
    verified, damaged: ``Out(1)``
        For one cycle: a frame ended and was good, or was not.
    """

    i: stream.Interface
    frame: Any
    verified: Signal
    damaged: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "frame": Out(FrameSignature()),
                "verified": Out(1),
                "damaged": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        crc: Any = CRC16_IBM_3740().create()
        restart = Signal()
        m.submodules.crc = ResetInserter(restart)(crc)
        # Something came since the last delimiter; it is no frame, whatever follows; bytes to the next code byte.
        started, broken, block = Signal(), Signal(), Signal(8)
        # The last two bytes, which are the CRC when the frame ends, so it need not be told from the payload before.
        held = Signal(16, reset_less=True)
        # Bytes before ``held``, modulo 256.
        length = Signal(8, init=254)
        take, delimiter, good = Signal(), Signal(), Signal()
        put, byte = Signal(), Signal(8)
        m.d.comb += [
            delimiter.eq(self.i.payload == 0),
            self.i.ready.eq(~(delimiter & self.frame.valid)),
            take.eq(self.i.valid & self.i.ready),
            good.eq(~broken & (block == 0) & (length >= LEAST_BODY) & (length <= GREATEST_BODY) & (held == crc.crc)),
            self.verified.eq(take & delimiter & good),
            self.damaged.eq(take & delimiter & started & ~good),
            # A code byte stands for the zero that ended the block before it.
            put.eq(take & ~delimiter & ((block != 0) | started)),
            byte.eq(Mux(block == 0, 0, self.i.payload)),
            crc.data.eq(held[:8]),
            restart.eq(length >= 254),
            crc.valid.eq(put & (length < 254)),
        ]
        with m.If(take & delimiter):
            m.d.sync += [started.eq(0), broken.eq(0), block.eq(0), length.eq(length.init)]
        with m.Elif(take):
            m.d.sync += [started.eq(1), block.eq(Mux(block == 0, self.i.payload, block) - 1)]
        with m.If(put):
            m.d.sync += held.eq(Cat(held[8:], byte))
            with m.If(length == GREATEST_BODY):
                m.d.sync += broken.eq(1)
            with m.Else():
                m.d.sync += length.eq(length + 1)
        with m.If(self.verified):
            m.d.sync += [self.frame.valid.eq(1), self.frame.length.eq(length)]
        with m.Elif(self.frame.release):
            m.d.sync += self.frame.valid.eq(0)
        self._store(m, put, length, held[:8])
        return m

    def _store(self, m: Module, put: Value, address: Value, byte: Value) -> None:
        """Write into one half of the memory while the frame in the other half is read."""
        m.submodules.storage = storage = memory.Memory(shape=unsigned(8), depth=512, init=[])
        reader, writer = storage.read_port(), storage.write_port()
        half = Signal()
        with m.If(self.verified):
            m.d.sync += half.eq(~half)
        m.d.comb += [
            writer.addr.eq(Cat(address, half)),
            writer.data.eq(byte),
            writer.en.eq(put),
            reader.addr.eq(Cat(self.frame.address, ~half)),
            self.frame.data.eq(reader.data),
        ]
        m.d.sync += Assert(~(writer.en & (reader.addr == writer.addr)), "frame read while written")
