"""Convolutional layers with max pooling, below one fully connected output layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.physics.eqprop.connection import Connection, Gradient, drawn_connection
from attractor.physics.eqprop.maps import (
    PoolIndices,
    convolve,
    convolve_transposed,
    correlate,
    pool,
    unpool,
)
from attractor.physics.eqprop.network import FloatNetwork
from attractor.physics.eqprop.rule import FloatArray, Nudge, Rule, Sent, next_potentials, sent

__all__ = ["ConvolutionShape", "ConvolutionalNetwork", "ConvolutionalState"]


@dataclass(frozen=True, kw_only=True)
class ConvolutionShape:
    """Sizes of a convolutional network.

    Parameters
    ----------
    image:
        Rows, columns and channels of the input.
    channels:
        Channels of each convolutional layer from the input, at least one layer.
    outputs:
        Neurons of the output layer.
    side:
        Side of the square filters, in all layers.
    padding:
        Rows and columns of zeros around the maps, 0 to ``side - 1``.
    pool:
        Side of the squares that are pooled, 1 to 16.

    Raises
    ------
    ValueError
        If a value is out of range, or nothing is left of the maps.
    """

    image: tuple[int, int, int]
    channels: tuple[int, ...]
    outputs: int
    side: int = 5
    padding: int = 2
    pool: int = 2

    def __post_init__(self) -> None:
        if not self.channels or min(*self.channels, *self.image, self.outputs) < 1:
            raise ValueError(
                f"image {self.image}, channels {self.channels} and outputs {self.outputs} must be positive"
            )
        if not (0 <= self.padding < self.side and 1 <= self.pool <= 16):
            raise ValueError(f"padding is {self.padding}, side {self.side}, pool {self.pool}; see their ranges")
        if min(min(size) for size in self.pooled) < 1:
            raise ValueError(f"the maps of {self} shrink to {self.pooled}; take fewer layers, or more padding")

    @property
    def convolved(self) -> list[tuple[int, int]]:
        """Rows and columns of each layer before pooling."""
        return [self._convolved(size) for size in [self.image[:2], *self.pooled[:-1]]]

    @property
    def pooled(self) -> list[tuple[int, int]]:
        """Rows and columns of each layer."""
        sizes: list[tuple[int, int]] = []
        for _ in self.channels:
            rows, columns = self._convolved(sizes[-1] if sizes else self.image[:2])
            sizes.append((rows // self.pool, columns // self.pool))
        return sizes

    def _convolved(self, size: tuple[int, int]) -> tuple[int, int]:
        more = 2 * self.padding - self.side + 1
        return size[0] + more, size[1] + more


@dataclass
class ConvolutionalState:
    """Convolutional networks between two steps; layer 0 is the image, the last one the fully connected output.

    What is computed from what layers send is one step old: a step brings it up to date for the networks of the batch
    in which that changed, then uses it.

    Parameters
    ----------
    potentials:
        Of layers 1 and up: (batch, rows, columns, channels) after pooling, and (batch, outputs).
    sent:
        What the neurons of all layers send; that of layer 0 is the image.
    pooled, indices:
        Of each convolutional layer, the pooled convolution with its bias, and where in its square the greatest was.
    told:
        What the output layer is told, shape (batch, outputs).
    feedback:
        What each convolutional layer is told by the layer above, shape of its potentials.
    news:
        For each layer, the networks in which it has sent something new since then, shape (batch,).
    """

    potentials: list[FloatArray]
    sent: list[Sent]
    pooled: list[FloatArray]
    indices: list[PoolIndices]
    told: FloatArray
    feedback: list[FloatArray]
    news: list[npt.NDArray[np.bool_]]

    @property
    def outputs(self) -> FloatArray:
        """Potentials of the output layer, shape (batch, outputs)."""
        return self.potentials[-1]


class ConvolutionalNetwork(FloatNetwork[ConvolutionalState]):
    """Convolutional layers with binary weights (arXiv 2103.08953; published classes bin_W and bin_W_N for conv).

    The drive of convolutional layer l is ``pool(conv_l(z(l-1)) + b_l)`` plus what comes back from above: from the next
    convolutional layer ``conv^T(unpool(z(l+1)))``, unpooled with the indices that the pooling of layer l+1 has in the
    same step, or from the output layer its weights, transposed. Then all neurons follow
    :func:`~attractor.physics.eqprop.next_potentials`. When nudged, binary outputs are compared with their
    potentials at the end of the free phase, real ones with the present ones and not clipped. Potentials start at 1
    with binary activations, at 0.5 with real ones. Weights flip at the threshold and beyond. Each filter has a scaling
    factor; gradients of learnt ones have no factor 1/2. With binary activations biases start at 0, and the momentum is
    normal noise at first.

    The gradient of filters correlates what is below with what is above, unpooled with the indices of the last step.
    Sums of bits are added as integers, so that equal sums pool to the first of them whatever the scaling factor.
    Unlike the published classes this one takes any pool size with real activations, and a single layer.

    Parameters
    ----------
    shape:
        Sizes.
    rule:
        With an entry for each convolutional layer from the input, and one for the output layer.
    start_noise:
        Standard deviation of the first momentum with binary activations, in units of the momentum rate; 2 as
        published. That is ``2 beta batch`` events, and about a fifth of the weights flip at once from noise alone.
    seed:
        Seed of the first weights, biases and momentum.
    dtype, xp:
        As in :class:`~attractor.physics.eqprop.FloatNetwork`.

    Raises
    ------
    ValueError
        If the rule does not fit.
    """

    def __init__(
        self,
        shape: ConvolutionShape,
        rule: Rule,
        *,
        start_noise: float = 2.0,
        seed: int = 0,
        dtype: npt.DTypeLike = np.float32,
        xp: Any = np,
    ) -> None:
        self.shape = shape
        layers = len(shape.channels)
        if rule.connections != layers + 1:
            raise ValueError(
                f"the rule is for {rule.connections} connections; {layers} layers of maps need {layers + 1}"
            )
        rows, columns = shape.pooled[-1]
        below = [shape.side**2 * channels for channels in (shape.image[2], *shape.channels[:-1])]
        sizes = [*zip(shape.channels, below, strict=True), (shape.outputs, rows * columns * shape.channels[-1])]
        generator = np.random.default_rng(seed)
        connections = [
            drawn_connection(
                *size,
                generator=generator,
                dtype=dtype,
                xp=xp,
                momentum_rate=rule.momentum_rates[index],
                flip_threshold=rule.flip_thresholds[index],
                bias_rate=rule.bias_rates[index],
                scale_rate=rule.scale_rates[index] if rule.scale_rates else None,
                strict=False,
                channelwise=index < layers,
            )
            for index, size in enumerate(sizes)
        ]
        if rule.binary_activations:
            for connection in connections:
                noise = generator.standard_normal(connection.raw.shape)
                connection.raw[...] = xp.asarray(start_noise * connection.momentum_rate * noise, dtype)
                connection.bias[...] = 0
        super().__init__(rule, connections, dtype, xp)

    def describe(self) -> dict[str, Any]:
        """Return architecture and sizes."""
        return {"architecture": "convolutional"} | asdict(self.shape)

    def start(self, inputs: npt.ArrayLike) -> ConvolutionalState:
        """Return the state before the first step; ``inputs`` have shape (batch, rows, columns, channels)."""
        xp, shape = self.xp, self.shape
        image = xp.asarray(inputs, self.dtype)
        if image.ndim != 4 or image.shape[1:] != shape.image:
            raise ValueError(f"inputs have shape {image.shape}; this network needs (batch, {shape.image})")
        batch = len(image)
        sizes = [(batch, *size, count) for size, count in zip(shape.pooled, shape.channels, strict=True)]
        first = 1.0 if self.rule.binary_activations else 0.5
        potentials = [xp.full(size, first, self.dtype) for size in [*sizes, (batch, shape.outputs)]]
        values = [sent(array, binary_activations=self.rule.binary_activations) for array in potentials]
        return ConvolutionalState(
            potentials=potentials,
            sent=[image, *values],
            pooled=[xp.zeros(size, self.dtype) for size in sizes],
            indices=[xp.zeros(size, np.uint8) for size in sizes],
            told=xp.zeros((batch, shape.outputs), self.dtype),
            feedback=[xp.zeros(size, self.dtype) for size in sizes],
            news=[xp.ones(batch, bool) for _ in range(len(sizes) + 2)],
        )

    def copy(self, state: ConvolutionalState) -> ConvolutionalState:
        """Return a state that can be stepped without changing this one."""
        # The first two lists get new arrays in a step, all other arrays are changed in place.
        return ConvolutionalState(
            list(state.potentials),
            list(state.sent),
            [pooled.copy() for pooled in state.pooled],
            [indices.copy() for indices in state.indices],
            state.told.copy(),
            [feedback.copy() for feedback in state.feedback],
            [news.copy() for news in state.news],
        )

    def nudge(self, free: ConvolutionalState, targets: FloatArray, beta: float) -> Nudge:
        """Return a nudge from the free outputs with binary activations, else one that follows the present ones."""
        return Nudge(targets, beta, free.outputs if self.rule.binary_activations else None)

    def step(self, state: ConvolutionalState, nudge: Nudge | None = None) -> bool:
        """Run one step of all networks of the batch, in place, all layers from the old state."""
        xp, binary = self.xp, self.rule.binary_activations
        self._gather(state)
        changed = False
        for layer in range(1, len(state.sent)):
            old = state.potentials[layer - 1]
            output = layer == len(state.sent) - 1
            drive = state.told if output else state.pooled[layer - 1] + state.feedback[layer - 1]
            pull = nudge.pull(old) if output and nudge is not None else None
            new = next_potentials(old, drive, binary_activations=binary, pull=pull, xp=xp)
            values = sent(new, binary_activations=binary)
            state.news[layer] = _differs(values, state.sent[layer])
            changed = changed or bool(state.news[layer].any()) or not xp.array_equal(new, old)
            state.potentials[layer - 1], state.sent[layer] = new, values
        state.news[0][:] = False
        return changed

    def gradients(self, free: ConvolutionalState, nudged: ConvolutionalState) -> list[Gradient]:
        """Return the sums of nudged minus free products over the batch, one gradient for each connection."""
        result = []
        for index, connection in enumerate(self.connections[:-1]):
            change = self._change(free, nudged, index + 1)
            # Networks in which both phases ended alike add nothing.
            differs = _differs(nudged.sent[index], free.sent[index]) | _differs(
                nudged.indices[index], free.indices[index]
            )
            rows = self.xp.flatnonzero(differs | (change != 0).any(axis=(1, 2, 3)))
            weights = self._products(nudged, index, rows) - self._products(free, index, rows)
            scale = None
            if connection.scale_rate is not None:
                energies = [state.sent[index + 1] * self._pool(state.sent[index], index)[0] for state in (nudged, free)]
                scale = (energies[0] - energies[1]).sum(axis=(0, 1, 2))
            result.append(Gradient(weights, change.sum(axis=(0, 1, 2)), scale))
        result.append(self._output_gradient(free, nudged))
        return result

    def _output_gradient(self, free: ConvolutionalState, nudged: ConvolutionalState) -> Gradient:
        """Return the gradient of the fully connected output layer."""
        connection = self.connections[-1]
        products = [
            self._numbers(state.sent[-1]).T @ self._numbers(state.sent[-2]).reshape(len(state.outputs), -1)
            for state in (nudged, free)
        ]
        weights = products[0] - products[1]
        scale = None
        if connection.scale_rate is not None:
            scale = (weights * connection.weights).sum(keepdims=True)[0]
        return Gradient(weights, self._change(free, nudged, -1).sum(axis=0), scale)

    def _products(self, state: ConvolutionalState, index: int, rows: Any) -> FloatArray:
        """Return the sums of products of both ends of each weight of a filter, in these networks of the batch."""
        shape = self.shape
        below, above = self._numbers(state.sent[index][rows]), self._numbers(state.sent[index + 1][rows])
        maps = unpool(above, state.indices[index][rows], shape.pool, shape.convolved[index], self.xp)
        return correlate(below, maps, shape.side, shape.padding, self.xp)

    def _pool(self, below: FloatArray, index: int) -> tuple[FloatArray, PoolIndices]:
        """Return pooled convolution with bias, and indices, of layer ``index + 1``."""
        connection, shape = self.connections[index], self.shape
        sums = convolve(self._numbers(below), connection.signs, shape.side, shape.padding, self.xp)
        sums *= connection.scale
        sums += connection.bias
        return pool(sums, shape.pool, self.xp)

    def _gather(self, state: ConvolutionalState) -> None:
        """Bring up to date what the layers are told, in the networks in which it has changed."""
        xp, shape, top = self.xp, self.shape, len(self.shape.channels)
        for index in range(top):
            rows = xp.flatnonzero(state.news[index])
            if rows.size:
                state.pooled[index][rows], state.indices[index][rows] = self._pool(state.sent[index][rows], index)
        for index in range(1, top):
            # Indices follow the layer itself, what is unpooled the layer above.
            rows = xp.flatnonzero(state.news[index] | state.news[index + 1])
            if rows.size:
                connection: Connection = self.connections[index]
                above = state.sent[index + 1][rows] * connection.scale
                maps = unpool(above, state.indices[index][rows], shape.pool, shape.convolved[index], xp)
                back = convolve_transposed(maps, connection.signs, shape.side, shape.padding, xp)
                state.feedback[index - 1][rows] = back
        output = self.connections[-1]
        rows = xp.flatnonzero(state.news[top])
        if rows.size:
            flat = self._numbers(state.sent[top][rows]).reshape(len(rows), -1)
            state.told[rows] = output.scale * (flat @ output.signs.T) + output.bias
        rows = xp.flatnonzero(state.news[top + 1])
        if rows.size:
            back = output.scale * (self._numbers(state.sent[top + 1][rows]) @ output.signs)
            state.feedback[top - 1][rows] = back.reshape(len(rows), *state.feedback[top - 1].shape[1:])


def _differs(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return the networks of a batch in which two arrays differ, shape (batch,)."""
    return (one != other).reshape(len(one), -1).any(axis=1)
