"""What networks of Equilibrium Propagation cost."""

from __future__ import annotations

from attractor.gateware.boards import Family
from attractor.gateware.costs import SELECTED, CostModel
from attractor.hdl.eqprop.layout import sum_bits
from attractor.spec.eqprop.spec import EqPropSpec

__all__ = ["COSTS"]


class _EqPropCosts(CostModel[EqPropSpec]):
    coefficients = {  # noqa: RUF012
        Family.ICE40: {"system": 2150.0, "learning system": 872.0, "sum bits": 9.39}
        | {"counter bits": 6.26, SELECTED: -1.45},
        Family.ECP5: {"system": 1935.0, "learning system": 684.0, "sum bits": 9.85}
        | {"counter bits": 15.36, SELECTED: 0.3},
    }

    def terms(self, spec: EqPropSpec) -> dict[str, int]:
        learning = int(spec.learning)
        return {
            "system": 1,
            "learning system": learning,
            "sum bits": spec.lanes * sum_bits(spec),
            "counter bits": learning * spec.lanes * spec.counter_bits,
        }

    def folded(self, spec: EqPropSpec) -> tuple[int, ...]:
        return spec.layers[1:]

    def smaller(self, spec: EqPropSpec) -> str:
        return "use fewer neurons" + (" or counters of fewer bits" if spec.learning else "")


#: LUTs of networks of Equilibrium Propagation.
COSTS = _EqPropCosts()
