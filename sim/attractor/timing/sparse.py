"""Clock cycles of cores with sparse couplings, exactly: each change is followed from the scan to its row.

The core's pipeline is that of :class:`attractor.hdl.sparse.core.SparseCore`. A slot scans its groups, one a cycle; the
changes of a group come out of a list one a cycle and, with full phases, through the mover; pointers are read ahead; the
row of a change takes a cycle a word. Only in slots with a change something has to be followed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.golden.oscillator import OscillatorState
from attractor.golden.sparse import SparseNetwork
from attractor.spec.oscillator import MIXING_WORDS
from attractor.timing.base import CycleRange
from attractor.timing.oscillator import Move, OscillatorCycles

__all__ = ["TIMING", "SparseCycles", "row_cycles"]


class _Pipeline(NamedTuple):
    """How many cycles a core's parts take.

    Parameters
    ----------
    quiet:
        From the scan of the last group to the end of a slot in which nothing changes.
    listed:
        From the scan of a group to the first of its changes: the scanner, and the list.
    mover:
        Steps between the list and the reader of the rows.
    added:
        From a word's address to the cycle in which its couplings are in the sums.
    """

    quiet: int
    listed: int
    mover: int
    added: int


_BINARY, _FULL = _Pipeline(quiet=5, listed=7, mover=0, added=6), _Pipeline(quiet=8, listed=10, mover=4, added=7)
#: From the start of a load to the first visit of an oscillator, and from a visit to its row's first address.
LOAD_CYCLES, POINTER_CYCLES = 2, 3


def row_cycles(network: SparseNetwork) -> npt.NDArray[np.int64]:
    """Return the cycles in which the row of each oscillator is read, shape (oscillators,): one for each word."""
    lengths = network.spec.row_memory.lengths(network.parameters["starts"], network.parameters["targets"])
    return np.maximum(lengths, 1)


class SparseCycles(OscillatorCycles):
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

    def __init__(self, network: SparseNetwork, state: OscillatorState, *, random_start: bool = False) -> None:
        self._rows = row_cycles(network)
        self._pipeline = _BINARY if network.spec.binary else _FULL
        super().__init__(network, state, random_start=random_start)

    def _loading(self, *, random_start: bool) -> int:
        placed = LOAD_CYCLES + MIXING_WORDS * random_start + POINTER_CYCLES + int(self._rows.sum())
        return self.spec.groups + placed + self._pipeline.added

    def _slot(self, moves: list[Move]) -> int:
        spec, pipe = self.spec, self._pipeline
        ended = spec.groups + pipe.quiet
        # When the change before left the list and each step of the mover; when its pointer was read, and handed on;
        # when the rows of the two changes before began; and when the last one ended.
        left = [0] * (pipe.mover + 1)
        read = handed = 0
        began = before = 0
        free = spec.groups + 1
        for move in moves:
            left[0] = max(move.group + 1 + pipe.listed, left[0] + 1, left[1] if pipe.mover else read)
            for step in range(1, pipe.mover):
                left[step] = max(left[step - 1] + 1, left[step + 1])
            if move.new == move.old:
                ended = max(ended, left[-2] + 1)
                continue
            if pipe.mover:
                left[-1] = max(left[-2] + 1, read)
            read = max(left[-1] + 1, handed)
            handed = max(read + 1, before + 1)
            before, began = began, max(handed + 1, free)
            free = began + int(self._rows[spec.inputs + move.target])
            ended = max(ended, free - 1 + pipe.added)
        return ended


def _cycles(network: SparseNetwork, inputs: bytes, *, written: bool) -> CycleRange:
    del written  # costs nothing here
    given = network.spec.decode_input(inputs)
    state = network.start(given.phases[None], given.clamp, seeds=[given.seed], random_start=given.random_start)
    count = SparseCycles(network, state, random_start=given.random_start)
    while state.active.any():
        network.step(state)
        count.slot(state)
    return CycleRange(count.total(), count.total())


TIMING = _cycles
