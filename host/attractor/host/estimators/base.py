"""What all estimators share: a fitted model, and where it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from attractor.host.device import Device
from attractor.host.model import Model


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
