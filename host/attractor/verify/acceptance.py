"""Loads random models into a device, makes random calls, and compares everything with the golden model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from attractor.golden import network
from attractor.host.device import Device
from attractor.host.model import Model
from attractor.host.pool import DevicePool
from attractor.trials import trials_of
from attractor.verify.agreement import Agreement, compare_calls, compare_parameters

__all__ = ["accept", "parameters_kept"]

#: Most models, over those that are asked for.
MOST_MODELS = 4


def accept(
    device: Device,
    *,
    models: int = 4,
    calls: int = 16,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Agreement:
    """Load random models, make random calls, and compare everything with the golden model.

    What is drawn, the :class:`~attractor.trials.Trials` of the device's family say; calls of a network that learns are
    lessons, too. Compared are all fields of all output windows, the clock cycles with those that
    :mod:`attractor.timing` counts unless it has no clock or is a pool, and after the calls to a model every parameter
    window by its CRC-32. The golden model has the device's own folding, which decides what noise does. The device
    holds afterwards what it held before, if that was valid.

    Parameters
    ----------
    device:
        Device of any family.
    models:
        Random models: more, up to four times as many, as long as nothing was drawn of a feature that the network has.
    calls:
        Random calls to each.
    seed:
        Seed of all that is random.
    progress:
        Called after each model with the number of finished ones and that of all.

    Raises
    ------
    SpecError
        If the device's family has no golden model, or wrong trials.
    LinkError
        If the device fails; the message says so if it then holds no valid parameters.
    """
    total = Agreement()
    with parameters_kept(device):
        for index in range(MOST_MODELS * models):
            if index >= models and (all(total.features.values()) or not total.exact):
                break
            total += _trial(device, np.random.default_rng([seed, index]), calls).named(f"model {index}")
            if progress is not None:
                progress(index + 1, max(models, index + 1))
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


def _trial(device: Device, rng: np.random.Generator, calls: int) -> Agreement:
    """Load one random model, make all calls to it, and compare."""
    spec, trials = device.spec, trials_of(device.spec)
    model = Model(spec, trials.parameters(spec, rng))
    device.load(model)
    inputs = [trials.inputs(spec, rng) for _ in range(calls)]
    golden = network(spec, model.parameters)
    # The golden model behind the protocol has no clock, and of a pool nobody knows whose first call one was.
    timed = device.build.clock_hz > 0 and not isinstance(device, DevicePool)
    found = compare_calls(spec, golden, inputs, device.calls(inputs, repeatable=False), timed=timed)
    return found + compare_parameters(device, golden, model.parameters)
