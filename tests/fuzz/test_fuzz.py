"""A short part of the campaign: the same inputs in every run, some of every kind. ``make fuzz`` runs the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from .files import FILES
from .outcomes import FOREIGN, KINDS, REFUSED, outcome_of

#: Inputs of each kind of files, and of hostile devices and hosts.
FEW_FILES, FEW_LINES = 40, 2


@pytest.mark.parametrize("name", KINDS)
def test_damaged_inputs_are_accepted_or_refused_in_one_clear_line(name: str, tmp_path: Path) -> None:
    count = FEW_FILES if name in FILES else FEW_LINES
    found = [outcome_of(KINDS[name], number, tmp_path) for number in range(count)]
    assert [(number, each.says) for number, each in enumerate(found) if each.kind == FOREIGN] == []
    if name in FILES:
        assert any(each.kind == REFUSED for each in found)


def test_there_are_enough_kinds() -> None:
    assert len(FILES) >= 9
    assert sum(name.startswith("device: ") for name in KINDS) >= 40
