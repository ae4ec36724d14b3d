# amaranth: UnusedElaboratable=no
"""Parts of the link beside the line: the attention sign, and the rate to which a device goes back."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal

from attractor.hdl.link.attention import AttentionDetector
from attractor.hdl.link.rate import LineRate
from attractor.spec.protocol import ATTENTION

from .harness import Harness
from .proof import Fault, Proof

#: Clock cycles of patience, and the rate at first.
PATIENCE, START = 5, 1234


def attention(h: Harness, component: type[AttentionDetector]) -> None:
    dut = component()
    inside = h.open(dut)
    zero = dut.i.valid & (dut.i.payload == 0)
    # Zero bytes in a row so far, as far as they matter.
    row = Signal(range(len(ATTENTION) + 1))
    with h.m.If(dut.i.valid):
        h.m.d.sync += row.eq(Mux(~zero, 0, Mux(row == len(ATTENTION), row, row + 1)))
    h.claim(dut.seen == (zero & (row == len(ATTENTION) - 1)), "the sign is seen where there is none, or is not seen")
    h.lemma(inside.get("zeros") == row, "zeros are counted")
    h.cover(dut.seen, "the sign is seen")
    h.cover(zero & ~dut.seen & (row == len(ATTENTION)), "a longer row of zeros is seen once")


def rate(h: Harness, component: type[LineRate]) -> None:
    dut = component(START, PATIENCE)
    inside = h.open(dut)
    # Cycles since something came of which nothing made sense yet; 0 where there is none.
    since = Signal(range(PATIENCE + 2))
    with h.m.If(dut.keep):
        h.m.d.sync += since.eq(0)
    with h.m.Elif((since != 0) | dut.heard):
        h.m.d.sync += since.eq(Mux(since == PATIENCE + 1, since, since + 1))
    over = since == PATIENCE + 1
    h.claim(~h.past(over) | (dut.step == START), "the rate is not the first one when patience ended")
    asked, changed = h.past(dut.take.any()), h.past(1) & (dut.step != h.past(dut.step))
    h.claim(~changed | asked | h.past(over), "the rate changes though nobody asked and patience did not end")
    for part in range(3):
        low, high = 8 * part, min(8 * part + 8, len(dut.step))
        taken = h.past(dut.take[part]) & ~h.past(over)
        h.claim(~taken | (dut.step[low:high] == h.past(dut.data)[: high - low]), f"byte {part} of a rate is not taken")
    waited, waiting = inside.get("waited"), inside.get("waiting")
    h.lemma(waiting == (since != 0), "it waits since something came")
    h.lemma((waited - waited.init)[: len(waited)] == Mux(since == 0, 0, since - 1), "it knows how long it waits")
    h.cover(h.past(over) & (h.past(dut.step) != START), "the rate goes back")
    h.cover((since > 1) & dut.keep & (dut.step != START), "another rate is kept by what makes sense")


PROOFS = (
    Proof(
        "attention sign",
        AttentionDetector,
        attention,
        faults=(
            Fault("zeros == len(ATTENTION) - 1", "zeros >= len(ATTENTION) - 1"),
            Fault("with m.If(self.i.payload != 0)", "with m.If(self.i.payload == 1)"),
            Fault("zeros.eq(zeros + 1)", "zeros.eq(zeros + self.i.valid * 2)"),
        ),
    ),
    Proof(
        "rate of the line, 5 cycles of patience",
        LineRate,
        rate,
        faults=(
            Fault("self.step.eq(self.start)", "self.step[1:].eq(self.start >> 1)"),
            Fault("[waited.eq(waited.init), waiting.eq(0)]", "[waiting.eq(0)]"),
            Fault("waiting & ~over", "waiting", depth=20),
            Fault("waiting | self.heard", "self.heard"),
            Fault("self.step[8 * part : 8 * part + 8]", "self.step[8 : 8 + 8]"),
        ),
    ),
)
