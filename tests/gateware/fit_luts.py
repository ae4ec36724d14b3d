"""Measures what networks cost, and fits to it the LUT models of all families and the one for any core.

From the root of the project, ``python -m tests.gateware.fit_luts measure FILE [FAMILY]`` synthesises and packs the
networks below that the file lacks, one line of JSON each (an hour for all); ``... fit FILE`` prints coefficients and
the deviation of each network. For any core it also prints how wrong the networks of one family are where the model was
fitted to those of the others. Run it after a core or the link changed.
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
from attractor.gateware.costs import ANY_CORE, PRODUCTS, SELECTED, Cost, CostModel, cost
from attractor.gateware.estimate import estimate
from attractor.gateware.tools import ToolError, find_toolchain
from attractor.gateware.top import system_top
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec, spec_from_dict
from attractor.spec.sparse import SparseSpec

#: A coefficient that changes by its own size weighs as much as a network that is off by this part: where there are too
#: few networks to tell coefficients apart, they stay what they are.
HOLD = 0.02

#: Coefficients of the model for any core that are not fitted: all networks have some of it, and few have much.
FIXED = (SELECTED,)
#: As :data:`HOLD`, for what is not to move at all.
FIRMLY = 1e3

OSCILLATORS: list[tuple[str, dict[str, int]]] = [
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
#: Oscillators, couplings and strength, lanes and entries, and what else differs.
SPARSE: list[tuple[str, tuple[int, int, int], tuple[int, int], dict[str, Any]]] = [
    ("icebreaker", (200, 800, 7), (4, 4), {}),
    ("icebreaker", (300, 600, 3), (16, 4), {"row_words": 320, "fraction_bits": 2}),
    ("icebreaker", (64, 500, 60), (8, 2), {"weight_bits": 5, "labels": 4}),
    (
        "icebreaker",
        (2000, 23556, 210),
        (8, 4),
        {"row_words": 8600, "schedule_entries": 64, "random_start": True, "fraction_bits": 6},
    ),
    ("icebreaker", (1000, 12000, 63), (8, 4), {"row_words": 4000, "fraction_bits": 5, "random_start": True}),
    ("icebreaker", (2000, 8000, 7), (16, 4), {"row_words": 3000, "fraction_bits": 4, "random_start": True}),
    ("hx8k-evn", (400, 800, 7), (16, 8), {"row_words": 420, "random_start": True, "fraction_bits": 4}),
    ("hx8k-evn", (120, 1000, 500), (6, 6), {"weight_bits": 8, "phase_bits": 3}),
    ("ulx3s-85f", (200, 800, 7), (4, 4), {}),
    ("ulx3s-85f", (800, 38352, 127), (64, 16), {"row_words": 4000, "fraction_bits": 2, "random_start": True}),
    ("ulx3s-85f", (2000, 40000, 63), (32, 32), {"row_words": 2500, "random_start": True}),
    ("ulx3s-85f", (500, 6000, 1000), (16, 4), {"weight_bits": 8, "labels": 10, "inputs": 100}),
    ("ulx3s-85f", (10000, 40000, 7), (32, 8), {"row_words": 10001, "fraction_bits": 4, "random_start": True}),
    ("ulx3s-85f", (20000, 80000, 7), (64, 8), {"row_words": 20001, "fraction_bits": 4, "random_start": True}),
    ("icebreaker", (100, 300, 7), (4, 4), {"binary": False}),
    ("icebreaker", (64, 200, 15), (8, 2), {"binary": False, "flips": False, "phase_bits": 3, "weight_bits": 4}),
    ("hx8k-evn", (120, 400, 7), (8, 8), {"binary": False, "fraction_bits": 3}),
    ("hx8k-evn", (60, 300, 40), (4, 2), {"binary": False, "weight_bits": 5, "lock_phases": 3, "random_start": True}),
    ("ulx3s-85f", (200, 800, 7), (4, 4), {"binary": False}),
    ("ulx3s-85f", (500, 6000, 300), (16, 4), {"binary": False, "flips": False, "weight_bits": 8, "labels": 10}),
    ("ulx3s-85f", (300, 1200, 15), (16, 2), {"binary": False, "phase_bits": 5, "fraction_bits": 2}),
    ("ulx3s-85f", (300, 1200, 7), (12, 3), {"binary": False, "phase_bits": 3, "random_start": True}),
    ("ulx3s-85f", (800, 20000, 63), (32, 16), {"binary": False, "row_words": 2000, "random_start": True}),
    (
        "ulx3s-85f",
        (10000, 40000, 7),
        (32, 8),
        {"binary": False, "row_words": 10001, "fraction_bits": 4, "random_start": True},
    ),
]
#: Layers, lanes, greatest state, bits of the counters; none where the network does not learn.
LAYERED: list[tuple[str, tuple[int, ...], int, int, int | None]] = [
    ("icebreaker", (64, 48, 20), 8, 63, 6),
    ("icebreaker", (64, 48, 20), 8, 63, None),
    ("icebreaker", (64, 32, 10), 2, 31, 4),
    ("icebreaker", (64, 24, 16, 10), 4, 15, 4),
    ("icebreaker", (64, 48, 20), 24, 63, None),
    ("hx8k-evn", (64, 40, 20), 10, 100, 8),
    ("hx8k-evn", (64, 30, 10), 10, 31, 3),
    ("hx8k-evn", (200, 64, 20), 16, 50, None),
    ("ulx3s-85f", (64, 48, 20), 8, 63, 6),
    ("ulx3s-85f", (784, 512, 100), 32, 63, None),
    ("ulx3s-85f", (784, 512, 100), 64, 50, None),
    ("ulx3s-85f", (64, 64, 64, 40), 16, 31, 8),
    ("ulx3s-85f", (300, 100, 50), 4, 15, 4),
    ("ulx3s-85f", (200, 64, 20), 32, 50, None),
    ("ulx3s-85f", (200, 128, 20), 32, 63, 8),
    ("ulx3s-85f", (676, 512, 100), 64, 63, 6),
]


#: Inputs and their bits, layers as kind, neurons and what else differs, and lanes.
SPIKING: list[tuple[str, tuple[int, int], tuple[tuple[str, int, dict[str, Any]], ...], int]] = [
    ("ulx3s-85f", (54, 1), (("felif_a", 150, {}), ("readout", 54, {})), 8),
    ("ulx3s-85f", (54, 1), (("felif_b", 150, {}), ("readout", 54, {})), 8),
    ("ulx3s-85f", (4, 8), (("lif", 256, {"weight_bits": 8}), ("felif_b", 27, {"weight_bits": 3})), 16),
    (
        "ulx3s-85f",
        (30, 8),
        (("lif", 100, {"synapse": True, "recurrent": True}), ("readout", 10, {"state_bits": 32})),
        25,
    ),
    ("ulx3s-85f", (16, 1), (("felif_a", 64, {"recurrent": True}),), 4),
    ("ulx3s-85f", (40, 1), (("lif", 40, {"reset": "subtract"}), ("lif", 20, {"state_bits": 12})), 40),
    ("ulx3s-85f", (20, 4), (("felif_a", 60, {"recurrent": True}), ("felif_b", 30, {}), ("lif", 12, {})), 30),
    ("icebreaker", (16, 1), (("lif", 64, {"scale_bits": 8}),), 4),
    ("icebreaker", (54, 1), (("felif_a", 150, {}), ("readout", 54, {})), 4),
    ("icebreaker", (16, 1), (("felif_b", 32, {"recurrent": True}),), 4),
    ("icebreaker", (8, 5), (("lif", 100, {}), ("lif", 10, {})), 6),
    ("hx8k-evn", (16, 1), (("felif_a", 24, {"scale_bits": 8}),), 2),
    ("hx8k-evn", (16, 1), (("lif", 32, {"state_bits": 12, "scale_bits": 8}), ("readout", 8, {"state_bits": 16})), 8),
]


def networks() -> list[tuple[str, Spec]]:
    """Return the board and the spec of every network."""
    return (
        [(board, OscillatorSpec(**sizes)) for board, sizes in OSCILLATORS]
        + [(board, coupled(sizes, lanes, others)) for board, sizes, lanes, others in SPARSE]
        + [(board, layered(layers, lanes, high, bits)) for board, layers, lanes, high, bits in LAYERED]
        + [(board, spiking(inputs, layers, lanes)) for board, inputs, layers, lanes in SPIKING]
    )


def coupled(sizes: tuple[int, int, int], lanes: tuple[int, int], others: dict[str, Any]) -> SparseSpec:
    """Return a network of :data:`SPARSE`."""
    named = dict(zip(("oscillators", "couplings", "strength", "lanes", "entries"), (*sizes, *lanes), strict=True))
    return SparseSpec(**{"weight_bits": 2, "binary": True, "flips": True} | named | others)


def layered(layers: tuple[int, ...], lanes: int, state_high: int, counter_bits: int | None) -> EqPropSpec:
    """Return a network of :data:`LAYERED`."""
    learning = {} if counter_bits is None else {"learning": True, "counter_bits": counter_bits}
    return EqPropSpec(layers=layers, lanes=lanes, state_high=state_high, **learning)


def spiking(inputs: tuple[int, int], layers: tuple[tuple[str, int, dict[str, Any]], ...], lanes: int) -> FelifSpec:
    """Return a network of :data:`SPIKING`."""
    made = tuple(FelifLayer(kind=kind, neurons=neurons, **others) for kind, neurons, others in layers)
    return FelifSpec(inputs=inputs[0], input_bits=inputs[1], layers=made, ticks=64, lanes=lanes)


def utilisation(spec: Spec, board: Board) -> dict[str, int]:
    """Return the number of cells of each kind after packing, which are more than after synthesis."""
    estimated = estimate(spec, board)
    large, multipliers = estimated.large_rams > 0, estimated.multipliers > 0
    top = system_top(spec, board, board.default_baud)
    plan = flow.prepare(top, board, large_weights=large, multipliers=multipliers)
    toolchain = find_toolchain(board.family)
    synthesis, placement, _ = flow._commands(plan, board)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flow._write({name: text.encode() for name, text in plan.items()}, folder)
        flow._run(synthesis, toolchain, folder)
        with suppress(ToolError):  # nextpnr-ecp5 packs, reports, and then fails to end
            flow._run([*placement, "--pack-only"], toolchain, folder)
        log = (folder / "top.tim").read_text()
    return {name: int(used) for name, used in re.findall(r"(\w+):\s+(\d+)/\s*\d+\s+\d+%", log) if int(used)}


def measure(path: Path, family: str = "") -> None:
    lines = path.read_text().splitlines() if path.exists() else []
    done = [(row["board"], spec_from_dict(row["spec"])) for row in map(json.loads, lines)]
    with path.open("a") as file:
        for name, spec in networks():
            if (name, spec) in done or family not in spec.family:
                continue
            used = utilisation(spec, find_board(name))
            print(name, spec.to_json(), used, flush=True)
            file.write(json.dumps({"board": name, "spec": spec.to_dict(), "used": used}) + "\n")
            file.flush()


def luts(row: dict[str, Any]) -> int:
    return row["used"]["ICESTORM_LC" if "ICESTORM_LC" in row["used"] else "TRELLIS_COMB"]


def counting(row: dict[str, Any], model: CostModel | None) -> Cost:
    """Return what a model counts of a network, without products where multipliers make them."""
    counted = cost(spec_from_dict(row["spec"]), find_board(row["board"]).family, model)
    if row["used"].get("ICESTORM_DSP", row["used"].get("MULT18X18D")):
        counted.terms.update({name: 0 for name in (PRODUCTS, "multiplied bits") if name in counted.terms})
    return counted


class Fit:
    """Coefficients fitted to rows of one FPGA family, near those of the model; :data:`FIXED` ones stay."""

    def __init__(self, rows: list[dict[str, Any]], model: CostModel | None = None) -> None:
        self.model = model
        costs = [counting(row, model) for row in rows]
        self.names = list(costs[0].coefficients)
        matrix = np.array([[counted.terms.get(name, 0) for name in self.names] for counted in costs], float)
        known, used = (np.array(values) for values in ([c.known for c in costs], [luts(row) for row in rows]))
        held = np.array([costs[0].coefficients[name] for name in self.names])
        fixed = [model is ANY_CORE and name in FIXED for name in self.names]
        holding = np.where(fixed, FIRMLY, HOLD / np.maximum(np.abs(held), 1))
        # Relative deviations count, so that small networks weigh as much as large ones.
        left = np.vstack([matrix / used[:, None], np.diag(holding)])
        right = np.concatenate([(used - known) / used, holding * held])
        self.coefficients, *_ = np.linalg.lstsq(left, right, rcond=None)

    def __str__(self) -> str:
        return str({n: round(float(c), 3) for n, c in zip(self.names, self.coefficients, strict=True)})

    def deviation(self, row: dict[str, Any]) -> float:
        """Return by what part the LUTs of a network are wrong."""
        counted = counting(row, self.model)
        terms = np.array([counted.terms.get(name, 0) for name in self.names])
        return float(terms @ self.coefficients + counted.known) / luts(row) - 1


def fit(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for fpga in Family:
        mine = [row for row in rows if find_board(row["board"]).family is fpga]
        families = sorted({row["spec"]["family"] for row in mine})
        for family in families:
            own = [row for row in mine if row["spec"]["family"] == family]
            show(f"{family} on {fpga.value}", Fit(own), own)
        show(f"any core on {fpga.value}", Fit(mine, ANY_CORE), mine)
        for family in families:
            own = [row for row in mine if row["spec"]["family"] == family]
            others = [row for row in mine if row not in own]
            if others:
                show(f"any core on {fpga.value}, {family} foretold", Fit(others, ANY_CORE), own)


def show(title: str, fitted: Fit, rows: list[dict[str, Any]]) -> None:
    deviations = [fitted.deviation(row) for row in rows]
    print(f"{title}: {fitted}, deviations {min(deviations):+.1%} to {max(deviations):+.1%}")
    for row, deviation in zip(rows, deviations, strict=True):
        print(f"  {deviation:+7.1%} of {luts(row):6d}  {json.dumps(row['spec'])}")


if __name__ == "__main__":
    {"measure": measure, "fit": fit}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
