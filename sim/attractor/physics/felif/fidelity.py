"""How far integer neurons are from the device: drives, and the spikes that both make of them.

The rounding of leak and drive moves a slow crossing of the threshold by a few per cent of a tick, so some spikes fall
one tick early or late, of B too, and where a current only just reaches the threshold a spike may be missing.
``benchmarks/felif_fidelity.py`` counts them over drawn seeds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attractor.golden.felif.neurons import neurons
from attractor.physics.felif.device import FelifDevice
from attractor.physics.felif.tables import felif_parameters
from attractor.physics.felif.twin import TICK, FelifTwin
from attractor.spec import FelifLayer
from attractor.spec.felif.layer import FELIF_A, SUBSTEPS

__all__ = [
    "Currents",
    "Raster",
    "burst_currents",
    "drive_per_ampere",
    "integer_raster",
    "ramped_currents",
    "stepped_currents",
    "synaptic_currents",
    "twin_raster",
]

Currents = npt.NDArray[np.float64]
Raster = npt.NDArray[np.bool_]


def stepped_currents(seed: int) -> Currents:
    """Return currents that change every 20 ms, uniform from -0.5 to 0.52 nA, shape (400 ticks, 64 neurons), A."""
    levels = np.random.default_rng(seed).uniform(-0.5, 0.52, (20, 64)) * 1e-9
    return np.repeat(levels, 20, axis=0)


def synaptic_currents(seed: int) -> Currents:
    """Return currents of 20 synapses a neuron, shape (500 ticks, 96 neurons), A.

    Weights are uniform from 0 to 5 nA; each synapse is active in a tick with a probability of 0.002.
    """
    generator = np.random.default_rng(seed)
    weights = generator.uniform(0, 5e-9, (96, 20))
    return ((generator.random((500, 96, 20)) < 0.002) * weights).sum(axis=2)


def ramped_currents(seed: int) -> Currents:
    """Return currents that rise from 0 in a straight line, to up to 3 nA, shape (400 ticks, 100 neurons), A."""
    levels = np.random.default_rng(seed).uniform(0, 3e-9, 100)
    return np.linspace(0, 1, 400)[:, None] * levels


def burst_currents(seed: int) -> Currents:
    """Return Poisson input, shape (400 ticks, 100 neurons), A.

    A neuron's events are of one size, uniform from 0 to 9 nA, and come in a tick with one probability, uniform from 0
    to 0.2.
    """
    generator = np.random.default_rng(seed)
    sizes, rates = generator.uniform(0, 9e-9, 100), generator.uniform(0, 0.2, 100)
    return (generator.random((400, 100)) < rates) * sizes


def twin_raster(device: FelifDevice, currents: Currents, *, steps: int | None = None) -> Raster:
    """Return the spikes of the device twin; shapes (ticks, neurons)."""
    return FelifTwin(device, steps=steps).run(currents[:, None]).spikes[:, 0]


def integer_raster(kind: str, device: FelifDevice, currents: Currents, *, nominal: FelifDevice | None = None) -> Raster:
    """Return the spikes of FeLIF A or B on the same currents, rounded to integer drives; shapes (ticks, neurons).

    ``nominal`` is as for :func:`~attractor.physics.felif.tables.felif_parameters`.
    """
    layer = FelifLayer(neurons=currents.shape[1], kind=kind)
    integer = neurons(layer, felif_parameters(layer, device, nominal=nominal))
    drives = np.rint(currents * drive_per_ampere(layer, device)).astype(np.int64)
    state = integer.start(1)
    raster = np.empty(currents.shape, bool)
    for tick, drive in enumerate(drives):
        integer.step(state, drive[None])
        raster[tick] = state.spikes[0]
    return raster


def drive_per_ampere(layer: FelifLayer, device: FelifDevice, tick: float = TICK) -> npt.NDArray[np.float64]:
    """Return the drive of a FeLIF layer that stands for 1 A, one number or one for each neuron."""
    steps = 1 if layer.kind == FELIF_A else SUBSTEPS
    return np.asarray(device.per_ampere(tick)) * (1 << layer.fraction_bits) / steps
