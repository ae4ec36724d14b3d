"""Classifiers on oscillator networks: pixels and a reference are clamped, one free label oscillator for each class.

A pixel's grey value is its phase, white in phase with the reference, black opposite. Within half a period the pixels
therefore rise one after the other, brightest first: every slot shows the labels the image at another threshold, and
a label's field has a sign in each of these slots. A label whose field is positive in all of them rises with the
reference, one whose field is negative in all of them ends opposite to it, and one with mixed signs ends in between.
The distance in phase is so a graded answer, which binary pixels cannot give: theirs is the sign of the field, and
often no label, or more than one, would be in phase with the reference.

Two kinds of couplings among the labels help: a positive self-coupling, which keeps a label from following a short
excursion of its field, and a weak mutual inhibition, which separates labels that would rise together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attractor.spec import IntegerArray, OscillatorSpec
from attractor.train.oscillator import Progress, saturated_delta

__all__ = [
    "CONTRAST",
    "INHIBITION",
    "RATE",
    "SELF_COUPLING",
    "classifier_parameters",
    "classifier_spec",
    "image_phases",
    "input_levels",
    "train_classifier",
]

#: Phase of a full grey scale in half periods; more than 1 gives pixels near black and white the same two phases.
CONTRAST = 2.0
#: Coupling of a label to itself, and of other labels to it, as parts of the greatest weight.
SELF_COUPLING = 0.8
INHIBITION = 0.13
#: Sets the default step of the learning rule; the step for one image is this divided by the number of its pixels.
RATE = 0.13


def classifier_spec(
    pixels: int, classes: int, *, weight_bits: int = 5, phase_bits: int = 4, lanes: int = 0
) -> OscillatorSpec:
    """Return the spec of a classifier: ``pixels`` inputs, the reference after them, then a label for each class."""
    return OscillatorSpec(
        oscillators=pixels + 1 + classes,
        inputs=pixels + 1,
        labels=classes,
        reference=pixels,
        weight_bits=weight_bits,
        phase_bits=phase_bits,
        lanes=lanes,
    )


def image_phases(spec: OscillatorSpec, images: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return the start phases for images.

    Parameters
    ----------
    spec:
        A classifier as :func:`classifier_spec` makes it.
    images:
        Grey values from 0 (black) to 1 (white), shape (samples, pixels).

    Returns
    -------
    ndarray
        Shape (samples, oscillators), uint8, in slots: white 0, black half a period, the reference 0, labels a quarter.

    Raises
    ------
    ValueError
        If the shape does not fit the spec or a grey value is out of range.
    """
    values = np.asarray(images, np.float64)
    pixels = spec.inputs - 1
    if values.ndim != 2 or values.shape[1] != pixels:
        raise ValueError(f"images have shape {values.shape}; this classifier needs (samples, {pixels})")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"grey values run from {values.min()} to {values.max()}; scale them to 0 ... 1")
    half = spec.period // 2
    phases = np.full((len(values), spec.oscillators), half // 2, np.uint8)
    phases[:, :pixels] = np.rint(np.clip(half * (0.5 - CONTRAST * (values - 0.5)), 0, half))
    phases[:, spec.reference] = 0
    return phases


def input_levels(spec: OscillatorSpec, phases: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """Return the levels of the inputs in each slot of the first half period; the second is their negative.

    ``phases`` has shape (samples, oscillators), the result (samples, slots, inputs), int8, +1 or -1. Inputs are in
    the first half of the circle, as :func:`image_phases` puts them.
    """
    slots = np.arange(spec.period // 2)
    return np.where(slots[:, None] >= phases[:, None, : spec.inputs], np.int8(1), np.int8(-1))


def classifier_parameters(
    spec: OscillatorSpec,
    label_weights: npt.ArrayLike,
    *,
    self_coupling: int | None = None,
    inhibition: int | None = None,
    periods: int = 16,
    settle: int = 1,
) -> dict[str, IntegerArray]:
    """Return the parameters of a classifier.

    Parameters
    ----------
    spec:
        A classifier as :func:`classifier_spec` makes it.
    label_weights:
        Couplings from the pixels and the reference (last) to the labels, shape (classes, pixels + 1), integers.
    self_coupling:
        Coupling of each label to itself; default :data:`SELF_COUPLING` of the greatest weight.
    inhibition:
        Negative of the coupling between different labels; default :data:`INHIBITION` of the greatest weight.
    periods, settle:
        Longest run, and the quiet periods that end it earlier.

    Raises
    ------
    SpecError
        If a shape or a value does not fit the spec.
    """
    own = round(SELF_COUPLING * spec.weight_high) if self_coupling is None else self_coupling
    others = round(INHIBITION * spec.weight_high) if inhibition is None else inhibition
    among_labels = np.full((spec.labels, spec.labels), -others)
    np.fill_diagonal(among_labels, own)
    weights = np.concatenate([np.asarray(label_weights), among_labels], axis=1)
    return spec.check_parameters({"weights": weights, "schedule": spec.schedule(periods), "settle": np.array(settle)})


def train_classifier(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    classes: int,
    weight_bits: int = 5,
    phase_bits: int = 4,
    mask: npt.ArrayLike | None = None,
    epochs: int = 40,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[OscillatorSpec, dict[str, IntegerArray]]:
    """Train a classifier with :func:`attractor.train.oscillator.saturated_delta` on the levels of every slot.

    Parameters
    ----------
    images:
        Grey values from 0 to 1, shape (samples, pixels).
    labels:
        Class of each image, shape (samples,), integers from 0 to ``classes - 1``.
    classes, weight_bits, phase_bits:
        Sizes of the network.
    mask:
        True where a coupling may exist, shape (classes, pixels + 1); default everywhere.
    epochs, seed:
        Passes over the images, and the seed of their order.
    progress:
        Called after each pass with the number of finished passes and of all.

    Returns
    -------
    spec, parameters
        The network; its start phases come from :func:`image_phases`.

    Raises
    ------
    ValueError
        If data do not fit, with the offending value.
    """
    values = np.asarray(images, np.float64)
    spec = classifier_spec(values.shape[-1], classes, weight_bits=weight_bits, phase_bits=phase_bits)
    levels = input_levels(spec, image_phases(spec, values))
    slots = levels.shape[1]
    label_weights = saturated_delta(
        levels.reshape(-1, spec.inputs),
        np.repeat(np.asarray(labels), slots),
        classes=classes,
        weight_bits=weight_bits,
        mask=mask,
        epochs=epochs,
        rate=RATE / (spec.inputs * slots),
        seed=seed,
        batch=16 * slots,
        progress=progress,
    )
    return spec, classifier_parameters(spec, label_weights)
