"""The golden model of oscillator networks once more, compiled: equal bit for bit, and as fast as a processor goes.

Only what happens is worked on: a phase that moves changes the sums of those that it is coupled to, and a slot in which
all edges fall together changes their signs. What a slot costs otherwise is a look at each target.

Needs Numba, which the extra ``fast`` installs; compiled code is kept between runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from attractor.spec.oscillator import FLIP_BITS, FLIP_MASKS, NOISE_SHIFTS

__all__ = ["PADDING", "RULES", "run_periods", "scratch_of"]

#: For each byte the same bits, each in a byte of its own.
_BYTES = np.array([sum((byte >> bit & 1) << 8 * bit for bit in range(8)) for byte in range(256)], np.uint64)
_LOW = np.uint64(0xFF)
_LANES_OF_A_WORD = 64
#: Sums that belong to no target: 64 are read at once.
PADDING = _LANES_OF_A_WORD
#: What the spec says of random bits. Given to compiled code as an argument: what is kept between runs must not hold it.
RULES = (
    np.array(((0, 0), *FLIP_MASKS), np.int64),
    np.array([stride for stride, _ in FLIP_BITS], np.int64),
    np.array([offsets for _, offsets in FLIP_BITS], np.int64),
    np.array(NOISE_SHIFTS, np.int64),
)

#: Nothing is allocated in compiled code: arrays need no counts of who holds them, which took a third of the time.
_OPTIONS: Any = {"cache": True, "nogil": True, "_nrt": False}
_compiled = njit(**_OPTIONS)
#: Parts of a slot become parts of one function: handing arrays over took as long as a slot in which little happens.
_inlined = njit(inline="always", **_OPTIONS)


def scratch_of(targets: int, lanes: int) -> tuple[Any, ...]:
    """Return room for what compiled code works on, for one network at a time."""
    words = np.zeros((len(NOISE_SHIFTS), -(-targets // lanes)), np.uint64)
    # Bytes of lanes, and the same as words.
    patterns, candidates = np.zeros(_LANES_OF_A_WORD // 8, np.uint64), np.zeros(_LANES_OF_A_WORD // 8, np.uint64)
    in_both_ways = (patterns, patterns.view(np.uint8)), (candidates, candidates.view(np.uint8))
    added, towards = np.zeros(1 << len(NOISE_SHIFTS), np.int32), np.zeros(targets + PADDING, np.int32)
    # One entry more than there are targets: what is not listed is written there, too.
    return (words, added, towards, *in_both_ways, np.zeros(targets + 1, np.int64))


@_inlined
def _next_word(word: Any) -> Any:
    word ^= word << np.uint64(13)
    word ^= word >> np.uint64(7)
    return word ^ (word << np.uint64(17))


@_inlined
def _from(word: Any, place: int) -> Any:
    """Return the word turned so that its bit at ``place`` comes first."""
    place &= 63
    return (word >> np.uint64(place)) | (word << np.uint64((64 - place) & 63))


@_inlined
def _spread(word: Any, block: int) -> Any:
    """Return the random signs of 64 lanes."""
    return word if block == 0 else word ^ _from(word, block)


@_inlined
def _may_flip(word: Any, block: int, flips: int, rules: Any) -> Any:
    """Return which of 64 lanes may flip."""
    masks, strides, offsets = rules[:3]
    may = ~np.uint64(0)
    for mask in range(2):
        rule = masks[flips, mask]
        if rule:
            found = _from(word, offsets[mask, 0] + strides[mask] * block)
            for index in range(1, abs(rule)):
                bits = _from(word, offsets[mask, index] + strides[mask] * block)
                found = found & bits if rule > 0 else found | bits
            may &= found
    return may


@_inlined
def _high(phase: int, slot: int, period: int) -> bool:
    return ((slot - phase) & (period - 1)) < period // 2


@_inlined
def _add_column(sums: Any, columns: Any, source: int, factor: int) -> None:
    starts, targets, weights, whole = columns
    if whole.size:
        times = np.int32(factor)
        for target in range(np.uint64(whole.shape[1])):
            sums[target] += times * whole[source, target]
    else:
        for index in range(starts[source], starts[source + 1]):
            sums[targets[index]] += factor * weights[index]


@_inlined
def _bring_edges(slot: int, period: int, phases: Any, at_slot: Any, sums: Any, columns: Any) -> None:
    """Bring the sums from the slot before to this one."""
    half = period // 2
    residue = slot & (half - 1)
    if at_slot[residue] == phases.size:
        for target in range(sums.size):
            sums[target] = -sums[target]
    elif at_slot[residue]:
        for source in range(phases.size):
            if (phases[source] & (half - 1)) == residue:
                factor = 2 if _high(phases[source], slot, period) else -2
                _add_column(sums, columns, source, factor)


@_inlined
def _find_added(amplitude: int, shifts: Any, added: Any) -> None:
    """Find what the random signs add, for each pattern of them; bit k is set where the k-th is -1."""
    for pattern in range(added.size):
        added[pattern] = 0
        for index in range(shifts.size):
            step = amplitude >> shifts[index]
            added[pattern] += -step if (pattern >> index) & 1 else step


@_inlined
def _spread_bytes(bits: Any, place: int, into: Any) -> None:
    """Put each of 64 bits in a byte of its own, at a place there."""
    for index in range(np.uint64(8)):
        into[index] |= _BYTES[(bits >> (np.uint64(8) * index)) & _LOW] << np.uint64(place)


@_inlined
def _find_candidates(first: int, sums: Any, towards: Any, most: Any, may: Any, candidates: Any) -> bool:
    """Note which of 64 targets may flip and could do so with the noise that helps most; return whether any can.

    Most targets are held by their fields so well that no noise of these days moves them: this is all they cost. The
    loop becomes vector instructions: its length is known, and its indices and numbers are of 32 bits or without a sign.
    """
    in_words, by_lane = candidates
    begin = np.uint64(first)
    for lane in range(np.uint64(_LANES_OF_A_WORD)):
        by_lane[lane] = np.int32(sums[begin + lane] * towards[begin + lane]) < most
    found = np.uint64(0)
    for index in range(np.uint64(8)):
        in_words[index] &= _BYTES[(may >> (np.uint64(8) * index)) & _LOW]
        found |= in_words[index]
    return found != 0


@_inlined
def _append_flips(
    first: int, sums: Any, towards: Any, added: Any, patterns: Any, candidates: Any, listed: Any, count: int
) -> int:
    """List those of 64 candidates that flip with the noise that they have, and return how many are listed then."""
    in_words, allowed = candidates
    begin, found = np.uint64(first), np.uint64(count)
    for index in range(np.uint64(8)):
        if in_words[index]:
            for lane in range(np.uint64(8) * index, np.uint64(8) * index + np.uint64(8)):
                # Without a branch, which would be taken at random.
                target = begin + lane
                field = np.int32(sums[target] + added[patterns[lane]])
                listed[found] = target
                found += np.uint64((np.int32(field * towards[target]) < 0) & allowed[lane])
    return int(found)


@_inlined
def _list_flips(
    network: Any, slot: int, entry: Any, words: Any, added: Any, masks: Any, rules: Any, towards: Any, scratch: Any
) -> int:
    """List the targets that flip in a slot without a lock, and return how many.

    ``towards`` is 1 where a positive field keeps the target on its side in this half of the period, -1 where a negative
    one does, and 0 where the target is clamped.
    """
    sums, lanes, period = network
    patterns, candidates, listed = scratch
    count, turn, most = 0, (slot + slot // period) & 1, added[0]
    for group in range(masks.size):
        begin, end = group * lanes, min((group + 1) * lanes, listed.size - 1)
        for block in range((end - begin + 63) // _LANES_OF_A_WORD):
            first = begin + block * _LANES_OF_A_WORD
            may = _may_flip(masks[group], block, entry[5], rules)
            if end - first < _LANES_OF_A_WORD:
                may &= (np.uint64(1) << np.uint64(end - first)) - np.uint64(1)
            if entry[4]:
                may &= np.uint64(0x5555555555555555) << np.uint64((first + turn) & 1)
            if not _find_candidates(first, sums, towards, most, may, candidates):
                continue
            for index in range(8):
                patterns[0][index] = 0
            if most:
                for sign in range(words.shape[0]):
                    _spread_bytes(_spread(words[sign, group], block), sign, patterns[0])
            count = _append_flips(first, sums, towards, added, patterns[1], candidates, listed, count)
    return count


@_inlined
def _list_turns(
    network: Any, slot: int, entry: Any, words: Any, phases: Any, locks: Any, free: Any, reference: Any, listed: Any
) -> int:
    """Bring the references to a slot in which phases turn, list the targets whose reference changed, and count them."""
    sums, lanes, period = network
    inputs, turn, count = phases.size - free.size, (slot + slot // period) & 1, 0
    lock_of_phase, lock_slots = locks
    for target in range(free.size):
        field = sums[target]
        if entry[1]:
            lane = target % lanes
            word = _spread(words[0, target // lanes], lane // _LANES_OF_A_WORD)
            field += -entry[1] if (word >> np.uint64(lane & 63)) & np.uint64(1) else entry[1]
        if entry[3]:
            nearest = lock_slots[lock_of_phase[phases[inputs + target]]]
            field += entry[3] if _high(nearest, slot, period) else -entry[3]
        if field != 0 and (field > 0) != reference[target]:
            reference[target] = field > 0
            if free[target] and not (entry[4] and (target + turn) & 1):
                listed[count] = target
                count += 1
    return count


@_inlined
def _turned(phase: int, rises: bool, slot: int, period: int, max_step: int) -> int:
    half = period // 2
    ahead = (slot + (0 if rises else half) - phase) & (period - 1)
    step = ahead if ahead <= half else ahead - period
    return (phase + min(max(step, -max_step), max_step)) & (period - 1)


@_inlined
def _place(network: Any, slot: int, source: int, new: int, phases: Any, at_slot: Any, columns: Any) -> None:
    """Give an oscillator another phase, and its sums what that changes in this slot."""
    sums, _, period = network
    half, old = period // 2, phases[source]
    phases[source] = new
    at_slot[old & (half - 1)] -= 1
    at_slot[new & (half - 1)] += 1
    high = _high(new, slot, period)
    if high != _high(old, slot, period):
        _add_column(sums, columns, source, 2 if high else -2)


@_inlined
def _flip(network: Any, slot: int, listed: Any, towards: Any, oscillators: Any, columns: Any) -> bool:
    """Bring the listed targets to the other side, but for those that wait at an edge; return whether there are any."""
    sums, _, period = network
    phases, at_slot, free, _ = oscillators
    inputs, half = phases.size - free.size, period // 2
    second_half, changed = (slot & half) != 0, False
    for target in listed:
        source = inputs + target
        rises = towards[target] < 0
        new, old = 0 if rises != second_half else half, phases[source]
        if old & (half - 1):
            # It is up if it is to go to half a period.
            if ((old ^ slot) & (half - 1)) == 0 and (new == half) == (old >= half):
                continue
            _place(network, slot, source, new, phases, at_slot, columns)
        else:
            phases[source] = new
            _add_column(sums, columns, source, 2 if rises else -2)
        towards[target] = -towards[target]
        changed = True
    return changed


@_inlined
def _draw(word: Any, words: Any, signs: int, offsets: Any) -> None:
    """Draw so many random signs for each group: a word for each, or all from places of one word."""
    for index in range(1 if offsets.size and signs else signs):
        for group in range(words.shape[1]):
            words[index, group] = word[0]
            word[0] = _next_word(word[0])
    for index in range(1, signs if offsets.size else 0):
        for group in range(words.shape[1]):
            words[index, group] = _from(words[0, group], offsets[index])


@_inlined
def _run_slot(
    network: Any, slot: int, entry: Any, random: Any, oscillators: Any, columns: Any, locks: Any, scratch: Any
) -> bool:
    """Run one slot, and return whether a phase changed."""
    sums, _, period = network
    word, words, added, rules = random
    phases, at_slot, free, reference = oscillators
    towards, patterns, candidates, listed = scratch
    inputs, half, changed, offsets = phases.size - free.size, period // 2, False, rules[4]
    second_half = (slot & half) != 0
    _bring_edges(slot, period, phases, at_slot, sums, columns)
    if not entry[5]:
        _draw(word, words, 1 if entry[1] else 0, offsets)
        count = _list_turns(network, slot, entry, words, phases, locks, free, reference, listed)
        for index in range(count):
            target = listed[index]
            old = phases[inputs + target]
            listed[index] = target | _turned(old, reference[target], slot, period, entry[2]) << 32
            changed |= old != listed[index] >> 32
        for index in range(count):
            target = listed[index] & 0xFFFFFFFF
            _place(network, slot, inputs + target, listed[index] >> 32, phases, at_slot, columns)
    else:
        if slot & (half - 1) == 0:
            for target in range(free.size):
                up = locks[0][phases[inputs + target]] == 0
                towards[target] = (1 if up != second_half else -1) if free[target] else 0
        signs = words.shape[0] if entry[1] else 1
        _draw(word, words, signs, offsets)
        masks = words[0 if offsets.size else signs - 1]
        count = _list_flips(network, slot, entry, words, added, masks, rules, towards, (patterns, candidates, listed))
        changed = _flip(network, slot, listed[:count], towards, oscillators, columns)
    return changed


@_compiled
def run_periods(
    sums: Any,
    lanes: int,
    period: int,
    schedule: Any,
    settle: int,
    most_periods: int,
    word: Any,
    oscillators: Any,
    columns: Any,
    locks: Any,
    counts: Any,
    rules: Any,
    scratch: Any,
) -> bool:
    """Run one network for so many periods, or until it stops; return whether it goes on.

    Parameters
    ----------
    sums:
        Of the slot before, shape (targets + 64,), int32; the last 64 are 0, and belong to none.
    lanes, period, settle:
        Of the spec, and the parameter.
    schedule:
        Entries of at least one period, shape (entries, 6), int64.
    most_periods:
        At least 1.
    word:
        The generator's word, shape (1,), uint64.
    oscillators:
        Phases, shape (oscillators,), int64; how many have each phase, modulo half a period; targets that may move,
        shape (targets,), bool; and the references, the same.
    columns:
        Of the weights: starts, targets and weights as SciPy's compressed rows, and where most weights are not 0 all of
        them, shape (oscillators, targets), int32; otherwise of shape (0, 0).
    locks:
        The lock phase nearest to each phase, and the slots of these.
    counts:
        Periods run, quiet periods, slot of the last change, entry, periods run before the entry; int64.
    rules:
        :data:`RULES`, and where the signs of a lane are in one word, shape (signs,), int64; of shape (0,) if each has a
        word of its own.
    scratch:
        What :func:`scratch_of` returned for the spec.
    """
    network, (words, added), places = (sums, lanes, period), scratch[:2], scratch[2:]
    for _ in range(most_periods):
        entry = schedule[counts[3]]
        _find_added(entry[1], rules[3], added)
        random = (word, words, added, rules)
        for slot in range(counts[0] * period, (counts[0] + 1) * period):
            if _run_slot(network, slot, entry, random, oscillators, columns, locks, places):
                counts[2] = slot + 1
        counts[0] += 1
        counts[1] = counts[1] + 1 if counts[2] <= (counts[0] - 1) * period else 0
        if counts[0] - counts[4] == entry[0]:
            counts[3], counts[4] = counts[3] + 1, counts[0]
            if counts[3] == len(schedule):
                return False
        if settle and counts[1] >= settle:
            return False
    return True
