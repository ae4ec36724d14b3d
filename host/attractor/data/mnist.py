"""The MNIST database of handwritten digits, read from files that the user has fetched."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.intake import IntakeError
from attractor.intake.files import read_file, unpacked

__all__ = ["DATA_VARIABLE", "FILES", "MOST_BYTES", "SIDE", "SOURCE", "DataError", "Mnist", "mnist", "shifted"]

#: Environment variable that names a folder of data sets; MNIST is in its subfolder ``mnist``.
DATA_VARIABLE = "ATTRACTOR_DATA"
#: Where the files can be fetched, each under its name with ``.gz``.
SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
#: SHA-256 of each file, unpacked.
FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
#: Rows and columns of an image.
SIDE = 28
#: Longest file, packed or not: the images to train on have 47,040,016 bytes.
MOST_BYTES = 48_000_000


class DataError(IntakeError):
    """A data set is missing, or a file of it is not what it should be."""


class Mnist(NamedTuple):
    """Images with grey values from 0 to 255, shape (samples, 784), uint8, and their classes 0 to 9, int64."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]


def mnist(folder: str | Path | None = None) -> Mnist:
    """Return 60,000 images to train on and 10,000 to test on.

    Parameters
    ----------
    folder:
        Where the four files of :data:`FILES` lie, as they are or gzipped with ``.gz`` after their name; default the
        subfolder ``mnist`` of the folder that ``ATTRACTOR_DATA`` names.

    Raises
    ------
    DataError
        If a file is missing, damaged or another one; the message says where to fetch it.
    """
    if folder is None:
        data = os.environ.get(DATA_VARIABLE)
        if not data:
            raise DataError(
                f"{DATA_VARIABLE} is not set; make a folder with a subfolder mnist, fetch {SOURCE}NAME.gz into it for "
                f"NAME in {', '.join(FILES)}, and let {DATA_VARIABLE} name the folder"
            )
        folder = Path(data) / "mnist"
    contents = {name: _checked(Path(folder), name) for name in FILES}
    return Mnist(
        _idx(contents["train-images-idx3-ubyte"]).reshape(-1, SIDE * SIDE),
        _idx(contents["train-labels-idx1-ubyte"]).astype(np.int64),
        _idx(contents["t10k-images-idx3-ubyte"]).reshape(-1, SIDE * SIDE),
        _idx(contents["t10k-labels-idx1-ubyte"]).astype(np.int64),
    )


def shifted(images: npt.NDArray[np.int8], generator: np.random.Generator) -> npt.NDArray[np.int8]:
    """Return images of 28x28 pixels moved by one of the nine shifts of at most one pixel, the same for all.

    Parameters
    ----------
    images:
        Levels, shape (samples, 784). What leaves on one side comes in on the other, where MNIST is empty.
    generator:
        Draws the shift.
    """
    shift = tuple(generator.integers(-1, 2, 2).tolist())
    return np.roll(images.reshape(-1, SIDE, SIDE), shift, (1, 2)).reshape(images.shape)


def _checked(folder: Path, name: str) -> bytes:
    """Return the contents of a file, unpacked."""
    plain, packed = folder / name, folder / f"{name}.gz"
    try:
        if packed.exists():
            data = unpacked(read_file(packed, MOST_BYTES), MOST_BYTES, gzip=True)
        else:
            data = read_file(plain, MOST_BYTES)
    except FileNotFoundError:
        raise DataError(f"neither {packed} nor {plain} is there; fetch {SOURCE}{name}.gz into {folder}") from None
    except (OSError, IntakeError) as error:
        raise DataError(
            f"{packed if packed.exists() else plain} cannot be read ({error}); fetch {SOURCE}{name}.gz again"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != FILES[name]:
        raise DataError(
            f"{name} in {folder} has the SHA-256 {found}, unpacked, instead of {FILES[name]}; "
            f"fetch {SOURCE}{name}.gz again"
        )
    return data


def _idx(data: bytes) -> npt.NDArray[np.uint8]:
    """Return the array of an IDX file: two zero bytes, type 8 (bytes), number of axes, their lengths, values."""
    axes = data[3]
    shape = struct.unpack_from(f">{axes}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
