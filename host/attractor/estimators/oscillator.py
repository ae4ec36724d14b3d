"""Oscillator networks as scikit-learn estimators: an associative memory, and a classifier of grey images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_array, check_is_fitted

from attractor.estimators.base import Estimator, ImageClassifier, connected
from attractor.golden import OscillatorNetwork
from attractor.host.device import Device
from attractor.host.model import Model
from attractor.host.oscillator import Progress
from attractor.spec import IntegerArray, OscillatorSpec
from attractor.train.oscillator import classifier, layered, rules

__all__ = ["RULES", "HopfieldNetwork", "OscillatorClassifier"]

#: Rules that :class:`HopfieldNetwork` knows, by name.
RULES: dict[str, Callable[..., IntegerArray]] = {
    "hebb": rules.hebb,
    "covariance-hebb": rules.covariance_hebb,
    "storkey": rules.storkey,
    "diederich-opper": rules.diederich_opper,
}


class _OscillatorEstimator(Estimator):
    """What the estimators share: the spec, and a run on the golden model or a device."""

    @property
    def spec_(self) -> OscillatorSpec:
        """Spec of the fitted network."""
        spec = self.model_.spec
        assert isinstance(spec, OscillatorSpec)
        return spec

    def _run(self, phases: npt.NDArray[np.uint8], progress: Progress | None) -> tuple[IntegerArray, IntegerArray]:
        """Return the last phases of all oscillators, shape (batch, oscillators), and the winners, shape (batch,)."""
        if self.device is None:
            run = OscillatorNetwork(self.spec_, self.model_.parameters).run(phases)
            return run.phases, run.winner
        with connected(self.device, self.model_) as device:
            results = device.network.recall(phases, progress=progress)
        last = phases.copy()
        last[:, self.spec_.inputs :] = [result.phases for result in results]
        return last, np.array([-1 if result.winner is None else result.winner for result in results])


class HopfieldNetwork(_OscillatorEstimator):
    """Associative memory: stores patterns of +1 and -1, and completes damaged ones.

    Parameters
    ----------
    rule:
        ``"hebb"``, ``"covariance-hebb"``, ``"storkey"`` or ``"diederich-opper"``; see
        :mod:`attractor.train.oscillator`.
    weight_bits, phase_bits, lanes:
        As in :class:`OscillatorSpec`.
    zero_diagonal:
        Keep oscillators from coupling to themselves.
    periods, settle:
        Longest run, and the quiet periods that end it earlier.
    device:
        Where recall runs: a port's address, an open device, or None for the golden model. A device of this spec that
        holds something else is loaded first.

    Attributes
    ----------
    model_: Model
        The fitted network; its ``weights`` have shape (n_features, n_features).
    n_features_in_: int
        Length of a pattern.
    """

    def __init__(
        self,
        rule: str = "diederich-opper",
        *,
        weight_bits: int = 5,
        phase_bits: int = 4,
        lanes: int = 0,
        zero_diagonal: bool = True,
        periods: int = 24,
        settle: int = 2,
        device: str | Device | None = None,
    ) -> None:
        self.rule = rule
        self.weight_bits = weight_bits
        self.phase_bits = phase_bits
        self.lanes = lanes
        self.zero_diagonal = zero_diagonal
        self.periods = periods
        self.settle = settle
        self.device = device

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:  # noqa: ARG002
        """Store patterns.

        Parameters
        ----------
        X:
            Values +1 and -1, shape (patterns, n_features).
        y:
            Ignored.

        Raises
        ------
        ValueError
            If a value is neither, the rule is unknown, or a parameter is out of range.
        TrainingError
            If the rule finds no couplings that keep all patterns.
        """
        patterns = _check_patterns(X, ensure_min_features=2)
        if self.rule not in RULES:
            raise ValueError(f"rule is {self.rule!r}; it must be one of {', '.join(RULES)}")
        weights = RULES[self.rule](patterns, weight_bits=self.weight_bits, zero_diagonal=self.zero_diagonal)
        spec, parameters = rules.associative_memory(
            weights,
            weight_bits=self.weight_bits,
            phase_bits=self.phase_bits,
            periods=self.periods,
            settle=self.settle,
        )
        provenance = {"rule": self.rule, "zero_diagonal": self.zero_diagonal, "patterns": len(patterns)}
        self.model_ = Model(replace(spec, lanes=self.lanes), parameters, provenance)
        self.n_features_in_ = patterns.shape[1]
        return self

    @classmethod
    def from_model(cls, model: Model, *, device: str | Device | None = None) -> Self:
        """Return a fitted network from a saved :attr:`model_`.

        Raises
        ------
        ValueError
            If the model is no associative memory: some of its oscillators are inputs.
        """
        spec = model.spec
        if not isinstance(spec, OscillatorSpec) or spec.inputs:
            raise ValueError("the model is no associative memory of patterns; run a classifier with classify")
        network = cls(weight_bits=spec.weight_bits, phase_bits=spec.phase_bits, lanes=spec.lanes, device=device)
        network.model_ = model
        network.n_features_in_ = spec.oscillators
        return network

    def recall(self, X: npt.ArrayLike, *, progress: Progress | None = None) -> npt.NDArray[np.int8]:
        """Complete damaged patterns.

        Parameters
        ----------
        X:
            Values +1 and -1, shape (samples, n_features).
        progress:
            Called after each pattern with the number of finished ones and that of all; a device only.

        Returns
        -------
        ndarray
            Shape (samples, n_features), int8: +1 and -1 as read against the reference oscillator, 0 where an
            oscillator stopped between the two. A pattern and its negative are the same attractor; of the two, that
            which agrees with the sample in more places is returned.

        Raises
        ------
        ValueError
            If the patterns have another length or other values.
        HostError
            If the device fails.
        """
        check_is_fitted(self)
        patterns = _check_patterns(X)
        self._check_features(patterns)
        last, _ = self._run(rules.pattern_phases(self.spec_, patterns), progress)
        read = rules.read_patterns(self.spec_, last)
        overlap = (read.astype(np.int64) * patterns.astype(np.int64)).sum(axis=1, keepdims=True)
        return np.where(overlap < 0, -read, read)


class OscillatorClassifier(_OscillatorEstimator, ImageClassifier):
    """Classifier of grey images: pixels are clamped phases, and the label closest in phase to the reference wins.

    Grey values are scaled so that the least and the greatest of the training images become black and white; values
    beyond them are cut.

    Parameters
    ----------
    weight_bits, phase_bits, lanes:
        As in :class:`OscillatorSpec`.
    hidden:
        Hidden oscillators between pixels and labels; with 0 the labels listen to grey pixels, with more the hidden
        oscillators listen to pixels that are black or white. See :mod:`attractor.train.oscillator.layered`.
    epochs:
        Passes over the training images.
    random_state:
        Seed of their order, an integer.
    device:
        As in :class:`HopfieldNetwork`.

    Attributes
    ----------
    classes_: ndarray
        The classes, sorted; the label oscillators follow this order.
    model_: Model
        The fitted network.
    low_, high_: float
        Grey values of black and white.
    n_features_in_: int
        Pixels of an image.
    """

    low_: float
    high_: float
    _spec_type = OscillatorSpec
    _needed = ("classes", "black", "white")
    _otherwise = ", or run an associative memory with recall"

    def __init__(
        self,
        *,
        weight_bits: int = 5,
        phase_bits: int = 4,
        lanes: int = 0,
        hidden: int = 0,
        epochs: int = 40,
        random_state: int = 0,
        device: str | Device | None = None,
    ) -> None:
        self.weight_bits = weight_bits
        self.phase_bits = phase_bits
        self.lanes = lanes
        self.hidden = hidden
        self.epochs = epochs
        self.random_state = random_state
        self.device = device

    def _train(
        self,
        images: npt.NDArray[np.float64],
        numbers: IntegerArray,
        classes: npt.NDArray[Any],
        progress: Progress | None,
    ) -> None:
        if self.hidden < 0:
            raise ValueError(f"hidden is {self.hidden}; it must be 0 or a number of hidden oscillators")
        self.low_, self.high_ = float(images.min()), float(images.max())
        train = partial(layered.train_layered, hidden=self.hidden) if self.hidden else classifier.train_classifier
        spec, parameters = train(
            self._scaled(images),
            numbers,
            classes=len(classes),
            weight_bits=self.weight_bits,
            phase_bits=self.phase_bits,
            epochs=self.epochs,
            seed=self.random_state,
            progress=progress,
        )
        provenance = {
            "rule": "broadcast-delta" if self.hidden else "saturated-delta",
            "hidden": self.hidden,
            "epochs": self.epochs,
            "seed": self.random_state,
            "images": len(images),
            "classes": [str(name) for name in classes],
            "black": self.low_,
            "white": self.high_,
        }
        self.model_ = Model(replace(spec, lanes=self.lanes), parameters, provenance)

    def _winners(self, images: npt.NDArray[np.float64], progress: Progress | None) -> IntegerArray:
        return self._run(self._phases(images), progress)[1]

    @classmethod
    def from_model(cls, model: Model, *, device: str | Device | None = None) -> Self:
        """Return a fitted classifier from a saved :attr:`model_`; its classes are names, as the model file has them.

        Raises
        ------
        ValueError
            If the model is no classifier of images.
        """
        cls._check_model(model)
        spec, said = model.spec, model.provenance
        assert isinstance(spec, OscillatorSpec)
        sizes = {"weight_bits": spec.weight_bits, "phase_bits": spec.phase_bits, "lanes": spec.lanes}
        classifier_ = cls(**sizes, hidden=spec.targets - spec.labels, device=device)
        classifier_.model_ = model
        classifier_.classes_ = np.array(said["classes"])
        classifier_.low_, classifier_.high_ = float(said["black"]), float(said["white"])
        classifier_.n_features_in_ = spec.reference
        return classifier_

    def _phases(self, images: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
        """Return the start phases of the fitted network."""
        spec, scaled = self.spec_, self._scaled(images)
        if spec.targets > spec.labels:
            return layered.layered_phases(spec, layered.binary_levels(scaled))
        return classifier.image_phases(spec, scaled)

    def _scaled(self, images: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return grey values from 0 to 1."""
        width = self.high_ - self.low_
        return np.clip((images - self.low_) / (width or 1.0), 0.0, 1.0)


def _check_patterns(X: npt.ArrayLike, *, ensure_min_features: int = 1) -> npt.NDArray[np.int8]:
    array = check_array(X, ensure_min_features=ensure_min_features)
    wrong = (array != 1) & (array != -1)
    if wrong.any():
        raise ValueError(
            f"X holds {array[tuple(np.argwhere(wrong)[0])]}; patterns are made of +1 and -1, so use "
            "np.where(image > threshold, 1, -1)"
        )
    return array.astype(np.int8)
