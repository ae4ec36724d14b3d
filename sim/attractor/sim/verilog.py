"""Amaranth to Verilog that every simulator reads the same way."""

from __future__ import annotations

import re

from amaranth.back import verilog
from amaranth.lib import wiring

# ``always @*`` with one assignment, and a literal in it.
_ASSIGNMENT = re.compile(r"^( *)always @\*\n( *[^\n;]+ = )([^\n;]+);$", re.MULTILINE)
_LITERAL = re.compile(r"\d+'s?[bodh][0-9a-fA-F_]+")


def to_verilog(component: wiring.Component, name: str) -> str:
    """Return the Verilog of a component, with its module called ``name``.

    Where some bits of a signal are constant and others are not, Yosys writes the constant ones as ``always @*`` with
    nothing to wait for: by the standard that never runs, and the bits stay unknown (Icarus Verilog) or zero
    (Verilator). They become ``initial``.
    """
    return _ASSIGNMENT.sub(_initial_if_constant, verilog.convert(component, name=name, strip_internal_attrs=True))


def _initial_if_constant(match: re.Match[str]) -> str:
    indent, target, value = match.groups()
    if re.search(r"[\w\\$]", _LITERAL.sub("", value)):
        return match.group()
    return f"{indent}initial\n{target}{value};"
