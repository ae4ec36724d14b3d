"""Estimators of oscillator networks: what they learn, and the same answers on the golden model and on devices."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from attractor.data.digits import digits
from attractor.estimators import RULES, HopfieldNetwork, OscillatorClassifier
from attractor.estimators.oscillator import default_sections
from attractor.host import Device, Model, ModelMismatch
from attractor.host.interface import Classes, Interface
from attractor.host.oscillator import Patterns, PixelPhases
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import OscillatorSpec

PATTERNS = np.where(np.random.default_rng(3).random((3, 40)) < 0.5, 1, -1)


def damaged(patterns: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Return patterns with the first ``count`` values turned round, the reference's among them."""
    return np.where(np.arange(patterns.shape[1]) < count, -patterns, patterns)


def test_patterns_are_completed() -> None:
    network = HopfieldNetwork(weight_bits=6).fit(PATTERNS)
    np.testing.assert_array_equal(network.recall(PATTERNS), PATTERNS)
    np.testing.assert_array_equal(network.recall(damaged(PATTERNS, 4)), PATTERNS)
    assert network.model_.provenance["rule"] == "diederich-opper"
    assert network.spec_.weight_bits == 6


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_stores_patterns(rule: str) -> None:
    network = HopfieldNetwork(rule).fit(PATTERNS[:2])
    np.testing.assert_array_equal(network.recall(PATTERNS[:2]), PATTERNS[:2])


def test_recall_is_the_same_everywhere(tmp_path: Path) -> None:
    golden = HopfieldNetwork("hebb", lanes=7).fit(PATTERNS)
    starts = np.where(np.random.default_rng(0).random((5, 40)) < 0.5, 1, -1)
    expected = golden.recall(starts)
    path = tmp_path / "model.safetensors"
    golden.model_.save(path)
    by_address = clone(golden).set_params(device=f"sim:{path}").fit(PATTERNS)
    assert by_address.model_ == golden.model_
    np.testing.assert_array_equal(by_address.recall(starts), expected)

    board = GoldenBoard(golden.spec_)
    with Device.open(board) as device:
        on_device = clone(golden).set_params(device=device).fit(PATTERNS)
        assert board.link._frames == device.link.statistics.sent
        frames = board.link._frames
        assert not board.parameters_valid  # fit has not touched it
        steps: list[tuple[int, int]] = []
        np.testing.assert_array_equal(on_device.recall(starts, progress=lambda *step: steps.append(step)), expected)
        assert steps == [(index, 5) for index in range(1, 6)]
        loaded = board.link._frames - frames
        on_device.recall(starts)
        assert board.link._frames - frames - loaded < loaded  # loaded once
        assert clone(on_device).device is device
        assert copy.deepcopy(device) is device


def test_another_network_is_loaded_first() -> None:
    first, second = HopfieldNetwork("hebb").fit(PATTERNS), HopfieldNetwork("hebb").fit(PATTERNS[:, ::-1])
    with Device.open(GoldenBoard(first.spec_)) as device:
        for network, patterns in ((first, PATTERNS), (second, PATTERNS[:, ::-1]), (first, PATTERNS)):
            network.set_params(device=device)
            np.testing.assert_array_equal(network.recall(patterns), patterns)
    other = Device.open(GoldenBoard(OscillatorSpec(oscillators=40, weight_bits=4)))
    with pytest.raises(ModelMismatch, match="weight_bits: 4, 5"):
        first.set_params(device=other).recall(PATTERNS)


def test_digits_are_classified_alike_on_a_device() -> None:
    data = digits()
    fitted = OscillatorClassifier(epochs=10, lanes=4).fit(data.train_images, data.train_labels)
    assert fitted.score(data.test_images, data.test_labels) > 0.88
    expected = fitted.predict(data.test_images[:20])
    with Device.open(GoldenBoard(fitted.spec_)) as device:
        np.testing.assert_array_equal(fitted.set_params(device=device).predict(data.test_images[:20]), expected)


