"""Golden model of spiking networks: every state of every neuron after every tick, many networks at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.golden.felif.neurons import Integers, NeuronState, neurons
from attractor.spec import FelifResult, FelifSpec, IntegerArray, SpecError

__all__ = ["FelifNetwork", "FelifRun", "LayerTrace", "Tick"]


@dataclass(frozen=True)
class LayerTrace:
    """What a layer did in each tick, each array of shape (ticks, batch, neurons).

    Parameters
    ----------
    sums:
        Weighted sums, int64.
    drive:
        What the neurons made of them, int64.
    voltage, polarisation, synapse, spikes:
        States after the tick as in :class:`NeuronState`; None where there is none.
    """

    sums: Integers
    drive: Integers
    voltage: Integers
    polarisation: Integers | None
    synapse: Integers | None
    spikes: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FelifRun:
    """How a batch of runs ended.

    Parameters
    ----------
    outputs:
        Voltages of a read-out after the last tick, or else how often each neuron of the last layer spiked, shape
        (batch, outputs), int64.
    winner:
        Neuron with the greatest output, the lowest one on ties, shape (batch,), int64.
    spikes:
        Spikes of all layers, shape (batch,), int64.
    states:
        States of all layers after the last tick.
    traces:
        What each layer did; None unless asked for.
    """

    outputs: Integers
    winner: Integers
    spikes: Integers
    states: list[NeuronState]
    traces: tuple[LayerTrace, ...] | None = None


@dataclass
class Tick:
    """Sums and drives of a layer in one tick, shape (batch, neurons), int64."""

    sums: Integers
    drive: Integers


class FelifNetwork:
    """Network of one spec and one set of parameters.

    Sums come from double-precision matrix products, which are exact: weights and values are integers, and no sum
    exceeds ``2**33``.

    Parameters
    ----------
    spec:
        The network.
    parameters:
        As :attr:`FelifSpec.parameters` describes them; copied.

    Raises
    ------
    SpecError
        If a parameter does not fit the spec.

    Attributes
    ----------
    kept:
        States in which the last :meth:`call` ended; None if there was none.
    """

    def __init__(self, spec: FelifSpec, parameters: Mapping[str, npt.ArrayLike]) -> None:
        self.spec = spec
        self.parameters: dict[str, IntegerArray] = spec.check_parameters(parameters)
        self._weights = [self.parameters[f"weights_{index}"].T.astype(np.float64) for index in range(len(spec.layers))]
        self._neurons = [neurons(layer, self._of_layer(index)) for index, layer in enumerate(spec.layers)]
        self.kept: list[NeuronState] | None = None

    def _of_layer(self, index: int) -> dict[str, IntegerArray]:
        suffix = f"_{index}"
        own = {name: array for name, array in self.parameters.items() if name.endswith(suffix)}
        return {name.removesuffix(suffix): array for name, array in own.items() if name != f"weights{suffix}"}

    # Tick by tick

    def start(self, batch: int) -> list[NeuronState]:
        """Return the states of all layers before the first tick."""
        return [neurons.start(batch) for neurons in self._neurons]

    def step(self, states: list[NeuronState], frame: npt.ArrayLike) -> list[Tick]:
        """Run one tick, in place.

        Parameters
        ----------
        states:
            States of all layers; they get new arrays.
        frame:
            Input values, shape (batch, inputs).

        Returns
        -------
        list[Tick]
            Sums and drives of all layers.

        Raises
        ------
        SpecError
            If the values do not fit the spec.
        """
        values = self.spec.check_frames(frame)
        ticks = []
        for index, (layer, state) in enumerate(zip(self.spec.layers, states, strict=True)):
            sources = np.concatenate([values, state.spikes], axis=1) if layer.recurrent else values
            sums = (sources.astype(np.float64) @ self._weights[index]).astype(np.int64)
            drive = self._neurons[index].drive(sums)
            self._neurons[index].step(state, drive)
            ticks.append(Tick(sums, drive))
            values = state.spikes
        return ticks

    # Whole runs

    def run(self, frames: npt.ArrayLike, *, states: list[NeuronState] | None = None, trace: bool = False) -> FelifRun:
        """Run a batch.

        Parameters
        ----------
        frames:
            Input values, shape (batch, ticks, inputs).
        states:
            Where to begin; default :meth:`start`. Not changed.
        trace:
            Keep what happened in every tick.

        Raises
        ------
        SpecError
            If shape or values do not fit the spec.
        """
        values = self.spec.check_frames(frames)
        if values.ndim != 3:
            raise SpecError(
                f"input values have shape {values.shape}; a batch has shape (batch, ticks, {self.spec.inputs})"
            )
        batch = len(values)
        states = self.start(batch) if states is None else [state.copy() for state in states]
        counts, spikes = np.zeros((batch, self.spec.outputs), np.int64), np.zeros(batch, np.int64)
        history: list[tuple[list[Tick], list[NeuronState]]] = []
        for tick in range(values.shape[1]):
            ticks = self.step(states, values[:, tick])
            counts += states[-1].spikes
            spikes += sum(state.spikes.sum(axis=1) for state in states)
            if trace:
                history.append((ticks, [state.copy() for state in states]))
        outputs = counts if self.spec.layers[-1].spikes else states[-1].voltage
        traces = tuple(_trace(history, index) for index in range(len(states))) if trace else None
        return FelifRun(outputs, outputs.argmax(axis=1), spikes, states, traces)

    def call(self, input_bytes: bytes) -> bytes:
        """Run one network on the bytes of a device's input region; return those of its output region."""
        frames, keep = self.spec.decode_input(input_bytes)
        run = self.run(frames[None], states=self.kept if keep else None)
        self.kept = run.states
        result = FelifResult(
            winner=int(run.winner[0]), outputs=run.outputs[0], ticks=len(frames), spikes=int(run.spikes[0])
        )
        return self.spec.encode_output(result)


def _trace(history: list[tuple[list[Tick], list[NeuronState]]], index: int) -> LayerTrace:
    """Return what layer ``index`` did."""
    parts = [{**vars(ticks[index]), **vars(states[index])} for ticks, states in history]
    arrays: dict[str, Any] = {
        name: None if value is None else np.stack([part[name] for part in parts]) for name, value in parts[0].items()
    }
    return LayerTrace(**arrays)
