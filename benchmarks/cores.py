"""What benchmarks of cores share: cells after synthesis, and whole boards that are placed and routed.

``lut``
    Look-up tables, those used as memory included. On xc7 LUT1 to LUT6 and 4 for each RAM32M and RAM64M; on ecp5 LUT4, 2
    for each carry cell and 4 for each TRELLIS_DPR16X4; on ice40 SB_LUT4.
``bram``
    On xc7 in units of 36 kbit (a RAMB18E1 is half of one); on ecp5 DP16KD, on ice40 SB_RAM40_4K.
``large_ram``
    SB_SPRAM256KA of the iCE40 UP5K.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from reporting import log

from attractor.gateware import flow
from attractor.gateware.boards import Family, find_board
from attractor.gateware.build import build
from attractor.gateware.tools import find_toolchain
from attractor.hdl.cores import build_core
from attractor.spec import Spec

SYNTHESIS = {
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -top core",
    "ecp5": "synth_ecp5 -top core",
    "ice40": "synth_ice40 -device u -top core",
}
#: Options of the synthesis without and with DSP blocks.
MULTIPLIERS = {"xc7": (" -nodsp", ""), "ecp5": (" -nodsp", ""), "ice40": ("", " -dsp")}
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
PLACED = ("TRELLIS_COMB", "DP16KD", "MULT18X18D", "ICESTORM_LC", "ICESTORM_RAM", "ICESTORM_SPRAM")


def synthesise(spec: Spec, target: str, *, large_weights: bool = False, multipliers: bool = False) -> dict[str, Any]:
    """Return what the core of ``spec`` takes, the core alone without the link, flattened.

    ``multipliers`` lets products become DSP blocks.
    """
    script = [
        "read_rtlil core.il",
        flow._NO_ASSERTIONS,
        flow._NO_COLLISIONS,
        *(flow._LARGE_WEIGHTS if large_weights else ()),
        SYNTHESIS[target] + MULTIPLIERS[target][multipliers] + (" -spram" if large_weights else ""),
        flow._STATISTICS,
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "core.il").write_text(flow.unambiguous(rtlil.convert(build_core(spec), name="core")))
        (folder / "core.ys").write_text("\n".join(script) + "\n")
        yosys = find_toolchain(Family.ECP5).program("yosys")
        subprocess.run([yosys, "-q", "core.ys"], cwd=folder, check=True, capture_output=True)
        return _counted(flow._cells(folder / "stat.json"), target)


def _counted(cells: Mapping[str, int], target: str) -> dict[str, Any]:
    return {
        "lut": int(_weighted(cells, LUTS_OF[target])),
        "ff": sum(count for name, count in cells.items() if name.startswith(FLIP_FLOPS[target])),
        "bram": _weighted(cells, BLOCK_RAMS[target]),
        "large_ram": cells.get("SB_SPRAM256KA", 0),
        "dsp": sum(cells.get(name, 0) for name in DSP),
    }


def _weighted(cells: Mapping[str, int], weights: Mapping[str, float]) -> float:
    """Return the cells counted with their weights; others count nothing."""
    return sum(weights[name] * count for name, count in cells.items() if name in weights)


def memory_bits(row: Mapping[str, Any], target: str) -> float:
    """Return the bits of all block RAM and large RAM that a row of :func:`synthesise` uses, parity bits included."""
    return row["bram"] * BLOCK_RAM_BITS[target] + row["large_ram"] * LARGE_RAM_BITS


def placed(spec: Spec, board: str, *, seed: int = 1) -> dict[str, Any]:
    """Build one bitstream at the clock of the board's oscillator; return what its place and route reports."""
    bundle = build(spec, board, clock=find_board(board).clock_hz, seed=seed, progress=lambda step: log(f"  {step}"))
    manifest = bundle.manifest
    ((achieved, _),) = manifest["fmax_hz"].values()
    used = {name: f"{count} of {available}" for name, (count, available) in manifest["utilisation"].items()}
    return {
        "fmax_mhz": round(achieved / 1e6, 2),
        "used": json.dumps({name: used[name] for name in PLACED if name in used}),
        "bitstream_bytes": len(bundle.bitstream),
    }
