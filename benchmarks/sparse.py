"""Large cuts of known graphs on machines with sparse couplings, and how long a board takes beside a processor.

Every graph of ``--data`` that is named below is put on the smallest machine of ``scale_sparse.py`` on ULX3S-85F that
holds it, and sampled ``--reads`` times by its golden model. ``rows`` have

``mean``, ``best_of_8``
    Mean of all reads, and mean over the reads, eight by eight, of the best of the eight: cut in percent of the greatest
    that is known.
``words_a_row``
    Words of couplings that a vertex takes, as the vertices are dealt.
``cycles_a_read``, ``dense_cycles_a_read``, ``dense_ratio``
    Clock cycles of a read, exactly those of the gateware; of the same graph on the dense core with as many lanes, where
    it has so many oscillators; and how many times as many those are.
``fmax_mhz``
    Clock of the machine as ``scale_sparse.py --place`` last recorded it, see ``--placed``.
``computing_ms``, ``line_ms``, ``ms_a_read``
    Milliseconds of a read at that clock; on the line, on which spins alone come back; the longer of the two, as reads
    are on their way while others are computed.

``targets`` are times until a cut is reached with a confidence of 99 %, on the board and by simulated annealing of
dwave-samplers on one core, measured in this run, with the number of sweeps with which it is fastest; ``ratio`` is the
board's time in its.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import dimod
import numpy as np
import problems
import problems_decompose
from reporting import log, parser, report
from scale_sparse import BOARD, MACHINES, Machine

from attractor.solve.annealing import Annealing
from attractor.solve.ising import ProblemError
from attractor.solve.problem_files import read_problem
from attractor.solve.problems import Graph, max_cut
from attractor.solve.program import Program
from attractor.solve.projection import counted_cycles, line_load
from attractor.solve.sampler import OscillatorSampler
from attractor.solve.simulated_annealing import annealed
from attractor.solve.sparse_networks import rows_needed
from attractor.solve.success import Success
from attractor.spec.sparse import SparseSpec

#: Graphs of these that are cut, and the greatest known cuts.
GRAPHS = ("G1", "G6", "G11", "G14", "G22", "G32", "G55", "G67", "G70", "G81")
BEST_KNOWN = {name: (problems.BEST_KNOWN | problems_decompose.BEST_KNOWN)[name] for name in GRAPHS}
#: Parts of the greatest known cut that are to be reached.
TARGETS = {"G1": 0.998, "G6": 0.995}
#: Of how many reads the best is taken.
OF = 8
#: Reads whose clock cycles are counted, and oscillators from which on one must do.
COUNTED, MANY = 3, 4_000
#: Largest dense core.
MOST_DENSE = 4_096


def machine_of(bqm: dimod.BinaryQuadraticModel) -> tuple[Machine, SparseSpec, Program]:
    """Return the smallest machine that holds a graph, its spec, and the graph made ready for it."""
    found = [(each, each.spec()) for each in MACHINES if each.phases == 2 and each.board == BOARD]
    specs = sorted(found, key=lambda pair: pair[1].oscillators)
    refused = ProblemError("there is no machine")
    for machine, spec in specs:
        try:
            return machine, spec, OscillatorSampler(spec=spec).program(bqm, Annealing())
        except ProblemError as error:
            refused = error
    raise refused


def dense_cycles(bqm: dimod.BinaryQuadraticModel, lanes: int, seed: int) -> float | None:
    """Return the cycles of a read on the dense core with so many lanes; None if it has too few oscillators."""
    if bqm.num_variables >= MOST_DENSE:
        return None
    made = OscillatorSampler(couplings="dense", lanes=lanes, random_start=True).program(bqm, Annealing())
    return float(np.mean(list(counted_cycles(made, seed, 1))))


def row(name: str, bqm: dimod.BinaryQuadraticModel, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the row of a graph, and under ``hits`` how many reads reached its target."""
    machine, spec, made = machine_of(bqm)
    clock = chosen.clocks[machine.graph, machine.board]
    samples = OscillatorSampler(spec=spec).sample(bqm, num_reads=chosen.reads, seed=chosen.seed)
    cuts = 100 * -samples.record.energy / BEST_KNOWN[name]
    counted = list(counted_cycles(made, chosen.seed, 1 if bqm.num_variables > MANY else COUNTED))
    cycles = float(np.mean(counted))
    dense = dense_cycles(bqm, spec.lanes, chosen.seed)
    computing = cycles / (clock * 1e6)
    line = line_load(made, chosen.seed, baud=chosen.baud, seconds=computing, draws=True, spins=True).seconds_a_read
    return {
        "graph": name,
        "vertices": bqm.num_variables,
        "edges": bqm.num_interactions,
        "mean": float(cuts.mean()),
        "best_of_8": float(cuts.reshape(-1, OF).max(axis=1).mean()),
        "board": machine.board,
        "lanes": spec.lanes,
        "entries_a_cycle": spec.entries,
        "words_a_row": rows_needed(spec, made.model.parameters) / bqm.num_variables,
        "cycles_a_read": cycles,
        "dense_cycles_a_read": dense,
        "dense_ratio": dense and dense / cycles,
        "fmax_mhz": clock,
        "computing_ms": 1000 * computing,
        "line_ms": 1000 * line,
        "ms_a_read": 1000 * max(computing, line),
    }


