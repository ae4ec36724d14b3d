"""Spiking networks behind the protocol: what a device keeps from call to call, and when it forgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from attractor.golden import FelifNetwork
from attractor.host import Device, Model
from attractor.physics.felif import FelifDevice, felif_parameters
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import FelifLayer, FelifSpec

LAYER = FelifLayer(neurons=6, kind="felif_a", weight_bits=3)
SPEC = FelifSpec(inputs=5, layers=(LAYER, FelifLayer(neurons=3, kind="readout", scale_shift=0)), ticks=4)


@pytest.fixture(scope="module")
def model() -> Model:
    rng = np.random.default_rng(0)
    tables = {f"{name}_0": array for name, array in felif_parameters(LAYER, FelifDevice()).items()}
    synaptic = {
        "weights_0": rng.integers(-1, 4, (6, 5)),
        "scale_0": np.full(6, 50_000),
        "bias_0": np.zeros(6, int),
        "weights_1": rng.integers(-8, 8, (3, 6)),
        "scale_1": np.ones(3, int),
        "bias_1": np.array([1, 2, 3]),
        "decay_1": np.full(3, 32768),
    }
    return Model(SPEC, tables | synaptic)


def run(device: Device, frames: np.ndarray, *, keep: bool) -> list[int]:
    return SPEC.decode_output(device.call(SPEC.encode_input(frames, keep=keep))).outputs.tolist()


def test_a_model_file_is_loaded_and_run(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "chorale.safetensors")
    loaded = Model.load(tmp_path / "chorale.safetensors")
    assert loaded == model
    frames = np.random.default_rng(1).integers(0, 2, (8, 4, 5))
    expected = FelifNetwork(SPEC, model.parameters).run(frames)
    assert expected.spikes.any()
    with Device.open(f"sim:{tmp_path / 'chorale.safetensors'}") as device:
        device.load(loaded)
        found = [SPEC.decode_output(device.call(SPEC.encode_input(sample))) for sample in frames]
    assert [result.outputs.tolist() for result in found] == expected.outputs.tolist()
    assert [result.winner for result in found] == expected.winner.tolist()
    assert [result.spikes for result in found] == expected.spikes.tolist()


def test_states_last_from_call_to_call_until_parameters_are_written(model: Model) -> None:
    frames = np.ones((4, 5), int)
    board = GoldenBoard(SPEC)
    with Device.open(board) as device:
        device.load(model)
        first = run(device, frames, keep=True)
        second = run(device, frames, keep=True)
        whole = FelifNetwork(SPEC, model.parameters).run(np.ones((1, 8, 5), int))
        assert second == whole.outputs[0].tolist() != first
        assert run(device, frames, keep=False) == first
        # The same bytes, written again, are a write too.
        window = SPEC.memory_map.windows[0]
        contents = board.parameter_windows()[window.name]
        assert run(device, frames, keep=True) == second
        device.load(model)
        assert board.parameter_windows()[window.name] == contents
        assert run(device, frames, keep=True) == first
