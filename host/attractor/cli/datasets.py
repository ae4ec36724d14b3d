"""Images to train on: data sets by name, and users' own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from attractor.cli.files import read_images

if TYPE_CHECKING:
    import numpy as np

__all__ = ["DATASETS", "Images", "load_images"]


class Images(NamedTuple):
    """Grey images, shape (samples, pixels), and their classes, (samples,); none to test with in a user's own file."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def _digits() -> Any:
    from attractor.data.digits import digits

    return digits()


def _mnist() -> Any:
    from attractor.data.mnist import mnist

    return mnist()


#: What can be trained on by name.
DATASETS: dict[str, Callable[[], Any]] = {"digits": _digits, "mnist": _mnist}


def load_images(data: str) -> Images:
    """Return the images of a data set or of a .npz file; raise :class:`ValueError` if ``data`` is neither."""
    if data in DATASETS:
        return Images(*DATASETS[data]())
    if not data.endswith(".npz"):
        raise ValueError(f"{data!r} is nothing to train on; give {_names()}, a .npz or a .npy file")
    images, labels = read_images(Path(data))
    return Images(images, labels, images[:0], labels[:0])


def _names() -> str:
    return ", ".join(map(repr, DATASETS))
