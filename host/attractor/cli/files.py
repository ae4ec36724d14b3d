"""Files that users name: arrays to read, and places to write to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attractor.intake import IntakeError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["check_writable", "read_array", "read_images", "read_rows"]


def check_writable(path: Path, suffix: str = "") -> None:
    """Raise :class:`ValueError` if ``path`` cannot be written later: better now than after minutes of work."""
    if suffix and path.suffix != suffix:
        raise ValueError(f"{path}: this file's name must end in {suffix}")
    if not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: there is no folder {path.parent}; create it first")


def read_array(path: Path) -> np.ndarray:
    """Read a .npy file; raise :class:`ValueError` naming the file."""
    import numpy as np

    array = _read(path)
    if not isinstance(array, np.ndarray):
        raise IntakeError(f"{path} holds several arrays; save the one that is meant with numpy.save")
    return _numbers(array, str(path))


def read_rows(path: Path) -> np.ndarray:
    """Read a .npy file as a matrix, one row for each image or pattern; raise :class:`ValueError` naming the file."""
    return _rows(read_array(path), str(path))


def read_images(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a .npz file with ``images`` and ``labels``; raise :class:`ValueError` naming the file."""
    import numpy as np

    arrays = _read(path)
    found = [] if isinstance(arrays, np.ndarray) else sorted(arrays)
    missing = {"images", "labels"} - set(found)
    if missing:
        raise IntakeError(
            f"{path} has no array {' and no array '.join(sorted(missing))} (it has: {', '.join(found) or 'none'}); "
            "write it with numpy.savez(FILE, images=..., labels=...)"
        )
    labels = arrays["labels"]
    # Classes may be strings, but not bytes, records or one value for all.
    if labels.ndim == 0 or labels.dtype.kind not in "biufU":
        raise IntakeError(
            f"labels in {path} are of type {labels.dtype} and shape {labels.shape}; give one number or string for "
            "each image"
        )
    return _rows(_numbers(arrays["images"], f"images in {path}"), f"images in {path}"), labels


def _read(path: Path) -> Any:
    """Return an array, or all arrays of an archive by name."""
    from attractor.intake.arrays import read_arrays
    from attractor.intake.errors import DAMAGE, told

    try:
        return read_arrays(path)
    except FileNotFoundError as error:
        raise IntakeError(f"{path}: no such file; check the name") from error
    except OSError as error:
        raise IntakeError(f"{path} cannot be read: {error.strerror or error}; check the file") from error
    except DAMAGE as error:
        raise IntakeError(
            f"{path} is no intact file of numeric arrays: {told(error)}; write it with numpy.save or savez"
        ) from error


def _numbers(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise IntakeError(f"{name}: the values are of type {array.dtype}; give real numbers, with .astype(float)")
    return array


def _rows(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim < 2 or not array.size:
        raise IntakeError(
            f"{name}: the shape is {array.shape}; at least two axes are needed, with one row for each image or "
            "pattern, and something in them"
        )
    return array.reshape(len(array), -1)
