"""What oscillator networks cost."""

from __future__ import annotations

from attractor.gateware.boards import Family
from attractor.gateware.costs import SELECTED, CostModel
from attractor.spec.oscillator.spec import OscillatorSpec

__all__ = ["COSTS"]


class _OscillatorCosts(CostModel[OscillatorSpec]):
    coefficients = {  # noqa: RUF012
        Family.ICE40: {"system": 2504.0, "sum bits": 6.73, "targets": 1.03, "flipping lanes": 11.8, SELECTED: -0.49},
        Family.ECP5: {"system": 2265.0, "sum bits": 5.88, "targets": 0.63, "flipping lanes": 11.0, SELECTED: 0.87},
    }

    def terms(self, spec: OscillatorSpec) -> dict[str, int]:
        sizes = {"system": 1, "sum bits": spec.lanes * spec.sum_bits, "targets": spec.groups * spec.lanes}
        return sizes | {"flipping lanes": spec.flips * spec.lanes}

    def folded(self, spec: OscillatorSpec) -> tuple[int, ...]:
        return (spec.targets,)

    def smaller(self, spec: OscillatorSpec) -> str:
        return "use fewer oscillators or narrower weights"


#: LUTs of oscillator networks.
COSTS = _OscillatorCosts()
