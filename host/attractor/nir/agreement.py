"""How close the spikes of integer layers are to those of the layers in double precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.golden import FelifNetwork
from attractor.physics.felif import FloatNetwork

__all__ = ["RATES", "RUNS", "TICKS", "Agreement", "LayerAgreement", "agreement", "random_frames"]

#: Runs that are compared if none are given, and ticks of each.
RUNS, TICKS = 16, 256
#: Lowest and highest rate of random spikes, in spikes a tick.
RATES = 0.01, 0.5


@dataclass(frozen=True)
class LayerAgreement:
    """Spikes of a layer in all runs, in double precision and in integers.

    Parameters
    ----------
    layer:
        Its name.
    cells:
        Neurons times ticks times runs.
    spikes_float, spikes_integer:
        Spikes of both.
    wrong_cells:
        Cells with a spike in only one of both.
    rate_error:
        Root mean square of the difference in a neuron's rate in a run, in spikes a tick.
    saturated:
        Cells in which the integer voltage or synaptic state stood at an end of its range.
    """

    layer: str
    cells: int
    spikes_float: int
    spikes_integer: int
    wrong_cells: int
    rate_error: float
    saturated: int


@dataclass(frozen=True)
class Agreement:
    """Comparison of runs.

    Parameters
    ----------
    stimulus:
        What the inputs were.
    runs, ticks:
        Number of runs, and ticks of each.
    same_winner:
        Part of the runs in which the greatest output is that of the same neuron.
    layers:
        Of each layer that spikes.
    """

    stimulus: str
    runs: int
    ticks: int
    same_winner: float
    layers: tuple[LayerAgreement, ...]


def random_frames(
    network: FelifNetwork, *, runs: int = RUNS, ticks: int = TICKS, seed: int = 0
) -> npt.NDArray[np.int64]:
    """Return inputs, shape (runs, ticks, inputs): spikes, a run at each of several rates, or uniform values."""
    generator, spec = np.random.default_rng(seed), network.spec
    shape = (runs, ticks, spec.inputs)
    if spec.input_bits == 1:
        rates = np.geomspace(*RATES, runs)[:, None, None]
        return (generator.random(shape) < rates).astype(np.int64)
    low, high = spec.input_range
    return generator.integers(low, high + 1, shape)


def agreement(
    names: list[str], exact: FloatNetwork, integer: FelifNetwork, frames: npt.NDArray[np.int64], stimulus: str
) -> Agreement:
    """Run both on ``frames``, shape (runs, ticks, inputs), and compare them."""
    runs, ticks, _ = frames.shape
    floats, integers = exact.start(runs), integer.start(runs)
    spiking = [index for index, layer in enumerate(integer.spec.layers) if layer.spikes]
    shapes = {index: floats[index].voltage.shape for index in spiking}
    counts = {index: np.zeros((2, *shape), np.int64) for index, shape in shapes.items()}
    wrong, saturated = dict.fromkeys(spiking, 0), dict.fromkeys(spiking, 0)
    for tick in range(ticks):
        exact.step(floats, frames[:, tick])
        integer.step(integers, frames[:, tick])
        for index in spiking:
            ours, theirs = integers[index], floats[index]
            counts[index] += np.stack([theirs.spikes, ours.spikes])
            wrong[index] += int(np.count_nonzero(theirs.spikes != ours.spikes))
            high = (1 << integer.spec.layers[index].state_bits - 1) - 1
            at_end = (ours.voltage >= high) | (ours.voltage < -high)
            if ours.synapse is not None:
                at_end |= (ours.synapse >= high) | (ours.synapse < -high)
            saturated[index] += int(np.count_nonzero(at_end))
    last = len(integers) - 1
    ends = (counts[last][0], counts[last][1]) if last in counts else (floats[last].voltage, integers[last].voltage)
    same = ends[0].argmax(axis=1) == ends[1].argmax(axis=1)
    layers = []
    for index in spiking:
        rates = counts[index] / ticks
        error = float(np.sqrt(np.mean((rates[0] - rates[1]) ** 2)))
        sums = counts[index].sum(axis=(1, 2))
        cells = counts[index][0].size * ticks
        layers.append(
            LayerAgreement(names[index], cells, int(sums[0]), int(sums[1]), wrong[index], error, saturated[index])
        )
    return Agreement(stimulus, runs, ticks, float(same.mean()), tuple(layers))
