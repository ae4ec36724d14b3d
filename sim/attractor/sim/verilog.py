"""Amaranth to Verilog that every simulator reads the same way."""

from __future__ import annotations

import re
from collections import defaultdict

from amaranth.back import verilog
from amaranth.lib import wiring

__all__ = ["to_icarus_verilog", "to_verilog"]

# The signal by which Yosys means to start each combinational process once.
_TRIGGER = re.compile(r"^( *)reg (\\\$auto\$verilog_backend\S+) += 0;$", re.MULTILINE)
# A combinational process of one assignment, and a literal in it.
_ASSIGNMENT = re.compile(r"^( *)always @\*\n( *[^\n;]+ = )([^\n;]+);$", re.MULTILINE)
# An assignment of some bits of a wire, without an operator, so that what is assigned has its own width.
_PART = re.compile(r"^ *assign (\\\S+ |\w+) ?\[(\d+)(?::(\d+))?\] = ([^;?!~&|^+*/<>=-]+);\n", re.MULTILINE)
_MODULE_END = "endmodule\n"
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
    all processes wait, processes of one assignment, which have none, run once at the start as well, and constants are
    assigned once. A wire that is assigned in parts would be several drivers to it, with strengths, bit by bit, at half
    the speed: here it is assigned as a whole.
    """
    text = _TRIGGER.sub(r"\1reg \2 ; initial #0 \2 = 0;", _convert(component, name))
    text = _MODULE_END.join(map(_whole_assignments, text.split(_MODULE_END)))
    return _ASSIGNMENT.sub(_assigned_at_start, text)


def _whole_assignments(module: str) -> str:
    """Assign each wire of a module as a whole that is assigned in parts which cover it."""
    parts = defaultdict[str, list[tuple[int, int, str]]](list)
    for name, high, low, value in _PART.findall(module):
        parts[name].append((int(low or high), int(high), value))
    whole: dict[str, str] = {}
    for name, assigned in parts.items():
        lows, highs, values = zip(*sorted(assigned), strict=True)
        adjoin = lows == (0, *(high + 1 for high in highs[:-1]))
        if adjoin and f"wire [{highs[-1]}:0] {name};" in module:
            whole[name] = f"  assign {name} = {{ {', '.join(reversed(values))} }};\n"
    wholes = set(whole)
    # The first part makes way for the whole, the others for nothing.
    return _PART.sub(lambda found: whole.pop(found[1], "") if found[1] in wholes else found[0], module)


def _convert(component: wiring.Component, name: str) -> str:
    return verilog.convert(component, name=name, strip_internal_attrs=True)


def _assigned_at_start(match: re.Match[str]) -> str:
    """Assign a constant once, and anything else at the start as well: what it depends on may never change."""
    indent, target, value = match.groups()
    if re.search(r"[\w\\$]", _LITERAL.sub("", value)):
        return f"{match.group()}\n{indent}initial #0\n{target}{value};"
    return f"{indent}initial\n{target}{value};"
