"""The published rules in plain loops: one image, one neuron, one weight after the other.

Layers are counted from the output as in the published code, maps have their channels first, and nothing is kept that
could be computed anew. Sums of signs come before the scaling factor, so that equal sums are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
#: States of all layers from the output down to the input, and for each convolution where its maxima are.
States = list[Array]


def bit(value: float) -> float:
    return 1.0 if value >= 0.5 else 0.0


def clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def gate(value: float) -> float:
    """The published pseudo-derivative: a box of half-width one half around the threshold."""
    return 1.0 if abs(value - 0.5) <= 0.5 else 0.0


def places(array: Array) -> Iterator[tuple[int, ...]]:
    return product(*map(range, array.shape))


@dataclass
class Reference:
    """Parameters of a network; ``signs[l]`` connects layer l + 1 to layer l, momentum and biases likewise."""

    binary: bool
    signs: list[Array]
    scales: list[Array]
    biases: list[Array]
    momenta: list[Array]
    gates: list[float] = field(default_factory=list)

    def send(self, states: States) -> States:
        """What the layers send; the input is not changed."""
        if not self.binary:
            return states
        return [np.vectorize(bit, otypes=[float])(layer) for layer in states[:-1]] + states[-1:]

    def moved(self, old: float, drive: float, pull: float | None, bounded: bool) -> float:
        if self.binary:
            self.gates.append(gate(old))
            return clip(0.5 * old + 0.5 * (gate(old) * drive + (pull or 0.0)))
        new = clip(drive) + (pull or 0.0)
        return clip(new) if bounded else new


# Fully connected


def dense_start(net: Reference, x: Array) -> States:
    first = 1.0 if net.binary else 0.0
    return [np.full(len(signs), first) for signs in net.signs] + [x]


def dense_step(net: Reference, states: States, target: Array | None = None, beta: float = 0.0) -> States:
    z, new = net.send(states), []
    for layer, signs in enumerate(net.signs):
        values = np.zeros(len(signs))
        for i in range(len(signs)):
            total = sum(signs[i, j] * z[layer + 1][j] for j in range(signs.shape[1]))
            drive = net.scales[layer][0] * total + net.biases[layer][i]
            pull = None
            if layer:
                above = net.signs[layer - 1]
                drive += net.scales[layer - 1][0] * sum(above[k, i] * z[layer - 1][k] for k in range(len(above)))
            elif target is not None:
                pull = beta * (target[i] - states[0][i])
            values[i] = net.moved(states[layer][i], drive, pull, bounded=True)
        new.append(values)
    return [*new, states[-1]]


def dense_gradients(net: Reference, free: list[States], nudged: list[States], c: float) -> list[tuple[Array, ...]]:
    """Gradients of weights, biases and scaling factors of each layer, summed over the images."""
    result = []
    for layer, signs in enumerate(net.signs):
        weights, bias, scale = np.zeros(signs.shape), np.zeros(len(signs)), np.zeros(1)
        for one, other in zip(map(net.send, nudged), map(net.send, free), strict=True):
            for i, j in places(signs):
                change = one[layer][i] * one[layer + 1][j] - other[layer][i] * other[layer + 1][j]
                weights[i, j] += c * change
                scale[0] += 0.5 * c * net.scales[layer][0] * signs[i, j] * change
            for i in range(len(signs)):
                bias[i] += c * (one[layer][i] - other[layer][i])
        result.append((weights, bias, scale))
    return result


# Convolutional; layer 0 is fully connected, its input the flattened maps of layer 1


def convolved(net: Reference, layer: int, below: Array, padding: int) -> Array:
    signs = net.signs[layer]
    side = signs.shape[2]
    rows, columns = (size + 2 * padding - side + 1 for size in below.shape[1:])
    maps = np.zeros((len(signs), rows, columns))
    for o, row, column in places(maps):
        total = 0.0
        for c, dy, dx in places(signs[o]):
            y, x = row + dy - padding, column + dx - padding
            if 0 <= y < below.shape[1] and 0 <= x < below.shape[2]:
                total += signs[o, c, dy, dx] * below[c, y, x]
        maps[o, row, column] = net.scales[layer][o] * total + net.biases[layer][o]
    return maps


def pooled(maps: Array, side: int) -> tuple[Array, dict[tuple[int, ...], tuple[int, int]]]:
    values = np.zeros((len(maps), maps.shape[1] // side, maps.shape[2] // side))
    where = {}
    for place in places(values):
        o, row, column = place
        best = -np.inf
        for dy, dx in product(range(side), repeat=2):
            value = maps[o, row * side + dy, column * side + dx]
            if value > best:
                best, where[place] = value, (row * side + dy, column * side + dx)
        values[place] = best
    return values, where


def sent_back(net: Reference, layer: int, values: Array, where: dict, padding: int, shape: tuple[int, ...]) -> Array:
    """What layer ``layer`` tells the one below, from where its maxima are."""
    signs = net.signs[layer]
    told = np.zeros(shape)
    for place in places(values):
        o, (row, column) = place[0], where[place]
        for c, dy, dx in places(signs[o]):
            y, x = row + dy - padding, column + dx - padding
            if 0 <= y < shape[1] and 0 <= x < shape[2]:
                told[c, y, x] += net.scales[layer][o] * values[place] * signs[o, c, dy, dx]
    return told


def conv_start(net: Reference, x: Array, padding: int, side: int) -> States:
    first = 1.0 if net.binary else 0.5
    sizes, below = [], x
    for layer in reversed(range(1, len(net.signs))):
        below = pooled(convolved(net, layer, below, padding), side)[0]
        sizes.insert(0, below.shape)
    return [np.full(len(net.signs[0]), first), *(np.full(size, first) for size in sizes), x]


def conv_step(
    net: Reference, states: States, padding: int, side: int, pull: Array | None = None
) -> tuple[States, list[Any]]:
    """Return the new states and, for each layer, where the maxima were; ``pull`` is added to the outputs."""
    z, wheres, new = net.send(states), [None], []
    flat = z[1].reshape(-1)
    outputs = np.zeros(len(net.signs[0]))
    for i in range(len(outputs)):
        total = sum(net.signs[0][i, j] * flat[j] for j in range(len(flat)))
        drive = net.scales[0][0] * total + net.biases[0][i]
        outputs[i] = net.moved(states[0][i], drive, None if pull is None else pull[i], bounded=False)
    new.append(outputs)
    for layer in range(1, len(net.signs)):
        drives, where = pooled(convolved(net, layer, z[layer + 1], padding), side)
        wheres.append(where)
        if layer == 1:
            for j, place in enumerate(places(drives)):
                back = sum(net.signs[0][k, j] * z[0][k] for k in range(len(outputs)))
                drives[place] += net.scales[0][0] * back
        else:
            drives = drives + sent_back(net, layer - 1, z[layer - 1], wheres[layer - 1], padding, drives.shape)
        values = np.zeros(drives.shape)
        for place in places(drives):
            values[place] = net.moved(states[layer][place], drives[place], None, bounded=False)
        new.append(values)
    return [*new, states[-1]], wheres


def conv_gradients(
    net: Reference, free: list[Any], nudged: list[Any], c: float, padding: int, side: int
) -> list[tuple[Array, ...]]:
    """As :func:`dense_gradients`, from pairs of states and places of maxima; scaling factors without one half."""
    result = [tuple(np.zeros(shape.shape) for shape in (net.signs[0], net.biases[0], net.scales[0]))]
    result += [(np.zeros(s.shape), np.zeros(len(s)), np.zeros(len(s))) for s in net.signs[1:]]
    for weight, runs in ((c, nudged), (-c, free)):
        for states, wheres in runs:
            z = net.send(states)
            flat = z[1].reshape(-1)
            for i, j in places(net.signs[0]):
                result[0][0][i, j] += weight * z[0][i] * flat[j]
                result[0][2][0] += weight * net.scales[0][0] * net.signs[0][i, j] * z[0][i] * flat[j]
            result[0][1][:] += weight * z[0]
            for layer in range(1, len(net.signs)):
                again = pooled(convolved(net, layer, z[layer + 1], padding), side)[0]
                for place in places(z[layer]):
                    o, (row, column), value = place[0], wheres[layer][place], z[layer][place]
                    result[layer][1][o] += weight * value
                    result[layer][2][o] += weight * value * again[place]
                    for ch, dy, dx in places(net.signs[layer][o]):
                        y, x = row + dy - padding, column + dx - padding
                        if 0 <= y < z[layer + 1].shape[1] and 0 <= x < z[layer + 1].shape[2]:
                            result[layer][0][o, ch, dy, dx] += weight * value * z[layer + 1][ch, y, x]
    return result


# Learning


def follow(net: Reference, gradients: list[tuple[Array, ...]], rates: dict[str, Any], strict: bool) -> list[int]:
    """Momentum, then layer by layer flips, biases, scaling factors; ``rates`` are lists from the output."""
    for layer, (weights, _, _) in enumerate(gradients):
        kept = 1 - rates["gamma"][layer]
        net.momenta[layer] = kept * net.momenta[layer] + rates["gamma"][layer] * weights
    flips = []
    for layer, (_, bias, scale) in enumerate(gradients):
        count = 0
        for place in places(net.signs[layer]):
            against = -net.signs[layer][place] * net.momenta[layer][place]
            if against > rates["tau"][layer] or (not strict and against == rates["tau"][layer]):
                net.signs[layer][place] *= -1
                count += 1
        flips.append(count)
        net.biases[layer] = net.biases[layer] + rates["bias"][layer] * bias
        if rates["alpha"]:
            net.scales[layer] = net.scales[layer] + rates["alpha"][layer] * scale
    return flips
