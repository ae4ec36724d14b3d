"""Bach's chorales as piano rolls, read from a file that the user has fetched."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.data.mnist import DATA_VARIABLE, DataError
from attractor.intake import IntakeError, refusing
from attractor.intake.documents import parsed_object
from attractor.intake.files import read_file

__all__ = ["FILE", "LOWEST_NOTE", "MOST_BYTES", "NOTES", "SHA_256", "SOURCE", "Chorales", "Roll", "chorales"]

#: Where the file can be fetched.
SOURCE = "https://github.com/czhuang/JSB-Chorales-dataset"
FILE = "jsb-chorales-quarter.json"
SHA_256 = "2db9329f1881a1d3f49703ec556bf1d6f84b4f6c1d702c156536e93cf31e1c91"
#: MIDI number of the lowest note, and how many notes from it on are used.
LOWEST_NOTE, NOTES = 43, 54
#: Longest file, in bytes; it has 407,200.
MOST_BYTES = 4 << 20

#: A piano roll: whether each note sounds in each quarter, shape (quarters, notes).
Roll = npt.NDArray[np.bool_]


class Chorales(NamedTuple):
    """Piano rolls in the split of Boulanger-Lewandowski, Bengio and Vincent (2012): 229, 76 and 77 chorales."""

    train: list[Roll]
    validation: list[Roll]
    test: list[Roll]


def chorales(folder: str | Path | None = None) -> Chorales:
    """Return all chorales.

    Parameters
    ----------
    folder:
        Where the file :data:`FILE` lies; default the subfolder ``jsb`` of the folder that ``ATTRACTOR_DATA`` names.

    Raises
    ------
    DataError
        If the file is missing, damaged or another one; the message says where to fetch it.
    """
    if folder is None:
        data = os.environ.get(DATA_VARIABLE)
        if not data:
            raise DataError(
                f"{DATA_VARIABLE} is not set; make a folder with a subfolder jsb, fetch {FILE} from {SOURCE} into it, "
                f"and let {DATA_VARIABLE} name the folder"
            )
        folder = Path(data) / "jsb"
    path = Path(folder) / FILE
    try:
        contents = read_file(path, MOST_BYTES)
    except (OSError, IntakeError) as error:
        raise DataError(
            f"{path} cannot be read ({getattr(error, 'strerror', error)}); fetch it from {SOURCE}"
        ) from error
    found = hashlib.sha256(contents).hexdigest()
    if found != SHA_256:
        raise DataError(f"{path} has the SHA-256 {found} instead of {SHA_256}; fetch it again from {SOURCE}")
    with refusing(DataError, path, "is no intact file of chorales", f"fetch it again from {SOURCE}"):
        parts = parsed_object(contents)
        return Chorales(*([_roll(chorale) for chorale in parts[name]] for name in ("train", "valid", "test")))


def _roll(chorale: list[list[int]]) -> Roll:
    """Return a chorale, given as the MIDI numbers that sound in each quarter, as a piano roll."""
    roll = np.zeros((len(chorale), NOTES), bool)
    for quarter, notes in enumerate(chorale):
        roll[quarter, np.array(notes, int) - LOWEST_NOTE] = True
    return roll
