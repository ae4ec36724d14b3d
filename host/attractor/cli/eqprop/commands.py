"""Binary Equilibrium Propagation arrays in the commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from attractor.cli.family import (
    Demo,
    FamilyCommands,
    Progress,
    Trained,
    TrainOption,
    measured_cycles,
    train_classifier,
    until_interrupted,
)

if TYPE_CHECKING:
    from attractor.host import Device, Model

__all__ = ["EqPropCommands"]


class EqPropCommands(FamilyCommands):
    """Classifiers of images that can go on learning on the device."""

    data: ClassVar[str] = "'digits', 'mnist' or a .npz file with arrays images and labels"
    resumes: ClassVar[bool] = True
    options: ClassVar[tuple[TrainOption, ...]] = (
        TrainOption("hidden", int, "Neurons of the hidden layer; once more for each further one.", repeated=True),
        TrainOption("replicas", int, "Outputs for each class."),
        TrainOption("counter_bits", int, "Width of a counter."),
        TrainOption("counters", bool, "Keep counters, to learn on in the device."),
        TrainOption("lanes", int, "Neurons updated in a cycle; 0 for all. A preference, kept with the model."),
        TrainOption("epochs", int, "Passes over the data.", least=0),
        TrainOption("seed", int, "Seed of all that is random.", least=0),
    )

    def demo(self) -> Demo:
        """Return the demo of a device that learns digits."""
        from attractor.cli.eqprop.demo import EqPropDemo

        return EqPropDemo()

    def train(self, data: str, given: Mapping[str, Any]) -> Trained:
        """Train a classifier; with ``counters`` False it keeps no counters and needs gateware without learning."""
        from attractor.cli.datasets import load_images
        from attractor.estimators import EqPropClassifier

        if data.endswith(".npy"):
            raise ValueError(f"{data} holds patterns, which eqprop cannot store; give images, or use oscillators")
        arguments = _arguments(data, given)
        counters, checkpoint = arguments.pop("counters", True), arguments.pop("checkpoint", None)
        trained = train_classifier(EqPropClassifier(**arguments), load_images(data), checkpoint=checkpoint)
        model, said = trained.model, dict(trained.model.provenance)
        if not counters:
            model = _without_counters(model)
        judged = [part for part in said["held_back_accuracy"] if part is not None]
        best = {"validation_accuracy": max(judged)} if judged else {}
        return Trained(model, best | trained.values)

    def measure(self, device: Device, model: Model, calls: int, progress: Progress) -> dict[str, Any]:
        """Classify random bits, then learn from them if the network can; what was learnt is taken back."""
        import numpy as np

        from attractor.host.eqprop import EqPropLearning
        from attractor.spec import EqPropSpec
        from attractor.verify import parameters_kept

        spec = device.spec_of(EqPropSpec)
        random = np.random.default_rng(0)
        bits, labels = random.integers(0, 2, (calls, spec.layers[0])), random.integers(0, spec.classes, calls)
        made = device.network.results(map(spec.encode_input, bits), calls, progress=progress)
        results, interrupted = until_interrupted(made)
        measured = measured_cycles(device, np.array([result.cycles for result in results])) | {
            "steps_per_call": float(np.mean([result.free_steps for result in results])),
            "settled": float(np.mean([result.settled for result in results])),
        }
        if interrupted:
            return measured | {"interrupted": True}
        if not spec.learning:
            return measured
        told = model.interface.learning
        thresholds = told.thresholds if isinstance(told, EqPropLearning) else [spec.counter_high] * spec.connections
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


def _without_counters(model: Model) -> Model:
    """Return a model that has learnt as one that cannot go on."""
    from attractor.host import Model
    from attractor.spec import EqPropSpec
    from attractor.train.eqprop import without_learning

    assert isinstance(model.spec, EqPropSpec)
    return Model(*without_learning(model.spec, model.parameters), model.provenance, model.interface)


def _arguments(data: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the estimator is made with: the preset for the data, and above it what the user gave."""
    from attractor.estimators import PRESETS

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
