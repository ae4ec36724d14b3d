"""Synthesis, place and route, packing: one Amaranth build plan, run step by step."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attractor.gateware.boards import Board, Family
from attractor.gateware.tools import Toolchain, ToolError, build_environment, find_toolchain
from attractor.hdl.weights import LARGE

if TYPE_CHECKING:
    from amaranth.hdl import Elaboratable

__all__ = [
    "CapacityError",
    "Cells",
    "Implementation",
    "Plan",
    "Progress",
    "TimingError",
    "implement",
    "prepare",
    "synthesise",
    "unambiguous",
]

#: Called with a line of text when a step begins.
Progress = Callable[[str], None]
#: Number of cells of each type after synthesis.
Cells = Mapping[str, int]
#: Text of each file that the tools read, by name.
Plan = dict[str, str]

_NAME = "top"
_SUFFIX = {Family.ICE40: "bin", Family.ECP5: "bit"}
_STEPS = {"yosys": "synthesis", "nextpnr": "place and route", "icepack": "packing", "ecppack": "packing"}

# A block RAM promises nothing when a word is read while it is written. Amaranth does, so Yosys would build a
# comparator and a holding register around each memory. The components here never use such a word (they assert it in
# simulation), and this line says so. Asynchronous and transparent ports keep their promise.
_NO_COLLISIONS = "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE>0 %i r:TRANSPARENCY_MASK<1 %i"
# The large RAMs of the UP5K have no initial contents, so all contents go in the modules of the memories for them.
_LARGE_WEIGHTS = (
    f"select -set large */m:* */a:{LARGE} %i",
    'setattr -set ram_style "huge" @large',
    "delete @large %m */t:$meminit_v2 %i",
)
# The default router of ECP5 takes hours where most block RAM is used, and is no better elsewhere.
_ROUTER = {Family.ICE40: "router1", Family.ECP5: "router2"}
# Assertions are for simulation; place and route knows no cell for them.
_NO_ASSERTIONS = "chformal -remove"
_STATISTICS = "tee -q -o stat.json stat -json"
_WITH_BRACKETS = re.compile(r"(?<!\S)\\\S*\[\S*")


class CapacityError(ToolError):
    """Place and route ran out of cells; ``shortage`` says of which."""

    def __init__(self, shortage: str) -> None:
        self.shortage = shortage
        super().__init__(f"the design needs {shortage}")


class TimingError(RuntimeError):
    """The placed design is slower than the board's clock."""


@dataclass(frozen=True)
class Implementation:
    """A placed and routed design.

    Parameters
    ----------
    bitstream:
        What the board loads.
    bitstream_name:
        File name that programming tools recognise.
    utilisation:
        Used and available number of each resource, as nextpnr names them; those that are used.
    fmax:
        Highest frequency and required frequency of each clock in Hz.
    """

    bitstream: bytes
    bitstream_name: str
    utilisation: dict[str, tuple[int, int]]
    fmax: dict[str, tuple[float, float]]


def prepare(
    top: Elaboratable, board: Board, *, seed: int, large_weights: bool = False, multipliers: bool = False
) -> Plan:
    """Return the files of a build of ``top`` on ``board``: netlist, scripts and constraints, equal for equal designs.

    ``large_weights`` puts the weights into the large single-ported RAMs of the UP5K, and ``multipliers`` products into
    its multipliers; those of ECP5 are used in any case.

    Raises
    ------
    ToolError
        If a memory has two write ports, for which :data:`_NO_COLLISIONS` would not hold.
    """
    options = ["-spram"] * large_weights + ["-dsp"] * (multipliers and board.family is Family.ICE40)
    with build_environment():
        plan = board.platform().prepare(
            top,
            name=_NAME,
            emit_src=False,
            debug_verilog=False,
            script_after_read="\n".join((_NO_ASSERTIONS, _NO_COLLISIONS, *(_LARGE_WEIGHTS if large_weights else ()))),
            **({"synth_opts": " ".join(options)} if options else {}),
            script_after_synth=_STATISTICS,
            nextpnr_opts=f"--seed {seed} --router {_ROUTER[board.family]} --report report.json --timing-allow-fail",
            **({"ecppack_opts": "--compress"} if board.family is Family.ECP5 else {}),
        )
    files: Plan = dict(plan.files)
    netlist = f"{_NAME}.il"
    _check_write_ports(files[netlist])
    files[netlist] = unambiguous(files[netlist])
    return files


def unambiguous(rtlil: str) -> str:
    """Return a netlist without brackets in names.

    Amaranth calls the first element of an array x "x[0]", and so do the mapping passes of Yosys 0.70 its first bit;
    where both survive, synthesis ends with a failed assertion.
    """
    return _WITH_BRACKETS.sub(lambda found: found[0].replace("[", "(").replace("]", ")"), rtlil)


