"""Equilibrium Propagation cores in step with their golden model: every state, counter, weight and flip."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from attractor.sim.lockstep import Regression
from attractor.spec import EqPropSpec

#: What differs: layers, lanes that fill no layer, a single lane, states of one bit and of many, narrow and wide
#: counters, how hard the nudge pulls, and cores that do not learn.
SPECS = {
    "two layers": EqPropSpec(layers=(11, 7, 4), classes=2, state_high=12, counter_bits=3, lanes=3, learning=True),
    "three layers": EqPropSpec(
        layers=(9, 5, 6, 6), classes=3, state_high=(5, 1, 50), nudge_shift=2, counter_bits=8, lanes=4, learning=True
    ),
    "one lane": EqPropSpec(layers=(4, 3, 2), classes=2, state_high=7, counter_bits=2, lanes=1, learning=True),
    "no learning": EqPropSpec(layers=(17, 6, 6), classes=3, state_high=(20, 9), lanes=6),
}

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
needs_compiler = pytest.mark.usefixtures("tools")


@needs_compiler
def test_in_verilator(tmp_path: Path) -> None:
    Regression(SPECS["two layers"], "verilator", tmp_path).run(seed=1, calls=range(40))


@pytest.mark.parametrize("name", list(SPECS))
@needs_icarus
def test_in_icarus(name: str, tmp_path: Path) -> None:
    Regression(SPECS[name], "icarus", tmp_path).run(seed=0, calls=range(4))
