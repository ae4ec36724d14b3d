"""Model files: integer arrays as safetensors, and beside them, in the header, what they are.

The header's metadata are texts. In format 2, which is written, they are

``format``
    ``attractor-model-2``.
``network``
    The network as JSON, :meth:`attractor.spec.Spec.network_to_dict`.
``build``
    The folding that was asked for when it was trained, as JSON; left out if it is the default one. A preference: the
    model loads into every device of its network.
``interface``
    How inputs are made and outputs are read, :class:`attractor.host.interface.Interface` as JSON; left out
    if not known.
``provenance``
    Data set, rule, seed, metrics, as JSON; left out if there are none.
``sha256``
    Checksum of all other metadata and of the arrays.

Format 1, of version 0.1, has ``spec``, ``provenance`` and ``sha256``; :mod:`attractor.host.model_format_1` reads it.
JSON is canonical, sorted and without white space, so that equal contents are equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy

from attractor.host.interface import Interface
from attractor.intake.tensors import LENGTH_BYTES, read_header
from attractor.spec import IntegerArray, Spec, SpecError, family_of
from attractor.spec.files import MODEL_FORMATS, json_object, spec_of_model

__all__ = [
    "FORMAT",
    "MOST_BYTES",
    "SUFFIX",
    "Contents",
    "Damage",
    "Unknown",
    "canonical",
    "decoded",
    "encoded",
    "hash_of",
]

FORMAT = MODEL_FORMATS[-1]
SUFFIX = ".safetensors"
#: Longest file, in bytes.
MOST_BYTES = 2 << 30
#: Metadata that a file must have, and those that it may have, by its format.
_REQUIRED = {
    MODEL_FORMATS[0]: {"format", "spec", "provenance", "sha256"},
    FORMAT: {"format", "network", "sha256"},
}
_OPTIONAL = {MODEL_FORMATS[0]: set[str](), FORMAT: {"build", "interface", "provenance"}}


class Damage(Exception):  # noqa: N818
    """The contents of a file are not what was saved."""


class Unknown(Exception):  # noqa: N818
    """A file says something that this version does not know; the message says what, and the next step."""


class Contents(NamedTuple):
    """What a model file holds.

    Parameters
    ----------
    spec:
        The network in its preferred folding.
    parameters:
        Arrays as they were found.
    interface:
        Meaning of inputs and outputs.
    provenance:
        Where the parameters came from.
    """

    spec: Spec
    parameters: Mapping[str, IntegerArray]
    interface: Interface
    provenance: Mapping[str, Any]


def encoded(contents: Contents) -> bytes:
    """Return the bytes of a file of format 2."""
    spec = contents.spec
    metadata = {"format": FORMAT, "network": canonical(spec.network_to_dict())}
    if spec != spec.network:
        metadata["build"] = canonical(spec.build_to_dict())
    for name, value in (("interface", contents.interface.to_dict()), ("provenance", dict(contents.provenance))):
        if value:
            metadata[name] = canonical(value)
    metadata["sha256"] = _checksum(metadata, contents.parameters)
    return _canonical_header(safetensors.numpy.save(dict(contents.parameters), metadata))


def decoded(data: bytes) -> Contents:
    """Return what the bytes of a file of any format hold, unaltered; the parameters are still to be checked.

    Raises
    ------
    Damage
        If they are not what was saved.
    Unknown
        If they are of a newer version, or name something that is not installed.
    safetensors.SafetensorError, IntakeError, ValueError
        If they are no tensors.
    """
    metadata = read_header(data).metadata
    tensors = safetensors.numpy.load(data)
    _check_names(metadata)
    found = _checksum(metadata, tensors)
    if found != metadata["sha256"]:
        raise Damage(f"its SHA-256 is {found}, it was saved with {metadata['sha256']}")
    try:
        spec = spec_of_model(metadata)
        return Contents(spec, tensors, *_interface_and_provenance(spec, metadata))
    except SpecError as error:
        raise Unknown(str(error)) from error


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and without white space; raise :class:`ValueError` for what JSON cannot hold."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    except TypeError as error:
        raise ValueError(f"provenance must fit JSON: {error}") from error


def hash_of(texts: list[str], tensors: Mapping[str, IntegerArray]) -> str:
    """Return the SHA-256 of texts in their order, and of arrays by their names, in hexadecimal."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{len(text.encode())}:{text}".encode())
    for name, array in sorted(tensors.items()):
        digest.update(f"{name}:{array.dtype.str}:{array.shape}:".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _check_names(metadata: Mapping[str, str]) -> None:
    """Raise unless the metadata are of a known format, and all there."""
    form = metadata.get("format")
    if form is None:
        raise Damage("its metadata have no format")
    if form not in MODEL_FORMATS:
        raise Unknown(
            f"its format is {form!r}; this version reads {' and '.join(MODEL_FORMATS)}: install the version that "
            "wrote it"
        )
    strange = sorted(metadata.keys() - _REQUIRED[form] - _OPTIONAL[form])
    if strange:
        raise Unknown(f"its metadata have unknown fields {strange}; install the newer version that wrote it")
    missing = sorted(_REQUIRED[form] - metadata.keys())
    if missing:
        raise Damage(f"its metadata have no {', '.join(missing)}")


def _interface_and_provenance(spec: Spec, metadata: Mapping[str, str]) -> tuple[Interface, dict[str, Any]]:
    provenance = json_object(metadata, "provenance")
    if metadata["format"] != FORMAT:
        from attractor.host.model_format_1 import divided  # knows families, whose packages use models

        return divided(spec, provenance)
    family_of(spec).view("calls")  # where the family declares its kinds of inputs and outputs
    return Interface.from_dict(json_object(metadata, "interface")), provenance


def _checksum(metadata: Mapping[str, str], tensors: Mapping[str, IntegerArray]) -> str:
    """Return the SHA-256 of all that a file says, as it says it: fields that were added later change nothing."""
    if metadata["format"] == FORMAT:
        texts = [text for name, value in sorted(metadata.items()) if name != "sha256" for text in (name, value)]
    else:
        texts = [metadata[name] for name in ("format", "spec", "provenance")]
    return hash_of(texts, tensors)


def _plain(value: Any) -> Any:
    """Return NumPy's numbers and arrays as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} of type {type(value).__name__} does not")


def _canonical_header(data: bytes) -> bytes:
    """Return a safetensors file with its header's keys sorted: the library leaves the order of metadata to chance."""
    end = read_header(data).end
    header = json.dumps(json.loads(data[LENGTH_BYTES:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors start at multiples of 8 bytes
    return len(header).to_bytes(LENGTH_BYTES, "little") + header + data[end:]
