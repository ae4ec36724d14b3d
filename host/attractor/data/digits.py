"""The 8x8 handwritten digits that come with scikit-learn, in one fixed split."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

__all__ = ["TEST_IMAGES", "Digits", "digits"]

#: Images held out from training.
TEST_IMAGES = 360


class Digits(NamedTuple):
    """Images with grey values from 0 to 1, shape (samples, 64), and their classes 0 to 9, shape (samples,)."""

    train_images: npt.NDArray[np.float64]
    train_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.float64]
    test_labels: npt.NDArray[np.int64]


def digits() -> Digits:
    """Return 1,437 images to train on and 360 to test on, drawn with equal shares of all classes and seed 0."""
    images, labels = load_digits(return_X_y=True)
    every = np.arange(len(labels))
    train, test = map(np.asarray, train_test_split(every, test_size=TEST_IMAGES, random_state=0, stratify=labels))
    return Digits(images[train] / 16, labels[train], images[test] / 16, labels[test])
