"""Networks as scikit-learn estimators, on the golden model or on a device.

``device`` decides where a fitted network runs and nothing else: what is learnt, and every answer, is the same on all.
"""

from typing import Any
from warnings import warn

from attractor.estimators.base import Estimator, ImageClassifier
from attractor.estimators.eqprop import PRESETS, EqPropClassifier
from attractor.estimators.oscillator import RULES, HopfieldNetwork, OscillatorClassifier
from attractor.host.device import Device
from attractor.host.model import Model
from attractor.spec import family_of
from attractor.spec.family import FAMILIES

__all__ = [
    "PRESETS",
    "RULES",
    "EqPropClassifier",
    "Estimator",
    "HopfieldNetwork",
    "ImageClassifier",
    "OscillatorClassifier",
    "classifier_from_model",
]


def classifier_from_model(model: Model, *, device: str | Device | None = None) -> ImageClassifier:
    """Return the fitted classifier of a saved model, whatever its family.

    Parameters
    ----------
    model:
        A classifier's :attr:`model_`.
    device:
        Where it runs, as the estimators take it.

    Raises
    ------
    ValueError
        If the model's family has no classifier, or the model is none.
    """
    kind = family_of(model.spec).view("classifier")
    if kind is None:
        known = [name for name, family in FAMILIES.items() if family.classifier is not None]
        raise ValueError(f"the model is of family {model.spec.family!r}; classifiers are {', '.join(known)}")
    return kind.from_model(model, device=device)


def __getattr__(name: str) -> Any:
    if name == "CLASSIFIERS":
        warn(
            "attractor.estimators.CLASSIFIERS is now family.view('classifier') of attractor.spec.family.FAMILIES; "
            "the old name goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        views = {family: found.view("classifier") for family, found in FAMILIES.items()}
        return {family: kind for family, kind in views.items() if kind is not None}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
