"""Oscillator networks in the commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from attractor.cli.datasets import load_images
from attractor.cli.family import Demo, FamilyCommands, Progress, Trained, measured_cycles, train_classifier
from attractor.cli.files import read_rows
from attractor.cli.oscillator.demo import OscillatorDemo
from attractor.estimators import HopfieldNetwork, OscillatorClassifier
from attractor.host import Device, Model
from attractor.spec import OscillatorSpec

__all__ = ["OscillatorCommands"]

#: Options of classifiers, and of memories of patterns.
_CLASSIFIER = frozenset({"weight_bits", "phase_bits", "lanes", "hidden", "epochs", "seed"})
_MEMORY = frozenset({"weight_bits", "phase_bits", "lanes", "rule"})


class OscillatorCommands(FamilyCommands):
    """Classifiers of images, and associative memories."""

    demo: ClassVar[type[Demo]] = OscillatorDemo
    options: ClassVar[frozenset[str]] = _CLASSIFIER | _MEMORY

    def train(self, data: str, given: Mapping[str, Any]) -> Trained:
        """Train a classifier, or a memory of the patterns in a .npy file."""
        patterns = data.endswith(".npy")
        taken = _MEMORY if patterns else _CLASSIFIER
        for name in sorted(given.keys() - taken):
            kind = "patterns" if patterns else "images"
            raise ValueError(f"--{name.replace('_', '-')} does not go with {kind}; leave it out")
        if patterns:
            return Trained(HopfieldNetwork(**given).fit(read_rows(Path(data))).model_, {})
        arguments = dict(given)
        if "seed" in arguments:
            arguments["random_state"] = arguments.pop("seed")
        if "hidden" in arguments:
            if len(arguments["hidden"]) > 1:
                raise ValueError("--hidden was given more than once; oscillators have at most one hidden layer")
            (arguments["hidden"],) = arguments["hidden"]
        return train_classifier(OscillatorClassifier(**arguments), load_images(data))

    def measure(self, device: Device, model: Model, calls: int, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """Let phases settle from random starts."""
        spec = device.spec_of(OscillatorSpec)
        phases = np.random.default_rng(0).integers(0, spec.period, (calls, spec.oscillators)).astype(np.uint8)
        results = device.network.recall(phases, progress=progress)
        return measured_cycles(device, np.array([result.cycles for result in results])) | {
            "periods_per_call": float(np.mean([result.periods for result in results])),
            "settled": float(np.mean([result.settled for result in results])),
        }
