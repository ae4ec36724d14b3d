"""Acceptance test of spiking networks."""

from __future__ import annotations

import numpy as np

from attractor.golden import FelifNetwork
from attractor.host.device import Device
from attractor.host.model import Model
from attractor.spec import FelifResult, FelifSpec
from attractor.trials.felif import random_frames, random_parameters
from attractor.verify.agreement import Agreement, compare_results

__all__ = ["compare", "golden_results", "trial"]


def compare(spec: FelifSpec, expected: list[FelifResult], found: list[FelifResult]) -> Agreement:
    """Compare what a device reported with the golden model, output by output.

    Cycles are not compared: the golden model has none.
    """
    return compare_results(expected, found, "outputs", spec.encode_output)


def golden_results(network: FelifNetwork, inputs: list[bytes]) -> list[FelifResult]:
    """Return what the golden model reports of calls, which it makes one after the other."""
    return [network.spec.decode_output(network.call(data)) for data in inputs]


def trial(device: Device, rng: np.random.Generator, calls: int) -> Agreement:
    """Load random parameters, run random inputs, some of them from where the call before ended, and compare."""
    spec = device.spec_of(FelifSpec)
    model = Model(spec, random_parameters(spec, rng), {})
    device.load(model)
    inputs = [spec.encode_input(random_frames(spec, rng), keep=bool(rng.integers(2))) for _ in range(calls)]
    expected = golden_results(FelifNetwork(spec, model.parameters), inputs)
    return compare(spec, expected, [spec.decode_output(device.call(data)) for data in inputs])
