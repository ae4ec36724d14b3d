"""What a network is: specs, records, memory maps and the wire protocol. Needs NumPy and no hardware library."""

from __future__ import annotations

from typing import Any
from warnings import warn

from attractor.intake.documents import parsed_json
from attractor.intake.errors import DAMAGE, told
from attractor.spec.base import IntegerArray, Parameters, ParameterSpec, Spec, SpecError
from attractor.spec.eqprop import EqPropResult, EqPropSpec
from attractor.spec.family import FAMILIES as _FAMILIES
from attractor.spec.family import Family, family_of, find_family, spec_from_dict
from attractor.spec.felif import FelifLayer, FelifResult, FelifSpec
from attractor.spec.memory_map import PAYLOAD_BYTES, MemoryMap, Region, Window
from attractor.spec.oscillator import OscillatorResult, OscillatorSpec
from attractor.spec.records import Field, Record
from attractor.spec.sparse import SparseSpec

__all__ = [
    "PAYLOAD_BYTES",
    "EqPropResult",
    "EqPropSpec",
    "Family",
    "FelifLayer",
    "FelifResult",
    "FelifSpec",
    "Field",
    "IntegerArray",
    "MemoryMap",
    "OscillatorResult",
    "OscillatorSpec",
    "ParameterSpec",
    "Parameters",
    "Record",
    "Region",
    "SparseSpec",
    "Spec",
    "SpecError",
    "Window",
    "family_of",
    "find_family",
    "spec_from_dict",
    "spec_from_json",
]


def spec_from_json(text: str) -> Spec:
    """Build a spec from its JSON; raise :class:`SpecError` if it is damaged."""
    try:
        fields = parsed_json(text)
    except DAMAGE as error:
        raise SpecError(f"a spec must be JSON: {told(error)}") from error
    if not isinstance(fields, dict):
        raise SpecError(f"a spec must be a JSON object, not {type(fields).__name__}")
    return spec_from_dict(fields)


def __getattr__(name: str) -> Any:
    if name == "FAMILIES":
        warn(
            "attractor.spec.FAMILIES is now attractor.spec.family.FAMILIES, which has a Family for each name; "
            "the old name goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        return {family: found.spec for family, found in _FAMILIES.items()}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
