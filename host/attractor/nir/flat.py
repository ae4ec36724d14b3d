"""A NIR graph with all nested graphs inlined: nodes, and who leads to whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attractor.nir.files import SUPPORTED, refusal
from attractor.nir.library import NirError, nir

__all__ = ["MOST_NODES", "FlatGraph", "names_of"]

#: Most nodes of a graph, those of nested graphs included.
MOST_NODES = 256


class FlatGraph:
    """Nodes by their full names, those of nested graphs with the graph's name and a dot in front.

    Attributes
    ----------
    nodes:
        None instead of a node passes on what arrives: an end of a nested graph.
    sources:
        Names of the nodes that lead to each node.
    input, output:
        Names of the graph's ends.

    Raises
    ------
    NirError
        If a node is not supported, an edge leads nowhere, or there is not exactly one input and one output.
    """

    def __init__(self, graph: nir.NIRGraph) -> None:
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

    def check_all_used(self) -> None:
        """Refuse nodes from which no edge leads to the output."""
        used, waiting = set(), [self.output]
        while waiting:
            name = waiting.pop()
            used.add(name)
            waiting += [source for source in self.sources[name] if source not in used]
        unused = [name for name in self.nodes if name not in used]
        if unused:
            raise NirError(f"{names_of(unused)} do not lead to the output {self.output!r}; connect or remove them")

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
                f"the graph has {len(found)} {kind.__name__} nodes{': ' if found else ''}{names_of(found)}; it must "
                "have exactly one"
            )
        return found[0]


def names_of(names: Iterable[str]) -> str:
    """Return names in quotes, for messages."""
    return " and ".join(repr(name) for name in names)


def _end(name: str, graph: nir.NIRGraph, kind: type) -> str:
    """Return the key of a nested graph's one input or output."""
    found = [key for key, node in graph.nodes.items() if isinstance(node, kind)]
    if len(found) != 1:
        raise NirError(f"the nested graph {name!r} has {len(found)} {kind.__name__} nodes; it must have exactly one")
    return found[0]
