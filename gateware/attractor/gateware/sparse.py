"""What oscillator networks with sparse couplings cost, and how they are folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from attractor.gateware.boards import Family
from attractor.gateware.costs import SELECTED, CostModel
from attractor.spec import SpecError
from attractor.spec.sparse import SparseSpec

__all__ = ["COSTS"]

#: Lanes over entries of the builds that are looked at.
_SHARES = (1, 2, 4, 8)


class _SparseCosts(CostModel[SparseSpec]):
    # What is held for each lane differs: one sum and its noise where phases are 0 or half a period, otherwise several
    # numbers, and fields that are wider.
    coefficients = {  # noqa: RUF012
        Family.ICE40: {"system": 2349.0, "sum bits": 26.2, "lanes": 71.2, "word bits": 3.05, SELECTED: 0.39}
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

    def builds(self, spec: SparseSpec) -> list[Sequence[SparseSpec]]:
        found = []
        for lanes in (1 << bit for bit in range(spec.lanes.bit_length())):
            builds = (_folded(spec, lanes, lanes // share) for share in _SHARES if share <= lanes)
            found.append([build for build in builds if build is not None and build != spec])
        return found

    def smaller(self, spec: SparseSpec) -> str:
        return "use fewer oscillators, couplings or row_words"


#: LUTs of oscillator networks with sparse couplings.
COSTS = _SparseCosts()


def _folded(spec: SparseSpec, lanes: int, entries: int) -> SparseSpec | None:
    """Return a network with other lanes, entries and as many words as its rows then need; None if that is impossible.

    Where two classes become one, a word becomes two at most; beyond that nobody knows how full words are, and rows
    have what the spec gives them if it is not told.
    """
    if entries > spec.entries:
        return None
    try:
        folded = replace(spec, lanes=lanes, entries=entries, row_words=0)
    except SpecError:
        return None
    share, rest = divmod(spec.entries, entries)
    most = 1 + share * (spec.row_words - 1)
    return folded if rest or most >= folded.row_words else replace(folded, row_words=most)
