"""The demo of oscillator networks: trained on the host, classifying on the device, every phase compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from attractor.cli.family import Demo, Outcome
from attractor.cli.output import output
from attractor.data.digits import digits
from attractor.estimators import OscillatorClassifier
from attractor.golden import OscillatorNetwork
from attractor.host import Device, Model
from attractor.plot.oscillator import classifier_figure
from attractor.spec import OscillatorSpec
from attractor.train.oscillator.classifier import image_phases
from attractor.verify import compare_calls

__all__ = ["PICTURED_CLASSES", "OscillatorDemo"]

#: Digits in the picture; the classifier's least sure one is left to chance, so their classes are all there is.
PICTURED_CLASSES = (0, 2, 3, 5, 7)


class OscillatorDemo(Demo):
    """Handwritten digits on an oscillator network."""

    shows: ClassVar[str] = "digits learnt on the host and classified on the device"
    picture: ClassVar[Path] = Path("phases.png")
    model: ClassVar[Path] = Path("digits.safetensors")

    def prepare(self) -> Model:
        """Train a classifier."""
        data = digits()
        output.log(f"training on {len(data.train_images):,} images of 8x8 pixels")
        classifier = OscillatorClassifier()
        with output.progress("training") as progress:
            classifier.fit(data.train_images, data.train_labels, progress=progress)
        output.log(_network(classifier.spec_))
        return classifier.model_

    def perform(self, device: Device, model: Model) -> Outcome:
        """Classify all held-out images."""
        data = digits()
        spec = device.spec_of(OscillatorSpec)
        golden = OscillatorNetwork(spec, model.parameters)
        phases = image_phases(spec, data.test_images)
        device.load(model)
        with output.progress("classifying") as progress:
            results = device.network.recall(phases, progress=progress)
        where = device.description["board"]
        right = [result.winner == true for result, true in zip(results, data.test_labels, strict=True)]
        accuracy = float(np.mean(right))
        output.log(f"{len(results)} test images classified on the {where} board: accuracy {accuracy:.4f}")
        inputs, outputs = map(spec.encode_input, phases), map(spec.encode_output, results)
        agreement = compare_calls(spec, golden, inputs, outputs)
        output.log(f"{agreement.equal_values:,} of {agreement.values:,} phases equal to the golden model")
        if not agreement.exact:
            raise RuntimeError(f"the board differs from the golden model: {agreement.first_difference}")
        cycles = float(np.mean([result.cycles for result in results])) or None
        values = {
            "accuracy": accuracy,
            "images": len(results),
            "agreement": agreement.ratio,
            "cycles_per_image": cycles,
        }
        lines = [
            ("accuracy", f"{accuracy:.4f} on {len(results)} held-out images"),
            ("agreement", f"{agreement.ratio:.4f} of all phases with the golden model"),
            *([("cycles", f"{cycles:.0f} clock cycles for each image")] if cycles else []),
        ]
        return Outcome(model, values, lines, lambda: _figure(golden))


def _network(spec: OscillatorSpec) -> str:
    return (
        f"{spec.inputs - 1} pixel, {spec.labels} label and 1 reference oscillators, "
        f"{spec.weight_bits}-bit couplings, {spec.period} phases"
    )


def _figure(golden: OscillatorNetwork) -> Any:
    data = digits()
    chosen = [int(np.flatnonzero(data.test_labels == digit)[0]) for digit in PICTURED_CLASSES]
    phases = image_phases(golden.spec, data.test_images[chosen])
    traces = []
    for start in phases:
        trace = golden.run(start[None], trace=True).trace
        assert trace is not None
        traces.append(trace[:, 0])
    labels = [int(data.test_labels[index]) for index in chosen]
    weights = golden.parameters["weights"]
    return classifier_figure(golden.spec, weights, data.test_images[chosen], traces, labels, label=3)
