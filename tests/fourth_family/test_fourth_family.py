"""A family that lives in this folder alone: all that works with networks works with it, by one entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.cli import main
from attractor.gateware.boards import find_board
from attractor.gateware.build import build
from attractor.gateware.estimate import estimate
from attractor.golden import network
from attractor.host import Device, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.lockstep import LockstepError, Regression, simulators
from attractor.spec import Region, Spec, SpecError, family, find_family, spec_from_json
from attractor.trials import trials_of
from attractor.verify import accept

from ..gateware.fit_luts import utilisation  # noqa: TID252

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TEXT = '{"family":"threshold","inputs":13,"gates":11,"lanes":4}'


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the folder where installed packages are, for this process and for those that it starts."""
    monkeypatch.syspath_prepend(HERE)
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    family.forget()
    yield
    family.forget()


@pytest.fixture
def spec() -> Any:
    return spec_from_json(TEXT)


@pytest.fixture
def file(spec: Spec, tmp_path: Path) -> Path:
    path = tmp_path / "gates.json"
    path.write_text(spec.to_json(), encoding="utf-8")
    return path


def drawn(spec: Any, seed: int = 0) -> Model:
    rng = np.random.default_rng(seed)
    parameters = trials_of(spec).parameters(spec, rng)
    return Model(spec, parameters | {"thresholds": parameters["thresholds"] // 8})


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run ``attractor``; return what it prints as JSON."""

    def command(*words: object) -> Any:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--json", *map(str, words)])
        captured = capsys.readouterr()
        assert ended.value.code == 0, captured.err
        return json.loads(captured.out)

    return command


def test_it_is_found_by_its_name(spec: Any) -> None:
    assert type(spec).__name__ == "ThresholdSpec"
    assert spec.groups == 3
    assert spec_from_json(spec.to_json()) == spec
    assert find_family("threshold").spec is type(spec)
    with pytest.raises(SpecError, match="did you mean 'threshold'"):
        find_family("treshold")


def test_nothing_of_the_project_names_it() -> None:
    named = [
        path
        for folder in ("hdl", "gateware", "sim", "host")
        for path in (ROOT / folder).rglob("*.py")
        if "threshold_gates" in path.read_text(encoding="utf-8")
    ]
    assert not named


@pytest.mark.parametrize("prefix", ["sim", "rtl"])
def test_a_device_is_loaded_and_called(spec: Any, file: Path, prefix: str) -> None:
    model, rng = drawn(spec), np.random.default_rng(1)
    golden = network(spec, model.parameters)
    with Device.open(f"{prefix}:{file}") as device:
        device.load(model)
        assert device.holds(model)
        for _ in range(8):
            inputs = spec.encode_input(rng.integers(0, 2, 13))
            found, expected = (spec.decode_output(data) for data in (device.call(inputs), golden.call(inputs)))
            assert found["outputs"]["on"].tolist() == expected["outputs"]["on"].tolist()
            assert found["result"]["on"] == expected["result"]["on"]
            if prefix == "rtl":
                assert found["result"]["cycles"] == spec.groups * (2 * spec.inputs + 3)
        on = [network(spec, drawn(spec, seed).parameters).call(inputs) for seed in range(9)]
        assert len(set(on)) > 1  # networks can be told apart by what they answer


def test_a_model_runs_in_any_folding(spec: Any, tmp_path: Path) -> None:
    path = tmp_path / "gates.safetensors"
    drawn(spec).save(path)
    model, inputs = Model.load(path), spec.encode_input(np.arange(13) % 2)
    answers = set()
    for lanes in (0, 1, 3, 8):
        with Device.open(GoldenBoard(type(spec)(inputs=13, gates=11, lanes=lanes))) as device:
            device.load(model)
            answers.add(device.call(inputs))
    assert len(answers) == 1


def test_a_device_passes_the_acceptance_test(file: Path) -> None:
    with Device.open(f"rtl:{file}") as device:
        found = accept(device, calls=8, seed=3)
    assert found.exact
    assert found.calls >= 8


def test_a_device_that_differs_does_not_pass(spec: Any) -> None:
    class Wrong(GoldenBoard):
        def _run(self, windows: dict[str, bytes], inputs: bytes) -> bytes:
            outputs = bytearray(super()._run(windows, inputs))
            outputs[self.spec.memory_map["result"].size] ^= 1
            return bytes(outputs)

    with Device.open(Wrong(spec)) as device:
        found = accept(device, calls=4, seed=3)
    assert not found.exact
    assert "outputs" in str(found.first_difference)


def test_the_core_keeps_in_step_with_the_golden_model(spec: Any, tmp_path: Path) -> None:
    Regression(spec, simulators()[-1], tmp_path).run(seed=1, calls=range(6))


def test_a_broken_core_does_not(spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from threshold_gates.core import ThresholdCore

    class Broken(ThresholdCore):
        def elaborate(self, platform: object) -> Any:
            m = super().elaborate(platform)
            m.d.comb += self.outputs.values.on[0].eq(0)
            return m

    monkeypatch.setattr("threshold_gates.core.ThresholdCore", Broken)
    with pytest.raises(LockstepError, match="outputs"):
        Regression(spec, simulators()[-1], tmp_path).run(seed=1, calls=range(6))


def test_the_commands_know_it(file: Path, command: Any) -> None:
    told = command("info", file)
    assert told["spec"]["family"] == "threshold"
    assert command("test", file, "--calls", 2)["exact"]
    assert command("test", "--port", f"rtl:{file}", "--calls", 2)["exact"]
    assert command("info", "--port", f"sim:{file}")["spec"] == told["spec"]


def test_the_command_knows_it_in_a_process_of_its_own(file: Path) -> None:
    line = [sys.executable, "-m", "attractor.cli", "--json", "info", str(file)]
    result = subprocess.run(line, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)["spec"]["family"] == "threshold"


def test_its_memory_map_has_its_windows(spec: Any) -> None:
    windows = {window["name"] for window in spec.memory_map.describe()}
    assert windows == {"weights.0", "thresholds.0", "sample", "result", "outputs"}
    assert spec.memory_map.region(Region.INPUT)


def test_it_is_estimated(spec: Any) -> None:
    board = find_board("icebreaker")
    expected, used = estimate(spec, board), utilisation(spec, board)
    assert expected.fits
    assert used["ICESTORM_LC"] == pytest.approx(expected.luts, rel=expected.tolerance)
    assert used["ICESTORM_RAM"] == expected.block_rams


@pytest.mark.slow
def test_it_is_built(spec: Any) -> None:
    assert build(spec, find_board("icebreaker")).spec == spec
