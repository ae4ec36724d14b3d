"""Whole cores in lockstep with their golden models, in Verilator or Icarus Verilog through cocotb."""

from attractor.sim.lockstep.regression import LockstepError, Regression, simulators

__all__ = ["LockstepError", "Regression", "simulators"]
