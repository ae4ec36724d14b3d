"""NIR's continuous neurons as neurons that step from tick to tick, still in double precision."""

from __future__ import annotations

import numpy as np

from attractor.nir.chain import Floats, Population, array
from attractor.nir.library import NirError, nir
from attractor.nir.rules import EULER, Rules
from attractor.physics.felif import FloatLayer
from attractor.spec.felif.layer import DECAY_ONE

__all__ = ["float_layers"]

#: Relative error of single precision, in which graphs are often written.
_SINGLE = 1e-6


def float_layers(layers: tuple[Population, ...], rules: Rules) -> tuple[FloatLayer, ...]:
    """Return the layers in double precision; weights of inputs count for an input value of 1.

    Voltages are counted from ``v_leak``, and synaptic states in what they add to a voltage in a tick.

    Raises
    ------
    NirError
        If a time constant does not fit the time step, or a reset cannot be expressed; the message names the node.
    """
    found = []
    for index, population in enumerate(layers):
        layer = _float_layer(population, rules)
        if index == 0:
            weights = layer.weights.copy()
            weights[:, : layer.below] *= rules.input_scale
            layer = _replaced(layer, weights)
        found.append(layer)
    return tuple(found)


def _replaced(layer: FloatLayer, weights: Floats) -> FloatLayer:
    return FloatLayer(**{**vars(layer), "weights": weights})


def _float_layer(population: Population, rules: Rules) -> FloatLayer:
    node, neurons = population.node, len(population.weights)
    ones, zeros = np.ones(neurons), np.zeros(neurons)
    gain, decay, synapse, leak, threshold, reset = ones, zeros, None, zeros, None, zeros
    if isinstance(node, nir.Threshold):
        threshold = _of_neurons(population, "threshold")
    elif node is not None:
        threshold, reset = _of_neurons(population, "v_threshold"), _of_neurons(population, "v_reset")
        gain, decay = rules.dt * _of_neurons(population, "r"), ones
    if isinstance(node, nir.LIF | nir.CubaLIF):
        decay = _decay(population, "tau_mem" if isinstance(node, nir.CubaLIF) else "tau", rules)
        leak = _of_neurons(population, "v_leak")
        gain = (1 - decay) * _of_neurons(population, "r")
    if isinstance(node, nir.CubaLIF):
        synapse = _decay(population, "tau_syn", rules)
        gain = gain * (1 - synapse) * _of_neurons(population, "w_in")
    subtract = rules.reset == "subtract" and node is not None and not isinstance(node, nir.Threshold)
    if subtract and (reset != leak).any():
        at = int(np.flatnonzero(reset != leak)[0])
        raise NirError(
            f"v_reset[{at}] of node {population.name!r} is {reset[at]:g}, but neurons here lose the distance from "
            f"v_leak, {leak[at]:g}, to v_threshold when they reset by subtraction: import with reset 'value'"
        )
    return FloatLayer(
        weights=gain[:, None] * population.weights,
        bias=gain * population.bias,
        decay=decay,
        threshold=None if threshold is None else threshold - leak,
        reset=reset - leak if node is not None and not isinstance(node, nir.Threshold) else zeros,
        synapse_decay=synapse,
        recurrent=population.recurrent,
        subtract=subtract,
        strict=rules.strict,
    )


def _of_neurons(population: Population, field: str) -> Floats:
    values, neurons = array(population.name, population.node, field).reshape(-1), len(population.weights)
    if values.size not in (1, neurons):
        raise NirError(
            f"{field} of node {population.name!r} has {values.size} values, but {neurons} neurons have weights; "
            "export the graph again"
        )
    return np.broadcast_to(values, (neurons,)).copy()


def _decay(population: Population, field: str, rules: Rules) -> Floats:
    """Return decays; refuse those that the time step makes negative, or that no width here tells from 1."""
    tau = _of_neurons(population, field)
    where = f"{field} of node {population.name!r} is"
    if (tau <= 0).any():
        raise NirError(f"{where} {tau.min():g}; time constants are positive: export the graph again")
    if rules.discretisation == EULER and (tau < rules.dt * (1 - _SINGLE)).any():
        raise NirError(
            f"{where} {tau.min():g}, shorter than the time step dt = {rules.dt:g}, so that its decay 1 - dt / tau "
            "would be negative: give dt in the unit of the graph's time constants, use a shorter one, or discretise "
            "exponentially"
        )
    decay = np.maximum(rules.decay(tau), 0.0)
    if (np.rint(decay * DECAY_ONE) == DECAY_ONE).any():
        raise NirError(
            f"{where} {tau.max():g}, {tau.max() / rules.dt:.3g} time steps of dt = {rules.dt:g}, so that its decay in "
            f"{DECAY_ONE} parts rounds to all of them: give dt in the unit of the graph's time constants, or use a "
            "longer one"
        )
    return decay
