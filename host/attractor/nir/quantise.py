"""Layers in double precision as integers, and how far off these are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from attractor.nir.chain import Floats
from attractor.nir.library import NirError
from attractor.nir.rules import Rules
from attractor.physics.felif import FloatLayer
from attractor.spec import FelifLayer, IntegerArray
from attractor.spec.felif.layer import DECAY_ONE, LIF, READOUT

__all__ = ["IntegerLayer", "ParameterError", "quantised", "restored"]

_SCALE_HIGH, _MOST_SHIFT = (1 << 16) - 1, 24
#: Thresholds and drives that a voltage without a bound can hold, one way and the other.
_UNBOUNDED_ROOM = 64
#: How far from integers, in steps, weights may be that were integers.
_WHOLE = 1e-3


@dataclass(frozen=True)
class ParameterError:
    """How far a parameter's integers are from what they stand for.

    Parameters
    ----------
    parameter:
        Name, as in the spec.
    values:
        Number of values.
    largest, root_mean_square:
        Absolute error, in the unit of the parameter: volts of the graph, a decay as a part of 1.
    range:
        Greatest magnitude of the values themselves.
    saturated:
        Values that were beyond the width, and were cut to it.
    """

    parameter: str
    values: int
    largest: float
    root_mean_square: float
    range: float
    saturated: int


@dataclass(frozen=True)
class IntegerLayer:
    """A layer in integers.

    Parameters
    ----------
    layer:
        Its part of the spec.
    parameters:
        Its integers, by their names without the layer's number.
    steps_per_volt:
        Integer voltage that stands for 1, a power of two.
    bounded:
        Whether no input can saturate a voltage or a synaptic state.
    errors:
        Of each parameter.
    """

    layer: FelifLayer
    parameters: dict[str, IntegerArray]
    steps_per_volt: float
    bounded: bool
    errors: tuple[ParameterError, ...]


def quantised(layer: FloatLayer, rules: Rules, input_high: int) -> IntegerLayer:
    """Return a layer in integers.

    Each neuron has a scale of its own, so that its largest weight is the largest integer or not far from it. The
    voltage's unit is the finest power of two with which no input whatsoever saturates a state; if that left less than
    half of the width to the largest threshold, reset and bias, it is the one that leaves half, and states may saturate.

    Parameters
    ----------
    layer:
        In double precision.
    rules:
        Widths.
    input_high:
        Greatest magnitude of what a source below sends.
    """
    spec = _layer_of(layer, rules)
    exponent, bounded = _exponent(layer, spec, input_high)
    unit = 2.0**exponent
    scale, shift, weights = _weights(layer, spec, unit)
    values = {"bias": layer.bias * unit, "decay": layer.decay * DECAY_ONE}
    if layer.threshold is not None:
        values["threshold"] = layer.threshold * unit
    if layer.synapse_decay is not None:
        values["synapse_decay"] = layer.synapse_decay * DECAY_ONE
    if spec.reset == "value":
        values["reset"] = layer.reset * unit
    spec = FelifLayer(**{**vars(spec), "scale_shift": shift})
    limits = {field.name: field.range for field in spec.record}
    parameters = {name: np.clip(np.rint(value), *limits[name]).astype(np.int64) for name, value in values.items()}
    step = scale / (unit * 2.0**shift)
    errors = [_error("weights", layer.weights, weights * step[:, None], 0)]
    for name, value in values.items():
        one = DECAY_ONE if name in ("decay", "synapse_decay") else unit
        saturated = int(np.count_nonzero(parameters[name] != np.rint(value)))
        errors.append(_error(name, value / one, parameters[name] / one, saturated))
    return IntegerLayer(spec, {"weights": weights, "scale": scale, **parameters}, unit, bounded, tuple(errors))


def restored(layer: FelifLayer, parameters: dict[str, IntegerArray], steps_per_volt: float) -> FloatLayer:
    """Return what a layer's integers stand for; the inverse of :func:`quantised`, without its errors."""
    values = {name: np.asarray(array, np.float64) for name, array in parameters.items()}
    unit, zeros = steps_per_volt, np.zeros(layer.neurons)
    return FloatLayer(
        weights=values["weights"] * values["scale"][:, None] / (unit * 2.0**layer.scale_shift),
        bias=values["bias"] / unit,
        decay=values["decay"] / DECAY_ONE,
        threshold=values["threshold"] / unit if layer.spikes else None,
        reset=values["reset"] / unit if layer.reset == "value" else zeros,
        synapse_decay=values["synapse_decay"] / DECAY_ONE if layer.synapse else None,
        recurrent=layer.recurrent,
        subtract=layer.reset == "subtract",
        strict=layer.strict,
    )


