"""Devices of the felif family: sequences whole, in parts and tick by tick, on both simulated boards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attractor.golden import FelifNetwork
from attractor.host import Device, LinkError, Model, ModelMismatch
from attractor.host.felif import FelifCalls, joined_results
from attractor.physics.felif import FelifDevice, felif_parameters
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.rtl_board import RtlBoard
from attractor.sim.verilator import ToolError, find_compiler, find_verilator
from attractor.spec import EqPropSpec, FelifLayer, FelifResult, FelifSpec, SpecError

COUNTING = FelifSpec(
    inputs=6,
    input_bits=3,
    layers=(
        FelifLayer(neurons=7, kind="felif_a", recurrent=True, scale_shift=0),
        FelifLayer(neurons=3, kind="lif", scale_shift=0),
    ),
    ticks=4,
    lanes=3,
)
READING = replace(COUNTING, layers=(COUNTING.layers[0], FelifLayer(neurons=3, kind="readout", scale_shift=0)))


def random_model(spec: FelifSpec, seed: int = 0) -> Model:
    """Return a network that spikes now and then."""
    rng, parameters = np.random.default_rng(seed), {}
    for name, part in spec.parameters.items():
        parameters[name] = rng.integers(np.asarray(part.low), np.asarray(part.high) + 1, part.shape)
    hidden, last = spec.layers
    values: dict[str, Any] = {f"{name}_0": value for name, value in felif_parameters(hidden, FelifDevice()).items()}
    values |= {"scale_0": rng.integers(900, 2500, hidden.neurons), "bias_0": rng.integers(0, 4000, hidden.neurons)}
    values |= {"scale_1": rng.integers(500, 2000, last.neurons), "bias_1": rng.integers(0, 500, last.neurons)}
    values["threshold_1"] = rng.integers(1000, 9000, last.neurons)
    return Model(spec, parameters | {name: value for name, value in values.items() if name in parameters})


def random_frames(spec: FelifSpec, *shape: int) -> np.ndarray:
    low, high = spec.input_range
    return np.random.default_rng(sum(shape)).integers(low, high + 1, (*shape, spec.inputs))


@pytest.fixture(params=["counting", "reading"])
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    spec = {"counting": COUNTING, "reading": READING}[request.param]
    with Device.open(GoldenBoard(spec)) as opened:
        opened.load(random_model(spec))
        yield opened


def golden(device: Device) -> tuple[FelifSpec, FelifNetwork]:
    assert isinstance(device.spec, FelifSpec)
    return device.spec, FelifNetwork(device.spec, random_model(device.spec).parameters)


def check(result: FelifResult, network: FelifNetwork, frames: np.ndarray) -> None:
    run = network.run(frames[None])
    assert result.outputs.tolist() == run.outputs[0].tolist()
    assert (result.winner, result.spikes, result.ticks) == (run.winner[0], run.spikes[0], len(frames))
    assert not result.aborted


@pytest.mark.parametrize("ticks", [1, 4, 5, 11])
def test_a_sequence_of_any_length_is_the_golden_models(device: Device, ticks: int) -> None:
    spec, network = golden(device)
    frames = random_frames(spec, ticks)
    check(device.network.run_sequence(frames), network, frames)
    check(device.network.run_sequence(frames), network, frames)


def test_a_batch_begins_anew_with_each_sequence(device: Device) -> None:
    spec, network = golden(device)
    batch, told = random_frames(spec, 5, 6), []
    results = device.network.run_sequences(batch, progress=lambda *done: told.append(done))
    for result, frames in zip(results, batch, strict=True):
        check(result, network, frames)
    assert told == [(done, 5) for done in range(1, 6)]


def test_ticks_one_by_one_are_the_trace(device: Device) -> None:
    spec, network = golden(device)
    frames, told = random_frames(spec, 9), []
    results = device.network.run_ticks(frames, progress=lambda *done: told.append(done))
    traces = network.run(frames[None], trace=True).traces
    assert traces is not None
    trace = traces[-1]
    expected = trace.spikes if spec.layers[-1].spikes else trace.voltage
    assert [result.outputs.tolist() for result in results] == expected[:, 0].astype(int).tolist()
    assert told == [(done, 9) for done in range(1, 10)]


def test_a_sequence_goes_on_where_the_last_one_ended_unless_it_was_loaded(device: Device) -> None:
    spec, network = golden(device)
    frames = random_frames(spec, 10)
    parts = [device.network.run_sequence(frames[:3]), device.network.run_sequence(frames[3:], keep=True)]
    check(joined_results(spec, parts), network, frames)
    device.load(random_model(spec, seed=1))
    device.load(random_model(spec))
    check(device.network.run_sequence(frames, keep=True), network, frames)


def test_the_sequences_tell_networks_apart() -> None:
    """Were all outputs 0, the tests above would say little."""
    for spec in (COUNTING, READING):
        network = FelifNetwork(spec, random_model(spec).parameters)
        run = network.run(random_frames(spec, 5, 6))
        assert run.spikes.all()
        assert np.unique(run.outputs, axis=0).shape[0] > 1


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((3, 5), int), r"shape \(3, 5\); the last axis must have 6 entries"),
        (np.zeros(6, int), r"shape \(6,\); a sequence has shape \(ticks, 6\)"),
        (np.zeros((0, 6), int), r"shape \(0, 6\); a sequence .* at least one tick"),
        (np.full((1, 6), 4), "an input value is 4; it must lie between -4 and 3"),
        (np.zeros((1, 6)), "input values have type float64"),
    ],
)
def test_bad_sequences_name_the_value(device: Device, frames: np.ndarray, message: str) -> None:
    for run in (device.network.run_sequence, device.network.run_ticks):
        with pytest.raises(SpecError, match=message):
            run(frames)


def test_a_batch_has_three_axes(device: Device) -> None:
    with pytest.raises(SpecError, match=r"shape \(2, 6\); a batch has shape \(sequences, ticks, 6\)"):
        device.network.run_sequences(np.zeros((2, 6), int))


def test_a_device_of_another_family_or_without_parameters_refuses() -> None:
    board = GoldenBoard(EqPropSpec(layers=(2, 2, 2), classes=2, state_high=1))
    with Device.open(board) as other:
        with pytest.raises(ModelMismatch, match="family 'eqprop', whose calls are EqPropCalls, not FelifCalls"):
            other.network_as(FelifCalls)
        with pytest.raises(
            AttributeError, match=r"'run_sequence' is nothing .* 'eqprop'; .* has classify, infer, learn_s"
        ):
            other.run_sequence(np.zeros((1, 6), int))
    with Device.open(GoldenBoard(COUNTING)) as empty, pytest.raises(LinkError, match="load a model first"):
        empty.network.run_sequence(np.zeros((1, 6), int))


def test_an_aborted_part_is_the_last_one(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, network = golden(device)
    frames, whole = random_frames(spec, 12), Device.calls

    def calls(*arguments: Any, **options: Any) -> Iterator[bytes]:
        for index, data in enumerate(whole(*arguments, **options)):
            yield bytes([2 if index == 1 else 0]) + data[1:]

    monkeypatch.setattr(Device, "calls", calls)
    result = device.network.run_sequence(frames)
    assert result.aborted
    check(replace(result, aborted=False), network, frames[:8])


# The gateware


@pytest.fixture
def rtl_device() -> Iterator[Device]:
    try:
        find_verilator()
        find_compiler()
    except ToolError as error:
        pytest.skip(str(error))
    with RtlBoard(COUNTING) as board, Device.open(board, timeout=120.0) as opened:
        yield opened


def test_the_gateware_answers_as_the_golden_board_does(rtl_device: Device) -> None:
    spec, frames = COUNTING, random_frames(COUNTING, 11)
    network = FelifNetwork(spec, random_model(spec).parameters)
    rtl_device.load(random_model(spec))
    assert rtl_device.holds(random_model(spec))
    result = rtl_device.network.run_sequence(frames)
    check(result, network, frames)
    assert result.cycles > 11 * 7
    again = rtl_device.network.run_sequence(frames)
    check(again, network, frames)
    assert again.cycles == result.cycles
    parts = [rtl_device.network.run_sequence(frames[:5]), rtl_device.network.run_sequence(frames[5:], keep=True)]
    check(joined_results(spec, parts), network, frames)
