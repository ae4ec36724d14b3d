"""The names that users start with, each imported when it is asked for: what :mod:`attractor` itself shows."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from attractor._moved import find_moved_modules

if TYPE_CHECKING:
    from attractor.estimators import EqPropClassifier, HopfieldNetwork, OscillatorClassifier
    from attractor.gateware.build import build
    from attractor.host import Device, Model
    from attractor.solve.sampler import OscillatorSampler
    from attractor.spec import EqPropSpec, FelifSpec, OscillatorSpec
    from attractor.spec.files import load_spec

    __version__: str

_HOMES = {
    "Device": "attractor.host",
    "EqPropClassifier": "attractor.estimators",
    "EqPropSpec": "attractor.spec",
    "FelifSpec": "attractor.spec",
    "HopfieldNetwork": "attractor.estimators",
    "Model": "attractor.host",
    "OscillatorClassifier": "attractor.estimators",
    "OscillatorSampler": "attractor.solve.sampler",
    "OscillatorSpec": "attractor.spec",
    "build": "attractor.gateware.build",
    "load_spec": "attractor.spec.files",
}

__all__ = [
    "Device",
    "EqPropClassifier",
    "EqPropSpec",
    "FelifSpec",
    "HopfieldNetwork",
    "Model",
    "OscillatorClassifier",
    "OscillatorSampler",
    "OscillatorSpec",
    "__version__",
    "build",
    "load_spec",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("attractor")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'attractor' has no attribute {name!r}; it has {', '.join(__all__)}")


find_moved_modules()
