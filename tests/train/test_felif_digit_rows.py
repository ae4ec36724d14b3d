"""Digits row by row: their splits and integers, networks that learn them, and what a device makes of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from attractor.data.digits import digits
from attractor.golden import FelifNetwork
from attractor.physics.felif import FelifDevice
from attractor.spec import SpecError
from attractor.train.felif import OUTPUT_ONE, Samples, Trainer, exported, outputs, quantised
from attractor.train.felif.digit_rows import (
    DARKEST,
    INPUT_BITS,
    KINDS,
    LOSS,
    RECIPE,
    SETTINGS,
    predictions,
    row_digits,
    row_network,
    row_samples,
)
from attractor.train.felif.integer import IntegerNeurons


def test_the_splits_share_no_image_and_have_all_classes_alike() -> None:
    data, whole = row_digits(), digits()
    assert [len(labels) for _, labels in data] == [1150, 287, 360]
    assert np.array_equal(data.test[0], whole.test_images)
    assert np.array_equal(data.test[1], whole.test_labels)

    def listed(images: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> list[tuple[float, ...]]:
        return sorted(map(tuple, np.column_stack([images, labels]).tolist()))

    both = [np.concatenate(pair) for pair in zip(data.train, data.validation, strict=True)]
    assert listed(both[0], both[1]) == listed(whole.train_images, whole.train_labels)
    for _, labels in data:
        assert np.bincount(labels, minlength=10) == pytest.approx(len(labels) / 10, rel=0.05, abs=1.5)
    again = row_digits()
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(data, again, strict=True))


def test_rows_are_integers_of_a_device() -> None:
    images = np.zeros((2, 64))
    images[0, 8:11] = 1, 0.5, 1 / 16
    images[1, 63] = 15 / 16
    samples = row_samples(images, np.array([3, 0]), rest=2)
    frames = np.array(samples.frames)
    expected = np.zeros((2, 10, 8), int)
    # 0.5 * 15 is rounded to the even number.
    expected[0, 1, :3] = 15, 8, 1
    expected[1, 7, 7] = 14
    assert np.array_equal(frames, expected)
    assert samples.targets == [3, 0]
    spec, _ = exported(*untrained("lif", 4), input_bits=INPUT_BITS, ticks=10)
    assert spec.input_range[1] == expected.max()
    assert spec.check_frames(frames).shape == (2, 10, 8)


def untrained(kind: str, bits: int) -> tuple:
    """Return a network and weights at random."""
    network = row_network(kind, bits=bits, neurons=30)
    return network, network.initial(np.random.default_rng(0))


def parts() -> tuple[Samples, Samples]:
    """Return 384 images to train on and all for validation, without ticks at rest."""
    data = row_digits()
    train, validation = (row_samples(*part) for part in (data.train, data.validation))
    return train.part(range(384)), validation


@pytest.mark.parametrize(
    ("kind", "bits"), [("felif_a", None), ("felif_a", 3), ("lif", None), ("lif", 4), ("recurrent_lif", 8)]
)
def test_networks_learn_and_run_in_a_device_as_they_were_trained(kind: str, bits: int | None) -> None:
    train, validation = parts()
    network = row_network(kind, bits=bits, neurons=60)
    recipe = replace(RECIPE, rate=0.02, batch=16, settling=2)
    training = Trainer(network, recipe, train, LOSS).train(8, validation=validation)
    found = predictions(network, training.parameters, validation)
    assert np.mean(found == np.array(validation.targets)) > 0.5
    if bits is not None:
        spec, arrays = exported(network, training.parameters, input_bits=INPUT_BITS, ticks=8)
        assert [layer.weight_bits for layer in spec.layers] == [bits, bits]
        run = FelifNetwork(spec, arrays).run(np.array(validation.frames))
        expected = [sequence[-1] for sequence in outputs(network, training.parameters, validation)]
        assert np.array_equal(run.outputs, np.array(expected) * OUTPUT_ONE)
        assert np.array_equal(run.winner, found)
        assert len(np.unique(run.outputs)) > 500


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_reads_a_digit_in_one_call(kind: str) -> None:
    network, parameters = untrained(kind, 3)
    _, validation = parts()
    spec, arrays = exported(network, parameters, input_bits=INPUT_BITS, ticks=8, lanes=7)
    device, some = FelifNetwork(spec, arrays), validation.part(range(6))
    results = [spec.decode_output(device.call(spec.encode_input(frame))) for frame in some.frames]
    assert [result.winner for result in results] == predictions(network, parameters, some).tolist()
    expected = [sequence[-1] for sequence in outputs(network, parameters, some)]
    assert np.array_equal(np.array([result.outputs for result in results]), np.array(expected) * OUTPUT_ONE)
    assert all(result.spikes for result in results)


@pytest.mark.parametrize("bits", [None, 4])
def test_options_go_to_the_neurons(bits: int | None) -> None:
    """Drives follow current and gain, and what a device holds follows threshold and decay."""
    frames = parts()[1].part(range(20)).padded()
    for kind, factor, held, value, integer in (
        ("felif_a", "current", "threshold", 1.5, round(1.5 * float(FelifDevice().per_volt) * 2**12)),
        ("lif", "gain", "decay", 0.25, 2**13),
    ):
        usual, small = SETTINGS[kind].options[factor] / 40, SETTINGS[kind].options[factor] / 80
        found = []
        for options in ({factor: usual}, {factor: small, held: value}):
            network = row_network(kind, bits=bits, neurons=30, options=options)
            weights = network.weights(network.initial(np.random.default_rng(0)))[0]
            neurons = network.layers[0][0]
            assert isinstance(neurons, IntegerNeurons)
            found.append((neurons.drive(frames, weights), neurons.parameters()[held]))
        assert np.abs(found[0][0]).max() > 400
        # Scales are integers, too.
        assert found[1][0] == pytest.approx(found[0][0] / 2, rel=0.01, abs=1)
        assert (found[1][1] == integer).all()
        assert (found[0][1] != integer).all()


@pytest.mark.parametrize("bits", [None, 8])
def test_options_are_for_a_weight_of_one_and_the_darkest_grey(bits: int | None) -> None:
    weights = np.tile([0.5, -0.25, 0.0, 0.1, 0.2, 0.3, 0.4, -0.5], (30, 1))
    frames = np.diag(np.full(8, float(DARKEST)))[:, None]
    device = FelifDevice(threshold=2.0)
    for kind, options, unit in (
        ("lif", {"gain": 3.0}, 3 * 2**12),
        ("felif_a", {"current": 5e-9}, 5e-9 * float(device.per_ampere(1e-3)) * 2**12),
    ):
        neurons = row_network(kind, bits=bits, neurons=30, options=options).layers[0][0]
        drives = neurons.drive(frames, quantised(weights, bits, by_neuron=True))
        # Half a level of 127.5, or none.
        slack = 1 if bits is None else 0.5 * unit / 255 + 2
        assert drives == pytest.approx(np.broadcast_to(weights.T[:, None] * unit, drives.shape), abs=slack)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((2, 8, 8))}, r"images has shape \(2, 8, 8\); it must be \(images, 64\): flatten them"),
        ({"images": np.full((2, 64), 16.0)}, r"grey values run from 16\.0 to 16\.0; scale them"),
        ({"images": np.full((2, 64), np.nan)}, "grey values run from nan to nan"),
        ({"labels": np.zeros(3, int)}, r"labels has shape \(3,\); there are 2 images"),
        ({"labels": np.array([0, 10])}, "labels run from 0 to 10; they must be whole, 0 to 9"),
        ({"labels": np.array([0.5, 1])}, r"labels run from 0\.5 to 1\.0; they must be whole"),
        ({"rest": -1}, "rest is -1; it must be at least 0"),
    ],
)
def test_images_that_do_not_fit(change: dict[str, object], message: str) -> None:
    given: dict = {"images": np.zeros((2, 64)), "labels": np.zeros(2, int)} | change
    with pytest.raises(ValueError, match=message):
        row_samples(given.pop("images"), given.pop("labels"), **given)


@pytest.mark.parametrize(
    ("kind", "given", "error", "message"),
    [
        ("relu", {}, ValueError, "kind is 'relu'; it must be one of felif_a, felif_b, lif, recurrent_lif"),
        ("felif_a", {"options": {"decay": 0.5}}, ValueError, "felif_a has no option decay; it has current, threshold"),
        ("lif", {"options": {"threshold": 2.0}}, ValueError, "lif has no option threshold; it has gain, decay"),
        ("lif", {"bits": 9}, SpecError, "weight_bits is 9"),
        ("lif", {"neurons": 0}, SpecError, "neurons is 0"),
    ],
)
def test_networks_that_do_not_go_together(kind: str, given: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        row_network(kind, **given)
