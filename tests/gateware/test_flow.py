from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from attractor.gateware import flow
from attractor.gateware.boards import BOARDS, Board
from attractor.gateware.flow import CapacityError, TimingError, implement, prepare, synthesise
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
    assert built.utilisation["ICESTORM_RAM"] == (2, ICEBREAKER.resources.block_rams)
    (achieved, required), *others = built.fmax.values()
    assert others == []
    assert achieved >= required == pytest.approx(ICEBREAKER.clock_hz, rel=1e-5)


def test_block_ram_costs_no_collision_logic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is read and written at once; emulating that takes a holding register of at least 16 bits."""
    board = BOARDS["ulx3s-25f"]
    plain = synthesise(Top(Scrambler(), ("busy",)), board)
    monkeypatch.setattr(flow, "_NO_COLLISIONS", "# nothing")
    emulated = synthesise(Top(Scrambler(), ("busy",)), board)
    assert plain["DP16KD"] == emulated["DP16KD"] == 1
    assert plain["TRELLIS_FF"] + 16 <= emulated["TRELLIS_FF"]


def test_the_build_may_be_ended_after_synthesis() -> None:
    class Enough(Exception):  # noqa: N818
        pass

    def look(cells: flow.Cells) -> None:
        assert cells["SB_RAM40_4K"] == 1
        raise Enough

    steps: list[str] = []
    with pytest.raises(Enough):
        implement(Top(Scrambler()), ICEBREAKER, check_cells=look, progress=steps.append)
    assert steps == ["elaboration", "synthesis"]


def test_plans_are_equal_in_every_process() -> None:
    program = (
        "from scrambler import Scrambler; from attractor.gateware import boards, flow, top; "
        "import hashlib, json; plan = flow.prepare(top.Top(Scrambler()), boards.BOARDS['icebreaker'], seed=1); "
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
        prepare(Top(Scrambler(writers=2)), ICEBREAKER, seed=1)


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


def test_a_clock_that_is_too_slow_is_an_error() -> None:
    flow._check_timing({"cd_sync.clk": (12e6, 12e6)}, ICEBREAKER)
    with pytest.raises(TimingError, match=r"clock cd_sync\.clk of icebreaker reaches 11\.9 MHz and needs 12 MHz"):
        flow._check_timing({"cd_sync.clk": (11.9e6, 12e6)}, ICEBREAKER)
    with pytest.raises(TimingError, match="no clock"):
        flow._check_timing({}, ICEBREAKER)


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_board_can_be_built_and_has_what_it_says(board: Board) -> None:
    built = implement(Top(Scrambler(), ("busy",)), board)
    available = {name: count for name, (_, count) in built.utilisation.items()}
    assert available.get("ICESTORM_LC", available.get("TRELLIS_COMB")) == board.resources.luts
    assert available.get("ICESTORM_RAM", available.get("DP16KD")) == board.resources.block_rams


def test_names_of_array_elements_are_told_from_bits() -> None:
    lines = "wire width 4 \\tags\nwire width 2 \\core.tags[0]$3\nconnect \\core.tags[0]$3 { \\tags [1:0] }\n"
    assert flow.unambiguous(lines) == lines.replace("core.tags[0]$3", "core.tags(0)$3")
