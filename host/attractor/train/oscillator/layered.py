"""Classifiers on binary pixels, with or without a layer of hidden oscillators, read through a ramp.

The oscillators are, in this order: pixels, in phase with the reference or opposite to it; the reference; the *ramp*;
hidden oscillators, if there are any; one label for each class. All up to the ramp are clamped. Hidden oscillators
listen to pixels and reference, labels to hidden oscillators and reference, or to pixels and reference if nothing is
hidden. Nothing leads back.

All that is clamped or hidden ends in phase or opposite, so the field of a label would be a square wave, and its phase
only the field's sign. The ramp makes it graded: P/2 - 1 clamped oscillators with the phases 1 ... P/2 - 1, all coupled
to the labels alike. In slot t of the first half period they add ``step (2 t - P/2 + 1)``, from slot to slot twice the
step more, and the negative of it in the second half. A label with the field f rises in the first slot in which the sum
is positive: the greater f, the earlier. So phases compare fields, in P/2 + 1 classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attractor.spec import IntegerArray, OscillatorSpec
from attractor.train.oscillator import Progress, saturation_field
from attractor.train.oscillator.classifier import INHIBITION, SELF_COUPLING
from attractor.train.oscillator.hidden import Augment, broadcast_delta

__all__ = [
    "RAMP",
    "binary_levels",
    "layered_parameters",
    "layered_phases",
    "layered_spec",
    "ramp_step",
    "train_layered",
]

#: What the ramp adds at most, in units of the field at which the output of a learning label saturates.
RAMP = 1.2


def layered_spec(
    pixels: int, hidden: int, classes: int, *, weight_bits: int = 6, phase_bits: int = 4, lanes: int = 0
) -> OscillatorSpec:
    """Return the spec of a classifier with ``hidden`` hidden oscillators, 0 for none."""
    inputs = pixels + (1 << (phase_bits - 1))
    return OscillatorSpec(
        oscillators=inputs + hidden + classes,
        inputs=inputs,
        labels=classes,
        reference=pixels,
        weight_bits=weight_bits,
        phase_bits=phase_bits,
        lanes=lanes,
    )


def layered_phases(spec: OscillatorSpec, levels: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return the start phases for binary images.

    A hidden oscillator starts in phase: there it stays if its field is 0, which counts as positive.

    Parameters
    ----------
    spec:
        A classifier as :func:`layered_spec` makes it.
    levels:
        Pixels, +1 and -1, shape (samples, pixels).

    Returns
    -------
    ndarray
        Shape (samples, oscillators), uint8, in slots: +1 is 0, -1 half a period, labels are a quarter.

    Raises
    ------
    ValueError
        If the shape does not fit the spec or a level is neither +1 nor -1.
    """
    array = np.asarray(levels)
    pixels, half = spec.reference, spec.period // 2
    if array.ndim != 2 or array.shape[1] != pixels:
        raise ValueError(f"images have shape {array.shape}; this classifier needs (samples, {pixels})")
    wrong = (array != 1) & (array != -1)
    if wrong.any():
        raise ValueError(f"a pixel is {array[tuple(np.argwhere(wrong)[0])]}; pixels must be +1 or -1")
    phases = np.zeros((len(array), spec.oscillators), np.uint8)
    phases[:, :pixels] = np.where(array > 0, 0, half)
    phases[:, pixels + 1 : spec.inputs] = np.arange(1, half)
    phases[:, spec.oscillators - spec.labels :] = half // 2
    return phases