def target(name: str, bqm: dimod.BinaryQuadraticModel, ms_a_read: float, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the times to a target, on the board and by simulated annealing."""
    aim = TARGETS[name] * BEST_KNOWN[name]
    _, spec, _ = machine_of(bqm)
    samples = OscillatorSampler(spec=spec).sample(bqm, num_reads=chosen.target_reads, seed=chosen.seed)
    hits = Success(int((-samples.record.energy >= aim).sum()), chosen.target_reads)
    board = hits.times(ms_a_read)
    rivals = []
    for each in annealed(bqm, chosen.target_reads, chosen.seed):
        theirs = Success(int((-each.samples.record.energy >= aim).sum()), chosen.target_reads)
        rivals.append((theirs.times(1000 * each.seconds_a_read), theirs.hits, each))
    times, reached, fastest = min(rivals, key=lambda rival: rival[0].best or np.inf)
    return {
        "graph": name,
        "target": 100 * TARGETS[name],
        "reads": chosen.target_reads,
        "hits": hits.hits,
        "board_ms": board.best,
        "board_ms_low": board.low,
        "board_ms_high": board.high,
        "sa_sweeps": fastest.sweeps,
        "sa_hits": reached,
        "sa_ms": times.best,
        "sa_ms_low": times.low,
        "sa_ms_high": times.high,
        "ratio": board.best and times.best and board.best / times.best,
    }


def options() -> argparse.Namespace:
    """Return what was chosen."""
    recorded = Path(__file__).with_name("scale_sparse.json")
    result = parser(__doc__)
    result.add_argument("--data", type=Path, required=True, help="folder that has problems/, or the graphs themselves")
    result.add_argument("--placed", type=Path, default=recorded, help="what scale_sparse.py --place --json printed")
    result.add_argument("--reads", type=int, default=32, help="reads of each graph, eight by eight (%(default)s)")
    result.add_argument("--target-reads", type=int, default=256, help="reads for each target (%(default)s)")
    result.add_argument("--seed", type=int, default=0, help="seed of all reads (%(default)s)")
    result.add_argument("--baud", type=int, default=1_000_000, help="bits a second on the line (%(default)s)")
    result.add_argument("--graphs", nargs="*", default=list(BEST_KNOWN), help="only these")
    chosen = result.parse_args()
    if chosen.reads < 1 or chosen.reads % OF:
        result.error(f"--reads is {chosen.reads}; it must be a multiple of {OF}, as the best of so many is told")
    placed = json.loads(chosen.placed.read_text())["rows"]
    chosen.clocks = {(each["graph"], each["board"]): each["fmax_mhz"] for each in placed if each["phases"] == 2}
    return chosen


def main() -> None:
    """Measure every graph."""
    chosen = options()
    folder = chosen.data / "problems" if (chosen.data / "problems").is_dir() else chosen.data
    rows, targets = [], []
    for name in chosen.graphs:
        problem = read_problem(folder / f"{name}.gz")
        assert isinstance(problem, Graph)
        bqm = max_cut(problem).bqm
        log(name)
        rows.append(row(name, bqm, chosen))
        log(str(rows[-1]))
        if name in TARGETS:
            targets.append(target(name, bqm, rows[-1]["ms_a_read"], chosen))
            log(str(targets[-1]))
    report({"rows": rows, "targets": targets}, as_json=chosen.json)


if __name__ == "__main__":
    main()
