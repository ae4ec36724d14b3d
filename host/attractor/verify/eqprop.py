"""Acceptance test of binary Equilibrium Propagation arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from attractor.golden import EqPropNetwork
from attractor.host.device import Device
from attractor.host.model import Model
from attractor.spec import EqPropResult, EqPropSpec
from attractor.verify.agreement import Agreement, compare_arrays, compare_results

__all__ = ["MOST_STEPS", "compare", "golden_results", "trial"]

#: Most steps of a phase in a random model.
MOST_STEPS = 12


def compare(expected: list[EqPropResult], found: list[EqPropResult]) -> Agreement:
    """Compare what a device reported with the golden model, score by score.

    Cycles are not compared: the golden model has none.
    """
    return compare_results(expected, found, "scores", EqPropResult.encode)


def golden_results(network: EqPropNetwork, inputs: list[bytes]) -> list[EqPropResult]:
    """Return what the golden model reports of calls, which it makes one after the other; it learns what they say."""
    return [network.spec.decode_output(network.call(data)) for data in inputs]


def trial(device: Device, rng: np.random.Generator, calls: int) -> Agreement:
    """Load random parameters, classify random bits, learn some where the spec learns, and compare."""
    spec = device.spec_of(EqPropSpec)
    model = Model(spec, _random_parameters(spec, rng), {})
    device.load(model)
    network = EqPropNetwork(spec, model.parameters)
    inputs = []
    for _ in range(calls):
        sigma = int(rng.integers(-1, 2)) if spec.learning else 0
        thresholds = rng.integers(0, spec.counter_high + 1, spec.connections) if sigma else None
        bits, label = rng.integers(0, 2, spec.layers[0]), int(rng.integers(spec.classes))
        inputs.append(spec.encode_input(bits, sigma=sigma, label=label, thresholds=thresholds))
    found = compare(golden_results(network, inputs), [spec.decode_output(device.call(data)) for data in inputs])
    return found + compare_arrays(network.parameters, device.read_parameters()) if spec.learning else found


def _random_parameters(spec: EqPropSpec, rng: np.random.Generator) -> dict[str, np.ndarray]:
    parameters: dict[str, Any] = {"steps": rng.integers(1, MOST_STEPS + 1, 2)}
    for name, parameter in spec.parameters.items():
        if name != "steps":
            values = rng.integers(parameter.low, np.asarray(parameter.high) + 1, parameter.shape)
            parameters[name] = np.where(values == 0, 1, values) if parameter.nonzero else values
    return parameters
