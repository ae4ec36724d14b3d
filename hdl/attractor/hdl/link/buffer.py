"""The memory that takes in bytes while a command keeps the device busy."""

from amaranth.hdl import Assert, Module, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ReceiveBuffer"]


class ReceiveBuffer(wiring.Component):
    """A FIFO of bytes in block RAM that never holds back its source: what does not fit is lost.

    A byte that comes into an empty buffer is shown two cycles later; a byte goes out every other cycle at most.

    Parameters
    ----------
    depth:
        Bytes that it holds, a power of two.

    Members
    -------
    i: ``In(stream of 8 bits, always ready)``
    o: ``Out(stream of 8 bits)``
    overrun: ``Out(1)``
        For one cycle: a byte was lost.
    """

    i: stream.Interface
    o: stream.Interface
    overrun: Signal

    def __init__(self, depth: int) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"a buffer of {depth} bytes: the depth must be a power of two, at least 2")
        self.depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "o": Out(stream.Signature(8)),
                "overrun": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.storage = storage = memory.Memory(shape=unsigned(8), depth=self.depth, init=[])
        reader, writer = storage.read_port(), storage.write_port()
        # One bit more than an address tells full from empty.
        put, got = Signal(range(2 * self.depth)), Signal(range(2 * self.depth))
        meet, full, fetch = Signal(), Signal(), Signal()
        m.d.comb += [
            meet.eq(put[:-1] == got[:-1]),
            full.eq(meet & (put[-1] != got[-1])),
            self.overrun.eq(self.i.valid & full),
            writer.addr.eq(put[:-1]),
            writer.data.eq(self.i.payload),
            writer.en.eq(self.i.valid & ~full),
            fetch.eq(~(meet & (put[-1] == got[-1])) & ~self.o.valid),
            reader.addr.eq(got[:-1]),
            reader.en.eq(fetch),
            self.o.payload.eq(reader.data),
        ]
        m.d.sync += Assert(~(reader.en & writer.en & (reader.addr == writer.addr)), "receive buffer read while written")
        with m.If(writer.en):
            m.d.sync += put.eq(put + 1)
        with m.If(fetch):
            m.d.sync += [got.eq(got + 1), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
