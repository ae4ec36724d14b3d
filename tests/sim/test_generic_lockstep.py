"""The bench that needs nothing from a family but its spec, its golden model and its core."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from attractor.sim.lockstep import LockstepError, Regression, regression
from attractor.sim.lockstep.driver import MismatchError
from attractor.sim.lockstep.generic import compare_parameters
from attractor.sim.lockstep.regression import GENERIC_BENCH
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec, Window, spec_from_dict
from attractor.train.eqprop import initial_parameters

from ..outside import adder_installed  # noqa: TID252

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")

SPECS = {
    "oscillator": OscillatorSpec(oscillators=4, phase_bits=3, weight_bits=3, labels=2, lanes=3, learning=True),
    "eqprop": EqPropSpec(layers=(4, 3, 2), classes=2, state_high=7, counter_bits=2, lanes=2, learning=True),
    "felif": FelifSpec(
        inputs=3, layers=(FelifLayer(neurons=3, kind="lif"), FelifLayer(neurons=2, kind="readout")), ticks=3, lanes=2
    ),
}


@pytest.fixture
def adder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spec]:
    (tmp_path / "site").mkdir()
    with adder_installed(tmp_path / "site", monkeypatch):
        yield spec_from_dict({"family": "adder"})


@needs_icarus
@pytest.mark.parametrize("family", list(SPECS))
def test_every_family_passes(family: str, tmp_path: Path) -> None:
    Regression(SPECS[family], "icarus", tmp_path, bench=GENERIC_BENCH).run(seed=0, calls=range(3))


def test_a_family_without_a_bench_of_its_own_gets_this_one(
    adder: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regression, "build_core", lambda spec: spec)
    monkeypatch.setattr(regression, "to_icarus_verilog", lambda *_: "")
    for family, spec in SPECS.items():
        assert Regression(spec, "icarus", tmp_path / family).bench == f"attractor.sim.lockstep.{family}.bench"
    assert Regression(adder, "icarus", tmp_path / "adder").bench == GENERIC_BENCH


@needs_icarus
def test_a_family_from_outside_passes(adder: Spec, tmp_path: Path) -> None:
    Regression(adder, "icarus", tmp_path / "bench").run(seed=0, calls=range(8))


@needs_icarus
@pytest.mark.parametrize(
    ("broken", "found"),
    [
        ("sum_slip", r"window result, field sum is (-?\d+), expected (-?\d+)"),
        ("learning_slip", r"offset\[0\] is (-?\d+), expected (-?\d+)"),
    ],
)
def test_what_is_wrong_is_found(
    adder: Spec, broken: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adder import AdderCore  # pyright: ignore[reportMissingImports]

    monkeypatch.setattr(AdderCore, broken, 1)
    with pytest.raises(LockstepError) as caught:
        Regression(adder, "icarus", tmp_path / "bench").run(seed=0, calls=range(8))
    match = re.search(rf"seed 0, call \d: after run \d: {found}; no waves", str(caught.value))
    assert match is not None, str(caught.value)
    assert int(match[1]) != int(match[2])


def test_a_copy_that_only_the_core_reads_is_compared() -> None:
    spec = SPECS["eqprop"]
    assert isinstance(spec, EqPropSpec)
    parameters = spec.check_parameters(initial_parameters(spec))
    windows = spec.encode_parameters(parameters)
    held = dict(windows)

    class Driver:
        def __init__(self) -> None:
            self.spec = spec

        async def read(self, window: Window) -> bytes:
            return held[window.name]

    asyncio.run(compare_parameters(Driver(), "run 0", windows, parameters))  # pyright: ignore[reportArgumentType]
    held["down.0"] = bytes([held["down.0"][0] ^ 1]) + held["down.0"][1:]
    with pytest.raises(MismatchError, match=r"after run 0: window down.0, byte\[0\] is \d+, expected \d+"):
        asyncio.run(compare_parameters(Driver(), "run 0", windows, parameters))  # pyright: ignore[reportArgumentType]
