"""Acceptance test: any device, real or simulated, must answer, and learn, as the golden model does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from attractor.host.device import Device
from attractor.host.errors import ModelMismatch
from attractor.verify import eqprop, felif, oscillator
from attractor.verify.agreement import Agreement, compare_arrays

__all__ = ["Agreement", "accept", "compare_arrays", "parameters_kept"]


class Trial(Protocol):
    """Loads a random model, makes so many random calls, and compares everything with the golden model."""

    def __call__(self, device: Device, rng: np.random.Generator, calls: int) -> Agreement: ...


#: The trial of each family.
TRIALS: dict[str, Trial] = {"oscillator": oscillator.trial, "eqprop": eqprop.trial, "felif": felif.trial}


def accept(
    device: Device,
    *,
    models: int = 4,
    calls: int = 16,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Agreement:
    """Load random models, make random calls, and compare everything with the golden model.

    A device that can learn is also taught, where its family learns from single calls. The device holds afterwards what
    it held before, if that was valid.

    Parameters
    ----------
    device:
        Device of any family.
    models:
        Random models.
    calls:
        Random calls to each.
    seed:
        Seed of all that is random.
    progress:
        Called after each model with the number of finished ones and that of all.

    Raises
    ------
    ModelMismatch
        If no test is written for the device's family.
    LinkError
        If the device fails; the message says so if it then holds no valid parameters.
    """
    trial = TRIALS.get(device.spec.family)
    if trial is None:
        raise ModelMismatch(
            f"the device holds a network of family {device.spec.family!r}; only {', '.join(sorted(TRIALS))} have a test"
        )
    total = Agreement()
    with parameters_kept(device):
        for index in range(models):
            total += trial(device, np.random.default_rng([seed, index]), calls).named(f"model {index}")
            if progress is not None:
                progress(index + 1, models)
    return total


@contextmanager
def parameters_kept(device: Device) -> Iterator[None]:
    """Read the device's parameters, and load them again after the block; one without valid ones is left as it is."""
    kept = device.read_model() if device.identity.parameters_valid else None
    try:
        yield
    finally:
        if kept is not None:
            device.load(kept)
