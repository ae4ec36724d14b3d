"""Classifiers of grey images on oscillators as scikit-learn estimators."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from attractor.estimators.base import ImageClassifier, Images, RandomState, seed_of
from attractor.estimators.oscillator.network import OscillatorEstimator
from attractor.host.device import Device
from attractor.host.interface import Classes, Interface
from attractor.host.model import Model
from attractor.host.oscillator import PixelPhases, Progress
from attractor.spec import IntegerArray, OscillatorSpec
from attractor.train.oscillator import classifier, layered

__all__ = ["FEWEST_OSCILLATORS", "OscillatorClassifier", "default_sections"]

#: Clamped oscillators that a classifier of few pixels has, at least.
FEWEST_OSCILLATORS = 32


class OscillatorClassifier(OscillatorEstimator, ImageClassifier):
    """Classifier of grey images: pixels are clamped phases, and the label closest in phase to the reference wins.

    Grey values are scaled so that the least and the greatest of the training images become black and white; values
    beyond them are cut.

    Parameters
    ----------
    weight_bits, phase_bits:
        As in :class:`OscillatorSpec`.
    lanes:
        Folding that the model asks for where gateware is built for it; results do not depend on it.
    hidden:
        Hidden oscillators between pixels and labels; with 0 the labels listen to grey pixels, with more the hidden
        oscillators listen to pixels that are black or white. See :mod:`attractor.train.oscillator.layered`.
    sections:
        Oscillators for each pixel, each for one of so many equal parts of the grey scale: more tell grey values apart
        that one alone cannot. None stands for :func:`default_sections`: one for images, more for few numbers.
    epochs:
        Passes over the training images.
    random_state:
        Decides their order: a seed, a :class:`numpy.random.RandomState`, or None for another order each time.
    device:
        As in :class:`HopfieldNetwork`.

    Attributes
    ----------
    classes_: ndarray
        The classes, sorted; the label oscillators follow this order.
    model_: Model
        The fitted network.
    inputs_: PixelPhases
        How pixels become phases, the grey values of black and white among it.
    n_features_in_: int
        Pixels of an image.
    """

    inputs_: PixelPhases
    _spec_type = OscillatorSpec
    _inputs_type = PixelPhases
    _otherwise = ", or run an associative memory with recall"

    def __init__(
        self,
        *,
        weight_bits: int = 5,
        phase_bits: int = 4,
        lanes: int = 0,
        hidden: int = 0,
        sections: int | None = None,
        epochs: int = 40,
        random_state: RandomState = 0,
        device: str | Device | None = None,
    ) -> None:
        self.weight_bits = weight_bits
        self.phase_bits = phase_bits
        self.lanes = lanes
        self.hidden = hidden
        self.sections = sections
        self.epochs = epochs
        self.random_state = random_state
        self.device = device

    @property
    def low_(self) -> float:
        """Grey value of black."""
        return self.inputs_.black

    @property
    def high_(self) -> float:
        """Grey value of white."""
        return self.inputs_.white

    def _train(
        self,
        images: Images,
        numbers: IntegerArray,
        classes: npt.NDArray[Any],
        progress: Progress | None,
        checkpoint: str | Path | None,  # noqa: ARG002 - this training cannot be resumed
    ) -> None:
        if self.hidden < 0:
            raise ValueError(f"hidden is {self.hidden}; it must be 0 or a number of hidden oscillators")
        seed = seed_of(self.random_state)
        sections = default_sections(images) if self.sections is None else self.sections
        inputs = PixelPhases(float(images.min()), float(images.max()), sections, binary=self.hidden > 0)
        train = partial(layered.train_layered, hidden=self.hidden) if self.hidden else classifier.train_classifier
        spec, parameters = train(
            _scaled(inputs, images),
            numbers,
            classes=len(classes),
            weight_bits=self.weight_bits,
            phase_bits=self.phase_bits,
            epochs=self.epochs,
            seed=seed,
            progress=progress,
        )
        provenance = {
            "rule": "broadcast-delta" if self.hidden else "saturated-delta",
            "hidden": self.hidden,
            "epochs": self.epochs,
            "seed": seed,
            "images": len(images),
        }
        interface = Interface(inputs, Classes(tuple(classes.tolist()), by="phases"))
        self.model_ = Model(replace(spec, lanes=self.lanes), parameters, provenance, interface)
        self.inputs_ = inputs

    def _scores(self, images: Images, progress: Progress | None) -> Images:
        """Return how close each label is to the reference: 1 in phase, -1 opposite to it."""
        spec, last = self.spec_, self._run(self._phases(images), progress).astype(np.int64)
        ahead = (last[:, -spec.labels :] - last[:, spec.reference, None]) % spec.period
        return 1.0 - np.minimum(ahead, spec.period - ahead) / (spec.period // 4)

    @classmethod
    def from_model(cls, model: Model, *, device: str | Device | None = None) -> Self:
        """Return a fitted classifier from a saved :attr:`model_`.

        Raises
        ------
        ValueError
            If the model is no classifier of images.
        """
        said, classes = cls._checked_interface(model)
        spec, inputs = model.spec, said.inputs
        assert isinstance(spec, OscillatorSpec)
        assert isinstance(inputs, PixelPhases)
        pixels, rest = divmod(spec.reference, inputs.sections)
        if rest or len(classes) != spec.labels:
            raise ValueError(
                f"the model has {spec.reference} pixel and {spec.labels} label oscillators, but says that it has "
                f"{inputs.sections} for each pixel and {len(classes)} classes; train it again"
            )
        fitted = cls(
            weight_bits=spec.weight_bits,
            phase_bits=spec.phase_bits,
            lanes=spec.lanes,
            hidden=spec.targets - spec.labels,
            sections=inputs.sections,
            device=device,
        )
        fitted.model_, fitted.inputs_, fitted.classes_, fitted.n_features_in_ = model, inputs, classes, pixels
        return fitted

    def _phases(self, images: Images) -> npt.NDArray[np.uint8]:
        """Return the start phases of the fitted network."""
        spec, scaled = self.spec_, _scaled(self.inputs_, images)
        if self.inputs_.binary:
            return layered.layered_phases(spec, layered.binary_levels(scaled))
        return classifier.image_phases(spec, scaled)


def default_sections(images: Images) -> int:
    """Return how many oscillators each pixel gets: as few as make :data:`FEWEST_OSCILLATORS`.

    An image has as many pixels and needs one. It takes more to tell the values of few numbers apart, but never as many
    as there are different values: one less stand for all that is between them. ``images`` has shape (samples, pixels).
    """
    wanted = -(-FEWEST_OSCILLATORS // images.shape[1])
    return 1 if wanted == 1 else min(wanted, max(len(np.unique(images)) - 1, 1))


def _scaled(inputs: PixelPhases, images: Images) -> Images:
    """Return grey values from 0 to 1 for each pixel oscillator, shape (samples, sections * pixels)."""
    width = inputs.white - inputs.black
    grey = np.clip((images - inputs.black) / (width or 1.0), 0.0, 1.0)
    if inputs.sections == 1:
        return grey
    return np.concatenate(
        [np.clip(grey * inputs.sections - section, 0.0, 1.0) for section in range(inputs.sections)], axis=1
    )
