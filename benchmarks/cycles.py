"""How many clock cycles the oscillator core needs for a period, a phase change, and a whole recall.

Measured in the simulated gateware, by its own cycle counter; clearing, loading and reading out are subtracted with the
run of an empty schedule. Phases have 4 bits, weights 5, all oscillators are free, and the jump rule moves them. A
period costs what its phase changes cost, so it depends on what the network does:

``cycles_per_period``, ``busiest_period_cycles``
    An associative memory started from its patterns with a quarter of the oscillators inverted, run until it settles:
    mean over the periods of the costliest run, and its first period, in which nearly all phases change that change at
    all. The memory holds the five 22x22 letters where it has 484 oscillators or more, the others being held; a random
    pattern for each 16 oscillators otherwise (Diederich-Opper).
``recall_cycles``, ``recall_published``
    The whole call, from the first sum to the report that it settled, mean over the runs; and what the column-serial
    scheme takes for the periods that the same runs took: ``16 * (N + 3)`` each.
``settled_period_cycles``
    A period in which no phase changes: the memory at one of its patterns. The references change twice all the same.
``restless_cycles_per_period``
    Random asymmetric weights, phases that start anywhere: a network that never settles, mean over the first four
    periods of the costliest run. ``restless_changes_per_period`` are the phase changes by the golden model, and
    ``change_cycles`` is what one of them costs beyond the settled period.
``identical_periods``
    Periods of the restless network after which its phases were compared with the golden model's, the last of them
    being so many periods after the start: all states follow from the phases before, so one that differed would show.
``build_cycles``
    All but the slots: the core clears its sums, builds them from all phases, and reports. The run of an empty schedule.
``limit``
    ``2.2 * N + 64``, for cores with one lane for each oscillator: the row reads of a core that reads one at each of the
    two edges that an oscillator has in a period. ``cycles_per_period`` has to stay within it. ``settled_limit`` and
    ``build_limit`` are 96 and ``2 * N + 64``, for such cores too. ``change_limit`` is 4, for such cores of 500
    oscillators or more: a slot in which any phase changes takes three cycles until the first is found, which the few
    changes of a smaller network have to share.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from letters import letters
from reporting import log, parser, report

from attractor.golden import OscillatorNetwork
from attractor.host import Device, Model
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import OscillatorResult, OscillatorSpec, Region
from attractor.spec.protocol import CRC32, Command, crc32
from attractor.train.oscillator import diederich_opper

#: Oscillators and lanes of each row.
SHAPES = ((16, 16), (64, 64), (128, 128), (256, 256), (506, 506), (16, 8), (16, 4))
PERIODS = 4
#: Periods of the restless network after which it is compared.
COMPARED = (1, 5, 25, 100)
#: Share of the oscillators that start inverted, and the longest run.
INVERTED = 0.25
LONGEST = 24
#: Oscillators from which on a change has to keep its limit.
MANY = 500
WEIGHT_BITS = 5
PHASE_BITS = 4
SEED = 0
#: Seconds without an answer that are no cause for concern: a large board is a slow simulation.
PATIENCE = 120.0
#: Seconds for one run.
LONGEST_RUN = 7200.0

#: The five letters of 22x22 pixels, shape (5, 484).
LETTERS = letters((22, 22))

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
        return self._device.network.recall(starts, time_limit=LONGEST_RUN)

    def cycles(self, starts: Integers, periods: int) -> Integers:
        """Return the cycles of runs of ``periods`` periods, shape (runs,)."""
        return np.array([result.cycles for result in self.run(starts, periods)])

    def trace(self, starts: Integers, periods: int) -> Integers:
        """Return the phases of ``periods`` periods by the golden model, shape (slots + 1, runs, N)."""
        network = OscillatorNetwork(self._spec, self._parameters | {"schedule": self._spec.schedule(periods)})
        trace = network.run(starts, trace=True).trace
        assert trace is not None
        return trace

    def changes(self, starts: Integers, periods: int) -> Integers:
        """Return the phase changes in runs of ``periods`` periods, shape (runs,), by the golden model."""
        return (np.diff(self.trace(starts, periods).astype(int), axis=0) != 0).sum(axis=(0, 2))

    def compare(self, start: Integers) -> int:
        """Compare the phases of one run, shape (1, N), after each of :data:`COMPARED`; return the last of them."""
        trace = self.trace(start, max(COMPARED))
        for periods in COMPARED:
            (found,) = self.run(start, periods)
            assert (found.phases == trace[periods * self._spec.period, 0]).all(), (
                f"other phases after {periods} periods"
            )
        return max(COMPARED)


def stored_patterns(oscillators: int, generator: np.random.Generator) -> npt.NDArray[np.int8]:
    """Return the patterns of the memory, shape (patterns, oscillators); 0 for oscillators that hold none."""
    if oscillators < LETTERS.shape[1]:
        return generator.choice(np.array([-1, 1], np.int8), (oscillators // 16, oscillators))
    return np.pad(LETTERS, ((0, 0), (0, oscillators - LETTERS.shape[1])))


def memory_weights(patterns: npt.NDArray[np.int8]) -> Integers:
    """Return couplings that store the patterns; oscillators that hold none are coupled to nothing."""
    used = np.flatnonzero(patterns.any(axis=0))
    weights = np.zeros((patterns.shape[1],) * 2, np.int64)
    weights[np.ix_(used, used)] = diederich_opper(patterns[:, used], weight_bits=WEIGHT_BITS)
    return weights


def measure(oscillators: int, lanes: int, runs: int) -> dict[str, Any]:
    """Build one core and measure a row of the table."""
    spec = OscillatorSpec(oscillators=oscillators, lanes=lanes, weight_bits=WEIGHT_BITS, phase_bits=PHASE_BITS)
    generator = np.random.default_rng([SEED, oscillators])
    weights = generator.integers(spec.weight_low, spec.weight_high + 1, (oscillators, oscillators))
    patterns = stored_patterns(oscillators, generator)
    anywhere = generator.integers(0, spec.period, (runs, oscillators))
    used = np.count_nonzero(patterns[0])
    inverted = np.zeros((runs, oscillators), bool)
    inverted[:, :used] = [generator.permutation(used) < round(INVERTED * used) for _ in range(runs)]
    damaged = np.where(inverted, -1, 1) * patterns[np.arange(runs) % len(patterns)]
    starts, rest = (np.where(signs < 0, spec.period // 2, 0) for signs in (damaged, patterns[:1]))
    with Device.open(RtlBoard(spec), timeout=PATIENCE) as device:
        restless = Counter(device, spec, weights)
        log("  a restless network")
        build = restless.cycles(anywhere, 0)
        busy = restless.cycles(anywhere, PERIODS) - build
        identical = restless.compare(anywhere[:1])
        memory = Counter(device, spec, memory_weights(patterns))
        log("  a memory")
        overhead = memory.cycles(starts, 0)
        recalled = memory.run(starts, LONGEST, settle=1)
        first = memory.cycles(starts, 1) - overhead
        settled = memory.cycles(rest, 2) - memory.cycles(rest, 1)
    assert not memory.changes(rest, 2).any(), "a pattern is not at rest"
    assert all(result.settled for result in recalled), "a memory did not settle"
    changes = restless.changes(anywhere, PERIODS)
    means = [(result.cycles - spent) / result.periods for result, spent in zip(recalled, overhead, strict=True)]
    periods = float(np.mean([result.periods for result in recalled]))
    unfolded = lanes == oscillators
    return {
        "oscillators": oscillators,
        "lanes": lanes,
        "cycles_per_period": round(float(max(means)), 1),
        "busiest_period_cycles": int(first.max()),
        "recall_cycles": round(float(np.mean([result.cycles for result in recalled])), 1),
        "recall_published": round(spec.period * (oscillators + 3) * periods),
        "settled_period_cycles": int(settled[0]),
        "restless_cycles_per_period": float(busy.max() / PERIODS),
        "restless_changes_per_period": float(changes[busy.argmax()] / PERIODS),
        "change_cycles": round(float(((busy - PERIODS * settled) / changes).max()), 2),
        "identical_periods": identical,
        "build_cycles": int(build.max()),
        "published": spec.period * (oscillators + 3),
        "limit": round(2.2 * oscillators + 64, 1) if unfolded else None,
        "settled_limit": 96 if unfolded else None,
        "change_limit": 4 if unfolded and oscillators >= MANY else None,
        "build_limit": 2 * oscillators + 64 if unfolded else None,
    }


def is_within(row: dict[str, Any]) -> bool:
    """Return whether the row keeps its limits, if it has any."""
    pairs = (
        ("cycles_per_period", "limit"),
        ("settled_period_cycles", "settled_limit"),
        ("change_cycles", "change_limit"),
        ("build_cycles", "build_limit"),
    )
    return all(row[limit] is None or row[value] <= row[limit] for value, limit in pairs)


def main() -> None:
    """Measure every shape."""
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=4, help="runs of each random network (default %(default)s)")
    help_largest = "most oscillators of a row; 506 take half an hour to compile and to simulate (default %(default)s)"
    options.add_argument("--largest", type=int, default=128, help=help_largest)
    options.add_argument("--least", type=int, default=0, help="least oscillators of a row (default %(default)s)")
    arguments = options.parse_args()
    rows = []
    for oscillators, lanes in SHAPES:
        if not arguments.least <= oscillators <= arguments.largest:
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
