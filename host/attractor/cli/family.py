"""What the commands ask of a network family, and what families answer alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from attractor.cli.datasets import Images
from attractor.cli.output import output
from attractor.estimators import ImageClassifier
from attractor.host import Device, Model

__all__ = ["Demo", "FamilyCommands", "Outcome", "Progress", "Trained", "measured_cycles", "train_classifier"]

#: Called with the number of finished pieces of work and that of all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What a demo did on a device.

    Parameters
    ----------
    model:
        The network as it is at the end.
    values:
        What was found, ready for JSON, with ``agreement`` among it.
    lines:
        The same as text: a word and what it says.
    figure:
        Draws it, as a matplotlib figure.
    """

    model: Model
    values: dict[str, Any]
    lines: list[tuple[str, str]]
    figure: Callable[[], Any]


class Demo(ABC):
    """What is special about the demo of a family; all else is in :mod:`attractor.cli.demo`.

    Attributes
    ----------
    picture, model:
        Files that are written unless the user names others.
    board:
        Board whose bitstream is built unless the user names another.
    """

    picture: ClassVar[Path]
    model: ClassVar[Path]
    board: ClassVar[str] = "icebreaker"

    @abstractmethod
    def prepare(self) -> Model:
        """Return the network that is loaded into the device; it is trained by then if the host trains it."""

    @abstractmethod
    def perform(self, device: Device, model: Model) -> Outcome:
        """Load the model, run the device, and compare it with the golden model.

        Raises
        ------
        RuntimeError
            If the two differ.
        HostError
            If the device fails.
        """


@dataclass(frozen=True)
class Trained:
    """A trained network, and what is told of it, ready for JSON."""

    model: Model
    values: dict[str, Any]


class FamilyCommands(ABC):
    """What differs between families in the commands.

    Attributes
    ----------
    demo:
        Its demo.
    options:
        Options of ``attractor train`` that mean something to it.
    """

    demo: ClassVar[type[Demo]]
    options: ClassVar[frozenset[str]]

    @abstractmethod
    def train(self, data: str, given: Mapping[str, Any]) -> Trained:
        """Train a network.

        Parameters
        ----------
        data:
            Name of a data set, or a file's.
        given:
            Options that the user gave, of those in :attr:`options`.

        Raises
        ------
        ValueError
            If the data are none for this family, or something in them or in the options does not fit.
        """

    @abstractmethod
    def measure(self, device: Device, model: Model, calls: int, progress: Progress) -> dict[str, Any]:
        """Make so many calls to a device that holds the model, which it holds afterwards, too; say what they took."""


def train_classifier(classifier: Any, images: Images) -> Trained:
    """Fit a classifier and say how well it does; ``accuracy`` only with images that were held out."""
    with output.progress("training") as progress:
        classifier.fit(images.train_images, images.train_labels, progress=progress)
    assert isinstance(classifier, ImageClassifier)
    values = {"training_accuracy": float(classifier.score(images.train_images, images.train_labels))}
    if len(images.test_images):
        values["accuracy"] = float(classifier.score(images.test_images, images.test_labels))
    return Trained(classifier.model_, values)


def measured_cycles(device: Device, cycles: np.ndarray) -> dict[str, Any]:
    """Return what calls of so many clock cycles took; None where the board has no clock."""
    clock = device.description["clock_hz"]
    mean = float(cycles.mean()) or None
    return {
        "calls": len(cycles),
        "cycles_per_call": mean,
        "calls_per_second_of_core": clock / mean if mean and clock else None,
    }
