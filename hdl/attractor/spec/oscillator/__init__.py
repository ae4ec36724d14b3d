"""Digital-phase oscillator networks."""

from attractor.spec.oscillator.call import (
    FLIP_BITS,
    FLIP_MASKS,
    FLIP_SHARES,
    MIXING_WORDS,
    NO_WINNER,
    NOISE_SHIFTS,
    RESULT,
    SCHEDULE_COLUMNS,
    SCHEDULE_ENTRY,
    SEED_BITS,
    OscillatorInput,
    OscillatorResult,
)
from attractor.spec.oscillator.spec import MOST_LANES, MOST_WEIGHT_BITS, OscillatorSpec

__all__ = [
    "FLIP_BITS",
    "FLIP_MASKS",
    "FLIP_SHARES",
    "MIXING_WORDS",
    "MOST_LANES",
    "MOST_WEIGHT_BITS",
    "NOISE_SHIFTS",
    "NO_WINNER",
    "RESULT",
    "SCHEDULE_COLUMNS",
    "SCHEDULE_ENTRY",
    "SEED_BITS",
    "OscillatorInput",
    "OscillatorResult",
    "OscillatorSpec",
]
