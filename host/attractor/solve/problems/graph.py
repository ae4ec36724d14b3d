"""Graphs as arrays: what problems on graphs are made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Graph"]


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph without loops and without parallel edges; its vertices are numbered from 0.

    Parameters
    ----------
    vertices:
        Number of vertices.
    edges:
        Ends of each edge, shape (edges, 2), integers. In a directed graph an edge leads from the first to the second.
    weights:
        Weight of each edge, shape (edges,); None for 1.
    directed:
        Whether the edges have a direction.

    Raises
    ------
    ValueError
        If shapes do not fit, an end is no vertex, an edge is a loop or occurs twice, or a weight is not finite. The
        message names the edge.
    """

    vertices: int
    edges: npt.NDArray[np.intp]
    weights: npt.NDArray[np.float64]
    directed: bool = False

    def __init__(
        self, vertices: int, edges: npt.ArrayLike, weights: npt.ArrayLike | None = None, *, directed: bool = False
    ) -> None:
        ends = np.asarray(edges)
        ends = ends.reshape(-1, 2) if ends.size == 0 else ends
        if ends.ndim != 2 or ends.shape[1] != 2 or not (ends.size == 0 or np.issubdtype(ends.dtype, np.integer)):
            raise ValueError(f"edges have shape {ends.shape} and type {ends.dtype}; (edges, 2) integers are needed")
        values = np.ones(len(ends)) if weights is None else np.asarray(weights, np.float64)
        if values.shape != (len(ends),):
            raise ValueError(f"weights have shape {values.shape}; {len(ends)} edges need {(len(ends),)}")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "edges", ends.astype(np.intp))
        object.__setattr__(self, "weights", values)
        object.__setattr__(self, "directed", directed)
        self._check()

    @classmethod
    def from_edges(cls, edges: Iterable[tuple[Any, ...]], *, directed: bool = False) -> Graph:
        """Return a graph from ``(u, v)`` or ``(u, v, weight)``; its vertices reach to the greatest end."""
        given = [(*edge, 1.0)[:3] for edge in edges]
        ends = np.array([edge[:2] for edge in given], np.intp).reshape(-1, 2)
        return cls(int(ends.max(initial=-1)) + 1, ends, [edge[2] for edge in given], directed=directed)

    def _check(self) -> None:
        if self.vertices < 1:
            raise ValueError(f"a graph has {self.vertices} vertices; it needs one at least")
        self._refuse(((self.edges < 0) | (self.edges >= self.vertices)).max(axis=1, initial=False), self._outside())
        self._refuse(self.edges[:, 0] == self.edges[:, 1], "is a loop; leave it out")
        self._refuse(~np.isfinite(self.weights), "has a weight that is no finite number")
        keys = self.edges if self.directed else np.sort(self.edges, axis=1)
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        self._refuse(first[inverse.reshape(-1)] != np.arange(len(keys)), "occurs twice; join the two")

    def _outside(self) -> str:
        return f"is outside; {self.vertices} vertices are numbered from 0 to {self.vertices - 1}"

    def _refuse(self, wrong: npt.NDArray[np.bool_], why: str) -> None:
        if wrong.any():
            index = int(np.flatnonzero(wrong)[0])
            u, v = self.edges[index].tolist()
            raise ValueError(f"edge {index}, ({u}, {v}), {why}")

    @property
    def unit(self) -> bool:
        """Whether all weights are 1."""
        return bool((self.weights == 1).all())

    @property
    def degrees(self) -> npt.NDArray[np.float64]:
        """Sum of the absolute weights of each vertex's edges, shape (vertices,)."""
        total = np.zeros(self.vertices)
        np.add.at(total, self.edges, np.abs(self.weights)[:, None])
        return total

    def complement(self) -> Graph:
        """Return the graph of all edges that this one has not, each of weight 1."""
        absent = np.ones((self.vertices, self.vertices), bool)
        absent[tuple(self.edges.T)] = False
        if self.directed:
            np.fill_diagonal(absent, False)
        else:
            absent[tuple(self.edges.T[::-1])] = False
            absent = np.triu(absent, 1)
        return Graph(self.vertices, np.argwhere(absent), directed=self.directed)

    def cut(self, spins: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the weight of the edges between unequal ends; ``spins`` has shape (..., vertices)."""
        values = np.asarray(spins)
        differ = values[..., self.edges[:, 0]] != values[..., self.edges[:, 1]]
        return differ @ self.weights
