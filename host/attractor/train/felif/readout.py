"""The last layer of a network that is trained: neurons that never spike, in floats or as a device computes them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from attractor.golden.felif import neurons
from attractor.spec import FelifLayer, IntegerArray
from attractor.spec.felif.layer import DECAY_ONE, READOUT
from attractor.train.felif.bruno import Floats
from attractor.train.felif.integer import layer_of
from attractor.train.felif.quantise import Weights

__all__ = ["OUTPUT_ONE", "IntegerReadout", "Readout", "Synapses"]

#: Voltage of an integer read-out that stands for an output of 1.
OUTPUT_ONE = 1 << 8


@dataclass(frozen=True, kw_only=True)
class Synapses:
    """How weights are held.

    Parameters
    ----------
    bits:
        Width of a weight while the network computes, 2 to 8; None for float weights.
    by_neuron:
        Every neuron has a scale of its own; otherwise the layer has one.
    recurrent:
        The layer's own spikes of the tick before are sources, too.
    """

    bits: int | None = None
    by_neuron: bool = False
    recurrent: bool = False


@dataclass(frozen=True, kw_only=True)
class Readout:
    """Neurons that never spike: ``y' = decay y + W s + bias``.

    Parameters
    ----------
    size:
        Number of outputs.
    decay:
        0 for outputs of every tick on its own, 1 for sums over time.
    synapses:
        As for spiking layers; not recurrent.
    """

    size: int
    decay: float = 0.0
    synapses: Synapses = field(default_factory=Synapses)

    def __post_init__(self) -> None:
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay is {self.decay}; it must lie between 0 and 1")
        if self.synapses.recurrent:
            raise ValueError("a read-out sends nothing that could come back: its synapses cannot be recurrent")

    def outputs(self, spikes: Floats, weights: Weights, bias: Floats) -> Floats:
        """Return outputs after each tick, shape (ticks, batch, size); ``spikes`` has shape (ticks, batch, sources)."""
        drives = spikes @ weights.values.T + bias
        if not self.decay:
            return drives
        outputs, state = np.empty_like(drives), np.zeros(drives.shape[1:])
        for tick, drive in enumerate(drives):
            state = outputs[tick] = self.decay * state + drive
        return outputs

    def backward(self, by_outputs: Floats) -> Floats:
        """Return the gradient by what each tick adds to the outputs."""
        if not self.decay:
            return by_outputs
        by_drives = by_outputs.copy()
        for tick in reversed(range(len(by_drives) - 1)):
            by_drives[tick] += self.decay * by_drives[tick + 1]
        return by_drives


class IntegerReadout(Readout):
    """A read-out whose outputs are those of a device, divided by :data:`OUTPUT_ONE`; weights of a few bits only."""

    @property
    def layer(self) -> FelifLayer:
        """The layer of a device."""
        return layer_of(READOUT, self.size, self.synapses.bits, False, OUTPUT_ONE)

    def outputs(self, spikes: Floats, weights: Weights, bias: Floats) -> Floats:
        """Return outputs after each tick, as a device computes them."""
        assert weights.levels is not None, "an integer read-out needs weights of a few bits"
        model = neurons(self.layer, self._values(weights, bias))
        state = model.start(spikes.shape[1])
        outputs = np.empty((*spikes.shape[:2], self.size))
        for tick, sums in enumerate(np.rint(spikes @ weights.levels.T).astype(np.int64)):
            model.step(state, model.drive(sums))
            outputs[tick] = state.voltage
        return outputs / OUTPUT_ONE

    def exported(self, weights: Weights, bias: Floats) -> dict[str, IntegerArray]:
        """Return all parameters of the layer, without its number in their names."""
        assert weights.levels is not None
        return {**self._values(weights, bias), "weights": weights.levels.astype(np.int8)}

    def _values(self, weights: Weights, bias: Floats) -> dict[str, IntegerArray]:
        layer = self.layer
        assert weights.step is not None
        scale = np.rint(weights.step[:, 0] * OUTPUT_ONE * 2.0**layer.scale_shift)
        high = 1 << layer.drive_bits - 1
        return {
            "scale": np.clip(scale, 0, (1 << layer.scale_bits) - 1).astype(np.int64),
            "bias": np.clip(np.rint(bias * OUTPUT_ONE), -high, high - 1).astype(np.int64),
            "decay": np.full(self.size, round(self.decay * DECAY_ONE)),
        }
