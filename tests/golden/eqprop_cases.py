"""Random Equilibrium Propagation networks and what they learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from attractor.golden import EqPropNetwork
from attractor.spec import EqPropSpec

from .reference_eqprop import Reference, Sample


@dataclass
class Case:
    """A network, and mini-batches that it learns from one after the other."""

    spec: EqPropSpec
    parameters: dict[str, np.ndarray]
    batches: list[list[Sample]]
    thresholds: list[int]

    def reference(self) -> Reference:
        connections = range(len(self.spec.layers) - 1)
        weights, counters = (
            [self.parameters[f"{kind}_{c}"].tolist() for c in connections] for kind in ("weights", "counters")
        )
        free, nudged = self.parameters["steps"].tolist()
        return Reference(self.spec, weights, counters, (free, nudged))


@st.composite
def cases(draw: st.DrawFn, *, sizes: int = 7, batches: int = 3, samples: int = 4) -> Case:
    classes, replicas = draw(st.integers(2, 3)), draw(st.integers(1, 3))
    hidden = draw(st.lists(st.integers(1, sizes), min_size=1, max_size=3))
    layers = (draw(st.integers(1, 2 * sizes)), *hidden, classes * replicas)
    # Small states let bits change at small sums; odd and even ones have their half in different places.
    high = draw(
        st.lists(st.sampled_from([1, 2, 3, 4, 5, 9, 50, 255]), min_size=len(layers) - 1, max_size=len(layers) - 1)
    )
    spec = EqPropSpec(
        layers=layers,
        classes=classes,
        state_high=tuple(high),
        nudge_shift=draw(st.integers(0, 4)),
        counter_bits=draw(st.integers(2, 6)),
        lanes=draw(st.integers(0, max(layers[1:]))),
        learning=True,
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parameters: dict[str, np.ndarray] = {"steps": np.array([draw(st.integers(1, 9)), draw(st.integers(1, 7))])}
    for c in range(len(layers) - 1):
        shape = (layers[c + 1], layers[c])
        parameters[f"weights_{c}"] = rng.choice([-1, 1], shape)
        parameters[f"counters_{c}"] = rng.integers(-spec.counter_high, spec.counter_high + 1, shape)
    labels = st.integers(0, classes - 1) | st.just(255)
    chosen = [
        [
            Sample(rng.integers(0, 2, layers[0]).tolist(), draw(labels), draw(st.sampled_from([-1, 1])))
            for _ in range(draw(st.integers(1, samples)))
        ]
        for _ in range(draw(st.integers(1, batches)))
    ]
    thresholds = [draw(st.integers(0, spec.counter_high + 1)) for _ in range(len(layers) - 1)]
    return Case(spec, parameters, chosen, thresholds)


def teaching_samples(
    spec: EqPropSpec, parameters: Mapping[str, Any], thresholds: Sequence[int], count: int, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bits, labels and sigmas of samples of which each changes what the ones before it have left."""
    network, random = EqPropNetwork(spec, parameters), np.random.default_rng(seed)
    kept = []
    while len(kept) < count:
        bits, label = random.integers(0, 2, spec.layers[0]), random.integers(spec.classes)
        sigma, before = random.choice([-1, 1]), dict(network.parameters)
        network.learn(bits[None], [label], sigma, thresholds)
        if any((network.parameters[name] != array).any() for name, array in before.items()):
            kept.append((bits, label, sigma))
    bits, labels, sigmas = map(np.array, zip(*kept, strict=True))
    return bits, labels, sigmas
