"""What all estimators share: a fitted model, where it runs, and how images and their classes are checked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d

from attractor.host.device import Device
from attractor.host.link import Progress
from attractor.host.model import Model
from attractor.spec import IntegerArray, Spec

__all__ = ["Estimator", "ImageClassifier", "checked_samples", "connected"]


class Estimator(BaseEstimator):
    """A fitted model, and where it runs."""

    device: str | Device | None
    #: The fitted network; save it with :meth:`Model.save`.
    model_: Model
    n_features_in_: int

    def _check_features(self, x: npt.NDArray[Any]) -> None:
        if x.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {x.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features "
                f"as input; give it images of {self.n_features_in_} pixels, as in fit"
            )


class ImageClassifier(ClassifierMixin, Estimator):
    """A classifier of grey images, of whatever family.

    Attributes
    ----------
    classes_: ndarray
        The classes, sorted.
    """

    classes_: npt.NDArray[Any]
    #: Family of the models that it makes, and what else a model has to say to be one of them.
    _spec_type: ClassVar[type[Spec]]
    _needed: ClassVar[tuple[str, ...]]
    #: What else can be done with a model that does not.
    _otherwise: ClassVar[str] = ""

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, *, progress: Progress | None = None) -> Self:
        """Train on images, on the host, from nothing.

        Parameters
        ----------
        X:
            Grey values, shape (samples, n_features).
        y:
            Class of each image, shape (samples,); at least two classes.
        progress:
            Called after each pass with the number of finished passes and that of all.

        Raises
        ------
        ValueError
            If data do not fit, or a parameter is out of range.
        """
        images, labels = checked_samples(X, y)
        classes = self._checked_classes(labels)
        self._train(images, np.searchsorted(classes, labels), classes, progress)
        self.classes_, self.n_features_in_ = classes, images.shape[1]
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
            Class of each image, shape (samples,).

        Raises
        ------
        ValueError
            If the images have another size.
        HostError
            If the device fails.
        """
        check_is_fitted(self)
        images = check_array(X, dtype="float64")
        self._check_features(images)
        return self.classes_[self._winners(images, progress)]

    @classmethod
    @abstractmethod
    def from_model(cls, model: Model, *, device: str | Device | None = None) -> Self:
        """Return a fitted classifier from a saved :attr:`model_`; raise :class:`ValueError` if the model is none."""

    @abstractmethod
    def _train(
        self,
        images: npt.NDArray[np.float64],
        numbers: IntegerArray,
        classes: npt.NDArray[Any],
        progress: Progress | None,
    ) -> None:
        """Train the model on images, shape (samples, pixels), by the number of each one's class, shape (samples,)."""

    @abstractmethod
    def _winners(self, images: npt.NDArray[np.float64], progress: Progress | None) -> IntegerArray:
        """Return the number of the class of each image, shape (samples,)."""

    def _checked_classes(self, classes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the different classes, sorted; raise :class:`ValueError` if there is only one."""
        found = np.unique(classes)
        if len(found) < 2:
            raise ValueError(f"{type(self).__name__} needs samples of at least 2 classes; the data have 1 class")
        return found

    @classmethod
    def _check_model(cls, model: Model) -> None:
        """Raise :class:`ValueError` unless the model is one of this classifier's."""
        if not isinstance(model.spec, cls._spec_type):
            raise ValueError(
                f"the model is of family {model.spec.family!r}, and {cls.__name__} is for {cls._spec_type.family!r}; "
                "use classifier_from_model, which takes any"
            )
        missing = [name for name in cls._needed if name not in model.provenance]
        if missing:
            raise ValueError(
                f"the model is no classifier of images (its provenance lacks {missing}); save one that "
                f"{cls.__name__}.fit made{cls._otherwise}"
            )


def checked_samples(X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
    """Return images, shape (samples, pixels), and their classes, (samples,); raise :class:`ValueError` otherwise."""
    images = check_array(X, dtype="float64")
    labels = column_or_1d(y, warn=True)
    check_consistent_length(images, labels)
    check_classification_targets(labels)
    return images, labels


@contextmanager
def connected(device: str | Device, model: Model) -> Iterator[Device]:
    """Give a device that holds the model; close it afterwards if it was opened here."""
    if isinstance(device, Device):
        if not device.holds(model):
            device.load(model)
        yield device
        return
    with Device.open(device) as opened:
        opened.load(model)
        yield opened
