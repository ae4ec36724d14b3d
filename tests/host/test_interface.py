"""What a model means survives JSON as it was, and nothing else is taken for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from attractor.host.eqprop import EqPropLearning, PixelBits
from attractor.host.felif import NeuronOutputs, NoteLogits, PianoRoll, Ticks
from attractor.host.interface import Classes, Interface, Part
from attractor.host.oscillator import Patterns, PixelPhases
from attractor.spec import SpecError
from attractor.train.pixels import PixelCode

PARTS = [
    Classes((3, -1, 7)),
    Classes(("a", "b"), by="phases"),
    Classes((True, False)),
    Classes((0.5, 1.0, -2.0)),
    PixelPhases(0.0, 16.0),
    PixelPhases(-1.0, 1.0, sections=4, binary=True),
    Patterns(),
    Patterns(0.5),
    PixelBits(4, 0.0, 1.0, (0.25, 0.75), (0, 3, 7)),
    EqPropLearning((11, 4), both_signs=True, learnt=30, seed=2**70),
    Ticks(1e-3, "exponential", 2.0),
    NeuronOutputs("spikes", (64.0, 1.0)),
    PianoRoll(43),
    NoteLogits(43, 256.0),
]


def through_json(value: dict[str, Any]) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.kind)
def test_parts_survive_json(part: Part) -> None:
    found = Part.from_dict(through_json(part.to_dict()))
    assert found == part
    assert type(found) is type(part)
    if isinstance(part, Classes):
        assert isinstance(found, Classes)
        assert list(map(type, found.names)) == list(map(type, part.names))
        assert json.dumps(found.names) == json.dumps(part.names)


def test_interfaces_survive_json() -> None:
    for interface in (
        Interface(),
        Interface(inputs=PixelPhases(0, 1)),
        Interface(PixelBits(4, 0, 1, (0.5,), (1,)), Classes((0, 1)), EqPropLearning((3,))),
    ):
        assert Interface.from_dict(through_json(interface.to_dict())) == interface
    assert Interface().to_dict() == {}


def test_numbers_are_what_they_are_however_they_were_given() -> None:
    assert PixelPhases(0, np.float32(1.5)).to_dict() == PixelPhases(0.0, 1.5).to_dict()
    assert json.dumps(PixelPhases(0, 1).to_dict()) == json.dumps(PixelPhases(0.0, 1.0).to_dict())
    assert Classes(tuple(np.arange(3))) == Classes((0, 1, 2))
    assert json.dumps(Classes(tuple(np.arange(2))).to_dict()) == json.dumps(Classes((0, 1)).to_dict())


def test_fields_of_an_earlier_version_keep_their_defaults() -> None:
    assert Part.from_dict({"kind": "pixel-phases", "black": 0, "white": 1}) == PixelPhases(0.0, 1.0)
    assert Part.from_dict({"kind": "eqprop-learning", "thresholds": [3]}) == EqPropLearning((3,))


def test_pixel_bits_are_the_fields_of_the_code() -> None:
    code = PixelCode.of_images(np.random.default_rng(0).random((9, 4)), (0.25, 0.75), most=5)
    assert PixelCode(**vars(PixelBits(**vars(code)))) == code


def test_kinds_of_others_are_known_once_they_are_imported() -> None:
    @dataclass(frozen=True)
    class Degrees(Part, kind="degrees-of-a-test"):
        zero: float = 0.0

    assert Part.from_dict({"kind": "degrees-of-a-test", "zero": 3}) == Degrees(3)
    assert replace(Interface(), inputs=Degrees()).to_dict() == {"inputs": {"kind": "degrees-of-a-test", "zero": 0.0}}
    with pytest.raises(TypeError, match="cannot be of kind 'degrees-of-a-test'"):

        class Other(Part, kind="degrees-of-a-test"):
            pass


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (3, "of an unknown kind, None; this version knows classes, .*install the version, or the package"),
        ({}, "of an unknown kind, None"),
        ({"kind": ["classes"]}, "of an unknown kind, None|of an unknown kind, \\['classes'\\]"),
        ({"kind": "spectrum"}, "of an unknown kind, 'spectrum'"),
        ({"kind": "classes"}, r"the description 'classes' is not complete: .*missing fields \['names'\]"),
        ({"kind": "classes", "names": [1], "colour": 3}, r"unknown fields \['colour'\].* newer version\? Install"),
        ({"kind": "classes", "names": 3}, "the description 'classes' is damaged: .*save the model again"),
        ({"kind": "classes", "names": []}, "there must be one at least, and all of them different"),
        ({"kind": "classes", "names": [1, 1]}, "there must be one at least, and all of them different"),
        ({"kind": "classes", "names": [None]}, "a class is None; models keep classes that are integers"),
        ({"kind": "classes", "names": [[1]]}, "a class is \\[1\\]"),
        ({"kind": "classes", "names": [1], "by": "luck"}, "by is 'luck'; it must be one of phases, scores"),
        ({"kind": "pixel-phases", "black": "0", "white": 1}, "black is '0'; it must be a finite number"),
        ({"kind": "pixel-phases", "black": 0, "white": True}, "white is True"),
        ({"kind": "pixel-phases", "black": 0, "white": 1, "sections": 0}, "sections is 0"),
        ({"kind": "pixel-phases", "black": 0, "white": 1, "binary": 2}, "binary is 2"),
        ({"kind": "patterns", "threshold": []}, "threshold is \\[\\]"),
        (PARTS[8].to_dict() | {"inputs": [8]}, "an input is 8; it must lie between 0 and 7"),
        (PARTS[8].to_dict() | {"inputs": []}, "no levels or no inputs"),
        (PARTS[8].to_dict() | {"pixels": 0}, "pixels is 0"),
        (PARTS[8].to_dict() | {"levels": None}, "is damaged"),
        (PARTS[9].to_dict() | {"learnt": -1}, "learnt is -1"),
        (PARTS[9].to_dict() | {"seed": "x"}, "seed is 'x'"),
        (PARTS[9].to_dict() | {"thresholds": [1.5]}, "a threshold must be an integer"),
        (PARTS[9].to_dict() | {"both_signs": 1}, "both_signs is 1"),
        (PARTS[10].to_dict() | {"dt": 0}, "dt is 0; it must be positive"),
        (PARTS[10].to_dict() | {"discretisation": "heun"}, "discretisation is 'heun'"),
        (PARTS[11].to_dict() | {"steps_per_volt": ["many"]}, "steps_per_volt is 'many'"),
        (PARTS[12].to_dict() | {"lowest": 128}, "lowest is 128"),
        (PARTS[13].to_dict() | {"one": -1}, "one is -1"),
    ],
)
def test_damaged_parts_are_named(fields: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Part.from_dict(fields)


def test_sections_of_a_newer_version_are_named() -> None:
    with pytest.raises(SpecError, match=r"inputs and outputs is not complete: unknown fields \['clock'\]"):
        Interface.from_dict({"clock": {}})


@pytest.mark.parametrize("name", [float("nan"), float("inf"), None, b"a", (1,)])
def test_classes_that_no_file_can_keep(name: Any) -> None:
    with pytest.raises(SpecError, match="models keep classes that are integers, finite numbers, strings or booleans"):
        Classes((name,))
