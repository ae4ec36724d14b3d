"""How good the cuts are that graphs larger than a device get in parts.

Four graphs of the G-set with 5,000 to 20,000 vertices are cut by a sampler of at most ``--size`` variables, one part
after the other, with the defaults of :class:`attractor.solve.decomposing.DecomposingSampler` otherwise. Each has to
reach ``TARGET`` of the best known cut, or the benchmark fails. ``--child`` says what searches the parts:

``sa``
    Simulated annealing, dwave-samplers' ``SimulatedAnnealingSampler`` with its own settings: how good the division is.
``golden``
    :class:`attractor.solve.sampler.OscillatorSampler` on the golden model.
an address
    The same on the device there, whose size decides.

``best_known``
    The greater value of published lists of breakout local search and later searches.
``rounds``, ``sub_problems``
    Rounds over all variables, and searches of a part.
``seconds``, ``choosing``
    Seconds in all, and for the choice of parts.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import dimod
from dwave.samplers import SimulatedAnnealingSampler
from reporting import log, parser, report

from attractor.solve.decomposing import ROUNDS, DecomposingSampler
from attractor.solve.problem_files import read_problem
from attractor.solve.problems import Graph, max_cut
from attractor.solve.sampler import OscillatorSampler

__all__ = ["BEST_KNOWN", "SIZE", "TARGET", "child_of", "decompose_rows", "missed"]

#: Best known cuts.
BEST_KNOWN = {"G55": 10_300, "G67": 6_940, "G70": 9_595, "G81": 14_060}
#: Share of them to be reached.
TARGET = 0.98
#: Most variables of a part: a device of 836 oscillators, one of which stands for the biases.
SIZE = 835


def child_of(name: str) -> dimod.Sampler:
    """Return the sampler of parts: ``sa``, ``golden``, or that of a device at an address."""
    if name == "sa":
        sampler: Any = SimulatedAnnealingSampler()
        return sampler
    return OscillatorSampler(None if name == "golden" else name)


def decompose_rows(
    folder: Path,
    child: dimod.Sampler,
    *,
    graphs: tuple[str, ...] = tuple(BEST_KNOWN),
    size: int | None = SIZE,
    seed: int = 0,
    rounds: int = ROUNDS,
    time_limit: float | None = None,
    options: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Cut each graph; return a row of the table for each.

    Parameters
    ----------
    folder:
        Holds ``G55.gz`` and so on, or the files unpacked.
    child:
        Searches the parts.
    graphs:
        Names of the graphs.
    size:
        Most variables of a part; None for the child's own.
    seed, rounds, time_limit:
        As for :meth:`DecomposingSampler.sample`.
    options:
        Keywords for the child.
    """
    sampler, rows = DecomposingSampler(child, size), []
    for name in graphs:
        graph = read_problem(next(path for path in (folder / name, folder / f"{name}.gz") if path.exists()))
        assert isinstance(graph, Graph)
        limits = {"seed": seed, "rounds": rounds, "time_limit": time_limit, "child_options": options}
        found = sampler.sample(max_cut(graph).bqm, **limits)
        cut, info = -float(found.record.energy.min()), found.info
        rows.append(
            {
                "graph": name,
                "vertices": graph.vertices,
                "edges": len(graph.edges),
                "size": info["size"],
                "best_known": BEST_KNOWN[name],
                "cut": cut,
                "share": round(cut / BEST_KNOWN[name], 5),
                "rounds": info["rounds"],
                "sub_problems": info["sub_problems"],
                "seconds": round(info["timing"]["seconds"], 2),
                "choosing": round(info["timing"]["choosing"], 2),
            }
        )
        log(f"{name}: {cut:g} of {BEST_KNOWN[name]}, {info['timing']['seconds']:.1f} s")
    return rows


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Return which rows lack what of the target."""
    return [f"{row['graph']}: {row['share']} is below {TARGET}" for row in rows if row["share"] < TARGET]


def _options() -> argparse.Namespace:
    result = parser(__doc__)
    folder = Path(os.environ.get("ATTRACTOR_DATA", ".")) / "problems"
    result.add_argument("--folder", type=Path, default=folder, help="the G-set's files (default %(default)s)")
    result.add_argument("--child", default="sa", help="sa, golden or an address (default %(default)s)")
    result.add_argument("--graphs", nargs="+", default=list(BEST_KNOWN), choices=list(BEST_KNOWN), help="which")
    result.add_argument("--size", type=int, help=f"most variables of a part (default {SIZE}, or the device's)")
    result.add_argument("--seed", type=int, default=0, help="seed (default %(default)s)")
    result.add_argument("--rounds", type=int, default=ROUNDS, help="most rounds (default %(default)s)")
    result.add_argument("--time-limit", type=float, help="seconds for each graph")
    return result.parse_args()


def main() -> None:
    """Cut the graphs, and fail if a cut is too small."""
    chosen = _options()
    own = chosen.child in ("sa", "golden")
    rows = decompose_rows(
        chosen.folder,
        child_of(chosen.child),
        graphs=tuple(chosen.graphs),
        size=chosen.size or (SIZE if own else None),
        seed=chosen.seed,
        rounds=chosen.rounds,
        time_limit=chosen.time_limit,
    )
    misses = missed(rows)
    report({"child": chosen.child, "seed": chosen.seed, "missed": misses, "rows": rows}, as_json=chosen.json)
    if misses:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
