"""What the commands ask of a network family, and what families answer alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from attractor.cli.output import output

if TYPE_CHECKING:
    import numpy as np

    from attractor.cli.datasets import Images
    from attractor.host import Device, Model

__all__ = [
    "Demo",
    "FamilyCommands",
    "Outcome",
    "Progress",
    "TrainOption",
    "Trained",
    "check_options_for",
    "measured_cycles",
    "train_classifier",
    "until_interrupted",
]

Result = TypeVar("Result")
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
    shows:
        What it shows, in a few words, for the help of ``demo``.
    picture, model:
        Files that are written unless the user names others.
    board:
        Board whose bitstream is built unless the user names another.
    """

    shows: ClassVar[str]
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


@dataclass(frozen=True)
class TrainOption:
    """An option of ``attractor train`` for one family.

    Parameters
    ----------
    name:
        Name of the value in Python; ``weight_bits`` is given as ``--weight-bits``.
    kind:
        Type of the value: ``int``, ``float``, ``str``, or ``bool`` for a pair ``--name`` and ``--no-name``.
    help:
        What it means, a sentence.
    least:
        Smallest number that may be given.
    repeated:
        May be given more than once; the value is a list.
    only:
        Kind of data that it goes with, in a word; empty for all.
    """

    name: str
    kind: type
    help: str
    least: int | None = None
    repeated: bool = False
    only: str = ""

    @property
    def word(self) -> str:
        """What users write."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def words(self) -> tuple[str, ...]:
        """All that users may write: a flag can be negated, too."""
        return (self.word, f"--no-{self.word[2:]}") if self.kind is bool else (self.word,)


class FamilyCommands(ABC):
    """What differs between families in the commands.

    Modules of families are imported for the help of ``train``, too: what learns is imported by the methods.

    Attributes
    ----------
    data:
        What its networks can learn from, for the help of ``train``.
    options:
        Options of ``train`` that mean something to it.
    resumes:
        :meth:`train` is given a ``checkpoint``, a file to write after each epoch, and to go on from where there is one.
    """

    data: ClassVar[str]
    options: ClassVar[tuple[TrainOption, ...]] = ()
    resumes: ClassVar[bool] = False

    @abstractmethod
    def demo(self) -> Demo:
        """Return its demo."""

    @abstractmethod
    def train(self, data: str, given: Mapping[str, Any]) -> Trained:
        """Train a network.

        Parameters
        ----------
        data:
            Name of a data set, or a file's.
        given:
            Values of the options that the user gave, by name.

        Raises
        ------
        ValueError
            If the data are none for this family, or something in them or in the options does not fit.
        """

    @abstractmethod
    def measure(self, device: Device, model: Model, calls: int, progress: Progress) -> dict[str, Any]:
        """Make so many calls to a device that holds the model, which it holds afterwards, too; say what they took.

        What was measured before an interrupt is returned with ``interrupted``; see :func:`until_interrupted`.
        """


def check_options_for(kind: str, options: tuple[TrainOption, ...], given: Mapping[str, Any]) -> None:
    """Raise :class:`ValueError` if one of the given options does not go with this kind of data."""
    for option in options:
        if option.name in given and option.only not in ("", kind):
            raise ValueError(f"{option.word} does not go with {kind}; leave it out")


def train_classifier(classifier: Any, images: Images, **training: Any) -> Trained:
    """Fit a classifier and say how well it does; ``accuracy`` only with images that were held out.

    ``training`` is what :meth:`fit` of this classifier takes beside.
    """
    with output.progress("training") as progress:
        classifier.fit(images.train_images, images.train_labels, progress=progress, **training)
    values = {"training_accuracy": float(classifier.score(images.train_images, images.train_labels))}
    if len(images.test_images):
        values["accuracy"] = float(classifier.score(images.test_images, images.test_labels))
    return Trained(classifier.model_, values)


def until_interrupted(results: Iterable[Result]) -> tuple[list[Result], bool]:
    """Return the results that came before Ctrl-C, and whether it was pressed; before the first it ends the command."""
    found: list[Result] = []
    try:
        for result in results:
            found.append(result)  # noqa: PERF402 - what came before an interrupt is kept
    except KeyboardInterrupt:
        if not found:
            raise
        return found, True
    return found, False


def measured_cycles(device: Device, cycles: np.ndarray) -> dict[str, Any]:
    """Return what calls of so many clock cycles took; None where the board has no clock."""
    clock = device.description["clock_hz"]
    mean = float(cycles.mean()) or None
    return {
        "calls": len(cycles),
        "cycles_per_call": mean,
        "calls_per_second_of_core": clock / mean if mean and clock else None,
    }
