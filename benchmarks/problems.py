"""How good the answers to problems of the field are, beside simulated annealing, with defaults only.

Every file of ``--data`` that is named below is read and sampled ``--reads`` times by
:class:`attractor.solve.sampler.OscillatorSampler` on the golden model, and by dwave-samplers' simulated annealing with
300 and with 1,000 sweeps, in the same process. A row has, for each of the three:

``mean``, ``best_of_8``, ``best``
    Mean of all reads, mean over the reads, eight by eight, of the best of the eight, and the best of all: the cut and
    the energy of a QUBO problem in percent of ``best_known``, the length of a tour, the clauses of a formula that do
    not hold.
``feasible``
    Share of the reads that keep the problem's constraints; for a formula those in which all clauses hold.
``cpu_ms_a_read``
    Processor time of this process, in milliseconds, with what making a problem ready costs.

Best known values are those of published lists (of the QUBO files, the best that all samplers here found in one run).
``--decompose`` cuts graphs of 5,000 to 20,000 vertices in parts instead, see ``problems_decompose.py``.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dimod
import numpy as np
from dwave.samplers import SimulatedAnnealingSampler
from problems_decompose import child_of, decompose_rows
from reporting import log, parser, report

from attractor.solve.files.worded import WordedProblem
from attractor.solve.problem_files import read_problem
from attractor.solve.problems import Graph, max_cut
from attractor.solve.sampler import OscillatorSampler

#: Greatest known cuts; the greatest of ``g05_80.0`` is not listed where we read.
BEST_KNOWN = {
    "G1": 11_624,
    "G6": 2_178,
    "G11": 564,
    "G14": 3_064,
    "G22": 13_359,
    "G32": 1_410,
    "G43": 6_660,
    "G51": 3_848,
    "g05_60.0": 536,
}
#: Lengths of shortest tours.
SHORTEST = {"burma14": 3_323}
FILES = (
    *("G1.gz", "G6.gz", "G11.gz", "G14.gz", "G22.gz", "G32.gz", "G43.gz", "G51.gz", "g05_60.0", "g05_80.0"),
    *("bqp50_1.qubo", "bqp250_1.qubo", "bqp1000_1.qubo.gz", "burma14.tsp", "uf20-01.cnf"),
)
#: Of how many reads the best is taken.
OF = 8


def samplers() -> dict[str, Callable[..., dimod.SampleSet]]:
    """Return what samples, by name."""
    ours, theirs = OscillatorSampler(), SimulatedAnnealingSampler()
    return {
        "ours": lambda bqm, reads, seed: ours.sample(bqm, num_reads=reads, seed=seed, scale="auto"),
        **{
            f"sa_{sweeps}": lambda bqm, reads, seed, sweeps=sweeps: theirs.sample(
                bqm, num_reads=reads, seed=seed, num_sweeps=sweeps
            )
            for sweeps in (300, 1000)
        },
    }


def measured(problem: Any, found: dimod.SampleSet) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what is to be large, or small in a tour or formula, of each read, and whether it keeps the constraints."""
    if not isinstance(problem, WordedProblem):
        return -found.record.energy, None
    labels = list(found.variables)
    answers = [problem.problem.decode(dict(zip(labels, row, strict=True))) for row in found.record.sample.tolist()]
    values = np.array([problem.problem.objective(answer) for answer in answers], float)
    if not problem.constrained:
        return values, values == 0
    return values, np.array([problem.problem.feasible(answer) for answer in answers])


def row(path: Path, reads: int, seed: int) -> dict[str, Any]:
    """Return the row of a file."""
    name = path.name.split(".gz")[0]
    problem = read_problem(path)
    bqm = max_cut(problem).bqm if isinstance(problem, Graph) else getattr(problem, "bqm", problem)
    found: dict[str, dict[str, Any]] = {}
    for kind, sample in samplers().items():
        sample(bqm, 1, seed)  # compiles, and warms up
        began = time.process_time()
        samples = sample(bqm, reads, seed)
        spent = (time.process_time() - began) / reads * 1000
        values, kept = measured(problem, samples)
        found[kind] = {"values": values, "kept": kept, "cpu_ms_a_read": spent}
    worded = isinstance(problem, WordedProblem)
    known = BEST_KNOWN.get(name, SHORTEST.get(path.stem))
    if known is None and not worded:
        known = max(each["values"].max() for each in found.values())
    result: dict[str, Any] = {"file": name, "kind": kind_of(problem), "best_known": known, "reads": reads}
    return result | {kind: told(each, None if worded else known) for kind, each in found.items()}


def kind_of(problem: Any) -> str:
    """Return what a problem is."""
    if isinstance(problem, Graph):
        return "cut"
    return str(problem.about["problem"]) if isinstance(problem, WordedProblem) else "qubo"


def told(each: dict[str, Any], known: float | None) -> dict[str, Any]:
    """Return what a row says of one sampler; what is not measured by ``known`` is to be small."""
    values, kept = each["values"], each["kept"]
    if known is not None:
        mean, bests, greatest = values.mean(), values.reshape(-1, OF).max(axis=1).mean(), values.max()
        mean, best, greatest = (100 * each / known for each in (mean, bests, greatest))
    else:
        # Of a formula every answer counts, of a tour only what is one.
        counted = np.where(np.isfinite(values), values, np.inf)
        bests = counted.reshape(-1, OF).min(axis=1)
        finite = counted[np.isfinite(counted)]
        mean = finite.mean() if finite.size else None
        best = bests[np.isfinite(bests)].mean() if np.isfinite(bests).any() else None
        greatest = finite.min() if finite.size else None
    return {
        "mean": None if mean is None else float(mean),
        "best_of_8": None if best is None else float(best),
        "best": None if greatest is None else float(greatest),
        "feasible": None if kept is None else float(kept.mean()),
        "cpu_ms_a_read": each["cpu_ms_a_read"],
    }


def options() -> argparse.Namespace:
    """Return what was chosen."""
    result = parser(__doc__)
    folder = Path(os.environ.get("ATTRACTOR_DATA", ".")) / "problems"
    result.add_argument("--data", type=Path, default=folder, help="folder of the files (default %(default)s)")
    result.add_argument("--files", nargs="+", default=list(FILES), help="which (default all)")
    result.add_argument("--reads", type=int, default=64, help="reads, a multiple of 8 (default %(default)s)")
    result.add_argument("--seed", type=int, default=0, help="seed (default %(default)s)")
    result.add_argument("--decompose", action="store_true", help="large graphs in parts instead")
    result.add_argument("--child", default="golden", help="what searches the parts: golden, sa, an address")
    chosen = result.parse_args()
    if chosen.reads < OF or chosen.reads % OF:
        result.error(f"--reads is {chosen.reads}; it must be a multiple of {OF}")
    return chosen


def main() -> None:
    """Sample all files."""
    chosen = options()
    if chosen.decompose:
        large = decompose_rows(chosen.data, child_of(chosen.child), seed=chosen.seed)
        report({"rows": large}, as_json=chosen.json)
        return
    rows = []
    for name in chosen.files:
        log(name)
        rows.append(row(chosen.data / name, chosen.reads, chosen.seed))
    report({"rows": rows}, as_json=chosen.json)


if __name__ == "__main__":
    main()
