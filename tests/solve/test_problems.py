"""Problems on small random instances: the samples of least energy are exactly the optimal answers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, combinations, permutations, product
from typing import Any

import dimod
import numpy as np
import pytest

from attractor.solve import problems
from attractor.solve.problems import Graph, Problem
from attractor.solve.problems.problem import slack_bits

#: Enumerated at most: 2**18 samples.
MOST_VARIABLES = 18


def random_graph(random: np.random.Generator, vertices: int, *, share: float = 0.5, directed: bool = False) -> Graph:
    pairs = permutations(range(vertices), 2) if directed else combinations(range(vertices), 2)
    return Graph(vertices, [pair for pair in pairs if random.random() < share], directed=directed)


def subsets(count: int) -> Iterable[frozenset[int]]:
    return (frozenset(one) for one in chain.from_iterable(combinations(range(count), k) for k in range(count + 1)))


def ground_states(problem: Problem[Any]) -> tuple[float, list[dict[Any, int]]]:
    """Return the least energy, and all samples that have it."""
    labels, count = list(problem.bqm.variables), problem.bqm.num_variables
    assert count <= MOST_VARIABLES
    bits = (np.arange(2**count)[:, None] >> np.arange(count) & 1).astype(np.int8)
    samples = bits if problem.bqm.vartype is dimod.BINARY else 2 * bits - 1
    energies = problem.bqm.energies((samples, labels))
    least = energies.min()
    rows = samples[np.isclose(energies, least)]
    return float(least), [dict(zip(labels, row.tolist(), strict=True)) for row in rows]


def check(problem: Problem[Any], optima: set[Any], best: float, *, feasible: bool = True) -> None:
    """Compare the ground states with all optima, and the least energy with their objective."""
    energy, samples = ground_states(problem)
    answers = {problem.decode(sample) for sample in samples}
    if not feasible:
        assert not optima
        assert not any(problem.feasible(answer) for answer in answers)
        return
    assert answers == optima
    sign = -1 if problem.sense == "maximise" else 1
    assert energy == pytest.approx(sign * best)
    for answer in answers:
        assert problem.feasible(answer)
        assert problem.objective(answer) == pytest.approx(best)


def optimal(candidates: Iterable[Any], objective: Any, sense: str) -> tuple[set[Any], float]:
    values = {candidate: objective(candidate) for candidate in candidates}
    if not values:
        return set(), 0.0
    best = max(values.values()) if sense == "maximise" else min(values.values())
    return {candidate for candidate, value in values.items() if np.isclose(value, best)}, best


def edges_of(graph: Graph) -> list[tuple[int, int]]:
    return [(u, v) for u, v in graph.edges.tolist()]


SEEDS = pytest.mark.parametrize("seed", range(4))


# Sets of vertices


@SEEDS
def test_max_cut(seed: int) -> None:
    random = np.random.default_rng(seed)
    graph = random_graph(random, 7)
    graph = Graph(7, graph.edges, random.integers(-3, 4, len(graph.edges)))

    def cut(part: frozenset[int]) -> float:
        return sum(w for (u, v), w in zip(edges_of(graph), graph.weights, strict=True) if (u in part) != (v in part))

    check(problems.max_cut(graph), *optimal(subsets(7), cut, "maximise"))


@SEEDS
def test_independent_set_and_vertex_cover(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed), 7)
    apart = [part for part in subsets(7) if not any(u in part and v in part for u, v in edges_of(graph))]
    covers = [part for part in subsets(7) if all(u in part or v in part for u, v in edges_of(graph))]
    for penalty in (None, 1.01):
        check(problems.independent_set(graph, penalty=penalty), *optimal(apart, len, "maximise"))
        check(problems.vertex_cover(graph, penalty=penalty), *optimal(covers, len, "minimise"))


@SEEDS
def test_clique(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed), 7, share=0.6)
    joined = {frozenset(edge) for edge in edges_of(graph)}
    cliques = [part for part in subsets(7) if all(frozenset(two) in joined for two in combinations(part, 2))]
    check(problems.clique(graph), *optimal(cliques, len, "maximise"))


@SEEDS
@pytest.mark.parametrize("weighted", [False, True])
def test_graph_partitioning(seed: int, weighted: bool) -> None:
    random = np.random.default_rng(seed)
    graph = random_graph(random, 8, share=0.4)
    if weighted:
        graph = Graph(8, graph.edges, random.integers(1, 5, len(graph.edges)))
    halves = [part for part in subsets(8) if len(part) == 4]

    def cut(part: frozenset[int]) -> float:
        return sum(w for (u, v), w in zip(edges_of(graph), graph.weights, strict=True) if (u in part) != (v in part))

    check(problems.graph_partitioning(graph), *optimal(halves, cut, "minimise"))


@SEEDS
@pytest.mark.parametrize(("vertices", "colours"), [(5, 2), (5, 3), (4, 4)])
def test_graph_colouring(seed: int, vertices: int, colours: int) -> None:
    graph = random_graph(np.random.default_rng(seed), vertices, share=0.7)
    proper = {
        answer
        for answer in product(range(colours), repeat=vertices)
        if all(answer[u] != answer[v] for u, v in edges_of(graph))
    }
    check(problems.graph_colouring(graph, colours), proper, 0, feasible=bool(proper))


def test_colouring_counts_what_is_wrong() -> None:
    problem = problems.graph_colouring(Graph.from_edges([(0, 1), (1, 2), (2, 0)]), 2)
    assert problem.objective((0, 1, 0)) == 1
    assert problem.objective((0, 0, 0)) == 3
    assert problem.objective((-1, -1, 0)) == 2
    sample = dict.fromkeys(problem.bqm.variables, 0) | {(0, 0): 1, (1, 0): 1, (1, 1): 1}
    assert problem.decode(sample) == (0, -1, -1)


@SEEDS
def test_clique_cover(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed), 6, share=0.6)
    joined = {frozenset(edge) for edge in edges_of(graph)}
    covers = {
        answer
        for answer in product(range(2), repeat=6)
        if all(frozenset((u, v)) in joined for u, v in combinations(range(6), 2) if answer[u] == answer[v])
    }
    check(problems.clique_cover(graph, 2), covers, 0, feasible=bool(covers))


# Orders


@SEEDS
@pytest.mark.parametrize("directed", [False, True])
def test_hamilton_cycle(seed: int, directed: bool) -> None:
    graph = random_graph(np.random.default_rng(seed), 5, share=0.6, directed=directed)
    steps = {*edges_of(graph)} | (set() if directed else {(v, u) for u, v in edges_of(graph)})
    cycles = {
        order
        for order in ((0, *rest) for rest in permutations(range(1, 5)))
        if all((order[i - 1], order[i]) in steps for i in range(5))
    }
    check(problems.hamilton_cycle(graph), cycles, 0, feasible=bool(cycles))


@SEEDS
def test_travelling_salesman(seed: int) -> None:
    distances = np.random.default_rng(seed).integers(0, 20, (5, 5))

    def length(order: tuple[int, ...]) -> float:
        return sum(int(distances[order[i - 1], order[i]]) for i in range(5))

    orders = [(0, *rest) for rest in permutations(range(1, 5))]
    for penalty in (None, distances[~np.eye(5, dtype=bool)].max() + 0.01):
        check(problems.travelling_salesman(distances, penalty=penalty), *optimal(orders, length, "minimise"))


def cyclic(vertices: Iterable[int], edges: Iterable[tuple[int, int]]) -> bool:
    """Return whether no order of the vertices lets all edges lead upwards."""
    return not any(all(order.index(u) < order.index(v) for u, v in edges) for order in permutations(vertices))


@SEEDS
@pytest.mark.parametrize("vertices", [3, 4])
def test_feedback_sets(seed: int, vertices: int) -> None:
    graph = random_graph(np.random.default_rng(seed), vertices, share=0.6, directed=True)
    edges = edges_of(graph)
    broken = [
        removed
        for removed in subsets(len(edges))
        if not cyclic(range(vertices), [edge for index, edge in enumerate(edges) if index not in removed])
    ]
    check(problems.feedback_arc_set(graph), *optimal(broken, len, "minimise"))
    left = [
        removed
        for removed in subsets(vertices)
        if not cyclic(set(range(vertices)) - removed, [edge for edge in edges if not removed & set(edge)])
    ]
    check(problems.feedback_vertex_set(graph, penalty=1.01), *optimal(left, len, "minimise"))


# Sets


def random_sets(random: np.random.Generator, count: int, universe: int) -> list[set[int]]:
    return [
        {e for e in range(universe) if random.random() < 0.4} or {int(random.integers(universe))} for _ in range(count)
    ]


@SEEDS
def test_sets(seed: int) -> None:
    sets = random_sets(np.random.default_rng(seed), 7, 5)
    elements = set().union(*sets)
    exact = {part for part in subsets(7) if sorted(e for i in part for e in sets[i]) == sorted(elements)}
    check(problems.exact_cover(sets), exact, 0, feasible=bool(exact))
    apart = [
        part for part in subsets(7) if sum(len(sets[i]) for i in part) == len(set().union(*(sets[i] for i in part)))
    ]
    check(problems.set_packing(sets, penalty=1.01), *optimal(apart, len, "maximise"))


@SEEDS
def test_set_cover_and_hitting_set(seed: int) -> None:
    sets = random_sets(np.random.default_rng(seed), 5, 4)
    elements = set().union(*sets)
    covers = [part for part in subsets(5) if set().union(*(sets[i] for i in part)) == elements]
    check(problems.set_cover(sets, penalty=1.01), *optimal(covers, len, "minimise"))
    names = "abcd"
    named = [{names[e] for e in one} for one in sets]
    hits = [part for part in (frozenset(names[e] for e in s) for s in subsets(4)) if all(part & one for one in named)]
    check(problems.hitting_set(named, penalty=1.01), *optimal(hits, len, "minimise"))


@SEEDS
def test_three_dimensional_matching(seed: int) -> None:
    triples = [tuple(row) for row in np.random.default_rng(seed).integers(0, 3, (7, 3)).tolist()]
    apart = [
        part for part in subsets(7) if all(len({triples[i][axis] for i in part}) == len(part) for axis in range(3))
    ]
    check(problems.three_dimensional_matching(triples), *optimal(apart, len, "maximise"))


# Numbers


@SEEDS
def test_number_partitioning(seed: int) -> None:
    numbers = np.random.default_rng(seed).integers(1, 30, 9).tolist()

    def difference(part: frozenset[int]) -> float:
        return (sum(numbers) - 2 * sum(numbers[i] for i in part)) ** 2

    check(problems.number_partitioning(numbers), *optimal(subsets(9), difference, "minimise"))


@SEEDS
def test_knapsack(seed: int) -> None:
    random = np.random.default_rng(seed)
    weights, values = random.integers(0, 8, 7).tolist(), random.integers(1, 9, 7).tolist()
    capacity = int(random.integers(0, 16))
    light = [part for part in subsets(7) if sum(weights[i] for i in part) <= capacity]
    expected = optimal(light, lambda part: sum(values[i] for i in part), "maximise")
    for penalty in (None, max(values) + 0.01):
        check(problems.knapsack(weights, values, capacity, penalty=penalty), *expected)


@SEEDS
@pytest.mark.parametrize("relation", ["==", "<="])
def test_integer_programming(seed: int, relation: Any) -> None:
    random = np.random.default_rng(seed)
    matrix, gains = random.integers(-2, 3, (2, 6)), random.integers(-4, 5, 6)
    bounds = matrix @ random.integers(0, 2, 6)

    def holds(part: frozenset[int]) -> bool:
        sums = matrix[:, list(part)].sum(axis=1)
        return bool(np.all(sums == bounds if relation == "==" else sums <= bounds))

    expected = optimal(filter(holds, subsets(6)), lambda part: int(gains[list(part)].sum()), "maximise")
    check(problems.integer_programming(gains, matrix, bounds, relation=relation), *expected)


@SEEDS
@pytest.mark.parametrize("count", [5, 10])
def test_three_sat(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    clauses = [
        (random.choice([-1, 1], size) * (random.permutation(5)[:size] + 1)).tolist()
        for size in random.choice([1, 2, 3, 3], count)
    ]

    def failing(values: tuple[bool, ...]) -> int:
        return sum(all(values[abs(k) - 1] != (k > 0) for k in clause) for clause in clauses)

    optima, least = optimal(product([False, True], repeat=5), failing, "minimise")
    problem = problems.three_sat(clauses, 5)
    energy, samples = ground_states(problem)
    assert energy == pytest.approx(least)  # as many failures as must be, not only 0 or more
    assert {problem.decode(sample) for sample in samples} == optima
    assert all(problem.feasible(answer) == (least == 0) for answer in optima)


def test_clauses_that_repeat_or_contradict_themselves() -> None:
    energy, samples = ground_states(problems.three_sat([(1, 1, 1), (2, -2, 3), (-3, -3)]))
    assert energy == 0
    assert {(sample[1], sample[3]) for sample in samples} == {(1, 0)}


def test_slack_bits_reach_every_number_and_no_other() -> None:
    for largest in range(40):
        sums = {sum(part) for part in product(*((0, bit) for bit in slack_bits(largest)))}
        assert sums == set(range(largest + 1))


# Answers from sample sets, and bad input


def test_best_is_the_feasible_answer_of_least_energy() -> None:
    problem = problems.vertex_cover(Graph.from_edges([(0, 1), (1, 2)]))
    samples = dimod.SampleSet.from_samples_bqm(
        [{0: 0, 1: 0, 2: 0}, {0: 1, 1: 0, 2: 1}, {0: 1, 1: 1, 2: 1}], problem.bqm
    )
    assert problem.best(samples) == {0, 2}
    with pytest.raises(ValueError, match="none of 1 samples is a feasible answer to vertex cover; take more reads"):
        problem.best(dimod.SampleSet.from_samples_bqm({0: 1, 1: 0, 2: 0}, problem.bqm))


GRAPH = Graph.from_edges([(0, 1), (1, 2)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: problems.independent_set(GRAPH, penalty=1), "penalty is 1; an independent set needs more than 1"),
        (lambda: problems.vertex_cover(GRAPH, penalty=0.5), "penalty is 0.5; a vertex cover needs more than 1"),
        (lambda: problems.graph_partitioning(GRAPH), "3 vertices cannot be halved"),
        (lambda: problems.graph_partitioning(Graph(2, [(0, 1)], [-1])), "a weight is -1"),
        (lambda: problems.graph_colouring(GRAPH, 0), "colours is 0"),
        (lambda: problems.hamilton_cycle(Graph(1, [])), "a cycle needs at least 2 vertices"),
        (lambda: problems.feedback_arc_set(GRAPH), "make it with directed=True"),
        (lambda: problems.travelling_salesman([[0, 1]]), "distances have shape (1, 2)"),
        (lambda: problems.travelling_salesman([[0, -1], [1, 0]]), "a distance is negative"),
        (lambda: problems.set_cover([{1}], [1, 2]), "element 2 is in no set"),
        (lambda: problems.exact_cover([{1}, {3}], [1, 2]), "set 1 has 3, which is not in the universe"),
        (lambda: problems.number_partitioning([1, float("nan")]), "not finite"),
        (lambda: problems.knapsack([1.5], [1], 2), "weights are not all integers"),
        (lambda: problems.knapsack([1], [1, 2], 2), "shapes (1,) and (2,)"),
        (lambda: problems.knapsack([1], [1], -1), "the capacity -1"),
        (lambda: problems.integer_programming([1], [[1]], [-1], relation="<="), "row 0 is at least 0, more than its"),
        (lambda: problems.integer_programming([1, 2], [[1]], [1]), "matrix has shape (1, 1)"),
        (lambda: problems.three_sat([(1, 2, 3), (0,)]), "clause 1 is [0]"),
        (lambda: problems.three_sat([(1, 2, 3, 4)]), "clause 0 is [1, 2, 3, 4]"),
        (lambda: problems.three_sat([(7,)], 3), "clause 0 is [7]; 1 to 3 literals from 1 to 3"),
        (lambda: Graph(2, [(0, 2)]), "edge 0, (0, 2), is outside; 2 vertices"),
        (lambda: Graph(3, [(0, 1), (1, 1)]), "edge 1, (1, 1), is a loop"),
        (lambda: Graph(3, [(0, 1), (1, 0)]), "edge 1, (1, 0), occurs twice"),
        (lambda: Graph(3, [(0, 1)], [float("inf")]), "no finite number"),
        (lambda: Graph(3, [(0, 1)], [1, 2]), "weights have shape (2,)"),
        (lambda: Graph(3, [(0, 1, 2)]), "edges have shape (1, 3)"),
        (lambda: Graph(0, []), "a graph has 0 vertices"),
    ],
)
def test_bad_input(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_graph_from_edges_with_weights() -> None:
    graph = Graph.from_edges([(0, 3), (1, 2, 4.0)])
    assert graph.vertices == 4
    assert graph.weights.tolist() == [1.0, 4.0]
    assert graph.cut([[1, 1, 1, 1], [1, 1, -1, -1]]).tolist() == [0.0, 5.0]
    assert edges_of(Graph(3, [(0, 1)], directed=True).complement()) == [(0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
