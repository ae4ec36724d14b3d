# amaranth: UnusedElaboratable=no
"""The stream register is a queue of two payloads."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal

from attractor.hdl.stream_register import StreamRegister

from .harness import Harness
from .proof import Fault, Proof

BITS = 8


def build(h: Harness, component: type[StreamRegister]) -> None:
    dut = component(BITS)
    inside = h.open(dut)
    m, i, o = h.m, dut.i, dut.o
    # A queue as one would write it down: how many payloads it holds, and which.
    count, first, second = Signal(2), Signal(BITS), Signal(BITS)
    put, got = i.valid & i.ready, o.valid & o.ready
    m.d.sync += count.eq(count + put - got)
    with m.If(got):
        m.d.sync += first.eq(Mux(count == 2, second, i.payload))
    with m.Elif(count == 0):
        m.d.sync += first.eq(i.payload)
    with m.If(put):
        m.d.sync += second.eq(i.payload)
    h.claim(o.valid == (count != 0), "what is held is not offered, or more than that")
    h.claim(~o.valid | (o.payload == first), "a payload is lost, doubled, changed or out of order")
    h.claim(i.ready == (count != 2), "there is room and none is shown, or the other way round")
    h.claim_stream(o, "the payload")
    valid, spare_valid, spare = (inside.get(name) for name in ("valid", "spare_valid", "spare"))
    h.lemma(count == valid + spare_valid, "both registers hold as many as the queue")
    h.lemma(valid | ~spare_valid, "the spare register is filled last")
    h.lemma(~spare_valid | (spare == second), "the spare register holds the second payload")
    h.cover(got & (count == 2) & (first != second), "one of two payloads leaves")
    h.cover(got & put, "a payload leaves as another one comes")


PROOFS = (
    Proof(
        name="stream register",
        component=StreamRegister,
        build=build,
        faults=(
            Fault("self.o.ready | ~valid", "self.o.ready"),
            Fault("spare_valid | self.i.valid", "self.i.valid"),
            Fault("self.i.ready.eq(~spare_valid)", "self.i.ready.eq(1)"),
            Fault("payload.eq(spare)", "payload.eq(self.i.payload)"),
        ),
    ),
)
