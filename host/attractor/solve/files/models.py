"""Binary quadratic models as dimod saves them: its binary files, and JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from attractor.intake import IntakeError, refusing
from attractor.intake.documents import parsed_object
from attractor.solve.dimod_extra import dimod
from attractor.solve.files.lines import ProblemFileError, checked_model
from attractor.solve.ising import MOST_OSCILLATORS

__all__ = ["MAGIC", "read_binary", "read_json"]

#: First bytes of a binary file.
MAGIC = b"DIMODBQM"
#: Most values of a model as JSON: two ends and a bias for each coupling, and some more.
_MOST_VALUES = 4 * MOST_OSCILLATORS**2 // 2
#: Longest header of a binary file, in bytes, and the types of its numbers.
_MOST_HEADER, _NUMBER = 1 << 16, re.compile(r"u?int(8|16|32|64)|float(32|64)")
_AGAIN = "save or copy it again"


def read_binary(path: Path, data: bytes) -> dimod.BinaryQuadraticModel:
    """Read what ``BinaryQuadraticModel.to_file`` wrote; :class:`ProblemFileError` if it is damaged."""
    with refusing(ProblemFileError, path, "is no intact model that dimod saved", _AGAIN, Exception):
        _check_indices(data)
        return checked_model(path, dimod.BinaryQuadraticModel.from_file(data))


def _check_indices(data: bytes) -> None:
    """Raise an error if a binary file names variables that it does not have: the library would write beyond memory."""
    end = 14 + int.from_bytes(data[10:14], "little")
    if end > 14 + _MOST_HEADER:
        raise IntakeError(f"its header claims {end - 14:,} bytes; it may have {_MOST_HEADER:,}")
    header = parsed_object(data[14:end])
    variables, interactions = header["shape"]
    if not all(type(size) is int and 0 <= size <= len(data) for size in (variables, interactions)):
        raise IntakeError(f"its shape is {header['shape']}, and it has {len(data):,} bytes")
    types = [str(header[name]) for name in ("dtype", "itype", "ntype")]
    if not all(map(_NUMBER.fullmatch, types)):
        raise IntakeError(f"its numbers are of types {types}")
    bias, index, start = map(np.dtype, types)
    if bias.kind != "f" or index.kind not in "iu" or start.kind not in "iu":
        raise ValueError(f"its numbers are of types {bias}, {index} and {start}")
    linear = np.frombuffer(data, np.dtype([("start", start), ("bias", bias)]), variables, end + bias.itemsize)
    begin = end + bias.itemsize + linear.nbytes
    pairs = np.frombuffer(data, np.dtype([("other", index), ("bias", bias)]), 2 * interactions, begin)
    starts = np.append(linear["start"].astype(np.int64), 2 * interactions)
    if variables and (starts[0] or (np.diff(starts) < 0).any()):
        raise ValueError("its couplings are not in order")
    if ((pairs["other"] < 0) | (pairs["other"] >= variables)).any():
        raise ValueError(f"it couples variables beyond its {variables}")


def read_json(path: Path, text: str) -> dimod.BinaryQuadraticModel:
    """Read JSON of ``BinaryQuadraticModel.to_serializable``; :class:`ProblemFileError` if it is damaged."""
    with refusing(ProblemFileError, path, "is no intact JSON", _AGAIN):
        document = parsed_object(text, most_values=_MOST_VALUES, finite=False)
    kind = document.get("type")
    if kind != "BinaryQuadraticModel":
        raise ProblemFileError(
            f"{path} is JSON of type {kind!r}; write a model with json.dump(bqm.to_serializable(), file)"
        )
    with refusing(ProblemFileError, path, "is no intact model that dimod saved", _AGAIN, Exception):
        ends = [document["quadratic_head"], document["quadratic_tail"]]
        variables, couplings = len(document["linear_biases"]), len(document["quadratic_biases"])
        if np.shape(ends) != (2, couplings) or not all(_is_index(end, variables) for end in ends[0] + ends[1]):
            raise ValueError(f"its couplings do not fit its {variables} variables")
        return checked_model(path, dimod.BinaryQuadraticModel.from_serializable(document))


def _is_index(value: Any, variables: int) -> bool:
    return type(value) is int and 0 <= value < variables
