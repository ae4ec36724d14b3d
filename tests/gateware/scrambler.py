"""A small design that needs no network: what comes in goes out again in another order, through one block RAM."""

from __future__ import annotations

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import memory


class Scrambler(Elaboratable):
    """Keeps the last bits that it received, and sends some of them: which ones, they say themselves.

    ``writers`` is the number of its write ports; ``adders`` of 32 bits, one after the other, make it large.
    """

    def __init__(self, *, writers: int = 1, adders: int = 0) -> None:
        self.rx, self.tx, self.busy = Signal(init=1), Signal(init=1), Signal()
        self.writers, self.adders = writers, adders

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.store = store = memory.Memory(shape=16, depth=512, init=[])
        writers, reader = [store.write_port() for _ in range(self.writers)], store.read_port()
        address, received = Signal(range(512)), Signal(16)
        last = self.rx
        for index in range(self.adders):
            total = Signal(32, name=f"total_{index}")
            m.d.sync += total.eq(total + last)
            last = total
        m.d.sync += [address.eq(address + 1), received.eq((received << 1) | last[-1])]
        m.d.comb += [reader.addr.eq(received[:9]), self.tx.eq(reader.data[0]), self.busy.eq(reader.data.any())]
        for writer in writers:
            m.d.comb += [writer.addr.eq(address), writer.data.eq(received), writer.en.eq(1)]
        return m
