"""Clock cycles of oscillator cores, exactly: each phase change is followed from the list of changes to the sums.

The core's pipeline is that of :class:`attractor.hdl.oscillator.core.OscillatorCore`. A slot scans all groups; whose
reference changed, or who flips, is listed; the mover turns a listed target into a placement; the placement becomes two
or four operations of the crossbar. Only how long they wait for each other has to be followed, and only in slots with a
change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.golden.oscillator import OscillatorNetwork, OscillatorState
from attractor.spec import OscillatorSpec
from attractor.spec.base import CHUNK_LANES
from attractor.spec.oscillator import MIXING_WORDS, NOISE_SHIFTS
from attractor.timing.base import CycleRange

__all__ = ["TIMING", "Move", "OscillatorCycles", "readout_cycles"]

#: From the operation that decides to the end of a slot in which nothing changes.
QUIET_CYCLES = 3
#: From the operation that decides on a group to the fetch of its first changes: registers (one group), or a memory.
QUEUE_CYCLES, LIST_CYCLES = 3, 4
#: From the start of a load to its first operation, and from its last operation to what follows.
LOAD_CYCLES, LOADED_CYCLES = 3, 2


class Move(NamedTuple):
    """A target that is listed because its reference changed, or because it flips.

    Parameters
    ----------
    target:
        Its number.
    group, chunk:
        Where it is listed.
    old, new:
        Its phases before and after the slot; equal if it may not move at all.
    level:
        Its level in this very slot changes with the phase.
    """

    target: int
    group: int
    chunk: int
    old: int
    new: int
    level: bool


class OscillatorCycles:
    """Counts the cycles of one call, slot after slot.

    Parameters
    ----------
    network:
        The network.
    state:
        The state before slot 0, of a batch of one.
    random_start:
        The start phases were drawn.
    """

    def __init__(self, network: OscillatorNetwork, state: OscillatorState, *, random_start: bool = False) -> None:
        self.network, self.spec = network, network.spec
        self.cycles = self._loading(random_start=random_start)
        self._entry, self._left = -1, 0
        self._phases, self._reference = state.phases[0].copy(), state.reference[0].copy()
        self._next_entry()

    def slot(self, state: OscillatorState) -> None:
        """Count the slot after which the network is in this state."""
        self.cycles += self._slot(list(self._moves(state, state.slot - 1)))
        self._phases, self._reference = state.phases[0].copy(), state.reference[0].copy()
        if state.slot % self.spec.period == 0:
            self.cycles += 1
            self._left -= 1
            if not self._left:
                self._next_entry()

    def total(self) -> int:
        """Return the cycles of the whole call, after its last slot."""
        return self.cycles + readout_cycles(self.spec)

    def _loading(self, *, random_start: bool) -> int:
        """Return the cycles until the first slot."""
        return loading_cycles(self.spec, random_start=random_start) + 1

    def _slot(self, moves: list[Move]) -> int:
        """Return the cycles of a slot in which these targets are listed."""
        spec = self.spec
        _, noise, _, lock, _, flips = self._now
        pushes = (noise > 0) * (len(NOISE_SHIFTS) if flips else 1) + (lock > 0)
        decided = scan_cycles(spec, pushes)
        spacing = 1 if pushes else 2
        issued = [decided - spacing * (spec.groups - 1 - group) for group in range(spec.groups)]
        return _served(spec, issued, moves)

    def _next_entry(self) -> None:
        """Fetch the next entry of the schedule; the first one is fetched while the phases are loaded."""
        schedule = self.network.parameters["schedule"]
        self._entry += 1
        if self._entry < len(schedule):
            entry = tuple(map(int, schedule[self._entry]))
            self._now = entry if self.spec.flips else (*entry, 0)
            self._left = self._now[0]
            self.cycles += 2 * (self._entry > 0)

    def _moves(self, state: OscillatorState, slot: int) -> Iterator[Move]:
        """Return the targets that are listed, in the order of the list."""
        spec, alternate, flips = self.spec, self._now[4], self._now[5]
        listed = state.moved[0] if flips else self._changed(state, slot, alternate=alternate > 0)
        for target in np.flatnonzero(listed).tolist():
            old, new = int(self._phases[spec.inputs + target]), int(state.phases[0, spec.inputs + target])
            group, lane = divmod(target, spec.lanes)
            yield Move(target, group, lane // CHUNK_LANES, old, new, _high(spec, old, slot) != _high(spec, new, slot))

    def _changed(self, state: OscillatorState, slot: int, *, alternate: bool) -> npt.NDArray[np.bool_]:
        """Return which targets are listed because of their references, shape (targets,)."""
        spec, half = self.spec, self.spec.period // 2
        changed = (state.reference[0] != self._reference) & ~state.clamped[0, spec.inputs :]
        goals = (slot + np.where(state.reference[0], 0, half)) % spec.period
        changed &= self._phases[spec.inputs :] != goals
        if alternate:
            changed &= (np.arange(spec.targets) + slot + slot // spec.period) % 2 == 0
        return changed


def loading_cycles(spec: OscillatorSpec, *, random_start: bool = False) -> int:
    """Return the cycles from the start of a call until all phases are in place."""
    clear = (spec.period // 2 + 1) * spec.groups
    placed = 2 * spec.groups * spec.oscillators
    return clear + LOAD_CYCLES - 1 + MIXING_WORDS * random_start + placed + LOADED_CYCLES - 1


def scan_cycles(spec: OscillatorSpec, pushes: int) -> int:
    """Return the cycles in which a slot's fields are found; in the last one the last group's is.

    ``pushes`` is how often noise and lock are added. Where there is one group, each waits a cycle for what was written
    before.
    """
    return 2 * spec.groups + pushes * (spec.groups + (spec.groups == 1))


def readout_cycles(spec: OscillatorSpec) -> int:
    """Return the cycles from the end of the last period until the results are there."""
    return spec.labels + 3 if spec.labels else 1


def lesson_cycles(spec: OscillatorSpec) -> int:
    """Return the cycles of a call that learns a pattern."""
    taught = LOAD_CYCLES - 1 + spec.groups * spec.oscillators + LOADED_CYCLES - 1
    return loading_cycles(spec) + spec.groups + taught + readout_cycles(spec)


def _high(spec: OscillatorSpec, phase: int, slot: int) -> bool:
    return (slot - phase) % spec.period < spec.period // 2


def _served(spec: OscillatorSpec, issued: list[int], moves: list[Move]) -> int:
    """Return the cycles of a slot.

    ``issued`` are the cycles, counted from 1, in which the operation that decides is issued for each group, the last of
    them the last cycle of the scan.
    """
    listed = _Registers(issued) if spec.groups == 1 else _Words(issued, -(-spec.lanes // CHUNK_LANES))
    # When the mover, and the sequencer behind it, can take the next; and the bank that was written last.
    mover = sequencer = 0
    bank, busy = -1, issued[-1] + QUIET_CYCLES
    for move in moves:
        taken = max(listed.shown(move), mover)
        listed.taken = leaves = taken
        leaves += 1
        if move.new != move.old:
            leaves = max(leaves, sequencer)
            end = max(leaves, issued[-1])
            for changed in _banks(spec, move):
                # With one group, what is being written may be what is to be read.
                end += spec.groups + (spec.groups == 1 and changed == bank)
                bank = changed
            sequencer = end
        mover = leaves + 1
        busy = max(busy, mover, sequencer + 1)
    return max(busy, listed.emptied())


def _banks(spec: OscillatorSpec, move: Move) -> list[int]:
    """Return the banks that the operations of a placement change, in their order."""
    half = spec.period // 2
    old, new = move.old % half, move.new % half
    return [half, old, half, new] if move.level else [old, new]


class _Registers:
    """When :class:`attractor.hdl.change_queue.ChangeQueue` shows its changes: one group, chunk by chunk."""

    def __init__(self, issued: list[int]) -> None:
        self.taken, self._chunk, self._fetched = -1, -1, issued[-1] + QUEUE_CYCLES - 2

    def shown(self, move: Move) -> int:
        """Return the first cycle in which the next change is shown."""
        if move.chunk == self._chunk:
            return self.taken + 1
        # The first chunk with a change is known anew two cycles after a fetch.
        self._chunk, self._fetched = move.chunk, max(self._fetched + 2, self.taken)
        return self._fetched + 1

    def emptied(self) -> int:
        """Return the first cycle without anything: the mover holds the last change for longer."""
        return 0


class _Words:
    """When :class:`attractor.hdl.change_list.ChangeList` shows its changes: word by word, all chunks of each."""

    def __init__(self, issued: list[int], chunks: int) -> None:
        self.taken, self._issued, self._chunks = -1, issued, chunks
        self._group, self._chunk, self._fetched = -1, chunks - 1, -1

    def shown(self, move: Move) -> int:
        """Return the first cycle in which the next change is shown."""
        if (move.group, move.chunk) == (self._group, self._chunk):
            return self.taken + 1
        if move.group != self._group:
            self._skip(self._chunks - 1)
            # The next word is read while the last chunk of the one before is fetched.
            self._fetched = max(self._issued[move.group] + LIST_CYCLES - 1, self._fetched)
            self._group, self._chunk = move.group, -1
        self._skip(move.chunk)
        return self._fetched + 1

    def emptied(self) -> int:
        """Return the first cycle without anything."""
        self._skip(self._chunks - 1)
        return self._fetched + 1

    def _skip(self, chunk: int) -> None:
        """Fetch chunks up to this one: one a cycle, but not before the last change of the one before leaves."""
        if chunk > self._chunk:
            self._fetched = max(self._fetched + 1, self.taken) + chunk - self._chunk - 1
            self._chunk = chunk


def _cycles(network: OscillatorNetwork, inputs: bytes, *, written: bool) -> CycleRange:
    del written  # costs nothing here
    spec = network.spec
    given = spec.decode_input(inputs)
    if given.margin:
        cycles = lesson_cycles(spec)
        return CycleRange(cycles, cycles)
    state = network.start(given.phases[None], given.clamp, seeds=[given.seed], random_start=given.random_start)
    count = OscillatorCycles(network, state, random_start=given.random_start)
    while state.active.any():
        network.step(state)
        count.slot(state)
    return CycleRange(count.total(), count.total())


TIMING = _cycles
