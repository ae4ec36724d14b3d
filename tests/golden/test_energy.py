"""The triangular energy of docs/oscillators.md, in integers: ``P E = -1/2 sum W_ij (P - 4 |phi_i - phi_j|)``."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import OscillatorNetwork
from attractor.spec import OscillatorSpec

seeds = st.integers(0, 2**32 - 1)


def energy(weights: np.ndarray, phases: np.ndarray, period: int) -> np.ndarray:
    """P E for phases of shape (..., oscillators), as a sum over pairs: W is symmetric with zero diagonal."""
    apart = np.abs(phases[..., :, None].astype(int) - phases[..., None, :].astype(int))
    shortest = np.minimum(apart, period - apart)
    return -np.triu(weights * (period - 4 * shortest)).sum(axis=(-2, -1))


def symmetric(generator: np.random.Generator, count: int) -> np.ndarray:
    upper = np.triu(generator.integers(-15, 16, (count, count)), 1)
    return upper + upper.T


def network(weights: np.ndarray, phase_bits: int, periods: int, max_step: int | None = None) -> OscillatorNetwork:
    spec = OscillatorSpec(oscillators=len(weights), phase_bits=phase_bits, schedule_entries=1)
    schedule = spec.schedule(periods, max_step=max_step)
    return OscillatorNetwork(spec, {"weights": weights, "schedule": schedule, "settle": np.array(0)})


def all_but(count: int, free: int) -> np.ndarray:
    return np.arange(count) != free


def energies_of_one(weights: np.ndarray, phases: np.ndarray, free: int, period: int) -> np.ndarray:
    """P E for every phase of one oscillator, the others as they are."""
    rows = np.repeat(phases[None], period, axis=0)
    rows[:, free] = np.arange(period)
    return energy(weights, rows, period)


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(2, 8), st.integers(3, 6))
def test_the_field_is_the_slope_of_the_energy(seed: int, count: int, phase_bits: int) -> None:
    generator = np.random.default_rng(seed)
    weights = symmetric(generator, count)
    model = network(weights, phase_bits, 1)
    period = model.spec.period
    phases = generator.integers(0, period, count)
    state = model.start(phases[None], np.ones(count, bool))
    for slot in range(period):
        model.step(state)
        for i in range(count):
            at = energies_of_one(weights, phases, i, period)
            assert at[(slot + 1) % period] - at[slot] == 4 * state.sums[0, i]


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 9), st.integers(3, 6), st.data())
def test_no_step_raises_the_energy_among_binary_phases(
    seed: int, count: int, phase_bits: int, data: st.DataObject
) -> None:
    generator = np.random.default_rng(seed)
    weights = symmetric(generator, count)
    half = 1 << (phase_bits - 1)
    model = network(weights, phase_bits, 2, data.draw(st.integers(1, half)))
    free = data.draw(st.integers(0, count - 1))
    phases = half * generator.integers(0, 2, count)
    phases[free] = data.draw(st.integers(0, 2 * half - 1))
    run = model.run(phases[None], all_but(count, free), trace=True)
    assert run.trace is not None
    assert (np.diff(energy(weights, run.trace[:, 0], 2 * half)) <= 0).all()


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(3, 9), st.integers(3, 5))
def test_jumps_one_by_one_end_in_a_minimum(seed: int, count: int, phase_bits: int) -> None:
    generator = np.random.default_rng(seed)
    weights = symmetric(generator, count)
    model = network(weights, phase_bits, 1)
    period = model.spec.period
    phases = period // 2 * generator.integers(0, 2, count)
    before = energy(weights, phases, period)
    still = 0
    for step in range(count * 2**count):
        following = model.run(phases[None], all_but(count, step % count)).phases[0].astype(int)
        after = energy(weights, following, period)
        assert after <= before
        still = still + 1 if (following == phases).all() else 0
        phases, before = following, after
        if still == count:
            break
    assert still == count
    levels = np.where(phases == 0, 1, -1)
    assert (levels * (weights @ levels) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 9), st.integers(3, 6), st.data())
def test_no_step_raises_the_energy_of_a_field_that_rises_once(
    seed: int, count: int, phase_bits: int, data: st.DataObject
) -> None:
    generator = np.random.default_rng(seed)
    period = 1 << phase_bits
    weights = symmetric(generator, count)
    free = data.draw(st.integers(0, count - 1))
    # Every neighbour pulls towards a phase on one arc shorter than half a period, so the field rises once.
    pulls = data.draw(st.integers(0, period - 1)) + generator.integers(0, period // 2, count)
    phases = (pulls + np.where(weights[free] < 0, period // 2, 0)) % period
    phases[free] = data.draw(st.integers(0, period - 1))
    model = network(weights, phase_bits, 2, data.draw(st.integers(1, period // 2)))
    state = model.start(phases[None], all_but(count, free))
    signs: list[int] = []
    while state.active.any():
        before = energy(weights, state.phases[0], period)
        model.step(state)
        field = int(state.sums[0, free])
        # The first sign of the field is compared with the oscillator's own level, so it may be no edge of the field.
        if signs:
            assert energy(weights, state.phases[0], period) <= before
        signs += [field] if field else []
    jump = network(weights, phase_bits, 1).run(phases[None], all_but(count, free)).phases[0].astype(int)
    if weights[free].any():
        assert energy(weights, jump, period) == energies_of_one(weights, phases, free, period).min()


@pytest.mark.parametrize("max_step", [4, 1])
def test_a_field_that_rises_more_than_once_may_raise_the_energy(max_step: int) -> None:
    # Why the condition is there: oscillator 0 sits in its deepest minimum and is pulled to a shallower one.
    weights = np.zeros((4, 4), int)
    weights[0, 1:] = weights[1:, 0] = [5, -4, 4]
    phases = np.array([3, 0, 1, 3])
    at = energies_of_one(weights, phases, 0, 8)
    assert at[3] == at.min()
    run = network(weights, 3, 1, max_step).run(phases[None], all_but(4, 0), trace=True)
    assert run.trace is not None
    assert (np.diff(energy(weights, run.trace[:, 0], 8)) > 0).any()
    if max_step == 4:  # every goal is a local minimum all the same
        for phase in set(run.trace[1:, 0, 0].tolist()):
            assert at[phase] <= min(at[(phase + 1) % 8], at[(phase - 1) % 8])


def test_moving_together_may_raise_the_energy() -> None:
    raised = 0
    for seed in range(10):
        generator = np.random.default_rng(seed)
        weights = symmetric(generator, 6)
        run = network(weights, 4, 4).run(8 * generator.integers(0, 2, (1, 6)), trace=True)
        assert run.trace is not None
        raised += bool((np.diff(energy(weights, run.trace[:, 0], 16)) > 0).any())
    assert raised > 0


def test_jumps_lock_an_antiferromagnet_together() -> None:
    generator = np.random.default_rng(0)
    upper = np.triu(generator.random((60, 60)) < 0.3, 1).astype(int)
    weights = -(upper + upper.T)
    phases = generator.integers(0, 16, (8, 60))
    together = network(weights, 4, 60).run(phases).phases
    assert (together == together[:, :1]).all()
    small_steps = network(weights, 4, 60, 1).run(phases).phases
    assert (energy(weights, small_steps, 16) < energy(weights, phases, 16)).all()


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(3, 40))
def test_a_single_pattern_is_stored_and_completed(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    pattern = generator.choice([-1, 1], count)
    weights = np.outer(pattern, pattern) - np.eye(count, dtype=int)
    model = network(weights, 4, 4)
    stored = np.where(pattern > 0, 0, 8)
    # The pattern, its negative and any rotation of it stand still: the field of each is the pattern, n - 1 strong.
    assert not model.run((stored + np.arange(16)[:, None]) % 16).last_change.any()
    # With f flips every field is at least n - 1 - 2 f in the pattern's direction.
    flips = generator.choice(count, (count - 2) // 2, replace=False)
    started = stored.copy()
    started[flips] = 8 - started[flips]
    assert model.run(started[None]).phases[0].tolist() == stored.tolist()
