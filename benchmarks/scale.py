"""What oscillator cores cost over their size: logic, memory and cycles, by Yosys, and placed on boards by nextpnr.

The core alone, without the link, 5-bit weights and 4-bit phases, flattened, without DSP blocks:

``lut``
    Look-up tables, those used as memory included. On xc7 LUT1 to LUT6 and 4 for each RAM32M and RAM64M; on ecp5 LUT4, 2
    for each carry cell and 4 for each TRELLIS_DPR16X4; on ice40 SB_LUT4.
``bram``
    On xc7 in units of 36 kbit (a RAMB18E1 is half of one); on ecp5 DP16KD, on ice40 SB_RAM40_4K. ``large_ram`` are
    SB_SPRAM256KA of the iCE40 UP5K, which take the weights where its block RAM is too small.
``weight_fill``
    Bits of the weights over the bits of all block RAM (and large RAM) used, parity bits included.
``cycles_per_period``
    A period in which no phase changes: ``16 * (2 * groups + 3) + 1``, which cycles.py measures.

``exponents`` are those of a power law fitted to xc7 with one lane for each oscillator, from 128 oscillators on.
``placed`` (``--place``) are whole boards, link and all, placed and routed: the published network size on 64 lanes, and
the largest networks whose weights fit a board, on as many lanes as then fit. ``largest`` says what the
next larger network lacks: for every number of lanes the estimate of :mod:`attractor.gateware.estimate` was asked.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from reporting import log, parser, report

from attractor.gateware import flow
from attractor.gateware.boards import Family, find_board
from attractor.gateware.build import build
from attractor.gateware.estimate import Estimate, estimate
from attractor.gateware.tools import find_toolchain
from attractor.hdl.cores import build_core
from attractor.spec import OscillatorSpec
from attractor.spec.base import ceil_div

#: Target, oscillators and lanes of each row.
CORES = (
    *(("xc7", count, count) for count in (64, 128, 256, 506, 1000)),
    *(("xc7", 506, lanes) for lanes in (22, 64, 253)),
    *(("ecp5", count, count) for count in (64, 128, 256, 506)),
    *(("ecp5", 506, lanes) for lanes in (22, 64)),
    *(("ice40", count, lanes) for count, lanes in ((64, 8), (128, 8), (442, 3))),
)
#: Board, oscillators, lanes and entries of the schedule of each placed design.
BOARDS = (("ulx3s-85f", 506, 64, 8), ("ulx3s-85f", 836, 9, 8), ("icebreaker", 442, 3, 1))
SYNTHESIS = {
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -nodsp -top core",
    "ecp5": "synth_ecp5 -top core",
    "ice40": "synth_ice40 -device u -top core",
}
LUTS_OF = {
    "xc7": {**{f"LUT{inputs}": 1 for inputs in range(1, 7)}, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2}
    | {"RAM128X1D": 4, "RAM256X1D": 8, "SRL16E": 1, "SRLC32E": 1},
    "ecp5": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
    "ice40": {"SB_LUT4": 1},
}
BLOCK_RAMS = {
    "xc7": {"RAMB36E1": 1.0, "RAMB18E1": 0.5},
    "ecp5": {"DP16KD": 1, "PDPW16KD": 1},
    "ice40": {"SB_RAM40_4K": 1},
}
BLOCK_RAM_BITS = {"xc7": 36864, "ecp5": 18432, "ice40": 4096}
LARGE_RAM_BITS = 262144
FLIP_FLOPS = {"xc7": ("FD",), "ecp5": ("TRELLIS_FF",), "ice40": ("SB_DFF",)}
DSP = ("DSP48E1", "MULT18X18D", "SB_MAC16")
WEIGHT_BITS = 5
#: The goals: LUTs for each oscillator and BRAM36 at 506 oscillators on xc7, and a Zynq-7020 for 1,000.
MOST_LUTS, MOST_BLOCK_RAMS, MOST_EXPONENT = 50, 40, 1.10
ZYNQ_7020 = {"lut": 53200, "ff": 106400, "bram": 140}


def synthesise(spec: OscillatorSpec, target: str, *, large_weights: bool) -> Mapping[str, int]:
    """Return the cells of the core of ``spec`` after synthesis."""
    script = [
        "read_rtlil core.il",
        flow._NO_ASSERTIONS,
        flow._NO_COLLISIONS,
        *(flow._LARGE_WEIGHTS if large_weights else ()),
        SYNTHESIS[target] + (" -spram" if large_weights else ""),
        flow._STATISTICS,
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "core.il").write_text(rtlil.convert(build_core(spec), name="core"))
        (folder / "core.ys").write_text("\n".join(script) + "\n")
        yosys = find_toolchain(Family.ECP5).program("yosys")
        subprocess.run([yosys, "-q", "core.ys"], cwd=folder, check=True, capture_output=True)
        return flow._cells(folder / "stat.json")


def weighted(cells: Mapping[str, int], weights: Mapping[str, float]) -> float:
    """Return the cells counted with their weights; others count nothing."""
    return sum(weights[name] * count for name, count in cells.items() if name in weights)


def measure(target: str, oscillators: int, lanes: int) -> dict[str, Any]:
    """Synthesise one core."""
    spec = OscillatorSpec(oscillators=oscillators, lanes=lanes, weight_bits=WEIGHT_BITS)
    large = target == "ice40" and estimate(spec, find_board("icebreaker")).large_rams > 0
    cells = synthesise(spec, target, large_weights=large)
    luts, blocks = int(weighted(cells, LUTS_OF[target])), weighted(cells, BLOCK_RAMS[target])
    large_rams = cells.get("SB_SPRAM256KA", 0)
    bits = blocks * BLOCK_RAM_BITS[target] + large_rams * LARGE_RAM_BITS
    return {
        "target": target,
        "oscillators": oscillators,
        "lanes": lanes,
        "lut": luts,
        "lut_per_oscillator": round(luts / oscillators, 1),
        "ff": sum(count for name, count in cells.items() if name.startswith(FLIP_FLOPS[target])),
        "bram": blocks,
        "large_ram": large_rams,
        "dsp": sum(cells.get(name, 0) for name in DSP),
        "weight_fill": round(oscillators**2 * WEIGHT_BITS / bits, 3) if bits else None,
        "cycles_per_period": spec.period * (2 * spec.groups + 3) + 1,
    }


def exponents(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Fit a power law over the number of oscillators to the unfolded cores of xc7."""
    chosen = [row for row in rows if row["target"] == "xc7" and row["lanes"] == row["oscillators"] >= 128]
    if len(chosen) < 2:
        return {}
    sizes = np.log([row["oscillators"] for row in chosen])
    return {
        name: round(float(np.polyfit(sizes, np.log([row[name] for row in chosen]), 1)[0]), 3)
        for name in ("lut", "ff", "bram")
    }


