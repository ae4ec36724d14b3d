"""What oscillator networks with sparse couplings cost."""

from __future__ import annotations

from attractor.gateware.boards import Family
from attractor.gateware.costs import SELECTED, CostModel
from attractor.spec.sparse import SparseSpec

__all__ = ["COSTS"]


class _SparseCosts(CostModel[SparseSpec]):
    # What is held for each lane differs: one sum and its noise where phases are 0 or half a period, otherwise several
    # numbers, and fields that are wider.
    coefficients = {  # noqa: RUF012
        Family.ICE40: {"system": 2384.0, "sum bits": 24.2, "lanes": 72.7, "word bits": 2.95, SELECTED: 0.5}
        | {"number bits": 8.6, "field bits": 13.87},
        Family.ECP5: {"system": 2213.0, "sum bits": 17.5, "lanes": 65.7, "word bits": 2.32, SELECTED: 1.23}
        | {"number bits": 7.26, "field bits": 8.82},
    }

    def terms(self, spec: SparseSpec) -> dict[str, int]:
        sizes = {"system": 1, "word bits": spec.row_memory.word_bits}
        if spec.binary:
            return sizes | {"sum bits": spec.lanes * spec.accumulator_bits, "lanes": spec.lanes}
        numbers = spec.period // 2 + 1
        # Noise of several signs is about as much again.
        fields = spec.lanes * spec.sum_bits * (2 if spec.flips else 1)
        return sizes | {"number bits": spec.lanes * spec.accumulator_bits * numbers, "field bits": fields}

    def folded(self, spec: SparseSpec) -> tuple[int, ...]:
        return (spec.targets,)

    def smaller(self, spec: SparseSpec) -> str:
        return "use fewer oscillators, couplings or row_words"


#: LUTs of oscillator networks with sparse couplings.
COSTS = _SparseCosts()
