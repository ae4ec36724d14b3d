"""What machines with sparse couplings cost on boards, link and all: logic, memory, clock and cycles.

``rows`` are machines for graphs of the sizes of known ones, whose couplings are +1 and -1:

``lut``, ``block_ram``, ``large_ram``
    As nextpnr counts them with ``--place``, otherwise as :mod:`attractor.gateware.estimate` foretells.
``fmax_mhz``, ``clocks_mhz``, ``target_mhz``, ``met``
    With ``--place``, the clock of the middle placement, and those of all, from the slowest; what the machine is to
    reach, and whether the middle one does.
``cycles_a_period_settled``
    A period in which nothing changes.
``cycles_a_change``
    What each change of a phase adds to that, over a call with noise in which many change.

Cycles are those of the gateware, which :mod:`attractor.timing` counts exactly from the golden model. The graphs are
made here: tori as G67 and G81 are, and random ones otherwise; one vertex is a hub if the graph has one.

``dense`` are machines of which every pair is coupled, with weights of 5 bits: those of sparse couplings, which flip,
beside the dense core, which flips too. For each of them also the largest of the core that fits ULX3S-85F as estimated.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from cores import placed
from reporting import log, parser, report
from scipy import sparse

from attractor.gateware.boards import find_board
from attractor.gateware.estimate import estimate
from attractor.golden import network
from attractor.golden.sparse import couplings_of
from attractor.solve.dealing import deal
from attractor.solve.sparse_networks import made_spec
from attractor.spec import OscillatorSpec
from attractor.spec.sparse import SparseSpec
from attractor.timing import cycles_of

Pairs = npt.NDArray[np.int64]

#: Periods with noise over which changes are counted; amplitude of the noise, in typical sums, as annealing begins with.
PERIODS, NOISE = 2, 0.5
#: Weights where all pairs are coupled.
DENSE_BITS = 5
BOARD = "ulx3s-85f"


def torus(rows: int, columns: int) -> Pairs:
    """Return the edges of a grid whose borders are joined, shape (2 * rows * columns, 2)."""
    place = np.arange(rows * columns).reshape(rows, columns)
    pairs = [np.stack([place, np.roll(place, -1, axis)], -1).reshape(-1, 2) for axis in (0, 1)]
    return np.concatenate(pairs)


def scattered(vertices: int, edges: int, hub: int = 0) -> Pairs:
    """Return random edges, shape (edges, 2); of vertex 0 as many as ``hub`` says, if it is a hub."""
    generator = np.random.default_rng(vertices)
    found = {(0, int(other)) for other in generator.choice(np.arange(1, vertices), hub, replace=False)}
    while len(found) < edges:
        one, other = sorted(generator.integers(1 if hub else 0, vertices, 2).tolist())
        if one != other:
            found.add((one, other))
    return np.array(sorted(found))


@dataclasses.dataclass(frozen=True)
class Machine:
    """A row: a graph, a board for it, and how the network is folded.

    ``row_words`` is what the couplings need, dealt well. ``target_mhz`` is the clock that the machine is to reach.
    ``strength`` and ``couplings`` are what it holds if that is more than the graph has, and ``fraction_bits`` what it
    has instead of what the sampler gives the graph.
    """

    graph: str
    board: str
    edges: Callable[[], Pairs]
    lanes: int
    entries: int
    row_words: int
    target_mhz: float
    phases: int = 2
    strength: int = 0
    couplings: int = 0
    fraction_bits: int | None = None

    def spec(self, pairs: Pairs | None = None) -> SparseSpec:
        """Return the network that the sampler makes of the graph, folded, with room for other graphs of its size."""
        pairs = self.edges() if pairs is None else pairs
        vertices = int(pairs.max()) + 1
        made = made_spec(
            np.concatenate([np.zeros(vertices, np.int64), np.ones(len(pairs), np.int64)]),
            vertices,
            vertices,
            pairs,
            weight_bits=2,
            phase_bits=4,
            lanes=self.lanes,
            random_start=True,
            references=0,
            noise=NOISE * float(np.sqrt(2 * len(pairs) / vertices)),
        )
        fraction = self.fraction_bits if self.fraction_bits is not None else made.fraction_bits
        return dataclasses.replace(
            made,
            entries=self.entries,
            row_words=self.row_words,
            binary=self.phases == 2,
            strength=max(made.strength, self.strength),
            couplings=max(made.couplings, self.couplings),
            fraction_bits=fraction,
        )


MACHINES = (
    Machine("G35", "icebreaker", lambda: scattered(2000, 11778, 210), 8, 4, 8600, 18),
    Machine("G67", BOARD, lambda: torus(100, 100), 32, 8, 10001, 45, strength=15, fraction_bits=7),
    Machine("G81", BOARD, lambda: torus(100, 200), 64, 8, 20001, 35),
    Machine("G22", BOARD, lambda: scattered(2000, 19990), 64, 64, 2600, 25, strength=255, fraction_bits=6),
    Machine("G67", BOARD, lambda: torus(100, 100), 32, 8, 10001, 45, phases=16),
)


def dealt(spec: SparseSpec, pairs: Pairs) -> Pairs:
    """Return the edges with vertices renumbered so that the neighbours of each are spread over the classes."""
    vertices, ends = spec.oscillators, np.concatenate([pairs, pairs[:, ::-1]])
    couplings = sparse.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (vertices, vertices))
    classes = deal(couplings, np.array([len(range(number, vertices, spec.entries)) for number in range(spec.entries)]))
    numbers = np.zeros(vertices, np.int64)
    for number in range(spec.entries):
        numbers[classes == number] = np.arange(number, vertices, spec.entries)
    return numbers[pairs]


def coupled(vertices: int, pairs: Pairs, weights: npt.NDArray[np.int64]) -> sparse.csc_array:
    """Return the matrix of couplings, shape (vertices, vertices)."""
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    return sparse.csc_array((np.tile(weights, 2), (ends[:, 0], ends[:, 1])), (vertices, vertices))


def counted(spec: OscillatorSpec, pairs: Pairs, largest: int) -> dict[str, float]:
    """Return the cycles of a settled period, and of a change; weights are 1 to ``largest`` in magnitude."""
    generator = np.random.default_rng(1)
    signs = generator.choice([-1, 1], len(pairs)) * generator.integers(1, largest + 1, len(pairs))
    phases = generator.integers(0, 2, spec.oscillators) * (spec.period // 2)
    quiet = np.zeros(spec.oscillators, np.int64)
    # All are in phase, and held so by couplings that are all positive.
    settled, _ = call(spec, coupled(spec.oscillators, pairs, np.abs(signs)), quiet, PERIODS, 0)
    longer, _ = call(spec, coupled(spec.oscillators, pairs, np.abs(signs)), quiet, PERIODS + 1, 0)
    noise = NOISE * np.sqrt(2 * np.square(signs).sum() / spec.oscillators) * spec.field_steps
    busy, changes = call(spec, coupled(spec.oscillators, pairs, signs), phases, PERIODS, int(noise))
    return {
        "cycles_a_period_settled": longer - settled,
        "cycles_a_change": round((busy - settled) / changes, 2),
    }


def call(
    spec: OscillatorSpec, weights: sparse.csc_array, phases: npt.NDArray[np.int64], periods: int, noise: int
) -> tuple[int, int]:
    """Return the cycles of one call and how many phases change in it."""
    schedule = np.zeros((spec.schedule_entries, len(spec.schedule_columns)), np.int64)
    for column, value in (("periods", periods), ("noise", noise), ("flips", 1)):
        schedule[0, spec.schedule_columns.index(column)] = value
    golden: Any = network(spec, {**couplings_of(spec, weights), "schedule": schedule, "settle": 0})
    found = cycles_of(spec, golden, spec.encode_input(phases, seed=1), written=False)
    assert found is not None
    state, changes = golden.start(phases[None], seeds=[1]), 0
    while state.active.any():
        golden.step(state)
        changes += int(state.moved.sum())
    return found.most, changes


def taken(spec: OscillatorSpec, board: str, seeds: int) -> dict[str, Any]:
    """Return what a machine takes of a board: placed with so many seeds, or estimated if there are none."""
    if not seeds:
        found = estimate(spec, find_board(board))
        assert found.fits, found.shortage
        sizes = {"lut": found.luts, "block_ram": found.block_rams, "large_ram": found.large_rams}
        return sizes | {"fmax_mhz": None, "clocks_mhz": []}
    rows = [placed(spec, board, seed=seed) for seed in range(1, seeds + 1)]
    clocks = sorted(row["fmax_mhz"] for row in rows)
    return counts(rows[0]["used"]) | {"fmax_mhz": clocks[(len(clocks) - 1) // 2], "clocks_mhz": clocks}


def counts(used: str) -> dict[str, int]:
    """Return the cells that :func:`cores.placed` counts by the names of the rows."""
    cells = {name: int(text.split()[0]) for name, text in json.loads(used).items()}
    return {
        "lut": cells.get("TRELLIS_COMB", 0) + cells.get("ICESTORM_LC", 0),
        "block_ram": cells.get("DP16KD", 0) + cells.get("ICESTORM_RAM", 0),
        "large_ram": cells.get("ICESTORM_SPRAM", 0),
    }


def measure(machine: Machine, seeds: int) -> dict[str, Any]:
    """Return a row of ``rows``."""
    pairs = machine.edges()
    spec = machine.spec(pairs)
    row = {"graph": machine.graph, "board": machine.board, "vertices": spec.oscillators, "edges": len(pairs)}
    row |= {"lanes": spec.lanes, "entries_a_cycle": spec.entries, "phases": machine.phases}
    row |= taken(spec, machine.board, seeds) | {"target_mhz": machine.target_mhz}
    row["met"] = None if row["fmax_mhz"] is None else row["fmax_mhz"] >= machine.target_mhz
    return row | counted(spec, dealt(spec, pairs), 1)


def every_pair(oscillators: int, lanes: int, *, binary: bool) -> OscillatorSpec:
    """Return a network of which every pair is coupled."""
    common = {"oscillators": oscillators, "lanes": lanes, "weight_bits": DENSE_BITS, "flips": True}
    if not binary:
        return OscillatorSpec(**common, random_start=True)
    couplings, largest = oscillators * (oscillators - 1), (1 << DENSE_BITS - 1) - 1
    words = oscillators * -(-oscillators // lanes) + 1
    return SparseSpec(
        **common,
        couplings=couplings,
        strength=largest * (oscillators - 1),
        row_words=words,
        random_start=True,
        binary=True,
    )


def largest_fitting(lanes: int, *, binary: bool) -> int:
    """Return the most oscillators of which every pair is coupled that fit ULX3S-85F as estimated, by halving."""
    fits, too_many = 506, 1024
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if estimate(every_pair(middle, lanes, binary=binary), find_board(BOARD)).fits_as_estimated:
            fits = middle
        else:
            too_many = middle
    return fits


def measure_dense(oscillators: int, lanes: int, seeds: int, *, binary: bool) -> dict[str, Any]:
    """Return a row of ``dense``."""
    spec = every_pair(oscillators, lanes, binary=binary)
    pairs = np.argwhere(np.triu(np.ones((oscillators, oscillators)), 1))
    row = {"core": "sparse" if binary else "dense", "board": BOARD, "vertices": oscillators, "edges": len(pairs)}
    return row | {"lanes": lanes} | taken(spec, BOARD, seeds) | counted(spec, pairs, (1 << DENSE_BITS - 1) - 1)


def dense_rows(seeds: int) -> Iterator[dict[str, Any]]:
    """Yield all rows of ``dense``; the largest are only estimated."""
    for binary, lanes in ((True, 64), (False, 64)):
        core = "sparse" if binary else "dense"
        log(f"506 oscillators, every pair coupled, {core} core")
        yield measure_dense(506, lanes, seeds, binary=binary)
        log(f"the most oscillators of the {core} core, every pair coupled")
        yield measure_dense(largest_fitting(lanes, binary=binary), lanes, 0, binary=binary)


def main() -> None:
    """Measure every machine."""
    options = parser(__doc__)
    options.add_argument("--place", action="store_true", help="place and route instead of estimating")
    options.add_argument("--seeds", type=int, default=1, help="placements of each machine (default %(default)s)")
    options.add_argument("--graphs", nargs="*", help="only these rows, and no dense ones")
    arguments = options.parse_args()
    seeds = arguments.seeds if arguments.place else 0
    rows = []
    for machine in MACHINES:
        if arguments.graphs is None or machine.graph in arguments.graphs:
            log(f"{machine.graph} with {machine.phases} phases on {machine.board}")
            rows.append(measure(machine, seeds))
            log(str(rows[-1]))
    result: dict[str, Any] = {"rows": rows}
    if arguments.graphs is None:
        result["dense"] = []
        for row in dense_rows(seeds):
            result["dense"].append(row)
            log(str(row))
    report(result, as_json=arguments.json)
    if any(row["met"] is False for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
