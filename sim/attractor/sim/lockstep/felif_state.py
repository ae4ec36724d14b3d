"""What the memories of a spiking core hold, and random networks and inputs to drive one with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from attractor.golden.felif import FelifDevice, LayerTrace, felif_parameters
from attractor.sim.lockstep.driver import Difference
from attractor.spec import FelifLayer, FelifSpec
from attractor.spec.felif_layer import FELIF_A, FELIF_B, LIF
from attractor.spec.fields import Field

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


# Random networks


def random_parameters(spec: FelifSpec, rng: np.random.Generator) -> dict[str, Numbers]:
    """Draw parameters: anything that is allowed, or those of a device with drives that make it spike."""
    parameters = {}
    for name, parameter in spec.parameters.items():
        low, high = int(np.asarray(parameter.low)), int(np.asarray(parameter.high))
        ends = rng.choice([low, high, min(max(0, low), high)], parameter.shape)
        values = rng.integers(low, high + 1, parameter.shape)
        parameters[name] = np.where(rng.random(parameter.shape) < 0.3, ends, values)
    if rng.random() < 0.3:
        return parameters
    for index, layer in enumerate(spec.layers):
        tame = _tame(spec, index, layer, rng)
        parameters |= {f"{name}_{index}": values for name, values in tame.items()}
    return parameters


def _tame(spec: FelifSpec, index: int, layer: FelifLayer, rng: np.random.Generator) -> dict[str, Numbers]:
    """Draw parameters of a layer with which a typical sum makes a drive of a few tenths of a threshold.

    Now and then drives are far greater, and voltages limited below their thresholds.
    """
    count = layer.neurons
    push = {FELIF_A: 12_000, FELIF_B: 60_000}.get(layer.kind, 1 << layer.state_bits - 3)
    push <<= int(rng.choice([0, 0, 3]))
    typical = np.sqrt(spec.sources(index)) * layer.weight_range[1] * (1 if index else max(spec.input_range))
    scale = int(np.clip(push / typical * 2.0**layer.scale_shift, 1, (1 << layer.scale_bits) - 1))
    values = {"scale": rng.integers(scale // 2, scale + 1, count), "bias": rng.integers(-push // 8, push // 2, count)}
    if layer.ferroelectric:
        values |= {name: array.astype(np.int64) for name, array in felif_parameters(layer, FelifDevice()).items()}
        values["leak_scale"] = rng.integers(0, 256, count)
        values["field_offset"] = rng.integers(-500, 500, count)
        values["threshold"] = (values["threshold"] * rng.uniform(0.2, 1, count)).astype(np.int64)
        if rng.random() < 0.4:
            values["limit"] = rng.integers(0, layer.polarisation_high * 2, 1)
            values["threshold"][rng.random(count) < 0.5] = (1 << layer.state_bits - 1) - 1
    else:
        values["decay"] = rng.choice([0, 20_000, 30_000, 32_767, 32_768], count)
    if layer.kind == LIF:
        values["threshold"] = rng.integers(0, 1 << layer.state_bits - 2, count)
    return values


def random_frames(spec: FelifSpec, rng: np.random.Generator) -> Numbers:
    """Draw the input values of a call; whole ticks without any, and only the extremes, are as likely as others."""
    low, high = spec.input_range
    shape = (int(rng.integers(1, spec.ticks + 1)), spec.inputs)
    frames = rng.integers(low, high + 1, shape)
    if rng.random() < 0.3:
        frames = rng.choice([low, high], shape)
    frames[rng.random(shape) < rng.choice([0, 0.5, 0.9])] = 0
    frames[rng.random(shape[0]) < 0.2] = 0
    return frames


def out_of_range(spec: FelifSpec, contents: dict[str, bytes], rng: np.random.Generator) -> dict[str, bytes]:
    """Return parameter windows in which 1, where it is the greatest value of a field, may be any greater value."""
    changed = dict(contents)
    for index in range(len(spec.layers)):
        for memory in spec.field_memories(index):
            start = 0
            for field in memory.fields:
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
