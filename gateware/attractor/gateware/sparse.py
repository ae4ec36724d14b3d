"""What oscillator networks with sparse couplings cost."""

from __future__ import annotations

from attractor.gateware.boards import Family
from attractor.gateware.costs import SELECTED, CostModel
from attractor.spec.sparse import SparseSpec

__all__ = ["COSTS"]


class _SparseCosts(CostModel[SparseSpec]):
    coefficients = {  # noqa: RUF012
        Family.ICE40: {"system": 2500.0, "sum bits": 14.0, "lanes": 40.0, "word bits": 2.0, SELECTED: 0.5},
        Family.ECP5: {"system": 2300.0, "sum bits": 14.0, "lanes": 30.0, "word bits": 2.0, SELECTED: 0.9},
    }

    def terms(self, spec: SparseSpec) -> dict[str, int]:
        sizes = {"system": 1, "sum bits": spec.lanes * spec.accumulator_bits, "lanes": spec.lanes}
        return sizes | {"word bits": spec.row_memory.word_bits}

    def folded(self, spec: SparseSpec) -> tuple[int, ...]:
        return (spec.targets,)

    def smaller(self, spec: SparseSpec) -> str:
        return "use fewer oscillators, couplings or row_words"


#: LUTs of oscillator networks with sparse couplings.
COSTS = _SparseCosts()
