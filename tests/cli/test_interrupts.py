"""Long work that is interrupted keeps and tells what was finished, and training goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.data.mnist import DATA_VARIABLE
from attractor.estimators import OscillatorClassifier
from attractor.host import Model
from attractor.host.calls import Calls
from attractor.train import eqprop, felif
from attractor.train.checkpoints import CheckpointError

INTERRUPTED = 130


def interrupted_in(epoch: int, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ctrl-C come in an epoch, counted from 1."""
    begun, run = [], kind.run_epoch

    def until(*arguments: Any, **given: Any) -> None:
        begun.append(arguments)
        if len(begun) == epoch:
            raise KeyboardInterrupt
        run(*arguments, **given)

    monkeypatch.setattr(kind, "run_epoch", until)


def same(one: Path, other: Path) -> bool:
    models = [Model.load(path) for path in (one, other)]
    return models[0].provenance == models[1].provenance and all(
        (array == models[1].parameters[name]).all() for name, array in models[0].parameters.items()
    )


@pytest.mark.parametrize(
    ("words", "trainer"),
    [
        (("digits", "--family", "eqprop", "--epochs", 4, "--seed", 3), eqprop.Trainer),
        pytest.param(
            ("chorales", "--family", "felif", "--epochs", 3, "--neuron", "lif"),
            felif.Trainer,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not os.environ.get(DATA_VARIABLE), reason=f"{DATA_VARIABLE} names no chorales"),
            ],
        ),
    ],
    ids=["eqprop", "felif"],
)
def test_training_goes_on_where_it_was_interrupted(
    run: Callable, refused: Callable, tmp_path: Path, words: tuple[Any, ...], trainer: Any
) -> None:
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    checkpoint = tmp_path / "broken.checkpoint.npz"
    result = run("train", *words, "-o", whole, "--json").json
    with pytest.MonkeyPatch.context() as patch:
        interrupted_in(3, trainer, patch)
        outcome = run("train", *words, "-o", broken)
    assert outcome.code == INTERRUPTED
    assert f"what was learnt is in {checkpoint}; the same command goes on from there" in outcome.err.replace("\n", " ")
    assert checkpoint.exists()
    assert not broken.exists()
    refused("train", *words, "--seed", 5, "-o", broken, says=("of another training", "seed is"))
    with pytest.MonkeyPatch.context() as patch:
        interrupted_in(99, trainer, patch)
        again = run("train", *words, "-o", broken, "--json").json
    assert {**again, "model": None} == {**result, "model": None}
    assert same(whole, broken)
    assert not checkpoint.exists()


def test_an_interrupt_in_the_first_epoch_leaves_nothing(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_in(1, eqprop.Trainer, monkeypatch)
    outcome = run("train", "digits", "--family", "eqprop", "-o", tmp_path / "x.safetensors", "--json")
    assert (outcome.code, outcome.error["kind"]) == (INTERRUPTED, "interrupted")
    assert not list(tmp_path.iterdir())


def test_training_without_epochs_to_keep_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="training of OscillatorClassifier cannot be resumed"):
        OscillatorClassifier().fit(np.eye(4), [0, 1, 0, 1], checkpoint=tmp_path / "a.npz")
    assert issubclass(CheckpointError, ValueError)


@pytest.mark.parametrize("family", ["oscillator", "eqprop"])
def test_a_measurement_tells_of_the_calls_that_were_made(
    run: Callable, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    path = classifier
    if family == "eqprop":
        path = tmp_path / "e.safetensors"
        run("train", "digits", "--family", "eqprop", "--epochs", 0, "-o", path)
    results = Calls.results

    def some(*arguments: Any, **given: Any) -> Iterator[Any]:
        for number, result in enumerate(results(*arguments, **given)):
            if number == 5:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(Calls, "results", some)
    outcome = run("bench", path, "--calls", 50, "--port", f"sim:{path}", "--json")
    assert outcome.code == INTERRUPTED
    measured = json.loads(outcome.out)
    assert (measured["calls"], measured["interrupted"]) == (5, True)
    assert "learning" not in measured
