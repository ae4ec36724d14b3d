"""Hard problems as energies: each function returns a :class:`Problem` that any dimod sampler can solve."""

from attractor.solve.problems.clauses import max_sat, three_sat
from attractor.solve.problems.graph import Graph
from attractor.solve.problems.numbers import integer_programming, knapsack, number_partitioning
from attractor.solve.problems.on_graphs import (
    clique,
    clique_cover,
    graph_colouring,
    graph_partitioning,
    independent_set,
    max_cut,
    vertex_cover,
)
from attractor.solve.problems.orders import (
    feedback_arc_set,
    feedback_vertex_set,
    hamilton_cycle,
    travelling_salesman,
)
from attractor.solve.problems.problem import Problem
from attractor.solve.problems.sets import (
    exact_cover,
    hitting_set,
    set_cover,
    set_packing,
    three_dimensional_matching,
)

__all__ = [
    "Graph",
    "Problem",
    "clique",
    "clique_cover",
    "exact_cover",
    "feedback_arc_set",
    "feedback_vertex_set",
    "graph_colouring",
    "graph_partitioning",
    "hamilton_cycle",
    "hitting_set",
    "independent_set",
    "integer_programming",
    "knapsack",
    "max_cut",
    "max_sat",
    "number_partitioning",
    "set_cover",
    "set_packing",
    "three_dimensional_matching",
    "three_sat",
    "travelling_salesman",
    "vertex_cover",
]
