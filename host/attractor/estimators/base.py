"""What all estimators share: a fitted model, where it runs, and how images and their classes are checked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from attractor.host.device import Device
from attractor.host.interface import Classes, Interface, Part
from attractor.host.link import Progress
from attractor.host.model import Model
from attractor.spec import IntegerArray, Spec

__all__ = ["Estimator", "ImageClassifier", "Images", "RandomState", "connected", "seed_of"]

#: Grey values, shape (samples, pixels).
Images = npt.NDArray[np.float64]
#: What decides about all that is random, as scikit-learn takes it: None for anything, a seed, or a generator.
RandomState = int | np.random.RandomState | None


class Estimator(BaseEstimator):
    """A fitted model, and where it runs."""

    device: str | Device | None
    #: The fitted network; save it with :meth:`Model.save`.
    model_: Model
    n_features_in_: int

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a network; a fit that failed may have left other attributes."""
        return hasattr(self, "model_")

    def _checked_rows(self, X: npt.ArrayLike) -> Images:
        """Return samples for the fitted network as numbers; raise :class:`ValueError` if they are none for it."""
        check_is_fitted(self)
        rows = check_array(X, dtype="float64", estimator=self, input_name="X")
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {rows.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} "
                f"features as input; give it samples of {self.n_features_in_} values, as in fit"
            )
        self._validated(X, reset=False, skip_check_array=True)  # names of features, if X has any
        return rows

    def _validated(self, *data: npt.ArrayLike, reset: bool, **options: Any) -> Any:
        """Return data as :func:`sklearn.utils.validation.validate_data` does, which tells type checkers little."""
        validate: Any = validate_data
        return validate(self, *data, reset=reset, **options)


class ImageClassifier(ClassifierMixin, Estimator):
    """A classifier of grey images, or of other samples of numbers, of whatever family.

    Attributes
    ----------
    classes_: ndarray
        The classes, sorted.
    """

    classes_: npt.NDArray[Any]
    #: Family of the models that it makes, and what their inputs and their learning are.
    _spec_type: ClassVar[type[Spec]]
    _inputs_type: ClassVar[type[Part]]
    _learning_type: ClassVar[type[Part] | None] = None
    #: Training can go on from a checkpoint.
    _resumes: ClassVar[bool] = False
    #: What else can be done with a model that does not.
    _otherwise: ClassVar[str] = ""

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        progress: Progress | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train on images, on the host, from nothing.

        Parameters
        ----------
        X:
            Grey values, shape (samples, n_features).
        y:
            Class of each image, shape (samples,); at least two classes.
        progress:
            Called after each pass with the number of finished passes and that of all.
        checkpoint:
            File that is written after each pass, where the training of this classifier can be resumed. If it exists
            already, training goes on from there, and ends as it would have without a break.

        Raises
        ------
        ValueError
            If data do not fit, a parameter is out of range, or there is no way to resume this training.
        CheckpointError
            If the checkpoint is of another training.
        """
        images, labels = self._checked_samples(X, y, reset=True)
        classes = self._checked_classes(labels)
        if checkpoint is not None and not self._resumes:
            raise ValueError(f"training of {type(self).__name__} cannot be resumed; leave out the checkpoint")
        self._train(images, np.searchsorted(classes, labels), classes, progress, checkpoint)
        self.classes_ = classes
        return self

    def predict(self, X: npt.ArrayLike, *, progress: Progress | None = None) -> npt.NDArray[Any]:
        """Classify images.

        Parameters
        ----------
        X:
            Grey values, shape (samples, n_features).
        progress:
            Called after each image with the number of finished ones and that of all; a device only.

        Returns
        -------
        ndarray
            Class of each image, shape (samples,): that with the greatest score, the lowest one on ties.

        Raises
        ------
        ValueError
            If the images have another size.
        HostError
            If the device fails.
        """
        images = self._checked_rows(X)
        return self.classes_[self._scores(images, progress).argmax(axis=1)]

    def decision_function(self, X: npt.ArrayLike, *, progress: Progress | None = None) -> Images:
        """Say how much speaks for each class.

        Parameters, and errors, as for :meth:`predict`.

        Returns
        -------
        ndarray
            Score of each class, shape (samples, classes); of two classes, by how much that of the second is greater,
            shape (samples,).
        """
        scores = self._scores(self._checked_rows(X), progress)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    @classmethod
    @abstractmethod
    def from_model(cls, model: Model, *, device: str | Device | None = None) -> Self:
        """Return a fitted classifier from a saved :attr:`model_`; raise :class:`ValueError` if the model is none."""

    @abstractmethod
    def _train(
        self,
        images: Images,
        numbers: IntegerArray,
        classes: npt.NDArray[Any],
        progress: Progress | None,
        checkpoint: str | Path | None,
    ) -> None:
        """Train the model on images, shape (samples, pixels), by the number of each one's class, shape (samples,)."""

    @abstractmethod
    def _scores(self, images: Images, progress: Progress | None) -> Images:
        """Return the score of each class for each image, shape (samples, classes)."""

    def _checked_samples(self, X: npt.ArrayLike, y: npt.ArrayLike, *, reset: bool) -> tuple[Images, npt.NDArray[Any]]:
        """Return images, shape (samples, pixels), and their classes, (samples,); raise :class:`ValueError` otherwise.

        With ``reset`` these images decide how many pixels there are.
        """
        images, labels = self._validated(X, y, reset=reset, dtype="float64")
        check_classification_targets(labels)
        return images, labels

    def _checked_classes(self, classes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the different classes, sorted; raise :class:`ValueError` if there is only one."""
        found = np.unique(classes)
        if len(found) < 2:
            raise ValueError(f"{type(self).__name__} needs samples of at least 2 classes; the data have 1 class")
        return found

    @classmethod
    def _checked_interface(cls, model: Model) -> tuple[Interface, npt.NDArray[Any]]:
        """Return what a model means, and its classes; raise :class:`ValueError` unless it is one of this classifier."""
        if not isinstance(model.spec, cls._spec_type):
            raise ValueError(
                f"the model is of family {model.spec.family!r}, and {cls.__name__} is for {cls._spec_type.family!r}; "
                "use classifier_from_model, which takes any"
            )
        said = model.interface
        needed = {"inputs": cls._inputs_type, "outputs": Classes, "learning": cls._learning_type}
        missing = [
            f"{name} of kind {kind.kind!r}"
            for name, kind in needed.items()
            if kind is not None and not isinstance(getattr(said, name), kind)
        ]
        if missing:
            raise ValueError(
                f"the model is no classifier of images (it has no {', no '.join(missing)}); save one that "
                f"{cls.__name__}.fit made{cls._otherwise}"
            )
        assert isinstance(said.outputs, Classes)
        return said, np.array(said.outputs.names)


def seed_of(random_state: RandomState) -> int:
    """Return the seed of all that is random: an integer is one, from others it is drawn.

    Raises
    ------
    ValueError
        If it is neither an integer from 0 on, None, nor a :class:`numpy.random.RandomState`.
    """
    if not isinstance(random_state, Integral):
        return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    if random_state < 0:
        raise ValueError(f"random_state is {random_state}; a seed must be 0 or a positive integer")
    return int(random_state)


@contextmanager
def connected(device: str | Device, model: Model) -> Iterator[Device]:
    """Give a device that holds the model; close it afterwards if it was opened here.

    ``"sim:"`` and ``"rtl:"`` are simulated boards that are made for the model's network.
    """
    if isinstance(device, Device):
        if not device.holds(model):
            device.load(model)
        yield device
        return
    with Device.open(device, model.spec) as opened:
        opened.load(model)
        yield opened
