"""The commands on networks of the eqprop family: as on oscillators, and what is special about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.cli import datasets
from attractor.data.digits import Digits, digits
from attractor.estimators import EqPropClassifier
from attractor.host import Device, Model
from attractor.spec import EqPropSpec


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both data sets be a few digits, grey from 0 to 255 in one of them."""
    data = digits()
    part = Digits(*(array[:400] for array in data))
    grey = Digits(part.train_images * 255, part.train_labels, part.test_images * 255, part.test_labels)
    monkeypatch.setattr(datasets, "DATASETS", {"digits": lambda: part, "mnist": lambda: grey})


# Training


@pytest.mark.usefixtures("few")
def test_train_digits(run: Callable, tmp_path: Path) -> None:
    path = tmp_path / "digits.safetensors"
    words = ("train", "digits", "--family", "eqprop", "--epochs", 2, "--seed", 3, "-o", path, "--json")
    result = run(*words).json
    model = Model.load(path)
    assert result["spec"] == json.loads(model.spec.to_json())
    assert result["spec"]["layers"] == [64, 48, 20]
    assert result["spec"]["learning"] is True
    assert (model.provenance["seed"], model.provenance["epochs"]) == (3, 2)
    assert result["accuracy"] > 0.3
    assert 0 < result["validation_accuracy"] <= 1


@pytest.mark.usefixtures("few")
def test_train_with_options_and_without_counters(run: Callable, tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    options = ("--hidden", 20, "--hidden", 12, "--replicas", 3, "--lanes", 4, "--counter-bits", 7, "--epochs", 1)
    result = run("train", "mnist", "--family", "eqprop", *options, "--no-counters", "-o", path, "--json").json
    spec = result["spec"]
    assert spec["layers"][1:] == [20, 12, 30]
    assert (spec["lanes"], spec["counter_bits"], spec["learning"]) == (4, 7, False)
    assert not any(name.startswith("counters") for name in Model.load(path).parameters)
    np.save(tmp_path / "images.npy", digits().test_images[:3] * 255)
    rows = run("classify", path, tmp_path / "images.npy", "--port", f"sim:{path}", "--json").json["images"]
    assert rows == run("classify", path, tmp_path / "images.npy", "--json").json["images"]


def test_train_on_a_users_images(run: Callable, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", images=random.random((60, 4, 4)), labels=np.array(["a", "b", "c"] * 20))
    words = ("train", tmp_path / "mine.npz", "--family", "eqprop", "--hidden", 9, "--epochs", 1)
    result = run(*words, "-o", tmp_path / "mine.safetensors", "--json").json
    assert (result["spec"]["classes"], result["spec"]["layers"][1]) == (3, 9)
    assert "accuracy" not in result  # nothing was held out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("digits", "--family", "eqprop", "--rule", "hebb"), ("--rule means nothing to family eqprop", "--hidden")),
        (("digits", "--family", "eqprop", "--weight-bits", 4), ("--weight-bits means nothing to family eqprop",)),
        (("digits", "--replicas", 4), ("--replicas means nothing to family oscillator", "--weight-bits")),
        (("digits", "--no-counters"), ("--counters means nothing to family oscillator",)),
        (("digits", "--rule", "hebb"), ("--rule does not go with images",)),
        (("digits", "--hidden", 3, "--hidden", 4), ("--hidden was given more than once",)),
        (("mine.npy", "--family", "eqprop"), ("mine.npy holds patterns", "use oscillators")),
        (("digits", "--family", "eqprop", "--hidden", 0), ("layers[1] is 0", "4096")),
        (("digits", "--family", "eqprop", "--counter-bits", 1), ("counter_bits is 1", "between 2 and 12")),
        (("numbers", "--family", "eqprop"), ("'numbers'", "'digits', 'mnist'", ".npz")),
    ],
)
def test_options_and_data_that_do_not_fit(
    refused: Callable, tmp_path: Path, words: tuple[object, ...], says: tuple[str, ...]
) -> None:
    refused("train", *words, "-o", tmp_path / "x.safetensors", says=says)
    assert list(tmp_path.iterdir()) == []


