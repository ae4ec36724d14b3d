"""Arguments of :class:`EqPropClassifier` that do well on known images."""

from __future__ import annotations

from typing import Any

from attractor.spec import EqPropSpec
from attractor.train.eqprop import digits as eqprop_digits

__all__ = ["PRESETS", "spec_arguments"]


def spec_arguments(spec: EqPropSpec) -> dict[str, Any]:
    """Return the arguments that lead to a spec."""
    return {
        "hidden": spec.layers[1:-1],
        "replicas": spec.replicas,
        "inputs": spec.layers[0],
        "state_high": spec.state_highs,
        "nudge_shift": spec.nudge_shift,
        "counter_bits": spec.counter_bits,
        "lanes": spec.lanes,
    }


#: By data set.
PRESETS: dict[str, dict[str, Any]] = {
    # A network that the smallest board holds with its counters, and the rule of a device.
    "digits": spec_arguments(eqprop_digits.SPEC)
    | {
        "levels": eqprop_digits.LEVELS,
        "steps": eqprop_digits.STEPS,
        "thresholds": eqprop_digits.RECIPE.thresholds,
        "doubling": eqprop_digits.RECIPE.doubling,
        "both_signs": eqprop_digits.RECIPE.both_signs,
        "epochs": eqprop_digits.EPOCHS,
    },
    # What benchmarks/mnist_eqprop.py measures: mini-batches, so on the host only.
    "mnist": {
        "hidden": 512,
        "replicas": 10,
        "levels": (0.5,),
        "state_high": 50,
        "thresholds": (13, 16),
        "doubling": 0,
        "batch": 64,
        "sigma_samples": 64,
        "epochs": 20,
    },
}
