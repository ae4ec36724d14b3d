"""Where everything of the family is."""

from attractor.spec.eqprop.spec import EqPropSpec
from attractor.spec.family import Family

__all__ = ["FAMILY"]

FAMILY = Family(
    name="eqprop",
    spec=EqPropSpec,
    golden="attractor.golden.eqprop:EqPropNetwork",
    core="attractor.hdl.eqprop:EqPropCore",
    costs="attractor.gateware.eqprop:COSTS",
    trials="attractor.trials.eqprop:TRIALS",
    timing="attractor.timing.eqprop:TIMING",
    bench="attractor.sim.lockstep.eqprop.bench",
    calls="attractor.host.eqprop:EqPropCalls",
    classifier="attractor.estimators.eqprop:EqPropClassifier",
    commands="attractor.cli.eqprop:EqPropCommands",
)
