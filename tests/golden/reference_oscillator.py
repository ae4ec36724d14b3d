"""The definition of an oscillator network in plain Python: one network, one slot, one oscillator after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class Slot:
    """What one slot did."""

    sums: list[int]
    reference: list[int]
    moved: list[bool]
    phases: list[int]


@dataclass
class Outcome:
    start: list[int]
    phases: list[int]
    spins: list[int]
    winner: int
    settled: bool
    periods: int
    last_change: int
    slots: list[Slot] = field(default_factory=list)


def level(slot: int, phase: int, period: int) -> int:
    return 1 if (slot - phase) % period < period // 2 else -1


def moved_phase(phase: int, goal: int, max_step: int, period: int) -> int:
    """Walk one slot at a time the shorter way, upwards if both ways are equal."""
    forward = 0
    while (phase + forward) % period != goal:
        forward += 1
    backward = 0
    while (phase - backward) % period != goal:
        backward += 1
    for _ in range(max_step):
        if phase != goal:
            phase = (phase + 1 if forward <= backward else phase - 1) % period
    return phase


def closest_label(phases: list[int], labels: int, reference: int, period: int) -> int:
    best, best_distance = -1, period
    for label, phase in enumerate(phases[len(phases) - labels :]):
        distance = min((phase - phases[reference]) % period, (phases[reference] - phase) % period)
        if distance < best_distance:
            best, best_distance = label, distance
    return best


def words(seed: int) -> Iterator[int]:
    """The words of the generator: 2 * seed + 1, then xorshift."""
    word = 2 * seed + 1
    while True:
        yield word
        word ^= word << 13 & (1 << 64) - 1
        word ^= word >> 7
        word ^= word << 17 & (1 << 64) - 1


def random_sign(word: int, lane: int) -> int:
    bit = word >> lane % 64
    if lane >= 64:
        bit ^= word >> (lane + lane // 64) % 64
    return -1 if bit & 1 else 1


def random_start(generator: Iterator[int], phases: list[int], clamp: list[bool], inputs: int, period: int) -> None:
    """Eight words pass; then every target that is not clamped takes the highest bits of a word."""
    for _ in range(8):
        next(generator)
    for oscillator in range(inputs, len(phases)):
        if not clamp[oscillator]:
            phases[oscillator] = next(generator) // (2**64 // period)


def side(phase: int, reference: int, period: int) -> int:
    """+1 within a quarter of a period of the reference, or exactly a quarter before it."""
    for distance in range(-period // 4, period // 4):
        if phase == (reference + distance) % period:
            return 1
    return -1


def may_flip(word: int, lane: int, flips: int) -> bool:
    """Two masks, of up to three bits each, that a lane reads at places of its own."""
    block = lane // 64
    a, b, c = (word >> (lane + block + place) % 64 & 1 == 1 for place in (5, 23, 47))
    d, e, f = (word >> (lane + 3 * block + place) % 64 & 1 == 1 for place in (38, 14, 50))
    return {
        1: True,
        2: a or b or c,
        3: (a or b or c) and (d or e or f),
        4: (a or b or c) and (d or e),
        5: (a or b) and (d or e),
        6: (a or b or c) and d,
        7: (a or b) and d,
        8: a and d,
        9: (a or b or c) and d and e,
        10: (a or b) and d and e,
        11: a and b and d,
        12: (a or b) and d and e and f,
        13: a and b and d and e,
        14: a and b and d and e and f,
        15: a and b and c and d and e and f,
    }[flips]


def disturbed_slot(
    generator: Iterator[int], amplitude: int, flips: int, locked: bool, targets: int, lanes: int
) -> tuple[list[int], list[bool]]:
    """The noise of all targets, and which of them may flip."""
    noise, may = [0] * targets, [False] * targets
    amplitudes = [amplitude] if amplitude else []
    if flips and amplitude:
        amplitudes = [amplitude // part for part in (2, 2, 2, 4, 4, 8)]
    if flips and (locked or not amplitudes):
        amplitudes.append(0)  # words that only say who may flip
    for added in amplitudes:
        for first in range(0, targets, lanes):
            word = next(generator)
            for lane in range(min(lanes, targets - first)):
                noise[first + lane] += added * random_sign(word, lane)
                may[first + lane] = flips > 0 and may_flip(word, lane, flips)
    return noise, may


def nearest_lock(phase: int, count: int, period: int) -> int:
    """The nearest of the lock phases; of two at the same distance, the later one."""
    best = 0
    for index in range(count):
        distance = Fraction(period * index, count) - phase
        around = min(distance % period, -distance % period)
        nearest = Fraction(period * best, count) - phase
        least = min(nearest % period, -nearest % period)
        if around < least or (around == least and distance % period < nearest % period):
            best = index
    return best


def lock_of(phase: int, slot: int, strength: int, count: int, period: int) -> int:
    """The level of a square wave at the nearest lock phase."""
    best = nearest_lock(phase, count, period)
    return strength * level(slot, math.floor(Fraction(period * best, count) + Fraction(1, 2)), period)


def run_reference(
    weights: list[list[int]],
    schedule: list[list[int]],
    settle: int,
    phases: list[int],
    clamp: list[bool],
    *,
    inputs: int,
    labels: int,
    reference: int,
    period: int,
    lanes: int,
    lock_phases: int,
    seed: int,
    draws: bool = False,
) -> Outcome:
    phases = list(phases)
    generator = words(seed)
    if draws:
        random_start(generator, phases, clamp, inputs, period)
    start = list(phases)
    count = len(phases)
    references = [level(-1, phases[inputs + i], period) for i in range(count - inputs)]
    slots: list[Slot] = []
    quiet_periods: list[bool] = []
    slot = 0
    stop = False
    for periods, amplitude, max_step, strength, alternate, flips in (
        row if len(row) > 5 else [*row, 0] for row in schedule
    ):
        if periods == 0:
            break
        for _ in range(periods):
            for _ in range(period):
                sums, moved, following = [], [], list(phases)
                noise, may = disturbed_slot(generator, amplitude, flips, strength > 0, len(weights), lanes)
                for i, row in enumerate(weights):
                    total = 0
                    for j in range(count):
                        total += row[j] * level(slot, phases[j], period)
                    previous = references[i]
                    disturbed = total + noise[i] + lock_of(phases[inputs + i], slot, strength, lock_phases, period)
                    if disturbed > 0:
                        references[i] = 1
                    elif disturbed < 0:
                        references[i] = -1
                    turn = not alternate or (i + slot % period + slot // period) % 2 == 0
                    up = nearest_lock(phases[inputs + i], lock_phases, period) == 0
                    if flips and disturbed == 0:
                        references[i] = 1 if up == (slot % period < period // 2) else -1
                    phase = phases[inputs + i]
                    edge = phase in (slot % period, (slot + period // 2) % period)
                    waits = edge and up == (phase >= period // 2)
                    if flips and may[i] and not waits and turn and not clamp[inputs + i]:
                        wanted = references[i] if slot % period < period // 2 else -references[i]
                        if wanted > 0 and not up:
                            following[inputs + i] = 0
                        if wanted < 0 and up:
                            following[inputs + i] = period // 2
                    if not flips and references[i] != previous and not clamp[inputs + i] and turn:
                        goal = (slot if references[i] > 0 else slot + period // 2) % period
                        following[inputs + i] = moved_phase(phases[inputs + i], goal, max_step, period)
                    sums.append(total)
                    moved.append(following[inputs + i] != phases[inputs + i])
                phases = following
                slots.append(Slot(sums, list(references), moved, list(phases)))
                slot += 1
            quiet_periods.append(not any(any(s.moved) for s in slots[-period:]))
            if settle and len(quiet_periods) >= settle and all(quiet_periods[-settle:]):
                stop = True
                break
        if stop:
            break
    needed = max(settle, 1)
    changes = [index + 1 for index, s in enumerate(slots) if any(s.moved)]
    return Outcome(
        start=start,
        phases=phases,
        spins=[side(phase, phases[reference], period) for phase in phases[inputs:]],
        winner=closest_label(phases, labels, reference, period),
        settled=len(quiet_periods) >= needed and all(quiet_periods[-needed:]),
        periods=len(quiet_periods),
        last_change=changes[-1] if changes else 0,
        slots=slots,
    )
