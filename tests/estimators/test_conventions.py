"""Estimators keep scikit-learn's conventions: its own checks, what they are to it, pipelines, searches and seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from attractor.data.digits import digits
from attractor.estimators import (
    EqPropClassifier,
    HopfieldNetwork,
    ImageClassifier,
    OscillatorClassifier,
    classifier_from_model,
)
from attractor.estimators.base import seed_of
from attractor.host import Device, Model

#: Classifiers that learn in a second.
QUICK: list[ImageClassifier] = [
    OscillatorClassifier(epochs=3),
    OscillatorClassifier(epochs=3, hidden=24),
    EqPropClassifier(hidden=24, replicas=2, epochs=3, thresholds=(6, 3)),
]


def few_digits(count: int = 150) -> tuple[np.ndarray, np.ndarray]:
    data = digits()
    return data.train_images[:count], data.train_labels[:count]


# As they are made by default, and without an exception: docs/estimators.md says so.
@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.SkipTestWarning",
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:invalid value encountered in cast",
)
@parametrize_with_checks([OscillatorClassifier(), EqPropClassifier(), HopfieldNetwork()])  # type: ignore[arg-type]
def test_checks_of_scikit_learn(estimator: object, check: Any) -> None:
    check(estimator)


def test_tags_say_what_they_are() -> None:
    for classifier in QUICK:
        tags = get_tags(classifier)
        assert is_classifier(classifier)
        assert tags.target_tags.required
        assert tags.classifier_tags is not None
        assert tags.classifier_tags.multi_class
        assert not tags.classifier_tags.poor_score
        assert tags.transformer_tags is None
    tags = get_tags(HopfieldNetwork())
    assert tags.classifier_tags is None
    assert tags.transformer_tags is not None
    assert tags.transformer_tags.preserves_dtype == []
    assert not tags.target_tags.required


# Classes


@pytest.mark.parametrize("classifier", QUICK, ids=repr)
@pytest.mark.parametrize(
    "classes",
    [np.arange(10) * 3 - 5, np.array(list("abcdefghij")), np.arange(10.0), np.array(list("jihgfedcba"), object)],
    ids=lambda classes: str(classes.dtype),
)
def test_classes_survive_saving(classifier: ImageClassifier, classes: np.ndarray, tmp_path: Any) -> None:
    images, labels = few_digits()
    fitted = clone(classifier).fit(images, classes[labels])
    fitted.model_.save(tmp_path / "model.safetensors")
    loaded = classifier_from_model(Model.load(tmp_path / "model.safetensors"))
    assert loaded.classes_.tolist() == fitted.classes_.tolist()
    assert [type(name) for name in loaded.classes_.tolist()] == [type(name) for name in classes.tolist()]
    np.testing.assert_array_equal(loaded.predict(images), fitted.predict(images))
    assert loaded.score(images, classes[labels]) == fitted.score(images, classes[labels]) > 0.2


@pytest.mark.parametrize("classifier", QUICK, ids=repr)
def test_booleans_stay_booleans(classifier: ImageClassifier, tmp_path: Any) -> None:
    images, labels = few_digits()
    fitted = clone(classifier).fit(images, labels > 4)
    fitted.model_.save(tmp_path / "model.safetensors")
    loaded = classifier_from_model(Model.load(tmp_path / "model.safetensors"))
    assert loaded.classes_.dtype == bool
    assert loaded.score(images, labels > 4) == fitted.score(images, labels > 4)


# Decisions


@pytest.mark.parametrize("classifier", QUICK, ids=repr)
def test_the_greatest_decision_is_predicted_and_the_lowest_class_of_equal_ones(classifier: ImageClassifier) -> None:
    images, labels = few_digits(400)
    fitted = clone(classifier).fit(images, labels)
    scores = fitted.decision_function(images)
    assert scores.shape == (400, 10)
    np.testing.assert_array_equal(fitted.classes_[scores.argmax(axis=1)], fitted.predict(images))
    ties = (scores == scores.max(axis=1, keepdims=True)).sum(axis=1) > 1
    assert ties.any()


@pytest.mark.parametrize("classifier", QUICK, ids=repr)
def test_of_two_classes_the_decision_is_for_the_second(classifier: ImageClassifier) -> None:
    images, labels = few_digits(400)
    fitted = clone(classifier).fit(images, labels > 4)
    decisions = fitted.decision_function(images)
    assert decisions.shape == (400,)
    np.testing.assert_array_equal(decisions > 0, fitted.predict(images))


def test_a_label_in_phase_scores_1_and_one_opposite_minus_1() -> None:
    images, labels = few_digits()
    fitted = OscillatorClassifier().fit(images, labels)
    scores = fitted.decision_function(images)
    assert (scores.min(), scores.max()) == (-1, 1)
    assert set(np.unique(scores * 4)) <= set(range(-4, 5))
    own = scores[np.arange(len(labels)), labels]
    assert own.mean() > 0.5 > scores.mean()


# Together with others


@pytest.mark.parametrize("estimator", [*QUICK, HopfieldNetwork()], ids=repr)
def test_clones_are_alike(estimator: BaseEstimator) -> None:
    copy = clone(estimator)
    assert copy is not estimator
    assert repr(copy.get_params()) == repr(estimator.get_params())


def test_few_numbers_are_told_apart() -> None:
    iris = load_iris()
    for classifier in (OscillatorClassifier(), EqPropClassifier()):
        found = make_pipeline(MinMaxScaler(), classifier).fit(iris.data, iris.target)
        assert found.score(iris.data, iris.target) > 0.9


def test_a_search_finds_the_better_settings() -> None:
    iris = load_iris()
    pipeline = make_pipeline(MinMaxScaler(), OscillatorClassifier(epochs=20))
    search = GridSearchCV(pipeline, {"oscillatorclassifier__sections": [1, 8]}, cv=3).fit(iris.data, iris.target)
    assert search.best_params_ == {"oscillatorclassifier__sections": 8}
    assert search.best_score_ > 0.85


def test_a_memory_cleans_what_a_classifier_sees() -> None:
    random = np.random.default_rng(2)
    stored = np.where(random.random((3, 40)) < 0.5, 1, -1)
    # A pattern and its negative are one attractor, and samples are completed to what they are closer to.
    labels = random.integers(0, 3, 120)
    damaged = np.where(random.random((120, 40)) < 0.15, -1, 1) * stored[labels]
    memory = HopfieldNetwork().fit(stored)
    np.testing.assert_array_equal(memory.transform(damaged), memory.recall(damaged))
    pipeline = make_pipeline(HopfieldNetwork("hebb"), OscillatorClassifier(epochs=5)).fit(stored, [0, 1, 2])
    assert pipeline.score(damaged, labels) > 0.95
    assert pipeline[0].get_feature_names_out().tolist() == [f"x{index}" for index in range(40)]
    assert HopfieldNetwork().fit_transform(stored).dtype == np.int8


# Seeds


@pytest.mark.parametrize("classifier", QUICK, ids=repr)
def test_random_states(classifier: ImageClassifier) -> None:
    images, labels = few_digits()

    def fitted(state: Any) -> Model:
        return clone(classifier).set_params(random_state=state).fit(images, labels).model_

    assert fitted(3) == fitted(np.int64(3)) != fitted(4)
    assert fitted(np.random.RandomState(5)) == fitted(np.random.RandomState(5))
    state = np.random.RandomState(5)
    assert fitted(state).provenance["seed"] != fitted(state).provenance["seed"]
    drawn = fitted(None)
    assert drawn != fitted(None)
    assert drawn == fitted(drawn.provenance["seed"])  # what chance chose can be done again


@pytest.mark.parametrize(("state", "message"), [(-1, "random_state is -1; a seed must be"), ("a", "cannot be used")])
def test_random_states_that_are_none(state: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        seed_of(state)


# Places


@pytest.mark.parametrize("lanes", [0, 3])
def test_a_board_is_made_for_the_network_and_answers_the_same(lanes: int) -> None:
    images, labels = few_digits(60)
    for classifier in QUICK:
        fitted = clone(classifier).set_params(lanes=lanes).fit(images, labels)
        expected = fitted.decision_function(images[:9])
        np.testing.assert_array_equal(fitted.set_params(device="sim:").decision_function(images[:9]), expected)
    memory = HopfieldNetwork("hebb", lanes=lanes).fit(np.where(images[:3] > 0.5, 1, -1))
    expected = memory.transform(images[:9] - 0.5)
    np.testing.assert_array_equal(memory.set_params(device="sim:").transform(images[:9] - 0.5), expected)
    learner = EqPropClassifier(lanes=lanes, hidden=12, replicas=2).fit(images, labels)
    there = EqPropClassifier.from_model(learner.model_).partial_fit(images[:9], labels[:9], device="sim:")
    assert there.model_ == learner.partial_fit(images[:9], labels[:9]).model_
    assert there.spec_ == learner.spec_


def test_what_was_trained_for_any_lanes_learns_and_answers_on_others() -> None:
    images, labels = few_digits(60)
    learner = EqPropClassifier(lanes=5, hidden=12, replicas=2).fit(images, labels)
    expected = EqPropClassifier.from_model(learner.model_).partial_fit(images[:9], labels[:9])
    for lanes in (1, 7, 12):
        with Device.open("sim:", replace(learner.spec_, lanes=lanes)) as device:
            found = EqPropClassifier.from_model(learner.model_, device=device).partial_fit(images[:9], labels[:9])
            assert found.model_ == expected.model_
            assert found.spec_.lanes == 5
            np.testing.assert_array_equal(found.predict(images), expected.predict(images))
