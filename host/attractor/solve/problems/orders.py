"""Problems whose answer orders the vertices of a graph: tours, and what keeps a graph from being ordered.

Variables ``(v, i)`` are 1 where vertex v has place i. Hamilton cycle and tour are formulated as by A. Lucas, "Ising
formulations of many NP problems", Frontiers in Physics 2 (2014) 5, with the first vertex fixed. The feedback problems
take his heights, without his helper variables.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from attractor.solve.dimod_extra import dimod
from attractor.solve.problems.graph import Graph
from attractor.solve.problems.problem import Problem, Sample, add_one_hot, check_penalty

__all__ = ["feedback_arc_set", "feedback_vertex_set", "hamilton_cycle", "travelling_salesman"]


def hamilton_cycle(graph: Graph) -> Problem[tuple[int, ...] | None]:
    """Find a way along edges that visits every vertex once and returns.

    Answer: the vertices in order, the first of them 0; None if a sample is no order. ``(vertices - 1)**2`` variables.
    Energy: ``(1 - sum)**2`` for each vertex and each place, and 1 for each step where there is no edge; 0 exactly if
    there is such a way.

    Raises
    ------
    ValueError
        If there is one vertex only.
    """
    if graph.vertices < 2:
        raise ValueError("a cycle needs at least 2 vertices; the graph has 1")
    allowed = _adjacency(graph)
    bqm = _orders(graph.vertices, 1.0, (~allowed).astype(float))

    def wrong(answer: tuple[int, ...] | None) -> int:
        return graph.vertices if answer is None else sum(not allowed[u, v] for u, v in _steps(answer))

    return Problem(
        "hamilton cycle", bqm, lambda sample: _order(sample, graph.vertices), lambda answer: wrong(answer) == 0, wrong
    )


def travelling_salesman(
    distances: npt.ArrayLike, *, penalty: float | Literal["small"] | None = None
) -> Problem[tuple[int, ...] | None]:
    """Find the shortest tour through all places.

    Answer: the places in order, the first of them 0; None if a sample is no order. ``(places - 1)**2`` variables. The
    energy of an order is the length of its tour.

    Every tour leaves each place once and enters it once. So the shortest way out of a place, and then what is left of
    the shortest way in, is taken from its distances and added once for all: energies of tours stay as they are, while
    coefficients and penalty get smaller.

    Parameters
    ----------
    distances:
        Distance from each place to each other, at least 0, shape (places, places); need not be symmetric. The
        diagonal plays no part.
    penalty:
        More than the greatest distance that is left; default 1 more. Leaving a place out spares two distances and
        costs two penalties, so no sample that is no order then has the least energy. ``"small"`` takes half of that:
        leaving a place out then pays only where its two distances are longer together than the longest one, which no
        good tour has. Weights of few bits are spent on distances then.

    Raises
    ------
    ValueError
        If the distances are not a square matrix of at least 2 places, or one is negative or not finite.
    """
    matrix = np.array(distances, np.float64)
    places = len(matrix)
    if matrix.shape != (places, places) or places < 2:
        raise ValueError(f"distances have shape {matrix.shape}; a square matrix of at least 2 places is needed")
    np.fill_diagonal(matrix, 0)
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError("a distance is negative or not finite; add the same to all, or leave the place out")
    left, common = _reduced(matrix)
    longest = float(left.max())
    proven = check_penalty("a tour", None if penalty == "small" else penalty, longest, longest + 1)
    bqm = _orders(places, proven / 2 if penalty == "small" else proven, left)
    bqm.offset += common

    def length(answer: tuple[int, ...] | None) -> float:
        return float("inf") if answer is None else float(sum(matrix[u, v] for u, v in _steps(answer)))

    return Problem(
        "travelling salesman", bqm, lambda sample: _order(sample, places), lambda answer: answer is not None, length
    )


def _reduced(distances: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """Return what is left of distances without each place's shortest ways out and in, and the sum of those."""
    own = np.where(np.eye(len(distances), dtype=bool), np.inf, 0.0)
    leaving = (distances + own).min(axis=1)
    entering = (distances + own - leaving[:, None]).min(axis=0)
    left = distances - leaving[:, None] - entering
    np.fill_diagonal(left, 0)
    return left, float(leaving.sum() + entering.sum())


def feedback_arc_set(graph: Graph, *, penalty: float | None = None) -> Problem[frozenset[int]]:
    """Find the fewest edges of a directed graph without which it has no cycle.

    Answer: the numbers of the edges. Every vertex gets one height; edges that do not lead upwards are the answer.
    Energy ``A sum_v (1 - sum_i x_vi)**2 + sum over u->v, i >= j x_ui x_vj``. A vertex without a height costs A and
    spares at most its edges, so ``penalty`` A > the most edges of a vertex; default 1 more. Samples that give a vertex
    no height, or several, count its edges as removed.
    """
    _check_directed(graph)
    most = float(np.bincount(graph.edges.reshape(-1), minlength=1).max())
    weight = check_penalty("a feedback arc set", penalty, most, most + 1)
    bqm = dimod.BinaryQuadraticModel("BINARY")
    for vertex in range(graph.vertices):
        add_one_hot(bqm, [(vertex, height) for height in range(graph.vertices)], weight)
    _add_upwards(bqm, graph, 1.0)

    def decode(sample: Sample) -> frozenset[int]:
        heights = _heights(sample, graph.vertices)
        kept = [u in heights and v in heights and heights[u] < heights[v] for u, v in graph.edges.tolist()]
        return frozenset(int(index) for index in np.flatnonzero(~np.array(kept, bool)))

    def feasible(removed: frozenset[int]) -> bool:
        kept = [index for index in range(len(graph.edges)) if index not in removed]
        return _acyclic(graph.vertices, graph.edges[kept])

    return Problem("feedback arc set", bqm, decode, feasible, len)


