# amaranth: UnusedElaboratable=no
"""The change list gives each announced change once, with its flag, in the order in which masks came."""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import Array, Const, Mux, Signal, Value

from attractor.hdl.change_list import ChangeList
from attractor.hdl.change_queue import CHUNK_LANES

from .change_queue import Owed
from .harness import Harness, Inside, any_of
from .proof import Fault, Proof

#: Cycles from a mask to its first change, without those for empty chunks.
LATENCY = 4


def build(h: Harness, component: type[ChangeList], *, groups: int, lanes: int) -> None:
    dut = component(groups, lanes)
    words: list[Any] = []

    def watch(module: Any) -> None:
        depth = 1 << (groups - 1).bit_length()
        words.extend(module.submodules.words.read_port(domain="comb") for _ in range(depth))

    inside = h.open(dut, watch)
    h.m.d.comb += [port.addr.eq(place) for place, port in enumerate(words)]
    owed = Owed(h, dut)
    places = _places(h, dut, inside, [port.data for port in words])
    _kept(h, owed, places)
    _order(h, dut, owed, places)
    # Cycles in a row in which a change is owed and none offered, or nothing is owed.
    chunks = -(-lanes // CHUNK_LANES)
    waits, rests = Signal(8), Signal(8)
    h.m.d.sync += [
        waits.eq(Mux(owed.any & ~dut.o.valid, waits + 1, 0)),
        rests.eq(Mux(owed.any | dut.i.valid, 0, Mux(rests.all(), rests, rests + 1))),
    ]
    h.claim(waits < LATENCY + chunks - 1, "a change is owed and none is offered for too long")
    number, valid = inside.get("walker.number"), inside.get("valid")
    h.lemma(
        dut.o.valid | (waits <= Mux(valid, 2 + number, 2)), "a change goes on in each cycle in which none is offered"
    )
    h.lemma((rests <= number + 1) | ~valid, "no word stays behind")
    h.lemma(~valid | (rests == 0) | (number != 0), "no word stays behind")
    h.claim((rests <= chunks) | dut.i.valid | dut.empty, "nothing is waiting and it does not call itself empty")


class Place:
    """Where changes of one group may be, between their mask and ``o``.

    Attributes
    ----------
    used, rank:
        There are some, and places of a lower rank leave first.
    group, mask, flags:
        Those that are still to come.
    """

    def __init__(self, name: str, rank: Value, used: Value, group: Value, mask: Value, flags: Value) -> None:
        self.name, self.rank, self.used = name, rank, used
        self.group, self.mask, self.flags = group, mask, flags


def _places(h: Harness, dut: ChangeList, inside: Inside, words: list[Any]) -> list[Place]:
    """Return all places; claim on the way that they are used as a ring is."""
    lanes = dut.lanes
    loaded, taken, valid, arrived = map(inside.get, ("loaded", "taken", "valid", "arrived"))
    marks = inside.get("marks")
    number, chunk, chunk_flags, group, start = (
        inside.get(f"walker.{name}") for name in ("number", "chunk", "flags", "group", "start")
    )
    word = inside.get("walker.i.payload")
    shown, shown_flags, left = Signal(lanes), Signal(lanes), Signal(lanes)
    first, starts = number == 0, range(0, lanes, CHUNK_LANES)
    h.m.d.comb += [shown.eq(chunk << start), shown_flags.eq(chunk_flags << start)]
    h.m.d.comb += left.eq(word.mask & ~((1 << (number * CHUNK_LANES)) - 1))
    used = Signal.like(loaded)
    h.m.d.comb += used.eq(loaded - taken)
    h.lemma(used <= len(words), "the ring holds no more words than it has")
    h.lemma(number < len(starts), "a chunk that exists is fetched next")
    h.lemma(first | valid, "a word stays while its chunks are fetched")
    shown_number = Mux(first, len(starts) - 1, number - 1)
    h.lemma(~chunk.any() | (start == shown_number * CHUNK_LANES), "the chunk before is given out")
    h.lemma(~chunk.any() | (chunk == (shown >> start)[: len(chunk)]), "a chunk has no more lanes than there are")
    whole = [
        Place("walker", Const(0, 4), chunk.any() & first, group, shown, shown_flags),
        Place("word", Const(1, 4), valid & first, word.group, word.mask, word.flags),
        Place("rest", Const(1, 4), valid & ~first & (left | shown).any(), word.group, left | shown, word.flags),
        Place("new", Const(15, 4), arrived & marks.mask.any(), marks.group, marks.mask, marks.flags),
    ]
    h.lemma(first | ~chunk.any() | (group == word.group), "the group is that of the word")
    h.lemma(first | ((shown & (shown_flags ^ word.flags)) == 0), "flags are those of the word")
    h.lemma(first | ((shown & ~word.mask) == 0), "what is shown is marked")
    for place, stored in enumerate(words):
        distance = (place - taken)[: len(loaded) - 1]
        within = distance < used
        whole.append(Place(f"ring {place}", 2 + distance, within, stored.group, stored.mask, stored.flags))
    return whole


def _kept(h: Harness, owed: Owed, places: list[Place]) -> None:
    """Say that what is owed is in one place, and in no other."""
    groups = range(len(owed.masks))
    for place in places:
        mask, flags = Array(owed.masks)[place.group], Array(owed.flags)[place.group]
        good = (place.group < len(groups)) & place.mask.any() & (place.mask == mask)
        h.lemma(~place.used | (good & ((mask & (place.flags ^ flags)) == 0)), f"{place.name}: what is there is owed")
    for index, place in enumerate(places):
        for other in places[index + 1 :]:
            apart = ~(place.used & other.used & (place.group == other.group))
            h.lemma(apart, f"{place.name} and {other.name} have other groups")
    for group in groups:
        somewhere = any_of(place.used & (place.group == group) for place in places)
        h.lemma(~owed.masks[group].any() | somewhere, f"group {group} is somewhere")


def _order(h: Harness, dut: ChangeList, owed: Owed, places: list[Place]) -> None:
    """Claim that groups come in the order in which their masks came."""
    marks, shown, change = dut.i.payload, dut.o.valid, dut.o.payload
    ranks = [Signal(4, name=f"rank_{group}") for group in range(dut.groups)]
    for group, rank in enumerate(ranks):
        for place in places:
            with h.m.If(place.used & (place.group == group)):
                h.m.d.comb += rank.eq(place.rank)
    for one in range(dut.groups):
        for other in range(dut.groups):
            if one == other:
                continue
            earlier = Signal(name=f"group_{one}_before_{other}")
            with h.m.If(dut.i.valid & (marks.group == other)):
                h.m.d.sync += earlier.eq(owed.masks[one].any())
            with h.m.Elif(dut.i.valid & (marks.group == one)):
                h.m.d.sync += earlier.eq(0)
            both = owed.masks[one].any() & owed.masks[other].any()
            overtaken = shown & (change.group == other) & earlier & both
            h.claim(~overtaken, f"group {other} comes before group {one}, whose mask came first")
            h.lemma(~both | (earlier == (ranks[one] < ranks[other])), f"groups {one} and {other} are in order")


PROOFS = (
    Proof(
        "change list, 3 groups of 20 lanes",
        ChangeList,
        partial(build, groups=3, lanes=20),
        depth=4,
        faults=(
            Fault("read.en | (valid & ~walker.i.ready)", "read.en"),
            Fault("~(self.i.valid | arrived | waiting)", "~(arrived | waiting)"),
            Fault("read.addr.eq(taken[:depth_bits])", "read.addr.eq(loaded[:depth_bits])"),
            Fault("write.en.eq(arrived & marks.mask.any())", "write.en.eq(arrived)"),
            Fault("waiting & (~valid | walker.i.ready)", "waiting"),
            Fault("read.en.eq(waiting & ", "read.en.eq((waiting | write.en) & "),
        ),
    ),
)
