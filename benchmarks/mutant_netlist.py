"""All mutants of a core in one netlist: drawn by Yosys, and inserted so that a selector chooses one of them, or none.

A mutant changes what one bit of one port of one cell carries: the inverse of it (``inv``), a constant (``const0``,
``const1``), or depends on another bit of that port as well (``cnot0``, ``cnot1``). The hierarchy of the core and all
names stay, so that a bench finds in the netlist what it finds in the design. Beside each output there is a register
that follows from all that the output was in any clock cycle.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from mutant_bench import SELECTOR, TRACE

from attractor.gateware.boards import Family
from attractor.gateware.tools import find_toolchain
from attractor.hdl.cores import build_core
from attractor.machine.programs import Program, call
from attractor.spec import Spec

__all__ = ["TOP", "Mutant", "Netlist", "yosys"]

#: Name of the core in the netlist.
TOP = "core"

# One to one in both arguments, and no bit of a word stays where it is.
_MIXED = """\
  function automatic [63:0] mixed(input [63:0] state, input [63:0] word);
    reg [63:0] product;
    begin
      product = (state ^ word) * 64'h9e3779b97f4a7c15;
      mixed = {product[31:0], product[63:32]};
    end
  endfunction
"""
_OUTPUT = re.compile(r"^  output (?:\[(\d+):0\] )?(bus__\w+);$", re.MULTILINE)
_ROOT = Path(__file__).parents[1]
_OWN = re.compile(r"(?:^|\|)(hdl/[^|:]+:\d+)")
_READ = "read_rtlil core.il; proc; memory_collect"
# Nothing is a mutant of an assertion, or of what is there for assertions alone: they are not in an FPGA.
_DRAW = "write_json core.json; delete t:$check; opt_clean; mutate -list {count} -seed {seed} -o drawn.txt"
# A clock is no logic of the design.
_CLOCKS = {"clk", "CLK", "RD_CLK", "WR_CLK"}
_PLACE = ("mode", "module", "cell", "port", "portbit", "ctrlbit")


def yosys() -> Program:
    """Return the Yosys that draws and inserts mutants."""
    return find_toolchain(Family.ECP5).tools["yosys"]


@dataclass(frozen=True)
class Mutant:
    """A fault in a netlist.

    Parameters
    ----------
    options:
        What Yosys has to know to insert it: kind and place.
    lines:
        Source lines of the design that made the place, ``file:line``.
    """

    options: str
    lines: tuple[str, ...]

    @property
    def mode(self) -> str:
        """What the fault does to the bit."""
        return self.options.split()[1]


class Netlist:
    """A core and mutants of it.

    Parameters
    ----------
    spec:
        The network.
    count:
        Number of mutants.
    seed:
        Which: those of a smaller number are the first of a greater one.
    """

    def __init__(self, spec: Spec, count: int, seed: int) -> None:
        # Names of files within the project, so that the same are drawn wherever it lies.
        self._rtlil = rtlil.convert(build_core(spec), name=TOP).replace(f"{_ROOT}/", "")
        # Some are left out.
        drawn = self._draw(2 * count, seed)
        if len(drawn) < count:
            raise ValueError(f"only {len(drawn)} mutants of {count} were found in the core of {spec}")
        self.mutants = drawn[:count]

    @property
    def verilog(self) -> str:
        """The core with all mutants, and what its outputs were."""
        width = len(self.mutants).bit_length()
        inserted = [
            f"mutate -ctrl {SELECTOR} {width} {number} {mutant.options}"
            for number, mutant in enumerate(self.mutants, 1)
        ]
        with tempfile.TemporaryDirectory() as name:
            self._run(Path(name), _READ, *inserted, "write_verilog -norename -noattr core.v")
            # As in attractor.sim.verilog: what has constant inputs is to run once.
            return _traced((Path(name) / "core.v").read_text().replace("always @*", "always_comb"))

    def _draw(self, count: int, seed: int) -> list[Mutant]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self._run(folder, _READ, _DRAW.format(count=count, seed=seed))
            modules = json.loads((folder / "core.json").read_text())["modules"]
            drawn = (folder / "drawn.txt").read_text().splitlines()
        options = [line.split()[1:] for line in drawn]
        pairs = [list(zip(words[::2], words[1::2], strict=True)) for words in options]
        return [_mutant(each, modules) for each in pairs if dict(each)["-port"] not in _CLOCKS]

    def _run(self, folder: Path, *script: str) -> None:
        (folder / "core.il").write_text(self._rtlil)
        (folder / "script.ys").write_text("\n".join(part.replace("; ", "\n") for part in script) + "\n")
        call([*yosys().command, "-q", "script.ys"], "yosys", folder)


def _traced(verilog: str) -> str:
    """Add a register beside each output of the bus."""
    before, begin, after = verilog.partition(f"module {TOP}(")
    body, end, rest = after.partition("\nendmodule\n")
    registers = [_register(name, int(high or 0) + 1) for high, name in _OUTPUT.findall(body)]
    return "".join((before, begin, body, "\n", _MIXED, *registers, end, rest))


def _register(output: str, bits: int) -> str:
    mixed = name = f"{TRACE}{output}"
    for start in range(0, bits, 64):
        word = output if bits == 1 else f"{output}[{min(start + 64, bits) - 1}:{start}]"
        mixed = f"mixed({mixed}, {word})"
    # What a window shows counts from a read of it to the next run: the core uses the same memories itself.
    window, _, data = output.rpartition("__")
    shown, lines = f"{name}__shown", [f"reg [63:0] {name} = 64'd1;"]
    if data == "read_data":
        lines += [
            f"reg {shown} = 1'd0;",
            f"always @(posedge clk) {shown} <= ({shown} | {window}__read) & ~bus__start;",
            f"always @(posedge clk) if ({shown}) {name} <= {mixed};",
        ]
    else:
        lines.append(f"always @(posedge clk) {name} <= {mixed};")
    return "".join(f"  {line}\n" for line in lines)


def _mutant(pairs: list[tuple[str, str]], modules: Mapping[str, Any]) -> Mutant:
    values = dict(pairs)
    options = " ".join(f"-{name} {values[f'-{name}']}" for name in _PLACE if f"-{name}" in values)
    lines = _own(value for name, value in pairs if name == "-src")
    return Mutant(options, lines or _driven_lines(modules, values["-module"], values["-cell"]))


def _own(sources: Iterable[str]) -> tuple[str, ...]:
    """Return the lines of this project that Yosys notes as sources."""
    return tuple(sorted({line for source in sources for line in _OWN.findall(source)}))


def _driven_lines(modules: Mapping[str, Any], module: str, cell: str) -> tuple[str, ...]:
    """Return the lines of the nearest signals of this project that a cell without a line of its own drives.

    Where there are none in its module, as in a memory, those that the whole module drives count.

    Parameters
    ----------
    modules:
        As Yosys writes them as JSON.
    module, cell:
        Names of the cell and of the module that holds it.
    """
    cells, nets, seen = modules[module]["cells"], modules[module]["netnames"].values(), {cell}
    named = [(set(net["bits"]), _own([net["attributes"].get("src", "")])) for net in nets]
    while True:
        driven = {bit for name in seen for bit in _bits(cells[name], "output")}
        lines = sorted({line for bits, own in named if bits & driven for line in own})
        if lines:
            return tuple(lines)
        after = {name for name in cells if driven & _bits(cells[name], "input")} | seen
        if after == seen:
            break
        seen = after
    parent = module.rpartition(".")[0]
    instances = [name for name, each in modules[parent]["cells"].items() if each["type"] == module] if parent else []
    return _driven_lines(modules, parent, instances[0]) if instances else ()


def _bits(cell: Mapping[str, Any], direction: str) -> set[int | str]:
    directions, connections = cell["port_directions"], cell["connections"]
    return {bit for port, bits in connections.items() if directions[port] == direction for bit in bits}
