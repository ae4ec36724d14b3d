from __future__ import annotations

import sys
from pathlib import Path

import pytest

from attractor.machine.sources import source_files


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that must not be imported, with a module and a package in it, and a module beside it."""
    folder = tmp_path / "settling_sources"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError")
    (folder / "inner" / "part.py").write_text("A = 1\n")
    (folder / "notes.txt").write_text("no source")
    (tmp_path / "settling_module.py").write_text("raise RuntimeError\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_a_package_is_all_of_its_modules(package: Path) -> None:
    found = source_files("settling_sources")
    assert found == [
        ("settling_sources/__init__.py", b"raise RuntimeError"),
        ("settling_sources/inner/part.py", b"A = 1\n"),
    ]
    (package / "inner" / "part.py").rename(package / "inner" / "other.py")
    assert source_files("settling_sources")[1] == ("settling_sources/inner/other.py", b"A = 1\n")
    assert "settling_sources" not in sys.modules


@pytest.mark.usefixtures("package")
def test_a_module_is_its_file() -> None:
    assert source_files("settling_module") == [("settling_module", b"raise RuntimeError\n")]


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no module 'settling_nowhere'"):
        source_files("settling_nowhere")
