"""Binary Equilibrium Propagation arrays in the commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from attractor.cli.datasets import load_images
from attractor.cli.eqprop.demo import EqPropDemo
from attractor.cli.family import Demo, FamilyCommands, Progress, Trained, measured_cycles, train_classifier
from attractor.estimators import PRESETS, EqPropClassifier
from attractor.host import Device, Model
from attractor.spec import EqPropSpec
from attractor.train.eqprop import without_learning
from attractor.verify import parameters_kept

__all__ = ["EqPropCommands"]


class EqPropCommands(FamilyCommands):
    """Classifiers of images that can go on learning on the device."""

    demo: ClassVar[type[Demo]] = EqPropDemo
    options: ClassVar[frozenset[str]] = frozenset(
        {"hidden", "replicas", "counter_bits", "lanes", "epochs", "seed", "counters"}
    )

    def train(self, data: str, given: Mapping[str, Any]) -> Trained:
        """Train a classifier; with ``counters`` False it keeps no counters and needs gateware without learning."""
        if data.endswith(".npy"):
            raise ValueError(f"{data} holds patterns, which eqprop cannot store; give images, or use oscillators")
        arguments = _arguments(data, given)
        counters = arguments.pop("counters", True)
        trained = train_classifier(EqPropClassifier(**arguments), load_images(data))
        model, said = trained.model, dict(trained.model.provenance)
        if not counters:
            assert isinstance(model.spec, EqPropSpec)
            model = Model(*without_learning(model.spec, model.parameters), said)
        judged = [part for part in said["held_back_accuracy"] if part is not None]
        best = {"validation_accuracy": max(judged)} if judged else {}
        return Trained(model, best | trained.values)

    def measure(self, device: Device, model: Model, calls: int, progress: Progress) -> dict[str, Any]:
        """Classify random bits, then learn from them if the network can; what was learnt is taken back."""
        spec = device.spec_of(EqPropSpec)
        random = np.random.default_rng(0)
        bits, labels = random.integers(0, 2, (calls, spec.layers[0])), random.integers(0, spec.classes, calls)
        results = device.network.infer(bits, progress=progress)
        measured = measured_cycles(device, np.array([result.cycles for result in results])) | {
            "steps_per_call": float(np.mean([result.free_steps for result in results])),
            "settled": float(np.mean([result.settled for result in results])),
        }
        if not spec.learning:
            return measured
        thresholds = model.provenance.get("thresholds", [spec.counter_high] * spec.connections)
        with parameters_kept(device):
            learning = device.network.learn_samples(bits, labels, thresholds, sigmas=random, progress=progress)
        return measured | {
            "learning": measured_cycles(device, learning.cycles)
            | {
                "nudged_steps_per_call": float(learning.nudged_steps.mean()),
                "touched_per_call": float(learning.touched.mean()),
                "flips_per_call": float(learning.flips.mean()),
            }
        }


def _arguments(data: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the estimator is made with: the preset for the data, and above it what the user gave."""
    arguments = dict(PRESETS.get(data, {}))
    if len(given.get("hidden", ())) > 1:
        for name in ("thresholds", "state_high", "doubling"):  # made for one hidden layer
            arguments.pop(name, None)
    arguments |= given
    if "hidden" in given:
        arguments["hidden"] = tuple(given["hidden"])
    if "seed" in given:
        arguments["random_state"] = arguments.pop("seed")
    return arguments
