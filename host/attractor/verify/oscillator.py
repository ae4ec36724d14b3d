"""Acceptance test of oscillator networks."""

from __future__ import annotations

import numpy as np

from attractor.golden import OscillatorNetwork
from attractor.host.device import Device
from attractor.host.model import Model
from attractor.spec import OscillatorResult, OscillatorSpec
from attractor.verify.agreement import Agreement

__all__ = ["compare", "trial"]


def compare(network: OscillatorNetwork, phases: np.ndarray, results: list[OscillatorResult]) -> Agreement:
    """Compare what a device answered with the golden model, phase by phase.

    Parameters
    ----------
    network:
        Golden model with the parameters that the device held.
    phases:
        Start phases of the calls, shape (calls, oscillators).
    results:
        What the device answered to each: winner, periods, last change and settled flag are compared, too.
    """
    run = network.run(phases)
    expected = run.phases[:, network.spec.inputs :]
    equal, same, first = 0, 0, None
    for index, result in enumerate(results):
        matches = expected[index] == result.phases
        equal += int(matches.sum())
        golden = (run.winner[index], run.periods[index], run.last_change[index], run.settled[index])
        found = (-1 if result.winner is None else result.winner, result.periods, result.last_change, result.settled)
        same += golden == found
        if first is None and not (matches.all() and golden == found):
            first = (
                f"call {index}: phases {result.phases.tolist()}, expected {expected[index].tolist()}; "
                f"winner, periods, last change, settled {found}, expected {tuple(int(value) for value in golden)}"
            )
    return Agreement(len(results), expected.size, equal, same, first)


def trial(device: Device, rng: np.random.Generator, calls: int) -> Agreement:
    """Load random couplings, run random phases, and compare."""
    spec = device.spec_of(OscillatorSpec)
    weights = rng.integers(spec.weight_low, spec.weight_high + 1, (spec.targets, spec.oscillators))
    schedule = spec.schedule(int(rng.integers(2, 12)), max_step=int(rng.integers(1, spec.period // 2 + 1)))
    model = Model(spec, {"weights": weights, "schedule": schedule, "settle": np.array(1)}, {})
    device.load(model)
    phases = rng.integers(0, spec.period, (calls, spec.oscillators)).astype(np.uint8)
    return compare(OscillatorNetwork(spec, model.parameters), phases, device.network.recall(phases))
