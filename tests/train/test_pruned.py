from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.data.digits import digits
from attractor.golden import OscillatorNetwork
from attractor.train.oscillator import magnitude_mask, saturated_delta
from attractor.train.oscillator.layered import layered_parameters, layered_phases, layered_spec, ramp_step
from attractor.train.oscillator.pruned import PrunedWeights, pruned_delta

Levels = npt.NDArray[np.int8]
Labels = npt.NDArray[np.int64]


def crowds(samples: int) -> tuple[Levels, Labels]:
    """Return 12 levels in random order, and whether few, about half, or many of them are +1."""
    generator = np.random.default_rng(3)
    counts = generator.integers(0, 13, samples)
    levels = np.where(np.arange(12) < counts[:, None], np.int8(1), np.int8(-1))
    return generator.permuted(levels, axis=1), np.digitize(counts, [4, 9])


def accuracy(trained: PrunedWeights, inputs: Levels, labels: Labels, weight_bits: int) -> float:
    """Return the accuracy of the network in its phases."""
    spec = layered_spec(inputs.shape[1], 0, len(trained.weights), weight_bits=weight_bits)
    ramp = ramp_step(spec, trained.mask.sum() / len(trained.mask))
    network = OscillatorNetwork(spec, layered_parameters(spec, trained.weights, ramp=ramp))
    return float((network.run(layered_phases(spec, inputs)).winner == labels).mean())


def test_first_step_by_hand() -> None:
    # Fields saturate at 127 * 2 / 4, and the step is 4 / 4 of that. Nothing is known yet, so the fields are 0; with an
    # inhibition of 1/3 the outputs would be those of one label in phase, and 0.8 of it is felt.
    trained = pruned_delta([[1, -1, 1]], [1], classes=3, weight_bits=8, epochs=1, rate=4.0)
    wanted = np.array([-1, 1, -1]) + 0.8 / 3
    expected = 127 / 2 * wanted[:, None] * np.array([1, -1, 1, 1])
    assert np.abs(trained.weights - expected).max() <= 1
    assert trained.mask.all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1), st.integers(1, 7), st.integers(2, 8))
def test_as_many_couplings_are_left_as_were_asked_for(seed: int, keep: float, epochs: int, bits: int) -> None:
    generator = np.random.default_rng(seed)
    inputs, labels = generator.choice([-1, 1], (30, 11)), generator.integers(0, 3, 30)
    weights, mask = pruned_delta(inputs, labels, classes=3, weight_bits=bits, keep=keep, epochs=epochs, batch=7)
    assert mask[:, :-1].sum() == round(keep * 33)
    assert mask[:, -1].all()
    assert not weights[~mask].any()
    assert np.abs(weights.astype(int)).max() <= 2 ** (bits - 1) - 1


def test_inputs_that_never_change_go_first() -> None:
    inputs, labels = crowds(200)
    inputs = np.concatenate([np.ones((200, 6), np.int8), inputs], axis=1)
    trained = pruned_delta(inputs, labels, classes=3, weight_bits=6, keep=12 / 18, epochs=12)
    assert trained.mask.tolist() == [[False] * 6 + [True] * 13] * 3


def test_inputs_that_are_equal_are_not_rounded_in_the_same_step() -> None:
    inputs, labels = crowds(200)
    inputs = np.concatenate([np.ones((200, 40), np.int8), inputs], axis=1)
    weights = pruned_delta(inputs, labels, classes=3, weight_bits=6, epochs=3).weights[:, :40]
    assert (weights.min(axis=1) < weights.max(axis=1)).all()
    assert (weights.max(axis=1) - weights.min(axis=1) <= 1).all()


def test_competition_learns_what_thresholds_cannot() -> None:
    # No threshold tells the middle from both ends, but its label may have the greatest field there.
    inputs, labels = crowds(400)
    alone, competing = (
        pruned_delta(inputs, labels, classes=3, weight_bits=6, competition=part, batch=20) for part in (0.0, 0.9)
    )
    assert accuracy(competing, inputs, labels, 6) >= accuracy(alone, inputs, labels, 6) + 0.1


def test_pruning_while_learning_loses_less_than_pruning_once() -> None:
    data = digits()
    train, test = (np.where(images >= 0.5, np.int8(1), np.int8(-1)) for images in (data.train_images, data.test_images))
    arguments = {"classes": 10, "weight_bits": 5}
    dense = pruned_delta(train, data.train_labels, **arguments)
    mask = np.ones((10, 65), bool)
    mask[:, :64] = magnitude_mask(dense.weights[:, :64], 0.1)
    with_bias = np.c_[train, np.ones(len(train), int)]
    once = PrunedWeights(saturated_delta(with_bias, data.train_labels, **arguments, mask=mask), mask)
    slowly = pruned_delta(train, data.train_labels, **arguments, keep=0.1)
    dense_right, once_right, slowly_right = (
        accuracy(trained, test, data.test_labels, 5) for trained in (dense, once, slowly)
    )
    assert dense_right >= 0.91
    assert dense_right > slowly_right >= once_right + 0.03


def test_the_same_seed_gives_the_same_couplings() -> None:
    inputs, labels = crowds(60)
    told: list[tuple[int, int]] = []
    first, again, other = (
        pruned_delta(
            inputs,
            labels,
            classes=3,
            weight_bits=6,
            keep=0.5,
            epochs=3,
            seed=seed,
            progress=lambda *done: told.append(done),
        )
        for seed in (0, 0, 1)
    )
    assert (first.weights == again.weights).all()
    assert (first.mask == again.mask).all()
    assert (first.weights != other.weights).any()
    assert told == [(1, 3), (2, 3), (3, 3)] * 3


def test_bad_input_is_named() -> None:
    inputs, labels = crowds(10)
    with pytest.raises(ValueError, match="an input is 0"):
        pruned_delta(inputs * 0, labels, classes=3, weight_bits=5)
    with pytest.raises(ValueError, match="labels run from"):
        pruned_delta(inputs, labels, classes=2, weight_bits=5)
    with pytest.raises(ValueError, match="classes is 1"):
        pruned_delta(inputs, labels * 0, classes=1, weight_bits=5)
    with pytest.raises(ValueError, match="epochs is 0"):
        pruned_delta(inputs, labels, classes=3, weight_bits=5, epochs=0)
    with pytest.raises(ValueError, match="weight_bits is 9"):
        pruned_delta(inputs, labels, classes=3, weight_bits=9)
    for keep in (0, 1.5):
        with pytest.raises(ValueError, match=rf"keep is {keep}; it must be more than 0 and at most 1"):
            pruned_delta(inputs, labels, classes=3, weight_bits=5, keep=keep)