def test_mnist_that_is_not_there(refused: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATTRACTOR_DATA", raising=False)
    for family in ("oscillator", "eqprop"):
        words = ("train", "mnist", "--family", family, "-o", tmp_path / "x.safetensors")
        refused(*words, says=("ATTRACTOR_DATA is not set", "fetch"))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.arange(5) % 2, "inconsistent numbers of samples: [6, 5]"),
        (np.zeros((6, 2)), "(6, 2)"),
        (np.linspace(0, 1, 6), "continuous"),
        (np.zeros(6, int), "at least 2 classes; the data have 1 class"),
    ],
)
def test_labels_that_do_not_fit(refused: Callable, tmp_path: Path, labels: np.ndarray, says: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, images=np.random.default_rng(0).random((6, 9)), labels=labels)
    for family in ("eqprop", "oscillator"):
        refused("train", path, "--family", family, "-o", tmp_path / "x.safetensors", says=(says,))


# Models and devices


def test_info_load_classify(run: Callable, learner: Path, images: Path) -> None:
    model = Model.load(learner)
    told = run("info", learner, "--json").json
    assert told["spec"] == json.loads(model.spec.to_json())
    assert told["provenance"]["rule"] == "equilibrium-propagation"
    port = ("--port", f"sim:{learner}", "--json")
    assert run("info", *port).json["spec"] == told["spec"]
    assert run("load", learner, *port).json["valid"] is True
    expected = EqPropClassifier.from_model(model).predict(np.load(images))
    rows = [{"image": index, "class": str(name)} for index, name in enumerate(expected)]
    assert run("classify", learner, images, "--json").json == {"images": rows}
    assert run("classify", learner, images, *port).json == {"images": rows}


def test_device_against_the_golden_model(run: Callable, learner: Path) -> None:
    result = run("test", "--port", f"sim:{learner}", "--calls", 3, "--json").json
    features = result.pop("features")
    assert result == {"calls": 12, "agreement": 1.0, "exact": True, "timed": 0}
    assert 0 < features["input sample.learn"] <= 12


def test_a_device_that_learns_wrong_is_told(run: Callable, learner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = EqPropSpec.encode_changes

    first = [True]

    def wrong(spec: EqPropSpec, windows: Any, before: Any, after: dict[str, np.ndarray]) -> dict[str, bytes]:
        """Let the board keep another counter than it should, once."""
        if first.pop():
            after = after | {"counters_0": after["counters_0"].copy()}
            after["counters_0"][0, 0] ^= 1
        first.append(False)
        return right(spec, windows, before, after)

    monkeypatch.setattr(EqPropSpec, "encode_changes", wrong)
    outcome = run("test", "--port", f"sim:{learner}", "--calls", 3, "--json")
    assert outcome.code == 1
    assert "error: the device differs from the golden model: model 0, counters_0[0, 0] is" in outcome.err


def test_bench_says_what_learning_takes_and_takes_it_back(
    run: Callable, learner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, close = [], Device.close

    def look(device: Device) -> None:
        held.append(device.holds(Model.load(learner)))
        close(device)

    monkeypatch.setattr(Device, "close", look)
    result = run("bench", learner, "--calls", 20, "--port", f"sim:{learner}", "--json").json
    assert result["calls"] == result["learning"]["calls"] == 20
    assert result["cycles_per_call"] is None  # the golden model has no clock
    assert result["steps_per_call"] >= 1
    assert result["learning"]["touched_per_call"] > 0
    # Several calls travel in one frame.
    assert 0 < result["link"]["sent"] < 40
    assert held == [True]


# What does not go together


def test_models_of_another_family(
    refused: Callable, learner: Path, classifier: Path, images: Path, patterns: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "patterns.npy", patterns)
    refused("recall", learner, tmp_path / "patterns.npy", says=("no associative memory", "classify"))
    for words in (("load", learner), ("classify", learner, images), ("bench", learner)):
        refused(*words, "--port", f"sim:{classifier}", says=("family: oscillator, eqprop", "build gateware"))
    (tmp_path / "graph").write_text("3 2\n1 2 1\n2 3 1\n")
    refused(
        "solve", tmp_path / "graph", "--port", f"sim:{learner}", says=("family 'eqprop'; problems need 'oscillator'",)
    )


def test_a_model_with_counters_needs_a_device_that_learns(refused: Callable, learner: Path, tmp_path: Path) -> None:
    model = Model.load(learner)
    fields = model.spec.to_dict() | {"learning": False}
    plain = tmp_path / "plain.json"
    plain.write_text(type(model.spec).from_dict(fields).to_json())
    refused("load", learner, "--port", f"sim:{plain}", says=("learning: False, True", "build gateware"))
    np.save(tmp_path / "large.npy", np.zeros((3, 25)))
    refused("classify", learner, tmp_path / "large.npy", says=("25", "16 values"))
