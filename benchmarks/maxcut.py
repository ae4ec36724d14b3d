"""How good the cuts are that annealed oscillators find, and how long a board would take for them.

Random graphs of the classes of G1 and G6 in the G-set: 800 vertices, 19,176 different edges, weight 1 (``unit``) or 1
and -1 (``signed``), drawn from seeds 0, 1, ... A cut is divided by the best that simulated annealing finds on the same
graph: dwave-samplers' ``SimulatedAnnealingSampler``, 16 reads of 1,500 sweeps, its own temperatures. That is a strong
reference and no proven optimum: a ratio can exceed 1.

Each read is one call of the golden model, from random phases and with a seed of its own. Weights are -4 times those of
the edges in 4 bits, phases have 4 bits. With F, the mean over the oscillators of the root of the sum of their squared
weights, noise falls from 0.8 F to 0.3 F in 60 equal steps, two periods without noise end the run, the lock has 0.25 F,
phases move by 4 slots at most and in alternation. A phase is read by the axis that gives the greatest cut.

``mean_ratio``, ``best_of_8_ratio``
    Mean over graphs of the mean and of the greatest ratio among a graph's reads (8 unless ``--reads`` says otherwise).
    With 1,000 periods they have to reach ``TARGETS``, or the benchmark fails.
``phase_changes``, ``level_flips``
    Phase changes in a period, and those of them that invert the level in that very slot; mean over all reads.
``seconds_on_chip``
    Clock cycles of one read at 50 MHz on ``lanes`` lanes, mean over all reads, by the table in the docstring of
    :class:`attractor.hdl.oscillator.core.OscillatorCore`. ``seconds_one_lane_each``: the same with 800 lanes.
``rtl``
    With ``--rtl`` one graph in the simulated gateware, for fewer periods: whether all phases end as in the golden
    model, the core's cycle counter, and what the table gives for this run.
``gset``
    With ``--gset FOLDER`` every file G1, G2, ... there, against the best known cut of the published lists: those of
    simulated bifurcation (2019) and breakout local search (2013), the greater value where they differ.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dimod
import numpy as np
import numpy.typing as npt
from dwave.samplers import SimulatedAnnealingSampler
from reporting import log, parser, report

from attractor.golden import OscillatorNetwork
from attractor.host import Device, Model
from attractor.sim.rtl_board import RtlBoard
from attractor.solve.annealing import mean_field
from attractor.solve.ising import Placement, starts
from attractor.solve.problem_files import read_problem
from attractor.solve.problems import Graph
from attractor.spec import IntegerArray, OscillatorSpec
from attractor.spec.oscillator import SCHEDULE_COLUMNS

VERTICES = 800
EDGES = 19_176
PERIODS = (100, 300, 1000)
CLOCK_HZ = 50e6
#: Least mean and best ratio of each class with 1,000 periods.
TARGETS = {"unit": (0.995, 0.998), "signed": (0.985, 0.993)}
SWEEPS, REFERENCE_READS = 1500, 16
#: Seconds without an answer that are no cause for concern: a large board is a slow simulation.
PATIENCE = 600.0
_KNOWN_CUTS = {
    range(1, 11): (11624, 11620, 11622, 11646, 11631, 2178, 2006, 2005, 2054, 2000),
    range(11, 22): (564, 556, 582, 3064, 3050, 3052, 3047, 992, 906, 941, 931),
    range(43, 48): (6660, 6650, 6654, 6649, 6657),
    range(51, 55): (3848, 3851, 3850, 3852),
}
#: Best known cuts of the G-set's graphs with up to 1,000 vertices: the published lists named above.
BEST_KNOWN = {
    f"G{number}": cut for numbers, known in _KNOWN_CUTS.items() for number, cut in zip(numbers, known, strict=True)
}


@dataclass(frozen=True)
class Rule:
    """An annealing schedule, its strengths in units of the mean field F.

    Parameters
    ----------
    periods:
        Periods of a run.
    first, last:
        Amplitude of the noise at the start and in the last of ``steps`` equal steps.
    steps:
        Schedule entries for the noise.
    cool:
        Periods without noise at the end.
    max_step:
        Most slots by which a phase moves.
    lock:
        Strength of the lock to two phases.
    alternate:
        Whether phases move in alternation.
    scale:
        Weight of an edge of weight 1.
    """

    periods: int = 1000
    first: float = 0.8
    last: float = 0.3
    steps: int = 60
    cool: int = 2
    max_step: int = 4
    lock: float = 0.25
    alternate: bool = True
    scale: int = 4

    def schedule(self, spec: OscillatorSpec, weights: IntegerArray) -> IntegerArray:
        """Return the schedule for weights of shape (targets, oscillators)."""
        field, noisy = mean_field(weights), self.periods - self.cool
        steps = min(self.steps, noisy)
        rows = np.zeros((spec.schedule_entries, len(SCHEDULE_COLUMNS)), np.int64)
        rows[:steps, 0] = np.diff(np.arange(steps + 1) * noisy // steps)
        rows[:steps, 1] = np.rint(np.linspace(self.first, self.last, steps) * field)
        rows[steps, 0] = self.cool
        rows[: steps + 1, 2:] = self.max_step, round(self.lock * field), self.alternate
        return spec.parameters["schedule"].check(rows)


@dataclass(frozen=True)
class Run:
    """What the reads of one graph gave.

    Parameters
    ----------
    phases:
        Last phases, shape (reads, vertices).
    cuts:
        Cut by the best axis, shape (reads,).
    changes, flips:
        Phase changes, and those that inverted the level in their slot, shape (reads,).
    """

    phases: npt.NDArray[np.uint8]
    cuts: npt.NDArray[np.float64]
    changes: npt.NDArray[np.int64]
    flips: npt.NDArray[np.int64]


def random_graph(seed: int, *, signed: bool, vertices: int = VERTICES, edges: int = EDGES) -> Graph:
    """Return a random graph of the class of G1, or with ``signed`` of G6."""
    generator = np.random.default_rng([seed, signed])
    chosen = generator.choice(vertices * (vertices - 1) // 2, edges, replace=False)
    ends = np.stack(np.triu_indices(vertices, 1), axis=1)[chosen]
    return Graph(vertices, ends, generator.choice([-1, 1], edges) if signed else None)


def cuts(graph: Graph, spins: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    """Return the weight of the edges between +1 and -1; ``spins`` has shape (..., vertices), the result (...)."""
    return (spins[..., graph.edges[:, 0]] != spins[..., graph.edges[:, 1]]) @ graph.weights


def reference_cut(graph: Graph, seed: int) -> float:
    """Return the best cut of simulated annealing."""
    couplings = dict(zip(map(tuple, graph.edges.tolist()), graph.weights.tolist(), strict=True))
    problem = dimod.BinaryQuadraticModel.from_ising(dict.fromkeys(range(graph.vertices), 0.0), couplings)
    sampler: Any = SimulatedAnnealingSampler()
    found = sampler.sample(problem, num_reads=REFERENCE_READS, num_sweeps=SWEEPS, seed=seed)
    return float((graph.weights.sum() - found.first.energy) / 2)


def program(graph: Graph, rule: Rule, lanes: int) -> tuple[Model, Placement]:
    """Return the network for a graph."""
    spec = OscillatorSpec(oscillators=graph.vertices, weight_bits=4, lanes=lanes, schedule_entries=64)
    placement = Placement.on(spec, graph.vertices, biased=False)
    coefficients = np.rint(graph.weights).astype(np.int64) * rule.scale
    weights = placement.weights(np.zeros(graph.vertices, np.int64), graph.edges, coefficients)
    parameters = {"weights": weights, "schedule": rule.schedule(spec, weights), "settle": np.array(0)}
    return Model(spec, parameters), placement


def anneal(graph: Graph, rule: Rule, *, lanes: int, reads: int, seed: int) -> Run:
    """Run a graph on the golden model, slot by slot, and count what its phases do."""
    model, placement = program(graph, rule, lanes)
    spec = placement.spec
    network = OscillatorNetwork(spec, model.parameters)
    phases, seeds = starts(placement, seed, reads)
    state = network.start(phases, seeds=seeds)
    changes, flips = np.zeros(reads, np.int64), np.zeros(reads, np.int64)
    while state.active.any():
        slot = state.slot
        network.step(state)
        changes += state.moved.sum(axis=1)
        read, moved = np.nonzero(state.moved)
        high = (slot - state.phases[read, moved].astype(np.int64)) % spec.period < spec.period // 2
        flips += np.bincount(read[high != (state.levels[read, moved] > 0)], minlength=reads)
    best = cuts(graph, placement.spins(state.phases)).max(axis=1)
    return Run(state.phases, best, changes, flips)


def core_cycles(
    spec: OscillatorSpec, schedule: IntegerArray, changes: npt.ArrayLike, flips: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return the cycles of runs of a whole schedule, by the core's table; shapes as those of the counts."""
    groups = spec.groups
    periods, noise, _, lock, _ = schedule.astype(np.int64).T
    extra = groups + (groups == 1)
    slots = spec.period * periods * (2 * groups + 3 + extra * (noise > 0) + extra * (lock > 0))
    fixed = (spec.period // 2 + 1) * groups + 2 * groups * spec.oscillators + spec.labels + 3
    entries = np.count_nonzero(periods)
    moves = 2 * groups * (np.asarray(changes, np.float64) + np.asarray(flips))
    return fixed + slots.sum() + periods.sum() + 2 * entries + moves


def seconds(spec: OscillatorSpec, schedule: IntegerArray, runs: list[Run]) -> float:
    """Return the mean time of a read on a chip."""
    cycles = [core_cycles(spec, schedule, run.changes, run.flips).mean() for run in runs]
    return float(np.mean(cycles)) / CLOCK_HZ


def measure(
    kind: str, graphs: list[Graph], references: list[float], rule: Rule, *, lanes: int, reads: int
) -> dict[str, Any]:
    """Run all graphs of a class; return a row of the table."""
    runs = []
    for seed, graph in enumerate(graphs):
        runs.append(anneal(graph, rule, lanes=lanes, reads=reads, seed=seed))
        log(f"{kind}, {rule.periods} periods, graph {seed}: {(runs[-1].cuts / references[seed]).round(4).tolist()}")
    ratios = np.array([run.cuts / reference for run, reference in zip(runs, references, strict=True)])
    model, placement = program(graphs[0], rule, lanes)
    schedule = model.parameters["schedule"]
    wide, _ = program(graphs[0], rule, 0)
    assert isinstance(wide.spec, OscillatorSpec)
    return {
        "class": kind,
        "periods": rule.periods,
        "graphs": len(graphs),
        "mean_ratio": round(float(ratios.mean()), 5),
        f"best_of_{reads}_ratio": round(float(ratios.max(axis=1).mean()), 5),
        "mean_ratio_error": round(float(ratios.mean(axis=1).std(ddof=1) / len(graphs) ** 0.5), 5) if runs[1:] else None,
        "phase_changes": round(float(np.mean([run.changes for run in runs])) / rule.periods, 1),
        "level_flips": round(float(np.mean([run.flips for run in runs])) / rule.periods, 1),
        "lanes": lanes,
        "seconds_on_chip": round(seconds(placement.spec, schedule, runs), 5),
        "seconds_one_lane_each": round(seconds(wide.spec, schedule, runs), 5),
    }


def measure_rtl(kind: str, graph: Graph, rule: Rule, lanes: int) -> dict[str, Any]:
    """Run one read of one graph in the simulated gateware and on the golden model."""
    log(f"{kind}, {rule.periods} periods in the simulated gateware")
    run = anneal(graph, rule, lanes=lanes, reads=1, seed=0)
    model, placement = program(graph, rule, lanes)
    phases, seeds = starts(placement, 0, 1)
    with Device.open(RtlBoard(placement.spec), timeout=PATIENCE) as device:
        device.load(model)
        log("loaded")
        result = device.network.recall(phases, seeds=seeds, time_limit=PATIENCE)[0]
    expected = float(core_cycles(placement.spec, model.parameters["schedule"], run.changes, run.flips)[0])
    return {
        "class": kind,
        "periods": rule.periods,
        "lanes": lanes,
        "rtl_identical": bool((result.phases == run.phases[0]).all()),
        "rtl_cycles": result.cycles,
        "table_cycles": int(expected),
        "deviation": round(expected / result.cycles - 1, 5),
    }


def measure_file(path: Path, rule: Rule, *, reads: int) -> dict[str, Any]:
    """Run one graph of the G-set."""
    graph = read_problem(path, "cut")
    if not isinstance(graph, Graph):
        raise SystemExit(f"{path} is not a graph; --gset needs a folder of the G-set's files")
    run = anneal(graph, rule, lanes=0, reads=reads, seed=0)
    known = BEST_KNOWN.get(path.stem)
    best = float(run.cuts.max())
    log(f"{path.name}: {best:g} of {known}")
    return {
        "file": path.name,
        "vertices": graph.vertices,
        "edges": len(graph.edges),
        "periods": rule.periods,
        "mean_cut": float(run.cuts.mean()),
        "best_cut": best,
        "best_known": known,
        "ratio": round(best / known, 5) if known else None,
    }


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Return what rows of 1,000 periods lack."""
    found = []
    for row in rows:
        ratios = row["mean_ratio"], next(value for name, value in row.items() if name.startswith("best_of_"))
        for name, ratio, target in zip(("mean", "best"), ratios, TARGETS[row["class"]], strict=True):
            if row["periods"] == PERIODS[-1] and ratio < target:
                found.append(f"{row['class']}, {name}: {ratio} is below {target}")
    return found


def options() -> argparse.Namespace:
    """Return what was asked for."""
    result = parser(__doc__)
    result.add_argument("--graphs", type=int, default=10, help="graphs of each class (default %(default)s)")
    result.add_argument("--reads", type=int, default=8, help="reads of each graph (default %(default)s)")
    result.add_argument("--lanes", type=int, default=100, help="lanes of the network (default %(default)s)")
    result.add_argument("--rtl", action="store_true", help="also one graph in the simulated gateware")
    result.add_argument("--rtl-periods", type=int, default=40, help="length of that run (default %(default)s)")
    result.add_argument("--gset", type=Path, metavar="FOLDER", help="also the G-set's files in a folder")
    return result.parse_args()


def main() -> None:
    """Measure both classes."""
    chosen = options()
    rows: list[dict[str, Any]] = []
    for kind in TARGETS:
        graphs = [random_graph(seed, signed=kind == "signed") for seed in range(chosen.graphs)]
        references = []
        for seed, graph in enumerate(graphs):
            references.append(reference_cut(graph, seed))
            log(f"{kind}, graph {seed}: simulated annealing finds {references[-1]:g}")
        rows += [
            measure(kind, graphs, references, Rule(periods), lanes=chosen.lanes, reads=chosen.reads)
            for periods in PERIODS
        ]
    files = sorted(chosen.gset.glob("G*")) if chosen.gset else []
    gset = [measure_file(path, Rule(), reads=chosen.reads) for path in files]
    short = Rule(chosen.rtl_periods)
    rtl = [measure_rtl("unit", random_graph(0, signed=False), short, chosen.lanes)] if chosen.rtl else []
    misses = missed(rows)
    differ = [row["class"] for row in rtl if not row["rtl_identical"]]
    report(
        {"reads": chosen.reads, "clock_hz": CLOCK_HZ, "missed": misses, "rows": rows, "rtl": rtl, "gset": gset},
        as_json=chosen.json,
    )
    if misses or differ:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
