"""Run all proofs one after the other and print a table: ``make prove``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from . import runner
from .proof import Proof
from .proofs import PROOFS


def main() -> int:
    """Return how many proofs failed, at most 1."""
    start, console, failures = time.monotonic(), Console(highlight=False), []
    table = Table("proof", "mode", "depth", "seconds", title=None)
    for proof in PROOFS:
        try:
            for mode, depth, seconds in _modes(proof):
                table.add_row(proof.name, mode, depth, f"{seconds:.1f}")
        except runner.ProofError as failure:
            failures.append(str(failure))
            table.add_row(proof.name, "failed", "", "")
    console.print(table)
    for failure in failures:
        console.print(failure, markup=False, soft_wrap=True)
    faults = sum(len(proof.faults) for proof in PROOFS)
    console.print(
        f"{len(PROOFS)} proofs, {faults} broken copies, {len(failures)} failed; {time.monotonic() - start:.0f} s"
    )
    return int(bool(failures))


def _modes(proof: Proof) -> Iterator[tuple[str, str, float]]:
    proven = runner.prove(proof)
    yield "induction", str(proven.depth), proven.seconds
    covered = runner.cover(proof)
    yield "cover", str(covered.depth), covered.seconds
    refuted = [runner.refute(proof, fault) for fault in proof.faults]
    depths = [result.depth for result in refuted]
    yield f"{len(refuted)} refuted", f"{min(depths)} to {max(depths)}", sum(result.seconds for result in refuted)


if __name__ == "__main__":
    sys.exit(main())
