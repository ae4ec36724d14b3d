"""Colouring by phases: read-out against its definition, repulsion, and devices that lock to other phases."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from attractor.host import Device
from attractor.sim.golden_board import GoldenBoard
from attractor.solve.annealer import Annealer, replay
from attractor.solve.ising import ProblemError, starts
from attractor.solve.potts import COLOURING, colouring_program, read_colours, sample_colouring
from attractor.solve.problems import Graph
from attractor.spec import OscillatorSpec

QUICK = replace(COLOURING, periods=20)


def nearest(phase: int, colours: int, period: int) -> set[int]:
    """Return the lock phases at the least distance on the circle, as exact fractions of a slot."""
    distances = []
    for colour in range(colours):
        ahead = (phase * colours - colour * period) % (period * colours)
        distances.append(min(ahead, period * colours - ahead))
    return {colour for colour in range(colours) if distances[colour] == min(distances)}


@pytest.mark.parametrize("colours", [2, 3, 4, 5])
def test_colours_are_the_nearest_lock_phases_on_the_best_rotation(colours: int) -> None:
    random = np.random.default_rng(colours)
    graph = Graph(6, [pair for pair in combinations(range(6), 2) if random.random() < 0.7])
    phases = random.integers(0, 16, (20, 6)).astype(np.uint8)
    found, conflicts = read_colours(graph, phases, colours, 16)
    for row, colouring, count in zip(phases.tolist(), found.tolist(), conflicts.tolist(), strict=True):
        rotations = [[(phase + shift) % 16 for phase in row] for shift in range(16)]
        assert any(
            all(colour in nearest(phase, colours, 16) for colour, phase in zip(colouring, rotated, strict=True))
            for rotated in rotations
        )
        assert count == sum(colouring[u] == colouring[v] for u, v in graph.edges)
        unrotated = [min(nearest(phase, colours, 16)) for phase in row]
        assert count <= sum(unrotated[u] == unrotated[v] for u, v in graph.edges) or any(
            len(nearest(phase, colours, 16)) > 1 for phase in row
        )


def test_the_device_locks_to_the_phases_that_are_read_as_colours() -> None:
    for colours in (2, 3, 4):
        spec = OscillatorSpec(oscillators=4, lock_phases=colours)
        slots = np.array([spec.lock_slots], np.uint8)
        graph = Graph(colours, list(combinations(range(colours), 2)))
        found, conflicts = read_colours(graph, slots, colours, spec.period)
        assert conflicts.tolist() == [0]
        assert sorted(found[0]) == list(range(colours))


@pytest.mark.parametrize(("colours", "vertices"), [(2, 8), (3, 9)])
def test_rings_and_triangles_are_coloured(colours: int, vertices: int) -> None:
    ring = Graph(vertices, [(vertex, (vertex + 1) % vertices) for vertex in range(vertices)])
    found = sample_colouring(ring, colours, num_reads=16, seed=0)
    assert found.conflicts.min() == 0
    assert found.colours.shape == (16, vertices)
    best = found.colours[found.best]
    assert (best[ring.edges[:, 0]] != best[ring.edges[:, 1]]).all()


def test_better_than_chance() -> None:
    random = np.random.default_rng(0)
    graph = Graph(40, [pair for pair in combinations(range(40), 2) if random.random() < 0.1])
    found = sample_colouring(graph, 3, num_reads=16, seed=0)
    assert found.conflicts.mean() < 0.5 * len(graph.edges) / 3  # a third of the edges by chance


@pytest.mark.parametrize("random_start", [False, True])
def test_reads_can_be_repeated_on_the_golden_model(random_start: bool) -> None:
    graph = Graph(7, list(combinations(range(7), 2))[::2])
    spec = OscillatorSpec(oscillators=9, weight_bits=8, schedule_entries=64, lock_phases=3, random_start=random_start)
    with Device.open(GoldenBoard(spec)) as device:
        found = sample_colouring(graph, 3, device=device, num_reads=3, seed=4, annealing=QUICK)
        model, placement = colouring_program(Annealer(device), graph, 3, annealing=QUICK)
    assert placement.clamp.tolist() == [False] * 7 + [True] * 2
    phases, seeds = starts(placement, 4, 3, drawn=random_start)
    for read in range(3):
        kept = replay(model, phases[read], placement.clamp, int(seeds[read]), random_start=random_start)
        assert len(kept) == 21
        assert (kept[0] != phases[read]).any() == random_start
        assert read_colours(graph, kept[-1:, :7], 3, 16)[0][0].tolist() == found.colours[read].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colours": 1}, "lock_phases is 1"),
        ({"colours": 9}, "lock_phases is 9"),
        ({"num_reads": 0}, "num_reads is 0"),
        ({"seed": -3}, "seed is -3"),
    ],
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        sample_colouring(Graph(3, [(0, 1)]), **{"colours": 3} | options)


def test_devices_that_lock_to_other_phases() -> None:
    graph = Graph(3, [(0, 1)])
    with Device.open(GoldenBoard(OscillatorSpec(oscillators=3, schedule_entries=64))) as device:
        with pytest.raises(ProblemError, match=r"locks to 2 phases, and 3 colours were asked for; .*lock_phases 3"):
            sample_colouring(graph, 3, device=device)
        found = sample_colouring(graph, 3, device=device, annealing=replace(QUICK, lock=0.0), seed=0)
        assert len(found.conflicts) == 1
        with pytest.raises(ProblemError, match=r"colours is 9; .*between 2 and 8"):
            sample_colouring(graph, 9, device=device, annealing=replace(QUICK, lock=0.0))
        with pytest.raises(ProblemError, match=r"has 4 variables; .*room for 3"):
            sample_colouring(Graph(4, []), 2, device=device)
