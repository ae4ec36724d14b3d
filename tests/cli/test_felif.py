"""Spiking networks in the commands: the demo on the golden model behind the protocol, training, test and bench."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.cli.felif.demo import FelifDemo, foretold
from attractor.data.mnist import DATA_VARIABLE
from attractor.data.psalm import old_hundredth
from attractor.golden import FelifNetwork
from attractor.host import Model
from attractor.host.felif import FelifCalls
from attractor.spec import FelifResult, FelifSpec
from attractor.train.felif import OUTPUT_ONE

needs_chorales = pytest.mark.skipif(not os.environ.get(DATA_VARIABLE), reason="needs the chorales")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and no compiler."""
    monkeypatch.setattr("attractor.machine.programs.has_compiler", lambda: False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_demo_foretells_chords_and_equals_the_golden_model(run: Callable, folder: Path) -> None:
    outcome = run("demo", "--family", "felif", "--board", "none", "--json")
    result = outcome.json
    roll = old_hundredth()
    assert (result["chords"], result["agreement"], result["board"]) == (len(roll) - 1, 1.0, "golden model")
    assert result["cycles_per_chord"] is None
    assert result["link"]["sent"] >= len(roll) - 1
    assert (folder / "chorale.png").read_bytes().startswith(b"\x89PNG")
    # The figures, once more and straight from the model that was written.
    model = Model.load(folder / "chorale.safetensors")
    assert isinstance(model.spec, FelifSpec)
    run_of_all = FelifNetwork(model.spec, model.parameters).run(roll[None, :-1].astype(int), trace=True)
    assert run_of_all.traces is not None
    logits = run_of_all.traces[-1].voltage[5:, 0] / OUTPUT_ONE
    chance = np.where(roll[6:], 1, -1) / (1 + np.exp(-logits)) + ~roll[6:]
    assert result["loss"] == pytest.approx(-np.log(chance).mean())
    assert result["loss"] < 0.2
    assert result["notes_foretold"] > result["notes_that_stay"] > 0.3
    assert result["spikes_per_chord"] == pytest.approx(run_of_all.spikes[0] / (len(roll) - 1))


def test_notes_are_foretold_by_the_greatest_scores_after_the_first_chords() -> None:
    follows = np.zeros((7, 9), bool)
    follows[:, :4] = True
    scores = np.where(follows, 1.0, 0.0)
    assert foretold(scores, follows) == 1.0
    scores[:5] = 0
    assert foretold(scores, follows) == 1.0
    scores[6, [0, 8]] = [-1.0, 2.0]
    assert foretold(scores, follows) == 7 / 8


@pytest.mark.usefixtures("folder")
def test_a_board_that_differs_is_reported(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    right = FelifCalls.run_ticks

    def wrong(*arguments: Any, **options: Any) -> list[FelifResult]:
        results = right(*arguments, **options)
        results[7].outputs[3] += 1
        return results

    monkeypatch.setattr(FelifCalls, "run_ticks", wrong)
    outcome = run("demo", "--family", "felif", "--board", "none", "--json")
    assert outcome.code == 1
    assert outcome.error["message"].startswith("the board differs from the golden model")
    assert "error: the board differs from the golden model: call 7, window outputs, field output[3] is" in outcome.err


def test_the_shipped_network_is_tested_and_measured_behind_the_protocol(run: Callable, folder: Path) -> None:
    FelifDemo().prepare().save(folder / "model.safetensors")
    found = run("--port", "sim:model.safetensors", "test", "--calls", 4, "--json").json
    assert (found["calls"], found["exact"]) == (16, True)
    measured = run("--port", "sim:model.safetensors", "bench", "model.safetensors", "--calls", 5, "--json").json
    assert (measured["calls"], measured["cycles_per_call"], measured["cycles_per_tick"]) == (5, None, None)
    assert measured["spikes_per_tick"] > 1


@needs_chorales
def test_a_network_is_trained_on_the_chorales(run: Callable, folder: Path) -> None:
    options = ("--weight-bits", 3, "--neuron", "lif", "--epochs", 1, "--lanes", 10, "--seed", 5)
    result = run("train", "chorales", "--family", "felif", *options, "-o", "music.safetensors", "--json").json
    model = Model.load(folder / "music.safetensors")
    assert isinstance(model.spec, FelifSpec)
    assert ([layer.kind for layer in model.spec.layers], model.spec.lanes) == (["lif", "readout"], 10)
    assert model.spec.layers[0].weight_bits == 3
    assert model.provenance["test_loss"] == result["test_loss"] < 0.3
    assert (model.provenance["epochs"], model.provenance["seed"]) == (1, 5)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("digits", "--family", "felif"), "nothing to train felif on; give 'chorales'"),
        (("chorales", "--family", "felif", "--neuron", "izhikevich"), "it must be one of felif_a, felif_b, lif"),
        (("chorales", "--family", "felif", "--weight-bits", 9), "weight_bits is 9; it must lie between 2 and 8"),
        (("chorales", "--family", "felif", "--rule", "hebb"), "--rule means nothing to family felif"),
        (("chorales", "--family", "eqprop"), "'chorales' is nothing to train on"),
    ],
)
def test_what_does_not_fit_is_refused(refused: Callable, words: tuple[object, ...], says: str) -> None:
    refused("train", *words, "-o", "x.safetensors", says=(says,))


@pytest.mark.usefixtures("folder")
def test_without_the_chorales(refused: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    refused("train", "chorales", "--family", "felif", "-o", "x.safetensors", says=("ATTRACTOR_DATA is not set",))
