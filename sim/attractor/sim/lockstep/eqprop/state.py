"""What the memories of an Equilibrium Propagation core must hold, computed from bits and weights alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from attractor.sim.lockstep.driver import Difference
from attractor.spec import EqPropSpec, IntegerArray

__all__ = [
    "Numbers",
    "expected_sums",
    "first_difference",
    "first_parameter_difference",
    "lane_fields",
    "neuron_names",
    "signed",
]

Numbers = npt.NDArray[np.int64]


def expected_sums(spec: EqPropSpec, parameters: Mapping[str, IntegerArray], inputs: Numbers, bits: Numbers) -> Numbers:
    """Return the weighted sums of all neurons, shape (targets,), straight from their definition.

    ``inputs`` and ``bits`` are what inputs and neurons send, 0 or 1, shape (inputs,) and (targets,).
    """
    layers = [inputs, *(bits[neurons] for neurons in spec.neurons)]
    sums = [np.zeros(size, np.int64) for size in spec.layers]
    for connection, (below, above) in enumerate(pairwise(range(spec.connections + 1))):
        weights = parameters[f"weights_{connection}"].astype(np.int64)
        sums[above] += weights @ layers[below]
        sums[below] += weights.T @ layers[above]
    return np.concatenate(sums[1:])


def neuron_names(spec: EqPropSpec) -> list[str]:
    """Return the names of all neurons in their order."""
    return [
        f"layer {layer}, neuron {index}"
        for layer in range(1, spec.connections + 1)
        for index in range(spec.layers[layer])
    ]


def lane_fields(spec: EqPropSpec, words: Sequence[int], width: int) -> Numbers:
    """Return the field of each neuron in the words of all groups, ``width`` bits a lane, shape (targets,)."""
    mask = (1 << width) - 1
    fields = []
    for layer in range(1, spec.connections + 1):
        for index in range(spec.layers[layer]):
            group, lane = divmod(index, spec.lanes)
            fields.append(words[spec.first_group(layer) + group] >> lane * width & mask)
    return np.array(fields, np.int64)


def signed(fields: Numbers, width: int) -> Numbers:
    """Return fields as two's complement numbers."""
    return fields - ((fields >> width - 1) << width)


def first_difference(spec: EqPropSpec, moment: str, what: str, expected: Numbers, found: Numbers) -> Difference | None:
    """Compare a number of each neuron."""
    for neuron in np.flatnonzero(expected != found)[:1]:
        place = f"{neuron_names(spec)[neuron]}, {what}"
        return Difference(moment, place, int(expected[neuron]), int(found[neuron]))
    return None


def first_parameter_difference(
    spec: EqPropSpec, moment: str, expected: Mapping[str, IntegerArray], windows: Mapping[str, bytes]
) -> Difference | None:
    """Compare counters and weights, and the copies of the weights by the neuron above, with what they must be."""
    found = spec.decode_parameters(windows)
    for name, array in expected.items():
        if name == "steps":
            continue
        kind, connection = name.rsplit("_", 1)
        for above, below in np.argwhere(found[name] != array)[:1]:
            place = f"connection {connection}, {kind[:-1]} from {below} to {above}"
            return Difference(moment, place, int(array[above, below]), int(found[name][above, below]))
    copies, bits = spec.down_memory.decode(spec.encode_parameters(expected)), spec.down_memory.decode(windows)
    for word, lane in np.argwhere(copies != bits)[:1]:
        return Difference(moment, f"word {word} of down, lane {lane}", int(copies[word, lane]), int(bits[word, lane]))
    return None
