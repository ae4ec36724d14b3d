"""What oscillators learn on the chip, in how many clock cycles, and how well they recall it.

Networks with ``learning``, 5-bit weights and 4-bit phases in the simulated gateware start from weights of zero. They
are taught the letters A to E with 10x10 pixels (100 oscillators), or random patterns, one for each 20 oscillators and
at least two, over the link: once by Hebb's rule and once by Diederich and Opper's, with the default margin, which is N
with 5-bit weights (:func:`attractor.host.oscillator.learning.default_margin`).

``epochs``, ``calls``, ``held``
    Passes over the patterns, calls, and whether the last pass changed nothing (Hebb's rule does not ask).
``identical``
    The weights read back equal those of the golden model after the same calls.
``cycles_per_pattern``
    Clock cycles of a call by the core's own counter, the largest of all calls: clearing, building the sums, comparing
    with the margin, and one pass over the weights.
``on_chip_10``, ``on_chip_25``
    Share of ``trials`` in which a pattern with 10 and 25 % of its pixels flipped came back exactly, with the weights
    read back, counted as in ``recall.py``. ``off_chip_10``, ``off_chip_25``: with weights from
    :func:`attractor.train.oscillator.diederich_opper`, which rounds real numbers.
``as_good``
    Diederich and Opper's rule on the chip is not below that by more than twice the standard error of the difference.
    The benchmark fails otherwise, or where ``identical`` is false. None for Hebb's rule: it does not store patterns
    that are as similar as letters.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from letters import letters
from recall import damaged
from reporting import log, parser, report

from attractor.golden import OscillatorNetwork
from attractor.host import Device, Model
from attractor.host.oscillator.learning import Learning, LearningRule, taught_phases
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import IntegerArray, OscillatorSpec
from attractor.train.oscillator import diederich_opper, pattern_phases, read_patterns

#: Oscillators and lanes of each row; those with 100 learn letters.
SHAPES = ((35, 35), (100, 100), (200, 50))
LETTERS = (10, 10)
OSCILLATORS_PER_PATTERN = 20
FRACTIONS = (0.10, 0.25)
WEIGHT_BITS = 5
PERIODS, SETTLE = 24, 2
SEED = 0
#: Seconds without an answer that are no cause for concern: a large board is a slow simulation.
PATIENCE = 120.0

Patterns = npt.NDArray[np.int8]


def taught(oscillators: int) -> Patterns:
    """Return the patterns for a network."""
    if oscillators == LETTERS[0] * LETTERS[1]:
        return letters(LETTERS)
    generator = np.random.default_rng([SEED, oscillators])
    count = max(oscillators // OSCILLATORS_PER_PATTERN, 2)
    return generator.choice(np.array([-1, 1], np.int8), (count, oscillators))


def model_of(spec: OscillatorSpec, weights: IntegerArray) -> Model:
    """Return an associative memory."""
    return Model(spec, {"weights": weights, "schedule": spec.schedule(PERIODS), "settle": np.array(SETTLE)})


def golden_weights(model: Model, patterns: Patterns, learning: Learning) -> IntegerArray:
    """Return what the golden model learns in the same calls, starting from ``model``."""
    spec = learning.model.spec
    assert isinstance(spec, OscillatorSpec)
    network = OscillatorNetwork(spec, model.parameters)
    for _ in range(learning.epochs):
        for phases in taught_phases(spec, patterns):
            network.learn(phases, learning.margin)
    return network.parameters["weights"]


def recalled(model: Model, patterns: Patterns, fraction: float, trials: int) -> float:
    """Return the share of trials that end in the intended pattern or its negative."""
    spec = model.spec
    assert isinstance(spec, OscillatorSpec)
    intended = np.arange(trials) % len(patterns)
    start = damaged(patterns[intended], round(fraction * spec.oscillators), np.random.default_rng(SEED))
    run = OscillatorNetwork(spec, model.parameters).run(pattern_phases(spec, start))
    relative = (patterns * patterns[:, :1])[intended]
    return float((read_patterns(spec, run.phases) == relative).all(axis=1).mean())


def measure(oscillators: int, lanes: int, trials: int) -> list[dict[str, Any]]:
    """Teach one network by both rules."""
    spec = OscillatorSpec(
        oscillators=oscillators, lanes=lanes, weight_bits=WEIGHT_BITS, schedule_entries=1, learning=True
    )
    patterns = taught(oscillators)
    blank = model_of(spec, np.zeros((oscillators, oscillators), np.int64))
    off_chip = model_of(spec, diederich_opper(patterns, weight_bits=WEIGHT_BITS))
    off = [recalled(off_chip, patterns, fraction, trials) for fraction in FRACTIONS]
    rows = []
    with Device.open(RtlBoard(spec), timeout=PATIENCE) as device:
        for rule in get_args(LearningRule):
            log(f"{oscillators} oscillators on {lanes} lanes, {rule}")
            device.load(blank)
            learning = device.network.learn(patterns, rule=rule)
            expected = golden_weights(blank, patterns, learning)
            on = [recalled(learning.model, patterns, fraction, trials) for fraction in FRACTIONS]
            rows.append(
                {
                    "oscillators": oscillators,
                    "lanes": lanes,
                    "patterns": len(patterns),
                    "rule": rule,
                    "margin": learning.margin,
                    "epochs": learning.epochs,
                    "calls": learning.calls,
                    "held": learning.held,
                    "identical": bool((learning.model.parameters["weights"] == expected).all()),
                    "cycles_per_pattern": int(learning.cycles.max()),
                    "on_chip_10": on[0],
                    "off_chip_10": off[0],
                    "on_chip_25": on[1],
                    "off_chip_25": off[1],
                    "as_good": None if rule == "hebb" else is_as_good(on, off, trials),
                }
            )
    return rows


def is_as_good(on: list[float], off: list[float], trials: int) -> bool:
    """Return whether no share in ``on`` is below that in ``off`` by more than two standard errors."""
    found, wanted = np.array(on), np.array(off)
    error = np.sqrt((found * (1 - found) + wanted * (1 - wanted)) / trials)
    return bool((found >= wanted - 2 * error).all())


def main() -> None:
    """Measure every size."""
    options = parser(__doc__)
    options.add_argument("--trials", type=int, default=500, help="trials for each share (default %(default)s)")
    options.add_argument("--largest", type=int, default=200, help="most oscillators of a row (default %(default)s)")
    arguments = options.parse_args()
    rows = []
    for oscillators, lanes in SHAPES:
        if oscillators <= arguments.largest:
            rows += measure(oscillators, lanes, arguments.trials)
    result = {"weight_bits": WEIGHT_BITS, "phase_bits": 4, "trials": arguments.trials, "rows": rows}
    report(result, as_json=arguments.json)
    if any(not row["identical"] or row["as_good"] is False for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
