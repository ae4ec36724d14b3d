"""Digital-phase oscillator networks as gateware."""

from attractor.hdl.oscillator.core import OscillatorCore

__all__ = ["OscillatorCore"]
