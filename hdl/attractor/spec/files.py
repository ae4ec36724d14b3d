"""Specs in files: as JSON of their own, or in the header of a model file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attractor.intake import IntakeError
from attractor.intake.documents import parsed_json, parsed_object
from attractor.intake.errors import DAMAGE, advised, told
from attractor.intake.files import read_file
from attractor.intake.tensors import HEADER_BYTES, checked_metadata, header_of_file
from attractor.spec import Spec, SpecError, spec_from_dict, spec_from_json

__all__ = ["HEADER_BYTES", "MODEL_FORMATS", "json_object", "load_spec", "spec_of_model"]

#: Formats of model files that this version reads. The last one is written.
MODEL_FORMATS = ("attractor-model-1", "attractor-model-2")


def load_spec(path: str | Path) -> Spec:
    """Read a spec from a ``.json`` file or from the metadata of a ``.safetensors`` model.

    Of a model only the header is read, so that describing hardware needs no library for tensors, and that no tensor is
    missing is checked. Its network comes in the folding that it was trained for.

    Raises
    ------
    SpecError
        If the file is missing, damaged or holds no spec; the message names the file and the next step.
    """
    path = Path(path)
    readers: dict[str, tuple[Callable[[Path], Any], Callable[[Any], Spec]]] = {
        ".json": (_read_json, spec_from_json),
        ".safetensors": (_read_metadata, spec_of_model),
    }
    if path.suffix not in readers:
        raise SpecError(
            f"{path}: cannot tell what kind of file this is; a spec ends in .json, a trained model in .safetensors"
        )
    read, described = readers[path.suffix]
    try:
        contents = read(path)
    except FileNotFoundError as error:
        raise SpecError(f"{path}: no such file; check the name, or train a model first") from error
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not text: {error}; save or copy it again") from error
    try:
        return described(contents)
    except SpecError as error:
        raise SpecError(f"{path}: {advised(error, 'correct the file, or save it again')}") from error
    except DAMAGE as error:
        raise SpecError(f"{path} holds no intact spec: {told(error)}; save or copy it again") from error


def spec_of_model(metadata: Mapping[str, Any]) -> Spec:
    """Return the spec that the metadata of a model file hold, of whatever format.

    Format 1 has it under ``spec``. Format 2 has the network under ``network`` and, unless it is the default one, the
    folding that it was trained for under ``build``.

    Raises
    ------
    SpecError
        If there is none, the format is of a newer version, or a field is unknown, missing or out of range.
    """
    if not {"spec", "network"} & metadata.keys():
        raise SpecError("it holds tensors but no spec; it was not saved as a model of this project")
    form = metadata.get("format")
    if form not in MODEL_FORMATS:
        raise SpecError(
            f"its format is {form!r}; this version reads {' and '.join(MODEL_FORMATS)}: install the version that "
            "wrote it"
        )
    if form == MODEL_FORMATS[0]:
        return spec_from_dict(json_object(metadata, "spec"))
    network, build = json_object(metadata, "network"), json_object(metadata, "build")
    spec = spec_from_dict({**build, **network})
    strange = sorted(build.keys() - set(spec.build_fields()))
    if strange:
        raise SpecError(
            f"its build names {strange}, which are no fields of a build of family {spec.family!r}; was it written by "
            "a newer version? Install that one, or save the model again"
        )
    return spec


def json_object(metadata: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what the JSON under ``name`` says, nothing if it is missing; raise :class:`SpecError` if it is damaged."""
    text = metadata.get(name, "{}")
    try:
        found = parsed_json(text)
    except DAMAGE as error:
        raise SpecError(f"its {name} is no JSON: {told(error)}; copy or train it again") from error
    if not isinstance(found, dict):
        raise SpecError(f"its {name} is {repr(found)[:80]} instead of a JSON object; copy or train it again")
    return found


def _read_json(path: Path) -> str:
    try:
        return read_file(path, HEADER_BYTES).decode()
    except IntakeError as error:
        raise SpecError(f"{path} has more than {HEADER_BYTES} bytes, so it is no spec; check the name") from error


def _read_metadata(path: Path) -> dict[str, str]:
    try:
        header, following = header_of_file(path)
        try:
            found = parsed_object(header)
        except DAMAGE as error:
            raise SpecError(f"{path} has a damaged header: {told(error)}; copy or train it again") from error
        return checked_metadata(found, following)
    except IntakeError as error:
        raise SpecError(f"{path} is no intact model: {error}; copy or train it again") from error
