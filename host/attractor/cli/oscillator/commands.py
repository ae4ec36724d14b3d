"""Oscillator networks in the commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from attractor.cli.family import (
    Demo,
    FamilyCommands,
    Progress,
    Trained,
    TrainOption,
    check_options_for,
    measured_cycles,
    train_classifier,
    until_interrupted,
)

if TYPE_CHECKING:
    from attractor.host import Device, Model

__all__ = ["OscillatorCommands"]


class OscillatorCommands(FamilyCommands):
    """Classifiers of images, and associative memories."""

    data: ClassVar[str] = (
        "'digits', 'mnist', a .npz file with arrays images and labels, or a .npy file of +1/-1 patterns"
    )
    options: ClassVar[tuple[TrainOption, ...]] = (
        TrainOption("weight_bits", int, "Width of a coupling."),
        TrainOption("phase_bits", int, "Width of a phase."),
        TrainOption("lanes", int, "Oscillators updated in a cycle; 0 for all. A preference, kept with the model."),
        TrainOption("hidden", int, "Oscillators of the hidden layer.", repeated=True, only="images"),
        TrainOption("epochs", int, "Passes over the data.", least=0, only="images"),
        TrainOption("seed", int, "Seed of all that is random.", least=0, only="images"),
        TrainOption("rule", str, "Learning rule.", only="patterns"),
    )

    def demo(self) -> Demo:
        """Return the demo with handwritten digits."""
        from attractor.cli.oscillator.demo import OscillatorDemo

        return OscillatorDemo()

    def train(self, data: str, given: Mapping[str, Any]) -> Trained:
        """Train a classifier, or a memory of the patterns in a .npy file."""
        from attractor.cli.datasets import load_images
        from attractor.estimators import OscillatorClassifier

        patterns = data.endswith(".npy")
        check_options_for("patterns" if patterns else "images", self.options, given)
        if patterns:
            return Trained(_memory(Path(data), given), {})
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
        import numpy as np

        from attractor.spec import OscillatorSpec

        spec = device.spec_of(OscillatorSpec)
        phases = np.random.default_rng(0).integers(0, spec.period, (calls, spec.oscillators)).astype(np.uint8)
        made = device.network.results(map(spec.encode_input, phases), calls, progress=progress)
        results, interrupted = until_interrupted(made)
        return measured_cycles(device, np.array([result.cycles for result in results])) | {
            "periods_per_call": float(np.mean([result.periods for result in results])),
            "settled": float(np.mean([result.settled for result in results])),
            **({"interrupted": True} if interrupted else {}),
        }


def _memory(path: Path, given: Mapping[str, Any]) -> Model:
    """Store the patterns of a file; raise :class:`ValueError` if they are none, or cannot all be kept."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    from attractor.cli.files import read_rows
    from attractor.estimators import HopfieldNetwork

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return HopfieldNetwork(**given, binarize=None).fit(read_rows(path)).model_
        except ConvergenceWarning as warning:
            raise ValueError(str(warning)) from warning
