"""A layer of threshold gates: a network family outside of Attractor, as small as one can be."""

from attractor.spec import Family
from threshold_gates.spec import ThresholdSpec

__all__ = ["FAMILY"]

FAMILY = Family(
    name="threshold",
    spec=ThresholdSpec,
    golden="threshold_gates.golden:ThresholdNetwork",
    core="threshold_gates.core:ThresholdCore",
)
