"""Where everything of the family is."""

from attractor.spec.family import Family
from attractor.spec.oscillator.spec import OscillatorSpec

__all__ = ["FAMILY"]

FAMILY = Family(
    name="oscillator",
    spec=OscillatorSpec,
    golden="attractor.golden.oscillator:OscillatorNetwork",
    core="attractor.hdl.oscillator:OscillatorCore",
    costs="attractor.gateware.oscillator:COSTS",
    trials="attractor.trials.oscillator:TRIALS",
    timing="attractor.timing.oscillator:TIMING",
    bench="attractor.sim.lockstep.oscillator.bench",
    calls="attractor.host.oscillator:OscillatorCalls",
    classifier="attractor.estimators.oscillator:OscillatorClassifier",
    commands="attractor.cli.oscillator:OscillatorCommands",
)
