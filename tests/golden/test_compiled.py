"""Compiled runs equal the golden model bit for bit."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import OscillatorNetwork, OscillatorRun
from attractor.golden.fast import CompiledNetwork, compiles, fastest
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator import FLIP_SHARES

from .test_oscillator import Case, cases

pytest.importorskip("numba", reason="compiled runs need Numba: pip install '.[fast]'")


def compiled_case(case: Case) -> Case:
    """The case with a schedule that can be compiled: no lock in entries with flips, and these at its end."""
    spec, parameters, *others = case
    schedule = np.array(parameters["schedule"])
    if spec.flips:
        schedule = schedule[np.argsort(schedule[:, 5] > 0, kind="stable")]
        schedule[schedule[:, 5] > 0, 3] = 0
    return (spec, {**parameters, "schedule": schedule}, *others)  # type: ignore[return-value]


def assert_equal(found: OscillatorRun, expected: OscillatorRun) -> None:
    for name in ("phases", "winner", "settled", "periods", "last_change", "aborted"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_small_networks(case: Case) -> None:
    spec, parameters, phases, clamp, seeds, draws = compiled_case(case)
    network = OscillatorNetwork(spec, parameters)
    assert compiles(network)
    options: dict[str, Any] = {"seeds": seeds, "random_start": draws}
    expected = network.run(phases, clamp, **options)
    assert_equal(CompiledNetwork(network).run(phases, clamp, **options), expected)
    assert_equal(CompiledNetwork(network).run(phases, clamp, stop=lambda: False, **options), expected)


def large_network(rng: np.random.Generator, lanes: int, *, flips: int, noise: int) -> OscillatorNetwork:
    spec = OscillatorSpec(oscillators=201, inputs=2, lanes=lanes, flips=True, schedule_entries=4)
    weights = rng.integers(-15, 16, (199, 201)) * (rng.random((199, 201)) < 0.1)
    schedule = np.zeros((4, 6), int)
    schedule[:3] = (2, noise, 1, 0, 0, 0), (3, noise, 0, 0, 0, flips), (2, 0, 0, 0, 1, flips)
    return OscillatorNetwork(spec, {"weights": weights, "schedule": schedule, "settle": 0})


@pytest.mark.parametrize("lanes", [7, 64, 65, 130, 199])
def test_networks_of_many_lanes(lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    for flips in range(1, len(FLIP_SHARES) + 1):
        network = large_network(rng, lanes, flips=flips, noise=int(rng.integers(0, 60)))
        phases = rng.integers(0, 2, (3, 201)) * 8
        clamp, seeds = rng.random(201) < 0.1, rng.integers(0, 1 << 62, 3)
        expected = network.run(phases, clamp, seeds=seeds)
        assert (expected.phases != phases).any()
        assert_equal(CompiledNetwork(network).run(phases, clamp, seeds=seeds), expected)


def test_threads_share_a_network() -> None:
    rng = np.random.default_rng(0)
    network = large_network(rng, 199, flips=5, noise=40)
    phases, seeds = rng.integers(0, 2, (8, 201)) * 8, rng.integers(0, 1 << 62, 8)
    compiled = CompiledNetwork(network)
    with ThreadPoolExecutor(4) as threads:
        runs = threads.map(lambda row: compiled.run(phases[[row]], seeds=seeds[[row]]).phases[0], range(8))
        np.testing.assert_array_equal(list(runs), network.run(phases, seeds=seeds).phases)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 3))
def test_it_stops_when_told(looks: int) -> None:
    network = large_network(np.random.default_rng(1), 199, flips=5, noise=40)
    phases = np.zeros((2, 201), int)
    left = iter([False] * looks)
    run = CompiledNetwork(network).run(phases, stop=lambda: next(left, True))
    assert run.aborted.tolist() == [looks < 1, looks < 2]


def test_what_is_not_compiled_runs_on_the_golden_model(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = OscillatorSpec(oscillators=4, flips=True, schedule_entries=2)
    parameters = {"weights": np.zeros((4, 4), int), "settle": 0}
    known = {**parameters, "schedule": np.array([[1, 3, 1, 3, 1, 0], [1, 3, 1, 0, 1, 2]])}
    locked = {**parameters, "schedule": np.array([[1, 3, 1, 3, 1, 0], [1, 3, 1, 1, 1, 2]])}
    turns_after = {**parameters, "schedule": np.array([[1, 3, 1, 0, 1, 2], [1, 3, 1, 3, 1, 0]])}
    kinds = [type(fastest(spec, each)) for each in (known, locked, turns_after)]
    assert kinds == [CompiledNetwork, OscillatorNetwork, OscillatorNetwork]
    monkeypatch.setitem(sys.modules, "numba", None)
    assert isinstance(fastest(spec, known), OscillatorNetwork)
