"""Oscillator networks with sparse couplings as gateware."""

from attractor.hdl.sparse.core import SparseCore

__all__ = ["SparseCore"]
