"""Checkpoints of a training: arrays and plain data in one file, bound to what is being trained."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.intake import IntakeError, refusing
from attractor.intake.arrays import read_npz
from attractor.intake.documents import parsed_object
from attractor.intake.errors import DAMAGE, told
from attractor.machine.files import replacing

__all__ = ["FORMAT", "SUFFIX", "Arrays", "CheckpointError", "load_checkpoint", "number", "restoring", "save_checkpoint"]

#: Raised when the meaning of a checkpoint changes.
FORMAT = "attractor-checkpoint-1"
SUFFIX = ".npz"
_HEADER = "header"
_ARRAY = "array."

Arrays = dict[str, npt.NDArray[Any]]


class CheckpointError(IntakeError):
    """A checkpoint is damaged, or of another training."""


def save_checkpoint(
    path: str | Path, identity: Mapping[str, Any], state: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path:
        Where to; the name ends in ``.npz``.
    identity:
        What is being trained, and how; plain data for JSON. :func:`load_checkpoint` wants it to be the same.
    state:
        How far the training is; plain data for JSON.
    arrays:
        Arrays by name, of numbers.

    Raises
    ------
    CheckpointError
        If the file cannot be written.
    """
    path = _checked(path)
    header = json.dumps({"format": FORMAT, "identity": identity, "state": state}, sort_keys=True)
    contents: Arrays = {_ARRAY + name: array for name, array in arrays.items()}
    try:
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **{_HEADER: np.array(header)}, **contents)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}; choose another folder") from error


def load_checkpoint(path: str | Path, identity: Mapping[str, Any]) -> tuple[dict[str, Any], Arrays]:
    """Return state and arrays of a checkpoint.

    Raises
    ------
    CheckpointError
        If the file is missing or damaged, or something else is being trained there; the message names the fields.
    """
    path = _checked(path)
    try:
        contents = read_npz(path)
        header = parsed_object(str(contents.pop(_HEADER)), finite=False)  # a loss may not be known yet
        arrays = {name.removeprefix(_ARRAY): array for name, array in contents.items()}
        found, state = header["identity"], header["state"]
        known = header["format"] == FORMAT
        if not isinstance(found, dict) or not isinstance(state, dict):
            raise IntakeError("its header holds no objects")
    except (OSError, *DAMAGE) as error:
        raise CheckpointError(f"{path} is no intact checkpoint: {told(error)}; delete it to begin anew") from error
    if not known:
        raise CheckpointError(f"{path} is a checkpoint of another version, {str(header['format'])[:80]!r}; delete it")
    theirs, ours = _flat(found), _flat(json.loads(json.dumps(identity)))
    differences = [
        f"{key} is {theirs.get(key, 'absent')} there and {ours.get(key, 'absent')} here"
        for key in sorted(theirs.keys() | ours.keys())
        if theirs.get(key) != ours.get(key)
    ]
    if differences:
        raise CheckpointError(
            f"{path} is a checkpoint of another training: train with the same settings, or delete it to begin anew; "
            f"{'; '.join(differences)}"
        )
    return state, arrays


@contextmanager
def restoring(path: str | Path) -> Iterator[None]:
    """Raise :class:`CheckpointError` for whatever the block finds missing or damaged in a checkpoint that was read."""
    with refusing(CheckpointError, path, "is no intact checkpoint", "delete it to begin anew"):
        yield


def number(value: Any) -> float:
    """Return a number of a checkpoint, finite or not; raise :class:`IntakeError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise IntakeError(f"a number in it is {str(value)[:80]!r}")
    return float(value)


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != SUFFIX:
        raise CheckpointError(f"{path}: the name of a checkpoint ends in {SUFFIX}")
    return path


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat
