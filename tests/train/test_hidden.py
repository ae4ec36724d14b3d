from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from attractor.data.digits import digits
from attractor.golden import OscillatorNetwork
from attractor.train.oscillator import saturated_delta, saturation_field
from attractor.train.oscillator.hidden import LayerWeights, broadcast_delta, dichotomies
from attractor.train.oscillator.layered import layered_parameters, layered_phases, layered_spec

Levels = npt.NDArray[np.int8]


def parity(samples: int) -> tuple[Levels, npt.NDArray[np.int64]]:
    """Return random levels, and classes by the product of the first two: no linear classifier does better than half."""
    inputs = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), (samples, 8))
    return inputs, (inputs[:, 0] * inputs[:, 1] > 0).astype(np.int64)


def accuracy(weights: LayerWeights, inputs: Levels, labels: npt.NDArray[np.int64]) -> float:
    """Return the accuracy of the network in its phases."""
    hidden, classes = len(weights.hidden), len(weights.labels)
    spec = layered_spec(inputs.shape[1], hidden, classes)
    network = OscillatorNetwork(spec, layered_parameters(spec, weights.labels, weights.hidden))
    return float((network.run(layered_phases(spec, inputs)).winner == labels).mean())


def test_codes_divide_the_classes_in_halves() -> None:
    codes = dichotomies(10, 50, np.random.default_rng(0))
    assert codes.shape == (50, 10)
    assert (codes.sum(axis=1) == 0).all()
    assert len(np.unique(codes, axis=0)) > 40
    assert (dichotomies(3, 5, np.random.default_rng(0)).sum(axis=1) == -1).all()


def test_a_hidden_layer_learns_what_no_linear_rule_can() -> None:
    inputs, labels = parity(600)
    linear = saturated_delta(inputs, labels, classes=2, weight_bits=6)
    assert ((inputs @ linear.T.astype(int)).argmax(axis=1) == labels).mean() < 0.7
    weights = broadcast_delta(inputs, labels, classes=2, hidden=24, weight_bits=6, epochs=40)
    assert accuracy(weights, inputs, labels) >= 0.98


def test_hidden_couplings_learn() -> None:
    inputs, labels = parity(400)
    arguments = {"classes": 2, "hidden": 12, "weight_bits": 6, "epochs": 60}
    fixed = broadcast_delta(inputs, labels, **arguments, hidden_rate=0.0)
    learnt = broadcast_delta(inputs, labels, **arguments)
    assert (fixed.hidden != learnt.hidden).any()
    assert accuracy(learnt, inputs, labels) > accuracy(fixed, inputs, labels) + 0.1


def test_first_step_by_hand() -> None:
    # One sample, one pass: the labels know nothing yet, so the error is the teacher itself.
    inputs, labels = np.array([[1, -1, 1]], np.int8), np.array([1])
    start = broadcast_delta(inputs, labels, classes=2, hidden=5, weight_bits=8, epochs=1, hidden_rate=0, label_rate=0)
    assert not start.labels.any()
    rate = 4.0
    after = broadcast_delta(inputs, labels, classes=2, hidden=5, weight_bits=8, epochs=1, hidden_rate=rate)
    generator = np.random.default_rng(0)
    codes = dichotomies(2, 5, generator).astype(float)
    levels = np.array([1, -1, 1, 1])
    field = start.hidden @ levels / saturation_field(4, 8)
    told = codes @ np.array([-1, 1]) / np.sqrt(2) * (np.abs(field) < 1)
    step = rate / 4 * saturation_field(4, 8) * told[:, None] * levels
    assert np.abs(after.hidden - np.clip(start.hidden + step, -127, 127)).max() <= 1
    assert (np.abs(step) > 2).any()
    signs = np.append(np.where(field >= 0, 1, -1), 1)
    assert (np.sign(after.labels) == np.outer([-1, 1], signs)).all()


def test_the_same_seed_gives_the_same_couplings() -> None:
    inputs, labels = parity(100)
    arguments = {"classes": 2, "hidden": 4, "weight_bits": 3, "epochs": 2}
    first, again = (broadcast_delta(inputs, labels, **arguments) for _ in range(2))
    other = broadcast_delta(inputs, labels, **arguments, seed=1)
    assert (first.hidden == again.hidden).all()
    assert (first.labels == again.labels).all()
    assert (first.hidden != other.hidden).any()
    assert np.abs(first.hidden).max() <= 3


def test_every_batch_is_augmented() -> None:
    inputs, labels = parity(100)
    seen: list[int] = []

    def inverted(levels: Levels, generator: np.random.Generator) -> Levels:
        seen.append(len(levels))
        return -levels if generator.random() < 2 else levels

    plain = broadcast_delta(-inputs, labels, classes=2, hidden=4, weight_bits=5, epochs=1, batch=40)
    turned = broadcast_delta(inputs, labels, classes=2, hidden=4, weight_bits=5, epochs=1, batch=40, augment=inverted)
    assert seen == [40, 40, 20]
    assert (plain.hidden == turned.hidden).all()


def test_progress_is_told() -> None:
    inputs, labels = parity(20)
    told: list[tuple[int, int]] = []
    broadcast_delta(
        inputs, labels, classes=2, hidden=1, weight_bits=5, epochs=3, progress=lambda *done: told.append(done)
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_bad_input_is_named() -> None:
    inputs, labels = parity(10)
    with pytest.raises(ValueError, match="an input is 0"):
        broadcast_delta(inputs * 0, labels, classes=2, hidden=1, weight_bits=5)
    with pytest.raises(ValueError, match=r"inputs have shape \(8,\)"):
        broadcast_delta(inputs[0], labels, classes=2, hidden=1, weight_bits=5)
    with pytest.raises(ValueError, match="labels run from 0 to 1"):
        broadcast_delta(inputs, labels, classes=1, hidden=1, weight_bits=5)
    with pytest.raises(ValueError, match="classes is 1"):
        broadcast_delta(inputs, labels * 0, classes=1, hidden=1, weight_bits=5)
    with pytest.raises(ValueError, match="hidden is 0"):
        broadcast_delta(inputs, labels, classes=2, hidden=0, weight_bits=5)
    with pytest.raises(ValueError, match="weight_bits is 9"):
        broadcast_delta(inputs, labels, classes=2, hidden=1, weight_bits=9)


def test_held_out_digits() -> None:
    data = digits()
    train, test = (np.where(images >= 0.5, np.int8(1), np.int8(-1)) for images in (data.train_images, data.test_images))
    weights = broadcast_delta(train, data.train_labels, classes=10, hidden=100, weight_bits=6, epochs=40)
    assert accuracy(weights, test, data.test_labels) >= 0.91
