from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import OscillatorNetwork, network
from attractor.spec import OscillatorSpec, SpecError
from attractor.spec.oscillator import FLIP_SHARES

from .reference_oscillator import Outcome, run_reference

Case = tuple[OscillatorSpec, dict[str, Any], np.ndarray, np.ndarray, np.ndarray, bool]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A random spec, parameters, start phases, clamp masks and seeds of a small batch, and whether phases are drawn."""
    oscillators = draw(st.integers(2, 9))
    inputs = draw(st.integers(0, oscillators - 1))
    spec = OscillatorSpec(
        oscillators=oscillators,
        inputs=inputs,
        labels=draw(st.integers(0, oscillators - inputs)),
        reference=draw(st.integers(0, oscillators - 1)),
        weight_bits=draw(st.integers(2, 12)),
        phase_bits=draw(st.integers(3, 6)),
        lanes=draw(st.integers(0, oscillators - inputs)),
        schedule_entries=draw(st.integers(1, 3)),
        lock_phases=draw(st.integers(2, 4)),
        random_start=draw(st.booleans()),
        flips=draw(st.booleans()),
    )
    longest = max(1, 48 // spec.period)
    amplitude = st.just(0) | st.integers(0, min(6, spec.largest_amplitude)) | st.integers(0, spec.largest_amplitude)
    entries = [
        (
            draw(st.integers(0, longest)),
            draw(amplitude),
            draw(st.integers(0, spec.period // 2)),
            draw(amplitude),
            draw(st.integers(0, 1)),
            *([draw(st.integers(0, len(FLIP_SHARES)))] if spec.flips else []),
        )
        for _ in range(spec.schedule_entries)
    ]
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    high = draw(st.integers(1, spec.weight_high))  # small weights make zero sums
    batch = draw(st.integers(1, 4))
    parameters = {
        "weights": generator.integers(max(-high - 1, spec.weight_low), high + 1, (spec.targets, oscillators)),
        "schedule": np.array(entries),
        "settle": np.array(draw(st.integers(0, 3))),
    }
    phases = generator.integers(0, spec.period, (batch, oscillators))
    clamp = generator.random((batch, oscillators)) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    draws = spec.random_start and draw(st.booleans())
    return spec, parameters, phases, clamp, generator.integers(0, 2**63, batch), draws


def outcomes(
    spec: OscillatorSpec,
    parameters: dict[str, Any],
    phases: np.ndarray,
    clamp: np.ndarray,
    seeds: np.ndarray,
    draws: bool,
) -> list[Outcome]:
    return [
        run_reference(
            parameters["weights"].tolist(),
            parameters["schedule"].tolist(),
            int(parameters["settle"]),
            row.tolist(),
            mask.tolist(),
            inputs=spec.inputs,
            labels=spec.labels,
            reference=spec.reference,
            period=spec.period,
            lanes=spec.lanes,
            lock_phases=spec.lock_phases,
            seed=seed,
            draws=draws,
        )
        for row, mask, seed in zip(phases, clamp, seeds.tolist(), strict=True)
    ]


@settings(max_examples=100, deadline=None)
@given(cases())
def test_runs_equal_the_definition(case: Case) -> None:
    spec, parameters, phases, clamp, seeds, draws = case
    run = OscillatorNetwork(spec, parameters).run(phases, clamp, seeds=seeds, random_start=draws, trace=True)
    assert run.trace is not None
    for index, expected in enumerate(outcomes(spec, parameters, phases, clamp, seeds, draws)):
        assert run.phases[index].tolist() == expected.phases
        assert run.winner[index] == expected.winner
        assert run.settled[index] == expected.settled
        assert run.periods[index] == expected.periods
        assert run.last_change[index] == expected.last_change
        history = [expected.start, *(slot.phases for slot in expected.slots)]
        history += [expected.phases] * (len(run.trace) - len(history))
        assert run.trace[:, index].tolist() == history


@settings(max_examples=70, deadline=None)
@given(cases())
def test_every_slot_equals_the_definition(case: Case) -> None:
    spec, parameters, phases, clamp, seeds, draws = case
    model = OscillatorNetwork(spec, parameters)
    state = model.start(phases, clamp, seeds=seeds, random_start=draws)
    expected = outcomes(spec, parameters, phases, clamp, seeds, draws)
    assert (state.clamped == (clamp | (np.arange(spec.oscillators) < spec.inputs))).all()
    while state.active.any():
        slot, running = state.slot, state.active.copy()
        model.step(state)
        assert state.slot == slot + 1
        for index, outcome in enumerate(expected):
            assert running[index] == (slot < len(outcome.slots))
            if running[index]:
                reference = outcome.slots[slot]
                assert state.sums[index].tolist() == reference.sums
                assert np.where(state.reference[index], 1, -1).tolist() == reference.reference
                assert state.moved[index].tolist() == reference.moved
                assert state.phases[index].tolist() == reference.phases
            else:
                assert not state.moved[index].any()
    assert max(len(outcome.slots) for outcome in expected) == state.slot


@settings(max_examples=50, deadline=None)
@given(cases())
def test_a_call_returns_the_bytes_of_a_run(case: Case) -> None:
    spec, parameters, phases, clamp, seeds, draws = case
    inputs = spec.encode_input(phases[0], clamp[0], int(seeds[0]), random_start=draws)
    reply = network(spec, parameters).call(inputs)
    expected = outcomes(spec, parameters, phases, clamp, seeds, draws)[0]
    result = spec.decode_output(reply)
    assert len(reply) == spec.memory_map["result"].size + spec.targets * (1 + spec.random_start)
    assert (result.spins is None) != spec.random_start
    assert result.spins is None or result.spins.tolist() == expected.spins
    assert result.phases.tolist() == expected.phases[spec.inputs :]
    assert result.winner == (expected.winner if spec.labels else None)
    assert (result.settled, result.periods, result.last_change) == (
        expected.settled,
        expected.periods,
        expected.last_change,
    )
    assert (result.cycles, result.aborted) == (0, False)


def test_a_pair_by_hand() -> None:
    # Oscillator 0 holds phase 0; oscillator 1 starts at 5, its reference rises in slot 0 and falls in slot 4.
    spec = OscillatorSpec(oscillators=2, inputs=1, phase_bits=3, schedule_entries=1)
    phases = np.array([[0, 5]])
    jump = OscillatorNetwork(spec, {"weights": [[1, 0]], "schedule": spec.schedule(3), "settle": 1}).run(phases)
    assert jump.phases.tolist() == [[0, 0]]
    # r(-1) = s(-1) = +1 at phase 5, so slot 0 sees no edge; the fall in slot 4 gives the goal 4 + 4 = 0.
    assert jump.last_change.tolist() == [5]
    assert (jump.periods.tolist(), jump.settled.tolist()) == ([2], [True])
    slow = OscillatorNetwork(spec, {"weights": [[1, 0]], "schedule": spec.schedule(3, max_step=1), "settle": 1})
    run = slow.run(phases, trace=True)
    assert run.trace is not None
    # One slot for each edge, in slots 4, 8 and 12, the shorter way: 5, 6, 7, 0.
    assert run.trace[[0, 4, 5, 8, 9, 12, 13], 0, 1].tolist() == [5, 5, 6, 6, 7, 7, 0]


def test_exactly_opposite_moves_upwards() -> None:
    spec = OscillatorSpec(oscillators=2, inputs=1, phase_bits=4, schedule_entries=1)
    model = OscillatorNetwork(spec, {"weights": [[-1, 0]], "schedule": spec.schedule(1, max_step=3), "settle": 0})
    # At phase 1, r(-1) = -1 = h(0)'s sign: the first edge is the rise in slot 8, goal 8, ahead 7.
    assert model.run([[0, 1]]).phases.tolist() == [[0, 4]]
    # At phase 0 the goal 8 is exactly opposite.
    assert model.run([[0, 0]]).phases.tolist() == [[0, 3]]


def test_an_empty_schedule_returns_what_was_loaded() -> None:
    spec = OscillatorSpec(oscillators=3, labels=2, schedule_entries=2)
    parameters = {"weights": np.ones((3, 3), int), "schedule": [[0, 0, 8, 0, 0], [5, 0, 8, 0, 0]], "settle": 0}
    run = OscillatorNetwork(spec, parameters).run([[3, 9, 5]], trace=True)
    assert run.phases.tolist() == [[3, 9, 5]]
    assert (run.periods.tolist(), run.last_change.tolist(), run.settled.tolist()) == ([0], [0], [False])
    assert run.winner.tolist() == [1]
    assert run.trace is not None
    assert run.trace.shape == (1, 1, 3)


STARTS = OscillatorSpec(oscillators=40, inputs=2, schedule_entries=1, random_start=True)


def started(spec: OscillatorSpec, seeds: Any, clamp: Any = None, phases: Any = 3) -> np.ndarray:
    """Return the phases with which networks of these seeds start, shape (seeds, oscillators)."""
    parameters = {
        "weights": np.zeros((spec.targets, spec.oscillators), int),
        "schedule": spec.schedule(0),
        "settle": np.array(0),
    }
    given = np.broadcast_to(phases, (len(seeds), spec.oscillators))
    return OscillatorNetwork(spec, parameters).run(given, clamp, seeds=seeds, random_start=True).phases


def test_clamped_oscillators_and_inputs_keep_their_phases_and_take_no_word() -> None:
    clamp = np.zeros(40, bool)
    clamp[[5, 7]] = True
    all_drawn, some = started(STARTS, range(9)), started(STARTS, range(9), clamp, np.arange(40) % 16)
    assert (some[:, [0, 1, 5, 7]] == [0, 1, 5, 7]).all()
    assert (some[:, 2:][:, ~clamp[2:]] == all_drawn[:, 2:38]).all()
    # All targets clamped: as given.
    assert (started(STARTS, [1], np.ones(40, bool)) == 3).all()


@pytest.mark.parametrize("lanes", [1, 5, 38])
def test_start_phases_do_not_depend_on_the_lanes(lanes: int) -> None:
    assert (started(replace(STARTS, lanes=lanes), range(9)) == started(STARTS, range(9))).all()


@pytest.mark.parametrize("phase_bits", range(3, 7))
def test_start_phases_of_small_seeds_are_uniform_and_independent(phase_bits: int) -> None:
    """Of seeds 0 to 9,999, each alone and with the next, and any two."""
    seeds, period = 10_000, 1 << phase_bits
    phases = started(replace(STARTS, inputs=0, phase_bits=phase_bits), range(seeds)).astype(int)
    high = phases >> phase_bits - 2
    for numbers, count in ((phases, period), (4 * high[:, :-1] + high[:, 1:], 16)):
        found = np.stack([np.bincount(column, minlength=count) for column in numbers.T])
        assert np.abs(found - seeds / count).max() < 5 * np.sqrt(seeds / count)
    correlations = np.corrcoef(np.exp(2j * np.pi * phases / period).T)
    assert np.abs(correlations - np.eye(40)).max() < 0.1


def test_small_seeds_start_far_from_each_other() -> None:
    phases = started(replace(STARTS, oscillators=400), range(64))[:, 2:]
    equal = (phases[:, None] == phases).sum(axis=2)[~np.eye(64, dtype=bool)]
    assert abs(equal.mean() - 398 / 16) < 1
    assert equal.max() < 60


def test_drawing_needs_a_network_that_draws() -> None:
    with pytest.raises(SpecError, match="draws no start phases: it needs a spec with random_start"):
        started(replace(STARTS, random_start=False), [0])


def test_running_needs_a_batch() -> None:
    spec = OscillatorSpec(oscillators=3)
    model = OscillatorNetwork(
        spec, {"weights": np.zeros((3, 3), int), "schedule": spec.schedule(1), "settle": np.array(0)}
    )
    with pytest.raises(SpecError, match=r"phases have shape \(3,\); a batch has shape \(batch, 3\)"):
        model.run([0, 0, 0])
    with pytest.raises(SpecError, match=r"clamp mask has shape \(2,\)"):
        model.run([[0, 0, 0]], [True, False])
    with pytest.raises(SpecError, match="a phase is 16"):
        model.run([[0, 16, 0]])


def test_the_largest_network_adds_exactly() -> None:
    spec = OscillatorSpec(oscillators=4096, inputs=4094, weight_bits=8, phase_bits=3, schedule_entries=1)
    weights = np.full((2, 4096), -128)
    weights[1, 0] = 127
    model = OscillatorNetwork(spec, {"weights": weights, "schedule": spec.schedule(1), "settle": 0})
    state = model.start(np.zeros((1, 4096), int), np.ones(4096, bool))
    model.step(state)
    assert state.sums.tolist() == [[-128 * 4096, -128 * 4095 + 127]]
