# amaranth: UnusedElaboratable=no
"""The arbiter passes on the one stream that requests, and takes nothing of the others."""

from __future__ import annotations

from amaranth.hdl import Cat

from attractor.hdl.arbiter import StreamArbiter

from .harness import Harness
from .proof import Fault, Proof

INPUTS = 4


def build(h: Harness, component: type[StreamArbiter]) -> None:
    dut = component(8, INPUTS)
    h.open(dut)
    requests = Cat(source.valid for source in dut.i)
    h.assume((requests & (requests - 1)) == 0)
    for source in dut.i:
        h.assume_stream(source)
    transfers = Cat(source.valid & source.ready for source in dut.i)
    for index, source in enumerate(dut.i):
        passed = dut.o.valid & (dut.o.payload == source.payload) & (source.ready == dut.o.ready)
        h.claim(~source.valid | passed, f"source {index} requests and is not passed on")
        h.cover(transfers[index], f"source {index} is passed on")
    h.claim(dut.o.valid == requests.any(), "something is offered that no source has")
    h.claim((transfers != 0) == (dut.o.valid & dut.o.ready), "one end of a stream sees a transfer and the other none")
    h.claim_stream(dut.o, "the payload")


PROOFS = (
    Proof(
        "arbiter, 4 streams",
        StreamArbiter,
        build,
        faults=(
            Fault("self.o.payload.eq(source.payload)", "self.o.payload.eq(self.i[0].payload)"),
            Fault("source.ready.eq(self.o.ready)", "source.ready.eq(1)"),
            Fault("self.o.valid.eq(source.valid)", "self.o.valid.eq(1)"),
            Fault('.rjust(self.inputs, "-")', '.rjust(self.inputs, "1")'),
        ),
    ),
)
