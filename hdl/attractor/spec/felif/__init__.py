"""Spiking networks."""

from attractor.spec.felif.call import FelifInput, FelifResult
from attractor.spec.felif.layer import FelifLayer
from attractor.spec.felif.spec import FRAME_WORD_BITS, MOST_LANES, MOST_LAYERS, MOST_TICKS, FelifSpec

__all__ = [
    "FRAME_WORD_BITS",
    "MOST_LANES",
    "MOST_LAYERS",
    "MOST_TICKS",
    "FelifInput",
    "FelifLayer",
    "FelifResult",
    "FelifSpec",
]
