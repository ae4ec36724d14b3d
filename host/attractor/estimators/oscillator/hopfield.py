"""Associative memories of oscillators as scikit-learn estimators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Self
from warnings import warn

import numpy as np
import numpy.typing as npt
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags

from attractor.estimators.oscillator.network import OscillatorEstimator
from attractor.host.device import Device
from attractor.host.interface import Interface
from attractor.host.model import Model
from attractor.host.oscillator import Patterns, Progress
from attractor.spec import IntegerArray, OscillatorSpec
from attractor.train.oscillator import rules

__all__ = ["RULES", "HopfieldNetwork"]

#: Rules that :class:`HopfieldNetwork` knows, by name.
RULES: dict[str, Callable[..., IntegerArray]] = {
    "hebb": rules.hebb,
    "covariance-hebb": rules.covariance_hebb,
    "storkey": rules.storkey,
    "diederich-opper": rules.diederich_opper,
}


class HopfieldNetwork(OneToOneFeatureMixin, TransformerMixin, OscillatorEstimator):
    """Associative memory: stores patterns of +1 and -1, and completes damaged ones.

    Parameters
    ----------
    rule:
        ``"hebb"``, ``"covariance-hebb"``, ``"storkey"`` or ``"diederich-opper"``; see
        :mod:`attractor.train.oscillator`.
    weight_bits, phase_bits:
        As in :class:`OscillatorSpec`.
    lanes:
        Folding that the model asks for where gateware is built for it; results do not depend on it.
    zero_diagonal:
        Keep oscillators from coupling to themselves.
    periods, settle:
        Longest run, and the quiet periods that end it earlier.
    binarize:
        Values above it are +1, all others -1. None if values are +1 and -1 themselves; any other is an error then.
    device:
        Where recall runs: a port's address, ``"sim:"`` or ``"rtl:"`` for a simulated board made for the network, an
        open device, or None for the golden model. A device of this network that holds something else is loaded first.

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
        binarize: float | None = 0.0,
        device: str | Device | None = None,
    ) -> None:
        self.rule = rule
        self.weight_bits = weight_bits
        self.phase_bits = phase_bits
        self.lanes = lanes
        self.zero_diagonal = zero_diagonal
        self.periods = periods
        self.settle = settle
        self.binarize = binarize
        self.device = device

    def __sklearn_tags__(self) -> Tags:
        """Say that whatever goes in, int8 comes out."""
        tags = super().__sklearn_tags__()
        assert tags.transformer_tags is not None
        tags.transformer_tags.preserves_dtype = []
        return tags

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:  # noqa: ARG002
        """Store patterns.

        Where the rule finds no couplings that keep all patterns, it warns (:class:`ConvergenceWarning`), and the
        couplings that it ended with are kept.

        Parameters
        ----------
        X:
            Values +1 and -1, or others if ``binarize`` makes them so, shape (patterns, n_features).
        y:
            Ignored.

        Raises
        ------
        ValueError
            If a value is neither, the rule is unknown, or a parameter is out of range.
        """
        patterns = self._patterns(self._validated(X, reset=True, ensure_min_features=2, dtype="float64"))
        if self.rule not in RULES:
            raise ValueError(f"rule is {self.rule!r}; it must be one of {', '.join(RULES)}")
        spec, parameters = rules.associative_memory(
            self._weights(patterns),
            weight_bits=self.weight_bits,
            phase_bits=self.phase_bits,
            periods=self.periods,
            settle=self.settle,
        )
        provenance = {"rule": self.rule, "zero_diagonal": self.zero_diagonal, "patterns": len(patterns)}
        interface = Interface(Patterns(self.binarize), Patterns())
        self.model_ = Model(replace(spec, lanes=self.lanes), parameters, provenance, interface)
        return self

    @classmethod
    def from_model(cls, model: Model, *, device: str | Device | None = None) -> Self:
        """Return a fitted network from a saved :attr:`model_`.

        Raises
        ------
        ValueError
            If the model is no associative memory: some of its oscillators are inputs.
        """
        spec, inputs = model.spec, model.interface.inputs
        if not isinstance(spec, OscillatorSpec) or spec.inputs:
            raise ValueError("the model is no associative memory of patterns; run a classifier with classify")
        binarize = inputs.threshold if isinstance(inputs, Patterns) else None
        network = cls(
            weight_bits=spec.weight_bits, phase_bits=spec.phase_bits, lanes=spec.lanes, binarize=binarize, device=device
        )
        network.model_ = model
        network.n_features_in_ = spec.oscillators
        return network

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """Complete damaged patterns: :meth:`recall` under the name that pipelines call."""
        return self.recall(X)

    def recall(self, X: npt.ArrayLike, *, progress: Progress | None = None) -> npt.NDArray[np.int8]:
        """Complete damaged patterns.

        Parameters
        ----------
        X:
            Values +1 and -1, or others if ``binarize`` makes them so, shape (samples, n_features).
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
        patterns = self._patterns(self._checked_rows(X))
        last = self._run(rules.pattern_phases(self.spec_, patterns), progress)
        read = rules.read_patterns(self.spec_, last)
        overlap = (read.astype(np.int64) * patterns.astype(np.int64)).sum(axis=1, keepdims=True)
        return np.where(overlap < 0, -read, read)

    def _weights(self, patterns: npt.NDArray[np.int8]) -> IntegerArray:
        """Return the couplings that the rule finds, or ends with."""
        try:
            return RULES[self.rule](patterns, weight_bits=self.weight_bits, zero_diagonal=self.zero_diagonal)
        except rules.TrainingError as error:
            warn(str(error), ConvergenceWarning, stacklevel=3)
            return error.weights

    def _patterns(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
        """Return values as +1 and -1; raise :class:`ValueError` if they are to be that already, and are not."""
        if self.binarize is not None:
            return np.where(values > self.binarize, np.int8(1), np.int8(-1))
        wrong = (values != 1) & (values != -1)
        if wrong.any():
            raise ValueError(
                f"X holds {values[tuple(np.argwhere(wrong)[0])]:g}; patterns are made of +1 and -1, so use "
                "np.where(image > threshold, 1, -1), or set binarize to the threshold"
            )
        return values.astype(np.int8)
