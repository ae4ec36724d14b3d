"""The task of reading an 8x8 digit row by row: a tick for each row, eight inputs, ten classes.

Spiking neurons see the rows from the top, then maybe a few ticks without input; a read-out adds up what their spikes
weigh, and its greatest output after the last tick is the class. Grey values enter as small integers, so what is trained
is what a device computes.

Learning rate, ticks at rest, current and threshold of FeLIF, and gain and decay of LIF were chosen by the validation
split, among equally many candidates for FeLIF A and LIF (``benchmarks/lowbit.py --choose 30``); all else is the same
for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from attractor.data.digits import digits
from attractor.physics.felif import FelifDevice
from attractor.spec.felif.layer import FELIF_A, FELIF_B, LIF
from attractor.train.felif.bruno import Floats
from attractor.train.felif.integer import IntegerFelifNeurons, IntegerLifNeurons, IntegerNeurons
from attractor.train.felif.losses import Classes, Samples
from attractor.train.felif.music import RECURRENT_LIF
from attractor.train.felif.network import TrainedNetwork
from attractor.train.felif.readout import IntegerReadout, Readout, Synapses
from attractor.train.felif.trainer import Recipe, outputs

__all__ = [
    "CLASSES",
    "DARKEST",
    "INPUT_BITS",
    "KINDS",
    "LOSS",
    "NEURONS",
    "RECIPE",
    "SETTINGS",
    "SIDE",
    "VALIDATION_IMAGES",
    "RowDigits",
    "Setting",
    "predictions",
    "row_digits",
    "row_network",
    "row_samples",
]

#: Rows of an image, and grey values of a row.
SIDE = 8
CLASSES = 10
#: Width of an input in a device, and the integer that stands for the darkest grey.
INPUT_BITS = 5
DARKEST = 2 ** (INPUT_BITS - 1) - 1
#: Spiking neurons.
NEURONS = 200
#: Images held out of those to train on.
VALIDATION_IMAGES = 287
KINDS = (FELIF_A, FELIF_B, LIF, RECURRENT_LIF)
LOSS = Classes()
#: How every network is trained, but for its learning rate and seed; float weights need no settling.
RECIPE = Recipe(factor=0.8, patience=2, batch=32, settling=10)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What was chosen for a kind of neuron.

    Parameters
    ----------
    rate:
        Learning rate.
    rest:
        Ticks without input after the last row.
    options:
        Of the neurons: of FeLIF ``current``, A for a weight of 1 and the darkest grey, and ``threshold``, V; of LIF
        ``gain``, what the same adds to the voltage as a part of the threshold, and ``decay``.
    """

    rate: float
    rest: int
    options: Mapping[str, float]


_FELIF = Setting(rate=0.02, rest=0, options={"current": 3e-8, "threshold": 3.0})
_LIF = Setting(rate=0.01, rest=0, options={"gain": 8.0, "decay": 0.9})
#: Chosen with FeLIF A and LIF; their relatives take the same.
SETTINGS = {FELIF_A: _FELIF, FELIF_B: _FELIF, LIF: _LIF, RECURRENT_LIF: _LIF}


class RowDigits(NamedTuple):
    """Images with grey values from 0 to 1, shape (images, 64), and their classes, in three splits."""

    train: tuple[Floats, npt.NDArray[np.int64]]
    validation: tuple[Floats, npt.NDArray[np.int64]]
    test: tuple[Floats, npt.NDArray[np.int64]]


def row_digits() -> RowDigits:
    """Return 1,150 images to train on, 287 for validation and 360 to test on.

    The test images are those of :func:`attractor.data.digits.digits`; the validation images are drawn from its
    training images with equal shares of all classes and seed 0.
    """
    data = digits()
    every, labels = np.arange(len(data.train_labels)), data.train_labels
    parts = train_test_split(every, test_size=VALIDATION_IMAGES, random_state=0, stratify=labels)
    train, validation = ((data.train_images[part], labels[part]) for part in map(np.asarray, parts))
    return RowDigits(train, validation, (data.test_images, data.test_labels))


