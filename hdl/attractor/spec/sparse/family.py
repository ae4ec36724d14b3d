"""Where everything of the family is."""

from attractor.spec.family import Family
from attractor.spec.sparse.spec import SparseSpec

__all__ = ["FAMILY"]

FAMILY = Family(
    name="sparse",
    spec=SparseSpec,
    golden="attractor.golden.sparse:SparseNetwork",
    core="attractor.hdl.sparse:SparseCore",
    costs="attractor.gateware.sparse:COSTS",
    trials="attractor.trials.sparse:TRIALS",
    timing="attractor.timing.sparse:TIMING",
    bench="attractor.sim.lockstep.sparse.bench",
    calls="attractor.host.oscillator:OscillatorCalls",
)
