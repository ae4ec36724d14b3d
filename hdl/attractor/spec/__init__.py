"""What a network is: specs, memory maps and the wire protocol. Needs NumPy and no hardware library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attractor.spec.base import IntegerArray, Parameters, ParameterSpec, Spec, SpecError
from attractor.spec.eqprop import EqPropSpec
from attractor.spec.eqprop_call import EqPropResult
from attractor.spec.felif import FelifSpec
from attractor.spec.felif_call import FelifResult
from attractor.spec.felif_layer import FelifLayer
from attractor.spec.memory_map import PAYLOAD_BYTES, MemoryMap, Region, Window
from attractor.spec.oscillator import OscillatorResult, OscillatorSpec

__all__ = [
    "FAMILIES",
    "PAYLOAD_BYTES",
    "EqPropResult",
    "EqPropSpec",
    "FelifLayer",
    "FelifResult",
    "FelifSpec",
    "IntegerArray",
    "MemoryMap",
    "OscillatorResult",
    "OscillatorSpec",
    "ParameterSpec",
    "Parameters",
    "Region",
    "Spec",
    "SpecError",
    "Window",
    "spec_from_dict",
    "spec_from_json",
]

#: The network families by name.
FAMILIES: dict[str, type[Spec]] = {spec.family: spec for spec in (OscillatorSpec, EqPropSpec, FelifSpec)}


def spec_from_dict(fields: Mapping[str, Any]) -> Spec:
    """Build the spec of whatever family ``fields`` name; raise :class:`SpecError` if there is none."""
    family = fields.get("family")
    if family not in FAMILIES:
        raise SpecError(f"unknown network family {family!r}; this version knows {', '.join(sorted(FAMILIES))}")
    return FAMILIES[family].from_dict(fields)


def spec_from_json(text: str) -> Spec:
    """Build a spec from its JSON; raise :class:`SpecError` if it is damaged."""
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise SpecError(f"a spec must be JSON: {error}") from error
    if not isinstance(fields, dict):
        raise SpecError(f"a spec must be a JSON object, not {type(fields).__name__}")
    return spec_from_dict(fields)
