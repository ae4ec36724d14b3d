"""Networks as scikit-learn estimators, on the golden model or on a device.

``device`` decides where a fitted network runs and nothing else: what is learnt, and every answer, is the same on all.
"""

from attractor.host.estimators.base import Estimator
from attractor.host.estimators.eqprop import EqPropClassifier
from attractor.host.estimators.oscillator import RULES, HopfieldNetwork, OscillatorClassifier
from attractor.host.model import Model
from attractor.spec import EqPropSpec

__all__ = [
    "RULES",
    "EqPropClassifier",
    "Estimator",
    "HopfieldNetwork",
    "OscillatorClassifier",
    "classifier_from_model",
]


def classifier_from_model(model: Model) -> OscillatorClassifier | EqPropClassifier:
    """Return the fitted classifier of a saved model, whatever its family; raise :class:`ValueError` if it is none."""
    kind = EqPropClassifier if isinstance(model.spec, EqPropSpec) else OscillatorClassifier
    return kind.from_model(model)
