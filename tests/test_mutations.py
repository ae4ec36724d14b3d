"""The faults of ``benchmarks/mutations.py`` can still be put into the sources: each has its place, and tests."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def benchmark() -> dict[str, Any]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return runpy.run_path(str(ROOT / "benchmarks" / "mutations.py"))
    finally:
        sys.path.pop(0)


def test_each_fault_has_one_place_and_tests_that_exist(benchmark: dict[str, Any]) -> None:
    faults = benchmark["MUTATIONS"]
    assert len(faults) > 100
    for fault in faults:
        text = (ROOT / benchmark["SOURCES"] / fault.file).read_text(encoding="utf-8")
        assert text.count(fault.old) == 1, fault
        assert fault.old != fault.new, fault
        for test in fault.tests:
            path, _, name = test.partition("[")[0].partition("::")
            assert (ROOT / path).is_file(), fault
            assert f"def {name}" in (ROOT / path).read_text(encoding="utf-8"), fault
