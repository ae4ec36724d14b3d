from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from attractor.physics.eqprop import ConvolutionalNetwork, ConvolutionShape, DenseNetwork, FloatNetwork, Rule
from attractor.train.eqprop.presets import PRESETS
from attractor.train.eqprop.published import CheckpointError, FloatTrainer

RULE = Rule(
    binary_activations=False,
    free_steps=5,
    nudged_steps=3,
    beta=2.0,
    momentum_rates=(0.01, 0.02, 0.03),
    flip_thresholds=(2e-4, 4e-4, 8e-4),
    bias_rates=(0.01, 0.02, 0.03),
    scale_rates=(1e-5, 1e-5, 1e-5),
)
SHAPE = ConvolutionShape(image=(6, 6, 1), channels=(4, 5), outputs=6, side=3, padding=1)


def dense() -> FloatNetwork[Any]:
    return DenseNetwork((36, 20, 12, 6), RULE, seed=4)


def convolutional() -> FloatNetwork[Any]:
    return ConvolutionalNetwork(SHAPE, RULE, seed=4)


def samples(network: FloatNetwork[Any], count: int = 50) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    generator = np.random.default_rng(1)
    shape = (36,) if isinstance(network, DenseNetwork) else SHAPE.image
    return generator.random((count, *shape), np.float32), generator.integers(0, 3, count)


def trainer(network: FloatNetwork[Any], **options: Any) -> FloatTrainer:
    return FloatTrainer(network, **{"classes": 3, "batch": 16, "seed": 8} | options)