def row_samples(images: npt.ArrayLike, labels: npt.ArrayLike, *, rest: int = 0) -> Samples:
    """Return images as sequences of integers, shape (8 + rest, 8), 0 for white to :data:`DARKEST`.

    Parameters
    ----------
    images:
        Grey values from 0 to 1, shape (images, 64), row after row from the top.
    labels:
        Their classes, 0 to 9, shape (images,).
    rest:
        Ticks without input after the last row.

    Raises
    ------
    ValueError
        If shapes or values do not fit.
    """
    grey, classes = np.asarray(images, np.float64), np.asarray(labels)
    if grey.ndim != 2 or grey.shape[1] != SIDE * SIDE:
        raise ValueError(f"images has shape {grey.shape}; it must be (images, {SIDE * SIDE}): flatten them row by row")
    if not ((grey >= 0) & (grey <= 1)).all():
        raise ValueError(f"grey values run from {grey.min()} to {grey.max()}; scale them to lie between 0 and 1")
    if classes.shape != grey.shape[:1]:
        raise ValueError(f"labels has shape {classes.shape}; there are {len(grey)} images, and each needs a class")
    if not np.isin(classes, np.arange(CLASSES)).all():
        raise ValueError(f"labels run from {classes.min()} to {classes.max()}; they must be whole, 0 to {CLASSES - 1}")
    if rest < 0:
        raise ValueError(f"rest is {rest}; it must be at least 0")
    rows = np.rint(grey * DARKEST).astype(np.int64).reshape(-1, SIDE, SIDE)
    return Samples(list(np.pad(rows, ((0, 0), (0, rest), (0, 0)))), [int(label) for label in classes])


def row_network(
    kind: str, *, bits: int | None = None, neurons: int = NEURONS, options: Mapping[str, float] | None = None
) -> TrainedNetwork:
    """Return a network of 8 inputs, spiking neurons in their integer form, and 10 outputs that sum over time.

    Parameters
    ----------
    kind:
        One of :data:`KINDS`.
    bits:
        Width of all weights while computing, with one scale for each neuron; the read-out is that of a device, too.
        None for float weights and read-out.
    neurons:
        Number of spiking neurons.
    options:
        Of the neurons, instead of those of :data:`SETTINGS`.

    Raises
    ------
    ValueError
        If the kind is unknown or has no such option.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    chosen = SETTINGS[kind].options
    merged = {**chosen, **(options or {})}
    unknown = sorted(merged.keys() - chosen.keys())
    if unknown:
        raise ValueError(f"{kind} has no option {', '.join(unknown)}; it has {', '.join(chosen)}")
    synapses = Synapses(bits=bits, by_neuron=True, recurrent=kind == RECURRENT_LIF)
    readout = Readout if bits is None else IntegerReadout
    return TrainedNetwork(
        SIDE,
        [(_neurons(kind, neurons, synapses, merged), synapses)],
        readout(size=CLASSES, decay=1.0, synapses=Synapses(bits=bits, by_neuron=True)),
    )


def _neurons(kind: str, size: int, synapses: Synapses, options: Mapping[str, float]) -> IntegerNeurons:
    bits, recurrent = synapses.bits, synapses.recurrent
    if kind in (LIF, RECURRENT_LIF):
        gain, decay = options["gain"] / DARKEST, options["decay"]
        return IntegerLifNeurons(size, bits=bits, recurrent=recurrent, decay=decay, gain=gain)
    device, current = FelifDevice(threshold=options["threshold"]), options["current"] / DARKEST
    # The same slope of a spike as LIF has.
    return IntegerFelifNeurons(kind, device, size, bits=bits, current=current, surrogate="superspike")


def predictions(network: TrainedNetwork, parameters: dict[str, Floats], samples: Samples) -> npt.NDArray[np.int64]:
    """Return the class of each image, shape (images,): the greatest output after the last tick, the lowest on ties.

    Weights of a few bits are rounded to the nearest level.
    """
    return np.array([LOSS.scores(run).argmax() for run in outputs(network, parameters, samples)], np.int64)
