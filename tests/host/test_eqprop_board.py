"""Equilibrium Propagation on the golden board: what it learns is what is read back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from attractor.golden import EqPropNetwork
from attractor.host import Device, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import EqPropSpec

SPEC = EqPropSpec(layers=(21, 13, 7, 6), classes=3, state_high=4, counter_bits=3, lanes=5, learning=True)
THRESHOLDS = [1, 1, 1]


def random_model(seed: int = 0) -> Model:
    rng = np.random.default_rng(seed)
    parameters: dict[str, np.ndarray] = {"steps": np.array([8, 6])}
    for c in range(SPEC.connections):
        shape = (SPEC.layers[c + 1], SPEC.layers[c])
        parameters[f"weights_{c}"] = rng.choice([-1, 1], shape)
        parameters[f"counters_{c}"] = rng.integers(-2, 3, shape)
    return Model(SPEC, parameters)


@pytest.fixture
def board() -> GoldenBoard:
    return GoldenBoard(SPEC)


@pytest.fixture
def device(board: GoldenBoard) -> Iterator[Device]:
    with Device.open(board) as opened:
        opened.load(random_model())
        yield opened


def test_the_device_learns_what_the_golden_model_learns(device: Device, board: GoldenBoard) -> None:
    network = EqPropNetwork(SPEC, random_model().parameters)
    rng = np.random.default_rng(1)
    flips = 0
    for index in range(80):
        bits, label, sigma = rng.integers(0, 2, 21), int(rng.integers(0, 3)), int(rng.integers(-1, 2))
        inputs = SPEC.encode_input(bits, sigma=sigma, label=label, thresholds=THRESHOLDS)
        result = SPEC.decode_output(device.call(inputs))
        assert result.encode() == network.call(inputs)
        assert result.learnt == (sigma != 0)
        flips += result.flips
        if index % 8 == 0:
            found = device.read_parameters()
            assert all((found[name] == array).all() for name, array in network.parameters.items())
        assert board.parameter_windows() == SPEC.encode_parameters(network.parameters)
    assert flips > 20
    assert board.parameters_valid
