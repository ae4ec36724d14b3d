from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from attractor.data.chorales import FILE, NOTES, chorales
from attractor.data.mnist import DATA_VARIABLE, DataError


def test_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(
        DataError, match=r"ATTRACTOR_DATA is not set; .* fetch jsb-chorales-quarter\.json from https://"
    ):
        chorales()


def test_a_folder_that_lacks_the_file(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=rf"{FILE} cannot be read \(No such file or directory\); fetch it from https://"
    ):
        chorales(tmp_path)


def test_another_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(DataError, match=r"has the SHA-256 44136fa355b3678a.* instead of 2db9329f1881a1d3"):
        chorales(tmp_path)


@pytest.mark.skipif(
    not os.environ.get(DATA_VARIABLE), reason=f"{DATA_VARIABLE} is not set; let it name a folder with the chorales"
)
def test_the_chorales() -> None:
    found = chorales()
    assert [len(part) for part in found] == [229, 76, 77]
    lengths = [len(roll) for roll in found.test]
    assert (min(lengths), max(lengths), round(np.mean(lengths))) == (32, 160, 61)
    rolls = [roll for part in found for roll in part]
    assert all(roll.shape == (len(roll), NOTES) for roll in rolls)
    # The lowest and the highest of the notes do occur, and at most four at a time.
    assert all(any(roll[:, note].any() for roll in rolls) for note in (0, NOTES - 1))
    assert max(roll.sum(axis=1).max() for roll in rolls) == 4
    # The first chord of the first chorale to learn from: MIDI notes 60, 72, 79 and 88.
    assert (np.flatnonzero(found.train[0][0]) + 43).tolist() == [60, 72, 79, 88]
