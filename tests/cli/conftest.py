"""What the tests of the command share: a way to run it, and files to run it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.cli import main
from attractor.estimators import EqPropClassifier, HopfieldNetwork, OscillatorClassifier
from attractor.host import Model

#: Pixels of the small classifier, and values of a pattern.
PIXELS = 16


@dataclass(frozen=True)
class Outcome:
    """How one run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """The error in the one document on standard output."""
        assert self.code != 0
        (found,) = json.loads(self.out).values()
        assert found.keys() == {"kind", "message", "next"}
        assert all(found.values())
        return found


Run = Callable[..., Outcome]
Refused = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def refused(run: Run) -> Refused:
    """Run the command; it must end with one message on standard error that holds all of the given parts."""

    def refused(*arguments: object, says: tuple[object, ...]) -> str:
        outcome = run("-q", *arguments)
        assert outcome.code == 1
        assert outcome.err.startswith("error: ")
        assert outcome.out == "" or f"error: {outcome.error['message']}\n" == outcome.err
        assert outcome.err.count("\n") == 1, outcome.err
        for part in says:
            assert str(part) in outcome.err
        return outcome.err

    return refused


@pytest.fixture(scope="session")
def _classifier() -> Model:
    random = np.random.default_rng(0)
    images = random.random((60, PIXELS))
    return OscillatorClassifier(epochs=3).fit(images, images.argmax(axis=1) // 4).model_


@pytest.fixture
def classifier(_classifier: Model, tmp_path: Path) -> Path:
    """Model file of a classifier of 16 pixels."""
    path = tmp_path / "classifier.safetensors"
    _classifier.save(path)
    return path


@pytest.fixture(scope="session")
def _learner() -> Model:
    random = np.random.default_rng(0)
    images = random.random((80, PIXELS))
    settings = {"hidden": 12, "replicas": 2, "lanes": 4, "thresholds": 2, "epochs": 2}
    return EqPropClassifier(**settings).fit(images, images.argmax(axis=1) // 4).model_


@pytest.fixture
def learner(_learner: Model, tmp_path: Path) -> Path:
    """Model file of an eqprop classifier of 16 pixels, which can go on learning."""
    path = tmp_path / "learner.safetensors"
    _learner.save(path)
    return path


@pytest.fixture
def other(_classifier: Model, tmp_path: Path) -> Path:
    """Model file of a classifier with wider couplings."""
    path = tmp_path / "other.safetensors"
    spec: Any = _classifier.spec
    replace(_classifier, spec=replace(spec, weight_bits=spec.weight_bits + 1)).save(path)
    return path


@pytest.fixture
def patterns() -> np.ndarray:
    """Two orthogonal patterns."""
    return np.array([[1, -1] * (PIXELS // 2), [1, 1, -1, -1] * (PIXELS // 4)])


@pytest.fixture
def memory(patterns: np.ndarray, tmp_path: Path) -> Path:
    """Model file of an associative memory of the patterns, as the command trains it."""
    path = tmp_path / "memory.safetensors"
    HopfieldNetwork(binarize=None).fit(patterns).model_.save(path)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A .npy file of five images of 16 pixels."""
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(1).random((5, PIXELS)))
    return path
