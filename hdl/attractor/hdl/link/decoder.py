"""From bytes to verified frames."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.crc import CrcSignature, SerialCrc32
from attractor.spec.protocol import CRC32, FRAME_BYTES, REQUEST_HEADER

__all__ = ["CONSTANTS", "DESCRIPTION", "HEADER", "IDENTITY", "PAYLOAD", "FrameDecoder", "FrameSignature"]

#: Addresses of header and payload in memory: behind the code byte with which a frame begins.
HEADER = 1
PAYLOAD = HEADER + REQUEST_HEADER.size
#: Address of what no frame reaches: the identity, as if it were the payload of a frame there, and the description.
CONSTANTS = 256
IDENTITY = CONSTANTS + PAYLOAD
DESCRIPTION = CONSTANTS + 32
_SHORTEST, _LONGEST = PAYLOAD + CRC32.size, HEADER + FRAME_BYTES


class FrameSignature(wiring.Signature):
    """A verified frame in memory, seen from the decoder.

    Parameters
    ----------
    address_bits:
        Width of ``address``.

    Members
    -------
    valid: ``Out(1)``
        There is a frame; it stays until released.
    end: ``Out(8)``
        Address behind the payload.
    address: ``In(address_bits)``
        Address of a byte: the header is at :data:`HEADER`, the payload at :data:`PAYLOAD`, what is never overwritten
        at :data:`CONSTANTS`.
    data: ``Out(8)``
        The byte whose address ``address`` was in the cycle before.
    release: ``In(1)``
        The frame is done with; ``valid`` falls in the next cycle.
    crc: ``In(CrcSignature)``
        The decoder's CRC-32, which has nothing to do while there is a frame, for the use of whoever has it.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "end": Out(8),
                "address": In(address_bits),
                "data": Out(8),
                "release": In(1),
                "crc": In(CrcSignature()),
            },
        )


class FrameDecoder(wiring.Component):
    """Decodes COBS and checks length and CRC-32.

    A byte takes eight cycles, one for each bit of the CRC-32, a delimiter one; the frame is there in the cycle after.
    Nothing is taken in while there is a frame. Damaged frames leave no trace but a strobe, and whatever they were, the
    next delimiter ends them. Nothing between two delimiters is no frame at all.

    Parameters
    ----------
    constants:
        Bytes that are readable at :data:`CONSTANTS`, in the half of the memory that frames do not need.

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

    def __init__(self, constants: bytes = b"") -> None:
        self.constants = constants
        address_bits = (CONSTANTS + len(constants) - 1).bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "frame": Out(FrameSignature(address_bits)),
                "verified": Out(1),
                "damaged": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = SerialCrc32()
        # Bytes since the last delimiter; they are no frame, whatever follows; where the next code byte is. If that is
        # more than eight bits hold, the frame is too long anyway.
        length, broken, next_code = Signal(8), Signal(), Signal(8)
        bit = Signal(3)
        offered, delimiter, good, code, put, end = Signal(), Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            offered.eq(self.i.valid & ~self.frame.valid),
            delimiter.eq(self.i.payload == 0),
            self.i.ready.eq(~self.frame.valid & (delimiter | (bit == 7))),
            put.eq(offered & ~delimiter & (bit == 7)),
            end.eq(offered & delimiter),
            code.eq(length == next_code),
            good.eq(~broken & code & (length >= _SHORTEST) & crc.good),
            self.verified.eq(end & good),
            self.damaged.eq(end & ~good & (length != 0)),
            self.frame.end.eq(length - CRC32.size),
        ]
        with m.If(offered & ~delimiter):
            m.d.sync += bit.eq(bit + 1)
        with m.If(put):
            with m.If(code):
                m.d.sync += next_code.eq(length + self.i.payload)
            with m.If(length == _LONGEST):
                m.d.sync += broken.eq(1)
            with m.Else():
                m.d.sync += length.eq(length + 1)
        with m.If(end):
            m.d.sync += [next_code.eq(0), broken.eq(0)]
        with m.If((end & ~good) | self.frame.release):
            m.d.sync += length.eq(0)
        with m.If(self.verified):
            m.d.sync += self.frame.valid.eq(1)
        with m.Elif(self.frame.release):
            m.d.sync += self.frame.valid.eq(0)
        self._check(m, crc, offered & ~delimiter, length == 0, ~code & self.i.payload.bit_select(bit, 1))
        self._store(m, put, length, Mux(code, 0, self.i.payload))
        return m

    def _check(self, m: Module, crc: SerialCrc32, step: Any, first: Any, bit: Any) -> None:
        """Run the CRC-32 over a frame, but for its first code byte, and lend it while there is one."""
        lent = self.frame.crc
        m.d.comb += [
            crc.drain.eq(lent.drain),
            lent.result.eq(crc.result),
            crc.restart.eq(Mux(self.frame.valid, lent.restart, first)),
            crc.step.eq(Mux(self.frame.valid, lent.step, step)),
            crc.bit.eq(Mux(self.frame.valid, lent.bit, bit)),
        ]

    def _store(self, m: Module, put: Any, address: Any, byte: Any) -> None:
        """Write while there is no frame; a code byte stands for the zero that ended the block before it."""
        m.submodules.storage = storage = memory.Memory(
            shape=unsigned(8), depth=CONSTANTS + len(self.constants), init=bytes(CONSTANTS) + self.constants
        )
        reader, writer = storage.read_port(), storage.write_port()
        m.d.comb += [
            writer.addr.eq(address),
            writer.data.eq(byte),
            writer.en.eq(put),
            reader.addr.eq(self.frame.address),
            reader.en.eq(self.frame.valid),
            self.frame.data.eq(reader.data),
        ]
        m.d.sync += Assert(~(reader.en & writer.en & (reader.addr == writer.addr)), "frame read while written")
