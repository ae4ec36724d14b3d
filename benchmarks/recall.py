"""How well damaged patterns are completed by an associative memory of oscillators.

Five letters, A to E, are stored with Diederich and Opper's first rule in 5-bit couplings of a network with one
oscillator for each pixel and 4-bit phases. The golden model runs it with the jump rule, at most 24 periods, ending
after two quiet ones. A trial takes one letter, flips exactly ``round(fraction * N)`` pixels drawn at random, loads
phase 0 for a dark pixel and half a period for a light one, and lets all oscillators run; each letter is tried equally
often. All figures are those of these bitmaps.

``target``
    Share of all trials whose final phases, relative to pixel 0, equal the intended letter or its negative.
``any_stored``
    The same for any of the five letters.
``settled``
    Share of all trials without a phase change in the last two periods.
``periods_p50``, ``periods_p95``
    Median and 95th percentile over the settled trials of the time until the last phase change, in periods: the
    number of slots until then over the slots of a period.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from letters import letters
from reporting import log, parser, report

from attractor.golden import OscillatorNetwork
from attractor.train.oscillator import associative_memory, diederich_opper, pattern_phases, read_patterns

SHAPES = ((7, 6), (10, 10), (22, 22))
FRACTIONS = (0.10, 0.25)
WEIGHT_BITS = 5
PHASE_BITS = 4
SEED = 0

Patterns = npt.NDArray[np.int8]


def damaged(patterns: Patterns, flips: int, generator: np.random.Generator) -> Patterns:
    """Return the patterns with ``flips`` values of each inverted, drawn independently."""
    chosen = generator.permuted(np.tile(np.arange(patterns.shape[1]) < flips, (len(patterns), 1)), axis=1)
    return np.where(chosen, -patterns, patterns)


def measure(shape: tuple[int, int], fraction: float, trials: int) -> dict[str, Any]:
    """Run the trials of one row of the table."""
    stored = letters(shape)
    count = stored.shape[1]
    flips = round(fraction * count)
    weights = diederich_opper(stored, weight_bits=WEIGHT_BITS)
    spec, parameters = associative_memory(weights, weight_bits=WEIGHT_BITS, phase_bits=PHASE_BITS)
    intended = np.arange(trials) % len(stored)
    start = damaged(stored[intended], flips, np.random.default_rng(SEED))
    run = OscillatorNetwork(spec, parameters).run(pattern_phases(spec, start))
    relative = stored * stored[:, :1]
    equal = (read_patterns(spec, run.phases)[:, None] == relative[None]).all(axis=2)
    periods = run.last_change[run.settled] / spec.period
    p50, p95 = np.percentile(periods, (50, 95)) if periods.size else (None, None)
    return {
        "pattern": f"{shape[0]}x{shape[1]}",
        "oscillators": count,
        "flips": fraction,
        "target": float(equal[np.arange(trials), intended].mean()),
        "any_stored": float(equal.any(axis=1).mean()),
        "settled": float(run.settled.mean()),
        "periods_p50": p50 if p50 is None else round(float(p50), 3),
        "periods_p95": p95 if p95 is None else round(float(p95), 3),
    }


def main() -> None:
    """Measure every shape and fraction."""
    options = parser(__doc__)
    options.add_argument("--trials", type=int, default=500, help="trials for each row (default 500)")
    arguments = options.parse_args()
    rows = []
    for shape in SHAPES:
        for fraction in FRACTIONS:
            log(f"{shape[0]}x{shape[1]}, {fraction:.0%} flipped")
            rows.append(measure(shape, fraction, arguments.trials))
    result = {
        "rule": "diederich_opper",
        "weight_bits": WEIGHT_BITS,
        "phase_bits": PHASE_BITS,
        "trials": arguments.trials,
        "rows": rows,
    }
    report(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
