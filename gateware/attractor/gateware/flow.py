"""Synthesis, place and route, packing: one Amaranth build plan, run step by step."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attractor.gateware.boards import Board, Family
from attractor.gateware.report import Report, read_report
from attractor.gateware.tools import Toolchain, ToolError, build_environment, find_toolchain
from attractor.hdl.weights import LARGE

if TYPE_CHECKING:
    from amaranth.hdl import Elaboratable

__all__ = [
    "CapacityError",
    "Cells",
    "Implementation",
    "Netlist",
    "Plan",
    "Progress",
    "Stopped",
    "implement",
    "place",
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
# Endings of the files that place and route reads: netlist, and constraints.
_PLACED = (".json", ".pcf", ".lpf")
# Seconds between looks at whether a tool shall be ended.
_POLL_SECONDS = 0.2
#: What each step of a build calls, in this order.
_TOOLS = ("Yosys", "nextpnr", "a packer")
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


class Stopped(RuntimeError):  # noqa: N818 - what happened, and no fault
    """A placement was given up because somebody asked for that."""


@dataclass(frozen=True)
class Netlist:
    """A design after synthesis.

    Parameters
    ----------
    board:
        For which it is.
    files:
        Contents of each file that place and route needs, by name.
    commands:
        What remains to be called: place and route without a seed, and the packer.
    cells:
        Its cells.
    """

    board: Board
    files: Mapping[str, bytes]
    commands: tuple[tuple[str, ...], ...]
    cells: Cells


@dataclass(frozen=True)
class Implementation:
    """A placed and routed design, which may be slower than its clock.

    Parameters
    ----------
    bitstream:
        What the board loads.
    bitstream_name:
        File name that programming tools recognise.
    report:
        What place and route says about it.
    """

    bitstream: bytes
    bitstream_name: str
    report: Report


def prepare(top: Elaboratable, board: Board, *, large_weights: bool = False, multipliers: bool = False) -> Plan:
    """Return the files of a build of ``top`` on ``board``: netlist, scripts and constraints, equal for equal designs.

    ``large_weights`` puts the weights, or the rows of couplings, into the large single-ported RAMs of the UP5K, and
    ``multipliers`` products into its multipliers; those of ECP5 are used in any case.

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
            nextpnr_opts=f"--router {_ROUTER[board.family]} --report report.json --timing-allow-fail",
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
    progress: Progress | None = None,
) -> Implementation:
    """Build ``top`` for ``board``: :func:`synthesise` and :func:`place` in one."""
    netlist = synthesise(top, board, large_weights=large_weights, multipliers=multipliers, progress=progress)
    return place(netlist, seed, progress=progress)


def synthesise(
    top: Elaboratable,
    board: Board,
    *,
    large_weights: bool = False,
    multipliers: bool = False,
    progress: Progress | None = None,
) -> Netlist:
    """Make a netlist of ``top``, without placing it.

    Parameters
    ----------
    top:
        Design that requests its pins from the platform.
    board:
        Where it shall run.
    large_weights, multipliers:
        As for :func:`prepare`.
    progress:
        Told when a step begins.

    Raises
    ------
    ToolError
        If a tool is missing or fails; the message holds the end of its log.
    """
    toolchain = find_toolchain(board.family)
    report = progress or (lambda _: None)
    report("elaboration")
    plan = prepare(top, board, large_weights=large_weights, multipliers=multipliers)
    synthesis, *remaining = _commands(plan, board)
    with tempfile.TemporaryDirectory(prefix="attractor-") as folder:
        # Relative names throughout: tools in WebAssembly see nothing else of the temporary folder.
        root = Path(folder)
        _write({name: text.encode() for name, text in plan.items()}, root)
        report(_STEPS[synthesis[0]])
        _run(synthesis, toolchain, root)
        needed = [path for path in root.iterdir() if path.suffix in _PLACED]
        files = {path.name: path.read_bytes() for path in needed}
        return Netlist(board, files, tuple(map(tuple, remaining)), _cells(root / "stat.json"))


