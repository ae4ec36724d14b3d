"""How well graphs are coloured: with one oscillator a vertex and a three-phase lock, and one-hot with spins.

Random graphs for which three colours suffice: ``--vertices`` vertices are shared out evenly among three colours, and
edges are drawn among all pairs of different colours until the mean degree is ``--degree``; seeds 100, 101, ... The
schedules' defaults were chosen on graphs of other seeds.

``oscillators``
    What a network needs.
``mean_conflicts``
    Edges between equal colours (one-hot: and vertices without exactly one colour), mean over graphs and reads.
``best_conflicts``
    The fewest among a graph's reads, mean over graphs.
``solved``
    Share of the reads without conflicts.
``satisfied``
    Share of the edges without conflict, mean over graphs and reads.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from reporting import log, parser, report

from attractor.solve.potts import COLOURING, sample_colouring
from attractor.solve.problems import Graph, graph_colouring
from attractor.solve.sampler import OscillatorSampler

COLOURS = 3


def planted(vertices: int, degree: float, seed: int) -> Graph:
    """Return a random graph for which three colours suffice."""
    random = np.random.default_rng(seed)
    colours = random.permutation(np.arange(vertices) % COLOURS)
    pairs = np.argwhere(np.triu(colours[:, None] != colours, 1))
    return Graph(vertices, random.choice(pairs, round(vertices * degree / 2), replace=False))


def by_phases(graph: Graph, reads: int, periods: int | None) -> tuple[int, np.ndarray]:
    """Return the oscillators, and the conflicts of each read."""
    annealing = COLOURING if periods is None else replace(COLOURING, periods=periods)
    return graph.vertices, sample_colouring(graph, COLOURS, num_reads=reads, seed=0, annealing=annealing).conflicts


def one_hot(graph: Graph, reads: int, periods: int | None) -> tuple[int, np.ndarray]:
    """Return the oscillators, the reference included, and the conflicts of each read."""
    problem = graph_colouring(graph, COLOURS)
    options: dict[str, Any] = {} if periods is None else {"periods": periods}
    samples = OscillatorSampler().sample(problem.bqm, num_reads=reads, seed=0, **options)
    rows = (dict(zip(samples.variables, row, strict=True)) for row in samples.record.sample)
    conflicts = [problem.objective(problem.decode(row)) for row in rows]
    return problem.bqm.num_variables + 1, np.array(conflicts)


def measure(name: str, solve: Any, graphs: list[Graph], reads: int, periods: int | None) -> dict[str, Any]:
    """Return a row of the table."""
    log(f"{name}: {len(graphs)} graphs, {reads} reads each")
    found = [solve(graph, reads, periods) for graph in graphs]
    conflicts = np.stack([row for _, row in found])
    edges = np.array([len(graph.edges) for graph in graphs])[:, None]
    return {
        "form": name,
        "oscillators": found[0][0],
        "mean_conflicts": float(conflicts.mean()),
        "best_conflicts": float(conflicts.min(axis=1).mean()),
        "solved": float((conflicts == 0).mean()),
        "satisfied": float((1 - conflicts / edges).mean()),
    }


def main() -> None:
    """Run the benchmark."""
    options = parser(__doc__)
    options.add_argument("--vertices", type=int, default=50)
    options.add_argument("--degree", type=float, default=4.0)
    options.add_argument("--graphs", type=int, default=5)
    options.add_argument("--reads", type=int, default=16)
    options.add_argument("--periods", type=int, help="default: each form's own")
    chosen = options.parse_args()
    graphs = [planted(chosen.vertices, chosen.degree, 100 + index) for index in range(chosen.graphs)]
    rows = [
        measure("phases", by_phases, graphs, chosen.reads, chosen.periods),
        measure("one-hot", one_hot, graphs, chosen.reads, chosen.periods),
    ]
    told = {name: getattr(chosen, name) for name in ("vertices", "degree", "graphs", "reads", "periods")}
    report(told | {"forms": rows}, as_json=chosen.json)


if __name__ == "__main__":
    main()
