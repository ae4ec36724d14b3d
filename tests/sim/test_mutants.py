"""Mutants of netlists: drawn the same each time, selected in one program, and judged by what tells them apart."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from attractor.spec import OscillatorSpec

ROOT = Path(__file__).parents[2]
SPEC = OscillatorSpec(oscillators=4, phase_bits=3, weight_bits=3)
#: A bit of the report is wrong; a bit is wrong that is written where nothing can be written.
SEEN = "-mode inv -module core -cell record -port window__read_data -portbit 0"
UNSEEN = "-mode inv -module core -cell record -port window__write_data -portbit 0"


@pytest.fixture
def mutants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    module = importlib.import_module("mutants")
    monkeypatch.setattr(module, "CORES", {"small": SPEC})
    monkeypatch.setattr(module, "cache_folder", lambda kind: tmp_path / kind)
    return module


@dataclass(frozen=True)
class Fault:
    options: str
    lines: tuple[str, ...]


class Drawn:
    """A netlist of mutants that nobody runs."""

    def __init__(self, spec: OscillatorSpec, count: int, seed: int) -> None:
        self.mutants = [Fault(f"-mode inv -module {seed}.{number}", (f"core.py:{number}",)) for number in range(count)]
        self.verilog = str(spec)


class Told:
    """Says of a mutant what it is told to, and counts how often it is asked."""

    def __init__(self, findings: dict[tuple[str, int], Any]) -> None:
        self.findings, self.asked = findings, 0

    def __call__(self, *_: Any) -> Told:
        return self

    def run(self, bench: str, selector: int, *, seed: int, calls: int) -> Any:  # noqa: ARG002
        self.asked += 1
        return self.findings.get((bench, calls))


def test_mutants_are_drawn_by_their_seed_and_have_source_lines(mutants: Any) -> None:
    drawn = [mutants.Netlist(SPEC, count, seed).mutants for count, seed in ((12, 1), (20, 1), (12, 2))]
    assert drawn[0] == drawn[1][:12] != drawn[2]
    assert len({mutant.options for mutant in drawn[1]}) == 20
    for mutant in drawn[1]:
        assert mutant.lines
        for line in mutant.lines:
            file, number = line.split(":")
            assert int(number) <= len((ROOT / file).read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    ("findings", "end"),
    [
        ({("noticed", "calls"): "MismatchError: differs"}, "killed"),
        ({}, "presumed equivalent"),
        ({("told_apart", "further"): "outputs: bus__busy"}, "real"),
        ({("told_apart", "further"): "outputs: bus__busy", ("noticed", "further"): "cycles: differ"}, "killed"),
    ],
)
def test_a_mutant_is_judged_and_not_run_again(
    mutants: Any, monkeypatch: pytest.MonkeyPatch, findings: dict[tuple[str, str], str], end: str
) -> None:
    calls = {"calls": mutants.CALLS, "further": mutants.FURTHER}
    told = Told(
        {(bench, calls[which]): mutants.Finding(3, difference) for (bench, which), difference in findings.items()}
    )
    monkeypatch.setattr(mutants, "Bench", told)
    monkeypatch.setattr(mutants, "Netlist", Drawn)
    mutants.Trial("small", 2, 1).judge()
    asked = told.asked
    trial = mutants.Trial("small", 3, 1)
    trial.judge()
    assert told.asked == asked // 2 * 3
    row = trial.row()
    assert (row["mutants"], row[end.replace(" ", "_") if end != "real" else "real_survivors"]) == (3, 3)
    assert row["by_duration"] == (3 if end == "killed" and len(findings) == 2 else 0)
    assert [survivor["lines"] for survivor in trial.survivors()] == [
        ", ".join(mutant.lines) for mutant in trial.netlist.mutants if end != "killed"
    ]


@pytest.mark.usefixtures("tools")
def test_a_wrong_report_is_noticed_and_the_core_itself_is_not(mutants: Any, tmp_path: Path) -> None:
    netlist = mutants.Netlist(SPEC, 3, 1)
    netlist.mutants = [mutants.Mutant(options, ("record.py:1",)) for options in (SEEN, UNSEEN)]
    bench = mutants.Bench(SPEC, netlist.verilog, tmp_path)
    for name, what in (("noticed", "reported (winner|settled)"), ("told_apart", "bus__windows__result__read_data$")):
        found = bench.run(name, 1, seed=0, calls=3)
        assert re.search(what, found.difference), found
        assert bench.run(name, 2, seed=0, calls=3) is None
