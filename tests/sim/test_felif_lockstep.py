"""Spiking cores in step with their golden model: every state of every neuron after every tick."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from amaranth.hdl import Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import attractor.hdl.felif.backlash
import attractor.hdl.felif.microstep
import attractor.hdl.felif.sequencer
from attractor.hdl.arithmetic import times_constant
from attractor.hdl.felif.pipeline import clamp
from attractor.sim.lockstep import LockstepError, Regression, simulators
from attractor.spec import FelifLayer, FelifSpec
from attractor.spec.felif.layer import KINDS, LIF, READOUT, RESETS

#: What differs: kinds, resets and states, lanes that fill no layer, a single lane and a single group, recurrent layers,
#: inputs of one bit and of many in one word and in several, and weights, scales and states narrow and wide.
SPECS = {
    "A and B": FelifSpec(
        inputs=5,
        input_bits=4,
        layers=(
            FelifLayer(neurons=7, kind="felif_a", recurrent=True, weight_bits=3),
            FelifLayer(neurons=4, kind="felif_b", scale_shift=2),
        ),
        ticks=6,
        lanes=3,
    ),
    "all kinds": FelifSpec(
        inputs=19,
        layers=(
            FelifLayer(neurons=6, kind="lif", synapse=True, strict=True, reset="value", state_bits=12),
            FelifLayer(neurons=5, kind="felif_b", recurrent=True, weight_bits=8, scale_shift=0),
            FelifLayer(neurons=3, kind="felif_a", weight_bits=2, scale_shift=0),
            FelifLayer(neurons=4, kind="readout", state_bits=32),
        ),
        ticks=5,
        lanes=2,
    ),
    "many neurons": FelifSpec(
        inputs=3,
        input_bits=8,
        layers=(
            FelifLayer(neurons=37, kind="felif_a", recurrent=True, scale_shift=2),
            FelifLayer(neurons=5, kind="felif_a", scale_shift=0),
        ),
        ticks=9,
    ),
    "one lane": FelifSpec(
        inputs=4,
        layers=(FelifLayer(neurons=5, kind="lif", recurrent=True, reset="subtract", scale_bits=1, scale_shift=0),),
        ticks=9,
        lanes=1,
    ),
    "one neuron": FelifSpec(
        inputs=1,
        input_bits=2,
        layers=(FelifLayer(neurons=1, kind="felif_b", recurrent=True), FelifLayer(neurons=1, kind="lif")),
        ticks=3,
    ),
}

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
needs_compiler = pytest.mark.usefixtures("tools")


@pytest.mark.slow
@needs_compiler
def test_in_verilator(tmp_path: Path) -> None:
    Regression(SPECS["A and B"], "verilator", tmp_path).run(seed=1, calls=range(6))


@pytest.mark.parametrize("name", list(SPECS))
@needs_icarus
def test_in_icarus(name: str, tmp_path: Path) -> None:
    Regression(SPECS[name], "icarus", tmp_path).run(seed=0, calls=range(2))


def one_row_further(value: Value, constant: int) -> Value:
    return times_constant(value, constant) + 1


def one_nearer(value: Value, limit: Value) -> Value:
    return (clamp(value, limit) + (value < -limit))[: len(limit) + 1].as_signed()


#: Where and what is broken, and what the bench finds first.
BREAKS: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "rows": (attractor.hdl.felif.sequencer, "times_constant", one_row_further, r"layer \d, neuron \d, sums"),
    "A": (attractor.hdl.felif.backlash, "clamp", one_nearer, r"layer 0, neuron \d, voltage"),
    "B": (attractor.hdl.felif.microstep, "clamp", one_nearer, r"layer 1, neuron \d, (voltage|polarisation)"),
}


@pytest.mark.parametrize("kind", ["rows", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("A", "B"))])
@needs_icarus
def test_a_broken_core_is_found(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, replacement, place = BREAKS[kind]
    monkeypatch.setattr(owner, name, replacement)
    # Some parameters drive voltages beyond their limit.
    regression = Regression(SPECS["A and B"], "icarus", tmp_path)
    with pytest.raises(LockstepError) as caught:
        regression.run(seed=0, calls=range(8))
    found = re.search(r"call \d+: after tick \d+: (.+) is (-?\d+), expected (-?\d+);", str(caught.value))
    assert found is not None, str(caught.value)
    assert re.fullmatch(place, found[1]), found[1]
    assert found[2] != found[3]


@st.composite
def random_layers(draw: st.DrawFn, kinds: tuple[str, ...]) -> FelifLayer:
    kind = draw(st.sampled_from(kinds))
    layer = FelifLayer(
        neurons=draw(st.integers(1, 12)),
        kind=kind,
        weight_bits=draw(st.integers(2, 8)),
        recurrent=kind != READOUT and draw(st.booleans()),
        scale_bits=draw(st.sampled_from([1, 9, 16])),
        scale_shift=draw(st.integers(0, 24)),
    )
    if layer.ferroelectric:
        return layer
    layer = replace(layer, state_bits=draw(st.integers(8, 32)))
    if kind == READOUT:
        return layer
    choices = draw(st.booleans()), draw(st.booleans()), draw(st.sampled_from(RESETS))
    return replace(layer, synapse=choices[0], strict=choices[1], reset=choices[2])


@st.composite
def random_specs(draw: st.DrawFn) -> FelifSpec:
    below = draw(st.lists(random_layers((*KINDS[:2], LIF)), max_size=2))
    layers = (*below, draw(random_layers(KINDS)))
    return FelifSpec(
        inputs=draw(st.integers(1, 20)),
        input_bits=draw(st.sampled_from([1, 1, 2, 5, 8])),
        layers=layers,
        ticks=draw(st.integers(1, 9)),
        lanes=draw(st.integers(0, max(layer.neurons for layer in layers))),
    )


@pytest.mark.slow
@pytest.mark.parametrize("simulator", simulators())
@needs_compiler
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=random_specs(), seed=st.integers(0, 2**32))
def test_random_specs(simulator: str, spec: FelifSpec, seed: int) -> None:
    with TemporaryDirectory() as folder:
        Regression(spec, simulator, Path(folder)).run(seed=seed, calls=range(10 if simulator == "verilator" else 2))
