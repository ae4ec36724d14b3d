"""The demo of binary Equilibrium Propagation arrays: a device that learns from nothing, and is watched doing so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from attractor.cli.family import Demo, Outcome, Progress
from attractor.cli.output import output
from attractor.data.digits import digits
from attractor.estimators import PRESETS, EqPropClassifier
from attractor.golden import EqPropNetwork
from attractor.host import Device, Model
from attractor.host.eqprop import SampleLearning
from attractor.plot.eqprop import LearningCurve, Relaxation, demo_figure
from attractor.train.eqprop import Lessons, accuracy, winners
from attractor.verify import Agreement, compare_arrays, compare_calls

__all__ = ["EPOCHS", "MEASURED", "PICTURED_CLASSES", "EqPropDemo"]

#: Passes over the images.
EPOCHS = 10
#: Images learnt when the accuracy is measured in the first pass, where it rises fast; later after each half of a pass.
MEASURED = (25, 50, 100, 200, 400, 700, 1000)
#: Digits in the picture, each read right.
PICTURED_CLASSES = (2, 6, 9)


class EqPropDemo(Demo):
    """Handwritten digits, learnt on the device one after the other, from random weights."""

    shows: ClassVar[str] = "digits learnt on the device itself, from random weights"
    picture: ClassVar[Path] = Path("learning.png")
    model: ClassVar[Path] = Path("learnt.safetensors")

    def prepare(self) -> Model:
        """Return a network that has learnt nothing."""
        self._classifier = EqPropClassifier(**PRESETS["digits"]).set_params(epochs=0, validation_fraction=0)
        self._classifier.fit(digits().train_images, digits().train_labels)
        spec = self._classifier.spec_
        inputs, hidden, outputs = spec.layers
        output.log(
            f"{inputs} inputs, {hidden} hidden and {outputs} output neurons; weights of -1 and +1 at random, "
            f"a {spec.counter_bits}-bit counter behind each"
        )
        return self._classifier.model_

    def perform(self, device: Device, model: Model) -> Outcome:
        """Teach the device, measure on the way, and compare all that it learnt with the golden model."""
        device.load(model)
        school = _School(device, self._classifier)
        with output.progress("learning") as progress:
            school.teach(progress)
        return school.outcome()


class _Piece(NamedTuple):
    """What is learnt up to a measurement: images learnt by then, and its calls."""

    images: int
    lessons: Lessons


class _School:
    """Teaches a device and the golden model the same images, and compares what they report and hold."""

    def __init__(self, device: Device, classifier: EqPropClassifier) -> None:
        data = digits()
        self.device, self.classifier, self.spec = device, classifier, classifier.spec_
        self.golden = EqPropNetwork(self.spec, classifier.model_.parameters)
        self.bits, self.labels = classifier.code_.bits(data.train_images), data.train_labels
        self.test_bits, self.test_labels = classifier.code_.bits(data.test_images), data.test_labels
        self.agreement = Agreement()
        self.learnt: list[SampleLearning] = []
        self.measured: list[tuple[int, float]] = []

    def teach(self, progress: Progress) -> None:
        """Learn piece by piece, and measure after each."""
        pieces = list(_pieces(self.classifier, len(self.bits)))
        calls = sum(len(piece.lessons.order) for piece in pieces)
        self._measure(0)
        done = 0
        for piece in pieces:
            self._learn(piece.lessons, lambda now, _, before=done: progress(before + now, calls))
            self._measure(piece.images)
            done += len(piece.lessons.order)

    def _learn(self, lessons: Lessons, progress: Progress) -> None:
        """Teach both; compare what the device reported of every sample."""
        bits, labels = self.bits[lessons.order], self.labels[lessons.order]
        found = self.device.network.learn_samples(
            bits, labels, lessons.thresholds, sigmas=lessons.sigmas, progress=progress
        )
        inputs = [
            self.spec.encode_input(sample, sigma=sigma, label=label, thresholds=lessons.thresholds)
            for sample, sigma, label in zip(bits, lessons.sigmas.tolist(), labels.tolist(), strict=True)
        ]
        expected = SampleLearning.of([self.spec.decode_output(self.golden.call(data)) for data in inputs])
        self._check(compare_arrays(expected.without_cycles(), found.without_cycles()))
        self.learnt.append(found)

    def _measure(self, images: int) -> None:
        """Read weights and counters back, compare them, and see how many held-out images they recognise."""
        found = self.device.read_parameters()
        self._check(compare_arrays(self.golden.parameters, found))
        part = accuracy(self.spec, found, self.test_bits, self.test_labels)
        self.measured.append((images, part))
        output.log(f"{images:>6,} images learnt, {part:.3f} of {len(self.test_bits)} held-out images recognised")

    def _check(self, found: Agreement) -> None:
        """Add to the agreement; raise :class:`RuntimeError` if something differs."""
        self.agreement += found
        if not found.exact:
            raise RuntimeError(f"the board differs from the golden model: {found.first_difference}")

    def outcome(self) -> Outcome:
        """Classify the held-out images on the device, and return all that was found."""
        with output.progress("classifying") as progress:
            results = self.device.network.infer(self.test_bits, progress=progress)
        inputs, outputs = map(self.spec.encode_input, self.test_bits), map(self.spec.encode_output, results)
        self._check(compare_calls(self.spec, self.golden, inputs, outputs))
        right = np.array([result.winner for result in results]) == self.test_labels
        images = self.measured[-1][0]
        learning = SampleLearning.joined(self.learnt)
        values = {
            "accuracy": float(right.mean()),
            "images": len(results),
            "agreement": self.agreement.ratio,
            "cycles_per_image": float(np.mean([result.cycles for result in results])) or None,
            "learnt": images,
            "calls": len(learning.cycles),
            "cycles_per_learning_call": float(learning.cycles.mean()) or None,
            "rows": [{"learnt": learnt, "accuracy": part} for learnt, part in self.measured],
        }
        return Outcome(self._taught(images), values, _lines(values), lambda: self._figure(learning))

    def _taught(self, images: int) -> Model:
        """Return what the device holds as a model that can go on learning."""
        begun, learning = self.classifier.model_, replace(self.classifier.learning_, learnt=images)
        return self.device.read_model(begun.provenance, replace(begun.interface, learning=learning))

    def _figure(self, learning: SampleLearning) -> Any:
        images, parts = (np.array(column) for column in zip(*self.measured, strict=True))
        flips, touched = (each.reshape(images[-1], -1).sum(axis=1) for each in (learning.flips, learning.touched))
        curve = LearningCurve(images, parts, flips, touched)
        grey = digits().test_images
        relaxations = [
            Relaxation.of(self.golden, grey[index], self.test_bits[index], int(self.test_labels[index]))
            for index in self._pictured()
        ]
        fields = self.classifier.code_.image(self.golden.parameters["weights_0"])
        return demo_figure(self.spec, relaxations, curve, fields)

    def _pictured(self) -> list[int]:
        """Return a held-out image of each pictured class, and one that is read wrong, where the nudge works."""
        right = winners(self.spec, self.golden.parameters, self.test_bits) == self.test_labels
        chosen = [right & (self.test_labels == digit) for digit in PICTURED_CLASSES]
        return [int(np.flatnonzero(where)[0]) for where in (*chosen, ~right) if where.any()]


def _pieces(classifier: EqPropClassifier, images: int) -> Iterator[_Piece]:
    """Cut all passes into pieces; an image that is learnt in two calls stays in one."""
    recipe = classifier.recipe
    each = 2 if recipe.both_signs else 1
    for epoch in range(EPOCHS):
        order, sigmas, thresholds = recipe.lessons(classifier.spec_, images, epoch)
        edges = MEASURED if epoch == 0 else (images // 2,)
        for start, end in pairwise([0, *(edge for edge in edges if edge < images), images]):
            part = slice(start * each, end * each)
            yield _Piece(epoch * images + end, Lessons(order[part], sigmas[part], thresholds))


def _lines(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what was found as text."""
    lines = [
        ("accuracy", f"{values['accuracy']:.4f} on {values['images']} held-out images"),
        ("learnt", f"{values['learnt']:,} images in {values['calls']:,} calls, from random weights"),
        ("agreement", f"{values['agreement']:.4f} of all weights, counters and reports with the golden model"),
    ]
    if values["cycles_per_image"]:
        learning, image = values["cycles_per_learning_call"], values["cycles_per_image"]
        lines.append(
            ("cycles", f"{learning:.0f} clock cycles for a call that learns, {image:.0f} to classify an image")
        )
    return lines
