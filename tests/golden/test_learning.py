from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import OscillatorNetwork, network
from attractor.spec import OscillatorSpec, SpecError

from .reference_oscillator import closest_label, level

Weights = list[list[int]]


@dataclass
class Lesson:
    """A pattern that is shown once."""

    phases: list[int]
    clamp: list[bool]
    margin: int


def learn_reference(spec: OscillatorSpec, weights: Weights, lesson: Lesson) -> list[bool]:
    """Change ``weights`` in place by the definition, one coupling after the other; return who learnt."""
    levels = [level(-1, phase, spec.period) for phase in lesson.phases]
    learnt = []
    for target, row in enumerate(weights):
        own = spec.inputs + target
        stability = levels[own] * sum(weight * s for weight, s in zip(row, levels, strict=True))
        learns = stability < lesson.margin and not lesson.clamp[own]
        for source in range(spec.oscillators):
            if learns and source != own:
                moved = row[source] + levels[own] * levels[source]
                if -(2 ** (spec.weight_bits - 1)) <= moved < 2 ** (spec.weight_bits - 1):
                    row[source] = moved
        learnt.append(learns)
    return learnt


@st.composite
def cases(draw: st.DrawFn) -> tuple[OscillatorSpec, Weights, list[Lesson]]:
    oscillators = draw(st.integers(2, 12))
    inputs = draw(st.integers(0, oscillators - 1))
    spec = OscillatorSpec(
        oscillators=oscillators,
        inputs=inputs,
        labels=draw(st.integers(0, oscillators - inputs)),
        reference=draw(st.integers(0, oscillators - 1)),
        weight_bits=draw(st.integers(2, 12)),
        phase_bits=draw(st.integers(3, 6)),
        lanes=draw(st.integers(0, oscillators - inputs)),
        schedule_entries=1,
        learning=True,
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = rng.integers(spec.weight_low, spec.weight_high + 1, (spec.targets, oscillators))
    if draw(st.booleans()):  # at the ends of their range, so that many stay
        weights = rng.choice([spec.weight_low, spec.weight_high], weights.shape)
    lessons = [
        Lesson(
            rng.integers(0, spec.period, oscillators).tolist(),
            (rng.random(oscillators) < draw(st.sampled_from([0.0, 0.3, 1.0]))).tolist(),
            draw(st.sampled_from([1, 2, spec.margin_high]) | st.integers(1, spec.margin_high)),
        )
        for _ in range(draw(st.integers(1, 4)))
    ]
    return spec, weights.tolist(), lessons


def untrained(spec: OscillatorSpec, weights: Weights | np.ndarray | None = None) -> OscillatorNetwork:
    start = np.zeros((spec.targets, spec.oscillators), int) if weights is None else np.array(weights)
    return OscillatorNetwork(spec, {"weights": start, "schedule": spec.schedule(4), "settle": 1})


@settings(max_examples=150, deadline=None)
@given(cases())
def test_learning_equals_the_definition(case: tuple[OscillatorSpec, Weights, list[Lesson]]) -> None:
    spec, weights, lessons = case
    model = untrained(spec, weights)
    for lesson in lessons:
        found = model.learn(lesson.phases, lesson.margin, lesson.clamp)
        assert found.tolist() == learn_reference(spec, weights, lesson)
        assert model.parameters["weights"].tolist() == weights
        assert model.parameters["weights"].dtype == spec.weight_type


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_call_with_a_margin_learns_and_reports(case: tuple[OscillatorSpec, Weights, list[Lesson]]) -> None:
    spec, weights, lessons = case
    model = network(spec, untrained(spec, weights).parameters)
    for lesson in lessons:
        reply = model.call(spec.encode_input(lesson.phases, lesson.clamp, seed=7, margin=lesson.margin))
        learnt = learn_reference(spec, weights, lesson)
        result = spec.decode_output(reply)
        assert model.parameters["weights"].tolist() == weights
        assert result.phases.tolist() == lesson.phases[spec.inputs :]
        assert result.settled == (not any(learnt))
        winner = closest_label(lesson.phases, spec.labels, spec.reference, spec.period)
        assert result.winner == (winner if spec.labels else None)
        assert (result.periods, result.last_change, result.cycles, result.aborted) == (0, 0, 0, False)
    # A run uses what was learnt, as a network made of it does.
    inputs = spec.encode_input(lessons[0].phases, lessons[0].clamp)
    assert model.call(inputs) == untrained(spec, weights).call(inputs)


def random_patterns(count: int, oscillators: int, seed: int) -> np.ndarray:
    """Patterns of +1 and -1, shape (count, oscillators)."""
    return np.random.default_rng(seed).choice([-1, 1], (count, oscillators))


def phases_of(spec: OscillatorSpec, pattern: np.ndarray) -> np.ndarray:
    """Phases whose levels in slot -1 are the pattern's: +1 is half a period, -1 is 0."""
    return np.where(pattern > 0, spec.period // 2, 0)


@pytest.mark.parametrize("inputs", [0, 5])
def test_the_largest_margin_is_hebbs_rule(inputs: int) -> None:
    spec = OscillatorSpec(oscillators=12, inputs=inputs, weight_bits=6, learning=True)
    patterns = random_patterns(31, 12, seed=1)
    model = untrained(spec)
    for pattern in patterns:
        assert model.learn(phases_of(spec, pattern), spec.margin_high).all()
    expected = patterns.T @ patterns
    np.fill_diagonal(expected, 0)
    np.testing.assert_array_equal(model.parameters["weights"], expected[inputs:])


def test_hebbs_rule_stops_at_the_ends() -> None:
    spec = OscillatorSpec(oscillators=4, weight_bits=3, learning=True)
    pattern = np.array([1, -1, 1, 1])
    model = untrained(spec)
    for _ in range(9):
        model.learn(phases_of(spec, pattern), spec.margin_high)
    expected = np.clip(9 * np.outer(pattern, pattern), -4, 3)
    np.fill_diagonal(expected, 0)
    np.testing.assert_array_equal(model.parameters["weights"], expected)


@pytest.mark.parametrize("margin", [1, 30])
def test_repeated_learning_stores_random_patterns(margin: int) -> None:
    spec = OscillatorSpec(oscillators=40, weight_bits=6, schedule_entries=1, learning=True)
    patterns = random_patterns(10, 40, seed=2)
    model = untrained(spec)
    epochs = 0
    while sum(int(model.learn(phases_of(spec, pattern), margin).sum()) for pattern in patterns):
        epochs += 1
        assert epochs < 100
    assert epochs > 0
    weights = model.parameters["weights"].astype(int)
    assert (patterns * (patterns @ weights.T) >= margin).all()
    assert not weights.diagonal().any()
    start = phases_of(spec, patterns)
    run = model.run(start)
    assert run.settled.all()
    np.testing.assert_array_equal(run.phases, start)


def test_a_larger_margin_recalls_from_more_damage() -> None:
    spec = OscillatorSpec(oscillators=60, weight_bits=7, schedule_entries=1, learning=True)
    patterns, recalled = random_patterns(12, 60, seed=3), []
    damaged = patterns * np.where(np.random.default_rng(4).random(patterns.shape) < 0.12, -1, 1)
    for margin in (1, 100):
        model = untrained(spec)
        for _ in range(100):
            for pattern in patterns:
                model.learn(phases_of(spec, pattern), margin)
        found = model.run(phases_of(spec, damaged)).phases
        recalled.append(int((found == phases_of(spec, patterns)).all(axis=1).sum()))
    assert recalled[1] > recalled[0]


def test_a_clamped_oscillator_does_not_learn_and_still_teaches() -> None:
    spec = OscillatorSpec(oscillators=3, learning=True)
    model = untrained(spec)
    learnt = model.learn(phases_of(spec, np.array([1, 1, -1])), 1, [False, True, False])
    assert learnt.tolist() == [True, False, True]
    assert model.parameters["weights"].tolist() == [[0, 1, -1], [0, 0, 0], [-1, -1, 0]]


def test_what_was_handed_in_stays() -> None:
    spec = OscillatorSpec(oscillators=3, learning=True)
    weights = np.zeros((3, 3), np.int8)
    model = untrained(spec, weights)
    parameters = dict(model.parameters)
    model.learn([0, 8, 0], spec.margin_high)
    assert not weights.any()
    assert not parameters["weights"].any()
    assert model.parameters["weights"].any()


def test_a_pattern_that_does_not_fit_is_named() -> None:
    spec = OscillatorSpec(oscillators=3, learning=True)
    model = untrained(spec)
    with pytest.raises(SpecError, match="a phase is 16"):
        model.learn([0, 16, 0], 1)
    with pytest.raises(SpecError, match=r"clamp mask has shape \(2,\)"):
        model.learn([0, 8, 0], 1, [True, False])
    assert not model.parameters["weights"].any()
