"""Amaranth to Verilog that every simulator reads the same way."""

from __future__ import annotations

import re

from amaranth.back import verilog
from amaranth.lib import wiring

__all__ = ["to_icarus_verilog", "to_verilog"]

# The signal by which Yosys means to start each combinational process once.
_TRIGGER = re.compile(r"^( *)reg (\\\$auto\$verilog_backend\S+) += 0;$", re.MULTILINE)
# A combinational process of one assignment, and a literal in it.
_ASSIGNMENT = re.compile(r"^( *)always @\*\n( *[^\n;]+ = )([^\n;]+);$", re.MULTILINE)
_LITERAL = re.compile(r"\d+'s?[bodh][0-9a-fA-F_]+")


def to_verilog(component: wiring.Component, name: str) -> str:
    """Return the SystemVerilog of a component, with its module called ``name``, for Verilator.

    Yosys writes combinational logic as ``always @*``, which waits for a change of its inputs. Where they are constant
    it never runs, and what it should drive stays zero. ``always_comb`` runs once at the start as well.
    """
    return _convert(component, name).replace("always @*", "always_comb")


def to_icarus_verilog(component: wiring.Component, name: str) -> str:
    """Return the Verilog of a component, with its module called ``name``, for Icarus Verilog.

    Icarus initialises signals before any process waits, so the trigger that Yosys adds is never seen, and
    ``always_comb`` does not end where parts of one signal have processes of their own. Here the trigger changes after
    all processes wait, and constants are assigned once.
    """
    text = _TRIGGER.sub(r"\1reg \2 ; initial #0 \2 = 0;", _convert(component, name))
    return _ASSIGNMENT.sub(_initial_if_constant, text)


def _convert(component: wiring.Component, name: str) -> str:
    return verilog.convert(component, name=name, strip_internal_attrs=True)


def _initial_if_constant(match: re.Match[str]) -> str:
    indent, target, value = match.groups()
    if re.search(r"[\w\\$]", _LITERAL.sub("", value)):
        return match.group()
    return f"{indent}initial\n{target}{value};"