def test_a_hidden_layer_is_fitted_saved_and_run_alike(tmp_path: Path) -> None:
    # Classes that no linear classifier tells apart: whether two pixels are equal.
    images = np.random.default_rng(4).integers(0, 2, (400, 6)).astype(float)
    labels = np.where(images[:, 0] == images[:, 1], "equal", "different")
    plain = OscillatorClassifier(weight_bits=6, epochs=10).fit(images, labels)
    hidden = OscillatorClassifier(weight_bits=6, epochs=60, hidden=20, lanes=5).fit(images, labels)
    assert plain.score(images, labels) < 0.8
    assert hidden.score(images, labels) > 0.95
    assert (hidden.spec_.targets, hidden.spec_.lanes, hidden.n_features_in_) == (22, 5, 6)
    hidden.model_.save(tmp_path / "model.safetensors")
    model = Model.load(tmp_path / "model.safetensors")
    assert model.provenance["rule"] == "broadcast-delta"
    with Device.open(GoldenBoard(model.spec)) as device:
        loaded = OscillatorClassifier.from_model(model, device=device)
        assert (loaded.hidden, loaded.n_features_in_) == (20, 6)
        np.testing.assert_array_equal(loaded.predict(images[:30]), hidden.predict(images[:30]))
    with pytest.raises(ValueError, match="hidden is -1"):
        OscillatorClassifier(hidden=-1).fit(images, labels)


def test_grey_scales_and_class_names_do_not_matter() -> None:
    data = digits()
    images, labels = data.train_images[:200], data.train_labels[:200]
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    plain = OscillatorClassifier(epochs=3).fit(images, labels)
    scaled = OscillatorClassifier(epochs=3).fit(images * 255 - 7, names[labels])
    assert (scaled.low_, scaled.high_) == (-7.0, 248.0)
    np.testing.assert_array_equal(scaled.classes_, np.sort(names))
    assert plain.score(images, labels) > 0.8
    assert scaled.score(images * 255 - 7, names[labels]) > 0.8


def test_a_saved_model_says_what_its_pixels_are(tmp_path: Path) -> None:
    data = digits()
    fitted = OscillatorClassifier(epochs=2).fit(data.train_images[:100] * 16, data.train_labels[:100])
    fitted.model_.save(tmp_path / "model.safetensors")
    model = Model.load(tmp_path / "model.safetensors")
    assert model.interface == Interface(PixelPhases(0.0, 16.0), Classes(tuple(range(10)), by="phases"))
    assert dict(model.provenance) == {"rule": "saturated-delta", "hidden": 0, "epochs": 2, "seed": 0, "images": 100}


# Few numbers


def test_few_numbers_get_several_oscillators_each() -> None:
    random = np.random.default_rng(0)
    assert default_sections(random.random((9, 64))) == default_sections(random.random((9, 32))) == 1
    assert default_sections(random.random((9, 31))) == 2
    assert default_sections(random.random((9, 2))) == 16
    # Black and white pixels need one, whatever their number; so do images that are all the same.
    assert default_sections(random.integers(0, 2, (9, 3))) == 1
    assert default_sections(random.integers(0, 4, (90, 3))) == 3
    assert default_sections(np.ones((9, 3))) == 1


@pytest.mark.parametrize("hidden", [0, 24])
def test_each_oscillator_shows_a_section_of_the_grey_scale(hidden: int, tmp_path: Path) -> None:
    grey = np.random.default_rng(1).random((300, 2)) * 10
    labels = (grey[:, 0] > 3).astype(int) + (grey[:, 0] > 6)
    fitted = OscillatorClassifier(sections=12, hidden=hidden).fit(grey, labels)
    spec, half = fitted.spec_, fitted.spec_.period // 2
    assert (spec.reference, fitted.n_features_in_) == (24, 2)
    phases = fitted._phases(np.array([[0.0, 10.0], [5.0, 2.6]]))[:, :24].reshape(2, 12, 2)
    black, white = fitted.low_, fitted.high_
    for image, pixel, value in ((0, 0, 0.0), (0, 1, 10.0), (1, 0, 5.0), (1, 1, 2.6)):
        section, within = divmod(np.clip((value - black) / (white - black), 0, 1) * 12, 1)
        assert (phases[image, : int(section), pixel] == 0).all()
        assert (phases[image, int(section) + 1 :, pixel] == half).all()
        if hidden and section < 12:
            assert phases[image, int(section), pixel] == (0 if within >= 0.5 else half)
    assert fitted.score(grey, labels) > 0.9
    fitted.model_.save(tmp_path / "model.safetensors")
    loaded = OscillatorClassifier.from_model(Model.load(tmp_path / "model.safetensors"))
    assert (loaded.sections, loaded.n_features_in_, loaded.hidden) == (12, 2, hidden)
    np.testing.assert_array_equal(loaded.predict(grey), fitted.predict(grey))


