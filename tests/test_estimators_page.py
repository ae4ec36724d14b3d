"""The page on estimators: its example does what it says, and its table lists all kinds of inputs and outputs."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from attractor.host import eqprop, felif, interface, oscillator

PAGE = (Path(__file__).parent.parent / "docs" / "estimators.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"```python\n(.*?)```.*?```text\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(found.group(1), {})
    assert printed.getvalue() == found.group(2)


def test_every_kind_has_a_row() -> None:
    names = [getattr(module, name) for module in (interface, oscillator, eqprop, felif) for name in module.__all__]
    kinds = {each.kind for each in names if isinstance(each, type) and hasattr(each, "kind")}
    rows = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)) - {"network", "build", "interface", "provenance"}
    assert rows == kinds
