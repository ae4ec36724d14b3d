"""The demos, on the golden model behind the protocol."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.cli.eqprop import demo as eqprop_demo
from attractor.cli.oscillator import demo as oscillator_demo
from attractor.data.digits import Digits, digits
from attractor.estimators import PRESETS, EqPropClassifier, OscillatorClassifier
from attractor.gateware.bundle import FORMAT, Bundle
from attractor.host import Device, Model
from attractor.host.eqprop import EqPropCalls, SampleLearning
from attractor.host.oscillator import OscillatorCalls
from attractor.spec import OscillatorResult, OscillatorSpec

#: Images in the quick runs: held out, and learnt on the device.
IMAGES, LEARNT = 40, 150
KEYS = {"accuracy", "images", "agreement", "cycles_per_image", "board", "utilisation", "clock_mhz", "fmax_mhz", "link"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the demo runs on few images."""
    everything = digits()
    few = Digits(*everything[:2], everything.test_images[:IMAGES], everything.test_labels[:IMAGES])
    monkeypatch.setattr(oscillator_demo, "digits", lambda: few)
    fewer = few._replace(train_images=few.train_images[:LEARNT], train_labels=few.train_labels[:LEARNT])
    monkeypatch.setattr(eqprop_demo, "digits", lambda: fewer)
    monkeypatch.setattr(eqprop_demo, "EPOCHS", 2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attractor.machine.programs.has_compiler", lambda: False)


def test_without_a_compiler_the_golden_model_takes_over_and_says_so(
    run: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_compiler(monkeypatch)
    outcome = run("demo", "--board", "none", "--json")
    result = outcome.json
    assert set(result) == KEYS
    assert (result["images"], result["agreement"], result["board"]) == (IMAGES, 1.0, "golden model")
    assert result["accuracy"] > 0.85
    assert result["cycles_per_image"] is None
    assert result["utilisation"] is None
    assert result["clock_mhz"] is result["fmax_mhz"] is None
    # Several calls travel in one frame.
    assert 0 < result["link"]["sent"] < IMAGES
    assert "no C++ compiler" in outcome.err
    assert "starting the gateware" not in outcome.err
    assert (folder / "phases.png").read_bytes().startswith(b"\x89PNG")
    assert Model.load(folder / "digits.safetensors").provenance["rule"] == "saturated-delta"


def test_a_port_and_a_board(run: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(spec: Any, board: str, **_: object) -> Bundle:
        manifest = {
            "format": FORMAT,
            "network": spec.network_to_dict(),
            "build": spec.build_to_dict() | {"board": board, "clock_hz": 24_000_000},
            "bitstream": "top.bin",
            "utilisation": {"ICESTORM_LC": [3210, 5280]},
            "fmax_hz": {"clk": [30_000_000, 12_000_000], "other": [25_000_000, 12_000_000]},
        }
        return Bundle(b"bits", manifest)

    monkeypatch.setattr(importlib.import_module("attractor.gateware.build"), "build", build)
    # Another process would not see the stand-in.
    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", lambda workers, **_: ThreadPoolExecutor(workers))
    spec = OscillatorSpec(oscillators=75, inputs=65, labels=10, reference=64)
    (folder / "spec.json").write_text(spec.to_json())
    outcome = run("demo", "--port", "sim:spec.json")
    assert outcome.code == 0
    assert "icebreaker 3,210 of 5,280 ICESTORM_LC; 24.0 of 25.0 MHz" in outcome.out
    assert "C++" not in outcome.err
    assert (folder / "digits.icebreaker.zip").is_file()


@pytest.mark.usefixtures("folder")
def test_a_board_that_differs_is_reported(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    no_compiler(monkeypatch)
    right = OscillatorCalls.recall

    def wrong(*arguments: Any, **options: Any) -> list[OscillatorResult]:
        results = right(*arguments, **options)
        phases = results[7].phases.copy()
        phases[0] ^= 1
        results[7] = OscillatorResult(**(vars(results[7]) | {"phases": phases}))
        return results

    monkeypatch.setattr(OscillatorCalls, "recall", wrong)
    outcome = run("demo", "--board", "none", "--json")
    assert outcome.code == 1
    assert outcome.error["message"].startswith("the board differs from the golden model")
    assert "error: the board differs from the golden model: call 7" in outcome.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--board", "icebraker"), "icebreaker"),
        (("--picture", "nowhere/phases.png"), "no folder nowhere"),
        (("--picture", "phases.pgn"), "a picture's name must end in one of"),
        (("--model", "digits.bin"), ".safetensors"),
    ],
)
def test_wrong_words_are_refused_before_training(
    refused: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str], says: str
) -> None:
    for kind in (OscillatorClassifier, EqPropClassifier):
        monkeypatch.setattr(kind, "fit", lambda *_, **__: pytest.fail("trained"))
    for family in ("oscillator", "eqprop"):
        refused("demo", "--family", family, *words, says=(words[1], says))
    assert list(folder.iterdir()) == []


def test_the_pictured_classes_are_there() -> None:
    assert np.isin(oscillator_demo.PICTURED_CLASSES, digits().test_labels[:IMAGES]).all()


# Equilibrium Propagation


def test_the_board_learns_from_nothing_and_equals_the_golden_model(
    run: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_compiler(monkeypatch)
    outcome = run("demo", "--family", "eqprop", "--board", "none", "--json")
    result = outcome.json
    assert set(result) == KEYS | {"learnt", "calls", "cycles_per_learning_call", "rows"}
    assert (result["images"], result["agreement"], result["board"]) == (IMAGES, 1.0, "golden model")
    assert (result["learnt"], result["calls"]) == (2 * LEARNT, 4 * LEARNT)
    assert [row["learnt"] for row in result["rows"]] == [0, 25, 50, 100, 150, 225, 300]
    assert result["rows"][-1]["accuracy"] == result["accuracy"] > 2 * result["rows"][0]["accuracy"]
    assert 0 < result["link"]["sent"] < 4 * LEARNT + IMAGES
    assert f"300 images learnt, {result['accuracy']:.3f} of {IMAGES} held-out images recognised" in outcome.err
    assert (folder / "learning.png").read_bytes().startswith(b"\x89PNG")
    data = eqprop_demo.digits()
    learnt = EqPropClassifier.from_model(Model.load(folder / "learnt.safetensors"))
    assert learnt.score(data.test_images, data.test_labels) == result["accuracy"]
    same = EqPropClassifier(**PRESETS["digits"] | {"epochs": 2, "validation_fraction": 0})
    same.fit(data.train_images, data.train_labels)
    assert all((array == same.model_.parameters[name]).all() for name, array in learnt.model_.parameters.items())


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("what", ["flips[3]", "counters_1[2, 5]"])
def test_a_board_that_learns_something_else_is_reported(
    run: Callable, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    no_compiler(monkeypatch)
    learn, read = EqPropCalls.learn_samples, Device.read_parameters

    def wrong_learning(*arguments: Any, **options: Any) -> SampleLearning:
        learning = learn(*arguments, **options)
        learning.flips[3] += what.startswith("flips")
        return learning

    def wrong_parameters(device: Device) -> dict[str, np.ndarray]:
        found = read(device)
        found["counters_1"][2, 5] += what.startswith("counters")
        return found

    monkeypatch.setattr(EqPropCalls, "learn_samples", wrong_learning)
    monkeypatch.setattr(Device, "read_parameters", wrong_parameters)
    outcome = run("demo", "--family", "eqprop", "--board", "none", "--json")
    assert outcome.code == 1
    assert outcome.error["message"].startswith("the board differs from the golden model")
    assert f"error: the board differs from the golden model: {what} is" in outcome.err


@pytest.mark.parametrize(("family", "near"), [("springs", "oscillator"), ("felix", "did you mean 'felif'?")])
def test_a_family_that_there_is_not(refused: Callable, family: str, near: str) -> None:
    known = f"unknown network family '{family}'; this version knows eqprop, felif, oscillator"
    refused("demo", "--family", family, says=(known, near))
    refused("train", "digits", "-o", "x.safetensors", "--family", family, says=(known, near))


def test_the_help_tells_what_is_written_unless_the_user_says_so(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = run("demo", "--help")
    assert shown.code == 0
    for told in ("learning.png (eqprop)", "chorale.safetensors (felif)", "icebreaker (oscillator)"):
        assert told in shown.out
