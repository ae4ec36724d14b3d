"""Clock cycles of Equilibrium Propagation cores, counted from what the golden model does.

The core's pipeline is followed operation by operation: when the scanner or the list of changes shows a source, when the
sequencer takes it, when the register before the crossbar has room, and when the crossbar issues each group. Only what
follows from weights that flip is an allowance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.golden.eqprop import EqPropNetwork
from attractor.spec.base import CHUNK_LANES
from attractor.timing.base import CycleRange

__all__ = ["TIMING", "EqPropCycles"]

BoolArray = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint8]
BYTE_BITS = 8
#: From the issue of a group to its first change on the list's output, and from ``start`` to the first input.
LIST_CYCLES, SCAN_CYCLES = 6, 3
#: From the last issue until all is known to be quiet, one more after LEARN, and longer where neurons say what changed.
DRAIN_CYCLES, SHOW_CYCLES = 3, 5
#: From the issue of a probe to its answer.
PROBE_CYCLES = 2
#: What follows from a flip between neurons, beside a cycle for each word with flips; and how much more or less than is
#: counted a flip may take: whether it waits for others is not followed.
FLIP_CYCLES, FLIP_SPREAD = 7, 4


class Shown(NamedTuple):
    """A source: the first cycle in which it can be shown, cycles after the one before, and groups of its operations."""

    earliest: int
    gap: int
    operations: Sequence[Sequence[int]]


class Pipe:
    """The register of two operations, and the crossbar behind it."""

    def __init__(self) -> None:
        #: When the last operation came before the crossbar; when its last group is issued, and which that is.
        self.head, self.last, self.group = -1, -1, -1

    def give(self, offered: int, groups: Sequence[int], *, learns: bool = False) -> tuple[int, list[int]]:
        """Offer an operation; return when it is accepted, and when each of its groups is issued."""
        accepted = max(offered, self.head)
        self.head = max(accepted, self.last) + 1
        at, issued = self.head, []
        for group in groups:
            # What is being written cannot be read.
            at += group == self.group and at == self.last + 1 and not learns
            issued.append(at)
            self.last, self.group = at, group
            at += 1
        return accepted, issued


class EqPropCycles:
    """Counts the cycles of one call after the other.

    Parameters
    ----------
    network:
        The network; what it learns stays in it.
    written:
        Parameters were written before the next call.

    Attributes
    ----------
    flips:
        Weights that flipped in the last call.
    """

    def __init__(self, network: EqPropNetwork, *, written: bool = False) -> None:
        self.network, self.spec, self.flips = network, network.spec, 0
        self._written, self._pipe, self._now = written, Pipe(), 0

    def infer(self, bits: Bits) -> int:
        """Return the cycles of a call that classifies a sample, shape (inputs,)."""
        trace = self.network.run(bits[None], trace=True).trace
        assert trace is not None
        self._free(bits, trace[:, 0])
        return self._now

    def learn(self, bits: Bits, label: int, sigma: int, thresholds: npt.ArrayLike) -> int:
        """Return the cycles of a call that learns a sample."""
        spec = self.spec
        before = [self.network.parameters[f"weights_{c}"] for c in range(spec.connections)]
        lesson = self.network.learn(bits[None], [label], sigma, thresholds, trace=True)
        assert lesson.free.trace is not None
        assert lesson.nudged.trace is not None
        free, nudged = lesson.free.trace[:, 0], lesson.nudged.trace[:, 0]
        self._free(bits, free)
        self._targets(label)
        for changed in self._changes(nudged):
            self._nudged_step(changed, max((1 << spec.nudge_shift) - sigma, 1))
        ends = self.network.bits(np.stack([free[-1], nudged[-1]]))
        flips = [self.network.parameters[f"weights_{c}"] != old for c, old in enumerate(before)]
        self.flips = int(sum(map(np.count_nonzero, flips)))
        self._update(bits.astype(bool), ends[0], ends[1], flips)
        return self._now

    # The phases

    def _free(self, bits: Bits, states: npt.NDArray[np.uint8]) -> None:
        spec = self.spec
        self._pipe, self._now = Pipe(), 4 if spec.learning else 1
        if self._written:
            self._build_base()
        self._now, _ = self._pipe.give(self._now, range(spec.groups))
        self._scan(bits.astype(bool), [range(spec.groups_of(1))])
        for changed in self._changes(states):
            _, issued = self._pipe.give(self._now, range(spec.groups))
            self._settle(changed, issued)
        self._now += spec.layers[-1] + 3 * spec.groups_of(spec.connections) + 3

    def _build_base(self) -> None:
        """Add up what all neurons send that are on."""
        spec = self.spec
        self._now, _ = self._pipe.give(self._now, range(spec.groups))
        _, issued = self._pipe.give(self._now + 1, range(spec.groups))
        self._settle(np.ones(spec.targets, bool), issued)
        self._written = False

    def _changes(self, states: npt.NDArray[np.uint8]) -> BoolArray:
        """Return which bits change in each step, shape (steps, neurons)."""
        return self.network.bits(states[1:]) != self.network.bits(states[:-1])

    def _targets(self, label: int) -> None:
        spec = self.spec
        self._now += 1
        for output in range(label * spec.replicas, (label + 1) * spec.replicas) if label < spec.classes else ():
            group = spec.first_group(spec.connections) + output // spec.lanes
            self._now = self._pipe.give(self._now, [group])[0] + 1
        self._now += 1

    def _nudged_step(self, changed: BoolArray, times: int) -> None:
        spec = self.spec
        outputs = range(spec.first_group(spec.connections), spec.groups)
        accepted, hidden = self._pipe.give(self._now, range(outputs.start))
        issued: list[int] = []
        for _ in range(times):
            accepted, issued = self._pipe.give(accepted + 1, outputs)
        self._settle(changed, hidden + issued)

    def _settle(self, changed: BoolArray, issued: Sequence[int]) -> None:
        """Serve the bits that a step changes; ``issued`` says when its groups were."""
        layers = range(1, self.spec.connections + 1)
        operations = [self._reach(layer) for layer in layers]
        self._serve(self._listed(changed, layers, operations, issued))
        self._now = max(self._pipe.last + DRAIN_CYCLES, issued[-1] + SHOW_CYCLES) + 1

    def _reach(self, layer: int) -> list[range]:
        """Return the groups that an event from a layer visits, above and below."""
        spec = self.spec
        others = [other for other in (layer + 1, layer - 1) if 1 <= other <= spec.connections]
        return [range(spec.first_group(other), spec.first_group(other + 1)) for other in others]

    # Sources

    def _scan(self, on: BoolArray, operations: Sequence[Sequence[int]], *, learns: bool = False) -> None:
        """Serve the inputs that are on."""
        start, at, sources = self._now, -1, []
        for byte in (np.flatnonzero(on) // BYTE_BITS).tolist():
            sources.append(Shown(start + SCAN_CYCLES + byte, max(byte - at - 1, 0), operations))
            at = byte
        taken, last_byte = self._serve(sources, learns=learns), (len(on) - 1) // BYTE_BITS
        scanned = taken + 1 + last_byte - at if sources else start + SCAN_CYCLES + last_byte
        self._now = max(self._pipe.last + DRAIN_CYCLES + learns, scanned + 1) + 1

    def _listed(
        self,
        marked: BoolArray,
        layers: Sequence[int],
        operations: Sequence[Sequence[Sequence[int]]],
        issued: Sequence[int],
    ) -> Iterator[Shown]:
        """Return the marked neurons of some layers, as the list shows them."""
        spec, groups, rest = self.spec, iter(issued), 0
        for layer, own in zip(layers, operations, strict=True):
            mask = marked[spec.neurons[layer - 1]]
            for start in range(0, len(mask), spec.lanes):
                first, at = next(groups) + LIST_CYCLES, -1
                for chunk in (np.flatnonzero(mask[start : start + spec.lanes]) // CHUNK_LANES).tolist():
                    yield Shown(first + chunk, rest + max(chunk - at - 1, 0), own)
                    at, rest = chunk, 0
                if at >= 0:
                    rest = (spec.lanes - 1) // CHUNK_LANES - at

    def _serve(self, sources: Iterable[Shown], *, learns: bool = False) -> int:
        """Give the operations of all sources; return when the last one is taken into the register before them."""
        taken, head, left, accepted = -1, -1, -1, -1
        for source in sources:
            shown = max(source.earliest, taken + 1 + source.gap) if taken >= 0 else source.earliest
            taken = max(shown, head)
            head = max(taken, left) + 1
            # The sequencer takes a source while the last operation of the one before leaves.
            accepted = left = max(head, accepted)
            for groups in source.operations:
                accepted, _ = self._pipe.give(accepted + 1, groups, learns=learns)
        return taken

    # Learning

    def _update(self, inputs: BoolArray, free: BoolArray, nudged: BoolArray, flips: Sequence[BoolArray]) -> None:
        """Touch counters, group by group."""
        spec = self.spec
        differs, both = free != nudged, free & nudged
        for connection in range(spec.connections):
            self._now += 3
            below = connection > 0 and differs[spec.neurons[connection - 1]].any()
            above = differs[spec.neurons[connection]]
            for group in range(spec.groups_of(connection + 1)):
                part = slice(group * spec.lanes, (group + 1) * spec.lanes)
                place = spec.first_group(connection + 1) + group
                _, issued = self._pipe.give(self._now, [place])
                self._now = issued[-1] + PROBE_CYCLES + 1
                if below:
                    self._teach(connection, differs, place)
                if not above[part].any():
                    self._now += 1
                elif connection:
                    self._teach(connection, both, place)
                else:
                    self._scan(inputs, [[place]], learns=True)
                flipped = flips[connection][part]
                words, count = int(flipped.any(axis=0).sum()), int(flipped.sum())
                self._now += 1 + (words + FLIP_CYCLES * count if connection else count)
        self._now += 1

    def _teach(self, connection: int, marked: BoolArray, group: int) -> None:
        spec = self.spec
        _, issued = self._pipe.give(self._now, range(spec.first_group(connection), spec.first_group(connection + 1)))
        self._serve(self._listed(marked, [connection], [[[group]]], issued), learns=True)
        self._now = max(self._pipe.last + DRAIN_CYCLES + 1, issued[-1] + SHOW_CYCLES) + 1


def _cycles(golden: EqPropNetwork, inputs: bytes, *, written: bool) -> CycleRange:
    spec = golden.spec
    bits, sigma, label, thresholds = spec.decode_input(inputs)
    # A copy learns in its place.
    count = EqPropCycles(EqPropNetwork(spec, golden.parameters), written=written)
    cycles = count.learn(bits, label, sigma, thresholds) if sigma else count.infer(bits)
    spread = FLIP_SPREAD * count.flips
    return CycleRange(cycles - spread, cycles + spread)


TIMING = _cycles
