"""Where everything of the family is."""

from attractor.spec.family import Family
from attractor.spec.felif.spec import FelifSpec

__all__ = ["FAMILY"]

FAMILY = Family(
    name="felif",
    spec=FelifSpec,
    golden="attractor.golden.felif:FelifNetwork",
    core="attractor.hdl.felif:FelifCore",
    costs="attractor.gateware.felif:COSTS",
    trials="attractor.trials.felif:TRIALS",
    timing="attractor.timing.felif:TIMING",
    bench="attractor.sim.lockstep.felif.bench",
    calls="attractor.host.felif:FelifCalls",
    commands="attractor.cli.felif:FelifCommands",
)
