"""What :class:`EqPropClassifier` chooses where nothing is said."""

from __future__ import annotations

import numpy as np

__all__ = ["FEWEST_COMPARISONS", "LEVELS", "THRESHOLDS", "default_levels", "default_state_high"]

#: Thresholds of the connections to hidden layers, and of the last one.
THRESHOLDS = (11, 4)
#: Brightness that pixels of images are compared with.
LEVELS = (0.3, 0.8)
#: Comparisons that are made of few pixels, at least.
FEWEST_COMPARISONS = 32


def default_levels(pixels: int) -> tuple[float, ...]:
    """Return what each pixel is compared with: :data:`LEVELS`, or more where there are few pixels.

    An image has as many pixels as it takes. Few numbers need several comparisons each to tell their values apart: the
    levels then cut the scale evenly, and are as few as make :data:`FEWEST_COMPARISONS`.
    """
    count = -(-FEWEST_COMPARISONS // pixels)
    return LEVELS if count <= len(LEVELS) else tuple((level + 0.5) / count for level in range(count))


def default_state_high(layers: tuple[int, ...]) -> tuple[int, ...]:
    """Return a greatest state for each layer but the input, from 3 to 255.

    It is half the root of the number of neurons below, and twice that root for the outputs. A neuron sends a 1 from
    half of it on, and the sums of random weights spread like that root. Hidden neurons so send more 1s than outputs,
    of which only those of one class should.
    """
    factors = [0.5] * (len(layers) - 2) + [2.0]
    return tuple(
        int(np.clip(round(factor * below**0.5), 3, 255)) for factor, below in zip(factors, layers[:-1], strict=True)
    )
