"""What a network is made of: the memories of its system, and what its LUTs grow with. One model for each family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Shape

from attractor.gateware.boards import Family
from attractor.gateware.packing import Memory, pack
from attractor.hdl.eqprop.flips import FLIP_WORDS, Flips
from attractor.hdl.eqprop.layout import EqPropBank, sum_bits
from attractor.hdl.felif.layout import FelifBank, NeuronState
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec
from attractor.spec.felif.layer import FELIF_A, FELIF_B
from attractor.spec.protocol import RECEIVE_BUFFER_BYTES

__all__ = ["LUTS_OF_LUT_RAM", "PRODUCTS", "Cost", "cost"]

LUTS_OF_LUT_RAM = 4

# Buffers of the link: bytes received, a frame being checked, a frame being sent; each half of the latter two holds one
# frame. The description is compressed JSON of 140 to 180 bytes.
#: Term of the LUTs that products are made of.
PRODUCTS = "product bits"
_LINK_MEMORIES = (
    Memory("receive buffer", RECEIVE_BUFFER_BYTES, 8),
    Memory("decoder", 512, 8),
    Memory("encoder", 512, 8),
    Memory("description", 180, 8, constant=True),
)


@dataclass(frozen=True)
class Cost:
    """What one network takes of an FPGA family.

    Parameters
    ----------
    spec:
        The network.
    memories:
        All memories of the system.
    terms:
        What the LUTs grow with, and how many of each there are.
    coefficients:
        LUTs for each unit of a term, by the fit of ``tests.gateware.fit_luts``.
    known:
        LUTs that need no model: memories that become registers or LUT RAM.
    large:
        Names of the memories that a single port is enough for, and that may be large.
    folded:
        Sizes of what is folded over lanes: numbers of neurons that are updated together.
    smaller:
        What makes a network smaller.
    multipliers:
        Multipliers that all its products take.
    """

    spec: OscillatorSpec | EqPropSpec | FelifSpec
    memories: tuple[Memory, ...]
    terms: dict[str, int]
    coefficients: dict[str, float]
    known: int
    large: frozenset[str]
    folded: tuple[int, ...]
    smaller: str
    multipliers: int = 0

    @property
    def luts(self) -> float:
        """4-input LUTs after packing."""
        return self.known + sum(self.coefficients[name] * count for name, count in self.terms.items())

    @property
    def product_luts(self) -> float:
        """Those of :attr:`luts` that multipliers save."""
        return self.coefficients.get(PRODUCTS, 0) * self.terms.get(PRODUCTS, 0)


def cost(spec: Spec, family: Family) -> Cost:
    """Return what ``spec`` takes of ``family``.

    Raises
    ------
    TypeError
        If no model is written for the family of the spec.
    """
    multipliers = 0
    match spec:
        case OscillatorSpec():
            own, terms = _oscillator_memories(spec), _oscillator_terms(spec)
            weights, folded, smaller = spec.weight_windows, (spec.targets,), "use fewer oscillators or narrower weights"
        case EqPropSpec():
            own, terms = _eqprop_memories(spec), _eqprop_terms(spec)
            weights, folded = (*spec.up_memory.names, *spec.down_memory.names), spec.layers[1:]
            smaller = "use fewer neurons" + (" or counters of fewer bits" if spec.learning else "")
        case FelifSpec():
            own, terms = _felif_memories(spec), _felif_terms(spec)
            indices = range(len(spec.layers))
            weights = tuple(name for index in indices for name in spec.weight_memory(index).names)
            folded = tuple(layer.neurons for layer in spec.layers)
            smaller = "use fewer neurons or layers, or narrower weights"
            width = _MULTIPLIER_BITS[family]
            multipliers = sum(_parts(a, width) * _parts(b, width) for a, b in _products(spec))
        case _:
            raise TypeError(
                f"nothing is known about the cost of the family {spec.family!r}; see attractor.gateware.costs"
            )
    memories = own + _LINK_MEMORIES
    packed = [pack(memory, family) for memory in memories]
    terms["selected bits"] = sum(kind.selected_bits for kind in packed)
    known = sum(LUTS_OF_LUT_RAM * kind.lut_rams + kind.flip_flops for kind in packed)
    # A network that learns reads one row while it writes another, which a single port cannot.
    learning = not isinstance(spec, FelifSpec) and spec.learning
    large = frozenset(() if learning else weights)
    return Cost(spec, memories, terms, _LUTS[spec.family, family], known, large, folded, smaller, multipliers)


def _oscillator_memories(spec: OscillatorSpec) -> tuple[Memory, ...]:
    windows = [spec.memory_map[name] for name in (*spec.weight_windows, "schedule", "state")]
    banks, tag_bits = spec.period // 2 + 3, 2
    state_bits = 2 + (spec.lock_phases - 1).bit_length() + spec.learning
    # What belongs to a single group is in registers.
    folded = [Memory("neurons", spec.groups, spec.lanes * state_bits), _changes(spec)] if spec.groups > 1 else []
    return (
        *(Memory(window.name, window.words, window.word_bits) for window in windows),
        Memory("accumulators", banks * spec.groups, spec.lanes * (spec.sum_bits + tag_bits)),
        *folded,
        Memory("phases", spec.oscillators, spec.phase_bits),
    )


def _oscillator_terms(spec: OscillatorSpec) -> dict[str, int]:
    return {"system": 1, "sum bits": spec.lanes * spec.sum_bits, "targets": spec.groups * spec.lanes}


def _eqprop_memories(spec: EqPropSpec) -> tuple[Memory, ...]:
    rows = (*spec.up_memory.windows, *spec.down_memory.windows)
    state_bits = spec.state_bits + spec.learning
    return (
        *(Memory(window.name, window.words, window.word_bits) for window in rows),
        Memory("accumulators", len(EqPropBank) * spec.groups, spec.lanes * sum_bits(spec)),
        Memory("neurons", spec.groups, spec.lanes * state_bits),
        _changes(spec),
        Memory("sample", spec.memory_map["sample"].words, 8),
        Memory("scores", spec.classes, 16),
        *([Memory("flips", FLIP_WORDS, Shape.cast(Flips(spec)).width)] if spec.learning else []),
    )


def _changes(spec: OscillatorSpec | EqPropSpec) -> Memory:
    group_bits = (spec.groups - 1).bit_length()
    return Memory("changes", 1 << group_bits, group_bits + 2 * spec.lanes)


def _eqprop_terms(spec: EqPropSpec) -> dict[str, int]:
    learning = int(spec.learning)
    return {
        "system": 1,
        "learning system": learning,
        "sum bits": spec.lanes * sum_bits(spec),
        "counter bits": learning * spec.lanes * spec.counter_bits,
    }


def _felif_memories(spec: FelifSpec) -> tuple[Memory, ...]:
    frames, outputs = spec.memory_map["frames"], spec.memory_map["outputs"]
    memories = [Memory(window.name, window.words, window.word_bits) for window in (frames, outputs)]
    for index, layer in enumerate(spec.layers):
        windows = (*spec.weight_memory(index).windows, *(memory.window for memory in spec.field_memories(index)))
        # Reset and limit are in registers.
        memories += [Memory(w.name, w.words, w.word_bits) for w in windows if not w.name.startswith("limits")]
        sums = spec.lanes_of(index) * spec.sum_bits(index)
        memories.append(Memory("accumulators", len(FelifBank) * spec.groups_of(index), sums))
        memories.append(Memory("states", layer.neurons, NeuronState(layer).size))
        if layer.kind == FELIF_B:
            memories.append(Memory("drives", layer.neurons, layer.drive_bits))
        number = Memory("spikes", layer.neurons, max((layer.neurons - 1).bit_length(), 1))
        memories += [number] * ((index < len(spec.layers) - 1) + layer.recurrent)
    return tuple(memories)


def _felif_terms(spec: FelifSpec) -> dict[str, int]:
    indices = range(len(spec.layers))
    plain = [layer for layer in spec.layers if not layer.ferroelectric]
    return {
        "system": 1,
        "sum bits": sum(spec.lanes_of(index) * spec.sum_bits(index) for index in indices),
        "layers": len(spec.layers),
        "A": sum(layer.kind == FELIF_A for layer in spec.layers),
        "B": sum(layer.kind == FELIF_B for layer in spec.layers),
        "plain bits": sum(layer.state_bits * (1 + layer.synapse) for layer in plain),
        PRODUCTS: sum(a * b for a, b in _products(spec)),
    }


def _products(spec: FelifSpec) -> Iterator[tuple[int, int]]:
    """Return the widths of both factors of each product in the datapaths."""
    for index, layer in enumerate(spec.layers):
        yield spec.sum_bits(index), layer.scale_bits
        yield from _products_of(layer)


def _products_of(layer: FelifLayer) -> tuple[tuple[int, int], ...]:
    if layer.kind == FELIF_A:
        return (16, 8), (19, 16), (15, 12)
    if layer.kind == FELIF_B:
        return (16, 8), (23, 21), (23, 12)
    return ((layer.state_bits, 16),) * (1 + layer.synapse)


def _parts(bits: int, width: int) -> int:
    """Return how many multipliers of ``width`` bits make one of ``bits`` bits; a single bit is left to LUTs."""
    return bits // width + (bits % width > 1)


#: Bits that a multiplier takes on either side.
_MULTIPLIER_BITS = {Family.ICE40: 16, Family.ECP5: 18}

# LUTs for each unit of a term.
_LUTS: dict[tuple[str, Family], dict[str, float]] = {
    ("oscillator", Family.ICE40): {"system": 2574.0, "sum bits": 6.73, "targets": 1.03, "selected bits": -0.49},
    ("oscillator", Family.ECP5): {"system": 2641.0, "sum bits": 5.88, "targets": 0.63, "selected bits": 0.87},
    ("eqprop", Family.ICE40): {"system": 2088.0, "learning system": 872.0, "sum bits": 9.39}
    | {"counter bits": 6.26, "selected bits": -1.45},
    ("eqprop", Family.ECP5): {"system": 1915.0, "learning system": 684.0, "sum bits": 9.85}
    | {"counter bits": 15.36, "selected bits": 0.3},
    ("felif", Family.ICE40): {"system": 2251.0, "sum bits": 8.03, "layers": 118.0, "A": 2117.0, "B": 1423.0}
    | {"plain bits": 7.63, PRODUCTS: 1.85, "selected bits": 0.39},
    ("felif", Family.ECP5): {"system": 2051.0, "sum bits": 3.85, "layers": 195.0, "A": 920.0, "B": 1023.0}
    | {"plain bits": 14.5, PRODUCTS: 0.0, "selected bits": 1.64},
}
