"""What oscillator cores cost over their size: logic, memory and cycles, by Yosys, and placed on boards by nextpnr.

The core alone, without the link, 5-bit weights and 4-bit phases. ``lut``, ``bram`` and ``large_ram`` are counted as in
``cores.py``; ``large_ram`` takes the weights where the block RAM of the iCE40 UP5K is too small.

``weight_fill``
    Bits of the weights over the bits of all block RAM (and large RAM) used, parity bits included.
``cycles_per_period``
    A period in which no phase changes: ``16 * (2 * groups + 3) + 1``, which cycles.py measures.

``exponents`` are those of a power law fitted to xc7 with one lane for each oscillator, from 128 oscillators on.
``placed`` (``--place``) are whole boards, link and all, placed and routed, once for each seed of the placement: the
clock depends on it, and ``fmax_mhz`` lists all. Among them are the largest networks that fit.
``largest`` says what the next larger one lacks, on those lanes with which it lacks the least; the estimate of
:mod:`attractor.gateware.estimate` was asked for every number of lanes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from cores import memory_bits, placed, synthesise
from reporting import log, parser, report

from attractor.gateware.boards import find_board
from attractor.gateware.estimate import Estimate, estimate
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
#: Board, oscillators, lanes and entries of the schedule of the largest networks that fit, and of all placed designs.
LARGEST = (("ulx3s-85f", 836, 9, 8), ("icebreaker", 442, 3, 1))
BOARDS = (
    *(("ulx3s-85f", *sizes, 8) for sizes in ((64, 64), (128, 128), (256, 64), (506, 22), (506, 64))),
    *LARGEST,
)
WEIGHT_BITS = 5
#: The goals: LUTs for each oscillator and BRAM36 at 506 oscillators on xc7, and a Zynq-7020 for 1,000.
MOST_LUTS, MOST_BLOCK_RAMS, MOST_EXPONENT = 50, 40, 1.10
ZYNQ_7020 = {"lut": 53200, "ff": 106400, "bram": 140}


def measure(target: str, oscillators: int, lanes: int) -> dict[str, Any]:
    """Synthesise one core."""
    spec = OscillatorSpec(oscillators=oscillators, lanes=lanes, weight_bits=WEIGHT_BITS)
    large = target == "ice40" and estimate(spec, find_board("icebreaker")).large_rams > 0
    row = synthesise(spec, target, large_weights=large)
    bits = memory_bits(row, target)
    return {
        "target": target,
        "oscillators": oscillators,
        "lanes": lanes,
        "lut": row["lut"],
        "lut_per_oscillator": round(row["lut"] / oscillators, 1),
        **{name: row[name] for name in ("ff", "bram", "large_ram", "dsp")},
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


def place(board: str, oscillators: int, lanes: int, entries: int, seeds: int) -> dict[str, Any]:
    """Build one bitstream for each seed of the placement; the clocks are those of all, from the slowest."""
    spec = OscillatorSpec(oscillators=oscillators, lanes=lanes, weight_bits=WEIGHT_BITS, schedule_entries=entries)
    rows = [placed(spec, board, seed=seed) for seed in range(1, seeds + 1)]
    clocks = sorted(row["fmax_mhz"] for row in rows)
    return {"board": board, "oscillators": oscillators, "lanes": lanes} | rows[0] | {"fmax_mhz": clocks}


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
    options.add_argument("--place", action="store_true", help="also place and route whole boards")
    options.add_argument("--seeds", type=int, default=3, help="placements of each board (default %(default)s)")
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
        result["placed"] = [place(*board, arguments.seeds) for board in BOARDS]
        result["largest"] = [next_larger(board, oscillators, entries) for board, oscillators, _, entries in LARGEST]
    report(result, as_json=arguments.json)
    if not all(kept.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
