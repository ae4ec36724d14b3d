"""Sparse networks: equal to dense ones of the same couplings, and compiled equal to both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden.fast import CompiledNetwork, compiles
from attractor.golden.noise import NoiseGenerator
from attractor.golden.oscillator import OscillatorNetwork
from attractor.golden.sparse import SparseNetwork, couplings_of
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator import FLIP_SHARES, NOISE_SHIFTS
from attractor.spec.sparse import NOISE_OFFSETS, SparseSpec


@st.composite
def cases(draw: st.DrawFn, *, noisy: bool = True) -> tuple[SparseSpec, np.ndarray, dict[str, Any], dict[str, Any]]:
    """Return a network, its weights, all its parameters, and the arguments of a run."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    oscillators = draw(st.integers(2, 90))
    inputs = draw(st.integers(0, oscillators - 1))
    targets, binary = oscillators - inputs, draw(st.booleans())
    weights = rng.integers(-7, 8, (targets, oscillators))
    weights *= rng.random(weights.shape) < draw(st.sampled_from([0.02, 0.1, 1.0]))
    spec = SparseSpec(
        oscillators=oscillators,
        inputs=inputs,
        weight_bits=4,
        lanes=draw(st.integers(1, min(64, targets))),
        couplings=max(int(np.count_nonzero(weights)), 1),
        strength=max(int(np.abs(weights).sum(axis=1).max()), 1),
        fraction_bits=draw(st.integers(0, 3)) if noisy else 0,
        flips=True,
        binary=binary,
        random_start=noisy,
        schedule_entries=3,
    )
    schedule = np.zeros((3, 6), int)
    schedule[:, 0], schedule[:, 2], schedule[:, 4] = rng.integers(1, 4, 3), rng.integers(0, 9), rng.integers(0, 2, 3)
    # Turns first, as compiled code wants it.
    schedule[:, 5] = rng.integers(1, len(FLIP_SHARES) + 1, 3)
    schedule[: 0 if binary else draw(st.integers(0, 3)), 5] = 0
    if noisy:
        schedule[:, 1] = rng.integers(0, spec.largest_amplitude + 1, 3) * rng.integers(0, 2, 3)
    else:
        schedule[:, 5] = np.minimum(schedule[:, 5], 1)
    parameters = {**couplings_of(spec, weights), "schedule": schedule, "settle": np.array(rng.integers(0, 3))}
    run: dict[str, Any] = {
        "phases": rng.integers(0, 2, (3, oscillators)) * 8 if binary else rng.integers(0, 16, (3, oscillators)),
        "clamp": rng.random(oscillators) < 0.1,
        "seeds": rng.integers(0, 1 << 62, 3),
        "random_start": noisy and draw(st.booleans()),
    }
    return spec, weights, parameters, run


@settings(max_examples=100, deadline=None)
@given(cases(noisy=False))
def test_without_random_bits_it_is_the_dense_network(case: Any) -> None:
    spec, weights, parameters, run = case
    sizes = {"oscillators": spec.oscillators, "inputs": spec.inputs, "weight_bits": 4, "schedule_entries": 3}
    dense = OscillatorNetwork(
        OscillatorSpec(**sizes, flips=True),
        {"weights": weights, "schedule": parameters["schedule"], "settle": parameters["settle"]},
    )
    found, expected = (network.run(**run, trace=True) for network in (SparseNetwork(spec, parameters), dense))
    for name in ("trace", "settled", "periods", "last_change"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_compiled_runs(case: Any) -> None:
    pytest.importorskip("numba", reason="compiled runs need Numba: pip install '.[fast]'")
    spec, _, parameters, run = case
    network = SparseNetwork(spec, parameters)
    assert compiles(network)
    found, expected = CompiledNetwork(network).run(**run), network.run(**run)
    for name in ("phases", "settled", "periods", "last_change"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


class DenseSums(SparseNetwork):
    """The same network with the products of all weights."""

    def _sums(self, levels: np.ndarray, few: np.ndarray | None = None) -> np.ndarray:
        columns = self.field_columns().toarray() >> self.spec.fraction_bits
        return levels.astype(np.int64) @ (columns if few is None else columns[:, few]).T


@settings(max_examples=60, deadline=None)
@given(cases())
def test_sums_of_what_is_coupled(case: Any) -> None:
    spec, _, parameters, run = case
    found, expected = (kind(spec, parameters).run(**run, trace=True) for kind in (SparseNetwork, DenseSums))
    np.testing.assert_array_equal(found.trace, expected.trace)


def test_noise_by_hand() -> None:
    """One target without couplings: it follows the noise alone, a word for each slot."""
    spec = SparseSpec(
        oscillators=1 + 1, inputs=1, couplings=1, strength=64, lanes=1, flips=True, binary=True, schedule_entries=1
    )
    weights = np.zeros((1, 2), int)
    parameters = {**couplings_of(spec, weights), "schedule": [[4, 40, 0, 0, 0, 1]], "settle": 0}
    trace = SparseNetwork(spec, parameters).run([[0, 0]], seeds=[12345], trace=True).trace
    assert trace is not None
    noise, phase, found = NoiseGenerator([12345], 1), 0, []
    for slot in range(4 * spec.period):
        word = int(noise.words[0])
        noise.skip(1)
        field = sum(
            -(40 >> shift) if word >> offset & 1 else 40 >> shift
            for shift, offset in zip(NOISE_SHIFTS, NOISE_OFFSETS, strict=True)
        )
        if field:
            phase = 0 if (field > 0) == (slot % 16 < 8) else 8
        found.append(phase)
    assert trace[1:, 0, 1].tolist() == found
    assert len(set(found)) == 2
