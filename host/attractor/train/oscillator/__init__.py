"""Learning rules of oscillator networks."""

from attractor.train.oscillator.rules import (
    FloatArray,
    Progress,
    TrainingError,
    Weights,
    associative_memory,
    covariance_hebb,
    diederich_opper,
    hebb,
    highest_weight,
    magnitude_mask,
    pattern_phases,
    read_patterns,
    saturated_delta,
    saturation_field,
    storkey,
    teacher_levels,
)

__all__ = [
    "FloatArray",
    "Progress",
    "TrainingError",
    "Weights",
    "associative_memory",
    "covariance_hebb",
    "diederich_opper",
    "hebb",
    "highest_weight",
    "magnitude_mask",
    "pattern_phases",
    "read_patterns",
    "saturated_delta",
    "saturation_field",
    "storkey",
    "teacher_levels",
]
