"""Clock cycles of cores with sparse couplings, exactly: each flip is followed from the scan to its row.

The core's pipeline is that of :class:`attractor.hdl.sparse.core.SparseCore`. A slot scans its groups, one a cycle; the
changes of a group come out of a list one a cycle; pointers are read ahead; the row of a change takes a cycle a word.
Only in slots with a flip something has to be followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from attractor.golden.oscillator import OscillatorState
from attractor.golden.sparse import SparseNetwork
from attractor.spec.oscillator import MIXING_WORDS
from attractor.spec.sparse import SparseSpec
from attractor.timing.base import CycleRange
from attractor.timing.oscillator import readout_cycles

__all__ = ["TIMING", "SparseCycles", "row_cycles"]

#: From the scan of the last group to the end of a slot in which nothing flips.
QUIET_CYCLES = 5
#: From the scan of a group to the first of its changes: the scanner, and the list.
LISTED_CYCLES = 7
#: From a word's address to the cycle in which its couplings are in the sums.
ADDED_CYCLES = 6
#: From the start of a load to the first visit of an oscillator, and from a visit to its row's first address.
LOAD_CYCLES, POINTER_CYCLES = 2, 3


def row_cycles(network: SparseNetwork) -> npt.NDArray[np.int64]:
    """Return the cycles in which the row of each oscillator is read, shape (oscillators,): one for each word."""
    lengths = network.spec.row_memory.lengths(network.parameters["starts"], network.parameters["targets"])
    return np.maximum(lengths, 1)


class SparseCycles:
    """Counts the cycles of one call, slot after slot.

    Parameters
    ----------
    network:
        The network.
    random_start:
        The start phases were drawn.
    """

    def __init__(self, network: SparseNetwork, *, random_start: bool = False) -> None:
        self.network, self.spec = network, network.spec
        self._rows = row_cycles(network)
        placed = LOAD_CYCLES + MIXING_WORDS * random_start + POINTER_CYCLES + int(self._rows.sum()) + ADDED_CYCLES
        self.cycles = self.spec.groups + placed
        self._entry, self._left = -1, 0
        self._next_entry()

    def slot(self, state: OscillatorState) -> None:
        """Count the slot after which the network is in this state."""
        spec = self.spec
        flipped = np.flatnonzero(state.moved[0])
        self.cycles += _served(spec, flipped.tolist(), self._rows[spec.inputs + flipped].tolist())
        if state.slot % spec.period == 0:
            self.cycles += 1
            self._left -= 1
            if not self._left:
                self._next_entry()

    def total(self) -> int:
        """Return the cycles of the whole call, after its last slot."""
        return self.cycles + readout_cycles(self.spec)

    def _next_entry(self) -> None:
        """Fetch the next entry of the schedule; the first one is fetched while the phases are loaded."""
        schedule = self.network.parameters["schedule"]
        self._entry += 1
        if self._entry < len(schedule):
            self._left = int(schedule[self._entry, 0])
            self.cycles += 2 * (self._entry > 0)


def _served(spec: SparseSpec, flipped: Sequence[int], rows: Sequence[int]) -> int:
    """Return the cycles of a slot in which these targets flip, whose rows take so many cycles each."""
    ended = spec.groups + QUIET_CYCLES
    # When the change before was taken from the list, its pointer read, and handed on; when the rows of the two changes
    # before began; and when the last one ended.
    taken = read = handed = 0
    began = before = 0
    free = spec.groups + 1
    for shown, cycles in zip(_shown(spec, flipped), rows, strict=True):
        taken = max(shown, taken + 1, read)
        read = max(taken + 1, handed)
        handed = max(read + 1, before + 1)
        before, began = began, max(handed + 1, free)
        free = began + cycles
        ended = free - 1 + ADDED_CYCLES
    return ended


def _shown(spec: SparseSpec, flipped: Sequence[int]) -> Iterator[int]:
    """Yield for each change the first cycle in which the list can show it, if nothing else waits."""
    for target in flipped:
        yield target // spec.lanes + 1 + LISTED_CYCLES


def _cycles(network: SparseNetwork, inputs: bytes, *, written: bool) -> CycleRange:
    del written  # costs nothing here
    given = network.spec.decode_input(inputs)
    state = network.start(given.phases[None], given.clamp, seeds=[given.seed], random_start=given.random_start)
    count = SparseCycles(network, random_start=given.random_start)
    while state.active.any():
        network.step(state)
        count.slot(state)
    return CycleRange(count.total(), count.total())


TIMING = _cycles
