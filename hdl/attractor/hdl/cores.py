"""The core of each network family."""

from amaranth.lib import wiring

from attractor.hdl.eqprop import EqPropCore
from attractor.hdl.felif import FelifCore
from attractor.hdl.oscillator import OscillatorCore
from attractor.spec import EqPropSpec, FelifSpec, OscillatorSpec, Spec


def build_core(spec: Spec) -> wiring.Component:
    """Return the core of ``spec``, a component with a ``bus`` of :class:`~attractor.hdl.core.CoreSignature`.

    Raises
    ------
    TypeError
        If no core is written for the family.
    """
    match spec:
        case OscillatorSpec():
            return OscillatorCore(spec)
        case EqPropSpec():
            return EqPropCore(spec)
        case FelifSpec():
            return FelifCore(spec)
    raise TypeError(f"there is no core for the family {spec.family!r}")
