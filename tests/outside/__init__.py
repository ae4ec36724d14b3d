"""A package outside the project that brings a network family, installed for single tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attractor.spec import family

#: The module of the family.
ADDER = Path(__file__).with_name("adder.py")
#: What an installer writes for a package that brings a family.
ENTRY_POINT = f"[{family.ENTRY_POINTS}]\nadder = adder:FAMILY\n"


@contextmanager
def adder_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the family ``adder`` known, by an entry point alone."""
    metadata = folder / "adder-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: adder\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINT)
    with monkeypatch.context() as patch:
        for place in (folder, ADDER.parent):
            patch.syspath_prepend(place)
        family.forget()
        yield
    family.forget()
