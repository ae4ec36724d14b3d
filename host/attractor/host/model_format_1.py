"""Model files of format 1, as version 0.1 wrote them: what inputs and outputs mean is told from the provenance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attractor.host.eqprop.interface import EqPropLearning, PixelBits
from attractor.host.felif.interface import NeuronOutputs, NoteLogits, PianoRoll, Ticks
from attractor.host.interface import Classes, Interface
from attractor.host.oscillator.interface import Patterns, PixelPhases
from attractor.spec import EqPropSpec, FelifSpec, OscillatorSpec, Spec

__all__ = ["divided"]

Provenance = Mapping[str, Any]
#: What the only network trained on chorales heard and said: MIDI number of the lowest note, and output of a logit of 1.
_CHORALES, _LOWEST_NOTE, _LOGIT_ONE = "jsb-chorales-quarter", 43, 256


def divided(spec: Spec, provenance: Provenance) -> tuple[Interface, dict[str, Any]]:
    """Return the meaning that a provenance tells, and what else is in it.

    A provenance that tells none, as of a model that somebody made by hand, stays as it is.
    """
    readers: dict[type[Spec], Callable[[Any, Provenance], tuple[Interface, set[str]]]] = {
        OscillatorSpec: _oscillator,
        EqPropSpec: _eqprop,
        FelifSpec: _felif,
    }
    reader = readers.get(type(spec))
    try:
        interface, moved = reader(spec, provenance) if reader else (Interface(), set())
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        interface, moved = Interface(), set()
    return interface, {name: value for name, value in provenance.items() if name not in moved}


def _oscillator(spec: OscillatorSpec, said: Provenance) -> tuple[Interface, set[str]]:
    if {"classes", "black", "white"} <= said.keys():
        pixels = PixelPhases(said["black"], said["white"], binary=spec.targets > spec.labels)
        return Interface(pixels, Classes(tuple(said["classes"]), by="phases")), {"classes", "black", "white"}
    if "rule" in said and not spec.inputs:
        return Interface(Patterns(), Patterns()), set()
    return Interface(), set()


def _eqprop(spec: EqPropSpec, said: Provenance) -> tuple[Interface, set[str]]:  # noqa: ARG001
    moved = {"classes", "code", "thresholds", "both_signs", "learnt"}
    if not moved | {"seed"} <= said.keys():
        return Interface(), set()
    learning = EqPropLearning(said["thresholds"], said["both_signs"], said["learnt"], said["seed"])
    return Interface(PixelBits(**said["code"]), Classes(tuple(said["classes"])), learning), moved


def _felif(spec: FelifSpec, said: Provenance) -> tuple[Interface, set[str]]:
    if said.get("data") == _CHORALES:
        return Interface(PianoRoll(_LOWEST_NOTE), NoteLogits(_LOWEST_NOTE, _LOGIT_ONE)), set()
    if "nir" in said:
        rules, layers = said["nir"]["rules"], said["nir"]["layers"]
        by = "spikes" if spec.layers[-1].spikes else "voltages"
        ticks = Ticks(rules["dt"], rules["discretisation"], rules["input_scale"])
        return Interface(ticks, NeuronOutputs(by, tuple(layer["steps_per_volt"] for layer in layers))), set()
    return Interface(), set()
