"""What a device of the oscillator family does."""

from attractor.host.oscillator.calls import OscillatorCalls, Progress
from attractor.host.oscillator.interface import Patterns, PixelPhases
from attractor.host.oscillator.learning import (
    MARGIN_SHARE,
    Learning,
    LearningRule,
    chosen_margin,
    default_margin,
    taught_phases,
)
from attractor.host.oscillator.spins import SpinReads

__all__ = [
    "MARGIN_SHARE",
    "Learning",
    "LearningRule",
    "OscillatorCalls",
    "Patterns",
    "PixelPhases",
    "Progress",
    "SpinReads",
    "chosen_margin",
    "default_margin",
    "taught_phases",
]