def place(
    netlist: Netlist, seed: int, *, stop: threading.Event | None = None, progress: Progress | None = None
) -> Implementation:
    """Place and route a netlist, and pack the bitstream.

    Parameters
    ----------
    netlist:
        The design.
    seed:
        Seed of the placer; another one finds another placement.
    stop:
        Ends the tools as soon as it is set.
    progress:
        Told when a step begins.

    Raises
    ------
    ToolError
        If a tool is missing or fails; the message holds the end of its log.
    CapacityError
        If place and route finds fewer cells than the design needs.
    Stopped
        If ``stop`` was set.
    """
    toolchain = find_toolchain(netlist.board.family)
    report = progress or (lambda _: None)
    placement, packing = netlist.commands
    with tempfile.TemporaryDirectory(prefix="attractor-") as folder:
        root = Path(folder)
        _write(netlist.files, root)
        for command in ((*placement, "--seed", str(seed)), packing):
            report(next(step for tool, step in _STEPS.items() if command[0].startswith(tool)))
            _run(command, toolchain, root, stop)
        name = f"{_NAME}.{_SUFFIX[netlist.board.family]}"
        return Implementation((root / name).read_bytes(), name, read_report(root / "report.json"))


def _run(command: Sequence[str], toolchain: Toolchain, folder: Path, stop: threading.Event | None = None) -> None:
    """Call a tool; raise :class:`ToolError` if it fails, and :class:`Stopped` if ``stop`` is set before it ends."""
    name, *arguments = command
    with build_environment():
        environment = dict(os.environ, LC_ALL="C")
    with subprocess.Popen(
        [toolchain.program(name), *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        said = _wait(process, stop or threading.Event())
    if process.returncode:
        shortage = _shortage(_read_log(folder, name)) if name.startswith("nextpnr") else None
        if shortage:
            raise CapacityError(shortage)
        log = (said or _read_log(folder, name)).splitlines()
        detail = "\n".join([line for line in log if "error" in line.lower()] + log[-5:])
        raise ToolError(f"{name} ({toolchain.versions[name]}) ended with {process.returncode}:\n{detail}")


def _wait(process: subprocess.Popen[str], stop: threading.Event) -> str:
    """Return what a process prints until it ends; end it if that is asked for, or if waiting is broken off."""
    try:
        while not stop.is_set():
            try:
                return process.communicate(timeout=_POLL_SECONDS)[0]
            except subprocess.TimeoutExpired:
                continue
        raise Stopped
    except BaseException:
        process.kill()
        raise


def _read_log(folder: Path, tool: str) -> str:
    path = folder / f"{_NAME}.{'rpt' if tool == 'yosys' else 'tim'}"
    return path.read_text(errors="replace") if path.exists() else ""


def _shortage(log: str) -> str | None:
    """Return what the utilisation in nextpnr's log says is missing."""
    for name, used, available in re.findall(r"(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", log):
        if int(used) > int(available):
            return f"{used} {name} of {available}"
    return None


def _commands(plan: Plan, board: Board) -> list[list[str]]:
    """Return what the build of a board calls: synthesis, place and route, packing; refuse any other step."""
    commands = json.loads(plan[f"build_{_NAME}.json"])["commands"]
    unknown = [tool for tool, *_ in commands if not tool.startswith(tuple(_STEPS))]
    if unknown or len(commands) != len(_TOOLS):
        named = f"calls {', '.join(unknown)}" if unknown else f"has {len(commands)} steps"
        raise ToolError(
            f"the build of {board.name} as its platform plans it {named}, which is not known here; "
            f"it may call {', '.join(_TOOLS[:-1])} and {_TOOLS[-1]}: use a platform whose build ends with these"
        )
    return commands


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, contents in files.items():
        (folder / name).write_bytes(contents)


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
