"""Random oscillator networks with sparse couplings: graphs of all kinds, up to all that a network holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from attractor.spec import IntegerArray, OscillatorSpec, Parameters, Region
from attractor.spec.base import ceil_div
from attractor.spec.oscillator import FLIP_SHARES
from attractor.spec.sparse import SparseSpec
from attractor.trials.features import Features
from attractor.trials.oscillator import OscillatorTrials

__all__ = ["GRAPHS", "TRIALS", "Graph", "SparseTrials"]

#: Kinds of graphs that are drawn.
GRAPHS = ("any", "few", "neighbours", "from one", "to one", "full")
#: Edges are proposed so many times as often as there is room, for a network that shall be full.
PROPOSALS = 4

#: An edge: source, target and weight.
Edge = tuple[int, int, int]


class Graph:
    """Couplings that fit a network; they are taken one by one, and those that do not fit are left out.

    Parameters
    ----------
    spec:
        The network.
    """

    def __init__(self, spec: SparseSpec) -> None:
        self.spec = spec
        self.edges: dict[tuple[int, int], int] = {}
        self._strengths = [0] * spec.targets
        self._slots: Counter[tuple[int, int]] = Counter()
        self._lengths: Counter[int] = Counter()
        self._words = spec.row_words - 1

    @property
    def full(self) -> bool:
        """Whether there is no room for another coupling."""
        return len(self.edges) == self.spec.couplings

    def add(self, source: int, target: int, weight: int) -> None:
        """Add a coupling if it fits, weaker if it must be."""
        room = self.spec.strength - self._strengths[target]
        weight = max(min(weight, room), -room)
        slot = source, target % self.spec.entries
        longer = self._slots[slot] == self._lengths[source]
        if self.full or not weight or (source, target) in self.edges or longer > self._words:
            return
        self.edges[source, target] = weight
        self._strengths[target] += abs(weight)
        self._slots[slot] += 1
        self._lengths[source] += longer
        self._words -= longer

    def parameters(self) -> dict[str, IntegerArray]:
        """Return ``starts``, ``targets`` and ``weights``."""
        edges = sorted((source, target, weight) for (source, target), weight in self.edges.items())
        columns = np.array(edges, np.int64).reshape(-1, 3)
        counts = np.bincount(columns[:, 0], minlength=self.spec.oscillators)
        room = (0, self.spec.couplings - len(edges))
        return {
            "starts": np.cumsum([0, *counts]),
            "targets": np.pad(columns[:, 1], room),
            "weights": np.pad(columns[:, 2], room),
        }


class SparseTrials(OscillatorTrials):
    """Networks whose graphs have hubs, oscillators without couplings, couplings to themselves, and no room left."""

    def parameters(self, spec: OscillatorSpec, rng: np.random.Generator) -> dict[str, IntegerArray]:
        """Draw a graph of one of :data:`GRAPHS`, and a schedule of short entries, some of them with no period."""
        assert isinstance(spec, SparseSpec)
        graph, kind = Graph(spec), str(rng.choice(GRAPHS))
        for edge in self._edges(spec, kind, rng):
            graph.add(*edge)
        schedule = self._schedule(spec, rng)
        if spec.binary:
            schedule[:, spec.schedule_columns.index("lock")] = 0
            schedule[:, spec.schedule_columns.index("flips")] = rng.integers(1, len(FLIP_SHARES) + 1, len(schedule))
        return {**graph.parameters(), "schedule": schedule, "settle": np.array(rng.integers(0, 4))}

    def _edges(self, spec: SparseSpec, kind: str, rng: np.random.Generator) -> Iterator[Edge]:
        """Draw the edges of a graph, each of which may be left out; self-couplings, too."""
        oscillators, targets = spec.oscillators, spec.targets
        extremes = rng.random() < 0.3
        one, other = int(rng.integers(oscillators)), int(rng.integers(targets))
        if kind == "from one":
            yield from self._weighted(spec, [(one, target) for target in range(targets)], rng, small=True)
        if kind == "to one":
            yield from self._weighted(spec, [(source, other) for source in range(oscillators)], rng)
        # Few sources leave many oscillators without couplings, and have rows of many words.
        sources = oscillators if kind in ("any", "full", "neighbours") else max(1, oscillators // 4)
        count = spec.couplings * PROPOSALS if kind == "full" else int(rng.integers(spec.couplings + 1))
        pairs = np.stack([rng.integers(0, sources, count), rng.integers(0, targets, count)], axis=1)
        if kind == "neighbours":
            pairs[:, 1] = (pairs[:, 0] + rng.integers(-2, 3, count) - spec.inputs) % targets
        both = pairs[:, ::-1] + [spec.inputs, -spec.inputs]
        mirrored = both[(both[:, 1] >= 0) & (both[:, 1] < targets)]
        drawn = pairs if rng.random() < 0.5 else np.concatenate([mirrored, pairs])
        yield from self._weighted(spec, drawn.tolist(), rng, small=kind == "full", extremes=extremes)

    def _weighted(
        self,
        spec: SparseSpec,
        pairs: list[tuple[int, int]],
        rng: np.random.Generator,
        *,
        small: bool = False,
        extremes: bool = False,
    ) -> Iterator[Edge]:
        """Give pairs of source and target weights: small ones, the greatest, or any."""
        values = rng.integers(spec.weight_low, spec.weight_high + 1, len(pairs))
        if small or rng.random() < 0.3:
            values = rng.choice([-1, 1], len(pairs))
        elif extremes:
            values = rng.choice([spec.weight_low, spec.weight_high], len(pairs))
        for (source, target), value in zip(pairs, values.tolist(), strict=True):
            yield int(source), int(target), value

    def inputs(self, spec: OscillatorSpec, rng: np.random.Generator) -> bytes:
        """Draw start phases, clamps and a seed; of the phases of binary networks the bits that mean nothing as well."""
        assert isinstance(spec, SparseSpec)
        data = super().inputs(spec, rng)
        if not spec.binary:
            return data
        contents = spec.memory_map.split(Region.INPUT, data)
        state = np.frombuffer(contents["state"], np.uint8)
        ignored = rng.integers(0, spec.period // 2, spec.oscillators).astype(np.uint8)
        return spec.memory_map.join(Region.INPUT, contents | {"state": (state | ignored).tobytes()})

    def _phases(self, spec: OscillatorSpec, rng: np.random.Generator) -> IntegerArray:
        assert isinstance(spec, SparseSpec)
        if not spec.binary:
            return super()._phases(spec, rng)
        return rng.integers(0, 2, spec.oscillators) * spec.period // 2

    def features(self, spec: OscillatorSpec, parameters: Parameters, inputs: bytes, outputs: bytes) -> Features:
        """Return what a call had, and what its graph had of those things that a graph of this size can have."""
        assert isinstance(spec, SparseSpec)
        found = super().features(spec, parameters, inputs, outputs)
        if spec.binary:
            del found["parameter schedule.lock"]
        return found | _of_graph(spec, parameters)


def _of_graph(spec: SparseSpec, parameters: Parameters) -> Features:
    """Return what is special of a graph, unless it is so for all graphs, or none, of a network."""
    starts = parameters["starts"].astype(np.int64)
    targets, weights = (parameters[name][: starts[-1]].astype(np.int64) for name in ("targets", "weights"))
    counts, words = np.diff(starts), spec.row_words - 1
    sources, greatest = np.repeat(np.arange(spec.oscillators), counts), -spec.weight_low
    strengths = np.bincount(targets, np.abs(weights), spec.targets)
    places, many = ceil_div(spec.targets, spec.entries), ceil_div(spec.strength, greatest)
    most = spec.targets * min(spec.oscillators, spec.strength)
    special = {
        "to itself": (True, (sources == targets + spec.inputs).any()),
        "an oscillator without any": (True, not counts.all()),
        "from one to all": (min(spec.couplings // spec.targets, words // places) > 0, (counts == spec.targets).any()),
        "a row of several words": (
            places > 1 and spec.couplings > 1 and words > 1,
            spec.row_memory.lengths(starts, targets).max() > 1,
        ),
        "a target at its strength": (
            many <= min(spec.oscillators, spec.couplings, words),
            (strengths == spec.strength).any(),
        ),
        "as many as there is room for": (
            2 * spec.couplings <= most and spec.couplings <= words,
            len(targets) == spec.couplings,
        ),
    }
    return {f"couplings {name}": bool(found) for name, (possible, found) in special.items() if possible}


TRIALS = SparseTrials()
