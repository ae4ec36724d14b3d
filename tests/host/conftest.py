"""What the host's tests share: random models, and devices on simulated lines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from attractor.host import Model
from attractor.spec import OscillatorSpec


def make_model(spec: OscillatorSpec, seed: int = 0, periods: int = 20) -> Model:
    random = np.random.default_rng(seed)
    weights = random.integers(spec.weight_low, spec.weight_high + 1, (spec.targets, spec.oscillators))
    parameters = {"weights": weights, "schedule": spec.schedule(periods), "settle": np.array(2)}
    return Model(spec, parameters, {"data set": "random", "seed": seed})


@pytest.fixture
def spec() -> OscillatorSpec:
    return OscillatorSpec(oscillators=24, inputs=4, labels=3, lanes=7, schedule_entries=2)


@pytest.fixture
def model(spec: OscillatorSpec) -> Model:
    return make_model(spec)


@pytest.fixture(scope="session")
def random_model() -> Callable[..., Model]:
    return make_model
