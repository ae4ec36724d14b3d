"""The network for the 8x8 digits learns, by the rule of a device, and what it is given is told by training images."""

from __future__ import annotations

import numpy as np
import pytest

from attractor.data.digits import Digits, digits
from attractor.golden import EqPropNetwork
from attractor.host import Device, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.train.eqprop import Trainer, accuracy, initial_parameters
from attractor.train.eqprop import digits as eqprop_digits
from attractor.train.eqprop.digits import EPOCHS, RECIPE, SPEC, STEPS, digits_code


def start() -> dict[str, np.ndarray]:
    return dict(initial_parameters(SPEC, seed=RECIPE.seed, steps=STEPS))


def test_inputs_are_the_comparisons_that_divide_training_images_best(monkeypatch: pytest.MonkeyPatch) -> None:
    data, code = digits(), digits_code()
    assert len(code.inputs) == SPEC.layers[0]
    on = code.bits(data.train_images).mean(axis=0)
    assert on.min() > 0.1
    assert on.max() < 0.95
    black = Digits(data.train_images, data.train_labels, np.zeros_like(data.test_images), data.test_labels)
    monkeypatch.setattr(eqprop_digits, "digits", lambda: black)
    assert digits_code() == code


def test_two_epochs_teach_most_of_it() -> None:
    data, code = digits(), digits_code()
    bits, test_bits = code.bits(data.train_images), code.bits(data.test_images)
    trainer = Trainer(SPEC, RECIPE, bits, data.train_labels, parameters=start())
    assert accuracy(SPEC, trainer.parameters, test_bits, data.test_labels) < 0.4
    assert accuracy(SPEC, trainer.train(2).parameters, test_bits, data.test_labels) > 0.75


@pytest.mark.slow
def test_all_epochs_reach_nine_tenths() -> None:
    data, code = digits(), digits_code()
    bits, test_bits = code.bits(data.train_images), code.bits(data.test_images)
    trained = Trainer(SPEC, RECIPE, bits, data.train_labels, parameters=start()).train(EPOCHS)
    assert accuracy(SPEC, trained.parameters, test_bits, data.test_labels) >= 0.9


def test_a_device_learns_the_lessons_of_the_recipe() -> None:
    """The order, the signs and the thresholds of an epoch, sample by sample, are what the trainer does."""
    data, count = digits(), 40
    bits = digits_code().bits(data.train_images)[:count]
    labels = data.train_labels[:count]
    trainer = Trainer(SPEC, RECIPE, bits, labels, parameters=start())
    trainer.run_epoch()
    lessons = RECIPE.lessons(SPEC, count, 0)
    with Device.open(GoldenBoard(SPEC)) as device:
        device.load(Model(SPEC, start()))
        learnt = device.network.learn_samples(
            bits[lessons.order], labels[lessons.order], lessons.thresholds, sigmas=lessons.sigmas
        )
        found = device.read_parameters()
    network = EqPropNetwork(SPEC, start())
    for index, sigma in zip(lessons.order, lessons.sigmas, strict=True):
        network.learn(bits[[index]], labels[[index]], sigma, lessons.thresholds)
    assert len(learnt.flips) == 2 * count
    assert learnt.flips.sum() > 50
    for name, array in trainer.parameters.items():
        assert (found[name] == array).all()
        assert (network.parameters[name] == array).all()
