from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.physics.eqprop import (
    Connection,
    ConvolutionalNetwork,
    ConvolutionShape,
    DenseNetwork,
    FloatNetwork,
    Rule,
    one_hot,
)

from . import reference_eqprop_float as plain

Array = npt.NDArray[Any]
#: NumPy, and the same as if it were another array module.
MODULES = (np, SimpleNamespace(**vars(np)))


def make_rule(connections: int, **changes: Any) -> Rule:
    """Rates that are different in each connection; thresholds that no momentum of the small networks equals."""
    fields = {
        "binary_activations": True,
        "free_steps": 6,
        "nudged_steps": 4,
        "beta": 2.0,
        "momentum_rates": tuple(0.25 + 0.125 * index for index in range(connections)),
        "flip_thresholds": tuple(0.0173 + 0.0071 * index for index in range(connections)),
        "bias_rates": tuple(0.125 / (1 + index) for index in range(connections)),
    }
    return Rule(**fields | changes)


def make_exact(network: FloatNetwork[Any], generator: np.random.Generator) -> None:
    """Take parameters with few binary digits, so that every order of adding gives the same result."""
    for connection in network.connections:
        connection.scale[:] = 0.125 * generator.integers(1, 4, connection.scale.shape)
        connection.bias[:] = generator.integers(-8, 9, connection.bias.shape) / 16


def dyadic(generator: np.random.Generator, *shape: int) -> Array:
    return generator.integers(0, 9, shape) / 8


# Fully connected against plain loops


def plain_dense(network: DenseNetwork) -> plain.Reference:
    order = network.connections[::-1]
    return plain.Reference(
        binary=network.rule.binary_activations,
        signs=[c.signs.copy() for c in order],
        scales=[c.scale.copy() for c in order],
        biases=[c.bias.copy() for c in order],
        momenta=[c.momentum for c in order],
    )


def plain_rates(rule: Rule) -> dict[str, Any]:
    return {
        "gamma": rule.momentum_rates[::-1],
        "tau": rule.flip_thresholds[::-1],
        "bias": rule.bias_rates[::-1],
        "alpha": rule.scale_rates[::-1],
    }


