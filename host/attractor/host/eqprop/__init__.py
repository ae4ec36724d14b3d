"""What a device of the eqprop family does."""

from attractor.host.eqprop.calls import Counts, EqPropCalls, SampleLearning, drawn_sigmas

__all__ = [
    "Counts",
    "EqPropCalls",
    "SampleLearning",
    "drawn_sigmas",
]
