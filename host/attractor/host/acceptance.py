"""Acceptance test: any device, real or simulated, must answer as the golden model does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from attractor.golden.oscillator import OscillatorNetwork
from attractor.host.device import Device
from attractor.host.errors import ModelMismatch
from attractor.host.model import Model
from attractor.spec import OscillatorResult, OscillatorSpec


@dataclass(frozen=True)
class Agreement:
    """How a device compares with the golden model.

    Parameters
    ----------
    calls:
        Calls made.
    phases, equal_phases:
        Phases compared, and those that were equal.
    equal_results:
        Calls whose winner, periods, last change and settled flag were equal too.
    first_difference:
        What differed first; None if nothing did.
    """

    calls: int
    phases: int
    equal_phases: int
    equal_results: int
    first_difference: str | None

    @property
    def exact(self) -> bool:
        """Everything was equal."""
        return self.equal_phases == self.phases and self.equal_results == self.calls

    @property
    def ratio(self) -> float:
        """Share of phases that were equal."""
        return self.equal_phases / self.phases if self.phases else 1.0


def compare(network: OscillatorNetwork, phases: np.ndarray, results: list[OscillatorResult]) -> Agreement:
    """Compare what a device answered with the golden model.

    Parameters
    ----------
    network:
        Golden model with the parameters that the device held.
    phases:
        Start phases of the calls, shape (calls, oscillators).
    results:
        What the device answered to each.
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


def accept(
    device: Device,
    *,
    models: int = 4,
    calls: int = 16,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Agreement:
    """Load random models, run random states, and compare everything with the golden model.

    The device's parameters are replaced. Raises :class:`ModelMismatch` if it holds no oscillator network.
    """
    spec = device.spec
    if not isinstance(spec, OscillatorSpec):
        raise ModelMismatch(f"the device holds a network of family {spec.family!r}, not 'oscillator'")
    total = Agreement(0, 0, 0, 0, None)
    for index in range(models):
        rng = np.random.default_rng([seed, index])
        weights = rng.integers(spec.weight_low, spec.weight_high + 1, (spec.targets, spec.oscillators))
        schedule = spec.schedule(int(rng.integers(2, 12)), max_step=int(rng.integers(1, spec.period // 2 + 1)))
        model = Model(spec, {"weights": weights, "schedule": schedule, "settle": np.array(1)}, {})
        device.load(model)
        phases = rng.integers(0, spec.period, (calls, spec.oscillators)).astype(np.uint8)
        found = compare(OscillatorNetwork(spec, model.parameters), phases, device.recall(phases))
        total = Agreement(
            total.calls + found.calls,
            total.phases + found.phases,
            total.equal_phases + found.equal_phases,
            total.equal_results + found.equal_results,
            total.first_difference or (found.first_difference and f"model {index}, {found.first_difference}"),
        )
        if progress is not None:
            progress(index + 1, models)
    return total
