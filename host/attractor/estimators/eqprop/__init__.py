"""Binary Equilibrium Propagation as a scikit-learn estimator that learns on the host or on a device."""

from attractor.estimators.eqprop.classifier import EqPropClassifier, held_back
from attractor.estimators.eqprop.defaults import LEVELS, THRESHOLDS, default_levels, default_state_high
from attractor.estimators.eqprop.presets import PRESETS, spec_arguments

__all__ = [
    "LEVELS",
    "PRESETS",
    "THRESHOLDS",
    "EqPropClassifier",
    "default_levels",
    "default_state_high",
    "held_back",
    "spec_arguments",
]
