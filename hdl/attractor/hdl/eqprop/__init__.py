"""Binary Equilibrium Propagation arrays as gateware."""

from attractor.hdl.eqprop.core import EqPropCore

__all__ = ["EqPropCore"]
