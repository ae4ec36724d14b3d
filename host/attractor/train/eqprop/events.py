"""Fast learning of Equilibrium Propagation arrays on a processor: only what changes costs time.

After two or three steps few bits change from one step to the next, so sums are corrected by the weights of those that
did instead of being computed anew; in the end few counters are touched, and few weights flip. Every number is an
integer, so all of this is exact: what is learnt equals what :class:`attractor.golden.EqPropNetwork` learns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from attractor.spec import EqPropSpec, IntegerArray, SpecError

__all__ = [
    "SIGNS",
    "SPARSE",
    "Block",
    "BoolArray",
    "Ends",
    "EventLearner",
    "Flips",
    "Indices",
    "Layer",
    "Nudge",
    "Rows",
    "Sums",
]

BoolArray = npt.NDArray[np.bool_]
Sums = npt.NDArray[np.int16]
Indices = npt.NDArray[np.intp]
#: Bits of a layer at the end of the free and of the nudged phase.
Ends = tuple[BoolArray, BoolArray]
#: Rows and columns of a matrix, as NumPy takes them for an index.
Block = tuple[Indices, Indices | slice]
#: Part of a layer's bits up to which changes are taken one by one.
SPARSE = 0.12
#: What a bit means for sums that are corrected after it has changed.
SIGNS = np.array([-1, 1], np.int16)


class Rows:
    """Weights by source, to be added up for each network of a batch.

    Parameters
    ----------
    weights:
        Shape (sources, targets), -1 and +1.
    """

    def __init__(self, weights: IntegerArray) -> None:
        self._exact = np.ascontiguousarray(weights, np.int16)
        self._single = self._exact.astype(np.float32)
        # Networks and sources of the last events, and where each network's own would start among all.
        self._events = sparse.csr_matrix((1, len(weights)), dtype=np.int16)
        self._starts = np.array([0, len(weights)])

    def __len__(self) -> int:
        return len(self._exact)

    def of_changes(self, before: BoolArray, after: BoolArray) -> Sums | None:
        """Return what changes of bits do to the sums, shape (batch, targets); None if there are none.

        ``before`` and ``after`` have shape (batch, sources). Integers in single precision are exact up to ``2**24``.
        """
        flat = _indices((before != after).ravel())
        if not flat.size:
            return None
        if len(flat) > SPARSE * after.size:
            return self.of_factors(after.view(np.int8) - before.view(np.int8))
        return self._of_events(flat, SIGNS.take(after.ravel().view(np.uint8).take(flat)), after.shape)

    def of_bits(self, bits: BoolArray) -> Sums:
        """Return the sums over the sources that are on, shape (batch, targets); ``bits`` has shape (batch, sources)."""
        flat = _indices(bits.ravel())
        return self._of_events(flat, np.ones(len(flat), np.int16), bits.shape)

    def of_factors(self, factors: npt.NDArray[np.int8]) -> Sums:
        """Return the sums of all rows times small integers of shape (batch, sources), shape (batch, targets)."""
        return (factors.astype(np.float32) @ self._single).astype(np.int16)

    def _of_events(self, flat: Indices, signs: npt.NDArray[np.int16], shape: tuple[int, ...]) -> Sums:
        batch, sources = shape
        events = self._events
        if events.shape != shape:
            self._events = events = sparse.csr_matrix(shape, dtype=np.int16)
            self._starts = np.arange(0, (batch + 1) * sources, sources)
        # The library's constructors check and copy, which would take longer than the product.
        events.data, events.indices = signs, flat % sources
        events.indptr = flat.searchsorted(self._starts)
        return events @ self._exact

    def add(self, sources: Indices, targets: Indices, steps: Sums) -> None:
        """Change some weights."""
        self._exact[sources, targets] += steps
        self._single[sources, targets] += steps


@dataclass
class Layer:
    """Neurons of one layer in a batch of networks: states, what they send and their weighted sums, (batch, neurons)."""

    states: npt.NDArray[np.int16]
    bits: BoolArray
    sums: Sums

    def part(self, rows: Indices) -> Layer:
        """Return some of the networks."""
        return Layer(self.states[rows], self.bits[rows], self.sums[rows])


@dataclass
class Nudge:
    """State that each output is pulled to, shape (batch, outputs), and the sign of the pull, (batch, 1), int16."""

    goals: npt.NDArray[np.int16]
    sigma: npt.NDArray[np.int16]

    def part(self, rows: Indices | slice) -> Nudge:
        """Return what pulls at some of the networks."""
        return Nudge(self.goals[rows], self.sigma[rows])


class Flips(NamedTuple):
    """Weights of a connection that changed their sign: neurons above and below, and by how much, -2 or 2."""

    connection: int
    above: Indices
    below: Indices
    steps: npt.NDArray[np.int16]


class EventLearner:
    """Learns a network from mini-batches.

    Parameters
    ----------
    spec:
        The network; it has ``learning``.
    parameters:
        As :attr:`EqPropSpec.parameters` describes them; copied.

    Raises
    ------
    SpecError
        If the network cannot learn, or a parameter does not fit.
    """

    def __init__(self, spec: EqPropSpec, parameters: Mapping[str, npt.ArrayLike]) -> None:
        if not spec.learning:
            raise SpecError("this network cannot learn: it needs a spec with learning")
        self.spec = spec
        self._parameters = spec.check_parameters(parameters)
        connections = range(spec.connections)
        self._weights = [self._parameters[f"weights_{c}"] for c in connections]
        self._counters = [self._parameters[f"counters_{c}"] for c in connections]
        self._up = [Rows(weights.T) for weights in self._weights]
        # The first connection acts upward only.
        self._down = [None, *(Rows(weights) for weights in self._weights[1:])]
        self._free_steps, self._nudged_steps = self._parameters["steps"].tolist()
        #: Sums without input and with all neurons on, as they are at the start.
        self._base = [np.zeros(size, np.int16) for size in spec.layers[1:]]
        for connection in connections[1:]:
            self._base[connection] += self._weights[connection].sum(axis=1, dtype=np.int16)
            self._base[connection - 1] += self._weights[connection].sum(axis=0, dtype=np.int16)

    @property
    def parameters(self) -> dict[str, IntegerArray]:
        """A copy of what has been learnt so far."""
        return {name: array.copy() for name, array in self._parameters.items()}

    def learn(
        self, bits: BoolArray, labels: IntegerArray, sigmas: IntegerArray, thresholds: IntegerArray
    ) -> npt.NDArray[np.int64]:
        """Learn from a mini-batch, as :meth:`attractor.golden.EqPropNetwork.learn` does, and return the flips.

        Parameters
        ----------
        bits:
            Input bits, shape (batch, inputs).
        labels, sigmas:
            Class of each sample, and the sign of its nudge, 1 or -1, shape (batch,).
        thresholds:
            One for each connection.

        Returns
        -------
        ndarray
            Weights that changed their sign, shape (connections,).
        """
        rows, free, nudged = self._ends(bits, self._nudge(labels, sigmas))
        flips = np.zeros(self.spec.connections, np.int64)
        moved = [(n != f).any(axis=1) for n, f in zip(nudged, free, strict=True)]
        learnt = _indices(np.any(moved, axis=0))
        if learnt.size:
            chosen = rows[learnt]
            before, after = [[bits[chosen], *(part[learnt] for part in phase)] for phase in (free, nudged)]
            sigma = sigmas[chosen].astype(np.int16)[:, None]
            for flip in self._learn_all(before, after, sigma, thresholds):
                flips[flip.connection] = len(flip.steps)
        return flips

    # Dynamics

    def _ends(self, bits: BoolArray, nudge: Nudge) -> tuple[Indices, list[BoolArray], list[BoolArray]]:
        """Run both phases; return which networks moved in the nudged one, and what they sent at the end of each."""
        network = self._start(bits)
        self._settle(network, self._free_steps)
        free = [layer.bits for layer in network]
        rows, network = self._settle_nudged(network, nudge)
        return rows, [part[rows] for part in free], [layer.bits for layer in network]

    def _start(self, bits: BoolArray) -> list[Layer]:
        """Return networks before the first step: all neurons on."""
        network = []
        for size, high, base in zip(self.spec.layers[1:], self.spec.state_highs, self._base, strict=True):
            shape = (len(bits), size)
            sums = np.repeat(base[None], len(bits), axis=0)
            network.append(Layer(np.full(shape, high, np.int16), np.ones(shape, bool), sums))
        network[0].sums += self._up[0].of_bits(bits)
        return network

    def _nudge(self, labels: IntegerArray, sigmas: IntegerArray) -> Nudge:
        outputs = np.arange(self.spec.layers[-1]) // self.spec.replicas
        goals = np.where(outputs == labels[:, None], np.int16(self.spec.state_highs[-1]), np.int16(0))
        return Nudge(goals, sigmas.astype(np.int16)[:, None])

    def _settle(self, network: list[Layer], most: int) -> None:
        """Run the free phase, in place."""
        for step in range(most):
            states = [layer.states for layer in network]
            changed = self._step(network, first=step == 0)
            if not changed and not _moved(network, states).any():
                break

    def _settle_nudged(self, network: list[Layer], nudge: Nudge) -> tuple[Indices, list[Layer]]:
        """Run the nudged phase; return which networks moved at all, and them."""
        states = [layer.states for layer in network]
        self._step(network, nudge)
        rows = _indices(_moved(network, states))
        part = [layer.part(rows) for layer in network]
        nudge = nudge.part(rows)
        for _ in range(1, self._nudged_steps if rows.size else 0):
            states = [layer.states for layer in part]
            if not self._step(part, nudge) and not _moved(part, states).any():
                break
        return rows, part

    def _step(self, network: list[Layer], nudge: Nudge | None = None, *, first: bool = False) -> bool:
        """Run one step, in place; return whether a bit has changed."""
        before = [layer.bits for layer in network]
        for layer, high in zip(network, self.spec.state_highs, strict=True):
            states = layer.states + layer.sums
            if nudge is not None and layer is network[-1]:
                pull = nudge.goals - layer.states
                pull <<= self.spec.nudge_shift
                pull *= nudge.sigma
                states += pull
            states >>= 1
            np.clip(states, 0, high, out=states)
            layer.states, layer.bits = states, states >= (high + 1) // 2
        changed = False
        for index, old in enumerate(before):
            changed |= self._spread(network, index, old, first=first)
        return changed

    def _spread(self, network: list[Layer], index: int, before: BoolArray, *, first: bool) -> bool:
        """Correct the sums of the layers that a layer acts on; return whether one of its bits has changed."""
        after = network[index].bits
        changed = False
        if first and index:
            # So far no input has reached this layer, and it is the same in all networks.
            before, after = before[:1], after[:1]
        for rows, target in ((self._up[index + 1 : index + 2], index + 1), (self._down[index : index + 1], index - 1)):
            added = rows[0].of_changes(before, after) if rows and rows[0] is not None else None
            if added is not None:
                network[target].sums += added
                changed = True
        return changed

    # Learning

    def _learn_all(
        self,
        before: list[BoolArray],
        after: list[BoolArray],
        sigma: npt.NDArray[np.int16],
        thresholds: IntegerArray,
    ) -> list[Flips]:
        """Learn from the bits of all layers at the end of both phases, one sample or more; return what flipped."""
        flips = []
        for connection in range(self.spec.connections):
            below, above = (before[connection], after[connection]), (before[connection + 1], after[connection + 1])
            if len(sigma) == 1:
                block, moves = self._changes_of_one(below, above, sigma)
            elif connection:
                block, moves = self._changes_of_many(below, above, sigma)
            else:
                block, moves = self._changes_of_inputs(below[0], above, sigma)
            flip = self._count(connection, block, moves, int(thresholds[connection]))
            if len(flip.steps):
                flips.append(flip)
        return flips

    def _changes_of_many(self, below: Ends, above: Ends, sigma: npt.NDArray[np.int16]) -> tuple[Block, Sums]:
        """Return which rows of counters a batch changes, and by how much."""
        free, nudged = above
        rows = np.flatnonzero((free | nudged).any(axis=0))
        signed = np.concatenate([nudged[:, rows] * sigma, free[:, rows] * -sigma])
        return self._products(rows, signed, np.concatenate([below[1], below[0]]))

    def _changes_of_inputs(self, bits: BoolArray, above: Ends, sigma: npt.NDArray[np.int16]) -> tuple[Block, Sums]:
        """Return which rows of counters of the first connection a batch changes, and by how much."""
        moved = above[1].view(np.int8) - above[0].view(np.int8)
        rows = np.flatnonzero(moved.any(axis=0))
        return self._products(rows, moved[:, rows] * sigma, bits)

    def _products(self, rows: Indices, signed: npt.NDArray[np.int16], bits: BoolArray) -> tuple[Block, Sums]:
        changes = signed.T.astype(np.float32) @ bits.astype(np.float32)
        high = 2 * self.spec.counter_high
        if len(bits) > high:
            # A counter is at its end whether it is passed by little or by much.
            np.clip(changes, -high, high, out=changes)
        return (rows, slice(None)), changes.astype(np.int16)

    def _changes_of_one(self, below: Ends, above: Ends, sigma: npt.NDArray[np.int16]) -> tuple[Block, Sums]:
        """Return which counters a single sample may change, and by how much."""
        rows, columns = _taking_part(above, below), _taking_part(below, above)
        free, nudged = (
            high[0, rows].astype(np.int16)[:, None] * low[0, columns] for low, high in zip(below, above, strict=True)
        )
        return (rows[:, None], columns), (nudged - free) * sigma[0]

    def _count(self, connection: int, block: Block, moves: Sums, threshold: int) -> Flips:
        """Add to some counters and flip weights."""
        high = self.spec.counter_high
        counters = self._counters[connection][block]
        counters += moves
        np.clip(counters, -high, high, out=counters)
        self._counters[connection][block] = counters
        counters *= self._weights[connection][block]
        hits = counters <= -threshold
        hits &= moves != 0
        row, column = np.divmod(_indices(hits.ravel()), max(hits.shape[1], 1))
        rows, columns = block
        below = column if isinstance(columns, slice) else columns[column]
        return self._flip(connection, rows.ravel()[row], below)

    def _flip(self, connection: int, above: Indices, below: Indices) -> Flips:
        weights = self._weights[connection]
        steps = -2 * weights[above, below].astype(np.int16)
        weights[above, below] += steps.astype(np.int8)
        self._up[connection].add(below, above, steps)
        down = self._down[connection]
        if down is not None:
            down.add(above, below, steps)
            np.add.at(self._base[connection], above, steps)
            np.add.at(self._base[connection - 1], below, steps)
        return Flips(connection, above, below, steps)


def _indices(mask: BoolArray) -> Indices:
    """Return where a mask of one axis is True."""
    return mask.nonzero()[0]


def _taking_part(own: Ends, other: Ends) -> Indices:
    """Return the neurons of a layer, in a single sample, whose products with those of another one can have changed."""
    moved = own[0][0] != own[1][0]
    return _indices(own[0][0] | own[1][0] if (other[0][0] != other[1][0]).any() else moved)


def _moved(network: list[Layer], states: list[npt.NDArray[np.int16]]) -> BoolArray:
    """Return which networks have other states than before, shape (batch,)."""
    moved = [(layer.states != old).any(axis=1) for layer, old in zip(network, states, strict=True)]
    return np.any(moved, axis=0)
