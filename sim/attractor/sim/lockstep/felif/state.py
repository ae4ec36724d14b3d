"""What the memories of a spiking core hold, and words that no host would write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from attractor.golden.felif import LayerTrace
from attractor.sim.lockstep.driver import Difference
from attractor.spec import FelifLayer, FelifSpec, Field
from attractor.spec.felif.layer import FELIF_B

__all__ = ["Numbers", "decode_states", "first_difference", "out_of_range", "state_fields"]

Numbers = npt.NDArray[np.int64]


def state_fields(layer: FelifLayer) -> tuple[Field, ...]:
    """Return the fields of a word of states, the lowest bits first."""
    fields = [Field("voltage", layer.state_bits, signed=True)]
    if layer.ferroelectric:
        fields += [Field("polarisation", layer.fraction_bits + 2, signed=True), Field("spikes", 1)]
    if layer.kind == FELIF_B:
        fields.append(Field("reached", 1))
    if layer.synapse:
        fields.append(Field("synapse", layer.state_bits, signed=True))
    return tuple(fields)


def decode_states(layer: FelifLayer, words: Sequence[int]) -> dict[str, Numbers]:
    """Return the states in the words of all neurons, each of shape (neurons,)."""
    states, start = {}, 0
    for field in state_fields(layer):
        values = [word >> start & ((1 << field.bits) - 1) for word in words]
        if field.signed:
            values = [value - (value >> field.bits - 1 << field.bits) for value in values]
        states[field.name] = np.array(values, np.int64)
        start += field.bits
    return states


def first_difference(index: int, tick: int, trace: LayerTrace, found: dict[str, Numbers]) -> Difference | None:
    """Compare what was found of a layer in a tick, each of shape (neurons,), with the golden model's only network."""
    for name, values in found.items():
        column = getattr(trace, name, None)
        if column is None:
            continue
        expected = column[tick, 0].astype(np.int64)
        for neuron in np.flatnonzero(expected != values)[:1]:
            place = f"layer {index}, neuron {neuron}, {name}"
            return Difference(f"tick {tick}", place, int(expected[neuron]), int(values[neuron]))
    return None


# Words out of range


def out_of_range(spec: FelifSpec, contents: dict[str, bytes], rng: np.random.Generator) -> dict[str, bytes]:
    """Return parameter windows in which 1, where it is the greatest value of a field, may be any greater value."""
    changed = dict(contents)
    for index in range(len(spec.layers)):
        for memory in spec.field_memories(index):
            start = 0
            for field in memory.record:
                if field.high is not None:
                    changed[memory.name] = _exceeded(changed[memory.name], memory.words, start, field, rng)
                start += field.bits
    return changed


def _exceeded(data: bytes, words: int, start: int, field: Field, rng: np.random.Generator) -> bytes:
    size, mask = len(data) // words, (1 << field.bits) - 1
    written = b""
    for word in range(words):
        value = int.from_bytes(data[word * size : (word + 1) * size], "little")
        if value >> start & mask == field.high and rng.random() < 0.5:
            value |= int(rng.integers(0, mask + 1)) << start
        written += value.to_bytes(size, "little")
    return written
