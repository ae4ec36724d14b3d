"""NumPy's ``.npy`` and ``.npz`` files, read without running or believing anything in them.

The header of an array is a literal of Python. It is read as one, never evaluated; what it claims is compared with the
bytes that are there before there is room for it.
"""

from __future__ import annotations

import ast
import math
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from attractor.intake.archives import Archive
from attractor.intake.errors import DAMAGE, IntakeError, told

__all__ = ["Array", "checked_type", "read_arrays", "read_npz"]

Array = npt.NDArray[Any]

_MAGIC, _ZIP = b"\x93NUMPY", b"PK"
#: Bytes of the length of a header, by the version of the format.
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
#: Longest header: that of an array of numbers has 118 bytes.
_MOST_HEADER = 4096
_MOST_AXES = 32
_SUFFIX = ".npy"
#: Most arrays of an archive.
_MOST_ARRAYS = 4096
#: Booleans, integers, floats, complex numbers and text of a fixed width. No objects: those would be pickled.
_TYPES = re.compile(r"[<>=|]?(?:b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,7})")
_CHUNK = 1 << 24


def read_arrays(path: str | Path) -> Array | dict[str, Array]:
    """Return the array of a ``.npy`` file, or all arrays of a ``.npz`` file by name; told apart by their first bytes.

    Raises
    ------
    IntakeError
        If it is neither, or damaged.
    OSError
        If it cannot be read.
    """
    with Path(path).open("rb") as file:
        start = file.read(len(_MAGIC))
        file.seek(0)
        if start.startswith(_ZIP):
            return _archived(file)
        size = file.seek(0, 2)
        file.seek(0)
        return _array(file, size, lambda dtype, count: np.fromfile(file, dtype, count))


def read_npz(path: str | Path) -> dict[str, Array]:
    """Return all arrays of a ``.npz`` file by name; errors as of :func:`read_arrays`."""
    with Path(path).open("rb") as file:
        return _archived(file)


def _archived(file: BinaryIO) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    with Archive(file, _MOST_ARRAYS) as archive:
        for name in archive.names:
            if not name.endswith(_SUFFIX):
                raise IntakeError(f"its member {name!r} is no array; it must end in {_SUFFIX}")
            try:
                with archive.open(name) as member:
                    stream: Any = member
                    found = _array(stream, archive.size(name), lambda dtype, count, s=stream: _from(s, dtype, count))
                    if stream.read(1):
                        raise IntakeError("there is more in it than the array")
            except DAMAGE as error:
                raise IntakeError(f"its array {name.removesuffix(_SUFFIX)!r}: {told(error)}") from error
            arrays[name.removesuffix(_SUFFIX)] = found
    return arrays


def _array(stream: BinaryIO, size: int, read: Callable[[np.dtype[Any], int], Array]) -> Array:
    """Return the array of a stream of ``size`` bytes, whose values ``read`` returns."""
    dtype, in_columns, shape, used = _header(stream)
    count = math.prod(shape)
    if count * max(dtype.itemsize, 1) > size - used:
        raise IntakeError(
            f"its header claims {count:,} values of {dtype.itemsize} bytes (shape {shape}), and {size - used:,} bytes "
            "follow"
        )
    values = read(dtype, count)
    if len(values) != count:
        raise IntakeError(f"it ends after {len(values):,} of {count:,} values")
    if dtype.kind == "U" and values.nbytes and values.view(f"{dtype.str[0]}u4").max() > sys.maxunicode:
        raise IntakeError("its text has signs that there are not")
    return values.reshape(shape[::-1]).T if in_columns else values.reshape(shape)


def _header(stream: BinaryIO) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    """Return type, order and shape of an array, and the bytes that its header takes."""
    start = stream.read(len(_MAGIC) + 2)
    if not start.startswith(_MAGIC) or len(start) < len(_MAGIC) + 2:
        raise IntakeError("it does not begin as a file of NumPy does")
    version = start[len(_MAGIC)]
    if version not in _LENGTH_BYTES:
        raise IntakeError(f"its format is of version {version}; 1 to 3 are known")
    prefix = stream.read(_LENGTH_BYTES[version])
    length = int.from_bytes(prefix, "little")
    if length > _MOST_HEADER:
        raise IntakeError(f"its header claims {length:,} bytes; it may have {_MOST_HEADER:,}")
    data = stream.read(length)
    if len(prefix) < _LENGTH_BYTES[version] or len(data) < length:
        raise IntakeError("it ends inside its header")
    fields = _literal(data.decode("utf-8" if version == 3 else "latin-1"))
    if not isinstance(fields, dict) or fields.keys() != {"descr", "fortran_order", "shape"}:
        raise IntakeError("its header does not say type, order and shape")
    shape, in_columns = fields["shape"], fields["fortran_order"]
    whole = isinstance(shape, tuple) and len(shape) <= _MOST_AXES and all(type(n) is int and n >= 0 for n in shape)
    if not whole or not isinstance(in_columns, bool):
        raise IntakeError("shape and order in its header are none")
    return checked_type(fields["descr"]), in_columns, shape, len(start) + len(prefix) + length


def _literal(text: str) -> Any:
    """Return a literal of Python; nothing is evaluated, and nothing deeper nested than a list of pairs is looked at."""
    if text.count("(") + text.count("[") + text.count("{") > 64 or text.count("-") > 64:
        raise IntakeError("its header is nested as that of no array is")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, about strange numbers
            return ast.literal_eval(text.strip())
    except (*DAMAGE, SyntaxError) as error:
        raise IntakeError(f"its header is damaged: {told(error)}") from error


def checked_type(said: Any) -> np.dtype[Any]:
    """Return the type of values that a file names: numbers, text, or records of them; anything else is refused."""
    fields = [entry for entry in said if isinstance(entry, tuple)] if isinstance(said, list) else []
    if fields and len(fields) == len(said) and all(map(_is_field, fields)):
        return np.dtype(fields)
    if not isinstance(said, str) or _TYPES.fullmatch(said) is None:
        raise IntakeError(f"its values are of type {said!r}; numbers and text are read, and no objects")
    return np.dtype(said)


def _is_field(entry: tuple[Any, ...]) -> bool:
    """Whether this describes a number or a text in a record, as a name and a type."""
    return len(entry) == 2 and all(isinstance(part, str) for part in entry) and _TYPES.fullmatch(entry[1]) is not None


def _from(stream: BinaryIO, dtype: np.dtype[Any], count: int) -> Array:
    """Return values of a stream that unpacks them; it holds as many as its archive says."""
    values = np.empty(count, dtype)
    room, done = values.view(np.uint8).data if values.nbytes else memoryview(b""), 0
    while done < len(room):
        part = stream.read(min(_CHUNK, len(room) - done))
        if not part:
            raise IntakeError("its contents are cut off")
        room[done : done + len(part)] = part
        done += len(part)
    return values
