"""NumPy golden models: what gateware must equal bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy.typing as npt

from attractor.golden.crossbar import Crossbar
from attractor.golden.eqprop import EqPropLesson, EqPropNetwork, EqPropPhase, EqPropState
from attractor.golden.felif import FelifNetwork, FelifRun
from attractor.golden.oscillator import OscillatorNetwork, OscillatorRun, OscillatorState
from attractor.spec import IntegerArray, Spec, family_of

__all__ = [
    "Crossbar",
    "EqPropLesson",
    "EqPropNetwork",
    "EqPropPhase",
    "EqPropState",
    "FelifNetwork",
    "FelifRun",
    "Network",
    "OscillatorNetwork",
    "OscillatorRun",
    "OscillatorState",
    "Stoppable",
    "network",
]


class Network(Protocol):
    """What the golden models of all families share.

    Attributes
    ----------
    parameters:
        Named integer arrays of the spec; a call that learns changes them.
    """

    parameters: dict[str, IntegerArray]

    def call(self, input_bytes: bytes) -> bytes:
        """Run once on the bytes of a device's input region; return those of its output region."""
        ...


@runtime_checkable
class Stoppable(Protocol):
    """A golden model whose calls can take long, and can be aborted as those of a core can."""

    def call_until(self, input_bytes: bytes, stop: Callable[[], bool]) -> bytes:
        """Run once; where ``stop`` returns true before a slot or tick, end there and report an aborted call."""
        ...


def network(spec: Spec, parameters: Mapping[str, npt.ArrayLike]) -> Network:
    """Return the golden model of the spec's family.

    Raises
    ------
    SpecError
        If the parameters do not fit the spec, or the family has no golden model.
    """
    return family_of(spec).view("golden")(spec, parameters)