@settings(deadline=None, max_examples=30)
@given(
    layers=st.lists(st.integers(1, 6), min_size=3, max_size=5),
    binary=st.booleans(),
    sign=st.sampled_from([1, -1]),
    xp=st.sampled_from(MODULES),
    seed=st.integers(0, 2**32 - 1),
)
def test_dense_states_equal_those_of_plain_loops(
    layers: list[int], binary: bool, sign: int, xp: Any, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    rule = make_rule(len(layers) - 1, binary_activations=binary)
    network = DenseNetwork(layers, rule, seed=seed, dtype=np.float64, xp=xp)
    make_exact(network, generator)
    net = plain_dense(network)
    inputs, targets = dyadic(generator, 3, layers[0]), generator.integers(0, 2, (3, layers[-1])).astype(float)
    free = network.settle(inputs)
    nudged = network.settle_nudged(free, targets, sign)
    for index, x in enumerate(inputs):
        states = plain.dense_start(net, x)
        for _ in range(rule.free_steps):
            states = plain.dense_step(net, states)
        assert [layer[index].tolist() for layer in free.potentials[::-1]] == [s.tolist() for s in states[:-1]]
        for _ in range(rule.nudged_steps):
            states = plain.dense_step(net, states, targets[index], sign * rule.beta)
        assert [layer[index].tolist() for layer in nudged.potentials[::-1]] == [s.tolist() for s in states[:-1]]
    # Potentials never leave the range in which the published pseudo-derivative is 1, so leaving it out is no change.
    assert set(net.gates) <= {1.0}
    assert bool(net.gates) == binary


@pytest.mark.parametrize("scale_rates", [(), (0.01, 0.02, 0.04)])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("xp", MODULES, ids=["numpy", "other"])
def test_dense_learning_equals_that_of_plain_loops(xp: Any, binary: bool, scale_rates: tuple[float, ...]) -> None:
    generator = np.random.default_rng(7)
    rule = make_rule(3, binary_activations=binary, scale_rates=scale_rates)
    network = DenseNetwork((5, 8, 6, 4), rule, seed=1, dtype=np.float64, xp=xp)
    make_exact(network, generator)
    net, flips = plain_dense(network), 0
    for batch in range(6):
        # The last batch of an epoch is smaller.
        count, sign = (4, 1) if batch < 5 else (2, -1)
        inputs, targets = dyadic(generator, count, 5), one_hot(generator.integers(0, 2, count), 2, 2, dtype=float)
        learnt = network.learn(inputs, targets, sign)
        free, nudged = [], []
        for x, y in zip(inputs, targets, strict=True):
            states = plain.dense_start(net, x)
            for _ in range(rule.free_steps):
                states = plain.dense_step(net, states)
            free.append(states)
            for _ in range(rule.nudged_steps):
                states = plain.dense_step(net, states, y, sign * rule.beta)
            nudged.append(states)
        gradients = plain.dense_gradients(net, free, nudged, 1 / (sign * rule.beta * count))
        expected = plain.follow(net, gradients, plain_rates(rule), strict=True)
        assert list(learnt.flips[::-1]) == expected
        flips += sum(expected)
        assert_same_parameters(network.connections[::-1], net)
    assert flips >= 5


def assert_same_parameters(connections: list[Connection], net: plain.Reference) -> None:
    for layer, connection in enumerate(connections):
        assert (connection.signs == net.signs[layer]).all()
        np.testing.assert_allclose(connection.momentum, net.momenta[layer], rtol=0, atol=1e-13)
        np.testing.assert_allclose(connection.bias, net.biases[layer], rtol=0, atol=1e-13)
        np.testing.assert_allclose(connection.scale, net.scales[layer], rtol=0, atol=1e-13)


# Convolutional against plain loops


def channels_first(connection: Connection, *shape: int) -> Array:
    """Rows of weights that see (rows, columns, channels), with the channels first."""
    return connection.signs.reshape(-1, *shape).transpose(0, 3, 1, 2)


def plain_convolutional(network: ConvolutionalNetwork) -> plain.Reference:
    shape = network.shape
    below = (shape.image[2], *shape.channels)
    convolutions = network.connections[:-1]
    output = replace(network.connections[-1], signs=network.connections[-1].signs)
    sizes = [(shape.side, shape.side, channels) for channels in below]

    def signs_of(momentum: bool) -> list[Array]:
        def chosen(connection: Connection) -> Connection:
            return replace(connection, signs=connection.momentum) if momentum else connection

        top = channels_first(chosen(output), *shape.pooled[-1], below[-1])
        filters = [channels_first(chosen(c), *size) for c, size in zip(convolutions, sizes, strict=False)]
        return [top.reshape(shape.outputs, -1).copy(), *(array.copy() for array in filters[::-1])]

    order = network.connections[::-1]
    return plain.Reference(
        binary=network.rule.binary_activations,
        signs=signs_of(False),
        scales=[c.scale.copy() for c in order],
        biases=[c.bias.copy() for c in order],
        momenta=signs_of(True),
    )


def plain_run(
    net: plain.Reference, shape: ConvolutionShape, rule: Rule, x: Array, y: Array, sign: int
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Both phases of one image: states, and where the maxima were in the last step."""
    states, wheres = plain.conv_start(net, x, shape.padding, shape.pool), None
    for _ in range(rule.free_steps):
        states, wheres = plain.conv_step(net, states, shape.padding, shape.pool)
    free = states, wheres
    for _ in range(rule.nudged_steps):
        reference = free[0][0] if rule.binary_activations else states[0]
        pull = sign * rule.beta * (y - reference)
        states, wheres = plain.conv_step(net, states, shape.padding, shape.pool, pull)
    return free, (states, wheres)


SHAPES = [
    ConvolutionShape(image=(6, 5, 2), channels=(3, 2), outputs=4, side=3, padding=1, pool=2),
    ConvolutionShape(image=(7, 7, 1), channels=(2, 3), outputs=2, side=3, padding=2, pool=3),
    ConvolutionShape(image=(8, 8, 1), channels=(2, 2, 3), outputs=2, side=2, padding=1, pool=2),
    ConvolutionShape(image=(6, 6, 1), channels=(3,), outputs=2, side=3, padding=0, pool=2),
]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_convolutional_states_equal_those_of_plain_loops(shape: ConvolutionShape, binary: bool) -> None:
    generator = np.random.default_rng(3)
    rule = make_rule(len(shape.channels) + 1, binary_activations=binary, beta=1.0)
    network = ConvolutionalNetwork(shape, rule, seed=5, dtype=np.float64)
    make_exact(network, generator)
    net = plain_convolutional(network)
    inputs, targets = dyadic(generator, 2, *shape.image), generator.integers(0, 2, (2, shape.outputs)).astype(float)
    for sign in (1, -1):
        free = network.settle(inputs)
        nudged = network.settle_nudged(free, targets, sign)
        for index, (x, y) in enumerate(zip(inputs, targets, strict=True)):
            runs = plain_run(net, shape, rule, x.transpose(2, 0, 1), y, sign)
            for state, (expected, _) in zip((free, nudged), runs, strict=True):
                assert (state.outputs[index] == expected[0]).all()
                for layer, maps in enumerate(state.potentials[-2::-1], 1):
                    assert (maps[index].transpose(2, 0, 1) == expected[layer]).all()
    assert set(net.gates) <= {1.0}


@pytest.mark.parametrize("scale_rates", [(), (0.01, 0.02, 0.04)])
@pytest.mark.parametrize("binary", [True, False])
def test_convolutional_learning_equals_that_of_plain_loops(binary: bool, scale_rates: tuple[float, ...]) -> None:
    generator = np.random.default_rng(11)
    shape = SHAPES[0]
    rule = make_rule(3, binary_activations=binary, beta=1.0, scale_rates=scale_rates)
    network = ConvolutionalNetwork(shape, rule, seed=2, dtype=np.float64)
    make_exact(network, generator)
    if not binary:
        # Otherwise most potentials would stay at the ends of their range and nothing would be learnt.
        for connection in network.connections:
            connection.scale *= 0.25
            connection.bias[:] = 0.25
    net, flips = plain_convolutional(network), 0
    for batch in range(3):
        count, sign = (3, 1) if batch < 2 else (2, -1)
        inputs, targets = dyadic(generator, count, *shape.image), one_hot(np.arange(count) % 2, 2, 2, dtype=float)
        learnt = network.learn(inputs, targets, sign)
        runs = [
            plain_run(net, shape, rule, x.transpose(2, 0, 1), y, sign) for x, y in zip(inputs, targets, strict=True)
        ]
        coefficient = 1 / (sign * rule.beta * count)
        free, nudged = ([run[phase] for run in runs] for phase in (0, 1))
        gradients = plain.conv_gradients(net, free, nudged, coefficient, shape.padding, shape.pool)
        expected = plain.follow(net, gradients, plain_rates(rule), strict=False)
        assert list(learnt.flips[::-1]) == expected
        flips += sum(expected)
        found = plain_convolutional(network)
        for layer in range(3):
            assert (found.signs[layer] == net.signs[layer]).all()
            np.testing.assert_allclose(found.momenta[layer], net.momenta[layer], rtol=0, atol=1e-13)
            np.testing.assert_allclose(found.biases[layer], net.biases[layer], rtol=0, atol=1e-13)
            np.testing.assert_allclose(found.scales[layer], net.scales[layer], rtol=0, atol=1e-13)
    assert flips >= 5


# The first momentum and biases


def test_first_values_are_those_of_the_published_code() -> None:
    rule = make_rule(3, momentum_rates=(0.01, 0.02, 0.03))
    dense = DenseNetwork((900, 400, 50, 20), rule, seed=3)
    for connection, fan_in in zip(dense.connections, dense.layers, strict=False):
        bound = fan_in**-0.5
        assert connection.scale == pytest.approx(round(bound / 2, 4), rel=0.05)
        assert connection.scale == pytest.approx(np.round(connection.scale, 4), abs=1e-7)
        assert 0.5 * bound < np.abs(connection.bias).max() <= bound
        assert np.abs(connection.signs.mean()) < 0.2
        assert set(np.unique(connection.signs)) == {-1, 1}
        assert not connection.raw.any()
        assert connection.strict
    shape = ConvolutionShape(image=(8, 8, 1), channels=(64, 32), outputs=20, side=3, padding=1)
    bits = ConvolutionalNetwork(shape, rule, seed=3)
    assert len(np.unique(bits.connections[0].scale)) > 30
    for connection, rate in zip(bits.connections, rule.momentum_rates, strict=True):
        assert connection.raw.std() == pytest.approx(2 * rate, rel=0.15)
        assert not connection.bias.any()
        assert not connection.strict
    real = ConvolutionalNetwork(shape, replace(rule, binary_activations=False), seed=3)
    for connection in real.connections:
        assert not connection.raw.any()
        assert connection.bias.all()


# Gradients against the loss


def loss(network: FloatNetwork[Any], inputs: Array, targets: Array) -> float:
    return float(((network.settle(inputs).outputs - targets) ** 2).sum()) / 2


def slope(network: FloatNetwork[Any], parameter: Array, place: tuple[int, ...], *data: Array) -> float:
    """Derivative of the loss by one number, from two free phases."""
    kept, width = parameter[place], 1e-5
    parameter[place] = kept + width
    above = loss(network, *data)
    parameter[place] = kept - width
    below = loss(network, *data)
    parameter[place] = kept
    return (above - below) / (2 * width)


def smooth(network: FloatNetwork[Any], generator: np.random.Generator) -> FloatNetwork[Any]:
    """Weights of any size with which all potentials stay off the ends of their range."""
    for connection in network.connections:
        connection.signs[:] = generator.normal(0, 0.6 / connection.signs.shape[1] ** 0.5, connection.signs.shape)
        connection.bias[:] = generator.uniform(0.4, 0.6, connection.bias.shape)
        connection.scale[:] = generator.uniform(0.3, 0.5, connection.scale.shape)
    return network


def smooth_networks() -> list[tuple[FloatNetwork[Any], float]]:
    """Networks with the factor that their gradient of scaling factors has."""
    generator = np.random.default_rng(0)
    rule = make_rule(3, binary_activations=False, free_steps=200, nudged_steps=200, beta=1e-3, scale_rates=(1, 1, 1))
    dense = DenseNetwork((5, 4, 6, 3), rule, dtype=np.float64)
    maps = ConvolutionShape(image=(6, 6, 2), channels=(3, 2), outputs=3, side=3, padding=1)
    convolutional = ConvolutionalNetwork(maps, rule, dtype=np.float64)
    return [(smooth(dense, generator), 0.5), (smooth(convolutional, generator), 1.0)]


@pytest.mark.parametrize(("network", "scale_factor"), smooth_networks())
def test_gradients_lead_down_the_loss(network: FloatNetwork[Any], scale_factor: float) -> None:
    generator = np.random.default_rng(4)
    shape = network.shape.image if isinstance(network, ConvolutionalNetwork) else (5,)
    inputs, targets = generator.random((3, *shape)), generator.integers(0, 2, (3, 3)).astype(float)
    free = network.settle(inputs)
    assert all(((values > 0.01) & (values < 0.99)).all() for values in free.potentials)
    # Between a positive and a negative nudge of the same size the error is of second order.
    ends = [network.gradients(free, network.settle_nudged(free, targets, sign)) for sign in (1, -1)]
    for index, connection in enumerate(network.connections):
        up, down = ends[0][index], ends[1][index]
        weights = np.zeros(connection.signs.shape)
        weights[up.rows] += up.weights
        weights[down.rows] -= down.weights
        for place in list(np.ndindex(*weights.shape))[:: max(1, weights.size // 8)]:
            expected = (
                -slope(network, connection.signs, place, inputs, targets)
                / connection.scale[place[0] % connection.scale.size]
            )
            assert weights[place] / (2 * network.rule.beta) == pytest.approx(expected, rel=1e-3, abs=1e-7)
        expected = -slope(network, connection.bias, (0,), inputs, targets)
        assert (up.bias - down.bias)[0] / (2 * network.rule.beta) == pytest.approx(expected, rel=1e-3, abs=1e-7)
        assert up.scale is not None
        assert down.scale is not None
        found = (up.scale - down.scale)[0] / (2 * network.rule.beta)
        expected = -slope(network, connection.scale, (0,), inputs, targets)
        if connection.scale.size == 1:
            # Of a common factor the published gradient is that of its logarithm.
            expected *= scale_factor * connection.scale[0]
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-7)
