"""The child that reads HDF5 files for :mod:`attractor.intake.hdf5`: a program of its own, started by file name.

The HDF5 library can hang, take all memory or crash on a damaged file, so no process that matters calls it. This one
says ``ready`` on standard output, and then answers each line of standard input, a JSON object with ``path``, ``group``
and limits, by frames: a letter, eight bytes of length, and so many bytes.

===  ==================================================================================================================
T    the tree as JSON: a group is an object ``{"group": {name: ...}}``, text is ``{"text": ...}``, and an array
     ``{"array": [type, shape]}``
A    the bytes of one array, in the order of the tree
Z    nothing; the answer is complete
E    JSON, ``[kind, text]``: why there is no answer, or no more of it
===  ==================================================================================================================
"""

from __future__ import annotations

import json
import sys
from typing import Any, BinaryIO

from attractor.intake.child import limit_memory

#: Bytes of address space beyond those of a fresh child.
MEMORY_BYTES = 384 << 20
_KINDS = "biufcS"


class Refused(Exception):  # noqa: N818
    """The file is none that is read."""


def main() -> None:
    """Answer requests until standard input ends."""
    import h5py

    limit_memory(MEMORY_BYTES)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(b"ready\n")
    answers.flush()
    for line in requests:
        try:
            _answer(h5py, json.loads(line), answers)
        except Refused as error:
            _send(answers, b"E", json.dumps(["refused", str(error)]).encode())
        except MemoryError:
            _send(answers, b"E", json.dumps(["memory", "it needs more memory than a file may"]).encode())
        except OSError as error:
            _send(answers, b"E", json.dumps(["hdf5", str(error)]).encode())
        except Exception as error:  # the library meets damage with whatever error the damage leads to
            _send(answers, b"E", json.dumps(["damaged", f"{type(error).__name__}: {error}"]).encode())
        answers.flush()


def _answer(h5py: Any, request: dict[str, Any], answers: BinaryIO) -> None:
    with h5py.File(request["path"], "r") as file:
        if request["group"] not in file:
            raise Refused("missing")
        tree = _Tree(h5py, request)
        found = json.dumps(tree.group(file[request["group"]], 0)).encode()
        _send(answers, b"T", found)
        for dataset in tree.arrays:
            array = dataset[()]
            _send(answers, b"A", memoryview(array.tobytes()))
            del array
        _send(answers, b"Z", b"")


def _send(answers: BinaryIO, kind: bytes, data: bytes | memoryview) -> None:
    answers.write(kind + len(data).to_bytes(8, "little"))
    answers.write(data)


class _Tree:
    """A group and all that is in it; nothing leads out of the file."""

    def __init__(self, h5py: Any, limits: dict[str, Any]) -> None:
        self.arrays: list[Any] = []
        self._h5py = h5py
        self._limits = limits
        self._items = self._bytes = self._texts = 0

    def group(self, group: Any, depth: int) -> dict[str, Any]:
        """Return a group."""
        if depth > self._limits["depth"]:
            raise Refused("deep")
        self._count()
        found = {}
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, self._h5py.ExternalLink):
                raise Refused(f"{name!r} leads to another file")
            item = group[name]
            if isinstance(item, self._h5py.Group):
                found[name] = self.group(item, depth + 1)
            elif isinstance(item, self._h5py.Dataset):
                found[name] = self._dataset(name, item)
        return {"group": found}

    def _count(self) -> None:
        self._items += 1
        if self._items > self._limits["items"]:
            raise Refused("many")

    def _dataset(self, name: str, item: Any) -> dict[str, Any]:
        self._count()
        if item.is_virtual or item.external:
            raise Refused(f"{name!r} lies in another file")
        shape, dtype = item.shape, item.dtype
        if shape is None:
            raise Refused(f"{name!r} is empty")
        count = 1
        for size in shape:
            count *= int(size)
        self._bytes += count * max(dtype.itemsize, 1)
        if self._bytes > self._limits["bytes"]:
            raise Refused("large")
        if dtype.kind == "O":
            return self._text(name, item, count)
        if dtype.kind not in _KINDS:
            raise Refused(f"{name!r} holds values of type {dtype}")
        self.arrays.append(item)
        return {"array": [dtype.str, list(shape)]}

    def _text(self, name: str, item: Any, count: int) -> dict[str, Any]:
        self._texts += count
        if self._h5py.check_string_dtype(item.dtype) is None:
            raise Refused(f"{name!r} holds values of type {item.dtype}")
        if self._texts > self._limits["texts"]:
            raise Refused(f"{name!r} holds {count:,} texts")
        found = item[()]
        return {"text": _decoded(found) if item.shape == () else [_decoded(text) for text in found.ravel()]} | (
            {} if item.shape == () else {"shape": list(item.shape)}
        )


def _decoded(text: Any) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


if __name__ == "__main__":
    main()
