"""Safetensors files: the header is checked before the library sees it, or room is made for any tensor."""

from __future__ import annotations

import math
from os import SEEK_END
from pathlib import Path
from typing import Any, NamedTuple

from attractor.intake.documents import parsed_object
from attractor.intake.errors import IntakeError

__all__ = ["HEADER_BYTES", "LENGTH_BYTES", "Tensors", "checked_metadata", "header_of_file", "read_header"]

#: Longest header, in bytes: far more than any has, far less than memory.
HEADER_BYTES = 16 << 20
#: Bytes before the header, which say how long it is.
LENGTH_BYTES = 8
_MOST_TENSORS, _MOST_AXES = 4096, 32
#: Bytes of a value, by the name that the format has for its type.
_TYPES = {"BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2, "U32": 4, "I32": 4, "F32": 4} | {
    "U64": 8,
    "I64": 8,
    "F64": 8,
}


class Tensors(NamedTuple):
    """What a header says.

    Parameters
    ----------
    metadata:
        Texts by name.
    end:
        Bytes of the file before its first tensor.
    """

    metadata: dict[str, str]
    end: int


def header_of_file(path: str | Path) -> tuple[bytes, int]:
    """Return the JSON at the start of a safetensors file, and the number of bytes that follow; read no tensors.

    Raises
    ------
    IntakeError
        If it is longer than :data:`HEADER_BYTES`, or cut off.
    OSError
        If the file cannot be read.
    """
    with Path(path).open("rb") as file:
        prefix = file.read(LENGTH_BYTES)
        length = int.from_bytes(prefix, "little") if len(prefix) == LENGTH_BYTES else 0
        if length > HEADER_BYTES:
            raise IntakeError(f"it claims a header of {length} bytes, more than the {HEADER_BYTES} that it may have")
        data = file.read(length)
        size = file.seek(0, SEEK_END)
    if len(prefix) < LENGTH_BYTES or len(data) < length:
        raise IntakeError(f"it ends after {len(prefix) + len(data)} bytes, inside its header")
    return data, size - LENGTH_BYTES - length


def read_header(data: bytes) -> Tensors:
    """Return what the header of a safetensors file says, once all of it fits the file.

    Raises
    ------
    IntakeError
        If it does not; ``ValueError`` if it is no JSON.
    """
    if len(data) < LENGTH_BYTES:
        raise IntakeError(f"it has {len(data)} bytes, too few to say how long its header is")
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    end = LENGTH_BYTES + length
    if length > HEADER_BYTES:
        raise IntakeError(f"its header has {length} bytes, more than the {HEADER_BYTES} that a model may have")
    if end > len(data):
        raise IntakeError(f"it ends after {len(data)} bytes, inside its header")
    return Tensors(checked_metadata(parsed_object(data[LENGTH_BYTES:end]), len(data) - end), end)


def checked_metadata(header: dict[str, Any], following: int) -> dict[str, str]:
    """Return the texts of a header whose tensors fit the bytes that follow it; raise :class:`IntakeError` if not."""
    header = dict(header)
    metadata = header.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise IntakeError("its metadata are no texts by name")
    if len(header) > _MOST_TENSORS:
        raise IntakeError(f"it has {len(header)} tensors; it may have {_MOST_TENSORS}")
    spans = sorted(_span(name, entry) for name, entry in header.items())
    place = 0
    for start, stop in spans:
        if start != place:
            raise IntakeError("its tensors overlap, or leave gaps")
        place = stop
    if place != following:
        raise IntakeError(f"its tensors have {place:,} bytes, and {following:,} follow its header")
    return metadata


def _span(name: str, entry: Any) -> tuple[int, int]:
    """Return the bytes in which a tensor lies, if they are as many as it needs."""
    try:
        dtype, shape, (start, stop) = entry["dtype"], entry["shape"], entry["data_offsets"]
        sizes = [*shape, start, stop]
    except (TypeError, ValueError, KeyError) as error:
        raise IntakeError(f"its tensor {name[:80]!r} does not say type, shape and place") from error
    if not isinstance(dtype, str) or dtype not in _TYPES:
        raise IntakeError(f"its tensor {name[:80]!r} is of the unknown type {str(dtype)[:20]!r}")
    if len(shape) > _MOST_AXES or not all(type(size) is int and size >= 0 for size in sizes):
        raise IntakeError(f"its tensor {name[:80]!r} has a shape or a place that is none")
    if stop - start != math.prod(shape) * _TYPES[dtype]:
        raise IntakeError(f"its tensor {name[:80]!r} of shape {shape} does not fit its {stop - start} bytes")
    return start, stop
