from __future__ import annotations

import itertools
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
    Gradient,
    Rule,
    class_means,
    one_hot,
)
from attractor.physics.eqprop.maps import convolve, convolve_transposed, correlate, pool, unpool
from attractor.physics.eqprop.rule import sent

Array = npt.NDArray[Any]

# Maps


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Array, Array, int, int]:
    """Integer maps and filters, their side and the padding."""
    side = draw(st.integers(1, 4))
    padding = draw(st.integers(0, side - 1))
    batch, incoming, outgoing = (draw(st.integers(1, 3)) for _ in range(3))
    rows, columns = (draw(st.integers(max(1, side - 2 * padding), 7)) for _ in range(2))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    maps = generator.integers(-5, 6, (batch, rows, columns, incoming)).astype(float)
    return maps, generator.integers(-5, 6, (outgoing, side * side * incoming)).astype(float), side, padding


@settings(deadline=None, max_examples=60)
@given(convolutions(), st.integers(0, 2**32 - 1))
def test_convolution_and_its_two_adjoints(case: tuple[Array, Array, int, int], seed: int) -> None:
    maps, filters, side, padding = case
    result = convolve(maps, filters, side, padding)
    padded = np.pad(maps, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    for place in np.ndindex(*result.shape):
        image, row, column, channel = place
        window = padded[image, row : row + side, column : column + side]
        assert result[place] == (window * filters[channel].reshape(window.shape)).sum()
    other = np.random.default_rng(seed).integers(-5, 6, result.shape).astype(float)
    product = (result * other).sum()
    back = convolve_transposed(other, filters, side, padding)
    assert back.shape == maps.shape
    assert (maps * back).sum() == product
    assert (filters * correlate(maps, other, side, padding)).sum() == product


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_pooling_and_its_inverse(side: int, rows: int, columns: int, seed: int) -> None:
    rows, columns = max(rows, side), max(columns, side)
    maps = np.random.default_rng(seed).integers(-2, 3, (2, rows, columns, 3)).astype(float)
    values, indices = pool(maps, side)
    for image, row, column, channel in np.ndindex(*values.shape):
        square = maps[image, row * side : (row + 1) * side, column * side : (column + 1) * side, channel]
        assert values[image, row, column, channel] == square.max()
        assert indices[image, row, column, channel] == square.argmax()  # the first of equal ones
    spread = unpool(values, indices, side, (rows, columns))
    assert spread.shape == maps.shape
    assert ((spread == maps) | (spread == 0)).all()
    assert (spread != 0).sum() == (values != 0).sum()
    # Unpooling is the transpose of looking at the points with these indices.
    other = np.random.default_rng(seed + 1).integers(1, 6, values.shape).astype(float)
    raised = unpool(other, indices, side, (rows, columns))
    assert (raised * maps).sum() == (other * values).sum()
    again, where = pool(raised, side)
    assert (again == other).all()
    assert (where == indices).all()


# Weights


def connection(signs: Array, *, strict: bool, rate: float = 0.5, threshold: float = 0.25, **changes: Any) -> Connection:
    fields = {
        "signs": signs.astype(float),
        "scale": np.ones(1),
        "bias": np.zeros(len(signs)),
        "momentum_rate": rate,
        "flip_threshold": threshold,
        "bias_rate": 0.5,
        "scale_rate": None,
        "strict": strict,
        "raw": np.zeros(signs.shape),
    }
    return Connection(**fields | changes)


@pytest.mark.parametrize(("strict", "flipped"), [(True, [-1, -1, 1, -1]), (False, [-1, 1, -1, -1])])
def test_a_weight_flips_against_its_sign_at_the_threshold(strict: bool, flipped: list[int]) -> None:
    # Momenta of 1/4 against and along both signs.
    weights = connection(np.array([[1, -1, 1, -1]]), strict=strict)
    gradient = np.array([[-2.0, 2.0, -2.0, -2.0]])
    gradient[0, 0] = -2.5
    flips = weights.learn(Gradient(gradient, np.array([3.0])), 0.25)
    assert weights.signs.tolist() == [flipped]
    assert flips == (1 if strict else 3)
    assert weights.momentum.tolist() == [[-0.3125, 0.25, -0.25, -0.25]]
    assert weights.bias.tolist() == [0.375]


@settings(deadline=None, max_examples=40)
@given(st.floats(0.01, 1.0), st.integers(0, 2**32 - 1), st.booleans())
def test_a_common_factor_of_the_momentum_changes_nothing(rate: float, seed: int, strict: bool) -> None:
    # Rows without gradient are left out; all are tested in the plain rule beside it.
    generator = np.random.default_rng(seed)
    signs = generator.choice([-1.0, 1.0], (6, 5))
    sparse = connection(signs, strict=strict, rate=rate, threshold=0.0613)
    momentum = np.zeros((6, 5))
    for _ in range(60):
        gradient = generator.normal(0, 1, (6, 5)) * (generator.random(6) < 0.4)[:, None]
        rows = np.flatnonzero(gradient.any(axis=1))
        found = sparse.learn(Gradient(gradient[rows], np.zeros(6), rows=rows), 0.5)
        momentum = (1 - rate) * momentum + rate * 0.5 * gradient
        against = -signs * momentum
        flips = against > 0.0613 if strict else against >= 0.0613
        signs = np.where(flips, -signs, signs)
        assert found == flips.sum()
        assert (sparse.signs == signs).all()
        np.testing.assert_allclose(sparse.momentum, momentum, rtol=0, atol=1e-12)
    assert 1e-3 <= sparse.factor <= 1


def test_a_scaling_factor_stays_positive() -> None:
    weights = connection(np.ones((1, 2)), strict=True, scale_rate=1.0)
    with pytest.raises(ArithmeticError, match=r"fell to -0\.5; lower scale_rates"):
        weights.learn(Gradient(np.zeros((1, 2)), np.zeros(1), np.array([-3.0])), 0.5)


# Phases


def small_rule(**changes: Any) -> Rule:
    fields = {
        "binary_activations": True,
        "free_steps": 12,
        "nudged_steps": 8,
        "beta": 2.0,
        "momentum_rates": (1e-4, 1e-4, 1e-4),
        "flip_thresholds": (4e-5, 4e-5, 4e-5),
        "bias_rates": (0.0, 0.0, 0.0),
    }
    return Rule(**fields | changes)


def networks(rule: Rule, seed: int = 0) -> list[FloatNetwork[Any]]:
    shape = ConvolutionShape(image=(8, 8, 1), channels=(4, 6), outputs=6, side=3, padding=1)
    return [DenseNetwork((64, 40, 20, 6), rule, seed=seed), ConvolutionalNetwork(shape, rule, seed=seed)]


def bars(count: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """Images of 8x8 pixels with a lying, standing or leaning bar somewhere, and noise; three classes."""
    images, labels = generator.random((count, 8, 8)) * 0.2, generator.integers(0, 3, count)
    for image, label in zip(images, labels, strict=True):
        place = generator.integers(1, 7)
        if label == 2:
            np.fill_diagonal(image[:, ::-1], 1)
        else:
            (image if label else image.T)[place] = 1
    return images.astype(np.float32), labels


@pytest.mark.parametrize("binary", [True, False])
def test_stopping_where_nothing_changes_is_no_change(binary: bool) -> None:
    rule = small_rule(binary_activations=binary, free_steps=60, nudged_steps=60)
    images, labels = bars(9, np.random.default_rng(2))
    targets = one_hot(labels, 3, 2)
    for network in networks(rule):
        inputs = images.reshape(9, -1) if isinstance(network, DenseNetwork) else images[..., None]
        free = network.settle(inputs)
        nudged = network.settle_nudged(free, targets, 1)
        state = network.start(inputs)
        changed = [network.step(state) for _ in range(rule.free_steps)]
        assert all(map(np.array_equal, state.potentials, free.potentials))
        nudge = network.nudge(state, targets, rule.beta)
        changed += [network.step(state, nudge) for _ in range(rule.nudged_steps)]
        assert all(map(np.array_equal, state.potentials, nudged.potentials))
        assert changed[0]
        if binary and isinstance(network, DenseNetwork):
            assert not changed[59]


@pytest.mark.parametrize("binary", [True, False])
def test_networks_of_a_batch_do_not_know_of_each_other(binary: bool) -> None:
    images, _ = bars(5, np.random.default_rng(3))
    for network in networks(small_rule(binary_activations=binary)):
        inputs = images.reshape(5, -1) if isinstance(network, DenseNetwork) else images[..., None]
        together = network.settle(inputs).outputs
        for index in range(5):
            alone = network.settle(inputs[index : index + 1]).outputs[0]
            np.testing.assert_allclose(together[index], alone, rtol=0, atol=1e-5)


def test_a_potential_in_the_middle_sends_a_one() -> None:
    below = np.nextafter(np.float32(0.5), np.float32(0))
    assert sent(np.array([below, 0.5], np.float32), binary_activations=True).tolist() == [0, 1]


def test_of_equal_sums_the_first_is_pooled() -> None:
    """Whatever the scaling factors, and though the same products added one after the other would not be equal."""
    generator = np.random.default_rng(4)
    shape = ConvolutionShape(image=(9, 9, 1), channels=(6, 5), outputs=6, side=3, padding=1)
    network = ConvolutionalNetwork(shape, small_rule(binary_activations=True), seed=1)
    inputs = generator.integers(0, 2, (20, *shape.image))
    filters = network.connections[0]
    filters.scale[:] = generator.uniform(0.01, 0.3, filters.scale.shape)
    state = network.start(inputs)
    network.step(state)
    exact = convolve(inputs.astype(np.int64), filters.signs.astype(np.int64), shape.side, shape.padding)
    squares = exact[:, :8, :8].reshape(20, 4, 2, 4, 2, 6).transpose(0, 1, 3, 5, 2, 4).reshape(20, 4, 4, 6, 4)
    assert (state.indices[0] == squares.argmax(axis=-1)).all()
    ties = (squares == squares.max(axis=-1, keepdims=True)).sum(axis=-1) > 1
    assert 0.2 < ties.mean() < 0.9


def learnt_bars(network: FloatNetwork[Any], replicas: int, scale: float) -> float:
    """Return the error on other bars than those that were learnt; two of three is chance.

    ``scale`` multiplies the first scaling factors: with the published ones so small a network is rather quiet.
    """
    for connection in network.connections:
        connection.scale *= scale
    generator = np.random.default_rng(0)
    images, labels = bars(700, generator)
    inputs = images.reshape(700, -1) if isinstance(network, DenseNetwork) else images[..., None]
    targets = one_hot(labels, 3, replicas)
    for _, start in itertools.product(range(6), range(0, 500, 20)):
        chosen = slice(start, start + 20)
        network.learn(inputs[chosen], targets[chosen], int(generator.choice((1, -1))))
    winners = class_means(network.settle(inputs[500:]).outputs, 3).argmax(axis=1)
    return float((winners != labels[500:]).mean())


def events(beta: float, *counts: float) -> tuple[float, ...]:
    """Thresholds that so many events exceed, with a momentum rate of 1e-4 and mini-batches of 20."""
    return tuple(count * 1e-4 / (beta * 20) for count in counts)


def test_small_networks_learn() -> None:
    two = {"momentum_rates": (1e-4, 1e-4), "bias_rates": (0.0, 0.0)}
    bits = small_rule(flip_thresholds=events(2.0, 8, 8), **two)
    assert learnt_bars(DenseNetwork((64, 150, 30), bits), 10, 1.0) < 0.2
    bits = small_rule(beta=1.0, flip_thresholds=events(1.0, 16, 16, 16))
    shape = ConvolutionShape(image=(8, 8, 1), channels=(8, 16), outputs=30, side=3, padding=1)
    assert learnt_bars(ConvolutionalNetwork(shape, bits, start_noise=0), 10, 1.5) < 0.2
    real = {"binary_activations": False, "beta": 0.3, "free_steps": 20, "bias_rates": (0.02, 0.02, 0.02)}
    rule = small_rule(**real, flip_thresholds=events(0.3, 1.6, 1.6, 1.6))
    assert learnt_bars(DenseNetwork((64, 40, 20, 6), rule), 2, 2.0) < 0.2
    rule = small_rule(**real, flip_thresholds=events(0.3, 10, 10, 10))
    shape = ConvolutionShape(image=(8, 8, 1), channels=(4, 8), outputs=6, side=3, padding=1)
    assert learnt_bars(ConvolutionalNetwork(shape, rule), 2, 1.0) < 0.2


# Errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"free_steps": 0}, "free_steps is 0"),
        ({"beta": -1.0}, r"beta is -1\.0"),
        ({"momentum_rates": (0.1, 0.0, 0.1)}, r"a momentum rate is 0\.0"),
        ({"flip_thresholds": (0.1, 0.1)}, "flip_thresholds has 2 entries, momentum_rates 3"),
        ({"flip_thresholds": (0.1, 0.0, 0.1)}, "a threshold must be positive"),
        ({"scale_rates": (0.1,)}, "scale_rates has 1 entries"),
        ({"bias_rates": (0.1, -0.1, 0.1)}, "is negative"),
    ],
)
def test_a_rule_has_ranges(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_rule(**changes)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"layers is \(3, 2\)"):
        DenseNetwork((3, 2), small_rule())
    with pytest.raises(ValueError, match="the rule is for 3 connections"):
        DenseNetwork((3, 2, 2), small_rule())
    with pytest.raises(ValueError, match=r"shrink to .*\(-1, -1\)"):
        ConvolutionShape(image=(8, 8, 1), channels=(2, 2), outputs=2, padding=0, side=5)
    with pytest.raises(ValueError, match="padding is 5"):
        ConvolutionShape(image=(8, 8, 1), channels=(2, 2), outputs=2, padding=5, side=5)
    dense, convolutional = networks(small_rule())
    with pytest.raises(ValueError, match=r"inputs have shape \(2, 9\)"):
        dense.settle(np.zeros((2, 9)))
    with pytest.raises(ValueError, match=r"inputs have shape \(2, 8, 8\)"):
        convolutional.settle(np.zeros((2, 8, 8)))
    with pytest.raises(ValueError, match=r"targets have shape \(2, 5\)"):
        dense.learn(np.zeros((2, 64)), np.zeros((2, 5)))
    with pytest.raises(ValueError, match="sign of beta is 0"):
        dense.learn(np.zeros((2, 64)), np.zeros((2, 6)), 0)
    with pytest.raises(ValueError, match="labels run from 0 to 3; they must be 0 to 2"):
        one_hot([0, 3], 3)


def test_targets_and_read_out() -> None:
    assert one_hot([1, 0], 2, 3).tolist() == [[0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0]]
    assert class_means(np.array([[0.0, 0.5, 1.0, 0.0]]), 2).tolist() == [[0.25, 0.5]]
