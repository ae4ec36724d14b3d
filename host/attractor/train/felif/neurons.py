"""Neurons as they are trained: values from the device twin or from the integer model, slopes from a surrogate.

A layer's currents are in its own unit: of FeLIF what the current would add in one tick to the voltage u, which is 1 for
the field of full polarisation; of LIF the part of a threshold of 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.physics.felif import FelifDevice, FelifTwin, TwinState
from attractor.physics.felif.twin import TICK
from attractor.train.felif.bruno import SURROGATES, CoarseStep, Floats, Form
from attractor.train.felif.quantise import Weights

__all__ = [
    "CURRENT",
    "Bools",
    "FelifNeurons",
    "FelifRecord",
    "LifNeurons",
    "LifRecord",
    "LifState",
    "Record",
    "TrainedNeurons",
]

Bools = npt.NDArray[np.bool_]
#: Current that a weight of 1 lets flow for a source of 1, A: the published gain of the music task.
CURRENT = 1e-8


@dataclass
class Record:
    """What a layer's backward step needs of a tick; each array has shape (batch, neurons)."""

    spikes: Bools


@dataclass
class FelifRecord(Record):
    """States in units of the field of full polarisation, before (u, p) and after the tick (after), and the current."""

    before: Bools
    u: Floats
    p: Floats
    current: Floats
    after: Floats


@dataclass
class LifRecord(Record):
    """The voltage that was compared with the threshold."""

    voltage: Floats


class TrainedNeurons(ABC):
    """Neurons of a layer.

    Attributes
    ----------
    size:
        Number of neurons.
    gain:
        Current for a weighted sum of 1, one number or one for each neuron.
    """

    size: int
    gain: Floats

    def drive(self, sources: Floats, weights: Weights) -> Any:
        """Return what :meth:`advance` takes, from what sources sent, shape (..., sources)."""
        return sources @ weights.values.T * self.gain

    @abstractmethod
    def begin(self, batch: int) -> Any:
        """Return the state before the first tick."""

    @abstractmethod
    def advance(self, state: Any, drive: Any) -> Record:
        """Run one tick, in place, on a drive of shape (batch, neurons)."""

    @abstractmethod
    def backward(self, record: Any, by_spikes: Floats, carried: Any) -> tuple[Floats, Any]:
        """Return the gradient by the current of a tick, and by the state before it.

        Parameters
        ----------
        record:
            Of the tick.
        by_spikes:
            Gradient by its spikes, shape (batch, neurons).
        carried:
            Gradient by the state after it, as the tick that follows returned it; None for the last one.
        """


class FelifNeurons(TrainedNeurons):
    """FeLIF by the device twin, trained by BRUNO.

    Parameters
    ----------
    device:
        The neurons.
    size:
        How many.
    current:
        A for a weighted sum of 1.
    tick:
        Seconds of a tick.
    form, surrogate:
        Slopes of the coarse step, and of a spike: a key of :data:`SURROGATES`, which takes volts above threshold.
    steps:
        Euler steps of a tick; None for microseconds. Fewer make the twin faster and coarser.
    """

    def __init__(
        self,
        device: FelifDevice,
        size: int,
        *,
        current: float = CURRENT,
        tick: float = TICK,
        form: Form = "A",
        surrogate: str = "hyperbolic",
        steps: int | None = None,
    ) -> None:
        self.device, self.size, self.tick = device, size, tick
        self.gain = np.asarray(current * device.per_ampere(tick))
        self.coarse = CoarseStep(device, tick, form)
        self.twin = FelifTwin(device, tick=tick, steps=steps)
        self._surrogate = _surrogate(surrogate)

    def begin(self, batch: int) -> Any:
        """Return neurons at rest."""
        return self.twin.start(batch, self.size)

    def advance(self, state: Any, drive: Any) -> FelifRecord:
        """Run one tick of the device twin, in place."""
        before, u, p = state.spikes, *self._normalised(state)
        self._fine(state, drive)
        after, _ = self._normalised(state)
        return FelifRecord(state.spikes, before, u, p, self._current(drive), after)

    def _fine(self, state: Any, drive: Any) -> None:
        self.twin.advance(state, drive / self.device.per_ampere(self.tick))

    def _current(self, drive: Any) -> Floats:
        return drive

    def _normalised(self, state: TwinState) -> tuple[Floats, Floats]:
        return state.voltage * self.device.per_volt, state.polarisation / self.device.saturation

    def by_voltage(self, record: FelifRecord, by_spikes: Floats, carried: Any) -> tuple[Floats, Floats]:
        """Return gradients by u and p after the tick, before a reset overwrote them."""
        by_u, by_p = (np.zeros_like(by_spikes),) * 2 if carried is None else carried
        distance = record.after / self.device.per_volt - self.device.threshold
        kept = ~record.before
        return (by_u + by_spikes * self._surrogate(distance) / self.device.per_volt) * kept, by_p * kept

    def backward(self, record: Any, by_spikes: Floats, carried: Any) -> tuple[Floats, Any]:
        """Go one tick back by the coarse step."""
        by_u, by_p = self.by_voltage(record, by_spikes, carried)
        by_current, *before = self.coarse.slopes(record.u, record.p, record.current).back(by_u, by_p)
        return by_current, tuple(before)


