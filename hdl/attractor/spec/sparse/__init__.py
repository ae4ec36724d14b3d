"""Oscillator networks whose couplings are few, each with the targets that it reaches."""

from attractor.spec.sparse.rows import RowMemory
from attractor.spec.sparse.spec import MOST_SPARSE_LANES, NOISE_OFFSETS, SparseSpec

__all__ = ["MOST_SPARSE_LANES", "NOISE_OFFSETS", "RowMemory", "SparseSpec"]
