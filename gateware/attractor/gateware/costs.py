"""What a network takes of an FPGA: the memories of its design, and LUTs by a model that its family brings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from attractor.gateware.boards import Family
from attractor.gateware.inventory import logic_of, memories_of
from attractor.gateware.packing import Memory, pack
from attractor.spec import Spec, SpecError, family_of
from attractor.spec.base import ceil_div

__all__ = ["ANY_CORE", "LUTS_OF_LUT_RAM", "LUT_TOLERANCE", "PRODUCTS", "SELECTED", "Cost", "CostModel", "cost"]

#: LUTs that one cell of LUT RAM takes.
LUTS_OF_LUT_RAM = 4
#: Estimated LUTs are within this fraction of those after packing, for every network that the tests synthesise, where a
#: family has a model of its own. Nearly all are within 8 %. The exceptions learn on ECP5: the model is 11 % above
#: 64-64-64-40 on 16 lanes, and 15 % below 300-100-50 on 4 lanes.
LUT_TOLERANCE = 0.15
#: Term of the LUTs that products are made of: width by width, over all of them.
PRODUCTS = "product bits"
#: Term of the multiplexers behind memories that have more words than one cell.
SELECTED = "selected bits"
#: Bits that a multiplier takes on either side.
_MULTIPLIER_BITS = {Family.ICE40: 16, Family.ECP5: 18}

AnySpec = TypeVar("AnySpec", bound=Spec)


class CostModel(ABC, Generic[AnySpec]):
    """What the LUTs of a family's networks grow with: a sum of terms, each a number times a coefficient.

    Memories are no part of it: they are read from the design.

    Attributes
    ----------
    coefficients:
        For each FPGA family the LUTs for one unit of each term, as ``tests.gateware.fit_luts`` fits them;
        :data:`PRODUCTS` and :data:`SELECTED` included, the first only if the family multiplies.
    tolerance:
        Greatest part by which the sum may be wrong.
    """

    coefficients: Mapping[Family, Mapping[str, float]]
    tolerance: float = LUT_TOLERANCE

    @abstractmethod
    def terms(self, spec: AnySpec) -> dict[str, int]:
        """Return what the LUTs grow with, and how much of each there is."""

    def products(self, spec: AnySpec) -> Iterable[tuple[int, int]]:
        """Return the widths of both factors of each product that a multiplier may make."""
        return ()

    def folded(self, spec: AnySpec) -> tuple[int, ...]:
        """Return the sizes of what is folded over the lanes: numbers of neurons that are updated together."""
        lanes = spec.build_to_dict().get("lanes")
        return () if lanes is None else (lanes,)

    def builds(self, spec: AnySpec) -> list[Sequence[AnySpec]]:
        """Return the network in all useful foldings, those of the fewest lanes first.

        Builds of as many lanes are one sequence, the one that takes the fewest cycles first. None has more lanes than
        ``spec``, and ``spec`` itself is none of them.
        """
        found: list[Sequence[AnySpec]] = []
        for lanes in sorted(_useful_lanes(self.folded(spec))):
            # Very few lanes may need more rows of weights than a window has words.
            with suppress(SpecError):
                if lanes < spec.build_to_dict()["lanes"]:
                    found.append((replace(spec, lanes=lanes),))
        return found

    def smaller(self, spec: AnySpec) -> str:
        """Return the advice for a network that fits nowhere: what makes it smaller."""
        return "use a smaller network"


def _useful_lanes(sizes: tuple[int, ...]) -> set[int]:
    """Return the numbers of lanes of which none is idle in all groups: some ``2 * sqrt(size)`` for each size."""
    return {ceil_div(size, groups) for size in sizes for groups in range(1, size + 1)}


class AnyCore(CostModel[Spec]):
    """The model of families that bring none: bits of registers, choices and operators, counted in the netlist.

    It is some ten times as slow as the others, since the netlist is made for it, and rougher: a netlist does not say
    what synthesis will find to be equal or unused. It was wrong by 20 % at most for the networks of the families here;
    fitted to those of two families, by 26 % at most for those of the third. Networks with sparse couplings, to which
    it is not fitted, take up to 1.75 times as many LUTs as it says.
    """

    coefficients = {  # noqa: RUF012
        Family.ICE40: {"system": 900.0, "steered bits": 0.206, "computed bits": 0.041}
        | {"multiplied bits": 2.19, SELECTED: 0.5},
        Family.ECP5: {"system": 670.0, "steered bits": 0.191, "computed bits": 0.069}
        | {"multiplied bits": 0.0, SELECTED: 0.5},
    }
    tolerance = 0.45

    def terms(self, spec: Spec) -> dict[str, int]:
        # The link works bit by bit, so that it has more logic than its netlist has bits.
        return {"system": 1, **logic_of(spec)}


#: The model of families that bring none.
ANY_CORE = AnyCore()


@dataclass(frozen=True)
class Cost:
    """What one network takes of an FPGA family.

    Parameters
    ----------
    memories:
        All memories of the design.
    terms:
        What the LUTs grow with, and how much of each there is.
    coefficients:
        LUTs for each unit of a term.
    known:
        LUTs that need no model: memories that become registers or LUT RAM.
    tolerance:
        Greatest part by which :attr:`luts` may be wrong.
    multipliers:
        Multipliers that all its products take.
    """

    memories: tuple[Memory, ...]
    terms: dict[str, int]
    coefficients: Mapping[str, float]
    known: int
    tolerance: float
    multipliers: int = 0

    @property
    def luts(self) -> float:
        """4-input LUTs after packing."""
        return self.known + sum(self.coefficients[name] * count for name, count in self.terms.items())

    @property
    def product_luts(self) -> float:
        """Those of :attr:`luts` that multipliers save."""
        return self.coefficients.get(PRODUCTS, 0) * self.terms.get(PRODUCTS, 0)


def model_of(spec: Spec) -> CostModel:
    """Return the cost model of a network's family; :data:`ANY_CORE` if it brings none."""
    return family_of(spec).view("costs") or ANY_CORE


def cost(spec: Spec, family: Family, model: CostModel | None = None) -> Cost:
    """Return what a network takes of an FPGA family.

    Parameters
    ----------
    spec:
        The network; its design is elaborated, unless one of the last was the same.
    family:
        The FPGA family.
    model:
        Where LUTs come from; by default the model of the network's own family, or :data:`ANY_CORE` if it has none.

    Raises
    ------
    SpecError
        If the family of the network is not installed.
    """
    chosen = model or model_of(spec)
    memories = memories_of(spec)
    packed = [pack(memory, family) for memory in memories]
    products = list(chosen.products(spec))
    terms = chosen.terms(spec) | {SELECTED: sum(kind.selected_bits for kind in packed)}
    if products:
        terms[PRODUCTS] = sum(a * b for a, b in products)
    width = _MULTIPLIER_BITS[family]
    return Cost(
        memories=memories,
        terms=terms,
        coefficients=chosen.coefficients[family],
        known=sum(LUTS_OF_LUT_RAM * kind.lut_rams + kind.flip_flops for kind in packed),
        tolerance=chosen.tolerance,
        multipliers=sum(_parts(a, width) * _parts(b, width) for a, b in products),
    )


def _parts(bits: int, width: int) -> int:
    """Return how many multipliers of ``width`` bits make one of ``bits`` bits; a single bit is left to LUTs."""
    return bits // width + (bits % width > 1)
