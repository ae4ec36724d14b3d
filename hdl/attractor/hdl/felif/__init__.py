"""Spiking networks of ferroelectric and plain neurons as gateware."""

from attractor.hdl.felif.core import FelifCore

__all__ = ["FelifCore"]
