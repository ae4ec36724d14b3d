"""Random spiking networks, half of them tamed so that they spike, and sequences that begin anew or go on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attractor.physics.felif.device import FelifDevice
from attractor.physics.felif.tables import felif_parameters
from attractor.spec import FelifLayer, FelifSpec, IntegerArray, Parameters, Region
from attractor.spec.felif.layer import FELIF_A, FELIF_B, LIF
from attractor.trials.base import Trials, with_unused_bits
from attractor.trials.features import Features, features_of

__all__ = ["TRIALS", "FelifTrials", "Numbers", "random_frames", "random_parameters"]

Numbers = npt.NDArray[np.int64]


class FelifTrials(Trials[FelifSpec]):
    """Networks of which most spike, and sequences half of which go on from where the one before ended."""

    def parameters(self, spec: FelifSpec, rng: np.random.Generator) -> dict[str, IntegerArray]:
        """Draw parameters as :func:`random_parameters` does."""
        return dict(random_parameters(spec, rng))

    def inputs(self, spec: FelifSpec, rng: np.random.Generator) -> bytes:
        """Draw frames, whether to go on, and now and then a number of ticks that a device reads as another."""
        frames = random_frames(spec, rng)
        data = spec.encode_input(frames, keep=bool(rng.random() < 0.5))
        contents = spec.memory_map.split(Region.INPUT, data)
        if spec.ticks == len(frames) and rng.random() < 0.5:
            contents["ticks"] = int(rng.integers(spec.ticks, 1 << 16)).to_bytes(2, "little")
        elif len(frames) == 1 and rng.random() < 0.5:
            contents["ticks"] = bytes(2)
        return with_unused_bits(spec.memory_map, Region.INPUT, spec.memory_map.join(Region.INPUT, contents), rng)

    def features(self, spec: FelifSpec, parameters: Parameters, inputs: bytes, outputs: bytes) -> Features:
        """Return what a call had, and whether its number of ticks was one that a device reads as another."""
        found = features_of(spec, parameters, inputs, outputs)
        ticks = int.from_bytes(spec.memory_map.split(Region.INPUT, inputs)["ticks"], "little")
        found |= {"input ticks.ticks = 0": ticks == 0, "input ticks.ticks > most": ticks > spec.ticks}
        if spec.winners < 2:
            del found["result result.winner"]
        return found


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


TRIALS = FelifTrials()
