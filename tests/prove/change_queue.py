# amaranth: UnusedElaboratable=no
"""The change queue gives each announced change once, with its flag, in order."""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import Array, Cat, Mux, Signal, Value

from attractor.hdl.change_queue import CHUNK_LANES, ChangeQueue

from .harness import Harness, Inside, all_of
from .lane_walker import one_of
from .proof import Fault, Proof

#: Cycles without a mask after which changes have to come; a chunk with a single change then costs one without any.
PATIENCE = 2


def build(h: Harness, component: type[ChangeQueue], *, groups: int, lanes: int) -> None:
    dut = component(groups, lanes)
    inside = h.open(dut)
    owed = Owed(h, dut)
    _lemmas(h, dut, inside, owed)
    _order(h, dut, owed)
    # Cycles without a mask, as far as they matter.
    quiet = Signal(range(PATIENCE + 1))
    h.m.d.sync += quiet.eq(Mux(dut.i.valid, 0, Mux(quiet == PATIENCE, quiet, quiet + 1)))
    waits = (quiet == PATIENCE) & owed.any & ~dut.o.valid
    h.claim(~waits | h.past(dut.o.valid), "a change is owed and none is offered for two cycles")
    busy = dut.i.valid | (quiet == 0) | owed.any | h.past(owed.any)
    h.claim(busy | dut.empty, "nothing is waiting and it does not call itself empty")


class Owed:
    """The changes that were announced and have not come, and what follows from that for a queue.

    Attributes
    ----------
    masks, flags:
        The changes of each group and their flags.
    any:
        There is one.
    """

    def __init__(self, h: Harness, dut: Any) -> None:
        m, marks, change = h.m, dut.i.payload, dut.o.payload
        groups, lanes = dut.groups, dut.lanes
        self.masks = [Signal(lanes, name=f"owed_{group}") for group in range(groups)]
        self.flags = [Signal(lanes, name=f"owed_flags_{group}") for group in range(groups)]
        self.any = Cat(self.masks).any()
        lane, got = one_of(change.lane, lanes), dut.o.valid & dut.o.ready
        # Masks come of a group of which nothing is waiting.
        h.assume(~dut.i.valid | ((marks.group < groups) & (Array(self.masks)[marks.group] == 0)))
        for group, (mask, flags) in enumerate(zip(self.masks, self.flags, strict=True)):
            with m.If(dut.i.valid & (marks.group == group)):
                m.d.sync += [mask.eq(marks.mask), flags.eq(marks.flags)]
            with m.Elif(got & (change.group == group)):
                m.d.sync += mask.eq(mask & ~lane)
        mask = Array(self.masks)[change.group]
        exists = (change.group < groups) & (mask & lane).any()
        h.claim(~dut.o.valid | exists, "a change comes that was not announced, or comes again")
        h.claim(~dut.o.valid | ((mask & (lane - 1)[:lanes]) == 0), "a change comes before a lower one of its group")
        flag = (Array(self.flags)[change.group] & lane).any()
        h.claim(~dut.o.valid | (change.flag == flag), "a change comes with another flag")
        h.claim(~(dut.empty & (self.any | dut.i.valid)), "it calls itself empty and is not")
        h.claim_stream(dut.o, "a change")
        h.cover(got & (change.group == groups - 1) & (change.lane == lanes - 1), "the last target comes")
        h.cover(dut.empty & h.past(got), "it is empty after a change")


def _lemmas(h: Harness, dut: ChangeQueue, inside: Inside, owed: Owed) -> None:
    groups, lanes = dut.groups, dut.lanes
    first, found, stale = map(inside.get, ("first", "found", "stale"))
    chunk, chunk_flags, group, start = map(inside.get, ("chunk", "chunk_flags", "group", "start"))
    starts = range(0, lanes, CHUNK_LANES)
    places = [(group_, start_) for group_ in range(groups) for start_ in starts]
    waiting, flags = inside.get("waiting"), inside.get("flags")
    pending = Cat(bits.any() for bits in waiting)
    h.lemma(stale | (found == pending.any()), "it is known whether a chunk has a change")
    lowest = (pending & ~((1 << first) - 1))[: len(places)] == pending
    h.lemma(stale | ~found | ((one_of(first, len(places)) & pending).any() & lowest), "the first chunk is known")
    h.lemma(first < len(places), "the first chunk exists")
    shown = chunk.any()
    h.lemma(~shown | all_of([(group < groups), Value.cast(0) == (start % CHUNK_LANES)]), "a chunk that exists is shown")
    for (group_, start_), chunk_waiting, waiting_flags in zip(places, waiting, flags, strict=True):
        where = f"group {group_} from lane {start_} on"
        here, stop = shown & (group == group_) & (start == start_), start_ + len(chunk)
        mask, mask_flags = owed.masks[group_][start_:stop], owed.flags[group_][start_:stop]
        h.lemma(~here | (mask == chunk), f"{where}: what is shown is owed")
        h.lemma(~here | ~chunk_waiting.any(), f"{where}: nothing waits of what is shown")
        h.lemma(~here | ((chunk & (chunk_flags ^ mask_flags)) == 0), f"{where}: flags that are shown are owed")
        h.lemma(here | (mask == chunk_waiting), f"{where}: what waits is owed")
        h.lemma((chunk_waiting & (waiting_flags ^ mask_flags)) == 0, f"{where}: flags that wait are owed")
    h.lemma(~shown | all_of(_nothing_lower(owed, group, start, places)), "nothing lower of the group waits")


def _order(h: Harness, dut: ChangeQueue, owed: Owed) -> None:
    """Claim that a chunk is begun when nothing lower waits, but for a mask that came in the cycle before."""
    marks, shown, change = dut.i.payload, dut.o.valid, dut.o.payload
    chunk = Cat(change.group, change.lane // CHUNK_LANES)
    begins = shown & ~(h.past(shown) & (h.past(chunk) == chunk))
    for low in range(dut.groups - 1):
        waits = owed.masks[low].any() & ~h.past(dut.i.valid & (marks.group == low))
        h.claim(~(begins & (change.group > low) & waits), f"a higher group comes while group {low} waits")


def _nothing_lower(owed: Owed, group: Value, start: Value, places: list[tuple[int, int]]) -> list[Value]:
    return [
        (group != group_) | (start <= start_) | (owed.masks[group_][start_ : start_ + CHUNK_LANES] == 0)
        for group_, start_ in places
    ]


PROOFS = (
    Proof(
        "change queue, 3 groups of 20 lanes",
        ChangeQueue,
        partial(build, groups=3, lanes=20),
        faults=(
            Fault("found & ~stale & ", "found & "),
            Fault("stale.eq(self.i.valid | fetch)", "stale.eq(fetch)"),
            Fault("~(self.i.valid | stale | found | chunk.any())", "~(found | chunk.any())"),
            Fault("self.o.ready & ~rest.any()", "self.o.ready"),
            Fault("self.o.payload.lane.eq(start + lane)", "self.o.payload.lane.eq(lane)"),
            Fault("waiting[index].eq(0)", "waiting[index].eq(waiting[index])"),
            Fault("chunk_flags.eq(Array(flags)[first])", "chunk_flags.eq(flags[0])"),
        ),
    ),
)
