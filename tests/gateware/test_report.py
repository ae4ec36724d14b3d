from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from attractor.gateware.report import MOST_NAMES, Report, TimingPath, read_report, signal_name


def step(kind: str, delay: float, to: str, net: str | None = None, port: str = "O") -> dict[str, Any]:
    place = {"cell": to, "loc": [1, 1], "port": port}
    return {"type": kind, "delay": delay, "from": place, "to": place} | ({"net": net} if net else {})


#: From a memory through a look-up table, a carry chain of two cells and another table into a flip-flop.
PATH = [
    step("clk-to-q", 1.5, "system.core.phases.memory.0.0_RAM"),
    step("routing", 2.0, "system.core.mover.step_SB_LUT4_I0_LC", net="system.core.phases.read_data[3]"),
    step("logic", 0.5, "system.core.mover.step_SB_LUT4_I0_LC"),
    step("routing", 1.0, "system.core.mover.sum_SB_CARRY_CO$CARRY", net="system.core.mover.step_SB_LUT4_I0_O"),
    step("logic", 0.25, "system.core.mover.sum_SB_CARRY_CO$CARRY", port="COUT"),
    step("routing", 0.0, "$nextpnr_ICESTORM_LC_1", net="$nextpnr_ICESTORM_LC_1$I3"),
    step("logic", 0.25, "$nextpnr_ICESTORM_LC_1", port="COUT"),
    step("routing", 1.25, "system.core.record.moves_SB_DFFESR_Q_7_DFFLC", net="system.core.mover.sum[2]"),
    step("logic", 0.5, "system.core.record.moves_SB_DFFESR_Q_7_DFFLC"),
    step("setup", 0.25, "system.core.record.moves_SB_DFFESR_Q_7_DFFLC"),
]


def written(folder: Path, **changes: Any) -> Path:
    report = {
        "critical_paths": [
            {"from": "<async>", "to": "posedge $glbnet$clock", "path": PATH[:2]},
            {"from": "posedge $glbnet$clock", "to": "posedge $glbnet$clock", "path": PATH},
        ],
        "fmax": {"$glbnet$clock": {"achieved": 21.5, "constraint": 12.0}},
        "utilization": {"ICESTORM_LC": {"used": 10, "available": 5280}, "SB_WARMBOOT": {"used": 0, "available": 1}},
    }
    path = folder / "report.json"
    path.write_text(json.dumps(report | changes))
    return path


def read(folder: Path, **changes: Any) -> Report:
    return read_report(written(folder, **changes))


def test_cells_and_clocks(tmp_path: Path) -> None:
    report = read(tmp_path)
    assert report.utilisation == {"ICESTORM_LC": (10, 5280)}
    assert report.fmax == {"clock": (21.5e6, 12e6)}


def test_a_path_has_its_parts_and_the_names_of_the_design(tmp_path: Path) -> None:
    longest, shorter = read(tmp_path).paths
    assert (longest.from_clock, longest.to_clock) == ("clock", "clock")
    assert (shorter.from_clock, shorter.to_clock) == ("<async>", "clock")
    assert longest.delay_ns == pytest.approx(7.5)
    assert longest.routing_ns == pytest.approx(4.25)
    assert longest.logic_ns == pytest.approx(3.25)
    assert longest.levels == 2  # neither cell of the carry chain counts, the table after it does
    assert (longest.start, longest.end) == ("core.phases.read_data[3]", "core.record.moves")
    assert longest.through == (longest.start, "core.mover.step", "core.mover.sum[2]", longest.end)


def test_a_path_survives_json(tmp_path: Path) -> None:
    for path in read(tmp_path).paths:
        assert TimingPath.from_dict(json.loads(json.dumps(path.to_dict()))) == path


def test_a_long_path_is_cut(tmp_path: Path) -> None:
    steps = [step("routing", 1, f"system.c{index}", net=f"system.n{index}") for index in range(1000)]
    (path,) = read(tmp_path, critical_paths=[{"from": "posedge a", "to": "posedge b", "path": steps}]).paths
    assert len(path.through) == MOST_NAMES
    assert (path.start, path.end) == (path.through[0], path.through[-1]) == ("n0", "c999")
    assert path.delay_ns == 1000


def test_an_older_nextpnr_reports_no_paths(tmp_path: Path) -> None:
    path = written(tmp_path)
    report = json.loads(path.read_text())
    del report["critical_paths"]
    path.write_text(json.dumps(report))
    assert read_report(path).paths == ()


@pytest.mark.parametrize(
    ("name", "signal"),
    [
        ("system.core.phases.memory.0.0_RAM", "core.phases.memory.0.0"),
        ("system.core.phases.memory.0.0_WDATA_2_SB_LUT4_O_I3", "core.phases.memory.0.0"),
        ("system.core.mover.$like_SB_LUT4_I0_O_SB_LUT4_O_I3_SB_CARRY_CO$CARRY", "core.mover.$like"),
        ("system.link.executor.left_TRELLIS_FF_Q_8_DI_CCU2C_S1$CCU2_COMB0", "link.executor.left"),
        ("system.core.lanes.sum_LUT4_Z_2_B_PFUMX_Z", "core.lanes.sum"),
        ("\\system.core.word[12]", "core.word[12]"),
        ("led_0.buf.buf0", "led_0.buf.buf0"),
        ("system.core.LUT_of_mine", "core.LUT_of_mine"),
    ],
)
def test_names_of_synthesis_lead_back_to_ours(name: str, signal: str) -> None:
    assert signal_name(name) == signal
