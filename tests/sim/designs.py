"""Small designs with a serial line, for tests of the board around them."""

from amaranth.hdl import Assert, Module, Signal
from amaranth.lib import fifo, memory, wiring
from amaranth.lib.wiring import In, Out

DIVISOR = 4
FRAME_BITS = 10
#: Clock cycles that ``Commands`` works on a ``w``: far more than a board waits for a design that is not busy.
WORK_CYCLES = 60_000
#: Clock cycles of a break: longer than a byte, and shorter than two.
BREAK_CYCLES = 13 * DIVISOR


class Line(wiring.Component):
    """Serial receiver and transmitter, :data:`DIVISOR` clocks a bit; the transmitter leaves no gaps."""

    rx: In(1, init=1)  # pyright: ignore[reportInvalidTypeForm]
    tx: Out(1, init=1)  # pyright: ignore[reportInvalidTypeForm]
    received: Out(8)  # pyright: ignore[reportInvalidTypeForm]
    received_valid: Out(1)  # pyright: ignore[reportInvalidTypeForm]
    send: In(8)  # pyright: ignore[reportInvalidTypeForm]
    send_valid: In(1)  # pyright: ignore[reportInvalidTypeForm]
    send_ready: Out(1)  # pyright: ignore[reportInvalidTypeForm]

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        time, bits = Signal(range(2 * DIVISOR)), Signal(4)
        with m.If(bits == 0), m.If(~self.rx):
            m.d.sync += [bits.eq(FRAME_BITS - 1), time.eq(DIVISOR + DIVISOR // 2 - 1)]
        with m.Elif(time == 0):
            m.d.sync += [bits.eq(bits - 1), time.eq(DIVISOR - 1)]
            with m.If(bits == 1):
                m.d.comb += self.received_valid.eq(self.rx)
            with m.Else():
                m.d.sync += self.received.eq(self.received[1:] | (self.rx << 7))
        with m.Else():
            m.d.sync += time.eq(time - 1)

        send_time, send_bits, level = Signal(range(DIVISOR)), Signal(4), Signal(FRAME_BITS, init=-1)
        m.d.comb += [
            self.tx.eq(level[0]),
            self.send_ready.eq((send_bits == 0) | ((send_bits == 1) & (send_time == 0))),
        ]
        with m.If(self.send_ready & self.send_valid):
            m.d.sync += [level.eq((self.send << 1) | 0x200), send_bits.eq(FRAME_BITS), send_time.eq(DIVISOR - 1)]
        with m.Elif(send_bits != 0):
            m.d.sync += send_time.eq(send_time - 1)
            with m.If(send_time == 0):
                m.d.sync += [level.eq((level >> 1) | 0x200), send_bits.eq(send_bits - 1), send_time.eq(DIVISOR - 1)]
        return m


class Design(wiring.Component):
    """The ports that a board needs."""

    rx: In(1, init=1)  # pyright: ignore[reportInvalidTypeForm]
    tx: Out(1, init=1)  # pyright: ignore[reportInvalidTypeForm]
    busy: Out(1)  # pyright: ignore[reportInvalidTypeForm]

    def line(self, m: Module) -> Line:
        m.submodules.line = line = Line()
        m.d.comb += [line.rx.eq(self.rx), self.tx.eq(line.tx)]
        return line


class Echo(Design):
    """Sends back what it receives. Sixteen bytes of queue: a transmitter with gaps would soon lose some."""

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        line = self.line(m)
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=8, depth=16)
        m.d.comb += [
            queue.w_data.eq(line.received),
            queue.w_en.eq(line.received_valid),
            line.send.eq(queue.r_data),
            line.send_valid.eq(queue.r_rdy),
            queue.r_en.eq(line.send_ready),
        ]
        return m


class Commands(Design):
    """Answers some bytes with one byte and ignores all others.

    ``w`` works for :data:`WORK_CYCLES`, then answers ``w``; ``c`` answers the number of commands so far; ``u`` answers
    what was never initialised; ``f`` fails an assertion; ``b`` holds the line low for :data:`BREAK_CYCLES`.
    """

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        line = self.line(m)
        m.submodules.memory = unread = memory.Memory(shape=8, depth=4, init=[])
        write, read = unread.write_port(), unread.read_port()
        count, work = Signal(8), Signal(range(WORK_CYCLES + 1))
        # Never in fact, but no tool sees that.
        m.d.comb += [read.en.eq(count == 0xFF), write.en.eq(count == 0xFF)]
        m.d.comb += self.busy.eq(work != 0)
        m.d.sync += Assert(~(line.received_valid & (line.received == ord("f"))), "asked to fail")
        with m.If(line.received_valid):
            m.d.sync += count.eq(count + 1)
            m.d.comb += line.send_valid.eq((line.received == ord("c")) | (line.received == ord("u")))
            with m.If(line.received == ord("w")):
                m.d.sync += work.eq(WORK_CYCLES)
        m.d.comb += line.send.eq(count)
        with m.If(line.received == ord("u")):
            m.d.comb += line.send.eq(read.data)
        silence = Signal(range(BREAK_CYCLES + 1))
        with m.If(line.received_valid & (line.received == ord("b"))):
            m.d.sync += silence.eq(BREAK_CYCLES)
        with m.If(silence != 0):
            m.d.sync += silence.eq(silence - 1)
            m.d.comb += self.tx.eq(0)
        with m.If(work != 0):
            m.d.sync += work.eq(work - 1)
        with m.If(work == 1):
            m.d.comb += [line.send_valid.eq(1), line.send.eq(ord("w"))]
        return m
