"""What each lever of the annealing does to the cuts that oscillators find.

The problems, the reference and the rule are those of ``maxcut.py``, with fewer graphs and 200 periods. Each row changes
one lever and leaves the others as they are there: noise from 0.8 F to 0.3 F, ``max_step`` 4, a lock of 0.25 F,
alternation, weights of 4.

``noise``
    Amplitude at the start, in units of the mean field F; it falls to 3/8 of that. 0 is no noise at all.
``noise falling to 0``
    The same, with noise that has gone at the end.
``periods``
    Length of a run.
``max_step``
    Slots by which a phase moves at most; 8 is the jump rule.
``max_step, not alternating``
    The same while all oscillators may move in every slot.
``lock``
    Strength of the lock to two phases, in units of F.
``scale``
    Weight of an edge. Noise and lock follow F, rounded to integers.
``unit_mean``, ``unit_best``, ``signed_mean``, ``signed_best``
    Mean over graphs of the mean and of the best ratio among a graph's reads, relative to simulated annealing. A ratio
    of 0 or below is a cut no better than a random one's, or none at all.
``unit_error``, ``signed_error``
    Standard error of that mean: the deviation among all reads over the root of their number.
``unit_changes``, ``signed_changes``
    Phase changes in a period, mean over all reads.
``colouring``
    Random graphs of 150 vertices and 300 edges that three colours suffice for, coloured by
    :func:`attractor.solve.potts.sample_colouring` with its own rule, but another strength of the lock to three phases:
    share of reads without a conflict, and mean number of conflicts.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from maxcut import TARGETS, Rule, anneal, random_graph, reference_cut
from reporting import log, parser, report

from attractor.solve.potts import COLOURING, sample_colouring
from attractor.solve.problems import Graph

BASE = Rule(periods=200)
NOISES = (0.0, 0.4, 0.6, 0.8, 1.0, 1.5)
TO_ZERO = (0.7, 1.0)
PERIODS = (50, 100, 200, 400)
STEPS = (1, 2, 3, 4, 6, 8)
FREE_STEPS = (1, 3, 4, 8)
LOCKS = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0)
SCALES = (1, 4)
COLOURS, VERTICES, EDGES, COLOUR_GRAPHS = 3, 150, 300, 2
COLOUR_LOCKS = (0.0, 1.0, 2.0, 3.0)

#: Graphs, and the cut of simulated annealing of each, by class.
Problems = dict[str, list[tuple[Graph, float]]]


def levers() -> list[tuple[str, float, Rule]]:
    """Return name, value and rule of each row."""
    change = dataclasses.replace
    rows = [("noise", value, change(BASE, first=value, last=value * BASE.last / BASE.first)) for value in NOISES]
    rows += [("noise falling to 0", value, change(BASE, first=value, last=0.0)) for value in TO_ZERO]
    rows += [("periods", value, change(BASE, periods=value)) for value in PERIODS]
    rows += [("max_step", value, change(BASE, max_step=value)) for value in STEPS]
    rows += [
        ("max_step, not alternating", value, change(BASE, max_step=value, alternate=False)) for value in FREE_STEPS
    ]
    rows += [("lock", value, change(BASE, lock=value)) for value in LOCKS]
    rows += [("scale", value, change(BASE, scale=value)) for value in SCALES]
    return rows


def problems(count: int) -> Problems:
    """Return the first graphs of both classes."""
    result: Problems = {}
    for kind in TARGETS:
        log(f"simulated annealing, {kind}")
        graphs = [random_graph(seed, signed=kind == "signed") for seed in range(count)]
        result[kind] = [(graph, reference_cut(graph, seed)) for seed, graph in enumerate(graphs)]
    return result


def figures(rule: Rule, given: Problems, *, lanes: int, reads: int) -> dict[str, float]:
    """Return the figures of one rule on all graphs."""
    result = {}
    for kind, graphs in given.items():
        runs = [anneal(graph, rule, lanes=lanes, reads=reads, seed=seed) for seed, (graph, _) in enumerate(graphs)]
        ratios = np.array([run.cuts / reference for run, (_, reference) in zip(runs, graphs, strict=True)])
        result[f"{kind}_mean"] = round(float(ratios.mean()), 5)
        result[f"{kind}_error"] = round(float(ratios.std(ddof=1) / ratios.size**0.5), 5)
        result[f"{kind}_best"] = round(float(ratios.max(axis=1).mean()), 5)
        result[f"{kind}_changes"] = round(float(np.mean([run.changes for run in runs])) / rule.periods, 1)
    return result


def colourable_graph(seed: int) -> Graph:
    """Return a random graph whose vertices of equal remainder by three are not joined."""
    ends = np.stack(np.triu_indices(VERTICES, 1), axis=1)
    allowed = ends[ends[:, 0] % COLOURS != ends[:, 1] % COLOURS]
    return Graph(VERTICES, np.random.default_rng(seed).choice(allowed, EDGES, replace=False))


def colouring(lock: float, reads: int) -> dict[str, Any]:
    """Return how well graphs are coloured with a lock of some strength."""
    rule = dataclasses.replace(COLOURING, lock=lock)
    found = [
        sample_colouring(colourable_graph(seed), COLOURS, num_reads=reads, seed=seed, annealing=rule).conflicts
        for seed in range(COLOUR_GRAPHS)
    ]
    conflicts = np.array(found)
    return {
        "lock": lock,
        "graphs": COLOUR_GRAPHS,
        "reads": reads,
        "without_conflict": round(float((conflicts == 0).mean()), 4),
        "mean_conflicts": round(float(conflicts.mean()), 3),
    }


def main() -> None:
    """Measure every lever."""
    options = parser(__doc__)
    options.add_argument("--graphs", type=int, default=2, help="graphs of each class (default %(default)s)")
    options.add_argument("--reads", type=int, default=8, help="reads of each graph (default %(default)s)")
    options.add_argument("--colour-reads", type=int, default=16, help="reads of each colouring (default %(default)s)")
    options.add_argument("--lanes", type=int, default=100, help="lanes of the network (default %(default)s)")
    arguments = options.parse_args()
    given = problems(arguments.graphs)
    rows: list[dict[str, Any]] = []
    done: dict[Rule, dict[str, float]] = {}
    for lever, value, rule in levers():
        if rule not in done:  # each lever's list has the common rule in it
            done[rule] = figures(rule, given, lanes=arguments.lanes, reads=arguments.reads)
        rows.append({"lever": lever, "value": value, **done[rule]})
        log(str(rows[-1]))
    log("colouring")
    coloured = [colouring(lock, arguments.colour_reads) for lock in COLOUR_LOCKS]
    result = {"graphs": arguments.graphs, "reads": arguments.reads, "rule": dataclasses.asdict(BASE), "rows": rows}
    report(result | {"colouring": coloured}, as_json=arguments.json)


if __name__ == "__main__":
    main()
