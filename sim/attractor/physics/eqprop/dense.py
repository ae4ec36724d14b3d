"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.physics.eqprop.connection import Gradient, drawn_connection
from attractor.physics.eqprop.network import FloatNetwork
from attractor.physics.eqprop.rule import FloatArray, Nudge, Rule, Sent, next_potentials, sent

__all__ = ["DenseNetwork", "DenseState"]


@dataclass
class DenseState:
    """Fully connected networks between two steps; layer 0 is the input, the last one the output.

    Parameters
    ----------
    potentials:
        Of layers 1 and up, each of shape (batch, neurons), from 0 to 1.
    sent:
        What the neurons of all layers send, shape (batch, neurons); that of layer 0 is the input.
    up, down:
        Sums of what is sent over each connection, without scaling factor: ``signs @ below`` and ``signs.T @ above``.
        Entry 0 is not kept; the input is clamped, so all that it does is in :attr:`clamped`.
    clamped:
        Drive of layer 1 from input and bias, shape (batch, neurons).
    drives:
        What layers 1 and up are told by their neighbours and biases, shape (batch, neurons).
    """

    potentials: list[FloatArray]
    sent: list[Sent]
    up: list[FloatArray]
    down: list[FloatArray]
    clamped: FloatArray
    drives: list[FloatArray]

    @property
    def outputs(self) -> FloatArray:
        """Potentials of the output layer, shape (batch, outputs)."""
        return self.potentials[-1]


