from __future__ import annotations

import numpy as np
import pytest

from attractor.data.digits import digits
from attractor.golden import OscillatorNetwork
from attractor.spec import SpecError
from attractor.train.oscillator.classifier import (
    classifier_parameters,
    classifier_spec,
    image_phases,
    input_levels,
    train_classifier,
)


def test_grey_values_become_phases() -> None:
    spec = classifier_spec(5, 2)
    assert (spec.oscillators, spec.inputs, spec.labels, spec.reference) == (8, 6, 2, 5)
    phases = image_phases(spec, [[0.0, 0.375, 0.5, 0.6875, 1.0]])
    assert phases.tolist() == [[8, 6, 4, 1, 0, 0, 4, 4]]
    with pytest.raises(ValueError, match=r"grey values run from 0\.0 to 16\.0"):
        image_phases(spec, [[0, 0, 0, 0, 16]])
    with pytest.raises(ValueError, match=r"shape \(5,\); this classifier needs \(samples, 5\)"):
        image_phases(spec, np.zeros(5))


def test_inputs_show_the_levels_that_are_trained_on() -> None:
    spec = classifier_spec(20, 3)
    generator = np.random.default_rng(5)
    phases = image_phases(spec, generator.random((4, 20)))
    parameters = classifier_parameters(spec, generator.integers(-15, 16, (3, 21)))
    model = OscillatorNetwork(spec, parameters)
    state = model.start(phases)
    levels = input_levels(spec, phases)
    for slot in range(spec.period):
        model.step(state)
        expected = levels[:, slot % 8] if slot < 8 else -levels[:, slot % 8]
        assert (state.levels[:, : spec.inputs] == expected).all()


def test_the_distance_counts_the_slots_with_a_negative_field() -> None:
    # Pixel k rises in slot k, so a bias of 8 - 2 n moves the label's edge to slot n: the graded answer.
    spec = classifier_spec(8, 1)
    phases = np.zeros((1, 10), np.uint8)
    phases[0, :8], phases[0, 9] = np.arange(1, 9), 4
    for negative in range(1, 8):
        weights = [[1] * 8 + [9 - 2 * negative]]
        parameters = classifier_parameters(spec, weights, self_coupling=0, inhibition=0)
        run = OscillatorNetwork(spec, parameters).run(phases)
        assert run.phases[0, 9] == negative
        assert run.settled.all()


def test_couplings_among_labels() -> None:
    spec = classifier_spec(2, 3)
    parameters = classifier_parameters(spec, np.ones((3, 3), int), self_coupling=7, inhibition=2)
    assert parameters["weights"][:, 3:].tolist() == [[7, -2, -2], [-2, 7, -2], [-2, -2, 7]]
    with pytest.raises(SpecError, match="16"):
        classifier_parameters(spec, np.full((3, 3), 16))


def test_digits_are_split_once_and_for_all() -> None:
    data = digits()
    assert data.train_images.shape == (1437, 64)
    assert data.test_images.shape == (360, 64)
    assert data.test_images.min() == 0
    assert data.test_images.max() == 1
    assert np.bincount(data.test_labels).min() >= 35
    assert data.test_labels[:5].tolist() == digits().test_labels[:5].tolist()


def test_held_out_digits() -> None:
    data = digits()
    spec, parameters = train_classifier(data.train_images, data.train_labels, classes=10)
    run = OscillatorNetwork(spec, parameters).run(image_phases(spec, data.test_images))
    assert (run.winner == data.test_labels).mean() >= 0.90
    assert (spec.weight_bits, spec.phase_bits, spec.oscillators) == (5, 4, 75)
