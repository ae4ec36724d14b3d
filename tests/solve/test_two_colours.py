"""Problems whose couplings join two sets of variables."""

from __future__ import annotations

import dimod
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.host import Device
from attractor.sim.golden_board import GoldenBoard
from attractor.solve.sampler import OscillatorSampler
from attractor.solve.two_colours import two_colours
from attractor.spec import OscillatorSpec


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 20), st.floats(0, 0.3), st.integers(0, 10**6))
def test_it_agrees_with_networkx(count: int, density: float, seed: int) -> None:
    graph = nx.gnp_random_graph(count, density, seed=seed)
    pairs = np.array(graph.edges, np.intp).reshape(-1, 2)
    found = two_colours(count, pairs)
    assert (found is not None) == nx.is_bipartite(graph)
    if found is not None:
        assert (found[pairs[:, 0]] != found[pairs[:, 1]]).all()


def test_parts_are_turned_so_that_the_sets_are_equal() -> None:
    # Three stars of five: middles and ends can only be 3 and 12 if none is turned.
    pairs = np.array([(5 * star, 5 * star + end) for star in range(3) for end in range(1, 5)])
    found = two_colours(15, pairs)
    assert found is not None
    assert sorted((int(found.sum()), int((~found).sum()))) == [6, 9]


def grid(rows: int, columns: int) -> dict[tuple[int, int], int]:
    random = np.random.default_rng(0)
    return {
        (row * columns + column, other): int(random.choice([-1, 1]))
        for row in range(rows)
        for column in range(columns)
        for other in (row * columns + (column + 1) % columns, (row + 1) % rows * columns + column)
    }


def test_neighbours_of_a_grid_never_move_in_the_same_slot() -> None:
    couplings = grid(6, 8)
    sampler = OscillatorSampler()
    found = sampler.sample_ising({}, couplings, num_reads=16, seed=0)
    chosen = found.info["annealing"]
    assert (chosen["alternate"], chosen["share"]) == (True, 1.0)
    assert "two sets of variables" in chosen["why"]
    other = sampler.sample_ising({}, couplings, num_reads=16, seed=0, alternate=False)
    assert found.first.energy == other.first.energy


@pytest.mark.parametrize("levers", [{"share": 0.25}, {"rule": "turn"}, {"alternate": False}, {"lock": 0.2}])
def test_levers_come_first(levers: dict) -> None:
    info = OscillatorSampler().sample_ising({}, grid(4, 4), seed=0, **levers).info
    assert not info["annealing"]["alternate"]


def test_a_triangle_has_no_two_sets() -> None:
    info = OscillatorSampler().sample_ising({}, {"ab": 1, "bc": 1, "ac": 1}, seed=0).info
    assert info["annealing"]["alternate"] is False


def test_a_device_that_has_room_for_the_sets_is_used_so() -> None:
    bqm = dimod.BQM({"m": 0.5}, {("m", end): 1.0 for end in "abcd"}, "SPIN")
    exact = dimod.ExactSolver().sample(bqm).first.energy
    for oscillators, alternates in ((10, True), (6, False)):
        spec = OscillatorSpec(oscillators=oscillators, inputs=1, weight_bits=8, flips=True, schedule_entries=8)
        with OscillatorSampler(Device.open(GoldenBoard(spec))) as sampler:
            found = sampler.sample(bqm, num_reads=8, seed=0)
        assert found.info["annealing"]["alternate"] is alternates
        assert found.first.energy == exact
