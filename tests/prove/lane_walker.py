# amaranth: UnusedElaboratable=no
"""The lane walker gives each marked lane of each word once, with its group and flag, in order."""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value

from attractor.hdl.change_queue import CHUNK_LANES
from attractor.hdl.lane_walker import LaneWalker

from .harness import Harness, Inside
from .proof import Fault, Proof

GROUPS = 3


def build(h: Harness, component: type[LaneWalker], *, lanes: int) -> None:
    dut = component(GROUPS, lanes)
    inside = h.open(dut)
    m, marks, change = h.m, dut.i.payload, dut.o.payload
    h.assume_stream(dut.i)
    # What is still to come of the words that were taken, and what has come of the one that is offered.
    owed, given = Signal(dut.marks), Signal(lanes)
    lane = one_of(change.lane, lanes)
    from_owed = owed.mask.any()
    left = Mux(from_owed, owed.mask, Mux(dut.i.valid, marks.mask & ~given, 0))
    got, taken = dut.o.valid & dut.o.ready, dut.i.valid & dut.i.ready
    given_now = given | Mux(got & ~from_owed, lane, 0)
    m.d.sync += [
        given.eq(Mux(taken, 0, given_now)),
        owed.mask.eq(Mux(taken, marks.mask & ~given_now, owed.mask & ~Mux(got, lane, 0))),
    ]
    with m.If(taken):
        m.d.sync += [owed.group.eq(marks.group), owed.flags.eq(marks.flags)]
    group, flags = Mux(from_owed, owed.group, marks.group), Mux(from_owed, owed.flags, marks.flags)
    h.claim(~dut.o.valid | (left & lane).any(), "a lane comes that is not marked, or comes again")
    h.claim(~dut.o.valid | ((left & (lane - 1)[:lanes]) == 0), "a lane comes before a lower one")
    h.claim(~dut.o.valid | (change.group == group), "a lane comes with another group")
    h.claim(~dut.o.valid | (change.flag == (flags & lane).any()), "a lane comes with another flag")
    h.claim(~(taken & (owed.mask & ~Mux(got, lane, 0)).any()), "a word is taken before the one before has come")
    h.claim(dut.idle == ~(dut.i.valid | from_owed), "it is idle with something inside, or not without")
    h.claim_stream(dut.o, "a change")
    h.claim(~from_owed | dut.o.valid, "a lane that is owed is not offered")
    # Cycles in a row in which nothing is offered of a word that waits.
    waits, chunks = Signal(8), -(-lanes // CHUNK_LANES)
    m.d.sync += waits.eq(Mux(dut.i.valid & ~dut.o.valid & ~taken, waits + 1, 0))
    h.claim(waits < chunks, "a word waits for longer than its chunks take")
    h.lemma(waits <= inside.get("number"), "a chunk is fetched in each cycle in which a word waits")
    _lemmas(h, dut, inside, owed, given)
    _covers(h, dut, owed, got, taken)


def _lemmas(h: Harness, dut: LaneWalker, inside: Inside, owed: Any, given: Signal) -> None:
    lanes, marks = dut.lanes, dut.i.payload
    number, chunk, flags, group, start = map(inside.get, ("number", "chunk", "flags", "group", "start"))
    starts = range(0, lanes, CHUNK_LANES)
    shown, shown_flags = (Signal(lanes, name=f"shown_{name}") for name in ("lanes", "flags"))
    fetched = Signal(lanes)
    h.m.d.comb += [
        shown.eq(chunk << start),
        shown_flags.eq(flags << start),
        fetched.eq((1 << (number * CHUNK_LANES)) - 1),
    ]
    first = number == 0
    chunk_number = Mux(first, len(starts) - 1, number - 1)
    width = min(CHUNK_LANES, lanes)
    h.lemma(number < len(starts), "a chunk that exists is fetched next")
    h.lemma(first | dut.i.valid, "a word stays while its chunks are fetched")
    h.lemma(~chunk.any() | (start == chunk_number * CHUNK_LANES), "the chunk before is given out")
    h.lemma(~chunk.any() | (Cat(chunk) == (shown >> start)[:width]), "a chunk has no more lanes than there are")
    h.lemma(~chunk.any() | first | (group == marks.group), "the group is that of the word")
    h.lemma(~chunk.any() | ~first | (group == owed.group), "the group is that of the word before")
    h.lemma(first | ((shown & (shown_flags ^ marks.flags)) == 0), "flags are those of the word")
    h.lemma(~first | ((shown & (shown_flags ^ owed.flags)) == 0), "flags are those of the word before")
    h.lemma(first | (owed.mask == 0), "nothing is owed of a word before")
    h.lemma(~first | (owed.mask == shown), "what is shown is owed")
    h.lemma(~first | (given == 0), "nothing was given of a word before its first chunk is fetched")
    h.lemma(first | (given == (marks.mask & fetched & ~shown)), "what was fetched was given or is shown")
    h.lemma(first | ((shown & ~(marks.mask & fetched)) == 0), "what is shown is marked")


def _covers(h: Harness, dut: LaneWalker, owed: Any, got: Value, taken: Value) -> None:
    h.cover(got & (dut.o.payload.lane == dut.lanes - 1), "the last lane comes")
    if dut.lanes <= CHUNK_LANES:
        h.cover(got & taken & owed.mask.any(), "a word is taken as the last lane of the one before leaves")
    h.cover(taken & (dut.i.payload.mask == 0), "a word without marks is taken")


def one_of(index: Value, width: int) -> Value:
    """Return ``width`` bits of which the one with an index is set."""
    return Cat(index == bit for bit in range(width))


FAULTS = (
    Fault("self.o.ready & ~rest.any()", "self.o.ready"),
    Fault("self.o.payload.lane.eq(start + lane)", "self.o.payload.lane.eq(lane)"),
    Fault("self.i.ready.eq(fetch & last)", "self.i.ready.eq(fetch)"),
    Fault("flags.bit_select(lane, 1)", "flags[0]"),
    Fault("group.eq(marks.group)", "group.eq(group)"),
    Fault("m.d.sync += chunk.eq(rest)", "m.d.sync += chunk.eq(0)"),
)

PROOFS = (
    Proof("lane walker, 20 lanes", LaneWalker, partial(build, lanes=20), FAULTS),
    Proof("lane walker, 3 lanes", LaneWalker, partial(build, lanes=3), (FAULTS[0], *FAULTS[3:])),
)
