"""Measures what networks cost and fits the LUT model of ``attractor.gateware.estimate`` to it.

From the root of the project, ``python -m tests.gateware.fit_luts measure FILE`` synthesises and packs the networks
below, one line of JSON each (half an hour); ``... fit FILE`` prints coefficients and the deviation of each network.
Run it after the core or the link changed.
"""

# ruff: noqa: T201

from __future__ import annotations

import json
import re
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from attractor.gateware import flow
from attractor.gateware.boards import Board, Family, find_board
from attractor.gateware.estimate import estimate, lut_terms
from attractor.gateware.tools import ToolError, find_toolchain
from attractor.gateware.top import system_top
from attractor.spec import OscillatorSpec, Spec, spec_from_dict

NETWORKS: list[tuple[str, dict[str, int]]] = [
    ("icebreaker", {"oscillators": 16, "lanes": 2}),
    ("icebreaker", {"oscillators": 64, "lanes": 8}),
    ("icebreaker", {"oscillators": 32, "lanes": 4, "weight_bits": 3, "phase_bits": 3}),
    ("icebreaker", {"oscillators": 200, "lanes": 4, "weight_bits": 2}),
    ("icebreaker", {"oscillators": 48, "lanes": 12, "weight_bits": 4, "phase_bits": 5}),
    ("icebreaker", {"oscillators": 400, "lanes": 10, "schedule_entries": 1}),
    ("hx8k-evn", {"oscillators": 120, "lanes": 8, "weight_bits": 2}),
    ("hx8k-evn", {"oscillators": 150, "lanes": 30, "weight_bits": 2}),
    ("hx8k-evn", {"oscillators": 74, "inputs": 64, "labels": 10}),
    ("hx8k-evn", {"oscillators": 40, "lanes": 20, "labels": 4, "weight_bits": 4}),
    ("ulx3s-85f", {"oscillators": 16, "lanes": 2}),
    ("ulx3s-85f", {"oscillators": 64, "lanes": 8}),
    ("ulx3s-85f", {"oscillators": 74, "inputs": 64, "labels": 10}),
    ("ulx3s-85f", {"oscillators": 128, "lanes": 32}),
    ("ulx3s-85f", {"oscillators": 256, "lanes": 16, "weight_bits": 2, "phase_bits": 3}),
    ("ulx3s-85f", {"oscillators": 200, "lanes": 20, "weight_bits": 8, "phase_bits": 5}),
    ("ulx3s-85f", {"oscillators": 100}),
    ("ulx3s-85f", {"oscillators": 200, "lanes": 48, "weight_bits": 4}),
    ("ulx3s-85f", {"oscillators": 256, "lanes": 64}),
    ("ulx3s-85f", {"oscillators": 400, "lanes": 25, "weight_bits": 4}),
    ("ulx3s-85f", {"oscillators": 400, "lanes": 50, "weight_bits": 4}),
    ("ulx3s-85f", {"oscillators": 506, "lanes": 64}),
]


def utilisation(spec: Spec, board: Board) -> dict[str, int]:
    """Return the number of cells of each kind after packing, which are more than after synthesis."""
    large = estimate(spec, board).large_rams > 0
    plan = flow.prepare(system_top(spec, board, board.default_baud), board, seed=1, large_weights=large)
    toolchain = find_toolchain(board.family)
    synthesis, placement, _ = flow._commands(plan)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flow._write(plan, folder)
        flow._run(synthesis, toolchain, folder)
        with suppress(ToolError):  # nextpnr-ecp5 packs, reports, and then fails to end
            flow._run([*placement, "--pack-only"], toolchain, folder)
        log = (folder / "top.tim").read_text()
    return {name: int(used) for name, used in re.findall(r"(\w+):\s+(\d+)/\s*\d+\s+\d+%", log) if int(used)}


def measure(path: Path) -> None:
    with path.open("a") as file:
        for name, sizes in NETWORKS:
            spec = OscillatorSpec(**sizes)
            used = utilisation(spec, find_board(name))
            print(name, sizes, used, flush=True)
            file.write(json.dumps({"board": name, "spec": spec.to_dict(), "used": used}) + "\n")
            file.flush()


def luts(row: dict[str, Any]) -> int:
    return row["used"]["ICESTORM_LC" if "ICESTORM_LC" in row["used"] else "TRELLIS_COMB"]


def fit(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for family in Family:
        mine = [row for row in rows if find_board(row["board"]).family is family]
        specs = [spec_from_dict(row["spec"]) for row in mine]
        terms = [lut_terms(spec, family) for spec in specs]
        matrix = np.array([list(term.values()) for term in terms], float)
        known = np.array([term.pop("known") for term in terms])
        counted = np.array([luts(row) for row in mine])
        free = np.delete(matrix, list(lut_terms(specs[0], family)).index("known"), axis=1)
        # Relative deviations count, so that small networks weigh as much as large ones.
        target = counted - known
        coefficients, *_ = np.linalg.lstsq(free / counted[:, None], target / counted, rcond=None)
        print(family.name, {name: round(float(value), 2) for name, value in zip(terms[0], coefficients, strict=True)})
        for row, spec, value in zip(mine, specs, free @ coefficients + known, strict=True):
            print(f"  {value / luts(row) - 1:+7.1%} of {luts(row):6d}  {spec.to_json()}")


if __name__ == "__main__":
    {"measure": measure, "fit": fit}[sys.argv[1]](Path(sys.argv[2]))
