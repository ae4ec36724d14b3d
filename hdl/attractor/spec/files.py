"""Specs in files: as JSON of their own, or in the header of a model file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attractor.spec import Spec, SpecError, spec_from_json

__all__ = ["HEADER_BYTES", "load_spec"]

#: Longest spec file and longest header of a model file, in bytes: far more than any has, far less than memory.
HEADER_BYTES = 16 << 20
_LENGTH_BYTES = 8


def load_spec(path: str | Path) -> Spec:
    """Read a spec from a ``.json`` file or from the metadata of a ``.safetensors`` model.

    Of a model only the header is read, so that describing hardware needs no library for tensors.

    Raises
    ------
    SpecError
        If the file is missing, damaged or holds no spec; the message names the file and the next step.
    """
    path = Path(path)
    readers = {".json": _read_json, ".safetensors": _read_model}
    reader = readers.get(path.suffix)
    if reader is None:
        raise SpecError(
            f"{path}: cannot tell what kind of file this is; a spec ends in .json, a trained model in .safetensors"
        )
    try:
        text = reader(path)
    except FileNotFoundError as error:
        raise SpecError(f"{path}: no such file; check the name, or train a model first") from error
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not text: {error}; save or copy it again") from error
    try:
        return spec_from_json(text)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error


def _read_json(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(HEADER_BYTES + 1)
    if len(data) > HEADER_BYTES:
        raise SpecError(f"{path} has more than {HEADER_BYTES} bytes, so it is no spec; check the name")
    return data.decode()


def _read_model(path: Path) -> str:
    with path.open("rb") as file:
        length = int.from_bytes(prefix := file.read(_LENGTH_BYTES), "little")
        if len(prefix) == _LENGTH_BYTES and length > HEADER_BYTES:
            raise SpecError(
                f"{path} claims a header of {length} bytes, more than the {HEADER_BYTES} that a model may have; "
                "it is damaged or no model: copy or train it again"
            )
        data = file.read(length)
    if len(prefix) < _LENGTH_BYTES or len(data) < length:
        size = len(prefix) + len(data)
        raise SpecError(f"{path} ends after {size} bytes, inside its header; it was cut off: copy or train it again")
    spec = _metadata(path, data).get("spec")
    if not isinstance(spec, str):
        raise SpecError(f"{path} holds tensors but no spec; it was not saved as a model of this project")
    return spec


def _metadata(path: Path, header: bytes) -> dict[str, Any]:
    try:
        metadata = json.loads(header).get("__metadata__", {})
    except (ValueError, AttributeError) as error:
        raise SpecError(f"{path} has a damaged header: {error}; copy or train it again") from error
    return metadata if isinstance(metadata, dict) else {}
