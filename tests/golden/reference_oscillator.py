"""The definition of an oscillator network in plain Python: one network, one slot, one oscillator after the other."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Slot:
    """What one slot did."""

    sums: list[int]
    reference: list[int]
    moved: list[bool]
    phases: list[int]


@dataclass
class Outcome:
    phases: list[int]
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
) -> Outcome:
    phases = list(phases)
    count = len(phases)
    references = [level(-1, phases[inputs + i], period) for i in range(count - inputs)]
    slots: list[Slot] = []
    quiet_periods: list[bool] = []
    slot = 0
    stop = False
    for periods, _, max_step, _ in schedule:
        if periods == 0:
            break
        for _ in range(periods):
            for _ in range(period):
                sums, moved, following = [], [], list(phases)
                for i, row in enumerate(weights):
                    total = 0
                    for j in range(count):
                        total += row[j] * level(slot, phases[j], period)
                    previous = references[i]
                    if total > 0:
                        references[i] = 1
                    elif total < 0:
                        references[i] = -1
                    if references[i] != previous and not clamp[inputs + i]:
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
        phases=phases,
        winner=closest_label(phases, labels, reference, period),
        settled=len(quiet_periods) >= needed and all(quiet_periods[-needed:]),
        periods=len(quiet_periods),
        last_change=changes[-1] if changes else 0,
        slots=slots,
    )
