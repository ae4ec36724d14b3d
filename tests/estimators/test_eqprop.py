"""The eqprop classifier: the same learning on the golden model and on devices, and what models keep of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from attractor import estimators
from attractor.data.digits import digits
from attractor.estimators import EqPropClassifier, OscillatorClassifier, classifier_from_model
from attractor.estimators.eqprop import default_levels, default_state_high, held_back
from attractor.golden import EqPropNetwork
from attractor.host import Device, LearningError, LinkError, Model
from attractor.host.interface import Classes
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import FelifLayer, FelifSpec
from attractor.train.eqprop import Recipe

#: A network for 8x8 digits that learns in a second.
SMALL: dict[str, Any] = {"hidden": 24, "replicas": 2, "inputs": 40, "lanes": 7, "epochs": 2}


def few_digits(count: int = 150) -> tuple[np.ndarray, np.ndarray]:
    data = digits()
    return data.train_images[:count], data.train_labels[:count]


class TestFit:
    def test_digits_are_learnt(self) -> None:
        data = digits()
        fitted = EqPropClassifier(epochs=3, batch=8).fit(data.train_images, data.train_labels)
        assert fitted.score(data.test_images, data.test_labels) > 0.7
        assert fitted.spec_.layers == (len(fitted.code_.inputs), 128, 50)
        assert fitted.spec_.learning
        found = fitted.model_.provenance["held_back_accuracy"]
        assert len(found) == 3
        assert max(found) > 0.7

    def test_it_is_the_golden_rule_on_the_lessons_of_the_recipe(self) -> None:
        images, labels = few_digits()
        fitted = EqPropClassifier(**SMALL, validation_fraction=0).fit(images, labels)
        begun = EqPropClassifier(**(SMALL | {"epochs": 0}), validation_fraction=0).fit(images, labels)
        network = EqPropNetwork(begun.spec_, begun.model_.parameters)
        recipe, bits = Recipe(thresholds=(11, 4), doubling=8, batch=1, sigma_samples=1), begun.code_.bits(images)
        for epoch in range(2):
            order, sigmas, thresholds = recipe.lessons(begun.spec_, len(bits), epoch)
            for index, sigma in zip(order, sigmas, strict=True):
                network.learn(bits[[index]], labels[[index]], sigma, thresholds)
        assert all((fitted.model_.parameters[name] == array).all() for name, array in network.parameters.items())
        assert fitted.learning_.thresholds == tuple(thresholds)

    @pytest.mark.parametrize("options", [{"batch": 16, "sigma_samples": 16}, {"both_signs": True}, {"thresholds": 3}])
    def test_other_recipes_learn_something_else(self, options: dict[str, Any]) -> None:
        images, labels = few_digits(80)
        plain, other = EqPropClassifier(**SMALL), EqPropClassifier(**SMALL, **options)
        weights = [fit.fit(images, labels).model_.parameters["weights_1"] for fit in (plain, other)]
        assert (weights[0] != weights[1]).any()

    def test_images_held_back_are_not_learnt(self) -> None:
        images, labels = few_digits()
        fitted = EqPropClassifier(**SMALL, validation_fraction=0.2).fit(images, labels)
        said = fitted.model_.provenance
        assert said["images"] + said["held_back"] == 150
        assert 20 < said["held_back"] <= 30
        held = held_back(np.searchsorted(fitted.classes_, labels), 0.2, np.random.default_rng([0, 0, 1]))
        assert held.sum() == said["held_back"]
        best = np.mean(fitted.predict(images[held]) == labels[held])
        assert best == pytest.approx(max(said["held_back_accuracy"]))

    def test_part_of_each_class_is_held_back(self) -> None:
        labels = np.repeat([0, 1, 2], [10, 4, 30])
        held = held_back(labels, 0.25, np.random.default_rng(0))
        assert np.bincount(labels[held]).tolist() == [2, 1, 7]
        assert not held_back(labels, 0.0, np.random.default_rng(0)).any()

    def test_grey_scales_and_class_names_do_not_matter(self) -> None:
        images, labels = few_digits()
        names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
        plain = EqPropClassifier(**SMALL).fit(images, labels)
        named = EqPropClassifier(**SMALL).fit(images * 255 - 7, names[labels])
        np.testing.assert_array_equal(named.classes_, np.sort(names))
        assert named.code_.inputs == plain.code_.inputs
        assert named.score(images * 255 - 7, names[labels]) > 0.3

    def test_states_grow_with_the_root_of_the_neurons_below(self) -> None:
        assert default_state_high((64, 48, 20)) == (4, 14)
        assert default_state_high((784, 512, 512, 100)) == (14, 11, 45)
        assert default_state_high((1, 1, 2)) == (3, 3)

    def test_few_numbers_are_compared_with_more_levels(self) -> None:
        assert default_levels(64) == default_levels(16) == (0.3, 0.8)
        assert default_levels(15) == pytest.approx((1 / 6, 3 / 6, 5 / 6))
        assert default_levels(2) == tuple((np.arange(16) + 0.5) / 16)
        numbers = np.random.default_rng(0).random((60, 4))
        fitted = EqPropClassifier(**(SMALL | {"inputs": None})).fit(numbers, [0, 1] * 30)
        assert fitted.code_.levels == default_levels(4)


class TestPartialFit:
    def test_calls_and_places_do_not_matter(self) -> None:
        images, labels = few_digits(80)
        fitted = EqPropClassifier(**SMALL).fit(images, labels)
        on_host, in_parts = (EqPropClassifier.from_model(fitted.model_) for _ in range(2))
        on_host.partial_fit(images[:60], labels[:60])
        for start in range(0, 60, 17):
            in_parts.partial_fit(images[start : min(start + 17, 60)], labels[start : min(start + 17, 60)])
        assert on_host.model_ == in_parts.model_ != fitted.model_
        with Device.open(GoldenBoard(fitted.spec_)) as device:
            told: list[tuple[int, int]] = []
            on_chip = EqPropClassifier.from_model(fitted.model_)
            on_chip.partial_fit(images[:40], labels[:40], device=device, progress=lambda *done: told.append(done))
            frames = device.link.statistics.sent
            on_chip.set_params(device=device).partial_fit(images[40:60], labels[40:60])
            assert told == [(done, 40) for done in range(1, 41)]
            assert on_chip.model_ == on_host.model_
            assert on_host.learning_.learnt == 60
            assert device.link.statistics.sent - frames < 60, "the device held the model already"
            np.testing.assert_array_equal(on_chip.predict(images[:20]), on_host.predict(images[:20]))

    def test_it_is_the_golden_rule_sample_by_sample(self) -> None:
        images, labels = few_digits(50)
        learner = EqPropClassifier(**SMALL, both_signs=True)
        learner.partial_fit(images[:7], labels[:7], classes=range(10))
        network = EqPropNetwork(learner.spec_, learner.model_.parameters)
        learner.partial_fit(images, labels)
        for bits, label in zip(learner.code_.bits(images), labels, strict=True):
            for sigma in (1, -1):
                network.learn(bits[None], [label], sigma, (11, 4))
        assert all((learner.model_.parameters[name] == array).all() for name, array in network.parameters.items())

    def test_it_begins_with_random_weights_and_learns(self) -> None:
        data = digits()
        learner = EqPropClassifier(hidden=48, replicas=2, inputs=64, state_high=(3, 18), thresholds=(11, 2))
        learner.partial_fit(data.train_images[:500], data.train_labels[:500])
        assert learner.score(data.test_images, data.test_labels) > 0.3
        assert learner.learning_.learnt == 500

    def test_a_device_that_fails_leaves_the_estimator_as_it_was(self, monkeypatch: pytest.MonkeyPatch) -> None:
        images, labels = few_digits(30)
        learner = EqPropClassifier(**SMALL).fit(images, labels)
        before = learner.model_
        with Device.open(GoldenBoard(learner.spec_)) as device:
            whole, broken = Device.calls, [True]

            def calls(*arguments: Any, **options: Any) -> Iterator[bytes]:
                for index, outputs in enumerate(whole(*arguments, **options)):
                    if index == 11 and broken:
                        raise LinkError("cut")
                    yield outputs

            monkeypatch.setattr(Device, "calls", calls)
            with pytest.raises(LearningError, match="cut; 11 of 30 samples were learnt"):
                learner.partial_fit(images, labels, device=device)
            broken.clear()
            assert learner.model_ is before
            learner.partial_fit(images, labels, device=device)
        assert learner.model_ == EqPropClassifier.from_model(before).partial_fit(images, labels).model_

    def test_unknown_classes_and_sizes(self) -> None:
        images, labels = few_digits(60)
        learner = EqPropClassifier(**SMALL).fit(images, labels)
        with pytest.raises(ValueError, match="y holds the class 10, but known are"):
            learner.partial_fit(images[:2], [3, 10])
        with pytest.raises(ValueError, match="X has 63 features, but EqPropClassifier is expecting 64"):
            learner.partial_fit(images[:, 1:], labels)


class TestModels:
    def test_a_saved_model_predicts_and_goes_on_learning(self, tmp_path: Path) -> None:
        images, labels = few_digits(80)
        fitted = EqPropClassifier(**SMALL, random_state=3).fit(images, labels)
        fitted.partial_fit(images[:20], labels[:20])
        path = tmp_path / "model.safetensors"
        fitted.model_.save(path)
        loaded = classifier_from_model(Model.load(path))
        assert isinstance(loaded, EqPropClassifier)
        np.testing.assert_array_equal(loaded.predict(images), fitted.predict(images))
        assert (loaded.hidden, loaded.replicas, loaded.lanes, loaded.random_state) == ((24,), 2, 7, 3)
        fitted.partial_fit(images[20:40], labels[20:40])
        assert loaded.partial_fit(images[20:40], labels[20:40]).model_ == fitted.model_
        by_address = clone(fitted).set_params(device=f"sim:{path}").fit(images, labels)
        again = clone(fitted).fit(images, labels)
        np.testing.assert_array_equal(by_address.predict(images[:9]), again.predict(images[:9]))

    def test_models_of_both_families_find_their_classifier(self) -> None:
        images, labels = few_digits(60)
        model = OscillatorClassifier(epochs=1).fit(images, labels).model_
        assert isinstance(classifier_from_model(model), OscillatorClassifier)
        with pytest.raises(ValueError, match="of family 'oscillator', and EqPropClassifier is for 'eqprop'"):
            EqPropClassifier.from_model(model)
        learnt = EqPropClassifier(**SMALL).fit(images, labels).model_
        assert isinstance(classifier_from_model(learnt), EqPropClassifier)
        with pytest.raises(ValueError, match="of family 'eqprop', and OscillatorClassifier is for 'oscillator'"):
            OscillatorClassifier.from_model(learnt)
        said = r"no classifier of images \(it has no inputs of kind 'pixel-bits', no outputs of kind 'classes', no le"
        with pytest.raises(ValueError, match=said):
            classifier_from_model(Model(learnt.spec, learnt.parameters))
        wrong = replace(learnt.interface, outputs=Classes((0, 1)))
        with pytest.raises(ValueError, match="the model has 40 inputs and 10 classes, but says that it has 40 and 2"):
            classifier_from_model(replace(learnt, interface=wrong))

    def test_spiking_networks_have_no_classifier(self) -> None:
        spec = FelifSpec(inputs=2, layers=(FelifLayer(neurons=3, kind="lif"),))
        highest = {name: np.broadcast_to(each.high, each.shape) for name, each in spec.parameters.items()}
        with pytest.raises(ValueError, match="the model is of family 'felif'; classifiers are eqprop, oscillator"):
            classifier_from_model(Model(spec, highest))

    def test_the_table_of_classifiers_is_still_there_and_says_what_replaces_it(self) -> None:
        with pytest.warns(DeprecationWarning, match=r"CLASSIFIERS is now family\.view\('classifier'\)"):
            table = estimators.CLASSIFIERS
        assert table == {"eqprop": EqPropClassifier, "oscillator": OscillatorClassifier}

    def test_receptive_fields_are_mean_weights_of_pixels(self) -> None:
        images, labels = few_digits(60)
        fitted = EqPropClassifier(**SMALL).fit(images, labels)
        fields, weights = fitted.receptive_fields(), fitted.model_.parameters["weights_0"]
        assert fields.shape == (24, 64)
        pixels = np.array(fitted.code_.inputs) % 64
        assert np.isnan(fields[:, np.setdiff1d(np.arange(64), pixels)]).all()
        for pixel in np.unique(pixels):
            np.testing.assert_allclose(fields[:, pixel], weights[:, pixels == pixel].mean(axis=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, r"layers\[1\] is 0; it must lie between 1 and 4096"),
        ({"hidden": (24, 12), "thresholds": (1, 2)}, r"thresholds has shape \(2,\); this spec needs \(3,\)"),
        ({"state_high": 256}, r"state_high\[0\] is 256"),
        ({"steps": (0, 3)}, r"steps\['free'\] is 0; it must lie between 1 and 255"),
        ({"levels": (1.5,)}, "levels are"),
        ({"batch": 0}, "batch is 0"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1.0; it must be 0 or more, and below 1"),
    ],
)
def test_parameters_out_of_range(options: dict[str, Any], message: str) -> None:
    images, labels = few_digits(40)
    with pytest.raises(ValueError, match=message):
        EqPropClassifier(**(SMALL | options)).fit(images, labels)
