"""A spiking network as it is trained: layers in sequence, forward through time and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.train.felif.bruno import Floats
from attractor.train.felif.neurons import Record, TrainedNeurons
from attractor.train.felif.quantise import Weights, quantised
from attractor.train.felif.readout import Readout, Synapses

__all__ = ["Pass", "TrainedNetwork"]


@dataclass(frozen=True)
class Pass:
    """What a run forward leaves for the run back.

    Parameters
    ----------
    outputs:
        Of the read-out after each tick, or else spikes of the last layer, shape (ticks, batch, outputs).
    sources:
        What each layer's sources sent, shape (ticks, batch, sources).
    records:
        What each spiking layer keeps of each tick.
    weights:
        What was computed with.
    """

    outputs: Floats
    sources: list[Floats]
    records: list[list[Record]]
    weights: list[Weights]

    @property
    def spikes(self) -> list[npt.NDArray[np.bool_]]:
        """Spikes of each spiking layer, shape (ticks, batch, neurons)."""
        return [np.stack([record.spikes for record in records]) for records in self.records]


class TrainedNetwork:
    """Spiking layers and, if there is one, a read-out.

    Weights are float arrays: ``weights_l``, shape (neurons, sources), and ``bias`` of the read-out, shape (outputs,).
    Gradients by weights of a few bits are taken as those by the float weights behind them.

    Parameters
    ----------
    inputs:
        Number of inputs.
    layers:
        Neurons and synapses of each spiking layer.
    readout:
        Last layer; None where the spikes of the last spiking layer are the outputs.
    """

    def __init__(
        self, inputs: int, layers: Sequence[tuple[TrainedNeurons, Synapses]], readout: Readout | None = None
    ) -> None:
        if not layers:
            raise ValueError("layers is empty; a network needs a spiking layer")
        self.inputs, self.layers, self.readout = inputs, tuple(layers), readout

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter."""
        shapes: dict[str, tuple[int, ...]] = {}
        below = self.inputs
        for index, (neurons, synapses) in enumerate(self.layers):
            shapes[f"weights_{index}"] = neurons.size, below + (neurons.size if synapses.recurrent else 0)
            below = neurons.size
        if self.readout is not None:
            shapes[f"weights_{len(self.layers)}"] = self.readout.size, below
            shapes["bias"] = (self.readout.size,)
        return shapes

    def initial(self, generator: np.random.Generator, *, positive: bool = False) -> dict[str, Floats]:
        """Return weights at random: uniform up to ``1 / sqrt(sources)`` of one or both signs, and no bias.

        ``positive`` is for the spiking layers, whose neurons then all begin to spike.
        """
        weights = {}
        for name, shape in self.shapes.items():
            limit = 1 / np.sqrt(shape[-1])
            low = 0.0 if positive and name != f"weights_{len(self.layers)}" else -limit
            weights[name] = np.zeros(shape) if name == "bias" else generator.uniform(low, limit, shape)
        return weights

    def weights(self, parameters: dict[str, Floats], generator: np.random.Generator | None = None) -> list[Weights]:
        """Return the weights that a run computes with; those of a few bits are rounded at random by a generator."""
        synapses = [synapses for _, synapses in self.layers]
        if self.readout is not None:
            synapses.append(self.readout.synapses)
        return [
            quantised(parameters[f"weights_{index}"], kind.bits, by_neuron=kind.by_neuron, generator=generator)
            for index, kind in enumerate(synapses)
        ]

    # Forward

    def forward(
        self, parameters: dict[str, Floats], frames: Floats, generator: np.random.Generator | None = None
    ) -> Pass:
        """Run a batch.

        Parameters
        ----------
        parameters:
            As :attr:`shapes` names them.
        frames:
            Input values, shape (ticks, batch, inputs).
        generator:
            As for :meth:`weights`.
        """
        weights = self.weights(parameters, generator)
        sent, sources, records = np.asarray(frames, np.float64), [], []
        for (neurons, synapses), held in zip(self.layers, weights, strict=False):
            run = _recurrent if synapses.recurrent else _feedforward
            seen, kept = run(neurons, held, sent)
            sources.append(seen)
            records.append(kept)
            sent = np.stack([record.spikes for record in kept]).astype(np.float64)
        if self.readout is not None:
            sources.append(sent)
            sent = self.readout.outputs(sent, weights[-1], parameters["bias"])
        return Pass(sent, sources, records, weights)

    # Back

    def backward(self, run: Pass, by_outputs: Floats) -> dict[str, Floats]:
        """Return the gradient by each parameter, from that by the outputs, in their shape."""
        gradient: dict[str, Floats] = {}
        by_sent = by_outputs
        if self.readout is not None:
            index = len(self.layers)
            by_drive = self.readout.backward(by_outputs)
            gradient[f"weights_{index}"] = _outer(by_drive, run.sources[index])
            gradient["bias"] = by_drive.sum(axis=(0, 1))
            by_sent = by_drive @ run.weights[index].values
        for index in reversed(range(len(self.layers))):
            neurons, synapses = self.layers[index]
            own = run.weights[index].values[:, -neurons.size :] if synapses.recurrent else None
            by_sum = _back(neurons, run.records[index], by_sent, own)
            gradient[f"weights_{index}"] = _outer(by_sum, run.sources[index])
            if index:
                below = run.sources[index].shape[2] - (neurons.size if synapses.recurrent else 0)
                by_sent = by_sum @ run.weights[index].values[:, :below]
        return gradient


def _feedforward(neurons: TrainedNeurons, weights: Weights, sent: Floats) -> tuple[Floats, list[Record]]:
    state = neurons.begin(sent.shape[1])
    drives = neurons.drive(sent, weights)
    return sent, [neurons.advance(state, drive) for drive in drives]


def _recurrent(neurons: TrainedNeurons, weights: Weights, sent: Floats) -> tuple[Floats, list[Record]]:
    state = neurons.begin(sent.shape[1])
    sources, records = np.empty((*sent.shape[:2], sent.shape[2] + neurons.size)), []
    for tick, frame in enumerate(sent):
        sources[tick] = np.concatenate([frame, state.spikes], axis=1)
        records.append(neurons.advance(state, neurons.drive(sources[tick], weights)))
    return sources, records


def _back(neurons: TrainedNeurons, records: list[Record], by_spikes: Floats, own: Floats | None) -> Floats:
    """Return the gradient by the weighted sums of a layer; ``own`` are its recurrent weights."""
    by_sum, carried = np.empty_like(by_spikes), None
    for tick in reversed(range(len(records))):
        by_tick = by_spikes[tick]
        if own is not None and tick + 1 < len(records):
            by_tick = by_tick + by_sum[tick + 1] @ own
        by_current, carried = neurons.backward(records[tick], by_tick, carried)
        by_sum[tick] = by_current * neurons.gain
    return by_sum


def _outer(by_sums: Floats, sources: Floats) -> Floats:
    """Return the gradient by weights, summed over ticks and batch."""
    return by_sums.reshape(-1, by_sums.shape[2]).T @ sources.reshape(-1, sources.shape[2])
