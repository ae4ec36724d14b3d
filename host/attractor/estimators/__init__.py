"""Networks as scikit-learn estimators, on the golden model or on a device.

``device`` decides where a fitted network runs and nothing else: what is learnt, and every answer, is the same on all.
"""

from attractor.estimators.base import Estimator, ImageClassifier
from attractor.estimators.eqprop import EqPropClassifier
from attractor.estimators.oscillator import RULES, HopfieldNetwork, OscillatorClassifier
from attractor.estimators.presets import PRESETS
from attractor.host.model import Model

__all__ = [
    "CLASSIFIERS",
    "PRESETS",
    "RULES",
    "EqPropClassifier",
    "Estimator",
    "HopfieldNetwork",
    "ImageClassifier",
    "OscillatorClassifier",
    "classifier_from_model",
]


#: The classifier of each family.
CLASSIFIERS: dict[str, type[ImageClassifier]] = {"oscillator": OscillatorClassifier, "eqprop": EqPropClassifier}


def classifier_from_model(model: Model) -> ImageClassifier:
    """Return the fitted classifier of a saved model, whatever its family; raise :class:`ValueError` if it is none."""
    kind = CLASSIFIERS.get(model.spec.family)
    if kind is None:
        raise ValueError(f"the model is of family {model.spec.family!r}; classifiers are {', '.join(CLASSIFIERS)}")
    return kind.from_model(model)
