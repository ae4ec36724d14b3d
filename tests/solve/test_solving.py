"""From a problem to its answer and back: small problems of every kind, solved on oscillators."""

from __future__ import annotations

from typing import Any

import dimod
import pytest

from attractor.solve import problems
from attractor.solve.problems import Graph, Problem
from attractor.solve.sampler import OscillatorSampler

GRAPH = Graph.from_edges([(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 5), (2, 5), (3, 5)])
CYCLES = Graph(4, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 1)], directed=True)
SETS = [{"a", "b"}, {"c", "d"}, {"b", "c"}, {"a", "d", "e"}, {"e"}]

PROBLEMS: list[Problem[Any]] = [
    problems.max_cut(GRAPH),
    problems.graph_partitioning(GRAPH),
    problems.independent_set(GRAPH),
    problems.clique(GRAPH),
    problems.vertex_cover(GRAPH),
    problems.graph_colouring(GRAPH, 3),
    problems.clique_cover(GRAPH, 3),
    problems.hamilton_cycle(Graph.from_edges([(0, 2), (2, 1), (1, 4), (4, 3), (3, 0), (0, 1), (2, 4)])),
    problems.travelling_salesman([[0, 3, 8, 6], [2, 0, 5, 7], [9, 4, 0, 1], [3, 8, 6, 0]]),
    problems.feedback_vertex_set(CYCLES),
    problems.feedback_arc_set(CYCLES),
    problems.exact_cover(SETS),
    problems.set_packing(SETS),
    problems.set_cover(SETS),
    problems.hitting_set(SETS),
    problems.three_dimensional_matching([(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0), (2, 2, 2)]),
    problems.number_partitioning([1, 2, 3, 4, 6]),
    problems.knapsack([2, 3, 4, 1], [3, 4, 5, 1], 6),
    problems.integer_programming([3, -1, 2], [[1, 1, 1], [0, 1, -1]], [2, 0], relation="<="),
    problems.three_sat([(1, 2, -3), (-1, 3, 4), (2, -3, -4), (-2, 1, 4)]),
    problems.max_sat([(1, 2, 3, 4, 5), (-1, -2), (-3,), (1, -4), (-5, 2)], weights=[3, 1, 2, 1, float("inf")]),
]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_the_best_answer_is_optimal(problem: Problem[Any]) -> None:
    exact = dimod.ExactSolver().sample(problem.bqm)
    samples = OscillatorSampler().sample(problem.bqm, num_reads=32, seed=0, periods=100, scale="auto")
    answer = problem.best(samples)
    assert problem.feasible(answer)
    assert problem.objective(answer) == pytest.approx(problem.objective(problem.best(exact)))


def test_partitioning_wants_no_alternation() -> None:
    """In alternation phases that turn follow the odd and the even part, whatever the edges; the defaults do not."""
    ring = Graph(24, [(v, (v + 1) % 24) for v in range(24)])
    problem = problems.graph_partitioning(ring)
    sampler = OscillatorSampler()
    levers = {"rule": "turn", "noise": 1.0, "max_step": 4, "lock": 0.25}
    alternating = sampler.sample(problem.bqm, num_reads=8, seed=0, alternate=True, **levers)
    assert min(alternating.record.energy) == 24.0  # every edge is cut
    for given in ({}, {"alternate": False, "max_step": 1, "lock": 0.0, "noise": 1.5}):
        found = sampler.sample(problem.bqm, num_reads=8, seed=0, **given)
        assert min(found.record.energy) <= 6.0


def test_every_problem_is_here() -> None:
    names = {name.replace("_", " ") for name in problems.__all__ if name.islower()}
    here = {problem.name.replace("-", " ").lower() for problem in PROBLEMS}
    here = {name.replace("3 ", "three ").replace("0 1 ", "") for name in here}
    assert names == here
