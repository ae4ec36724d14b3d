"""The core of a network, whatever its family."""

from amaranth.lib import wiring

from attractor.spec import Spec, family_of

__all__ = ["build_core"]


def build_core(spec: Spec) -> wiring.Component:
    """Return the core of ``spec``, a component with a ``bus`` of :class:`~attractor.hdl.core.CoreSignature`."""
    return family_of(spec).view("core")(spec)
