"""The demo, on the golden model behind the protocol."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.cli import demo
from attractor.gateware.bundle import FORMAT, Bundle
from attractor.host import Device, Model
from attractor.spec import OscillatorResult, OscillatorSpec
from attractor.train.digits import Digits, digits

#: Held-out images in the quick runs.
IMAGES = 40
KEYS = {"accuracy", "images", "agreement", "cycles_per_image", "board", "utilisation", "fmax_mhz", "link"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the demo runs on few images."""
    everything = digits()
    few = Digits(*everything[:2], everything.test_images[:IMAGES], everything.test_labels[:IMAGES])
    monkeypatch.setattr(demo, "digits", lambda: few)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attractor.sim.verilator.has_compiler", lambda: False)


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
    assert result["fmax_mhz"] is None
    assert result["link"]["sent"] >= IMAGES
    assert "no C++ compiler" in outcome.err
    assert "starting the gateware" not in outcome.err
    assert (folder / "phases.png").read_bytes().startswith(b"\x89PNG")
    assert Model.load(folder / "digits.safetensors").provenance["rule"] == "saturated-delta"


def test_a_port_and_a_board(run: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(spec: Any, board: str, **_: object) -> Bundle:
        manifest = {
            "format": FORMAT,
            "spec": spec.to_dict(),
            "board": board,
            "bitstream": "top.bin",
            "utilisation": {"ICESTORM_LC": [3210, 5280]},
            "fmax_hz": {"clk": [30_000_000, 12_000_000], "other": [25_000_000, 12_000_000]},
        }
        return Bundle(b"bits", manifest)

    monkeypatch.setattr(importlib.import_module("attractor.gateware.build"), "build", build)
    # Another process would not see the stand-in.
    monkeypatch.setattr(demo, "ProcessPoolExecutor", lambda workers, **_: ThreadPoolExecutor(workers))
    spec = OscillatorSpec(oscillators=75, inputs=65, labels=10, reference=64)
    (folder / "spec.json").write_text(spec.to_json())
    outcome = run("demo", "--port", "sim:spec.json")
    assert outcome.code == 0
    assert "icebreaker 3,210 of 5,280 ICESTORM_LC; 25.0 MHz" in outcome.out
    assert "C++" not in outcome.err
    assert (folder / "digits.icebreaker.zip").is_file()


@pytest.mark.usefixtures("folder")
def test_a_board_that_differs_is_reported(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    no_compiler(monkeypatch)
    right = Device.recall

    def wrong(*arguments: Any, **options: Any) -> list[OscillatorResult]:
        results = right(*arguments, **options)
        phases = results[7].phases.copy()
        phases[0] ^= 1
        results[7] = OscillatorResult(**(vars(results[7]) | {"phases": phases}))
        return results

    monkeypatch.setattr(Device, "recall", wrong)
    outcome = run("demo", "--board", "none", "--json")
    assert (outcome.code, outcome.out) == (1, "")
    assert "error: the board differs from the golden model: call 7" in outcome.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--board", "icebraker"), "icebreaker"),
        (("--picture", "nowhere/phases.png"), "no folder nowhere"),
        (("--model", "digits.bin"), ".safetensors"),
    ],
)
def test_wrong_words_are_refused_before_training(
    refused: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str], says: str
) -> None:
    monkeypatch.setattr(demo.OscillatorClassifier, "fit", lambda *_, **__: pytest.fail("trained"))
    refused("demo", *words, says=(words[1], says))
    assert list(folder.iterdir()) == []


def test_the_pictured_classes_are_there() -> None:
    assert np.isin(demo.PICTURED_CLASSES, digits().test_labels[:IMAGES]).all()
