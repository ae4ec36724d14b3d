"""Neurons trained with the bit-exact integer model forward: what is learnt is what a device computes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.golden.felif import NeuronState, neurons
from attractor.physics.felif import FelifDevice, felif_parameters
from attractor.physics.felif.fidelity import drive_per_ampere
from attractor.spec import FelifLayer, IntegerArray
from attractor.spec.felif.layer import DECAY_ONE, LIF
from attractor.train.felif.bruno import Floats
from attractor.train.felif.neurons import FelifNeurons, LifNeurons, LifRecord, TrainedNeurons
from attractor.train.felif.quantise import Weights

__all__ = ["LIF_ONE", "WEIGHT_REACH", "IntegerFelifNeurons", "IntegerLifNeurons", "IntegerNeurons", "layer_of"]

#: Voltage of an integer LIF neuron that stands for a threshold of 1.
LIF_ONE = 1 << 12
#: Greatest weight that a scale is sure to reach.
WEIGHT_REACH = 0.8


class IntegerNeurons(TrainedNeurons):
    """What integer neurons share: drives as a device makes them.

    With float weights a drive is the rounded current. With weights of a few bits it is made from the sum of the levels
    and the integer scale of each neuron, exactly as in a device.
    """

    layer: FelifLayer
    #: Drive for a current of 1.
    unit: float

    def drive(self, sources: Floats, weights: Weights) -> npt.NDArray[np.int64]:
        """Return integer drives."""
        if weights.levels is None:
            drive = np.rint(super().drive(sources, weights) * self.unit)
        else:
            # Exact, because sums and scales are small integers.
            drive = np.floor(sources @ weights.levels.T * self.scales(weights) / 2.0**self.layer.scale_shift)
        high = 1 << self.layer.drive_bits - 1
        return np.clip(drive, -high, high - 1).astype(np.int64)

    def scales(self, weights: Weights) -> npt.NDArray[np.int64]:
        """Return the integer scale of each neuron, shape (neurons,)."""
        assert weights.step is not None
        exact = weights.step[:, 0] * self.gain * self.unit * 2.0**self.layer.scale_shift
        return np.clip(np.rint(exact), 0, (1 << self.layer.scale_bits) - 1).astype(np.int64)

    @abstractmethod
    def parameters(self) -> dict[str, IntegerArray]:
        """Return the layer's parameters but for its weights and scales."""

    def exported(self, weights: Weights) -> dict[str, IntegerArray]:
        """Return all parameters of the layer, without its number in their names."""
        assert weights.levels is not None
        synaptic = {"weights": weights.levels.astype(np.int8), "scale": self.scales(weights)}
        return self.parameters() | synaptic


class IntegerFelifNeurons(IntegerNeurons, FelifNeurons):
    """FeLIF A or B forward, BRUNO backward from the states that the integers stand for.

    Parameters
    ----------
    kind:
        ``"felif_a"`` or ``"felif_b"``.
    device, size, options:
        As for :class:`FelifNeurons`.
    bits, recurrent:
        Of the layer; 8 stands for float weights.
    nominal:
        Device that the tables are for, where the neurons differ.
    """

    def __init__(
        self,
        kind: str,
        device: FelifDevice,
        size: int,
        *,
        bits: int | None = None,
        recurrent: bool = False,
        nominal: FelifDevice | None = None,
        **options: Any,
    ) -> None:
        super().__init__(device, size, **options)
        plain = FelifLayer(neurons=size, kind=kind)
        unit = drive_per_ampere(plain, device, self.tick) / device.per_ampere(self.tick)
        self.unit = float(np.ravel(unit)[0])
        self.layer = layer_of(kind, size, bits, recurrent, float(np.max(self.gain)) * self.unit)
        self._values = felif_parameters(self.layer, device, tick=self.tick, nominal=nominal)
        self._model = neurons(self.layer, self._values)

    def begin(self, batch: int) -> NeuronState:
        """Return neurons as a call finds them at its start."""
        return self._model.start(batch)

    def _fine(self, state: Any, drive: Any) -> None:
        self._model.step(state, drive)

    def _current(self, drive: Any) -> Floats:
        return drive / self.unit

    def _normalised(self, state: Any) -> tuple[Floats, Floats]:
        one = 2.0**self.layer.fraction_bits
        return state.voltage / one, state.polarisation / one

    def parameters(self) -> dict[str, IntegerArray]:
        """Return the layer's parameters but for its weights and scales."""
        return {**self._values, "bias": np.zeros(self.size, np.int64)}


class IntegerLifNeurons(IntegerNeurons, LifNeurons):
    """Integer LIF neurons, reset to zero; arguments as for :class:`LifNeurons` and :class:`IntegerFelifNeurons`."""

    def __init__(self, size: int, *, bits: int | None = None, recurrent: bool = False, **options: Any) -> None:
        super().__init__(size, **options)
        self.unit = float(LIF_ONE)
        synapse = self.synapse_decay is not None
        self.layer = layer_of(LIF, size, bits, recurrent, float(self.gain) * self.unit, synapse=synapse)
        self._model = neurons(self.layer, self.parameters())

    def begin(self, batch: int) -> NeuronState:
        """Return neurons as a call finds them at its start."""
        return self._model.start(batch)

    def advance(self, state: Any, drive: Any) -> LifRecord:
        """Run one tick, in place; the voltage before a reset is worked out for the slopes."""
        before, synapse = state.voltage, state.synapse
        self._model.step(state, drive)
        current = drive if synapse is None else state.synapse
        voltage = np.where(state.spikes, np.rint(before * self.decay) + current, state.voltage)
        return LifRecord(state.spikes, voltage / self.unit)

    def parameters(self) -> dict[str, IntegerArray]:
        """Return the layer's parameters but for its weights and scales."""
        named = {"bias": 0, "threshold": LIF_ONE, "decay": round(self.decay * DECAY_ONE)}
        if self.synapse_decay is not None:
            named["synapse_decay"] = round(self.synapse_decay * DECAY_ONE)
        return {name: np.full(self.size, value) for name, value in named.items()}


def layer_of(
    kind: str, size: int, bits: int | None, recurrent: bool, drive_of_one: float, *, synapse: bool = False
) -> FelifLayer:
    """Return a layer whose scales are as fine as they can be for weights up to :data:`WEIGHT_REACH`.

    Parameters
    ----------
    kind, size, bits, recurrent, synapse:
        Of the layer; None bits stand for 8.
    drive_of_one:
        Drive for a weighted sum of 1.
    """
    bits = 8 if bits is None else bits
    largest_step = WEIGHT_REACH / (2 ** (bits - 1) - 0.5)
    shift = int(np.floor(np.log2(((1 << 16) - 1) / (largest_step * drive_of_one))))
    return FelifLayer(
        neurons=size,
        kind=kind,
        weight_bits=bits,
        recurrent=recurrent,
        scale_shift=min(max(shift, 0), 24),
        synapse=synapse,
    )
