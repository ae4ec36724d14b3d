"""The layers of a NIR graph: neurons in sequence, and the one linear map that leads to each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.host.nir.files import SUPPORTED, refusal
from attractor.host.nir.library import NirError, nir
from attractor.spec.felif_layer import MOST_NEURONS

Floats = npt.NDArray[np.float64]

#: Most nodes of a graph, those of nested graphs included.
MOST_NODES = 256
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
    wiring = _Wiring(graph)
    layers, lower = [], wiring.input
    while (name := wiring.after(lower)) is not None:
        layers.append(_population(wiring, name, lower))
        lower = name
    final = wiring.arriving(wiring.output)
    if set(final.matrices) != {lower}:
        raise NirError(
            f"{_names(final.matrices)} lead to the output {wiring.output!r}; only the last layer, {lower!r}, may"
        )
    if final.matrices[lower] is not None or final.bias.any():
        layers.append(Population(wiring.output, None, final.matrix(lower), final.bias, False))
    elif not layers:
        raise NirError("the graph has no neurons and no weights; there is nothing to run")
    wiring.check_all_used()
    return tuple(layers)


def array(name: str, node: Any, field: str) -> Floats:
    """Return a node's array in double precision; raise :class:`NirError` if it is none of finite numbers."""
    value = getattr(node, field)
    try:
        found = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise NirError(f"{field} of node {name!r} is no array of numbers: {error}; export the graph again") from error
    if not np.isfinite(found).all():
        bad = found[~np.isfinite(found)][0]
        raise NirError(f"{field} of node {name!r} holds {bad}; all its values must be finite: train or export it again")
    return found


class _Wiring:
    """Nodes of a graph with all nested graphs inlined, and who leads to whom."""

    def __init__(self, graph: nir.NIRGraph) -> None:
        # None passes on what arrives: an end of a nested graph.
        self.nodes: dict[str, Any] = {}
        self.sources: dict[str, list[str]] = {}
        self._inline(graph, "")
        if len(self.nodes) > MOST_NODES:
            raise NirError(f"the graph has {len(self.nodes)} nodes; at most {MOST_NODES} are taken")
        self.input = self._only(nir.Input)
        self.output = self._only(nir.Output)
        if self.sources[self.input]:
            raise NirError(f"{self.sources[self.input][0]!r} leads to the input {self.input!r}; nothing may")
        for name, sources in self.sources.items():
            if self.output in sources:
                raise NirError(f"the output {self.output!r} leads to {name!r}; it may lead nowhere")
        self._sent: dict[str, _Map] = {}
        self._open: list[str] = []
        self._neurons = [name for name, node in self.nodes.items() if isinstance(node, NEURONS)]
        self._arriving = {name: self.arriving(name) for name in self._neurons}

    # Nested graphs

    def _inline(self, graph: nir.NIRGraph, prefix: str) -> None:
        inner: dict[str, nir.NIRGraph] = {}
        for key, node in graph.nodes.items():
            name = prefix + key
            if name in self.nodes:
                raise NirError(f"two nodes have the name {name!r} once nested graphs are inlined; rename one")
            if isinstance(node, nir.NIRGraph):
                inner[key] = node
                self._inline(node, f"{name}.")
                continue
            if type(node).__name__ not in SUPPORTED:
                raise NirError(refusal(name, type(node).__name__))
            end = isinstance(node, nir.Input | nir.Output)
            self.nodes[name] = None if prefix and end else node
            self.sources[name] = []
        self._connect(graph, prefix, inner)

    def _connect(self, graph: nir.NIRGraph, prefix: str, inner: dict[str, nir.NIRGraph]) -> None:
        edges = [tuple(edge) for edge in graph.edges]
        for edge in edges:
            for key in edge:
                if key not in graph.nodes:
                    raise NirError(f"an edge leads from {edge[0]!r} to {edge[1]!r}, but there is no node {key!r}")
            if edges.count(edge) > 1:
                raise NirError(f"the edge from {edge[0]!r} to {edge[1]!r} is there twice; remove one")
            source, target = (
                f"{prefix}{key}.{_end(prefix + key, inner[key], kind)}" if key in inner else prefix + key
                for key, kind in zip(edge, (nir.Output, nir.Input), strict=True)
            )
            self.sources[target].append(source)

    def _only(self, kind: type) -> str:
        found = [name for name, node in self.nodes.items() if isinstance(node, kind)]
        if len(found) != 1:
            raise NirError(
                f"the graph has {len(found)} {kind.__name__} nodes{': ' if found else ''}{_names(found)}; it must have "
                "exactly one"
            )
        return found[0]

    # Linear maps

    def arriving(self, name: str) -> _Map:
        """Return what arrives at a node, the sum of all edges to it."""
        if not self.sources[name]:
            raise NirError(f"nothing leads to node {name!r}; connect or remove it")
        maps = [self.sent(source) for source in self.sources[name]]
        size = self._size(name) if isinstance(self.nodes[name], (*NEURONS, nir.Output)) else maps[0].size
        for source, found in zip(self.sources[name], maps, strict=True):
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
        node = self.nodes[name]
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
        node = self.nodes[name]
        field = {nir.Input: "output_type", nir.Output: "input_type"}.get(type(node))
        try:
            shape = next(iter(getattr(node, field).values())) if field else np.shape(_shaped(node))
            size = int(np.prod(np.asarray(shape, np.int64)))
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
            raise NirError(f"{_names(found)} follow {lower!r} side by side; layers must be in sequence")
        if found:
            others = set(self._arriving[found[0]].matrices) - {lower, found[0]}
            for other in sorted(others):
                if self._reaches(found[0], other):
                    raise NirError(
                        f"the graph is cyclic: {other!r} leads back to {found[0]!r}; neurons may lead back to "
                        "themselves only"
                    )
            if others:
                raise NirError(f"{_names([lower, *others])} lead to {found[0]!r}; layers must be in sequence")
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

    def check_all_used(self) -> None:
        """Refuse nodes from which no edge leads to the output."""
        used, waiting = set(), [self.output]
        while waiting:
            name = waiting.pop()
            used.add(name)
            waiting += [source for source in self.sources[name] if source not in used]
        unused = [name for name in self.nodes if name not in used]
        if unused:
            raise NirError(f"{_names(unused)} do not lead to the output {self.output!r}; connect or remove them")

    def arriving_at(self, name: str) -> _Map:
        """Return what arrives at neurons."""
        return self._arriving[name]


def _population(wiring: _Wiring, name: str, lower: str) -> Population:
    found = wiring.arriving_at(name)
    recurrent = name in found.matrices
    matrices = [found.matrix(lower), *([found.matrix(name)] if recurrent else [])]
    return Population(name, wiring.nodes[name], np.hstack(matrices), found.bias, recurrent)


def _end(name: str, graph: nir.NIRGraph, kind: type) -> str:
    """Return the key of a nested graph's one input or output."""
    found = [key for key, node in graph.nodes.items() if isinstance(node, kind)]
    if len(found) != 1:
        raise NirError(f"the nested graph {name!r} has {len(found)} {kind.__name__} nodes; it must have exactly one")
    return found[0]


def _shaped(node: Any) -> Any:
    return node.threshold if isinstance(node, nir.Threshold) else node.v_threshold


def _names(names: Any) -> str:
    return " and ".join(repr(name) for name in names)
