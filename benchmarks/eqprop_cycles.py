"""Clock cycles of Equilibrium Propagation cores, counted from what the golden model does.

The core's pipeline is followed operation by operation: when the scanner or the list of changes shows a source, when the
sequencer takes it, and when the crossbar issues the groups that it reaches. Only what follows from weights that flip is
an allowance. ``scale_eqprop.py`` compares the count with the core's own counter in simulated gateware.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.golden.eqprop import EqPropNetwork
from attractor.hdl.change_queue import CHUNK_LANES

BoolArray = npt.NDArray[np.bool_]
#: Groups that one source reaches, in their order.
Reach = tuple[int, ...]
BYTE_BITS = 8
#: From the issue of a group to its first change on the list's output, and from ``start`` to the first input.
LIST_CYCLES, SCAN_CYCLES = 5, 3
#: From the last issue until all is quiet, without and with a list of changes behind it.
DRAIN_CYCLES, EMPTY_CYCLES = 2, 3
#: What follows from a flip between neurons, beside a cycle for each word with flips.
FLIP_CYCLES = 6


@dataclass(frozen=True)
class Shown:
    """A source: the first cycle in which it can be shown, cycles after the one before, and whom it reaches."""

    earliest: int
    gap: int
    reach: Reach


class CycleCount:
    """Counts the cycles of one call after the other.

    Parameters
    ----------
    network:
        The network; what it learns stays in it.
    """

    def __init__(self, network: EqPropNetwork) -> None:
        self.network, self.spec = network, network.spec

    def infer(self, bits: npt.NDArray[np.uint8]) -> int:
        """Return the cycles of a call that classifies a sample, shape (inputs,)."""
        trace = self.network.run(bits[None], trace=True).trace
        assert trace is not None
        return self._free(bits, trace[:, 0])

    def learn(self, bits: npt.NDArray[np.uint8], label: int, sigma: int, thresholds: npt.ArrayLike) -> int:
        """Return the cycles of a call that learns a sample."""
        spec = self.spec
        before = [self.network.parameters[f"weights_{c}"] for c in range(spec.connections)]
        lesson = self.network.learn(bits[None], [label], sigma, thresholds, trace=True)
        assert lesson.free.trace is not None
        assert lesson.nudged.trace is not None
        free, nudged = lesson.free.trace[:, 0], lesson.nudged.trace[:, 0]
        # The targets of the label's outputs, one push each.
        cycles = self._free(bits, free) + 2 + (2 * spec.replicas if label < spec.classes else 0)
        times = max((1 << spec.nudge_shift) - sigma, 1)
        # Pushes to a single group wait for each other.
        nudges = 2 * times - 1 if spec.groups_of(spec.connections) == 1 else times * spec.groups_of(spec.connections)
        changes = self.network.bits(nudged[1:]) != self.network.bits(nudged[:-1])
        cycles += sum(self._step(step, spec.first_group(spec.connections) + nudges) for step in changes)
        ends = self.network.bits(np.stack([free[-1], nudged[-1]]))
        flips = [self.network.parameters[f"weights_{c}"] != old for c, old in enumerate(before)]
        return cycles + self._update(bits.astype(bool), ends[0], ends[1], flips)

    def _free(self, bits: npt.NDArray[np.uint8], states: npt.NDArray[np.uint8]) -> int:
        spec = self.spec
        changes = self.network.bits(states[1:]) != self.network.bits(states[:-1])
        begin = 1 + (3 if spec.learning else 0) + spec.groups
        steps = sum(self._step(step, spec.groups) for step in changes)
        outputs = spec.layers[-1] + 2 * spec.groups_of(spec.connections) + 3
        return begin + self._scan(bits.astype(bool)) + steps + outputs

    def _scan(self, on: BoolArray, *, taught: bool = False) -> int:
        """Return the cycles until all inputs that are on were dealt with; the scan began in the cycle before."""
        reach = (0,) if taught else tuple(range(self.spec.groups_of(1)))
        number = np.flatnonzero(on) // BYTE_BITS
        last_byte = (len(on) - 1) // BYTE_BITS
        sources, at = [], -1
        for byte in number.tolist():
            gap = max(byte - at - 1, 0)
            sources.append(Shown(SCAN_CYCLES + byte, gap, reach))
            at = byte
        taken, issued = self._serve(sources, 0, taught=taught)
        scanned = taken + 1 + last_byte - at if sources else SCAN_CYCLES + last_byte
        return max(issued + DRAIN_CYCLES, scanned)

    def _step(self, changed: BoolArray, pushes: int) -> int:
        """Return the cycles of a step that changes some bits."""
        later = pushes - self.spec.groups
        sources = list(self._listed(changed, range(1, self.spec.connections + 1), outputs_later=later))
        _, issued = self._serve(sources, pushes)
        return max(issued + DRAIN_CYCLES, pushes + EMPTY_CYCLES)

    def _listed(
        self, marked: BoolArray, layers: Sequence[int], *, taught: bool = False, outputs_later: int = 0
    ) -> Iterator[Shown]:
        """Return the marked neurons as the list shows them; the groups are issued one in a cycle, from cycle 1 on."""
        spec = self.spec
        rest = 0
        for layer in layers:
            mask = marked[spec.neurons[layer - 1]]
            reach = (0,) if taught else self._reach(layer)
            for group in range(spec.groups_of(layer)):
                word = mask[group * spec.lanes : (group + 1) * spec.lanes]
                if not word.any():
                    continue
                number = spec.first_group(layer) - spec.first_group(layers[0]) + group + 1
                number += outputs_later if layer == spec.connections else 0
                chunks = np.flatnonzero(word) // CHUNK_LANES
                at = -1
                for chunk in chunks.tolist():
                    gap = chunk - at - 1 if chunk > at else 0
                    yield Shown(number + LIST_CYCLES + chunk, rest + gap, reach)
                    at, rest = chunk, 0
                rest = (spec.lanes - 1) // CHUNK_LANES - at

    def _reach(self, layer: int) -> Reach:
        spec = self.spec
        others = [other for other in (layer + 1, layer - 1) if 1 <= other <= spec.connections]
        return tuple(spec.first_group(other) + group for other in others for group in range(spec.groups_of(other)))

    @staticmethod
    def _serve(sources: Sequence[Shown], free: int, *, taught: bool = False) -> tuple[int, int]:
        """Return when the last source is taken, and when its last operation is issued.

        ``free`` is the last cycle in which the crossbar is not theirs yet.
        """
        taken, issued, group = 0, free, -1
        for index, source in enumerate(sources):
            shown = max(source.earliest, taken + 1 + source.gap) if index else source.earliest
            # A source is taken while the last operation of the one before is issued.
            taken = max(shown, issued) if index else shown
            start = max(taken + 1, issued + 1)
            for reached in source.reach:
                if reached == group and not taught and start == issued + 1:
                    start += 1
                issued, group = start, reached
                start += 1
        return taken, issued

    def _update(self, inputs: BoolArray, free: BoolArray, nudged: BoolArray, flips: Sequence[BoolArray]) -> int:
        """Return the cycles in which counters are touched, group by group."""
        spec = self.spec
        differs, both = free != nudged, free & nudged
        cycles = 0
        for connection in range(spec.connections):
            cycles += 3
            below = connection > 0 and differs[spec.neurons[connection - 1]].any()
            above = differs[spec.neurons[connection]]
            for group in range(spec.groups_of(connection + 1)):
                part = slice(group * spec.lanes, (group + 1) * spec.lanes)
                cycles += 4 + (1 if not above[part].any() else 0)
                flipped = flips[connection][part]
                words, count = flipped.any(axis=0).sum(), flipped.sum()
                cycles += int(words + FLIP_CYCLES * count) if connection else int(count)
                if below:
                    cycles += self._teach(connection, differs)
                if above[part].any():
                    cycles += self._teach(connection, both) if connection else 1 + self._scan(inputs, taught=True)
        return cycles

    def _teach(self, connection: int, marked: BoolArray) -> int:
        sources = list(self._listed(marked, (connection,), taught=True))
        groups = self.spec.groups_of(connection)
        _, issued = self._serve(sources, groups, taught=True)
        return max(issued + DRAIN_CYCLES, groups + EMPTY_CYCLES)
