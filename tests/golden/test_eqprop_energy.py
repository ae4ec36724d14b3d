"""The energy of docs/eqprop.md: ``E = sum_i h_i b_i - sum_ij w_ij b_i b_j``, with the bits b and h half of a state."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import EqPropNetwork
from attractor.golden.eqprop import EqPropState
from attractor.spec import EqPropSpec

seeds = st.integers(0, 2**32 - 1)


def random_network(seed: int, *, steps: int = 60) -> tuple[EqPropNetwork, np.ndarray]:
    """Return a network with two hidden layers, and random input bits."""
    rng = np.random.default_rng(seed)
    highs = tuple(rng.choice([1, 2, 3, 4, 9, 50], 3).tolist())
    spec = EqPropSpec(layers=(20, 13, 9, 6), classes=3, state_high=highs, learning=True)
    parameters: dict[str, np.ndarray] = {"steps": np.array([steps, steps])}
    for c in range(3):
        shape = (spec.layers[c + 1], spec.layers[c])
        parameters[f"weights_{c}"] = rng.choice([-1, 1], shape)
        parameters[f"counters_{c}"] = np.zeros(shape, int)
    return EqPropNetwork(spec, parameters), rng.integers(0, 2, (8, 20))


def halves(spec: EqPropSpec) -> np.ndarray:
    """The smallest state of each neuron that is on."""
    return np.repeat([(high + 1) // 2 for high in spec.state_highs], spec.layers[1:])


def energy(network: EqPropNetwork, inputs: np.ndarray, bits: np.ndarray) -> int:
    """E of one sample, from the definition."""
    layers = [inputs.astype(int), *(bits[part].astype(int) for part in network.spec.neurons)]
    products = [
        int(above @ network.parameters[f"weights_{c}"].astype(int) @ below)
        for c, (below, above) in enumerate(pairwise(layers))
    ]
    return int(halves(network.spec) @ bits) - sum(products)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_the_sum_is_the_slope_of_the_energy(seed: int) -> None:
    """Switching neuron i on changes E by ``h_i`` minus its sum."""
    network, inputs = random_network(seed)
    states = np.random.default_rng(seed).integers(0, network._highs + 1, (8, network.spec.targets)).astype(np.int16)
    state = EqPropState(states, network.start(inputs).drive)
    bits, sums = network.bits(states), network._sums(state)
    for sample in range(8):
        for neuron in range(network.spec.targets):
            off, on = bits[sample].copy(), bits[sample].copy()
            off[neuron], on[neuron] = False, True
            rise = energy(network, inputs[sample], on) - energy(network, inputs[sample], off)
            assert rise == halves(network.spec)[neuron] - sums[sample, neuron]


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_a_neuron_that_settles_alone_never_raises_the_energy(seed: int) -> None:
    network, inputs = random_network(seed)
    rng = np.random.default_rng(seed)
    states = rng.integers(0, network._highs + 1, (8, network.spec.targets)).astype(np.int16)
    alone = rng.integers(0, network.spec.targets)
    state = EqPropState(states.copy(), network.start(inputs).drive)
    for _ in range(60):
        network.step(state)
        others = np.arange(network.spec.targets) != alone
        state.states[:, others] = states[:, others]
    before, after = network.bits(states), network.bits(state.states)
    for sample in range(8):
        assert energy(network, inputs[sample], after[sample]) <= energy(network, inputs[sample], before[sample])


def test_a_settled_network_is_in_a_minimum() -> None:
    """No single inversion of a bit lowers E; most free phases of random networks do settle."""
    settled = 0
    for seed in range(30):
        network, inputs = random_network(seed)
        run = network.run(inputs)
        bits = network.bits(run.states)
        for sample in np.flatnonzero(run.settled):
            settled += 1
            least = energy(network, inputs[sample], bits[sample])
            for neuron in range(network.spec.targets):
                inverted = bits[sample].copy()
                inverted[neuron] ^= True
                assert energy(network, inputs[sample], inverted) >= least
    assert settled > 120
