"""What inputs of an Equilibrium Propagation array mean, and what it needs to go on learning."""

from __future__ import annotations

from dataclasses import dataclass

from attractor.host.interface import Part, check_number
from attractor.spec import SpecError
from attractor.spec.base import check_range

__all__ = ["EqPropLearning", "PixelBits"]

_MOST = (1 << 63) - 1


@dataclass(frozen=True)
class PixelBits(Part, kind="pixel-bits"):
    """Pixels as bits: which comparisons with grey levels are the inputs; :class:`attractor.train.pixels.PixelCode`.

    Parameters
    ----------
    pixels:
        Pixels of an image.
    black, white:
        Grey values that become 0 and 1; if they are equal, white is one more.
    levels:
        What pixels are compared with, from 0 to 1.
    inputs:
        Comparison that each input makes, ``level * pixels + pixel``, in ascending order.
    """

    pixels: int
    black: float
    white: float
    levels: tuple[float, ...]
    inputs: tuple[int, ...]

    def __post_init__(self) -> None:
        check_range("pixels", self.pixels, 1, _MOST)
        object.__setattr__(self, "black", check_number("black", self.black))
        object.__setattr__(self, "white", check_number("white", self.white))
        object.__setattr__(self, "levels", tuple(check_number("a level", level) for level in self.levels))
        object.__setattr__(self, "inputs", tuple(self.inputs))
        if not self.levels or not self.inputs:
            raise SpecError("pixels have no levels or no inputs; save the model again")
        for number in self.inputs:
            check_range("an input", number, 0, len(self.levels) * self.pixels - 1)


@dataclass(frozen=True)
class EqPropLearning(Part, kind="eqprop-learning"):
    """What a network needs to go on learning where it stopped.

    Parameters
    ----------
    thresholds:
        Net count against a weight at which it flips, for each connection.
    both_signs:
        Each sample is learnt twice in a row, nudged toward its class and away from it; otherwise once, with a sign
        that is drawn.
    learnt:
        Samples learnt one by one so far; the signs of so many have been drawn.
    seed:
        Seed of the signs, and of the weights before training.
    """

    thresholds: tuple[int, ...]
    both_signs: bool = False
    learnt: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", tuple(self.thresholds))
        for threshold in self.thresholds:
            check_range("a threshold", threshold, 0, _MOST)
        if not isinstance(self.both_signs, bool):
            raise SpecError(f"both_signs is {self.both_signs!r}; it must be true or false")
        check_range("learnt", self.learnt, 0, _MOST)
        if not isinstance(self.seed, int) or self.seed < 0:
            raise SpecError(f"seed is {self.seed!r}; it must be 0 or a positive integer")
