"""Spiking cores in step with their golden model: every state of every neuron after every tick."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from attractor.sim.lockstep import Regression
from attractor.spec import FelifLayer, FelifSpec

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
    "one neuron": FelifSpec(inputs=1, input_bits=2, layers=(FelifLayer(neurons=1, kind="felif_b"),), ticks=3),
}

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
needs_compiler = pytest.mark.usefixtures("tools")


@needs_compiler
def test_in_verilator(tmp_path: Path) -> None:
    Regression(SPECS["A and B"], "verilator", tmp_path).run(seed=1, calls=range(6))


@pytest.mark.parametrize("name", list(SPECS))
@needs_icarus
def test_in_icarus(name: str, tmp_path: Path) -> None:
    Regression(SPECS[name], "icarus", tmp_path).run(seed=0, calls=range(2))