@dataclass
class LifState:
    """Voltage, synaptic state (or None) and spikes of LIF neurons."""

    voltage: Any
    synapse: Any
    spikes: Bools


class LifNeurons(TrainedNeurons):
    """LIF with a threshold of 1 that is reset to zero; the gradient does not go through the reset.

    Parameters
    ----------
    size:
        How many neurons.
    decay, synapse_decay:
        Part of the voltage, and of a synaptic state, that a tick leaves; None for no synaptic state.
    gain:
        Current for a weighted sum of 1, in units of the threshold.
    surrogate:
        Slope of a spike, a key of :data:`SURROGATES`.
    """

    def __init__(
        self,
        size: int,
        *,
        decay: float,
        synapse_decay: float | None = None,
        gain: float = 1.0,
        surrogate: str = "superspike",
    ) -> None:
        for name, value in (("decay", decay), ("synapse_decay", synapse_decay)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; it must lie between 0 and 1")
        if gain <= 0:
            raise ValueError(f"gain is {gain}; it must be positive")
        self.size, self.decay, self.synapse_decay = size, decay, synapse_decay
        self.gain = np.asarray(gain)
        self._surrogate = _surrogate(surrogate)

    def begin(self, batch: int) -> Any:
        """Return neurons at rest."""
        rest = np.zeros((batch, self.size))
        return LifState(rest, None if self.synapse_decay is None else rest, np.zeros(rest.shape, bool))

    def advance(self, state: Any, drive: Any) -> LifRecord:
        """Run one tick, in place."""
        current = drive
        if self.synapse_decay is not None:
            current = state.synapse = self.synapse_decay * state.synapse + drive
        voltage = self.decay * state.voltage + current
        state.spikes = voltage >= 1
        state.voltage = np.where(state.spikes, 0.0, voltage)
        return LifRecord(state.spikes, voltage)

    def backward(self, record: Any, by_spikes: Floats, carried: Any) -> tuple[Floats, Any]:
        """Go one tick back."""
        by_after, by_synapse = (np.zeros_like(by_spikes),) * 2 if carried is None else carried
        by_voltage = by_after * ~record.spikes + by_spikes * self._surrogate(record.voltage - 1)
        by_current = by_voltage + by_synapse
        decay = 0.0 if self.synapse_decay is None else self.synapse_decay
        return by_current, (by_voltage * self.decay, by_current * decay)


def _surrogate(name: str) -> Any:
    if name not in SURROGATES:
        raise ValueError(f"surrogate is {name!r}; it must be one of {', '.join(SURROGATES)}")
    return SURROGATES[name]
