"""What spiking networks of ferroelectric neurons cost."""

from __future__ import annotations

from collections.abc import Iterator

from attractor.gateware.boards import Family
from attractor.gateware.costs import PRODUCTS, SELECTED, CostModel
from attractor.spec.felif.layer import FELIF_A, FELIF_B, FelifLayer
from attractor.spec.felif.spec import FelifSpec

__all__ = ["COSTS"]


class _FelifCosts(CostModel[FelifSpec]):
    coefficients = {  # noqa: RUF012
        Family.ICE40: {"system": 2264.0, "sum bits": 8.03, "layers": 118.0, "A": 2117.0, "B": 1423.0}
        | {"plain bits": 7.63, PRODUCTS: 1.85, SELECTED: 0.39},
        Family.ECP5: {"system": 2210.0, "sum bits": 3.85, "layers": 195.0, "A": 920.0, "B": 1023.0}
        | {"plain bits": 14.5, PRODUCTS: 0.0, SELECTED: 1.64},
    }

    def terms(self, spec: FelifSpec) -> dict[str, int]:
        indices = range(len(spec.layers))
        plain = [layer for layer in spec.layers if not layer.ferroelectric]
        return {
            "system": 1,
            "sum bits": sum(spec.lanes_of(index) * spec.sum_bits(index) for index in indices),
            "layers": len(spec.layers),
            "A": sum(layer.kind == FELIF_A for layer in spec.layers),
            "B": sum(layer.kind == FELIF_B for layer in spec.layers),
            "plain bits": sum(layer.state_bits * (1 + layer.synapse) for layer in plain),
        }

    def products(self, spec: FelifSpec) -> Iterator[tuple[int, int]]:
        for index, layer in enumerate(spec.layers):
            yield spec.sum_bits(index), layer.scale_bits
            yield from _products_of(layer)

    def folded(self, spec: FelifSpec) -> tuple[int, ...]:
        return tuple(layer.neurons for layer in spec.layers)

    def smaller(self, spec: FelifSpec) -> str:
        return "use fewer neurons or layers, or narrower weights"


def _products_of(layer: FelifLayer) -> tuple[tuple[int, int], ...]:
    if layer.kind == FELIF_A:
        return (16, 8), (19, 16), (15, 12)
    if layer.kind == FELIF_B:
        return (16, 8), (23, 21), (23, 12)
    return ((layer.state_bits, 16),) * (1 + layer.synapse)


#: LUTs of spiking networks.
COSTS = _FelifCosts()