def feedback_vertex_set(graph: Graph, *, penalty: float | None = None) -> Problem[frozenset[int]]:
    """Find the fewest vertices of a directed graph without which it has no cycle.

    Answer: the vertices. A vertex that is kept gets a height, and the edges between kept ones lead upwards. Energy
    ``sum_v (1 - sum_i x_vi) + A sum_v sum_(i<j) x_vi x_vj + A sum over u->v, i >= j x_ui x_vj``: wherever a penalty is
    paid, removing one height gains A and costs 1, so ``penalty`` A > 1; default 2.
    """
    _check_directed(graph)
    weight = check_penalty("a feedback vertex set", penalty, 1, 2)
    bqm = dimod.BinaryQuadraticModel("BINARY")
    bqm.offset = float(graph.vertices)
    for vertex in range(graph.vertices):
        for height in range(graph.vertices):
            bqm.add_linear((vertex, height), -1)
            bqm.add_quadratic_from(((vertex, height), (vertex, lower), weight) for lower in range(height))
    _add_upwards(bqm, graph, weight)

    def decode(sample: Sample) -> frozenset[int]:
        return frozenset(range(graph.vertices)).difference(_heights(sample, graph.vertices))

    def feasible(removed: frozenset[int]) -> bool:
        return _acyclic(graph.vertices, graph.edges[~np.isin(graph.edges, list(removed)).any(axis=1)])

    return Problem("feedback vertex set", bqm, decode, feasible, len)


# Orders on a circle


def _orders(places: int, penalty: float, costs: npt.NDArray[np.float64]) -> dimod.BinaryQuadraticModel:
    """Return the energy of orders that begin with vertex 0: ``penalty`` for what is none, ``costs[u, v]`` a step."""
    bqm = dimod.BinaryQuadraticModel("BINARY")
    others = range(1, places)
    for first in others:
        add_one_hot(bqm, [(first, place) for place in others], penalty)
        add_one_hot(bqm, [(vertex, first) for vertex in others], penalty)
    for vertex in others:
        bqm.add_linear((vertex, 1), costs[0, vertex])
        bqm.add_linear((vertex, places - 1), costs[vertex, 0])
        for after in others:
            if after != vertex and costs[vertex, after]:
                pairs = (((vertex, place), (after, place + 1)) for place in range(1, places - 1))
                bqm.add_quadratic_from((a, b, costs[vertex, after]) for a, b in pairs)
    return bqm


def _order(sample: Sample, places: int) -> tuple[int, ...] | None:
    """Return the order that a sample is, or None."""
    others = range(1, places)
    order = [[vertex for vertex in others if sample[vertex, place]] for place in others]
    found = (0, *(vertices[0] for vertices in order if len(vertices) == 1))
    return found if sorted(found) == list(range(places)) else None


def _steps(order: tuple[int, ...]) -> list[tuple[int, int]]:
    return [*pairwise(order), (order[-1], order[0])]


def _adjacency(graph: Graph) -> npt.NDArray[np.bool_]:
    allowed = np.zeros((graph.vertices, graph.vertices), bool)
    allowed[tuple(graph.edges.T)] = True
    return allowed if graph.directed else allowed | allowed.T


# Heights


def _check_directed(graph: Graph) -> None:
    if not graph.directed:
        raise ValueError("the graph has no directions; make it with directed=True")


def _add_upwards(bqm: dimod.BinaryQuadraticModel, graph: Graph, penalty: float) -> None:
    """Add ``penalty`` for each edge between heights that does not lead upwards."""
    for u, v in graph.edges.tolist():
        for height in range(graph.vertices):
            bqm.add_quadratic_from(((u, height), (v, lower), penalty) for lower in range(height + 1))


def _heights(sample: Sample, vertices: int) -> dict[int, int]:
    """Return the height of each vertex that has exactly one."""
    given = {v: [height for height in range(vertices) if sample[v, height]] for v in range(vertices)}
    return {vertex: heights[0] for vertex, heights in given.items() if len(heights) == 1}


def _acyclic(vertices: int, edges: npt.NDArray[np.intp]) -> bool:
    """Return whether taking away vertices without incoming edges takes all away."""
    left = np.ones(vertices, bool)
    while True:
        incoming = np.zeros(vertices, bool)
        incoming[edges[left[edges].all(axis=1), 1]] = True
        if (left == (left & incoming)).all():
            return not left.any()
        left &= incoming
