"""Float model of LIF neurons and read-outs: what an integer layer stands for, without rounding and saturation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["Bools", "FloatLayer", "FloatNetwork", "FloatRun", "FloatState", "Floats"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FloatLayer:
    """A layer whose neurons do in a tick, in the order of :mod:`attractor.spec.felif.layer`, in double precision::

        d  = weights @ sources + bias
        c' = synapse_decay c + d       with a synaptic state; otherwise c' = d
        v' = decay v + c'
        s' = v' > threshold if strict, or else v' >= threshold
        if s':  v' = reset, or v' - threshold if subtract

    Parameters
    ----------
    weights:
        Shape (neurons, sources): inputs or neurons of the layer below, then, in a recurrent layer, its own neurons.
    bias:
        Shape (neurons,).
    decay:
        Part of v that a tick leaves, 0 to 1, shape (neurons,).
    threshold:
        Shape (neurons,); None for a read-out, which never spikes.
    reset:
        Shape (neurons,); ignored if ``subtract``.
    synapse_decay:
        Part of c that a tick leaves, 0 to 1, shape (neurons,); None without a synaptic state.
    recurrent:
        The layer's own spikes of the tick before are sources, too.
    subtract, strict:
        See above.
    """

    weights: Floats
    bias: Floats
    decay: Floats
    threshold: Floats | None
    reset: Floats
    synapse_decay: Floats | None = None
    recurrent: bool = False
    subtract: bool = False
    strict: bool = True

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return len(self.weights)

    @property
    def below(self) -> int:
        """Number of sources that are not the layer's own neurons."""
        return self.weights.shape[1] - (self.neurons if self.recurrent else 0)


@dataclass
class FloatState:
    """The neurons of a layer between two ticks, each array of shape (batch, neurons)."""

    voltage: Floats
    synapse: Floats | None
    spikes: Bools

    def copy(self) -> FloatState:
        """Return a state that does not change with this one."""
        return replace(self, **{name: None if part is None else part.copy() for name, part in vars(self).items()})


@dataclass(frozen=True)
class FloatRun:
    """What a batch of runs did.

    Parameters
    ----------
    outputs:
        Voltages of a read-out after the last tick, or else how often each neuron of the last layer spiked, shape
        (batch, outputs).
    voltages, spikes:
        Of each layer after every tick, shape (ticks, batch, neurons).
    """

    outputs: Floats
    voltages: tuple[Floats, ...]
    spikes: tuple[Bools, ...]


class FloatNetwork:
    """Layers in sequence, as in :class:`~attractor.spec.FelifSpec`, in double precision.

    Parameters
    ----------
    layers:
        At least one; only the last can be a read-out.

    Raises
    ------
    ValueError
        If sizes do not fit.
    """

    def __init__(self, layers: tuple[FloatLayer, ...]) -> None:
        if not layers:
            raise ValueError("layers is empty; a network has at least one layer")
        for index, (lower, upper) in enumerate(pairwise(layers)):
            if upper.below != lower.neurons:
                raise ValueError(
                    f"layer {index + 1} has {upper.below} sources below, but layer {index} has {lower.neurons} neurons"
                )
            if lower.threshold is None:
                raise ValueError(f"layer {index} is a read-out; only the last layer can be one")
        self.layers = layers

    def start(self, batch: int) -> list[FloatState]:
        """Return the states of all layers before the first tick: v = 0, c = 0, no spikes."""
        return [
            FloatState(
                np.zeros((batch, layer.neurons)),
                None if layer.synapse_decay is None else np.zeros((batch, layer.neurons)),
                np.zeros((batch, layer.neurons), bool),
            )
            for layer in self.layers
        ]

    def step(self, states: list[FloatState], frame: npt.ArrayLike) -> None:
        """Run one tick, in place: the states get new arrays; ``frame`` has shape (batch, inputs)."""
        values = np.asarray(frame, np.float64)
        if values.ndim != 2 or values.shape[1] != self.layers[0].below:
            raise ValueError(
                f"input values have shape {values.shape}; a tick takes shape (batch, {self.layers[0].below})"
            )
        for layer, state in zip(self.layers, states, strict=True):
            sources = np.concatenate([values, state.spikes], axis=1) if layer.recurrent else values
            _advance(layer, state, sources @ layer.weights.T + layer.bias)
            values = state.spikes.astype(np.float64)

    def run(self, frames: npt.ArrayLike) -> FloatRun:
        """Run a batch from the start; ``frames`` has shape (batch, ticks, inputs)."""
        values = np.asarray(frames, np.float64)
        if values.ndim != 3:
            raise ValueError(f"input values have shape {values.shape}; a batch has shape (batch, ticks, inputs)")
        batch, ticks, _ = values.shape
        shapes = [(ticks, batch, layer.neurons) for layer in self.layers]
        voltages, spikes = [np.zeros(shape) for shape in shapes], [np.zeros(shape, bool) for shape in shapes]
        states = self.start(batch)
        for tick in range(ticks):
            self.step(states, values[:, tick])
            for index, state in enumerate(states):
                voltages[index][tick], spikes[index][tick] = state.voltage, state.spikes
        readout = self.layers[-1].threshold is None
        outputs = states[-1].voltage if readout else spikes[-1].sum(axis=0).astype(np.float64)
        return FloatRun(outputs, tuple(voltages), tuple(spikes))


def _advance(layer: FloatLayer, state: FloatState, drive: Floats) -> None:
    current = drive
    if layer.synapse_decay is not None:
        assert state.synapse is not None
        current = state.synapse = layer.synapse_decay * state.synapse + drive
    v = layer.decay * state.voltage + current
    if layer.threshold is not None:
        state.spikes = v > layer.threshold if layer.strict else v >= layer.threshold
        v = np.where(state.spikes, v - layer.threshold if layer.subtract else layer.reset, v)
    state.voltage = v
