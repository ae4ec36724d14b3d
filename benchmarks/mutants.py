"""Whether the tests notice faults in the netlist of a core; ``mutations.py`` puts faults into its sources.

For each core Yosys draws mutants evenly over its cells: one bit of one port of one cell is inverted, constant, or that
of another bit. All go into one netlist with an input that selects one of them, or none; it is compiled once.

``killed``
    The lockstep benches that the tests run, that of the family and the one for any family, fail with the mutant
    (``mutant_bench.py``): states inside, all that a call reports, parameters read back, assertions in the core, an end
    at all; or the clock cycles of a run are not those of the core without a mutant. ``by_duration`` are those that only
    the last tells: they do all that they should, but sooner or later.
``presumed_equivalent``
    Not killed by the first calls, and with ``further`` more sets of random parameters and calls no output of the core
    differs from that of the core without a mutant in any clock cycle in which it means something: what a window shows
    does from a read of it to the next run. There is no proof of it.
``real_survivors``
    Told apart by that, and not killed by as many calls of the lockstep benches either: the tests look away. Fails if
    there are any.

Clocks are not mutated, nor what serves assertions alone; a reset comes before the first call and not later. Results are
kept in the cache under the hash of all sources that decide them, so that a run that was interrupted goes on.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mutant_netlist import Mutant, Netlist, yosys
from mutant_run import Bench, Finding, sources
from reporting import log, parser, report

from attractor.hdl.sources import design_sources
from attractor.machine.cache import cache_folder, digest
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec

#: Kind of the cache.
CACHE = "mutants"
#: What becomes of a mutant.
KILLED, EQUIVALENT, REAL = "killed", "presumed equivalent", "real"
#: Calls of the benches of the tests, each with parameters of its own; and further ones for what they do not notice.
CALLS, FURTHER = 12, 150

#: All that families can do: oscillators in groups that lanes do not fill, with labels, lock, noise and alternation,
#: that learn, draw start phases and flip, or nothing of that; arrays that classify, or learn; and each kind of spiking
#: neuron.
CORES: dict[str, Spec] = {
    "oscillator": OscillatorSpec(oscillators=9, inputs=2, weight_bits=3, lanes=4, schedule_entries=2, lock_phases=8),
    "oscillator, learning": OscillatorSpec(
        oscillators=11,
        inputs=3,
        labels=3,
        reference=4,
        lanes=3,
        schedule_entries=3,
        lock_phases=3,
        learning=True,
        random_start=True,
        flips=True,
    ),
    "eqprop": EqPropSpec(layers=(17, 6, 6), classes=3, state_high=(20, 9), lanes=4),
    "eqprop, learning": EqPropSpec(layers=(11, 7, 4), classes=2, state_high=12, counter_bits=3, lanes=3, learning=True),
    "felif_a": FelifSpec(
        inputs=5,
        input_bits=4,
        layers=(
            FelifLayer(neurons=5, kind="felif_a", recurrent=True, weight_bits=3),
            FelifLayer(neurons=3, kind="felif_a", scale_shift=2),
        ),
        ticks=6,
        lanes=2,
    ),
    "felif_b": FelifSpec(
        inputs=5, layers=(FelifLayer(neurons=4, kind="felif_b", recurrent=True, scale_shift=2),), ticks=4, lanes=3
    ),
    "lif and readout": FelifSpec(
        inputs=9,
        layers=(
            FelifLayer(neurons=5, kind="lif", synapse=True, strict=True, reset="subtract", state_bits=12),
            FelifLayer(neurons=3, kind="readout", state_bits=20),
        ),
        ticks=5,
        lanes=2,
    ),
}


@dataclass(frozen=True)
class Judgement:
    """What became of a mutant: ``killed``, ``presumed equivalent`` or ``real``, and what told it from the core."""

    mutant: str
    lines: tuple[str, ...]
    end: str
    by: str = ""

    @property
    def by_duration(self) -> bool:
        """Whether nothing but the clock cycles told."""
        return self.end == KILLED and self.by.startswith("cycles: ")


class Trial:
    """All mutants of one core, and what is known of them by now."""

    def __init__(self, name: str, count: int, seed: int) -> None:
        self.name, self.spec, self._seed = name, CORES[name], seed
        self.netlist = Netlist(self.spec, count, seed)
        parts = [part for file in design_sources(self.spec) for part in file]
        settings = json.dumps([self.spec.to_dict(), seed, CALLS, FURTHER, yosys().version])
        self._kept = cache_folder(CACHE) / f"{digest(settings, *parts, *sources(self.spec))}.jsonl"
        self._known = {judgement.mutant: judgement for judgement in self._read()}

    def _read(self) -> Iterator[Judgement]:
        lines = self._kept.read_text().splitlines() if self._kept.exists() else []
        for line in lines:
            try:
                found = json.loads(line)
            except ValueError:  # the last line of a run that was killed
                continue
            yield Judgement(**{**found, "lines": tuple(found["lines"])})

    def judge(self) -> None:
        """Run every mutant of which nothing is known."""
        left = [pair for pair in enumerate(self.netlist.mutants, 1) if pair[1].options not in self._known]
        if not left:
            return
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(self.spec, self.netlist.verilog, Path(folder))
            for number, mutant in left:
                judgement = self._judge(bench, number, mutant)
                log(f"{self.name}, {number} of {len(self.netlist.mutants)}: {judgement.end} {judgement.by[:150]}")
                self._known[mutant.options] = judgement
                with self._kept.open("a") as kept:
                    kept.write(json.dumps(asdict(judgement)) + "\n")

    def _judge(self, bench: Bench, number: int, mutant: Mutant) -> Judgement:
        def found(name: str, calls: int) -> str | None:
            finding: Finding | None = bench.run(name, number, seed=self._seed, calls=calls)
            return finding and f"{finding.difference} (call {finding.call})"

        if by := found("noticed", CALLS):
            return Judgement(mutant.options, mutant.lines, KILLED, by)
        told = found("told_apart", FURTHER)
        if told is None:
            return Judgement(mutant.options, mutant.lines, EQUIVALENT)
        if by := found("noticed", FURTHER):
            return Judgement(mutant.options, mutant.lines, KILLED, by)
        return Judgement(mutant.options, mutant.lines, REAL, told)

    @property
    def judgements(self) -> list[Judgement]:
        """What became of each mutant."""
        return [self._known[mutant.options] for mutant in self.netlist.mutants]

    def row(self) -> dict[str, Any]:
        """Return the figures of the core."""
        ends = [judgement.end for judgement in self.judgements]
        return {
            "core": self.name,
            "mutants": len(ends),
            "killed": ends.count(KILLED),
            "by_duration": sum(judgement.by_duration for judgement in self.judgements),
            "presumed_equivalent": ends.count(EQUIVALENT),
            "real_survivors": ends.count(REAL),
        }

    def survivors(self) -> list[dict[str, Any]]:
        """Return what was not killed, with its source lines."""
        return [
            {
                "core": self.name,
                "number": number,
                "end": judgement.end,
                "mutant": judgement.mutant,
                "lines": ", ".join(judgement.lines),
                "told_by": judgement.by,
            }
            for number, judgement in enumerate(self.judgements, 1)
            if judgement.end != KILLED
        ]


def main() -> None:
    """Judge the mutants of all cores."""
    options = parser(__doc__)
    options.add_argument("--mutants", type=int, default=50, help="mutants of each core (default %(default)s)")
    options.add_argument("--seed", type=int, default=1, help="which mutants, and which calls (default %(default)s)")
    options.add_argument("--cores", nargs="+", choices=CORES, default=list(CORES), help="only these (default all)")
    arguments = options.parse_args()
    trials = [Trial(name, arguments.mutants, arguments.seed) for name in arguments.cores]
    for trial in trials:
        trial.judge()
    rows = [trial.row() for trial in trials]
    totals = {name: sum(row[name] for row in rows) for name in rows[0] if name != "core"}
    settings = {"seed": arguments.seed, "calls": CALLS, "further": FURTHER}
    survivors = [survivor for trial in trials for survivor in trial.survivors()]
    report({**settings, "total": totals, "rows": rows, "survivors": survivors}, as_json=arguments.json)
    if totals["real_survivors"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