class DenseNetwork(FloatNetwork[DenseState]):
    """Fully connected layers with binary weights (arXiv 2103.08953; published classes bin_W and bin_W_N for FC).

    With ``z`` what a layer sends, neuron i of layer l has the drive

        ``a_i = scale_l sum_j signs_l[i, j] z_j(l-1) + b_i + scale_(l+1) sum_k signs_(l+1)[k, i] z_k(l+1)``

    without the last sum in the output layer, and follows :func:`~attractor.physics.eqprop.next_potentials`. When
    nudged, the outputs are compared with their present potentials, and real ones are clipped to [0, 1] afterwards.
    All potentials start at 1 with binary activations, at 0 with real ones. Weights flip strictly beyond the threshold;
    the gradient of a learnt scaling factor is that of the energy with the published factor 1/2.

    Sums of bits are integers, exact in single precision up to ``2**24`` terms, so adding only what changed gives the
    same sums as starting anew. Real activations are summed anew whenever one changed. Only NumPy looks for changes: on
    a GPU that takes longer than whole products.

    Parameters
    ----------
    layers:
        Neurons of each layer from the input to the output, at least 3 layers.
    rule:
        With an entry for each of the ``len(layers) - 1`` connections.
    seed:
        Seed of the first weights and biases.
    dtype, xp:
        As in :class:`~attractor.physics.eqprop.FloatNetwork`.

    Raises
    ------
    ValueError
        If there are fewer than 3 layers or the rule does not fit.
    """

    def __init__(
        self, layers: Sequence[int], rule: Rule, *, seed: int = 0, dtype: npt.DTypeLike = np.float32, xp: Any = np
    ) -> None:
        self.layers = tuple(layers)
        if len(self.layers) < 3 or min(self.layers) < 1:
            raise ValueError(f"layers is {self.layers}; it needs an input, hidden layers and an output, none empty")
        if rule.connections != len(self.layers) - 1:
            raise ValueError(f"the rule is for {rule.connections} connections; {self.layers} needs another")
        generator = np.random.default_rng(seed)
        connections = [
            drawn_connection(
                above,
                below,
                generator=generator,
                dtype=dtype,
                xp=xp,
                momentum_rate=rule.momentum_rates[index],
                flip_threshold=rule.flip_thresholds[index],
                bias_rate=rule.bias_rates[index],
                scale_rate=rule.scale_rates[index] if rule.scale_rates else None,
                strict=True,
            )
            for index, (below, above) in enumerate(zip(self.layers, self.layers[1:], strict=False))
        ]
        super().__init__(rule, connections, dtype, xp)
        self._looks_for_changes = xp is np

    def describe(self) -> dict[str, Any]:
        """Return architecture and sizes."""
        return {"architecture": "dense", "layers": list(self.layers)}

    def start(self, inputs: npt.ArrayLike) -> DenseState:
        """Return the state before the first step; ``inputs`` have shape (batch, layers[0])."""
        xp = self.xp
        x = xp.asarray(inputs, self.dtype)
        if x.ndim != 2 or x.shape[1] != self.layers[0]:
            raise ValueError(f"inputs have shape {x.shape}; this network needs (batch, {self.layers[0]})")
        first = 1.0 if self.rule.binary_activations else 0.0
        potentials = [xp.full((len(x), neurons), first, self.dtype) for neurons in self.layers[1:]]
        empty, edge = xp.zeros(0, self.dtype), self.connections[0]
        state = DenseState(
            potentials=potentials,
            sent=[x, *(sent(array, binary_activations=self.rule.binary_activations) for array in potentials)],
            up=[empty] * len(self.connections),
            down=[empty] * len(self.connections),
            clamped=edge.scale * (x @ edge.signs.T) + edge.bias,
            drives=[empty] * len(self.connections),
        )
        for index, connection in enumerate(self.connections[1:], 1):
            # All networks begin alike.
            state.up[index] = xp.tile(first * connection.signs.sum(axis=1), (len(x), 1))
            state.down[index] = xp.tile(first * connection.signs.sum(axis=0), (len(x), 1))
        for index in range(len(self.connections)):
            state.drives[index] = self._drive(state, index)
        return state

    def copy(self, state: DenseState) -> DenseState:
        """Return a state that can be stepped without changing this one."""
        # Sums and drives are changed in place.
        return DenseState(
            list(state.potentials),
            list(state.sent),
            [sums.copy() for sums in state.up],
            [sums.copy() for sums in state.down],
            state.clamped,
            [drive.copy() for drive in state.drives],
        )

    def nudge(self, free: DenseState, targets: FloatArray, beta: float) -> Nudge:  # noqa: ARG002
        """Return a nudge that follows the present potentials."""
        return Nudge(targets, beta)

    def step(self, state: DenseState, nudge: Nudge | None = None) -> bool:
        """Run one step of all networks of the batch, in place, all layers from the old state."""
        binary = self.rule.binary_activations
        new = []
        for index, (old, drive) in enumerate(zip(state.potentials, state.drives, strict=True), 1):
            pull = nudge.pull(old) if nudge is not None and index == len(self.connections) else None
            new.append(next_potentials(old, drive, binary_activations=binary, pull=pull, xp=self.xp))
        if nudge is not None and not binary:
            new[-1] = self.xp.clip(new[-1], 0, 1)
        values = [sent(potentials, binary_activations=binary) for potentials in new]
        before, state.potentials = state.potentials, new
        if not self._looks_for_changes:
            self._send_all(state, values)
            return True
        moved = self._send_changes(state, values)
        return moved or not all(self.xp.array_equal(old, after) for old, after in zip(before, new, strict=True))

    def gradients(self, free: DenseState, nudged: DenseState) -> list[Gradient]:
        """Return the sums of nudged minus free products; the first ones perhaps only of rows that are not 0."""
        result = []
        for index, connection in enumerate(self.connections):
            above = self._change(free, nudged, index + 1)
            weights, rows = self._products(free, nudged, index, above)
            scale = None
            if connection.scale_rate is not None:
                scale = 0.5 * self._energy(nudged, index) - 0.5 * self._energy(free, index)
            result.append(Gradient(weights, above.sum(axis=0), scale, rows))
        return result

    def _products(self, free: DenseState, nudged: DenseState, index: int, above: FloatArray) -> tuple[FloatArray, Any]:
        """Return the gradient of the weights, and the rows that it is for; ``above`` is what has changed there."""
        below, every = self._change(free, nudged, index), slice(None)
        rows, columns = (
            (self.xp.flatnonzero(change.any(axis=0)) if self._looks_for_changes else every) for change in (above, below)
        )
        weights = above[:, rows].T @ self._numbers(nudged.sent[index])
        if index == 0:
            # The input has not changed.
            return weights, rows
        products = self.xp.zeros(self.connections[index].signs.shape, self.dtype)
        products[rows] = weights
        products[:, columns] += self._numbers(free.sent[index + 1]).T @ below[:, columns]
        return products, every

    def _energy(self, state: DenseState, index: int) -> FloatArray:
        """Return the sum over the batch of ``z_above W z_below``, shape (1,)."""
        connection, above = self.connections[index], state.sent[index + 1]
        told = connection.scale * state.up[index] if index else state.clamped - connection.bias
        return (above * told).sum(keepdims=True)[0]

    def _drive(self, state: DenseState, index: int, rows: Any = slice(None)) -> FloatArray:
        """Return what layer ``index + 1`` is told in these networks of the batch."""
        drive = state.clamped[rows]
        if index:
            connection = self.connections[index]
            drive = connection.scale * state.up[index][rows] + connection.bias
        if index + 1 < len(self.connections):
            drive = drive + self.connections[index + 1].scale * state.down[index + 1][rows]
        return drive

    def _send_all(self, state: DenseState, new: list[Sent]) -> None:
        """Compute sums and drives anew from what the layers send now."""
        for index, values in enumerate(new):
            state.sent[index + 1] = values
            told = self._numbers(values)
            if index + 1 < len(self.connections):
                state.up[index + 1] = told @ self.connections[index + 1].signs.T
            if index:
                state.down[index] = told @ self.connections[index].signs
        state.drives = [self._drive(state, index) for index in range(len(self.connections))]

    def _send_changes(self, state: DenseState, new: list[Sent]) -> bool:
        """Bring sums and drives up to what the layers send now; return whether that is anything new."""
        stale = self.xp.zeros((len(new), len(new[0])), bool)
        for index, values in enumerate(new):
            old = state.sent[index + 1]
            state.sent[index + 1] = values
            differs = old != values
            rows, columns = self.xp.flatnonzero(differs.any(axis=1)), self.xp.flatnonzero(differs.any(axis=0))
            if not rows.size:
                continue
            adds = self.rule.binary_activations and 2 * columns.size <= values.shape[1]
            which = columns if adds else slice(None)
            told = self._numbers(values[rows][:, which])
            if adds:
                told -= old[rows][:, which]
            if index + 1 < len(self.connections):
                _bring(state.up[index + 1], rows, told @ self.connections[index + 1].signs[:, which].T, adds)
                stale[index + 1, rows] = True
            if index:
                _bring(state.down[index], rows, told @ self.connections[index].signs[which], adds)
                stale[index - 1, rows] = True
        for index, networks in enumerate(stale):
            rows = self.xp.flatnonzero(networks)
            if rows.size:
                state.drives[index][rows] = self._drive(state, index, rows)
        return bool(stale.any())


def _bring(sums: FloatArray, rows: Any, told: FloatArray, adds: bool) -> None:
    """Add what is told to the sums of these networks, or replace them."""
    if adds:
        sums[rows] += told
    else:
        sums[rows] = told
