"""What the tests of the parts of an Equilibrium Propagation core share."""

from __future__ import annotations

import random
from typing import Any

from amaranth.hdl import signed
from hypothesis import strategies as st

from attractor.hdl.eqprop.layout import Context, EqPropBank, NeuronState, Store, sum_bits
from attractor.hdl.operations import Beat, Operation
from attractor.spec import EqPropSpec

SEEDS = st.integers(0, 2**32)
#: Two and more layers, groups that are not full, layers of a single group, one lane, states of one bit and of many.
LEARNERS = [
    EqPropSpec(layers=(11, 7, 4), classes=2, state_high=12, counter_bits=3, lanes=3, learning=True),
    EqPropSpec(layers=(9, 5, 6, 6), classes=3, state_high=(5, 1, 50), nudge_shift=2, lanes=4, learning=True),
    EqPropSpec(layers=(4, 3, 2), classes=2, state_high=7, counter_bits=2, lanes=1, learning=True),
]
SPECS = [*LEARNERS, EqPropSpec(layers=(17, 6, 6), classes=3, state_high=(20, 9), lanes=6)]

Neuron = tuple[int, int]


def layouts(spec: EqPropSpec) -> tuple[Operation, Beat]:
    """Return the layouts of the crossbar's operations and beats in a core of ``spec``."""
    operation = Operation(
        stores=len(Store),
        words=max(spec.up_memory.words, spec.down_memory.words),
        groups=spec.groups,
        banks=len(EqPropBank),
        parts=True,
        context=Context(spec),
    )
    beat = Beat(
        operation,
        groups=spec.groups,
        lanes=spec.lanes,
        sum_shape=signed(sum_bits(spec)),
        tag_bits=0,
        state_bits=NeuronState(spec).size,
    )
    return operation, beat


def layer_of(spec: EqPropSpec, group: int) -> int:
    """Return the layer that a group belongs to."""
    return max(layer for layer in range(1, spec.connections + 1) if spec.first_group(layer) <= group)


def place(spec: EqPropSpec, layer: int, index: int) -> tuple[int, int]:
    """Return group and lane of a neuron."""
    group, lane = divmod(index, spec.lanes)
    return spec.first_group(layer) + group, lane


def draw_neuron(spec: EqPropSpec, rng: random.Random, lowest: int = 1, highest: int | None = None) -> Neuron:
    """Draw a layer and a neuron in it."""
    layer = rng.randint(lowest, spec.connections if highest is None else highest)
    return layer, rng.randrange(spec.layers[layer])


def fields(operation: Any, *names: str) -> dict[str, int]:
    """Return some fields of an operation, those of its context included, as numbers."""
    values = {name: getattr(owner_of(operation, name), name) for name in names}
    return {name: int(getattr(value, "value", value)) for name, value in values.items()}


def owner_of(operation: Any, name: str) -> Any:
    """Return what has a field: an operation, a beat, or the context of one."""
    return operation.context if name in operation.context.shape().members else operation
