"""What a device of the eqprop family does."""

from attractor.host.eqprop.calls import Counts, EqPropCalls, SampleLearning, drawn_sigmas
from attractor.host.eqprop.interface import EqPropLearning, PixelBits

__all__ = [
    "Counts",
    "EqPropCalls",
    "EqPropLearning",
    "PixelBits",
    "SampleLearning",
    "drawn_sigmas",
]