def test_models_that_contradict_themselves() -> None:
    data = digits()
    model = OscillatorClassifier(epochs=1).fit(data.train_images[:50], data.train_labels[:50]).model_
    for change in ({"inputs": PixelPhases(0.0, 1.0, sections=5)}, {"outputs": Classes((0, 1), by="phases")}):
        with pytest.raises(ValueError, match="the model has 64 pixel and 10 label oscillators, but says"):
            OscillatorClassifier.from_model(replace(model, interface=replace(model.interface, **change)))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (HopfieldNetwork("oja"), "rule is 'oja'; it must be one of hebb, covariance-hebb, storkey, diederich-opper"),
        (HopfieldNetwork(weight_bits=9), "weight_bits is 9; it must lie between 2 and 8"),
        (HopfieldNetwork(phase_bits=2), "phase_bits is 2; it must lie between 3 and 6"),
        (HopfieldNetwork(lanes=41), "lanes is 41; it must lie between 0 and 40"),
        (HopfieldNetwork(periods=70_000), "schedule[0, 'periods'] is 70000; it must lie between 0 and 65535"),
    ],
)
def test_parameters_out_of_range(network: HopfieldNetwork, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        network.fit(PATTERNS)


def test_data_that_do_not_fit() -> None:
    network = HopfieldNetwork("hebb", binarize=None)
    with pytest.raises(ValueError, match=re.escape("X holds 0; patterns are made of +1 and -1, so use np.where(")):
        network.fit(np.zeros((2, 5), int))
    network.fit(PATTERNS)
    with pytest.raises(
        ValueError,
        match="X has 39 features, but HopfieldNetwork is expecting 40 features as input; give it samples of 40",
    ):
        network.recall(PATTERNS[:, 1:])
    data = digits()
    fitted = OscillatorClassifier(epochs=1).fit(data.train_images[:50], data.train_labels[:50])
    with pytest.raises(
        ValueError, match="X has 63 features, but OscillatorClassifier is expecting 64 features as input"
    ):
        fitted.predict(data.test_images[:, 1:])
    with pytest.raises(ValueError, match="needs samples of at least 2 classes; the data have 1 class"):
        OscillatorClassifier().fit(data.train_images[:5], np.zeros(5, int))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        OscillatorClassifier().fit(data.train_images[:5], data.train_labels[:4])


def test_a_fit_that_failed_leaves_nothing_fitted() -> None:
    data = digits()
    classifier = OscillatorClassifier(weight_bits=99)
    with pytest.raises(ValueError, match="weight_bits is 99"):
        classifier.fit(data.train_images, data.train_labels)
    with pytest.raises(NotFittedError):
        classifier.predict(data.test_images)


# Patterns


def test_other_values_become_patterns_by_a_threshold(tmp_path: Path) -> None:
    grey = np.where(PATTERNS > 0, 200.0, 30.0)
    network = HopfieldNetwork("hebb", binarize=128).fit(grey)
    assert network.model_ != HopfieldNetwork("hebb").fit(PATTERNS).model_  # which says that 0 is the threshold
    np.testing.assert_array_equal(network.recall(grey), PATTERNS)
    network.model_.save(tmp_path / "model.safetensors")
    loaded = HopfieldNetwork.from_model(Model.load(tmp_path / "model.safetensors"))
    assert loaded.binarize == 128
    np.testing.assert_array_equal(loaded.recall(grey), PATTERNS)
    np.testing.assert_array_equal(HopfieldNetwork("hebb").fit(PATTERNS > 0).recall(PATTERNS > 0), PATTERNS)


def test_patterns_that_cannot_be_kept_are_warned_of() -> None:
    # No couplings keep two patterns that differ in a single place.
    patterns = np.array([[1, 1, 1, -1], [-1, 1, 1, -1]])
    with pytest.warns(ConvergenceWarning, match="of 8 pattern values are not stable with 5-bit couplings") as caught:
        network = HopfieldNetwork().fit(patterns)
    assert caught[0].filename == __file__
    found = network.recall(patterns)
    assert (found[:, 1:] == patterns[:, 1:]).all()


def test_what_a_device_learnt_is_a_memory() -> None:
    spec = OscillatorSpec(oscillators=40, learning=True)
    weights = np.zeros((40, 40), int)
    blank = Model(spec, {"weights": weights, "schedule": spec.schedule(24), "settle": np.array(2)})
    with Device.open(GoldenBoard(spec)) as device:
        device.load(blank)
        learnt = device.network.learn(PATTERNS).model
    np.testing.assert_array_equal(HopfieldNetwork.from_model(learnt).recall(PATTERNS), PATTERNS)
    assert learnt.interface == Interface(Patterns(), Patterns())
