"""Problems on graphs whose answer is a set of vertices, a cut or a colouring.

The formulations are those of A. Lucas, "Ising formulations of many NP problems", Frontiers in Physics 2 (2014) 5.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from attractor.solve.dimod_extra import dimod
from attractor.solve.problems.graph import Graph
from attractor.solve.problems.problem import Problem, Sample, add_one_hot, check_penalty, chosen

__all__ = [
    "clique",
    "clique_cover",
    "graph_colouring",
    "graph_partitioning",
    "independent_set",
    "max_cut",
    "vertex_cover",
]


def max_cut(graph: Graph) -> Problem[frozenset[int]]:
    """Divide the vertices so that the edges between the two parts weigh most.

    Answer: the vertices of one part. Spins, one for each vertex; energy ``-cut``, so J_uv = w_uv / 2.
    """
    u, v = graph.edges.T
    bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
        np.zeros(graph.vertices), (u, v, graph.weights / 2), -graph.weights.sum() / 2, dimod.SPIN
    )
    return Problem("max-cut", bqm, chosen, lambda _: True, lambda part: _cut(graph, part), "maximise")


def independent_set(graph: Graph, *, penalty: float | None = None) -> Problem[frozenset[int]]:
    """Find the most vertices of which no two are joined.

    Answer: the vertices. Energy ``-sum x_v + A sum over edges x_u x_v``; ``penalty`` A > 1, default 2. Weights of
    edges play no part.
    """
    bqm = _independent(graph, check_penalty("an independent set", penalty, 1, 2))
    return Problem("independent set", bqm, chosen, _without(graph, both=True), len, "maximise")


def clique(graph: Graph, *, penalty: float | None = None) -> Problem[frozenset[int]]:
    """Find the most vertices of which any two are joined: an independent set of the complement."""
    complement = graph.complement()
    bqm = _independent(complement, check_penalty("a clique", penalty, 1, 2))
    return Problem("clique", bqm, chosen, _without(complement, both=True), len, "maximise")


def vertex_cover(graph: Graph, *, penalty: float | None = None) -> Problem[frozenset[int]]:
    """Find the fewest vertices that touch every edge.

    Answer: the vertices. Energy ``sum x_v + A sum over edges (1 - x_u)(1 - x_v)``; ``penalty`` A > 1, default 2.
    """
    weight = check_penalty("a vertex cover", penalty, 1, 2)
    bqm = _variables(graph, 1.0)
    for u, v in graph.edges.tolist():
        bqm.add_quadratic(u, v, weight)
        bqm.add_linear(u, -weight)
        bqm.add_linear(v, -weight)
        bqm.offset += weight
    return Problem("vertex cover", bqm, chosen, _without(graph, both=False), len)


def graph_partitioning(graph: Graph, *, penalty: float | None = None) -> Problem[frozenset[int]]:
    """Divide the vertices into two parts of equal size so that the edges between them weigh least.

    Answer: the vertices of one part. Energy ``cut + A (sum s_v)**2``; ``penalty`` A > a quarter of the greatest
    degree, and for unit weights A > vertices / 8 is enough. Default: 1/8 more than that.

    Raises
    ------
    ValueError
        If the number of vertices is odd, or a weight is negative.
    """
    if graph.vertices % 2:
        raise ValueError(f"{graph.vertices} vertices cannot be halved; add one without edges")
    if (graph.weights < 0).any():
        raise ValueError(f"a weight is {graph.weights.min():g}; graph partitioning needs weights of at least 0")
    bound = float(graph.degrees.max()) / 4
    bound = min(bound, graph.vertices / 8) if graph.unit else bound
    weight = check_penalty("graph partitioning", penalty, bound, bound + 1 / 8)
    bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
        np.zeros(graph.vertices), (*graph.edges.T, -graph.weights / 2), graph.weights.sum() / 2, dimod.SPIN
    )
    bqm.add_linear_equality_constraint([(vertex, 1) for vertex in range(graph.vertices)], weight, 0)
    halves = graph.vertices // 2
    return Problem("graph partitioning", bqm, chosen, lambda part: len(part) == halves, lambda part: _cut(graph, part))


def graph_colouring(graph: Graph, colours: int) -> Problem[tuple[int, ...]]:
    """Give every vertex one of ``colours`` colours so that no edge joins equal ones.

    Answer: the colour of each vertex, -1 where a sample gives none or several. Variables ``(vertex, colour)``; energy
    ``sum_v (1 - sum_k x_vk)**2 + sum over edges, k x_uk x_vk``, 0 exactly if it can be done. The fewest colours are
    found by trying 1, 2, ... :func:`attractor.solve.potts.sample_colouring` needs one oscillator for each vertex.
    """
    if colours < 1:
        raise ValueError(f"colours is {colours}; at least one is needed")
    bqm = dimod.BinaryQuadraticModel("BINARY")
    for vertex in range(graph.vertices):
        add_one_hot(bqm, [(vertex, colour) for colour in range(colours)], 1)
    for u, v in graph.edges.tolist():
        for colour in range(colours):
            bqm.add_quadratic((u, colour), (v, colour), 1)

    def decode(sample: Sample) -> tuple[int, ...]:
        given = [[k for k in range(colours) if sample[vertex, k]] for vertex in range(graph.vertices)]
        return tuple(found[0] if len(found) == 1 else -1 for found in given)

    def wrong(answer: tuple[int, ...]) -> int:
        values = np.array(answer)
        ends = values[graph.edges]
        return int((values < 0).sum() + ((ends[:, 0] == ends[:, 1]) & (ends[:, 0] >= 0)).sum())

    return Problem("graph colouring", bqm, decode, lambda answer: wrong(answer) == 0, wrong)


def clique_cover(graph: Graph, cliques: int) -> Problem[tuple[int, ...]]:
    """Put every vertex into one of ``cliques`` cliques: a colouring of the complement.

    Answer: the clique of each vertex, -1 where a sample gives none or several.
    """
    problem = graph_colouring(graph.complement(), cliques)
    return Problem("clique cover", problem.bqm, problem.decode, problem.feasible, problem.objective)


def _variables(graph: Graph, linear: float) -> dimod.BinaryQuadraticModel:
    """Return a variable for each vertex."""
    return dimod.BinaryQuadraticModel(dict.fromkeys(range(graph.vertices), linear), {}, 0.0, dimod.BINARY)


def _independent(graph: Graph, penalty: float) -> dimod.BinaryQuadraticModel:
    bqm = _variables(graph, -1.0)
    bqm.add_quadratic_from((u, v, penalty) for u, v in graph.edges.tolist())
    return bqm


def _without(graph: Graph, *, both: bool) -> Callable[[frozenset[int]], bool]:
    """Return a check that no edge has both ends, or neither end, in a set."""

    def check(part: frozenset[int]) -> bool:
        inside = _mask(graph, part)[graph.edges]
        return not (inside if both else ~inside).all(axis=1).any()

    return check


def _mask(graph: Graph, part: frozenset[int]) -> np.ndarray:
    mask = np.zeros(graph.vertices, bool)
    mask[list(part)] = True
    return mask


def _cut(graph: Graph, part: frozenset[int]) -> float:
    return float(graph.cut(_mask(graph, part)))