def _layer_of(layer: FloatLayer, rules: Rules) -> FelifLayer:
    spikes = layer.threshold is not None
    reset = "subtract" if layer.subtract else "value" if layer.reset.any() else "zero"
    return FelifLayer(
        neurons=layer.neurons,
        kind=LIF if spikes else READOUT,
        weight_bits=rules.weight_bits,
        recurrent=layer.recurrent,
        state_bits=rules.state_bits,
        synapse=layer.synapse_decay is not None,
        reset=reset if spikes else "zero",
        strict=spikes and layer.strict,
    )


def _weights(layer: FloatLayer, spec: FelifLayer, unit: float) -> tuple[IntegerArray, int, IntegerArray]:
    """Return scales, the shift of their products and weights."""
    high = spec.weight_range[1]
    largest = np.abs(layer.weights).max(axis=1)
    wanted = largest * unit / _levels(layer.weights, largest, high)
    shift = 0
    if wanted.max() > 0:
        shift = min(max(math.floor(math.log2(_SCALE_HIGH / wanted.max())), 0), _MOST_SHIFT)
    # Rounded up, so that no weight exceeds its width; 1e-9 is for what was an integer before it was divided.
    scale = np.ceil(wanted * 2.0**shift - 1e-9).astype(np.int64)
    steps = np.maximum(scale, 1)[:, None] / (unit * 2.0**shift)
    return scale, shift, np.clip(np.rint(layer.weights / steps), -high, high).astype(np.int64)


def _levels(weights: Floats, largest: Floats, high: int) -> Floats:
    """Return the integer that each neuron's largest weight becomes.

    The highest; but a neuron whose weights are whole multiples of one number, because they were integers before, finds
    its own.
    """
    found = np.zeros(len(weights))
    for level in range(high, high // 2, -1):
        steps = np.divide(weights * level, largest[:, None], out=np.zeros_like(weights), where=largest[:, None] > 0)
        whole = (np.abs(steps - np.rint(steps)) < _WHOLE).all(axis=1)
        found[whole & (found == 0)] = level
    return np.where(found == 0, high, found)


def _exponent(layer: FloatLayer, spec: FelifLayer, input_high: int) -> tuple[int, bool]:
    """Return the power of two that stands for 1, and whether no state can saturate."""
    largest_weight = float(np.abs(layer.weights).max())
    held = max(float(np.abs(part).max()) for part in (layer.threshold, layer.reset, layer.bias) if part is not None)
    reach, bounded = _reach(layer, input_high)
    reach = max(reach, held)
    if not reach > 0:
        return 0, bounded
    if not 1e-30 < reach < 1e30:
        raise NirError(f"voltages up to {reach:g} fit no number format; check the graph's units")
    room = float((1 << spec.state_bits - 1) - 4)  # four steps for rounding
    safe = chosen = math.floor(math.log2(room / reach))
    if held > 0:
        chosen = max(safe, math.floor(math.log2(2.0 ** (spec.state_bits // 2) / held)))
    if largest_weight > 0:
        chosen = min(chosen, math.floor(math.log2(_SCALE_HIGH * (spec.weight_range[1] // 2 + 1) / largest_weight)))
    return chosen, bounded and chosen <= safe


def _reach(layer: FloatLayer, input_high: int) -> tuple[float, bool]:
    """Return a bound of voltages and synaptic states whatever the input, and whether it is one."""
    weights = np.abs(layer.weights)
    weights[:, : layer.below] *= input_high
    drive = weights.sum(axis=1) + np.abs(layer.bias)
    decays = [layer.decay] if layer.synapse_decay is None else [layer.synapse_decay, layer.decay]
    reach, bounded = drive, True
    for decay in decays:
        endless = decay >= 1
        reach = np.where(endless, _UNBOUNDED_ROOM * drive, drive / np.where(endless, 1.0, 1 - decay))
        drive, bounded = reach, bounded and not (endless & (drive > 0)).any()
    if layer.subtract and layer.threshold is not None:
        bounded = bounded and not (layer.threshold < 0).any()
    return float(reach.max()), bool(bounded)


def _error(parameter: str, wanted: Floats, found: Floats, saturated: int) -> ParameterError:
    difference = np.abs(wanted - found)
    return ParameterError(
        parameter,
        difference.size,
        float(difference.max()),
        float(np.sqrt(np.mean(difference**2))),
        float(np.abs(wanted).max()),
        saturated,
    )
