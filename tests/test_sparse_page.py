"""The page on sparse couplings: its example does what it says, and its sums by hand are those of the spec."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.golden import network
from attractor.spec.sparse import SparseSpec
from attractor.timing import cycles_of

PAGE = (
    (Path(__file__).parent.parent / "docs" / "sparse.md")
    .read_text(encoding="utf-8")
    .replace("\N{MULTIPLICATION SIGN}", "x")
)
TORUS: dict[str, Any] = {"oscillators": 10_000, "couplings": 40_000, "strength": 15, "weight_bits": 2, "lanes": 32}


def test_the_example_prints_what_the_page_says() -> None:
    ((program, expected),) = re.findall(r"```python\n(.*?)```.*?```text\n(.*?)```", PAGE, re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {})
    assert printed.getvalue() == expected


def test_the_memory_of_the_example() -> None:
    spec = SparseSpec(**TORUS, entries=8, row_words=10_001, flips=True, binary=True)
    (words, slots, place, weight, bits) = re.search(
        r"rows ([\d,]+) x \((\d+) x \((\d+) \+ (\d+)\) \+ 1\) = ([\d,]+) bits", PAGE
    ).groups()  # type: ignore[union-attr]
    rows, pointers = spec.memory_map["rows"], spec.memory_map["pointers"]
    assert (words, slots) == (f"{rows.words:,}", str(spec.entries))
    assert (int(place), int(weight)) == (spec.row_memory.place_bits, spec.weight_bits)
    assert bits == f"{rows.words * rows.word_bits:,}"
    assert f"pointers 10,000 x {pointers.word_bits}, sums 10,000 x {spec.accumulator_bits}, state" in PAGE
    assert f"10,000 x {spec.memory_map['state'].word_bits}. Dense" in PAGE


@pytest.mark.parametrize(("binary", "quiet", "load"), [(True, 5, 11), (False, 8, 12)])
def test_the_cycles_of_a_call_in_which_nothing_changes(binary: bool, quiet: int, load: int) -> None:
    spec = SparseSpec(oscillators=40, couplings=4, strength=4, lanes=4, flips=True, binary=binary, schedule_entries=2)
    schedule = np.zeros((2, len(spec.schedule_columns)), np.int64)
    schedule[0] = [3, 0, 1, 0, 0, 1]
    coupled = {"starts": np.zeros(41), "targets": np.zeros(4), "weights": np.zeros(4), "settle": np.array(0)}
    golden: Any = network(
        spec, {name: each.astype(np.int64) for name, each in coupled.items()} | {"schedule": schedule}
    )
    found = cycles_of(spec, golden, spec.encode_input(np.zeros(40, np.uint8)), written=False)
    groups = 10
    by_hand = groups + (40 + load) + 3 * (16 * (groups + quiet) + 1) + 2 + 1
    assert found is not None
    assert found.most == by_hand
    assert f"G + {quiet}" in PAGE
    assert f"all rows, and {load}" in PAGE
