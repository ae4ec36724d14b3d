"""Binary Equilibrium Propagation arrays."""

from attractor.spec.eqprop.call import RESULT, STEP_COLUMNS, STEPS, EqPropInput, EqPropResult
from attractor.spec.eqprop.spec import MOST_LANES, MOST_SCORE, EqPropSpec

__all__ = [
    "MOST_LANES",
    "MOST_SCORE",
    "RESULT",
    "STEPS",
    "STEP_COLUMNS",
    "EqPropInput",
    "EqPropResult",
    "EqPropSpec",
]
