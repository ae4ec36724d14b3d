"""Acceptance test: any device, real or simulated, must answer, and learn, as the golden model does."""

from attractor.verify.acceptance import accept, parameters_kept
from attractor.verify.agreement import Agreement, compare_arrays, compare_calls, compare_parameters

__all__ = ["Agreement", "accept", "compare_arrays", "compare_calls", "compare_parameters", "parameters_kept"]