def binary_levels(images: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """Return +1 where a grey value is at least 0.5, else -1, int8, in the shape of ``images``."""
    return np.where(np.asarray(images) >= 0.5, np.int8(1), np.int8(-1))


def ramp_step(spec: OscillatorSpec, fan_in: float) -> int:
    """Return the coupling from each ramp oscillator to labels that have ``fan_in`` couplings to learn, in the mean."""
    step = RAMP * saturation_field(fan_in, spec.weight_bits) / (spec.period // 2 - 1)
    return int(np.clip(round(step), 1, spec.weight_high))


def layered_parameters(
    spec: OscillatorSpec,
    label_weights: npt.ArrayLike,
    hidden_weights: npt.ArrayLike | None = None,
    *,
    ramp: int | None = None,
    periods: int = 8,
    settle: int = 1,
) -> dict[str, IntegerArray]:
    """Return the parameters of a classifier.

    Labels also hold themselves and inhibit each other, by :data:`~.classifier.SELF_COUPLING` and
    :data:`~.classifier.INHIBITION` of the greatest weight.

    Parameters
    ----------
    spec:
        A classifier as :func:`layered_spec` makes it.
    label_weights:
        Couplings to the labels from the hidden oscillators, or from the pixels if nothing is hidden, and from the
        reference (last); integers, shape (classes, hidden + 1) or (classes, pixels + 1).
    hidden_weights:
        Couplings to the hidden oscillators from the pixels and from the reference (last), integers, shape
        (hidden, pixels + 1); None if nothing is hidden.
    ramp:
        Coupling from each ramp oscillator to each label; default :func:`ramp_step` of all couplings of a label.
    periods, settle:
        Longest run, and the quiet periods that end it earlier.

    Raises
    ------
    ValueError
        If a shape does not fit the spec.
    SpecError
        If a value does not fit the spec.
    """
    pixels, hidden = spec.reference, spec.targets - spec.labels
    first = np.zeros((0, pixels + 1), np.int64) if hidden_weights is None else np.asarray(hidden_weights)
    second = np.asarray(label_weights)
    sources = hidden or pixels
    if first.shape != (hidden, pixels + 1) or second.shape != (spec.labels, sources + 1):
        raise ValueError(
            f"couplings have shapes {first.shape} to hidden oscillators and {second.shape} to labels; this classifier "
            f"needs {(hidden, pixels + 1)} and {(spec.labels, sources + 1)}"
        )
    weights = np.zeros((spec.targets, spec.oscillators), np.int64)
    weights[:hidden, : pixels + 1] = first
    labels = weights[hidden:]
    start = spec.inputs if hidden else 0
    labels[:, start : start + sources] = second[:, :-1]
    labels[:, spec.reference] = second[:, -1]
    labels[:, pixels + 1 : spec.inputs] = ramp_step(spec, sources + 1) if ramp is None else ramp
    among = labels[:, spec.inputs + hidden :]
    among[:] = -round(INHIBITION * spec.weight_high)
    np.fill_diagonal(among, round(SELF_COUPLING * spec.weight_high))
    return spec.check_parameters({"weights": weights, "schedule": spec.schedule(periods), "settle": np.array(settle)})


def train_layered(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    classes: int,
    hidden: int,
    weight_bits: int = 6,
    phase_bits: int = 4,
    epochs: int = 40,
    seed: int = 0,
    augment: Augment | None = None,
    progress: Progress | None = None,
) -> tuple[OscillatorSpec, dict[str, IntegerArray]]:
    """Train a classifier with a hidden layer by :func:`.hidden.broadcast_delta`.

    Parameters
    ----------
    images:
        Grey values from 0 to 1, shape (samples, pixels); :func:`binary_levels` makes them black or white.
    labels:
        Class of each image, shape (samples,), integers from 0 to ``classes - 1``.
    classes, hidden, weight_bits, phase_bits:
        Sizes of the network.
    epochs, seed, augment, progress:
        As in :func:`~.hidden.broadcast_delta`.

    Returns
    -------
    spec, parameters
        The network; its start phases come from :func:`layered_phases`.

    Raises
    ------
    ValueError
        If data do not fit, with the offending value.
    """
    levels = binary_levels(images)
    weights = broadcast_delta(
        levels,
        labels,
        classes=classes,
        hidden=hidden,
        weight_bits=weight_bits,
        epochs=epochs,
        seed=seed,
        augment=augment,
        progress=progress,
    )
    spec = layered_spec(levels.shape[1], hidden, classes, weight_bits=weight_bits, phase_bits=phase_bits)
    return spec, layered_parameters(spec, weights.labels, weights.hidden)
