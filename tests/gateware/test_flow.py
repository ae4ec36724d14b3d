from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from attractor.gateware import clocks, flow
from attractor.gateware.boards import BOARDS, Board
from attractor.gateware.clocking import PllClock
from attractor.gateware.flow import CapacityError, Stopped, implement, place, prepare, synthesise
from attractor.gateware.tools import ToolError
from attractor.gateware.top import Top

from .scrambler import Scrambler

ICEBREAKER = BOARDS["icebreaker"]


def test_a_design_becomes_a_bitstream_with_its_numbers() -> None:
    steps: list[str] = []
    built = implement(Top(Scrambler(), ("busy",)), ICEBREAKER, progress=steps.append)
    assert steps == ["elaboration", "synthesis", "place and route", "packing"]
    assert built.bitstream_name == "top.bin"
    assert built.bitstream[:4] == b"\xff\x00\x00\xff"  # how every iCE40 bitstream begins
    assert built.report.utilisation["ICESTORM_RAM"] == (2, ICEBREAKER.resources.block_rams)
    (achieved, required), *others = built.report.fmax.values()
    assert others == []
    assert achieved >= required == pytest.approx(ICEBREAKER.clock_hz, rel=1e-5)
    (longest,) = (path for path in built.report.paths if path.from_clock == path.to_clock)
    assert longest.delay_ns == pytest.approx(1e9 / achieved, abs=0.01)


def test_block_ram_costs_no_collision_logic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is read and written at once; emulating that takes a holding register of at least 16 bits."""
    board = BOARDS["ulx3s-25f"]
    plain = synthesise(Top(Scrambler(), ("busy",)), board).cells
    monkeypatch.setattr(flow, "_NO_COLLISIONS", "# nothing")
    emulated = synthesise(Top(Scrambler(), ("busy",)), board).cells
    assert plain["DP16KD"] == emulated["DP16KD"] == 1
    assert plain["TRELLIS_FF"] + 16 <= emulated["TRELLIS_FF"]


def test_a_netlist_is_placed_with_any_seed() -> None:
    steps: list[str] = []
    netlist = synthesise(Top(Scrambler()), ICEBREAKER, progress=steps.append)
    assert steps == ["elaboration", "synthesis"]
    assert netlist.cells["SB_RAM40_4K"] == 1
    first, again, other = (place(netlist, seed, progress=steps.append) for seed in (1, 1, 2))
    assert steps[2:4] == ["place and route", "packing"]
    assert first == again
    assert first.bitstream != other.bitstream


def test_a_placement_can_be_given_up() -> None:
    netlist = synthesise(Top(Scrambler()), ICEBREAKER)
    stop = threading.Event()
    steps: list[str] = []

    def give_up(step: str) -> None:
        steps.append(step)
        stop.set()

    with pytest.raises(Stopped):
        place(netlist, 1, stop=stop, progress=give_up)
    assert steps == ["place and route"]


def test_plans_are_equal_in_every_process() -> None:
    program = (
        "from scrambler import Scrambler; from attractor.gateware import boards, flow, top; "
        "import hashlib, json; plan = flow.prepare(top.Top(Scrambler()), boards.BOARDS['icebreaker']); "
        "print(hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parent,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


def test_a_memory_with_two_write_ports_is_refused() -> None:
    with pytest.raises(ToolError, match=r"memory .* has 2 write ports"):
        prepare(Top(Scrambler(writers=2)), ICEBREAKER)


def test_a_failing_tool_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "_NO_COLLISIONS", "no_such_command")
    with pytest.raises(ToolError, match=r"yosys \(.+\) ended with 1:\n.*no_such_command"):
        implement(Top(Scrambler()), ICEBREAKER)


def test_what_is_missing_is_read_from_the_utilisation() -> None:
    log = "Info: \t ICESTORM_LC:  5280/ 5280   100%\nInfo: \tICESTORM_RAM:    31/   30   103%\n"
    assert flow._shortage(log) == "31 ICESTORM_RAM of 30"
    assert flow._shortage(log.replace("31/", "30/")) is None


@pytest.mark.slow
def test_running_out_of_cells_is_told_from_other_failures() -> None:
    with pytest.raises(CapacityError, match=r"needs 5\d\d\d ICESTORM_LC of 5280"):
        implement(Top(Scrambler(adders=170)), ICEBREAKER)


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_place_and_route_works_for_the_clock_of_the_pll(board: Board) -> None:
    """It derives the constraint from that of the oscillator and the dividers, and knows where the cell may be."""
    clock = clocks.at(board, 50e6)
    assert board.pll is not None
    assert clock.setting is not None
    built = implement(Top(Scrambler(), ("busy",), PllClock(board.pll, clock.setting)), board)
    ((achieved, required),) = built.report.fmax.values()
    assert achieved >= required == pytest.approx(clock.hz, rel=1e-3)
    assert {"ICESTORM_PLL", "EHXPLLL"} & built.report.utilisation.keys()


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_board_can_be_built_and_has_what_it_says(board: Board) -> None:
    built = implement(Top(Scrambler(), ("busy",)), board)
    available = {name: count for name, (_, count) in built.report.utilisation.items()}
    assert available.get("ICESTORM_LC", available.get("TRELLIS_COMB")) == board.resources.luts
    assert available.get("ICESTORM_RAM", available.get("DP16KD")) == board.resources.block_rams


def test_a_step_that_is_not_known_is_refused_before_any_tool_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    top: Any = None  # already in the plan
    plan = dict(prepare(Top(Scrambler()), ICEBREAKER))
    steps = json.loads(plan["build_top.json"])
    steps["commands"].append(["dfu-suffix", "-a", "top.bin"])
    monkeypatch.setattr(flow, "prepare", lambda *_, **__: plan | {"build_top.json": json.dumps(steps)})
    monkeypatch.setattr(flow, "_run", lambda *_: pytest.fail("a tool was called"))
    with pytest.raises(ToolError, match="the build of icebreaker as its platform plans it calls dfu-suffix, which is"):
        synthesise(top, ICEBREAKER)
    del steps["commands"][2:]
    monkeypatch.setattr(flow, "prepare", lambda *_, **__: plan | {"build_top.json": json.dumps(steps)})
    with pytest.raises(ToolError, match="has 2 steps, which is not known here"):
        synthesise(top, ICEBREAKER)


def test_names_of_array_elements_are_told_from_bits() -> None:
    lines = "wire width 4 \\tags\nwire width 2 \\core.tags[0]$3\nconnect \\core.tags[0]$3 { \\tags [1:0] }\n"
    assert flow.unambiguous(lines) == lines.replace("core.tags[0]$3", "core.tags(0)$3")
