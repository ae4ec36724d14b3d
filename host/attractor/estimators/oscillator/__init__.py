"""Oscillator networks as scikit-learn estimators: an associative memory, and a classifier of grey images."""

from attractor.estimators.oscillator.classifier import FEWEST_OSCILLATORS, OscillatorClassifier, default_sections
from attractor.estimators.oscillator.hopfield import RULES, HopfieldNetwork

__all__ = ["FEWEST_OSCILLATORS", "RULES", "HopfieldNetwork", "OscillatorClassifier", "default_sections"]
