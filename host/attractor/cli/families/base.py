"""What the commands ask of a network family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from attractor.host import Device, Model

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
        What was found, ready for JSON, with ``accuracy``, ``images``, ``agreement`` and ``cycles_per_image``.
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
    """

    picture: ClassVar[Path]
    model: ClassVar[Path]

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
