"""Grey images as input bits: which pixel is at least how bright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray", "PixelCode"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PixelCode:
    """Which comparisons of pixels with grey levels are the inputs of a network.

    Comparison ``level * pixels + pixel`` asks whether that pixel is at least as bright as that level. Black is 0 and
    white is 1.

    Parameters
    ----------
    pixels:
        Pixels of an image.
    black, white:
        Grey values that become 0 and 1; if they are equal, white is one more.
    levels:
        What pixels are compared with, from 0 to 1.
    inputs:
        Comparison that each input makes, in ascending order.
    """

    pixels: int
    black: float
    white: float
    levels: tuple[float, ...]
    inputs: tuple[int, ...]

    @classmethod
    def of_images(cls, images: FloatArray, levels: Sequence[float], *, most: int | None = None) -> PixelCode:
        """Choose the inputs for images.

        Their least and greatest grey values become black and white. Comparisons that come out the same for all images
        are left out. If more than ``most`` remain, those are kept whose outcomes are most evenly divided, and of equal
        ones those with the lowest numbers.

        Parameters
        ----------
        images:
            Grey values, shape (samples, pixels).
        levels:
            One or more, above 0 and up to 1.
        most:
            Most inputs; None for no limit.

        Raises
        ------
        ValueError
            If a level or ``most`` is out of range, or no comparison tells two images apart.
        """
        if not levels or not all(0 < level <= 1 for level in levels):
            raise ValueError(f"levels are {tuple(levels)}; give one or more, above 0 (black) and up to 1 (white)")
        if most is not None and most < 1:
            raise ValueError(f"inputs is {most}; a network has at least 1, and None keeps all that vary")
        pixels = images.shape[1]
        every = tuple(range(len(levels) * pixels))
        whole = cls(pixels, float(images.min()), float(images.max()), tuple(map(float, levels)), every)
        on = whole.bits(images).sum(axis=0, dtype=np.int64)
        evenness = on * (len(images) - on)
        varying = np.flatnonzero(evenness)
        if not varying.size:
            raise ValueError(
                f"no pixel is at least {' or '.join(map(str, levels))} in some images and below it in others; "
                "choose other levels or images"
            )
        chosen = varying[np.argsort(-evenness[varying], kind="stable")[:most]]
        return cls(whole.pixels, whole.black, whole.white, whole.levels, tuple(np.sort(chosen).tolist()))

    def bits(self, images: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return the input bits of images, shape (samples, inputs); ``images`` has shape (samples, pixels)."""
        grey = (np.asarray(images, np.float64) - self.black) / ((self.white - self.black) or 1.0)
        numbers = np.array(self.inputs)
        levels = np.array(self.levels)[numbers // self.pixels]
        return (grey[:, numbers % self.pixels] >= levels).astype(np.uint8)

    def image(self, values: npt.ArrayLike) -> FloatArray:
        """Return what belongs to inputs as an image.

        Parameters
        ----------
        values:
            One for each input, shape (..., inputs), such as the weights of a neuron.

        Returns
        -------
        ndarray
            Mean of the values of each pixel, shape (..., pixels); NaN where a pixel is no input.
        """
        looks = (np.array(self.inputs) % self.pixels)[:, None] == np.arange(self.pixels)
        counts = looks.sum(axis=0)
        sums = np.asarray(values, np.float64) @ looks
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
