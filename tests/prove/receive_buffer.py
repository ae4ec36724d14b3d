# amaranth: UnusedElaboratable=no
"""The receive buffer is a queue; it loses a byte, and says so, only where it is full."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Mux, Signal

from attractor.hdl.link.buffer import ReceiveBuffer

from .harness import Harness
from .proof import Fault, Proof

DEPTH = 4


def build(h: Harness, component: type[ReceiveBuffer]) -> None:
    dut = component(DEPTH)
    words: list[Any] = []
    inside = h.open(
        dut, lambda module: words.extend(module.submodules.storage.read_port(domain="comb") for _ in range(DEPTH))
    )
    m, i, o = h.m, dut.i, dut.o
    m.d.comb += [port.addr.eq(place) for place, port in enumerate(words)]
    # What came and was not lost, the oldest first; one byte more than the memory holds, which is the one on ``o``.
    count, held = Signal(range(DEPTH + 2)), [Signal(8, name=f"held_{place}") for place in range(DEPTH + 1)]
    got, put = o.valid & o.ready, i.valid & ~dut.overrun
    left = count - got
    m.d.sync += count.eq(left + put)
    for place, byte in enumerate(held):
        following = Mux(got, held[place + 1], byte) if place < DEPTH else byte
        m.d.sync += byte.eq(Mux(put & (left == place), i.payload, following))
    inner = (count - o.valid)[: len(count)]
    h.claim(~o.valid | ((count != 0) & (o.payload == held[0])), "a byte is lost, doubled, changed or out of order")
    h.claim(dut.overrun == (i.valid & (inner == DEPTH)), "a byte is lost though there is room, or taken without")
    h.claim_stream(o, "a byte")
    empty = Signal(2)
    m.d.sync += empty.eq(Mux((count != 0) & ~o.valid, empty + 1, 0))
    h.claim(empty < 2, "a byte is not shown two cycles after it came")
    put_count, got_count = inside.get("put"), inside.get("got")
    used = (put_count - got_count)[: len(put_count)]
    h.lemma(inner <= DEPTH, "the memory holds no more than it has places")
    h.lemma(used == inner, "the memory holds what is not on ``o``")
    h.lemma((empty == 0) | o.valid, "a byte is fetched at once")
    for place in range(DEPTH):
        stored = Array([port.data for port in words])[(got_count + place)[:-1][: len(got_count) - 1]]
        kept = Mux(o.valid, held[place + 1], held[place])
        h.lemma((place >= inner) | (stored == kept), f"byte {place} in memory is that which came")
    h.cover(dut.overrun, "a byte is lost")
    h.cover(got & (count == DEPTH + 1), "a byte leaves a full buffer")
    h.cover((put_count == 2 * DEPTH - 1) & got & (count == 1), "the memory was filled again from its start")


PROOFS = (
    Proof(
        "receive buffer, 4 bytes",
        ReceiveBuffer,
        build,
        faults=(
            Fault("meet & (put[-1] != got[-1])", "meet"),
            Fault("writer.en.eq(self.i.valid & ~full)", "writer.en.eq(self.i.valid)", depth=16),
            Fault("~(meet & (put[-1] == got[-1])) & ~self.o.valid", "~(meet & (put[-1] == got[-1]))"),
            Fault("reader.addr.eq(got[:-1])", "reader.addr.eq(got[:-1] | 1)"),
            Fault("self.overrun.eq(self.i.valid & full)", "self.overrun.eq(0)"),
        ),
    ),
)
