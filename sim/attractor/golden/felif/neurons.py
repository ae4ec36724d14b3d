"""The integer neurons of a layer, batched: what :mod:`attractor.spec.felif.layer` defines, operation by operation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from attractor.spec import FelifLayer, IntegerArray
from attractor.spec.felif.layer import FELIF_A, FELIF_B, FIRST_BIN, LEAK_ENTRIES, LIF, SUBSTEPS

__all__ = [
    "BacklashNeurons",
    "Bools",
    "Integers",
    "MicroStepNeurons",
    "NeuronState",
    "Neurons",
    "PlainNeurons",
    "neurons",
]

Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass
class NeuronState:
    """The neurons of a layer between two ticks, each array of shape (batch, neurons).

    Parameters
    ----------
    voltage:
        u or v, int64.
    polarisation:
        p of FeLIF, int64; otherwise None.
    synapse:
        c of LIF neurons with a synaptic state, int64; otherwise None.
    spikes:
        s, whether the neuron spiked in the last tick.
    """

    voltage: Integers
    polarisation: Integers | None
    synapse: Integers | None
    spikes: Bools

    def copy(self) -> NeuronState:
        """Return a state that does not change with this one."""
        return replace(self, **{name: None if part is None else part.copy() for name, part in vars(self).items()})


class Neurons(ABC):
    """Neurons of a layer.

    Parameters
    ----------
    layer:
        The layer.
    parameters:
        Its parameters, without the layer's number in their names; checked by the spec.
    """

    def __init__(self, layer: FelifLayer, parameters: Mapping[str, IntegerArray]) -> None:
        self.layer = layer
        self.parameters = {name: values.astype(np.int64) for name, values in parameters.items()}

    def start(self, batch: int) -> NeuronState:
        """Return neurons as a call finds them at its start."""
        shape = (batch, self.layer.neurons)
        polarisation = np.full(shape, -self.layer.polarisation_high) if self.layer.ferroelectric else None
        synapse = np.zeros(shape, np.int64) if self.layer.synapse else None
        return NeuronState(np.zeros(shape, np.int64), polarisation, synapse, np.zeros(shape, bool))

    def drive(self, sums: Integers) -> Integers:
        """Return the drives that weighted sums make, shape (batch, neurons), int64."""
        scaled = (sums * self.parameters["scale"]) >> self.layer.scale_shift
        return self._saturated(scaled + self.parameters["bias"], self.layer.drive_bits)

    @abstractmethod
    def step(self, state: NeuronState, drive: Integers) -> None:
        """Run one tick on drives within ``drive_bits``, in place: the state gets new arrays."""

    @staticmethod
    def _saturated(values: Integers, bits: int) -> Integers:
        return np.clip(values, -(1 << bits - 1), (1 << bits - 1) - 1)


class _Ferroelectric(Neurons):
    """What FeLIF A and B share."""

    def _leaked(self, u: Integers, drive: Integers, leak_scale: Integers) -> Integers:
        """Return u after input and leak, which is read from a table for u before the input."""
        bin_shift = self.layer.fraction_bits - 3
        entries = self.parameters["leak"][np.clip(u >> bin_shift, 0, LEAK_ENTRIES - 1)]
        x = u + drive
        return np.sign(x) * np.maximum(np.abs(x) - ((entries * leak_scale) >> 6), 0)

    def _finish(self, state: NeuronState, u: Integers, p: Integers) -> None:
        """Reset what spiked in the tick before, then see what spikes."""
        reset = state.spikes
        state.voltage = np.where(reset, self.parameters["reset"], u)
        state.polarisation = np.where(reset, -self.layer.polarisation_high, p)
        state.spikes = state.voltage >= self.parameters["threshold"]


class BacklashNeurons(_Ferroelectric):
    """FeLIF A: the polarisation follows the voltage like a gear with backlash, one step a tick."""

    def step(self, state: NeuronState, drive: Integers) -> None:
        """Run one tick, in place."""
        assert state.polarisation is not None
        values, u, p = self.parameters, state.voltage, state.polarisation
        x = self._leaked(u, drive, values["leak_scale"])
        # The exponent of a float is the bit length of an integer.
        push = np.minimum(np.frexp(np.abs(x - u).astype(np.float64))[1], 16)
        edge = values["field"][push] + values["field_offset"]
        y = x - p
        up, down = ((y - edge) * values["inverse"]) >> 16, -(((-y - edge) * values["inverse"]) >> 16)
        q = np.where(y > edge, up, np.where(-y > edge, down, 0))
        high = self.layer.polarisation_high
        moved = np.clip(p + q, -high, high)
        limit = values["limit"]
        self._finish(state, np.clip(x - (((moved - p) * values["coupling"]) >> 8), -limit, limit), moved)


class MicroStepNeurons(_Ferroelectric):
    """FeLIF B: the device in 64 sub-steps a tick."""

    def step(self, state: NeuronState, drive: Integers) -> None:
        """Run one tick, in place."""
        assert state.polarisation is not None
        u, p = state.voltage.copy(), state.polarisation.copy()
        # Neurons about to be reset need no sub-steps.
        cells = np.flatnonzero(~state.spikes)
        per_neuron = ("threshold", "leak_scale", "field_offset", "coupling")
        constants = [np.broadcast_to(self.parameters[name], u.shape) for name in per_neuron]
        parts = [array.reshape(-1)[cells] for array in (u, p, drive, *constants)]
        for _ in range(SUBSTEPS):
            parts[0], parts[1] = self._substep(*parts)
            frozen = parts[0] >= parts[3]
            if frozen.any():
                u.flat[cells], p.flat[cells] = parts[:2]
                cells, parts = cells[~frozen], [part[~frozen] for part in parts]
        u.flat[cells], p.flat[cells] = parts[:2]
        self._finish(state, u, p)

    def _substep(
        self,
        u: Integers,
        p: Integers,
        drive: Integers,
        threshold: Integers,  # noqa: ARG002
        leak_scale: Integers,
        field_offset: Integers,
        coupling: Integers,
    ) -> tuple[Integers, Integers]:
        table, limit, high = self.parameters["field"], self.parameters["limit"], self.layer.polarisation_high
        field = u - p
        index = ((np.abs(field) - (field_offset << 8)) >> 14) - FIRST_BIN
        part = np.where(index < 0, 0, table[np.clip(index, 0, len(table) - 1)])
        q = ((np.sign(field) * high - p) * part) >> 20
        x = self._leaked(u, drive, leak_scale)
        return np.clip(x - ((q * coupling) >> 8), -limit, limit), np.clip(p + q, -high, high)


class PlainNeurons(Neurons):
    """LIF neurons and read-outs."""

    def step(self, state: NeuronState, drive: Integers) -> None:
        """Run one tick, in place."""
        layer, values, bits = self.layer, self.parameters, self.layer.state_bits
        current = drive
        if state.synapse is not None:
            current = state.synapse = self._saturated(_faded(state.synapse, values["synapse_decay"]) + drive, bits)
        v = self._saturated(_faded(state.voltage, values["decay"]) + current, bits)
        if layer.kind == LIF:
            threshold = values["threshold"]
            spikes = v > threshold if layer.strict else v >= threshold
            after = {
                "zero": lambda: np.zeros_like(v),
                "value": lambda: np.broadcast_to(values["reset"], v.shape),
                "subtract": lambda: self._saturated(v - threshold, bits),
            }[layer.reset]()
            v, state.spikes = np.where(spikes, after, v), spikes
        state.voltage = v


def _faded(values: Integers, decay: Integers) -> Integers:
    return np.sign(values) * ((np.abs(values) * decay) >> 15)


def neurons(layer: FelifLayer, parameters: Mapping[str, IntegerArray]) -> Neurons:
    """Return the neurons of a layer; arguments as for :class:`Neurons`."""
    kinds = {FELIF_A: BacklashNeurons, FELIF_B: MicroStepNeurons}
    return kinds.get(layer.kind, PlainNeurons)(layer, parameters)
