"""Random spiking networks whose neurons spike and reach the corners of their ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from attractor.physics.felif import FelifDevice, felif_parameters
from attractor.spec import FelifLayer, FelifSpec
from attractor.spec.felif.layer import KINDS, RESETS


@dataclass
class Case:
    """A network and what it is driven with, shape (batch, ticks, inputs)."""

    spec: FelifSpec
    parameters: dict[str, np.ndarray]
    frames: np.ndarray


@st.composite
def felif_specs(draw: st.DrawFn, *, largest: int = 6, ticks: int = 12) -> FelifSpec:
    count = draw(st.integers(1, 3))
    layers = []
    for index in range(count):
        kind = draw(st.sampled_from(KINDS if index == count - 1 else KINDS[:-1]))
        free: dict[str, Any] = {}
        if kind in ("lif", "readout"):
            free["state_bits"] = draw(st.sampled_from([0, 8, 12, 32]))
        if kind == "lif":
            free |= {"synapse": draw(st.booleans()), "strict": draw(st.booleans())}
            free["reset"] = draw(st.sampled_from(RESETS))
        layer = FelifLayer(
            neurons=draw(st.integers(1, largest)),
            kind=kind,
            weight_bits=draw(st.sampled_from([2, 3, 4, 8])),
            recurrent=kind != "readout" and draw(st.booleans()),
            scale_shift=draw(st.integers(0, 6)),
            **free,
        )
        layers.append(layer)
    return FelifSpec(
        inputs=draw(st.integers(1, 2 * largest)),
        input_bits=draw(st.sampled_from([1, 1, 4, 8])),
        layers=tuple(layers),
        ticks=ticks,
        lanes=draw(st.integers(0, max(layer.neurons for layer in layers))),
    )


def felif_values(spec: FelifSpec, rng: np.random.Generator, *, wild: bool) -> dict[str, np.ndarray]:
    """Return parameters: those of a device and strong drives, or ``wild`` ones, anything that is allowed."""
    parameters = {}
    for name, parameter in spec.parameters.items():
        low, high = np.asarray(parameter.low), np.asarray(parameter.high)
        values = rng.integers(low, high + 1, parameter.shape)
        ends = rng.choice([int(low), int(high), 0 if low <= 0 else int(low)], parameter.shape)
        parameters[name] = np.where(rng.random(parameter.shape) < 0.3, ends, values)
    return parameters if wild else parameters | _tame(spec, rng)


def _tame(spec: FelifSpec, rng: np.random.Generator) -> dict[str, np.ndarray]:
    tame = {}
    for index, layer in enumerate(spec.layers):
        n = layer.neurons
        # A typical sum makes a drive of a few tenths of a threshold.
        push = {"felif_a": 12000, "felif_b": 60000}.get(layer.kind, 1 << layer.state_bits - 3)
        typical = np.sqrt(spec.sources(index)) * layer.weight_range[1] * (1 if index else max(spec.input_range))
        scale = np.clip(push / typical * 2.0**layer.scale_shift, 1, 65535)
        values: dict[str, Any] = {
            "scale": rng.integers(scale // 2, scale + 1, n),
            "bias": rng.integers(0, push, n),
        }
        if layer.ferroelectric:
            values |= felif_parameters(layer, FelifDevice())
            values["leak_scale"] = rng.integers(0, 256, n)
            values["field_offset"] = rng.integers(-500, 500, n)
            values["threshold"] = values["threshold"] * rng.uniform(0.2, 1, n).round(3) // 1
        else:
            values["decay"] = rng.choice([0, 20000, 30000, 32767, 32768], n)
        if layer.kind == "lif":
            values["threshold"] = rng.integers(0, 1 << layer.state_bits - 2, n)
        tame |= {f"{name}_{index}": np.asarray(value).astype(np.int64) for name, value in values.items()}
    return tame


@st.composite
def felif_cases(draw: st.DrawFn, *, batch: int = 2, ticks: int = 12) -> Case:
    spec = draw(felif_specs(ticks=ticks))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parameters = felif_values(spec, rng, wild=draw(st.sampled_from([False, False, True])))
    low, high = spec.input_range
    frames = rng.integers(low, high + 1, (batch, ticks, spec.inputs))
    frames[:, rng.random(ticks) < 0.3] = 0
    return Case(spec, parameters, frames)
