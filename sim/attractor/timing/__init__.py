"""Clock cycles of cores, counted from what their golden models do: for judging a core, and for foretelling one."""

from attractor.timing.base import CycleRange, Timing, cycles_of, reported_cycles

__all__ = ["CycleRange", "Timing", "cycles_of", "reported_cycles"]
