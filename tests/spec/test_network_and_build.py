"""A network and its build are two things: what is learnt, and how it is laid out in a device."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt
import pytest

from attractor.spec import (
    EqPropSpec,
    FelifLayer,
    FelifSpec,
    IntegerArray,
    MemoryMap,
    OscillatorSpec,
    ParameterSpec,
    Spec,
    SpecError,
)
from attractor.spec.base import added_field, build_field

SPECS: list[Any] = [
    OscillatorSpec(oscillators=12, inputs=2, labels=3),
    EqPropSpec(layers=(5, 8, 4), classes=2, state_high=3),
    FelifSpec(inputs=3, layers=(FelifLayer(neurons=7, kind="lif"), FelifLayer(neurons=2, kind="readout"))),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.family)
def test_lanes_are_of_the_build_alone(spec: Any) -> None:
    folded = dataclasses.replace(spec, lanes=2)
    assert spec.build_fields() == ("lanes",)
    assert folded != spec
    assert folded.fingerprint != spec.fingerprint
    assert folded.network == spec.network == spec
    assert folded.same_network(spec)
    assert not folded.network_differences(spec)
    assert folded.differences(spec) == [f"lanes: 2, {spec.lanes}"]
    assert folded.build_to_dict() == {"lanes": 2}
    assert folded.network_to_dict() | folded.build_to_dict() == folded.to_dict()
    assert type(spec).from_dict(spec.network_to_dict()) == spec


def test_other_networks_are_told_by_their_fields() -> None:
    one, other = OscillatorSpec(oscillators=12, lanes=3), OscillatorSpec(oscillators=12, weight_bits=6, lanes=4)
    assert not one.same_network(other)
    assert one.network_differences(other) == ["weight_bits: 5, 6"]
    assert not SPECS[0].same_network(SPECS[1])


@dataclass(frozen=True, kw_only=True)
class First(Spec):
    """A spec as a first version has it."""

    family: ClassVar[str] = "growing"

    size: int
    width: int = 4
    lanes: int = build_field(1)

    @property
    def parameters(self) -> dict[str, ParameterSpec]:
        return {}

    @property
    def memory_map(self) -> MemoryMap:
        return MemoryMap(())

    def encode_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, bytes]:  # noqa: ARG002
        return {}

    def decode_parameters(self, windows: Mapping[str, bytes]) -> dict[str, IntegerArray]:  # noqa: ARG002
        return {}


@dataclass(frozen=True, kw_only=True)
class Second(First):
    """The same one version later."""

    gain: int = added_field(1)


def test_a_field_that_is_added_orphans_nothing() -> None:
    old = First(size=3)
    new = Second.from_dict(old.to_dict())
    assert new.gain == 1
    assert new.to_json() == old.to_json()
    assert new.fingerprint == old.fingerprint
    changed = Second(size=3, gain=2)
    assert changed.to_dict()["gain"] == 2
    assert changed.fingerprint != old.fingerprint
    assert Second.from_dict(changed.to_dict()) == changed
    assert new.differences(changed) == ["gain: 1, 2"]


def test_what_is_missing_has_its_default_or_is_asked_for() -> None:
    assert First.from_dict({"family": "growing", "size": 3}) == First(size=3)
    with pytest.raises(
        SpecError, match=r"growing spec is not complete: unknown fields \[\], missing fields \['size'\]"
    ):
        First.from_dict({"family": "growing"})


def test_a_field_of_a_newer_version_is_named() -> None:
    newer = Second(size=3, gain=2).to_dict()
    with pytest.raises(SpecError, match=r"unknown fields \['gain'\].*written by a newer version\? Install that one"):
        First.from_dict(newer)