def goals(rows: list[dict[str, Any]], fitted: Mapping[str, float]) -> dict[str, bool]:
    """Return which goals are kept, of those that the rows say anything about."""
    unfolded = {
        row["oscillators"]: row for row in rows if row["target"] == "xc7" and row["lanes"] == row["oscillators"]
    }
    kept = {"no_dsp": all(row["dsp"] == 0 for row in rows)}
    if row := unfolded.get(506):
        kept["luts_at_506"] = row["lut"] <= MOST_LUTS * 506
        kept["block_rams_at_506"] = row["bram"] <= MOST_BLOCK_RAMS
    if row := unfolded.get(1000):
        kept["zynq_7020_at_1000"] = all(row[name] <= most for name, most in ZYNQ_7020.items())
    if "lut" in fitted:
        kept["lut_exponent"] = fitted["lut"] <= MOST_EXPONENT
    return kept


def place(board: str, oscillators: int, lanes: int, entries: int) -> dict[str, Any]:
    """Build one bitstream."""
    spec = OscillatorSpec(oscillators=oscillators, lanes=lanes, weight_bits=WEIGHT_BITS, schedule_entries=entries)
    bundle = build(spec, board, progress=lambda step: log(f"  {step}"))
    manifest = bundle.manifest
    ((achieved, _),) = manifest["fmax_hz"].values()
    used = {name: f"{count} of {available}" for name, (count, available) in manifest["utilisation"].items()}
    names = ("TRELLIS_COMB", "DP16KD", "ICESTORM_LC", "ICESTORM_RAM", "ICESTORM_SPRAM")
    return {
        "board": board,
        "oscillators": oscillators,
        "lanes": lanes,
        "fmax_mhz": round(achieved / 1e6, 2),
        "used": json.dumps({name: used[name] for name in names if name in used}),
        "bitstream_bytes": len(bundle.bitstream),
    }


def next_larger(board: str, oscillators: int, entries: int) -> dict[str, Any]:
    """Return what the next larger network lacks on ``board``, on those lanes with which it lacks the least."""
    estimates = {spec.lanes: estimate(spec, find_board(board)) for spec in foldings(oscillators + 1, entries)}
    assert not any(found.fits for found in estimates.values()), f"{oscillators + 1} oscillators would fit {board}"
    lanes = min(estimates, key=lambda lanes: excess(estimates[lanes]))
    return {"board": board, "oscillators": oscillators + 1, "lanes": lanes, "lacks": estimates[lanes].shortage}


def excess(estimated: Estimate) -> float:
    """Return how many times the board's cells of the scarcest kind would be needed."""
    available = estimated.board.resources
    pairs = (
        (estimated.luts, available.luts),
        (estimated.block_rams, available.block_rams),
        (estimated.large_rams, available.large_rams),
    )
    return max(needed / count for needed, count in pairs if count)


def foldings(oscillators: int, entries: int) -> Iterator[OscillatorSpec]:
    """Return a network with every number of lanes that leaves no lane idle in all groups."""
    spec = OscillatorSpec(oscillators=oscillators, weight_bits=WEIGHT_BITS, schedule_entries=entries)
    for lanes in sorted({ceil_div(oscillators, groups) for groups in range(1, oscillators + 1)}):
        yield dataclasses.replace(spec, lanes=lanes)


def main() -> None:
    """Synthesise every core, and place the boards if asked to."""
    options = parser(__doc__)
    options.add_argument("--largest", type=int, default=1000, help="most oscillators of a row (default %(default)s)")
    options.add_argument("--place", action="store_true", help="also place and route whole boards, which takes an hour")
    arguments = options.parse_args()
    rows = []
    for target, oscillators, lanes in CORES:
        if oscillators <= arguments.largest:
            log(f"{oscillators} oscillators on {lanes} lanes for {target}")
            rows.append(measure(target, oscillators, lanes))
            log(str(rows[-1]))
    fitted = exponents(rows)
    kept = goals(rows, fitted)
    result: dict[str, Any] = {"weight_bits": WEIGHT_BITS, "exponents": fitted, "goals": kept, "rows": rows}
    if arguments.place:
        log("placing")
        result["placed"] = [place(*board) for board in BOARDS]
        result["largest"] = [next_larger(board, oscillators, entries) for board, oscillators, _, entries in BOARDS[1:]]
    report(result, as_json=arguments.json)
    if not all(kept.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
