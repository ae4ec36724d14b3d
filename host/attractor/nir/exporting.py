"""From a model in integers to a NIR graph."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from attractor.host.felif import NeuronOutputs, Ticks
from attractor.host.model import Model
from attractor.nir.chain import Floats
from attractor.nir.library import NirError, nir
from attractor.nir.quantise import restored
from attractor.nir.rules import EULER, EXPONENTIAL, Rules
from attractor.physics.felif import FloatLayer
from attractor.spec import FelifLayer, FelifSpec
from attractor.spec.felif.layer import FELIF_A, LIF

__all__ = ["Exported", "to_nir"]


class Exported(NamedTuple):
    """What an export gives.

    Parameters
    ----------
    graph:
        The graph.
    rules:
        What the graph cannot say, as options for :func:`~attractor.nir.from_nir`.
    """

    graph: nir.NIRGraph
    rules: dict[str, Any]


def to_nir(model: Model, *, dt: float | None = None, discretisation: str | None = None) -> Exported:
    """Return a NIR graph of a spiking network.

    Its weights are what the integers stand for, so that the graph holds what the device computes and not what was
    once imported. LIF layers become LIF, IF where nothing leaks, and CubaLIF with a synaptic state; layers of weights
    become Linear, or Affine with a bias.

    Parameters
    ----------
    model:
        The network.
    dt, discretisation:
        As in :class:`~attractor.nir.rules.Rules`; default those of the import that made the model.

    Raises
    ------
    NirError
        If NIR has no words for a layer, FeLIF above all, or dt is unknown; the message names the layer and the reason.
    """
    spec = model.spec
    if not isinstance(spec, FelifSpec):
        raise NirError(f"the model is of family {spec.family!r}; only networks of family 'felif' have NIR graphs")
    for index, layer in enumerate(spec.layers):
        _check_kind(index, layer)
    rules = _rules(model, spec, dt, discretisation)
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([spec.inputs])})}
    edges: list[tuple[str, str]] = []
    previous = "input"
    for index, layer in enumerate(spec.layers):
        integers = {
            name.removesuffix(f"_{index}"): array
            for name, array in model.parameters.items()
            if name.endswith(f"_{index}")
        }
        unit = _steps_per_volt(model, index, integers)
        previous = _add(nodes, edges, previous, index, restored(layer, integers, unit), rules)
    nodes["output"] = nir.Output({"output": np.array([spec.outputs])})
    edges.append((previous, "output"))
    options = {"dt": rules.dt, "discretisation": rules.discretisation, "reset": rules.reset, "strict": rules.strict}
    options |= {"input_bits": spec.input_bits, "weight_bits": max(layer.weight_bits for layer in spec.layers)}
    options |= {"state_bits": max(layer.state_bits for layer in spec.layers), "ticks": spec.ticks, "lanes": spec.lanes}
    return Exported(nir.NIRGraph(nodes=nodes, edges=edges), options)


def _check_kind(index: int, layer: FelifLayer) -> None:
    if layer.ferroelectric:
        name = "FeLIF A" if layer.kind == FELIF_A else "FeLIF B"
        raise NirError(
            f"layer {index} is of {name} neurons, which NIR cannot express: its nodes have no polarisation, and files "
            "with nodes that it does not define are rejected; keep the network in a model file"
        )


def _rules(model: Model, spec: FelifSpec, dt: float | None, discretisation: str | None) -> Rules:
    """Return what is asked for, or else what the model says of its ticks."""
    said = model.interface.inputs
    if isinstance(said, Ticks):
        dt = said.dt if dt is None else dt
        discretisation = discretisation or said.discretisation
    if dt is None:
        raise NirError("the model does not say how long a tick is; give dt, in seconds")
    spiking = [layer for layer in spec.layers if layer.kind == LIF]
    subtract = _same("reset", [layer.reset == "subtract" for layer in spiking], ("by value", "by subtraction"))
    strict = _same("compare", [layer.strict for layer in spiking], ("with >=", "with >"))
    return Rules(
        dt=dt,
        discretisation=discretisation or EULER,
        reset="subtract" if subtract else "value",
        strict=strict if spiking else True,
    )


def _same(verb: str, found: list[bool], words: tuple[str, str]) -> bool:
    """Return what all layers have in common; NIR says it for none, so an importer is told it once."""
    if len(set(found)) > 1:
        both = " and ".join(f"layer {found.index(value)} {words[value]}" for value in (False, True))
        raise NirError(f"neurons {verb} in two ways, {both}; NIR stores neither, so no importer could tell them apart")
    return bool(found) and found[0]


def _steps_per_volt(model: Model, index: int, integers: dict[str, Any]) -> float:
    """Return the unit that an import chose; otherwise the largest threshold lies between 0.5 and 1."""
    said = model.interface.outputs
    if isinstance(said, NeuronOutputs) and index < len(said.steps_per_volt):
        return said.steps_per_volt[index]
    largest = int(np.abs(integers["threshold"]).max()) if "threshold" in integers else 0
    return 2.0 ** largest.bit_length()


def _add(
    nodes: dict[str, Any], edges: list[tuple[str, str]], previous: str, index: int, layer: FloatLayer, rules: Rules
) -> str:
    """Add the nodes of a layer; return the name of the last one."""
    weights, neurons = f"weights_{index}", f"neurons_{index}"
    below = layer.weights[:, : layer.below]
    nodes[weights] = nir.Affine(weight=below, bias=layer.bias) if layer.bias.any() else nir.Linear(weight=below)
    edges.append((previous, weights))
    if layer.threshold is None:
        if layer.decay.any():
            raise NirError(
                f"layer {index} is a read-out that sums over ticks; NIR graphs here end in weights or in neurons that "
                "spike: sum outside of the network"
            )
        return weights
    nodes[neurons] = _neurons(index, layer, rules)
    edges.append((weights, neurons))
    if layer.recurrent:
        nodes[f"recurrent_{index}"] = nir.Linear(weight=layer.weights[:, layer.below :])
        edges += [(neurons, f"recurrent_{index}"), (f"recurrent_{index}", neurons)]
    return neurons


def _neurons(index: int, layer: FloatLayer, rules: Rules) -> Any:
    assert layer.threshold is not None
    zeros = np.zeros(layer.neurons)
    common = {"v_threshold": layer.threshold, "v_reset": zeros if layer.subtract else layer.reset}
    if (layer.decay == 1).all() and layer.synapse_decay is None:
        return nir.IF(r=np.full(layer.neurons, 1 / rules.dt), **common)
    tau = _time_constant(f"decay_{index}", layer.decay, rules)
    common |= {"v_leak": zeros, "r": 1 / (1 - layer.decay)}
    if layer.synapse_decay is None:
        return nir.LIF(tau=tau, **common)
    tau_syn = _time_constant(f"synapse_decay_{index}", layer.synapse_decay, rules)
    return nir.CubaLIF(tau_mem=tau, tau_syn=tau_syn, w_in=1 / (1 - layer.synapse_decay), **common)


def _time_constant(name: str, decay: Floats, rules: Rules) -> Floats:
    if (decay == 1).any():
        at = int(np.flatnonzero(decay == 1)[0])
        raise NirError(
            f"{name}[{at}] keeps everything, which NIR says only of whole layers without a synaptic state (IF); "
            "let it leak, or keep the network in a model file"
        )
    if rules.discretisation == EXPONENTIAL and (decay == 0).any():
        at = int(np.flatnonzero(decay == 0)[0])
        raise NirError(f"{name}[{at}] is 0, which no time constant gives exponentially; export with 'euler'")
    return rules.time_constant(decay)
