"""The float model of LIF neurons is what integer layers stand for: with wide words both do the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from attractor.golden import FelifNetwork
from attractor.physics.felif import FloatLayer, FloatNetwork
from attractor.spec import FelifLayer, FelifSpec

#: Integer voltage that stands for 1, and a scale that makes weights whole parts of it.
UNIT, SCALE = 1 << 20, 1 << 15


def pair(layer: FelifLayer, rng: np.random.Generator, sources: int) -> tuple[dict[str, np.ndarray], FloatLayer]:
    """Return integers, and in double precision exactly what they stand for."""
    n = layer.neurons
    weights = rng.integers(-8, 12, (n, sources))
    decay, synapse = rng.integers(8000, 32000, n), rng.integers(1000, 20000, n)
    threshold, reset = rng.integers(UNIT // 2, UNIT, n), rng.integers(-UNIT // 4, UNIT // 4, n)
    integers = {"weights": weights, "scale": np.full(n, SCALE), "bias": rng.integers(0, UNIT // 8, n), "decay": decay}
    if layer.spikes:
        integers["threshold"] = threshold
    integers |= {"synapse_decay": synapse} if layer.synapse else {}
    integers |= {"reset": reset} if layer.reset == "value" else {}
    exact = FloatLayer(
        weights=weights * SCALE / UNIT,
        bias=integers["bias"] / UNIT,
        decay=decay / 32768,
        threshold=threshold / UNIT if layer.spikes else None,
        reset=reset / UNIT if layer.reset == "value" else np.zeros(n),
        synapse_decay=synapse / 32768 if layer.synapse else None,
        recurrent=layer.recurrent,
        subtract=layer.reset == "subtract",
        strict=layer.strict,
    )
    return integers, exact


@pytest.mark.parametrize("reset", ["zero", "value", "subtract"])
@pytest.mark.parametrize("synapse", [False, True])
@pytest.mark.parametrize("last", ["lif", "readout"])
def test_wide_integers_do_the_same(reset: str, synapse: bool, last: str) -> None:
    rng = np.random.default_rng([len(reset), synapse, len(last)])
    shared: dict[str, Any] = {"weight_bits": 8, "scale_shift": 0, "state_bits": 32}
    hidden = FelifLayer(neurons=9, kind="lif", recurrent=True, synapse=synapse, reset=reset, strict=True, **shared)
    top = FelifLayer(neurons=4, kind=last, strict=last == "lif", **shared)
    spec = FelifSpec(inputs=6, layers=(hidden, top), ticks=40)
    parts = [pair(layer, rng, spec.sources(index)) for index, layer in enumerate(spec.layers)]
    parameters = {f"{name}_{index}": array for index, (own, _) in enumerate(parts) for name, array in own.items()}
    frames = rng.integers(0, 2, (5, 40, 6))
    integer = FelifNetwork(spec, parameters).run(frames, trace=True)
    exact = FloatNetwork(tuple(layer for _, layer in parts)).run(frames)
    assert integer.traces is not None
    for index, trace in enumerate(integer.traces):
        np.testing.assert_array_equal(exact.spikes[index], trace.spikes)
        np.testing.assert_allclose(trace.voltage / UNIT, exact.voltages[index], atol=1e-3)
    assert 0 < exact.spikes[0].mean() < 1
    scale = 1 if last == "lif" else UNIT
    np.testing.assert_allclose(exact.outputs, integer.outputs / scale, atol=1e-3)


def test_equality_with_the_threshold() -> None:
    one = np.ones(1)
    for strict, spikes in ((True, 0), (False, 3)):
        layer = FloatLayer(np.ones((1, 1)), 0 * one, 0 * one, one, 0 * one, strict=strict)
        assert FloatNetwork((layer,)).run(np.ones((1, 3, 1))).outputs[0, 0] == spikes


def test_what_does_not_fit_is_refused() -> None:
    zeros = np.zeros(2)
    layer = FloatLayer(np.ones((2, 3)), zeros, zeros, np.ones(2), zeros)
    readout = FloatLayer(np.ones((2, 2)), zeros, zeros, None, zeros)
    with pytest.raises(ValueError, match="at least one layer"):
        FloatNetwork(())
    with pytest.raises(ValueError, match="layer 1 has 3 sources below, but layer 0 has 2 neurons"):
        FloatNetwork((layer, layer))
    with pytest.raises(ValueError, match="layer 1 is a read-out"):
        FloatNetwork((layer, readout, readout))
    with pytest.raises(ValueError, match=r"shape \(4, 2\); a tick takes shape \(batch, 3\)"):
        FloatNetwork((layer,)).step(FloatNetwork((layer,)).start(4), np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"\(batch, ticks, inputs\)"):
        FloatNetwork((layer,)).run(np.ones((4, 3)))
