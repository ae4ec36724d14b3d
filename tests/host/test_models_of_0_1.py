"""Models that version 0.1 saved load for good, and give what they gave."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.data.digits import digits
from attractor.data.mnist import DATA_VARIABLE
from attractor.estimators import PRESETS, EqPropClassifier, OscillatorClassifier, classifier_from_model
from attractor.golden import FelifNetwork
from attractor.host import Model
from attractor.spec.files import load_spec


@pytest.fixture
def folder() -> Path:
    data = os.environ.get(DATA_VARIABLE)
    found = Path(data).parent / "cases" / "models-0.1" if data else None
    if found is None or not found.is_dir():
        pytest.skip(f"no models of version 0.1: cases/models-0.1 lies beside the folder that {DATA_VARIABLE} names")
    return found


@pytest.fixture
def expected(folder: Path) -> Any:
    return np.load(folder / "expected.npz")


@pytest.mark.parametrize("name", ["oscillator", "eqprop"])
def test_classifiers(folder: Path, expected: Any, name: str, tmp_path: Path) -> None:
    model = Model.load(folder / f"{name}.safetensors")
    model.save(tmp_path / "again.safetensors")
    again = Model.load(tmp_path / "again.safetensors")
    assert (again, again.spec) == (model, model.spec)
    for loaded in (model, again):
        found = classifier_from_model(loaded).predict(digits().test_images)
        np.testing.assert_array_equal(found.astype(str), expected[name])


def test_spiking_networks(folder: Path, expected: Any) -> None:
    model = Model.load(folder / "felif.safetensors")
    spec: Any = model.spec
    assert spec == load_spec(folder / "felif.safetensors")
    network = FelifNetwork(spec, model.parameters)
    found = network.run(expected["felif_frames"]).outputs
    np.testing.assert_array_equal(found, expected["felif_outputs"])


def test_training_gives_the_same_bits(folder: Path) -> None:
    data = digits()
    settings = PRESETS["digits"] | {"epochs": 1}
    for name, classifier in (("oscillator", OscillatorClassifier()), ("eqprop", EqPropClassifier(**settings))):
        before, now = Model.load(folder / f"{name}.safetensors"), classifier.fit(data.train_images, data.train_labels)
        assert now.model_.spec.same_network(before.spec)
        for parameter, values in before.parameters.items():
            np.testing.assert_array_equal(now.model_.parameters[parameter], values)
        assert dict(now.model_.provenance) == dict(before.provenance)
