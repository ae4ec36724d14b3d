"""Which class of a sparse network's memories each variable belongs to: neighbours are spread over the classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

__all__ = ["deal", "row_lengths"]

#: Passes in which vertices change places once all have one.
_PASSES = 4
#: What one coupling more of a class costs, in those of one less: what counts is the fullest class of a row.
_BASE = 4.0
#: Loads beyond are as bad as this one, so that costs stay numbers.
_MOST_LOAD = 400
#: Vertices of a full class that are tried in exchange.
_TRIED = 6


def row_lengths(couplings: Any, classes: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.int64]:
    """Return how many words the row of each source takes, shape (sources,).

    Parameters
    ----------
    couplings:
        Shape (targets, sources), sparse; what is not 0 is a coupling.
    classes:
        Class of each target, shape (targets,).
    count:
        Number of classes.
    """
    found = sparse.coo_array(couplings)
    sources: int = np.shape(couplings)[1]
    loads = np.zeros((sources, count), np.int64)
    np.add.at(loads, (found.col, classes[found.row]), 1)
    return loads.max(axis=1, initial=0)


def deal(couplings: Any, room: npt.NDArray[np.integer[Any]], kinds: npt.NDArray[np.intp] | None = None) -> Any:
    """Return a class for each vertex so that the neighbours of each are spread over the classes, shape (vertices,).

    Vertices come by falling number of neighbours, each into the class that minimises the sum of ``4 ** load`` over the
    rows of its neighbours; the load of a row is how many of its couplings are of that class. Then each in turn moves to
    a better class, or changes places with a vertex there, a few times over.

    Parameters
    ----------
    couplings:
        Between vertices, shape (vertices, vertices), sparse: the row of whom (second axis) reaches whom (first).
    room:
        Vertices that each class may have, shape (classes,); 2-dimensional with a row for each kind of vertices, which
        share no places with others.
    kinds:
        Kind of each vertex, shape (vertices,); None if all are of the first.

    Raises
    ------
    ValueError
        If there is no room for all.
    """
    return _Dealer(couplings, np.atleast_2d(room).astype(np.int64), kinds).run()


class _Dealer:
    """Deals the vertices of one graph."""

    def __init__(self, couplings: Any, room: npt.NDArray[np.int64], kinds: npt.NDArray[np.intp] | None) -> None:
        rows = sparse.csr_array(couplings)
        self._starts, self._sources = np.asarray(rows.indptr, np.intp), np.asarray(rows.indices, np.intp)
        self.count = len(self._starts) - 1
        self._kinds = np.zeros(self.count, np.intp) if kinds is None else kinds
        wanted = np.bincount(self._kinds, minlength=len(room))
        if (wanted > room.sum(axis=1)).any():
            raise ValueError(f"{wanted.tolist()} vertices and room for {room.sum(axis=1).tolist()}")
        self._room = room.copy()
        self._loads = np.zeros((self.count, room.shape[1]), np.int64)
        self._classes = np.full(self.count, -1, np.intp)
        self._generator = np.random.default_rng(0)

    def run(self) -> npt.NDArray[np.intp]:
        degrees = np.diff(self._starts)
        for vertex in np.argsort(-degrees, kind="stable").tolist():
            self._put(vertex, self._best(vertex, self._costs(vertex)))
        for _ in range(_PASSES):
            if not sum(self._improved(vertex) for vertex in range(self.count)):
                break
        return self._classes

    def _rows_of(self, vertex: int) -> npt.NDArray[np.intp]:
        """Return the sources whose rows reach a vertex."""
        return self._sources[self._starts[vertex] : self._starts[vertex + 1]]

    def _costs(self, vertex: int) -> npt.NDArray[np.float64]:
        """Return what a vertex that has no place costs in each class."""
        loads = np.minimum(self._loads[self._rows_of(vertex)], _MOST_LOAD)
        return (_BASE**loads).sum(axis=0)

    def _best(self, vertex: int, costs: npt.NDArray[np.float64]) -> int:
        """Return the cheapest class with room, of equally cheap ones that with the most."""
        room = self._room[self._kinds[vertex]]
        return int(np.lexsort((-room, np.where(room > 0, costs, np.inf)))[0])

    def _put(self, vertex: int, place: int, sign: int = 1) -> None:
        """Give a vertex a place, or with a sign of -1 take it away."""
        self._room[self._kinds[vertex], place] -= sign
        self._loads[self._rows_of(vertex), place] += sign
        self._classes[vertex] = place if sign > 0 else -1

    def _improved(self, vertex: int) -> bool:
        """Move a vertex to where it costs less, or exchange it; return whether that was possible."""
        own = int(self._classes[vertex])
        loads = self._loads[self._rows_of(vertex), own]
        if (loads <= 1).all():
            return False
        self._put(vertex, own, -1)
        costs = self._costs(vertex)
        best = self._best(vertex, costs)
        if costs[best] < costs[own]:
            self._put(vertex, best)
            return True
        if self._exchanged(vertex, own, costs):
            return True
        self._put(vertex, own)
        return False

    def _exchanged(self, vertex: int, own: int, costs: npt.NDArray[np.float64]) -> bool:
        """Give a vertex without a place that of one which may have ``own`` instead, if both together cost less."""
        wanted = int(costs.argmin())
        others = np.flatnonzero((self._classes == wanted) & (self._kinds == self._kinds[vertex]))
        if wanted == own or not len(others):
            return False
        for other in self._generator.choice(others, min(_TRIED, len(others)), replace=False).tolist():
            self._put(other, wanted, -1)
            gain = costs[own] - costs[wanted]
            theirs = self._costs(other)
            if theirs[own] - theirs[wanted] < gain:
                self._put(vertex, wanted)
                self._put(other, own)
                return True
            self._put(other, wanted)
        return False
