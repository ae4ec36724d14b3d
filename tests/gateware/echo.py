"""A small design that needs no network: received bytes are sent back through a FIFO."""

from amaranth.hdl import Module, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out


class Echo(wiring.Component):
    """UART echo with 512 bytes of block RAM; ``busy`` while a byte is sent."""

    rx: In(1, init=1)  # pyright: ignore[reportInvalidTypeForm]
    tx: Out(1, init=1)  # pyright: ignore[reportInvalidTypeForm]
    busy: Out(1)  # pyright: ignore[reportInvalidTypeForm]

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        rx = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, rx, init=1)
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=8, depth=512)

        receive_time, receive_bits, received = Signal(range(2 * self.divisor)), Signal(4), Signal(8)
        with m.If((receive_bits == 0) & ~rx):
            m.d.sync += [receive_bits.eq(9), receive_time.eq(self.divisor + self.divisor // 2)]
        with m.Elif((receive_bits != 0) & (receive_time == 0)):
            m.d.sync += [receive_bits.eq(receive_bits - 1), receive_time.eq(self.divisor - 1)]
            with m.If(receive_bits == 1):
                m.d.comb += [queue.w_data.eq(received), queue.w_en.eq(rx)]
            with m.Else():
                m.d.sync += received.eq(received[1:] | (rx << 7))
        with m.Elif(receive_bits != 0):
            m.d.sync += receive_time.eq(receive_time - 1)

        send_time, send_bits, sending = Signal(range(self.divisor)), Signal(4), Signal(9, init=0x1FF)
        m.d.comb += [self.busy.eq(send_bits != 0), self.tx.eq(sending[0])]
        with m.If(send_bits == 0):
            m.d.comb += queue.r_en.eq(queue.r_rdy)
            with m.If(queue.r_rdy):
                m.d.sync += [sending.eq(queue.r_data << 1), send_bits.eq(10), send_time.eq(self.divisor - 1)]
        with m.Elif(send_time == 0):
            m.d.sync += [
                sending.eq((sending >> 1) | 0x100),
                send_bits.eq(send_bits - 1),
                send_time.eq(self.divisor - 1),
            ]
        with m.Else():
            m.d.sync += send_time.eq(send_time - 1)
        return m
