"""What a network is made of: the memories of its system, and what its LUTs grow with. One model for each family."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Shape

from attractor.gateware.boards import Family
from attractor.gateware.packing import Memory, pack
from attractor.hdl.eqprop.flips import MOST_WORDS, Flips
from attractor.hdl.eqprop.layout import Bank, sum_bits
from attractor.spec import EqPropSpec, OscillatorSpec, Spec
from attractor.spec.protocol import RECEIVE_BUFFER_BYTES

LUTS_OF_LUT_RAM = 4

# Buffers of the link: bytes received, a frame being checked, a frame being sent; each half of the latter two holds one
# frame. The description is compressed JSON of 140 to 180 bytes.
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
    """

    spec: OscillatorSpec | EqPropSpec
    memories: tuple[Memory, ...]
    terms: dict[str, int]
    coefficients: dict[str, float]
    known: int
    large: frozenset[str]
    folded: tuple[int, ...]
    smaller: str

    @property
    def luts(self) -> float:
        """4-input LUTs after packing."""
        return self.known + sum(self.coefficients[name] * count for name, count in self.terms.items())


def cost(spec: Spec, family: Family) -> Cost:
    """Return what ``spec`` takes of ``family``.

    Raises
    ------
    TypeError
        If no model is written for the family of the spec.
    """
    match spec:
        case OscillatorSpec():
            own, terms = _oscillator_memories(spec), _oscillator_terms(spec)
            weights, folded, smaller = spec.weight_windows, (spec.targets,), "use fewer oscillators or narrower weights"
        case EqPropSpec():
            own, terms = _eqprop_memories(spec), _eqprop_terms(spec)
            weights, folded = (*spec.up_memory.names, *spec.down_memory.names), spec.layers[1:]
            smaller = "use fewer neurons" + (" or counters of fewer bits" if spec.learning else "")
        case _:
            raise TypeError(
                f"nothing is known about the cost of the family {spec.family!r}; see attractor.gateware.costs"
            )
    memories = own + _LINK_MEMORIES
    packed = [pack(memory, family) for memory in memories]
    terms["selected bits"] = sum(kind.selected_bits for kind in packed)
    known = sum(LUTS_OF_LUT_RAM * kind.lut_rams + kind.flip_flops for kind in packed)
    # A network that learns reads one row while it writes another, which a single port cannot.
    large = frozenset(() if spec.learning else weights)
    return Cost(spec, memories, terms, _LUTS[spec.family, family], known, large, folded, smaller)


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
        Memory("accumulators", len(Bank) * spec.groups, spec.lanes * sum_bits(spec)),
        Memory("neurons", spec.groups, spec.lanes * state_bits),
        _changes(spec),
        Memory("sample", spec.memory_map["sample"].words, 8),
        Memory("scores", spec.classes, 16),
        *([Memory("flips", MOST_WORDS, Shape.cast(Flips(spec)).width)] if spec.learning else []),
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


# LUTs for each unit of a term.
_LUTS: dict[tuple[str, Family], dict[str, float]] = {
    ("oscillator", Family.ICE40): {"system": 2574.0, "sum bits": 6.73, "targets": 1.03, "selected bits": -0.49},
    ("oscillator", Family.ECP5): {"system": 2641.0, "sum bits": 5.88, "targets": 0.63, "selected bits": 0.87},
    ("eqprop", Family.ICE40): {"system": 1701.0, "learning system": 695.0, "sum bits": 6.77}
    | {"counter bits": 6.05, "selected bits": 0.7},
    ("eqprop", Family.ECP5): {"system": 1900.0, "learning system": 700.0, "sum bits": 13.5}
    | {"counter bits": 9.0, "selected bits": 1.0},
}
