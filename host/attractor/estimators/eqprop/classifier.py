"""Binary Equilibrium Propagation as a scikit-learn estimator that learns on the host or on a device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from attractor.estimators.base import ImageClassifier, Images, RandomState, connected, seed_of
from attractor.estimators.eqprop.defaults import THRESHOLDS, default_levels, default_state_high
from attractor.estimators.eqprop.presets import spec_arguments
from attractor.host.device import Device
from attractor.host.eqprop import EqPropLearning, PixelBits
from attractor.host.interface import Classes, Interface
from attractor.host.link import Progress
from attractor.host.model import Model
from attractor.spec import EqPropSpec, IntegerArray
from attractor.train.eqprop import STEPS, Recipe, Trainer, initial_parameters, scores
from attractor.train.eqprop.sequence import SequenceLearner
from attractor.train.pixels import PixelCode

__all__ = ["EqPropClassifier", "held_back"]


class EqPropClassifier(ImageClassifier):
    """Classifier of grey images: pixels become bits, and the class whose outputs have the greatest states wins.

    :meth:`fit` trains on the host, :meth:`partial_fit` goes on with more samples, on the host or on the chip. Both
    follow the rule of the chip, one sample after the other, unless ``batch`` says otherwise.

    Parameters
    ----------
    hidden:
        Neurons of the hidden layer, or of each one from the input.
    replicas:
        Outputs for each class.
    levels:
        Brightness that pixels are compared with, each above 0 (the darkest value of the training images) and up to 1
        (the brightest); None stands for :func:`default_levels`.
    inputs:
        Most inputs; more comparisons than these are thinned out, see :meth:`PixelCode.of_images`. None keeps all that
        vary.
    state_high, nudge_shift, counter_bits:
        As in :class:`EqPropSpec`; ``state_high`` None stands for :func:`default_state_high`.
    lanes:
        Folding that the model asks for where gateware is built for it; results do not depend on it.
    steps:
        Most steps of the free and of the nudged phase.
    thresholds:
        Net count against a weight at which it flips: a number, or one for each connection from the input; None stands
        for :data:`THRESHOLDS`.
    doubling:
        Epochs of :meth:`fit` in which the thresholds double; 0 keeps them.
    batch, sigma_samples:
        Samples after which weights flip, and samples in a row that are nudged with the same random sign; :meth:`fit`
        only, which is the chip's rule where both are 1.
    both_signs:
        Learn each image twice in a row instead, nudged toward its class and away from it.
    epochs:
        Passes over the training images.
    validation_fraction:
        Part of the training images of each class that is not learnt but chooses the best epoch; 0 for the last epoch.
    random_state:
        Decides weights, orders and signs: a seed, a :class:`numpy.random.RandomState`, or None for others each time.
    device:
        Where predictions, and :meth:`partial_fit`, run: a port's address, ``"sim:"`` or ``"rtl:"`` for a simulated
        board made for the network, an open device, or None for the golden model. A device of this network that holds
        something else is loaded first.

    Attributes
    ----------
    classes_: ndarray
        The classes, sorted; outputs follow this order.
    model_: Model
        The fitted network, with counters, so that it can go on learning.
    code_: PixelCode
        How pixels become bits.
    n_features_in_: int
        Pixels of an image.
    """

    code_: PixelCode
    _spec_type = EqPropSpec
    _resumes = True
    _inputs_type = PixelBits
    _learning_type = EqPropLearning

    def __init__(
        self,
        *,
        hidden: int | tuple[int, ...] = 128,
        replicas: int = 5,
        levels: tuple[float, ...] | None = None,
        inputs: int | None = None,
        state_high: int | tuple[int, ...] | None = None,
        nudge_shift: int = 1,
        counter_bits: int = 8,
        lanes: int = 0,
        steps: tuple[int, int] = STEPS,
        thresholds: int | tuple[int, ...] | None = None,
        doubling: float = 8,
        batch: int = 1,
        sigma_samples: int = 1,
        both_signs: bool = False,
        epochs: int = 10,
        validation_fraction: float = 0.1,
        random_state: RandomState = 0,
        device: str | Device | None = None,
    ) -> None:
        self.hidden = hidden
        self.replicas = replicas
        self.levels = levels
        self.inputs = inputs
        self.state_high = state_high
        self.nudge_shift = nudge_shift
        self.counter_bits = counter_bits
        self.lanes = lanes
        self.steps = steps
        self.thresholds = thresholds
        self.doubling = doubling
        self.batch = batch
        self.sigma_samples = sigma_samples
        self.both_signs = both_signs
        self.epochs = epochs
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.device = device

    @property
    def spec_(self) -> EqPropSpec:
        """Spec of the fitted network."""
        spec = self.model_.spec
        assert isinstance(spec, EqPropSpec)
        return spec

    @property
    def learning_(self) -> EqPropLearning:
        """What the fitted network needs to go on learning."""
        learning = self.model_.interface.learning
        assert isinstance(learning, EqPropLearning)
        return learning

    @property
    def recipe(self) -> Recipe:
        """How :meth:`fit` trained; its lessons, in their order, teach a device the same."""
        return self._recipe(self.learning_.seed)

    # Learning

    def _train(
        self,
        images: Images,
        numbers: IntegerArray,
        classes: npt.NDArray[Any],
        progress: Progress | None,
        checkpoint: str | Path | None,
    ) -> None:
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"validation_fraction is {self.validation_fraction}; it must be 0 or more, and below 1")
        begun, code = self._begun(images, classes)
        spec, learning = begun.spec, begun.interface.learning
        assert isinstance(spec, EqPropSpec)
        assert isinstance(learning, EqPropLearning)
        bits, recipe = code.bits(images), self._recipe(learning.seed)
        held = held_back(numbers, self.validation_fraction, np.random.default_rng([learning.seed, 0, 1]))
        trainer = Trainer(spec, recipe, bits[~held], numbers[~held], parameters=begun.parameters)
        judges = (bits[held], numbers[held]) if held.any() else None
        training = trainer.train(self.epochs, held_back=judges, checkpoint=checkpoint, progress=progress)
        said = dict(begun.provenance) | {
            "epochs": len(training.history),
            "batch": self.batch,
            "sigma_samples": self.sigma_samples,
            "images": int((~held).sum()),
            "held_back": int(held.sum()),
            "held_back_accuracy": [epoch.accuracy for epoch in training.history],
        }
        if training.history:
            learning = replace(learning, thresholds=training.history[-1].thresholds)
        interface = replace(begun.interface, learning=learning)
        self.model_, self.code_ = Model(spec, training.parameters, said, interface), code

    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        classes: npt.ArrayLike | None = None,
        *,
        device: str | Device | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn images one after the other, in their order, by the rule of the chip.

        A first call without :meth:`fit` begins with random weights; as its images decide which comparisons of pixels
        are inputs, it needs some that differ. Thresholds are those with which :meth:`fit` ended.
        The sign of each nudge follows from the seed and the number of images learnt before, so that what is learnt
        does not depend on how images are divided into calls, nor on where they are learnt.

        Parameters
        ----------
        X, y:
            As for :meth:`fit`.
        classes:
            All classes there are, in the first call; default those in ``y``.
        device:
            Where to learn; default the attribute ``device``, and without one the golden model.
        progress:
            Called after each image with the number of finished ones and that of all; a device only.

        Raises
        ------
        ValueError
            If data do not fit, or a parameter is out of range.
        LearningError
            If the device fails in between; the estimator then is as it was before the call.
        """
        begins = not hasattr(self, "model_")
        images, labels = self._checked_samples(X, y, reset=begins)
        if begins:
            known = self._checked_classes(labels if classes is None else np.asarray(classes))
            self.model_, self.code_ = self._begun(images, known)
            self.classes_ = known
        strange = ~np.isin(labels, self.classes_)
        if strange.any():
            raise ValueError(
                f"y holds the class {labels[strange].tolist()[0]!r}, but known are {self.classes_.tolist()}"
            )
        bits, numbers = self.code_.bits(images), np.searchsorted(self.classes_, labels)
        parameters = self._learn_each(bits, numbers, self.device if device is None else device, progress)
        learning = replace(self.learning_, learnt=self.learning_.learnt + len(bits))
        interface = replace(self.model_.interface, learning=learning)
        self.model_ = replace(self.model_, parameters=parameters, interface=interface)
        return self

    def _learn_each(
        self, bits: npt.NDArray[np.uint8], numbers: IntegerArray, where: str | Device | None, progress: Progress | None
    ) -> dict[str, IntegerArray]:
        """Learn samples in their order; return the parameters then."""
        learning = self.learning_
        sigmas, thresholds = _sigmas(learning, len(bits)), np.array(learning.thresholds)
        if learning.both_signs:
            bits, numbers = bits.repeat(2, axis=0), numbers.repeat(2)
        if where is None:
            learner = SequenceLearner(self.spec_, self.model_.parameters)
            learner.learn_each(bits.astype(bool), numbers, sigmas, thresholds)
            return learner.parameters
        with connected(where, self.model_) as opened:
            opened.network.learn_samples(bits, numbers, thresholds, sigmas=sigmas, progress=progress)
            return opened.read_parameters()

    # Answers

    def _scores(self, images: Images, progress: Progress | None) -> Images:
        """Return the sum of the states of each class's outputs."""
        bits = self.code_.bits(images)
        if self.device is None:
            return scores(self.spec_, self.model_.parameters, bits).astype(np.float64)
        with connected(self.device, self.model_) as opened:
            found = [result.scores for result in opened.network.infer(bits, progress=progress)]
        return np.array(found, np.float64)

    @classmethod
    def from_model(cls, model: Model, *, device: str | Device | None = None) -> Self:
        """Return a fitted classifier from a saved :attr:`model_`; it can go on learning.

        Raises
        ------
        ValueError
            If the model is no classifier of images.
        """
        said, classes = cls._checked_interface(model)
        spec, inputs, learning = model.spec, said.inputs, said.learning
        assert isinstance(spec, EqPropSpec)
        assert isinstance(inputs, PixelBits)
        assert isinstance(learning, EqPropLearning)
        code = PixelCode(**vars(inputs))
        if len(code.inputs) != spec.layers[0] or len(classes) != spec.classes:
            raise ValueError(
                f"the model has {spec.layers[0]} inputs and {spec.classes} classes, but says that it has "
                f"{len(code.inputs)} and {len(classes)}; train it again"
            )
        fitted = cls(
            **spec_arguments(spec),
            levels=code.levels,
            steps=tuple(model.parameters["steps"].tolist()),
            thresholds=learning.thresholds,
            both_signs=learning.both_signs,
            random_state=learning.seed,
            device=device,
        )
        fitted.model_, fitted.code_, fitted.classes_, fitted.n_features_in_ = model, code, classes, code.pixels
        return fitted

    def receptive_fields(self) -> npt.NDArray[np.float64]:
        """Return what the first hidden layer looks for: mean weight of each pixel, shape (neurons, n_features).

        It lies between -1 and 1; NaN where no input looks at a pixel.
        """
        check_is_fitted(self)
        return self.code_.image(self.model_.parameters["weights_0"])

    # Parts

    def _begun(self, images: Images, classes: npt.NDArray[Any]) -> tuple[Model, PixelCode]:
        """Choose inputs and random weights."""
        seed, pixels = seed_of(self.random_state), images.shape[1]
        levels = default_levels(pixels) if self.levels is None else self.levels
        code = PixelCode.of_images(images, levels, most=self.inputs)
        hidden = (self.hidden,) if isinstance(self.hidden, int) else tuple(self.hidden)
        layers = (len(code.inputs), *hidden, len(classes) * self.replicas)
        spec = EqPropSpec(
            layers=layers,
            classes=len(classes),
            state_high=default_state_high(layers) if self.state_high is None else self.state_high,
            nudge_shift=self.nudge_shift,
            counter_bits=self.counter_bits,
            lanes=self.lanes,
            learning=True,
        )
        thresholds = tuple(spec.check_thresholds(self._thresholds()).tolist())
        interface = Interface(
            PixelBits(**vars(code)),
            Classes(tuple(classes.tolist()), by="scores"),
            EqPropLearning(thresholds, self.both_signs, learnt=0, seed=seed),
        )
        said = {"rule": "equilibrium-propagation", "seed": seed}
        return Model(spec, initial_parameters(spec, seed=seed, steps=self.steps), said, interface), code

    def _recipe(self, seed: int) -> Recipe:
        return Recipe(
            thresholds=self._thresholds(),
            doubling=self.doubling,
            batch=self.batch,
            sigma_samples=self.sigma_samples,
            both_signs=self.both_signs,
            seed=seed,
        )

    def _thresholds(self) -> tuple[int, ...]:
        hidden = 1 if isinstance(self.hidden, int) else len(self.hidden)
        given = self.thresholds
        if given is None:
            return (*THRESHOLDS[:1] * hidden, THRESHOLDS[1])
        return (given,) * (hidden + 1) if isinstance(given, int) else tuple(given)


def held_back(labels: IntegerArray, fraction: float, generator: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draw samples that are not learnt: the same part of each class, rounded down, shape (samples,)."""
    held = np.zeros(len(labels), bool)
    for number in np.unique(labels):
        own = np.flatnonzero(labels == number)
        held[generator.permutation(own)[: int(fraction * len(own))]] = True
    return held


def _sigmas(learning: EqPropLearning, samples: int) -> npt.NDArray[np.int64]:
    """Return the signs of the nudges of the next samples, whatever calls they come in."""
    if learning.both_signs:
        return np.tile([1, -1], samples)
    generator = np.random.default_rng([learning.seed, 0, 2])
    drawn = generator.integers(0, 2, learning.learnt + samples)
    return 1 - 2 * drawn[learning.learnt :]
