"""The layers of a NIR graph: neurons in sequence, and the one linear map that leads to each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.nir.flat import FlatGraph, names_of
from attractor.nir.library import NirError, nir
from attractor.spec.felif.layer import MOST_NEURONS

__all__ = ["NEURONS", "Floats", "Population", "array", "populations"]

Floats = npt.NDArray[np.float64]

#: Nodes with a state, or a step, of their own.
NEURONS = (nir.IF, nir.LIF, nir.CubaLIF, nir.Threshold)


@dataclass(frozen=True)
class Population:
    """Neurons of one node, and what leads to them.

    Parameters
    ----------
    name:
        Name of the node; of a read-out that of the graph's output.
    node:
        The node; None for a read-out, which passes on what its linear map gives.
    weights:
        Shape (neurons, sources): sources below, then, if ``recurrent``, the node's own neurons.
    bias:
        Shape (neurons,).
    recurrent:
        Whether the node leads back to itself.
    """

    name: str
    node: Any
    weights: Floats
    bias: Floats
    recurrent: bool


@dataclass(frozen=True)
class _Map:
    """A linear map of what sources send; None instead of a matrix passes a source on as it is."""

    matrices: dict[str, Floats | None]
    bias: Floats

    @property
    def size(self) -> int:
        return len(self.bias)

    def matrix(self, source: str) -> Floats:
        found = self.matrices[source]
        return np.eye(self.size) if found is None else found

    def then(self, weight: Floats, bias: Floats) -> _Map:
        matrices: dict[str, Floats | None] = {
            name: weight if matrix is None else weight @ matrix for name, matrix in self.matrices.items()
        }
        return _Map(matrices, weight @ self.bias + bias)

    def plus(self, other: _Map) -> _Map:
        matrices = {**self.matrices, **other.matrices}
        for name in self.matrices.keys() & other.matrices.keys():
            matrices[name] = self.matrix(name) + other.matrix(name)
        return _Map(matrices, self.bias + other.bias)


def populations(graph: nir.NIRGraph) -> tuple[Population, ...]:
    """Return the layers of a graph in order.

    Linear maps in sequence or side by side are multiplied and added; nested graphs are inlined.

    Raises
    ------
    NirError
        If a node is not supported, its arrays are damaged, or the layers are not in sequence; the message names it.
    """
    flat = FlatGraph(graph)
    wiring = _Wiring(flat)
    layers, lower = [], flat.input
    while (name := wiring.after(lower)) is not None:
        layers.append(_population(wiring, name, flat.nodes[name], lower))
        lower = name
    final = wiring.arriving(flat.output)
    if set(final.matrices) != {lower}:
        raise NirError(
            f"{names_of(final.matrices)} lead to the output {flat.output!r}; only the last layer, {lower!r}, may"
        )
    if final.matrices[lower] is not None or final.bias.any():
        layers.append(Population(flat.output, None, final.matrix(lower), final.bias, False))
    elif not layers:
        raise NirError("the graph has no neurons and no weights; there is nothing to run")
    flat.check_all_used()
    return tuple(layers)


def array(name: str, node: Any, field: str) -> Floats:
    """Return a node's array in double precision; raise :class:`NirError` if it is none of finite numbers."""
    value = getattr(node, field)
    try:
        found = _real(value).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise NirError(f"{field} of node {name!r} is no array of numbers: {error}; export the graph again") from error
    if not np.isfinite(found).all():
        bad = found[~np.isfinite(found)][0]
        raise NirError(f"{field} of node {name!r} holds {bad}; all its values must be finite: train or export it again")
    return found


def _real(value: Any) -> npt.NDArray[Any]:
    """Return an array; raise :class:`TypeError` if its numbers are complex, whose imaginary parts would get lost."""
    found = np.asarray(value)
    if np.iscomplexobj(found):
        raise TypeError("its numbers are complex")
    return found