def implement(
    top: Elaboratable,
    board: Board,
    *,
    seed: int = 1,
    large_weights: bool = False,
    multipliers: bool = False,
    check_cells: Callable[[Cells], None] | None = None,
    progress: Progress | None = None,
) -> Implementation:
    """Build ``top`` for ``board``.

    Parameters
    ----------
    top:
        Design that requests its pins from the platform.
    board:
        Where it shall run.
    seed:
        Seed of the placer; another one finds another placement.
    large_weights, multipliers:
        As for :func:`prepare`.
    check_cells:
        Called with the cells after synthesis; may raise to end the build before the long part.
    progress:
        Told when a step begins.

    Raises
    ------
    ToolError
        If a tool is missing or fails; the message holds the end of its log.
    CapacityError
        If place and route finds fewer cells than the design needs.
    TimingError
        If a clock cannot run at the board's frequency.
    """
    toolchain = find_toolchain(board.family)
    report = progress or (lambda _: None)
    report("elaboration")
    plan = prepare(top, board, seed=seed, large_weights=large_weights, multipliers=multipliers)
    with tempfile.TemporaryDirectory(prefix="attractor-") as folder:
        # Relative names throughout: tools in WebAssembly see nothing else of the temporary folder.
        root = Path(folder)
        _write(plan, root)
        for command in _commands(plan):
            report(next(step for tool, step in _STEPS.items() if command[0].startswith(tool)))
            _run(command, toolchain, root)
            if command[0] == "yosys" and check_cells is not None:
                check_cells(_cells(root / "stat.json"))
        return _result(root, board)


def synthesise(top: Elaboratable, board: Board, *, large_weights: bool = False) -> Cells:
    """Return the cells of ``top`` after synthesis for ``board``, without placing them."""
    toolchain = find_toolchain(board.family)
    plan = prepare(top, board, seed=1, large_weights=large_weights)
    with tempfile.TemporaryDirectory(prefix="attractor-") as folder:
        _write(plan, Path(folder))
        _run(next(command for command in _commands(plan) if command[0] == "yosys"), toolchain, Path(folder))
        return _cells(Path(folder) / "stat.json")


def _result(folder: Path, board: Board) -> Implementation:
    """Return what place and route has left in a folder; raise :class:`TimingError` if it is too slow."""
    name = f"{_NAME}.{_SUFFIX[board.family]}"
    utilisation, fmax = _read_report(folder / "report.json")
    _check_timing(fmax, board)
    return Implementation((folder / name).read_bytes(), name, utilisation, fmax)


def _run(command: list[str], toolchain: Toolchain, folder: Path) -> None:
    name, *arguments = command
    program = toolchain.program(name)
    with build_environment():
        environment = dict(os.environ, LC_ALL="C")
    result = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode:
        shortage = _shortage(_read_log(folder, name)) if name.startswith("nextpnr") else None
        if shortage:
            raise CapacityError(shortage)
        log = (result.stdout + result.stderr or _read_log(folder, name)).splitlines()
        detail = "\n".join([line for line in log if "error" in line.lower()] + log[-5:])
        raise ToolError(f"{name} ({toolchain.versions[name]}) ended with {result.returncode}:\n{detail}")


def _read_log(folder: Path, tool: str) -> str:
    path = folder / f"{_NAME}.{'rpt' if tool == 'yosys' else 'tim'}"
    return path.read_text(errors="replace") if path.exists() else ""


def _shortage(log: str) -> str | None:
    """Return what the utilisation in nextpnr's log says is missing."""
    for name, used, available in re.findall(r"(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", log):
        if int(used) > int(available):
            return f"{used} {name} of {available}"
    return None


def _commands(plan: Plan) -> list[list[str]]:
    return json.loads(plan[f"build_{_NAME}.json"])["commands"]


def _write(plan: Plan, folder: Path) -> None:
    for name, text in plan.items():
        (folder / name).write_text(text, encoding="utf-8")


def _check_write_ports(rtlil: str) -> None:
    module, writers = "", Counter[tuple[str, str]]()
    cell = ""
    for line in rtlil.splitlines():
        words = line.split()
        if words[:1] == ["module"]:
            module = words[1]
        elif words[:1] == ["cell"]:
            cell = words[1]
        elif words[:2] == ["parameter", "\\MEMID"] and cell == "$memwr_v2":
            writers[module, words[2]] += 1
    for (module, memory), count in writers.items():
        if count > 1:
            raise ToolError(
                f"memory {memory} of {module} has {count} write ports; builds tell Yosys that no word is read while "
                "it is written, and know how to say that of one write port"
            )


def _cells(path: Path) -> Cells:
    return dict(json.loads(path.read_text())["design"]["num_cells_by_type"])


def _read_report(path: Path) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[float, float]]]:
    report = json.loads(path.read_text())
    utilisation = {
        name: (int(entry["used"]), int(entry["available"]))
        for name, entry in sorted(report["utilization"].items())
        if entry["used"]
    }
    fmax = {
        _clock_name(name): (entry["achieved"] * 1e6, entry["constraint"] * 1e6)
        for name, entry in sorted(report["fmax"].items())
    }
    return utilisation, fmax


def _clock_name(name: str) -> str:
    """Return the clock's own name without what place and route decorates it with."""
    return re.sub(r"^\$glbnet\$|\$.*$", "", name)


def _check_timing(fmax: Mapping[str, tuple[float, float]], board: Board) -> None:
    if not fmax:
        raise TimingError(f"place and route reports no clock for {board.name}; is the design empty?")
    for clock, (achieved, constraint) in fmax.items():
        required = max(constraint, board.clock_hz)
        if achieved < required:
            raise TimingError(
                f"clock {clock} of {board.name} reaches {achieved / 1e6:.1f} MHz and needs {required / 1e6:g} MHz; "
                "fewer lanes shorten its paths, and another seed may place it better"
            )
