"""Models: a spec, trained parameters and where they came from, in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from attractor.host.errors import ModelFileError
from attractor.machine.files import write_whole
from attractor.spec import IntegerArray, Spec, SpecError, spec_from_json
from attractor.spec.files import HEADER_BYTES

__all__ = ["FORMAT", "SUFFIX", "Model"]

#: Raised when the meaning of a model file changes.
FORMAT = "attractor-model-1"
SUFFIX = ".safetensors"
_LENGTH_BYTES = 8


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network, checked and read-only.

    Parameters
    ----------
    spec:
        The network.
    parameters:
        Integer arrays as ``spec.parameters`` describes them; copied.
    provenance:
        Where they came from: data set, rule, seed, metrics. Anything that JSON can hold; copied.

    Raises
    ------
    SpecError
        If a parameter does not fit the spec.
    ValueError
        If JSON cannot hold the provenance.
    """

    spec: Spec
    parameters: Mapping[str, IntegerArray]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked = self.spec.check_parameters(self.parameters)
        # In C order, because the library saves other arrays' memory as if it were.
        arrays = {name: np.array(array, order="C") for name, array in checked.items()}
        for array in arrays.values():
            array.setflags(write=False)
        object.__setattr__(self, "parameters", MappingProxyType(arrays))
        object.__setattr__(self, "provenance", MappingProxyType(json.loads(_canonical(dict(self.provenance)))))

    @property
    def digest(self) -> str:
        """SHA-256 of spec, parameters and provenance, in hexadecimal."""
        digest = hashlib.sha256()
        for part in (FORMAT, self.spec.to_json(), _canonical(dict(self.provenance))):
            digest.update(f"{len(part.encode())}:{part}".encode())
        for name, array in sorted(self.parameters.items()):
            digest.update(f"{name}:{array.dtype.str}:{array.shape}:".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Model) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return Model, (self.spec, dict(self.parameters), dict(self.provenance))

    def save(self, path: str | Path) -> None:
        """Write the model to a ``.safetensors`` file, whole or not at all; equal models give equal bytes.

        Raises
        ------
        ModelFileError
            If the file cannot be written, or its name does not end in ``.safetensors``.
        """
        path = Path(path)
        if path.suffix != SUFFIX:
            raise ModelFileError(f"{path}: the name of a model file ends in {SUFFIX}")
        try:
            write_whole(path, self._to_bytes())
        except OSError as error:
            raise ModelFileError(
                f"{path} cannot be written: {error.strerror}; choose a folder that exists and that you may write to"
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read a model file and check that nothing in it was altered.

        Raises
        ------
        ModelFileError
            If the file is missing, damaged, altered or no model; the message names the file and the reason.
        """
        path = Path(path)
        try:
            return cls._from_bytes(path.read_bytes())
        except FileNotFoundError as error:
            raise ModelFileError(f"{path}: no such file; check the name, or train a model first") from error
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read: {error.strerror}; check its permissions") from error
        except (safetensors.SafetensorError, _Damage, SpecError, ValueError) as error:
            raise ModelFileError(f"{path} is no intact model file: {error}; copy it again or train it again") from error

    def _to_bytes(self) -> bytes:
        metadata = {
            "format": FORMAT,
            "spec": self.spec.to_json(),
            "provenance": _canonical(dict(self.provenance)),
            "sha256": self.digest,
        }
        return _canonical_header(safetensors.numpy.save(dict(self.parameters), metadata))

    @classmethod
    def _from_bytes(cls, data: bytes) -> Model:
        tensors = safetensors.numpy.load(data)
        # The library has checked the header, but gives metadata only for files.
        metadata = json.loads(data[_LENGTH_BYTES : _LENGTH_BYTES + _header_length(data)]).get("__metadata__") or {}
        missing = sorted({"format", "spec", "provenance", "sha256"} - metadata.keys())
        if missing:
            raise _Damage(f"its metadata have no {', '.join(missing)}")
        if metadata["format"] != FORMAT:
            raise _Damage(f"its format is {metadata['format']!r}, this version reads {FORMAT!r}")
        model = cls(spec_from_json(metadata["spec"]), tensors, json.loads(metadata["provenance"]))
        if model.digest != metadata["sha256"]:
            raise _Damage(f"its SHA-256 is {model.digest}, it was saved with {metadata['sha256']}")
        return model


class _Damage(Exception):  # noqa: N818
    pass


def _canonical(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    except TypeError as error:
        raise ValueError(f"provenance must fit JSON: {error}") from error


def _plain(value: Any) -> Any:
    """Return NumPy's numbers and arrays as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} of type {type(value).__name__} does not")


def _header_length(data: bytes) -> int:
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    if length > HEADER_BYTES:
        raise _Damage(f"its header has {length} bytes, more than the {HEADER_BYTES} that a model may have")
    return length


def _canonical_header(data: bytes) -> bytes:
    """Return a safetensors file with its header's keys sorted: the library leaves the order of metadata to chance."""
    end = _LENGTH_BYTES + _header_length(data)
    header = json.dumps(json.loads(data[_LENGTH_BYTES:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors start at multiples of 8 bytes
    return len(header).to_bytes(_LENGTH_BYTES, "little") + header + data[end:]