class _Wiring:
    """What nodes of a flat graph send to each other, as linear maps of what neurons and the input send."""

    def __init__(self, graph: FlatGraph) -> None:
        self._graph = graph
        self._sent: dict[str, _Map] = {}
        self._open: list[str] = []
        self._neurons = [name for name, node in self._graph.nodes.items() if isinstance(node, NEURONS)]
        self._arriving = {name: self.arriving(name) for name in self._neurons}

    # Linear maps

    def arriving(self, name: str) -> _Map:
        """Return what arrives at a node, the sum of all edges to it."""
        if not self._graph.sources[name]:
            raise NirError(f"nothing leads to node {name!r}; connect or remove it")
        maps = [self.sent(source) for source in self._graph.sources[name]]
        size = self._size(name) if isinstance(self._graph.nodes[name], (*NEURONS, nir.Output)) else maps[0].size
        for source, found in zip(self._graph.sources[name], maps, strict=True):
            if found.size != size:
                raise NirError(f"{source!r} sends {found.size} values to {name!r}, which takes {size}; mend the graph")
        total = maps[0]
        for more in maps[1:]:
            total = total.plus(more)
        return total

    def sent(self, name: str) -> _Map:
        """Return what a node sends, as a map of what neurons and the input send."""
        if name in self._open:
            cycle = [*self._open[self._open.index(name) :], name]
            raise NirError(f"the graph is cyclic without a neuron in the cycle: {' -> '.join(cycle[::-1])}; cut it")
        if name not in self._sent:
            self._open.append(name)
            self._sent[name] = self._send(name)
            self._open.pop()
        return self._sent[name]

    def _send(self, name: str) -> _Map:
        node = self._graph.nodes[name]
        if isinstance(node, (*NEURONS, nir.Input)):
            return _Map({name: None}, np.zeros(self._size(name)))
        arriving = self.arriving(name)
        if not isinstance(node, nir.Linear | nir.Affine):
            return arriving
        weight = array(name, node, "weight")
        if weight.ndim != 2 or weight.shape[1] != arriving.size or len(weight) > MOST_NEURONS:
            raise NirError(
                f"weight of node {name!r} has shape {weight.shape}; it must have 2 axes, at most {MOST_NEURONS} rows, "
                f"and {arriving.size} columns, as many as values arrive"
            )
        bias = array(name, node, "bias") if isinstance(node, nir.Affine) else np.zeros(len(weight))
        if bias.shape not in ((), (len(weight),)):
            raise NirError(f"bias of node {name!r} has shape {bias.shape}; its weight has {len(weight)} rows")
        return arriving.then(weight, bias)

    def _size(self, name: str) -> int:
        node = self._graph.nodes[name]
        field = {nir.Input: "output_type", nir.Output: "input_type"}.get(type(node))
        try:
            shape = next(iter(getattr(node, field).values())) if field else np.shape(_shaped(node))
            size = int(np.prod(_real(shape).astype(np.int64)))
        except (TypeError, ValueError, StopIteration, AttributeError) as error:
            raise NirError(f"node {name!r} has no shape; export the graph again with it") from error
        if not 1 <= size <= MOST_NEURONS:
            raise NirError(f"node {name!r} has {size} values; 1 to {MOST_NEURONS} are possible")
        return size

    # Order

    def after(self, lower: str) -> str | None:
        """Return the neurons that follow ``lower``, or None if there are none."""
        found = [name for name in self._neurons if lower in self._arriving[name].matrices and name != lower]
        if len(found) > 1:
            raise NirError(f"{names_of(found)} follow {lower!r} side by side; layers must be in sequence")
        if found:
            others = set(self._arriving[found[0]].matrices) - {lower, found[0]}
            for other in sorted(others):
                if self._reaches(found[0], other):
                    raise NirError(
                        f"the graph is cyclic: {other!r} leads back to {found[0]!r}; neurons may lead back to "
                        "themselves only"
                    )
            if others:
                raise NirError(f"{names_of([lower, *others])} lead to {found[0]!r}; layers must be in sequence")
        return found[0] if found else None

    def _reaches(self, start: str, goal: str) -> bool:
        seen, waiting = set(), [start]
        while waiting:
            name = waiting.pop()
            seen.add(name)
            waiting += [
                other for other in self._neurons if name in self._arriving[other].matrices and other not in seen
            ]
        return goal in seen


def _population(wiring: _Wiring, name: str, node: Any, lower: str) -> Population:
    found = wiring.arriving(name)
    recurrent = name in found.matrices
    matrices = [found.matrix(lower), *([found.matrix(name)] if recurrent else [])]
    return Population(name, node, np.hstack(matrices), found.bias, recurrent)


def _shaped(node: Any) -> Any:
    return node.threshold if isinstance(node, nir.Threshold) else node.v_threshold
