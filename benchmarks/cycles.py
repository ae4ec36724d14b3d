"""How many clock cycles the oscillator core needs for a period.

Measured in the simulated gateware, by its own cycle counter; clearing, loading and reading out are subtracted with the
run of an empty schedule. Phases have 4 bits, weights 5, all oscillators are free, and the jump rule moves them. A
period costs what its phase changes cost, so it depends on what the network does:

``cycles_per_period``
    An associative memory of one random pattern for each 16 oscillators (Diederich-Opper), started from its patterns
    with a quarter of the oscillators inverted, run until it settles. Mean over the periods of the costliest run.
``busiest_period_cycles``
    The first period of these runs, in which nearly all phases that change at all do; the costliest run.
``settled_period_cycles``
    A period in which no phase changes: a ferromagnet with all phases equal. Its references still change twice.
``restless_cycles_per_period``
    Random asymmetric weights, phases that start anywhere: a network that never settles, mean over the first four
    periods of the costliest run. ``restless_changes_per_period`` are the phase changes by the golden model, and
    ``cycles_per_change`` is what one of them costs.
``build_cycles``
    All but the slots: the core clears its sums, builds them from all phases, and reports. The run of an empty schedule.
``published``
    ``16 * (N + 3)``: the column-serial scheme, which computes every sum anew in every slot whatever the network does.
``limit``
    ``2.2 * N + 64``, for cores with one lane for each oscillator: the row reads of a core that reads one at each of the
    two edges that an oscillator has in a period. ``cycles_per_period`` has to stay within it. It counts no phase
    changes: a restless oscillator moves about eight times a period here, and no core that reads rows for changes only
    can follow that in two reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from reporting import log, parser, report

from attractor.golden import OscillatorNetwork
from attractor.host import Device, Model
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import OscillatorResult, OscillatorSpec, Region
from attractor.spec.protocol import CRC32, Command, crc32
from attractor.train.oscillator import diederich_opper

#: Oscillators and lanes of each row.
SHAPES = ((16, 16), (64, 64), (128, 128), (256, 256), (16, 8), (16, 4))
PERIODS = 4
#: Share of the oscillators that start inverted, and the longest run.
INVERTED = 0.25
LONGEST = 24
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

    def run(self, starts: Integers, periods: int, settle: int = 0) -> list[OscillatorResult]:
        """Run ``starts``, shape (runs, N), for at most ``periods`` periods, or until ``settle`` of them were quiet."""
        memory_map = self._spec.memory_map
        # The rest of the parameters is there already.
        changed = {"schedule": self._spec.schedule(periods), "settle": np.array(settle)}
        contents = self._spec.encode_parameters(self._parameters | changed)
        for name in changed:
            self._device.link.ask(Command.WRITE, memory_map.number(name), 0, contents[name])
        digest = crc32(memory_map.join(Region.PARAMETERS, contents))
        self._device.link.ask(Command.COMMIT, payload=CRC32.pack(digest))
        return self._device.recall(starts)

    def cycles(self, starts: Integers, periods: int) -> Integers:
        """Return the cycles of runs of ``periods`` periods, shape (runs,)."""
        return np.array([result.cycles for result in self.run(starts, periods)])

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
    anywhere = generator.integers(0, spec.period, (runs, oscillators))
    inverted = np.array([generator.permutation(oscillators) < INVERTED * oscillators for _ in range(runs)])
    damaged = np.where(inverted, -1, 1) * patterns[np.arange(runs) % len(patterns)]
    starts = np.where(damaged > 0, 0, spec.period // 2)
    rest = np.zeros((1, oscillators), np.int64)
    with Device.open(RtlBoard(spec), timeout=PATIENCE) as device:
        restless = Counter(device, spec, weights)
        build = restless.cycles(anywhere, 0)
        busy = restless.cycles(anywhere, PERIODS) - build
        memory = Counter(device, spec, diederich_opper(patterns, weight_bits=WEIGHT_BITS))
        overhead = memory.cycles(starts, 0)
        recalled = memory.run(starts, LONGEST, settle=1)
        first = memory.cycles(starts, 1) - overhead
        ferromagnet = Counter(device, spec, 1 - np.eye(oscillators, dtype=np.int64))
        settled = ferromagnet.cycles(rest, 2) - ferromagnet.cycles(rest, 1)
    assert not ferromagnet.changes(rest, 2).any(), "the ferromagnet is not at rest"
    assert all(result.settled for result in recalled), "a memory did not settle"
    changes = restless.changes(anywhere, PERIODS)
    means = [(result.cycles - spent) / result.periods for result, spent in zip(recalled, overhead, strict=True)]
    return {
        "oscillators": oscillators,
        "lanes": lanes,
        "cycles_per_period": round(float(max(means)), 1),
        "busiest_period_cycles": int(first.max()),
        "settled_period_cycles": int(settled[0]),
        "restless_cycles_per_period": float(busy.max() / PERIODS),
        "restless_changes_per_period": float(changes[busy.argmax()] / PERIODS),
        "cycles_per_change": round(float(((busy - PERIODS * settled) / changes).max()), 2),
        "build_cycles": int(build.max()),
        "published": spec.period * (oscillators + 3),
        "limit": round(2.2 * oscillators + 64, 1) if lanes == oscillators else None,
    }


def is_within(row: dict[str, Any]) -> bool:
    """Return whether the row keeps its limit, if it has one."""
    return row["limit"] is None or row["cycles_per_period"] <= row["limit"]


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
