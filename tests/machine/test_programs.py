from __future__ import annotations

import importlib.util
import stat
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from attractor.machine import programs
from attractor.machine.programs import (
    Program,
    ToolError,
    call,
    contents_hash,
    find_compiler,
    find_in_package,
    find_native,
    find_script,
    has_compiler,
    version_line,
)


def script(path: Path, text: str) -> Path:
    """Make a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def only_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder in which programs are looked for, beside the interpreter's."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path / "bin"


@pytest.mark.parametrize(
    ("line", "numbers"),
    [("Yosys 0.38+46 (git sha1)", (0, 38)), ('"nextpnr-ice40" (Version nextpnr-0.9)', (0, 9)), (" rev vUNKNOWN", ())],
)
def test_versions_compare_as_numbers(line: str, numbers: tuple[int, ...]) -> None:
    assert Program(("x",), line).numbers == numbers


def test_a_native_program_says_its_version_on_either_stream(only_path: Path) -> None:
    assert find_native("tool") is None
    path = script(only_path / "tool", 'echo "tool 1.2" >&2\necho more >&2')
    assert find_native("tool") == Program((str(path),), "tool 1.2")
    assert find_native("tool", contents_hash) == Program((str(path),), contents_hash(str(path)))


def test_a_program_that_does_not_run_has_no_version(tmp_path: Path) -> None:
    assert version_line(str(tmp_path / "nothing")) == ""


def test_the_environment_need_not_be_activated(only_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = only_path.parent / "environment"
    monkeypatch.setattr(programs.sysconfig, "get_path", lambda _: str(beside))
    assert find_script("tool", "numpy") is None
    on_path = script(only_path / "tool", "echo tool 1.2")
    assert find_script("tool", "no-such-distribution") == Program((str(on_path),), "no-such-distribution tool 1.2")
    found = find_script("tool", "numpy")
    assert found is not None
    assert found.version.startswith("numpy ")
    script(beside / "tool", "")
    assert find_script("tool", "numpy") == Program((str(beside / "tool"),), found.version)


def test_a_program_inside_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path / "numpy" / "bin" / "tool", "")
    spec = ModuleSpec("numpy", None, is_package=True)
    spec.submodule_search_locations = [str(path.parents[1])]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    found = find_in_package("numpy", "tool")
    assert found is not None
    assert found.command == (str(path),)
    assert found.version.startswith("PyPI ")
    assert find_in_package("numpy", "other") is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert find_in_package("numpy", "tool") is None


def test_no_compiler(only_path: Path) -> None:
    assert not only_path.exists()
    with pytest.raises(ToolError, match=r"looked for \$CXX, g\+\+, clang\+\+, c\+\+.*install g\+\+, or use.*sim:"):
        find_compiler()
    assert not has_compiler()


def test_the_users_compiler_comes_first(only_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(only_path / "c++", "echo plain 1.0")
    assert find_compiler().command == (str(only_path / "c++"),)
    script(only_path / "g++", "echo gnu 1.0")
    assert find_compiler().version == "gnu 1.0"
    own = script(only_path.parent / "own", "echo own 1.0")
    monkeypatch.setenv("CXX", f"{own} -m32")
    assert find_compiler() == Program((str(own), "-m32"), "own 1.0")
    monkeypatch.setenv("CXX", "absent++ -m32")
    with pytest.raises(ToolError, match=r"\$CXX is 'absent\+\+ -m32'"):
        find_compiler()
    monkeypatch.setenv("CXX", " ")
    assert find_compiler().version == "gnu 1.0"


def test_a_failure_has_the_last_words_of_the_program(tmp_path: Path) -> None:
    assert call([sys.executable, "-c", "print(3)"], "python") == "3\n"
    with pytest.raises(ToolError, match=r"(?s)python failed with exit code 3, called as .*:\ncannot do that"):
        call([sys.executable, "-c", "import sys; sys.stderr.write('cannot do that'); sys.exit(3)"], "python")
    with pytest.raises(ToolError, match="gone could not be run"):
        call([str(tmp_path / "gone")], "gone")
