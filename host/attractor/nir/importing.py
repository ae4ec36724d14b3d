"""From a NIR graph to a model in integers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.golden import FelifNetwork
from attractor.host.felif import NeuronOutputs, Ticks
from attractor.host.interface import Interface
from attractor.host.model import Model
from attractor.intake.errors import told
from attractor.nir.agreement import agreement, random_frames
from attractor.nir.chain import populations
from attractor.nir.discretise import float_layers
from attractor.nir.files import read_graph
from attractor.nir.library import NirError, nir
from attractor.nir.quantise import IntegerLayer, quantised
from attractor.nir.report import ConversionReport, layer_report, warnings_of
from attractor.nir.rules import Rules
from attractor.physics.felif import FloatNetwork
from attractor.spec import FelifSpec, SpecError

__all__ = ["Imported", "from_nir"]


class Imported(NamedTuple):
    """What an import gives.

    Parameters
    ----------
    model:
        Spec and integer parameters.
    report:
        What was decided, and what rounding cost; also in the model's provenance, under ``nir``.
    network:
        The same network in double precision.
    """

    model: Model
    report: ConversionReport
    network: FloatNetwork


def from_nir(
    graph: nir.NIRGraph | str | Path, *, dt: float, frames: npt.ArrayLike | None = None, **rules: Any
) -> Imported:
    """Return a spiking network of LIF neurons from a NIR graph.

    Nodes: Input, Output, Linear, Affine, IF, LIF, CubaLIF, Flatten, Threshold and nested graphs of them. Neurons must
    be in sequence; each may lead back to itself through linear maps. NIR (Pedersen et al., Nature Communications 15,
    8122) defines neurons in continuous time; the report states how each open question was decided.

    Parameters
    ----------
    graph:
        A graph, or a ``.nir`` file.
    dt:
        Time step, in the unit of the graph's time constants, usually seconds.
    frames:
        Inputs, shape (runs, ticks, inputs), to compare integers with double precision on; default random ones.
    **rules:
        Further decisions: the other fields of :class:`~attractor.nir.rules.Rules`.

    Raises
    ------
    NirError
        If the graph is damaged, or something in it cannot be expressed; the message names the node and the next step.
    """
    decided = Rules(dt=dt, **rules)
    if isinstance(graph, nir.NIRGraph):
        return _imported("a graph", graph, decided, frames)
    path = Path(graph)
    read = read_graph(path)
    try:
        return _imported(path.name, read, decided, frames)
    except NirError as error:
        raise NirError(f"{path}: {told(error)}") from error


def _imported(source: str, graph: nir.NIRGraph, decided: Rules, frames: npt.ArrayLike | None) -> Imported:
    """Return the network of a graph from somewhere."""
    with _finite():
        found = populations(graph)
        exact = FloatNetwork(float_layers(found, decided))
        spec, layers = _in_integers(exact, decided)
    parameters = {
        f"{name}_{index}": values for index, layer in enumerate(layers) for name, values in layer.parameters.items()
    }
    integer = FelifNetwork(spec, parameters)
    drive = random_frames(integer) if frames is None else spec.check_frames(frames)
    if drive.ndim != 3 or not drive.size:
        raise NirError(f"frames have shape {drive.shape}; it must be (runs, ticks, {spec.inputs}), and none of them 0")
    stimulus = "random inputs" if frames is None else "inputs that were given"
    names = [population.name for population in found]
    with _finite():
        compared = agreement(names, exact, integer, drive, stimulus)
    reports = tuple(map(layer_report, found, layers))
    report = ConversionReport(
        source, asdict(decided), decided.decisions(), reports, compared, warnings_of(reports, compared)
    )
    model = Model(spec, parameters, {"nir": report.to_dict()}, _interface(spec, decided, layers))
    return Imported(model, report, exact)


@contextmanager
def _finite() -> Iterator[None]:
    """Raise :class:`NirError` if numbers become too large to compute with."""
    try:
        with np.errstate(over="raise", invalid="raise"):
            yield
    except FloatingPointError as error:
        raise NirError(
            f"values of nodes are too large or too different to compute with ({error}); scale and export them again"
        ) from error


def _interface(spec: FelifSpec, rules: Rules, layers: list[IntegerLayer]) -> Interface:
    """Return what inputs and outputs mean, in the units of the graph."""
    by = "spikes" if spec.layers[-1].spikes else "voltages"
    units = tuple(layer.steps_per_volt for layer in layers)
    return Interface(Ticks(rules.dt, rules.discretisation, rules.input_scale), NeuronOutputs(by, units))


def _in_integers(exact: FloatNetwork, rules: Rules) -> tuple[FelifSpec, list[IntegerLayer]]:
    high = 1 << max(rules.input_bits - 1, 0)
    try:
        layers = [quantised(layer, rules, 1 if index else high) for index, layer in enumerate(exact.layers)]
        spec = FelifSpec(
            inputs=exact.layers[0].below,
            input_bits=rules.input_bits,
            layers=tuple(layer.layer for layer in layers),
            ticks=rules.ticks,
            lanes=rules.lanes,
        )
    except SpecError as error:
        raise NirError(f"the graph fits no network here: {error}") from error
    return spec, layers
