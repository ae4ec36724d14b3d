"""Random Equilibrium Propagation arrays, and samples that are classified, or learnt in either direction."""

from __future__ import annotations

from typing import Any

import numpy as np

from attractor.spec import EqPropSpec, IntegerArray, Parameters, Region
from attractor.trials.base import Trials, with_unused_bits
from attractor.trials.features import Features, features_of

__all__ = ["MOST_STEPS", "NO_CLASS", "TRIALS", "EqPropTrials"]

#: Most steps of a phase.
MOST_STEPS = 12
#: A label that is no class, unless there are 256 of them.
NO_CLASS = 255


class EqPropTrials(Trials[EqPropSpec]):
    """Half of all networks and calls are lively: many of the weights flip. The others visit the corners."""

    def parameters(self, spec: EqPropSpec, rng: np.random.Generator) -> dict[str, IntegerArray]:
        """Draw weights, a third of which are negative, and any counters; or few steps and numbers at their ends."""
        lively = rng.random() < 0.5
        most = MOST_STEPS if lively else int(rng.choice([1, 3, MOST_STEPS]))
        parameters: dict[str, IntegerArray] = {"steps": rng.integers(1, most + 1, 2)}
        for connection in range(spec.connections):
            shape = (spec.layers[connection + 1], spec.layers[connection])
            share = 1 / 3 if lively else rng.choice([0, 0.2, 0.5, 0.8, 1])
            parameters[f"weights_{connection}"] = np.where(rng.random(shape) < share, -1, 1)
            if spec.learning:
                high = spec.counter_high if lively else int(rng.choice([0, 1, spec.counter_high]))
                counters = rng.integers(-high, high + 1, shape)
                at_end = rng.random(shape) < (0 if lively else 0.2)
                ends = rng.choice([-spec.counter_high, spec.counter_high], shape)
                parameters[f"counters_{connection}"] = np.where(at_end, ends, counters)
        return parameters

    def inputs(self, spec: EqPropSpec, rng: np.random.Generator) -> bytes:
        """Draw bits, and where the network learns a label, thresholds and a direction, or none; junk where it may be.

        A label may be no class, and bits of a threshold above those that count are random.
        """
        lively = rng.random() < 0.5
        share = 0.5 if lively else rng.choice([0, 0.1, 0.5, 1])
        values: dict[str, Any] = {"bit": rng.random(spec.layers[0]) < share}
        if spec.learning:
            most, label = (1 << spec.counter_bits) - 1, int(rng.integers(spec.classes))
            high = spec.counter_high if lively else min(int(rng.choice([1, 3, spec.counter_high, most])), most)
            ignored = rng.integers(0, 1 << 16, spec.connections) >> spec.counter_bits << spec.counter_bits
            values |= {
                "learn": rng.random() < 2 / 3,
                "reversed": rng.random() < 0.5,
                "label": label if lively or rng.random() < 0.5 else NO_CLASS,
                "threshold": rng.integers(0, high + 1, spec.connections) | ignored,
            }
        return with_unused_bits(spec.memory_map, Region.INPUT, spec.sample_record.encode(values), rng)

    def features(self, spec: EqPropSpec, parameters: Parameters, inputs: bytes, outputs: bytes) -> Features:
        """Return what a call had; a network that cannot learn has less to report."""
        found = features_of(spec, parameters, inputs, outputs)
        if spec.learning:
            return found
        lessons = ("learnt", "nudged_steps", "touched", "flips")
        return {
            name: had
            for name, had in found.items()
            if not name.startswith(tuple(f"result result.{of}" for of in lessons))
        }


TRIALS = EqPropTrials()
