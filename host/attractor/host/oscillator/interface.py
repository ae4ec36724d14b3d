"""What inputs and outputs of oscillator networks mean: pixels and patterns as phases."""

from __future__ import annotations

from dataclasses import dataclass

from attractor.host.interface import Part, check_number
from attractor.spec import SpecError
from attractor.spec.base import check_range

__all__ = ["Patterns", "PixelPhases"]

#: Most oscillators for a pixel.
_MOST_SECTIONS = 1024


@dataclass(frozen=True)
class PixelPhases(Part, kind="pixel-phases"):
    """Pixels as clamped phases, white in phase with the reference and black opposite to it.

    Parameters
    ----------
    black, white:
        Grey values that are black and white; values beyond them are cut.
    sections:
        Oscillators for each pixel. The first shows the lowest of so many equal parts of the grey scale, and so on; the
        first oscillators of all pixels come first.
    binary:
        An oscillator is white from the middle of its part on, and black below it; otherwise its phase is graded, see
        :mod:`attractor.train.oscillator.classifier`.
    """

    black: float
    white: float
    sections: int = 1
    binary: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "black", check_number("black", self.black))
        object.__setattr__(self, "white", check_number("white", self.white))
        check_range("sections", self.sections, 1, _MOST_SECTIONS)
        if not isinstance(self.binary, bool):
            raise SpecError(f"binary is {self.binary!r}; it must be true or false")


@dataclass(frozen=True)
class Patterns(Part, kind="patterns"):
    """Patterns of +1, in phase with the reference, and -1, opposite to it.

    Parameters
    ----------
    threshold:
        Inputs above it count as +1, others as -1; None for inputs that are +1 or -1 themselves.
    """

    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            object.__setattr__(self, "threshold", check_number("threshold", self.threshold))
