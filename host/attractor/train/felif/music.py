"""The task of foretelling the next chord of a chorale: the network and how it is trained.

The size of the network, current, discharge, threshold, loss and first learning rate are those of the public code of
Fehlings et al. (arXiv 2505.17791). Weights begin with both signs because that did better on the validation split; the
rate falls after two epochs without a better validation loss instead of eleven, as trainings here are shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from attractor.data.chorales import NOTES, Roll
from attractor.physics.felif import FelifDevice
from attractor.train.felif.integer import IntegerFelifNeurons, IntegerLifNeurons
from attractor.train.felif.losses import NextFrame, Samples
from attractor.train.felif.network import TrainedNetwork
from attractor.train.felif.neurons import FelifNeurons, LifNeurons, TrainedNeurons
from attractor.train.felif.readout import IntegerReadout, Readout, Synapses
from attractor.train.felif.trainer import Recipe

__all__ = [
    "DEVICE",
    "INTEGER",
    "KINDS",
    "LIF_DECAY",
    "LOSS",
    "NEURONS",
    "RECIPE",
    "RECURRENT_LIF",
    "THRESHOLD",
    "TWIN",
    "music_network",
    "music_samples",
]

#: Spiking neurons.
NEURONS = 150
#: Kinds of neurons: the device itself, its integer forms, and LIF without and with recurrent weights.
DEVICE, RECURRENT_LIF = "device", "recurrent_lif"
KINDS = (DEVICE, "felif_a", "felif_b", "lif", RECURRENT_LIF)
#: Threshold of the device, V.
THRESHOLD = 2.0
#: Part of the voltage that a tick leaves LIF neurons.
LIF_DECAY = 0.9
#: Forward by the device twin and LIF equations, or by the integer model.
TWIN, INTEGER = "twin", "integer"
LOSS = NextFrame(ignored=5)
RECIPE = Recipe(rate=0.005, factor=0.8, patience=1, settling=5)


def music_samples(rolls: Sequence[Roll]) -> Samples:
    """Return the frames of chorales but for the last, and those that follow each."""
    return Samples([roll[:-1].astype(np.float64) for roll in rolls], [roll[1:] for roll in rolls])


def music_network(
    kind: str, *, forward: str = INTEGER, bits: int | None = None, threshold: float = THRESHOLD, **options: Any
) -> TrainedNetwork:
    """Return a network of 54 inputs, 150 spiking neurons and 54 outputs, the logits of the next chord's notes.

    Parameters
    ----------
    kind:
        One of :data:`KINDS`.
    forward:
        :data:`TWIN` (of ``"device"`` and LIF) or :data:`INTEGER` (of all but ``"device"``). With integers and weights
        of a few bits the read-out is that of a device, too.
    bits:
        Width of all weights while computing, with one scale for each neuron; None for float weights.
    threshold:
        Of FeLIF, V.
    options:
        For the neurons, for instance ``steps`` of the device twin.

    Raises
    ------
    ValueError
        If kind or forward are unknown or do not go together.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    if forward not in (TWIN, INTEGER):
        raise ValueError(f"forward is {forward!r}; it must be {TWIN} or {INTEGER}")
    synapses = Synapses(bits=bits, by_neuron=True, recurrent=kind == RECURRENT_LIF)
    neurons = _neurons(kind, forward, bits, synapses.recurrent, FelifDevice(threshold=threshold), options)
    readout = IntegerReadout if forward == INTEGER and bits is not None else Readout
    return TrainedNetwork(
        NOTES, [(neurons, synapses)], readout(size=NOTES, synapses=Synapses(bits=bits, by_neuron=True))
    )


def _neurons(
    kind: str, forward: str, bits: int | None, recurrent: bool, device: FelifDevice, options: dict[str, Any]
) -> TrainedNeurons:
    if kind in ("lif", RECURRENT_LIF):
        options = {"decay": LIF_DECAY} | options
        if forward == TWIN:
            return LifNeurons(NEURONS, **options)
        return IntegerLifNeurons(NEURONS, bits=bits, recurrent=recurrent, **options)
    if (kind == DEVICE) != (forward == TWIN):
        raise ValueError(f"forward is {forward!r} and kind is {kind!r}; {TWIN} is of {DEVICE}, {INTEGER} of the others")
    if kind == DEVICE:
        return FelifNeurons(device, NEURONS, **options)
    return IntegerFelifNeurons(kind, device, NEURONS, bits=bits, **options)
