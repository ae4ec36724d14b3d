"""HDF5 files, read by a child process: the library hangs, crashes or takes all memory on some that are damaged."""

from __future__ import annotations

import atexit
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attractor.intake.arrays import checked_type
from attractor.intake.child import Gone, GuardedChild
from attractor.intake.documents import parsed_object
from attractor.intake.errors import IntakeError
from attractor.intake.files import FREE_BYTES, MOST_RATIO
from attractor.intake.text import printable

__all__ = ["MOST_ITEMS", "NoHDF5", "Tree", "most_bytes", "read_group"]

#: Most groups and arrays; links may lead to the same one again and again.
MOST_ITEMS = 4096
_MOST_DEPTH, _MOST_TEXTS, _MOST_TREE = 32, 20_000, 8 << 20
#: Seconds that a child may read a file, and how many bytes of a file give it a second more.
_SECONDS, _BYTES_PER_SECOND = 5.0, 16 << 20
_HEADER_BYTES = 9

#: Groups, arrays (scalars as NumPy's) and texts by name; lists of texts are arrays of objects.
Tree = dict[str, Any]


class NoHDF5(IntakeError):  # noqa: N818
    """A file is not HDF5 at all, or its outermost structure is damaged."""


def read_group(path: str | Path, group: str) -> Tree | None:
    """Return a group of an HDF5 file with all that is in it; None if there is no such group.

    A child that was started before is used again. It is ended if it takes too long, and limited in memory where the
    system can do that.

    Raises
    ------
    NoHDF5
        If the file is not HDF5.
    IntakeError
        If the file is damaged, leads to other files, or takes too much time or memory.
    """
    path = Path(path).resolve()
    size = path.stat().st_size
    limits = {"depth": _MOST_DEPTH, "items": MOST_ITEMS, "texts": _MOST_TEXTS}
    most = max(FREE_BYTES, MOST_RATIO * size)
    request = json.dumps(limits | {"bytes": most, "path": str(path), "group": group}).encode() + b"\n"
    return _CHILD.ask(request, _SECONDS + size / _BYTES_PER_SECOND, _Reading(_CHILD, most).answer)


def most_bytes() -> int:
    """Return the most memory that the child which runs now has taken; 0 if none runs, or the system does not say."""
    return _CHILD.most_bytes()


class _Reading:
    """An answer of the child about a file that may take ``most`` bytes."""

    def __init__(self, child: GuardedChild, most: int) -> None:
        self._child, self._most = child, most

    def answer(self) -> Tree | None:
        length = self._frame(b"T")
        if length is None:
            return None
        if length > _MOST_TREE:
            raise IntakeError(f"names and texts in it have {length:,} bytes; they may have {_MOST_TREE:,}")
        found = self._filled(parsed_object(self._child.read(length)))
        self._frame(b"Z")
        self._child.complete()
        return found

    def _filled(self, node: Mapping[str, Any]) -> Any:
        """Return a part of the tree with the arrays that the child sends."""
        if "group" in node:
            return {name: self._filled(part) for name, part in node["group"].items()}
        if "text" in node:
            text = node["text"]
            return text if isinstance(text, str) else np.array(text, object).reshape(node["shape"])
        said, shape = node["array"]
        dtype, length = checked_type(said), self._frame(b"A")
        if length is None or length > self._most or length != math.prod(shape) * dtype.itemsize:
            raise Gone
        values = np.empty(shape, dtype)
        if length:
            self._child.read_into(values.reshape(-1).view(np.uint8))
        return values[()]

    def _frame(self, expected: bytes) -> int | None:
        """Return the length of a frame of the kind that is expected; None if the child says there is no such group.

        Raise what else it says went wrong.
        """
        header = self._child.read(_HEADER_BYTES)
        kind, length = header[:1], int.from_bytes(header[1:], "little")
        if kind == expected:
            return length
        if kind != b"E" or length > _MOST_TREE:
            raise Gone
        why, text = json.loads(self._child.read(length))
        self._child.complete()
        if why == "memory":
            raise MemoryError
        if why == "hdf5":
            raise NoHDF5(printable(text, 300))
        if text == "missing":
            return None
        known = {
            "deep": f"its groups are nested deeper than {_MOST_DEPTH} levels",
            "many": f"it holds more than {MOST_ITEMS} groups and arrays",
            "large": f"it unpacks to more than {self._most} bytes",
        }
        raise IntakeError(known.get(text, printable(text, 300)))


#: No filters from elsewhere.
_CHILD = GuardedChild(
    Path(__file__).with_name("hdf5_child.py"),
    library="the HDF5 library",
    package="h5py",
    environment={"HDF5_PLUGIN_PRELOAD": "::"},
)
atexit.register(_CHILD.stop)
