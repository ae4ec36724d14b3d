"""How many clock cycles the oscillator core needs for a period.

Measured in the simulated gateware, by its own cycle counter: the run of a schedule of some periods against that of a
shorter one from the same start, so that clearing, loading and reading out cancel. Phases have 4 bits, weights 5, all
oscillators are free, and the jump rule moves them. The cost is that of the phase changes, so it depends on the network:

``cycles_per_period``
    Random asymmetric weights, phases that start anywhere: a network that never comes to rest, and in which an
    oscillator moves in every second slot. Mean over the first four periods of the worst run.
``changes_per_period``
    Phase changes that these are, by the golden model; ``cycles_per_change`` is what one of them costs.
``recall_cycles_per_period``
    The same for an associative memory of one random pattern for each 16 oscillators, from phases that start anywhere.
``settled_period_cycles``
    A period in which no phase changes: a ferromagnet with all phases equal. Its references still change twice.
``build_cycles``
    What comes before the first slot and after the last one: the core clears its sums, builds them from all phases and
    reports. The run of an empty schedule.
``published``
    ``16 * (N + 3)``: a serial core that visits each of N oscillators in each slot, whatever the network does.
``limit``
    ``2.2 * N + 64``, for cores with one lane for each oscillator: about two row reads an oscillator, as a core needs
    that reads a row at each rise and fall. Recall and a settled period have to stay within it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from reporting import log, parser, report

from attractor.golden import OscillatorNetwork
from attractor.host import Device, Model
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import OscillatorSpec, Region
from attractor.spec.protocol import CRC32, Command, crc32
from attractor.train.oscillator import diederich_opper

#: Oscillators and lanes of each row.
SHAPES = ((16, 16), (64, 64), (128, 128), (256, 256), (16, 8), (16, 4))
PERIODS = 4
WEIGHT_BITS = 5
PHASE_BITS = 4
SEED = 0
#: Seconds without an answer that are no cause for concern: a large board is a slow simulation.
PATIENCE = 120.0

Integers = npt.NDArray[np.integer[Any]]


class Counter:
    """Counts the cycles of one network for schedules of different length.

    Parameters
    ----------
    device:
        A device of the spec.
    spec:
        The network.
    weights:
        Its couplings, shape (targets, oscillators).
    """

    def __init__(self, device: Device, spec: OscillatorSpec, weights: Integers) -> None:
        self._device, self._spec = device, spec
        self._parameters = {"weights": weights, "schedule": spec.schedule(0), "settle": np.array(0)}
        device.load(Model(spec, self._parameters))

    def cycles(self, starts: Integers, periods: int) -> Integers:
        """Return the cycles of runs of ``periods`` periods, shape (runs,), from ``starts``, shape (runs, N)."""
        memory_map = self._spec.memory_map
        # The rest of the parameters is there already.
        contents = self._spec.encode_parameters(self._parameters | {"schedule": self._spec.schedule(periods)})
        self._device.link.ask(Command.WRITE, memory_map.number("schedule"), 0, contents["schedule"])
        digest = crc32(memory_map.join(Region.PARAMETERS, contents))
        self._device.link.ask(Command.COMMIT, payload=CRC32.pack(digest))
        return np.array([result.cycles for result in self._device.recall(starts)])

    def changes(self, starts: Integers, periods: int) -> Integers:
        """Return the phase changes in runs of ``periods`` periods, shape (runs,), by the golden model."""
        network = OscillatorNetwork(self._spec, self._parameters | {"schedule": self._spec.schedule(periods)})
        trace = network.run(starts, trace=True).trace
        assert trace is not None
        return (np.diff(trace.astype(int), axis=0) != 0).sum(axis=(0, 2))


def measure(oscillators: int, lanes: int, runs: int) -> dict[str, Any]:
    """Build one core and measure a row of the table."""
    spec = OscillatorSpec(oscillators=oscillators, lanes=lanes, weight_bits=WEIGHT_BITS, phase_bits=PHASE_BITS)
    generator = np.random.default_rng([SEED, oscillators])
    weights = generator.integers(spec.weight_low, spec.weight_high + 1, (oscillators, oscillators))
    patterns = generator.choice(np.array([-1, 1], np.int8), (oscillators // 16, oscillators))
    starts = generator.integers(0, spec.period, (runs, oscillators))
    rest = np.zeros((1, oscillators), np.int64)
    with Device.open(RtlBoard(spec), timeout=PATIENCE) as device:
        random = Counter(device, spec, weights)
        build = random.cycles(starts, 0)
        busy = random.cycles(starts, PERIODS) - build
        memory = Counter(device, spec, diederich_opper(patterns, weight_bits=WEIGHT_BITS))
        recall = memory.cycles(starts, PERIODS) - memory.cycles(starts, 0)
        ferromagnet = Counter(device, spec, 1 - np.eye(oscillators, dtype=np.int64))
        settled = ferromagnet.cycles(rest, 2) - ferromagnet.cycles(rest, 1)
    assert not ferromagnet.changes(rest, 2).any(), "the ferromagnet is not at rest"
    changes = random.changes(starts, PERIODS)
    return {
        "oscillators": oscillators,
        "lanes": lanes,
        "cycles_per_period": float(busy.max() / PERIODS),
        "changes_per_period": float(changes[busy.argmax()] / PERIODS),
        "cycles_per_change": float(((busy - PERIODS * settled) / changes).max()),
        "recall_cycles_per_period": float(recall.max() / PERIODS),
        "settled_period_cycles": int(settled[0]),
        "build_cycles": int(build.max()),
        "published": spec.period * (oscillators + 3),
        "limit": 2.2 * oscillators + 64 if lanes == oscillators else None,
    }


def is_within(row: dict[str, Any]) -> bool:
    """Return whether recall and a settled period stay within the limit of the row, if it has one."""
    return row["limit"] is None or max(row["recall_cycles_per_period"], row["settled_period_cycles"]) <= row["limit"]


def main() -> None:
    """Measure every shape."""
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=4, help="runs of each random network (default %(default)s)")
    help_largest = "most oscillators of a row; 256 take long to compile and to simulate (default %(default)s)"
    options.add_argument("--largest", type=int, default=128, help=help_largest)
    arguments = options.parse_args()
    rows = []
    for oscillators, lanes in SHAPES:
        if oscillators > arguments.largest:
            continue
        log(f"{oscillators} oscillators on {lanes} lanes")
        rows.append(measure(oscillators, lanes, arguments.runs))
    within = all(map(is_within, rows))
    result = {"weight_bits": WEIGHT_BITS, "phase_bits": PHASE_BITS, "within_limits": within, "rows": rows}
    report(result, as_json=arguments.json)
    if not within:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
