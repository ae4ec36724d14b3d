"""Digital-phase oscillator networks."""

from attractor.spec.oscillator.call import (
    MIXING_WORDS,
    NO_WINNER,
    RESULT,
    SCHEDULE_COLUMNS,
    SCHEDULE_ENTRY,
    SEED_BITS,
    OscillatorInput,
    OscillatorResult,
)
from attractor.spec.oscillator.spec import MOST_LANES, OscillatorSpec

__all__ = [
    "MIXING_WORDS",
    "MOST_LANES",
    "NO_WINNER",
    "RESULT",
    "SCHEDULE_COLUMNS",
    "SCHEDULE_ENTRY",
    "SEED_BITS",
    "OscillatorInput",
    "OscillatorResult",
    "OscillatorSpec",
]