@pytest.mark.parametrize("make", [dense, convolutional])
def test_a_checkpoint_goes_on_as_if_nothing_had_been(make: Any, tmp_path: Path) -> None:
    whole, first, second = (trainer(make()) for _ in range(3))
    data = samples(whole.network)
    for _ in range(4):
        whole.run_epoch(*data)
    for _ in range(2):
        first.run_epoch(*data)
    first.save(tmp_path / "file")
    second.load(tmp_path / "file")
    assert second.history == first.history
    for _ in range(2):
        second.run_epoch(*data)
    assert second.history == whole.history
    assert all(sum(epoch.flips) for epoch in whole.history)
    for one, other in zip(whole.network.connections, second.network.connections, strict=True):
        for name in ("signs", "scale", "bias", "raw"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
            assert getattr(other, name).dtype == np.float32
        assert one.factor == other.factor
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_epoch_shows_each_image_once() -> None:
    seen: list[npt.NDArray[np.float32]] = []
    signs: list[int] = []

    class Recorder(DenseNetwork):
        def learn(self, inputs: npt.ArrayLike, targets: npt.ArrayLike, sign: int = 1) -> Any:
            seen.append(np.asarray(inputs))
            signs.append(sign)
            return super().learn(inputs, targets, sign)

    calls: list[tuple[int, int]] = []
    one = trainer(Recorder((36, 20, 12, 6), RULE))
    images, labels = samples(one.network)
    epoch = one.run_epoch(images, labels, lambda *numbers: calls.append(numbers))
    assert [len(batch) for batch in seen] == [16, 16, 16, 2]
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert sorted(np.concatenate(seen)[:, 0]) == sorted(images[:, 0])
    assert 0 <= epoch.train_error <= 1
    first = np.concatenate(seen)
    for _ in range(5):
        one.run_epoch(images, labels)
    assert set(signs) == {1, -1}
    assert not np.array_equal(first, np.concatenate(seen[4:8]))
    seen.clear()
    signs.clear()
    always = trainer(Recorder((36, 20, 12, 6), replace(RULE, random_sign=False)))
    for _ in range(5):
        always.run_epoch(images, labels)
    assert set(signs) == {1}


def test_figures_of_an_epoch_that_learns_nothing() -> None:
    # Thresholds out of reach: every image meets the same network, and what was counted can be counted again.
    quiet = replace(RULE, flip_thresholds=(9.0, 9.0, 9.0), bias_rates=(0.0, 0.0, 0.0), scale_rates=())
    one = trainer(DenseNetwork((36, 20, 12, 6), quiet, seed=4))
    images, labels = samples(one.network)
    epoch = one.run_epoch(images, labels)
    outputs = one.network.settle(images).outputs
    errors = one.errors(images, labels, batch=7)
    assert epoch.train_error == errors.mean == np.mean(outputs.reshape(50, 3, 2).sum(axis=2).argmax(axis=1) != labels)
    assert errors.single == np.mean(outputs[:, ::2].argmax(axis=1) != labels)
    on = (outputs >= 0.5).reshape(50, 3, 2).sum(axis=2)
    assert errors.bits == np.mean(on.argmax(axis=1) != labels)
    targets = np.repeat(np.eye(3)[labels], 2, axis=1)
    assert epoch.loss == pytest.approx(((outputs - targets) ** 2).sum() / 2 / 50, rel=1e-6)
    assert epoch.flips == (0, 0, 0)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    one = trainer(dense())
    one.save(tmp_path / "file")
    others = {
        "seed 8, this training has 9": trainer(dense(), seed=9),
        "batch 16, this training has 8": trainer(dense(), batch=8),
        "was trained with network": trainer(convolutional()),
        "was trained with rule": trainer(DenseNetwork((36, 20, 12, 6), replace(RULE, beta=1.0), seed=4)),
        "dtype float32": trainer(DenseNetwork((36, 20, 12, 6), RULE, seed=4, dtype=np.float64)),
    }
    for message, other in others.items():
        with pytest.raises(CheckpointError, match=message):
            other.load(tmp_path / "file")
    data = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(data[:-100])
    with pytest.raises(CheckpointError, match="is no checkpoint of this trainer"):
        one.load(tmp_path / "file")
    with pytest.raises(CheckpointError, match="begin a new training"):
        one.load(tmp_path / "none")
    with pytest.raises(ValueError, match="batch is 0"):
        trainer(dense(), batch=0)


# Weights that the published networks have, and how many events against a weight flip it, from the output.
PUBLISHED = {
    "mnist-real-1": (3_252_224, (0.96, 0.096)),
    "mnist-real-2": (20_029_440, (1.92, 0.48, 0.48)),
    "mnist-real-convolutional": (83_360, (3.84, 3.84, 3.84)),
    "cifar10-real-convolutional": (2_677_440, (0.96,) * 5),
    "mnist-bits-1": (7_241_728, (16, 12.8)),
    "mnist-bits-2": (122_683_392, (2.56, 1.28, 6.4)),
    "mnist-bits-convolutional": (4_716_800, (102.4, 102.4, 256)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets(name: str) -> None:
    preset, (weights, events) = PRESETS[name], PUBLISHED[name]
    rule, shape = preset.rule, preset.shape
    if isinstance(shape, ConvolutionShape):
        rows, columns = shape.pooled[-1]
        filters = zip(shape.channels, (shape.image[2], *shape.channels), strict=False)
        counts = [shape.side**2 * above * below for above, below in filters]
        counts.append(rows * columns * shape.channels[-1] * shape.outputs)
        outputs = shape.outputs
    else:
        counts = [above * below for above, below in pairwise(shape)]
        outputs = shape[-1]
    assert sum(counts) == weights
    assert len(counts) == rule.connections == len(preset.learnt_scale_rates)
    assert outputs == 10 * preset.replicas
    assert math.prod(preset.input_shape) == (3072 if "cifar" in name else 784)
    pairs = zip(rule.flip_thresholds, rule.momentum_rates, strict=True)
    found = [threshold * rule.beta * preset.batch / rate for threshold, rate in pairs]
    assert found[::-1] == pytest.approx(events)
    assert set(PRESETS) == set(PUBLISHED)


def test_presets_make_networks() -> None:
    preset = PRESETS["mnist-bits-1"]
    small = replace(preset, shape=(784, 40, 100))
    assert small.network().rule.scale_rates == ()
    network = small.network(seed=1, learn_scales=True, dtype=np.float64)
    assert network.rule.scale_rates == (1e-6, 1e-6)
    assert network.dtype == np.float64
    assert network.settle(np.zeros((1, *small.input_shape))).outputs.shape == (1, 100)
    maps = PRESETS["mnist-real-convolutional"]
    assert maps.network().settle(np.zeros((1, *maps.input_shape))).outputs.shape == (1, 10)
