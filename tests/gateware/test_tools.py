from __future__ import annotations

import os
from pathlib import Path

import pytest

from attractor.gateware.boards import Family
from attractor.gateware.tools import ToolError, build_environment, find_toolchain
from attractor.machine import programs

NATIVE = {"yosys": "Yosys 0.56 (git sha1)", "nextpnr-ice40": '"nextpnr-ice40" (Version nextpnr-0.9)', "icepack": ""}


def install(folder: Path, versions: dict[str, str]) -> None:
    for name, version in versions.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{version}' >&2\n")
        program.chmod(0o755)


@pytest.fixture
def only_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder in which programs are looked for, beside the interpreter's."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_native_tools_are_used_when_all_are_new_enough(only_path: Path) -> None:
    install(only_path, NATIVE)
    toolchain = find_toolchain(Family.ICE40)
    assert [toolchain.program(name) for name in NATIVE] == [str(only_path / name) for name in NATIVE]
    assert toolchain.versions["yosys"] == NATIVE["yosys"]
    assert toolchain.versions["icepack"].startswith("sha256 ")


@pytest.mark.parametrize(
    "change", [{"yosys": "Yosys 0.23 (git sha1)"}, {"nextpnr-ice40": "nextpnr-0.4"}, {"yosys": "not a version"}]
)
def test_one_old_tool_rejects_the_native_set(only_path: Path, change: dict[str, str]) -> None:
    install(only_path, NATIVE | change)
    assert all("yowasp" in version for version in find_toolchain(Family.ICE40).versions.values())


def test_one_missing_tool_rejects_the_native_set(only_path: Path) -> None:
    install(only_path, {name: version for name, version in NATIVE.items() if name != "icepack"})
    assert all("yowasp" in version for version in find_toolchain(Family.ICE40).versions.values())


def test_the_environment_need_not_be_activated(only_path: Path) -> None:
    paths = [tool.command[0] for tool in find_toolchain(Family.ECP5).tools.values()]
    assert all(Path(program).parent != only_path and Path(program).is_file() for program in paths)


def test_no_tool_at_all_names_the_extra(only_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.sysconfig, "get_path", lambda _: str(only_path))
    with pytest.raises(ToolError, match=r"yosys was not found.*nextpnr-ecp5 >= 0\.7.*attractor\[gateware\]"):
        find_toolchain(Family.ECP5)


def test_builds_do_not_see_amaranth_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMARANTH_NEXTPNR_OPTS", "--seed 7")
    with build_environment():
        assert "AMARANTH_NEXTPNR_OPTS" not in os.environ
    assert os.environ["AMARANTH_NEXTPNR_OPTS"] == "--seed 7"
