from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from attractor.golden import EqPropNetwork, EqPropPhase, network
from attractor.spec import EqPropSpec, SpecError

from .eqprop_cases import Case, cases
from .reference_eqprop import Phase, Reference, Sample


def bits_of(batch: list[Sample]) -> np.ndarray:
    return np.array([sample.bits for sample in batch])


def check_phase(found: EqPropPhase, index: int, expected: Phase) -> None:
    """Compare every state after every step; a network that has settled repeats its last ones."""
    assert found.trace is not None
    states = [[state for layer in layers for state in layer] for layers in expected.trace]
    length = len(found.trace)
    assert found.trace[:, index].tolist() == (states + states[-1:] * length)[:length]
    assert found.states[index].tolist() == states[-1]
    assert found.steps[index] == expected.steps
    assert found.settled[index] == expected.settled


def check_parameters(model: EqPropNetwork, reference: Reference) -> None:
    for c in range(len(reference.weights)):
        for kind, values in (("weights", reference.weights), ("counters", reference.counters)):
            found = model.parameters[f"{kind}_{c}"]
            assert found.tolist() == values[c]
            assert found.dtype == model.spec.parameters[f"{kind}_{c}"].dtype


@settings(max_examples=150, deadline=None)
@given(cases())
def test_learning_equals_the_definition(case: Case) -> None:
    model, reference = EqPropNetwork(case.spec, case.parameters), case.reference()
    for batch in case.batches:
        free = [reference.free(sample) for sample in batch]
        nudged = [reference.nudged(sample, phase) for sample, phase in zip(batch, free, strict=True)]
        labels, sigmas = [sample.label for sample in batch], [sample.sigma for sample in batch]
        lesson = model.learn(bits_of(batch), labels, sigmas, case.thresholds, trace=True)
        for index in range(len(batch)):
            check_phase(lesson.free, index, free[index])
            check_phase(lesson.nudged, index, nudged[index])
        assert (lesson.touched, lesson.flips.tolist()) == reference.learn(batch, case.thresholds)
        check_parameters(model, reference)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_runs_equal_the_definition(case: Case) -> None:
    model, reference = EqPropNetwork(case.spec, case.parameters), case.reference()
    batch = [sample for part in case.batches for sample in part]
    run = model.run(bits_of(batch), trace=True)
    scores = model.scores(run.states)
    for index, sample in enumerate(batch):
        expected = reference.free(sample)
        check_phase(run, index, expected)
        assert scores[index].tolist() == reference.scores(expected)
    untraced = model.run(bits_of(batch))
    assert untraced.trace is None
    assert (untraced.states == run.states).all()
    assert (untraced.steps == run.steps).all()
    assert (untraced.settled == run.settled).all()


@settings(max_examples=100, deadline=None)
@given(cases(samples=6))
def test_calls_learn_from_one_sample_after_the_other(case: Case) -> None:
    spec, reference = case.spec, case.reference()
    model, alone = network(spec, case.parameters), EqPropNetwork(spec, case.parameters)
    for sample in (sample for batch in case.batches for sample in batch):
        free = reference.free(sample)
        nudged = reference.nudged(sample, free)
        plain = spec.decode_output(model.call(spec.encode_input(sample.bits)))
        assert (plain.winner, plain.scores.tolist()) == (reference.winner(free), reference.scores(free))
        assert (plain.free_steps, plain.settled) == (free.steps, free.settled)
        assert (plain.nudged_steps, plain.learnt, plain.touched, plain.flips) == (0, False, 0, 0)
        inputs = spec.encode_input(sample.bits, sigma=sample.sigma, label=sample.label, thresholds=case.thresholds)
        found = spec.decode_output(model.call(inputs))
        touched, flips = reference.learn([sample], case.thresholds)
        assert found.scores.tolist() == plain.scores.tolist()
        assert replace(found, scores=plain.scores) == replace(
            plain, nudged_steps=nudged.steps, learnt=True, touched=touched, flips=sum(flips)
        )
        alone.learn([sample.bits], [sample.label], sample.sigma, case.thresholds)
        check_parameters(alone, reference)
        assert all((model.parameters[name] == array).all() for name, array in alone.parameters.items())


@settings(max_examples=50, deadline=None)
@given(cases(batches=1))
def test_lanes_change_nothing(case: Case) -> None:
    few = EqPropNetwork(replace(case.spec, lanes=1), case.parameters)
    many = EqPropNetwork(replace(case.spec, lanes=0), case.parameters)
    for model in (few, many):
        for batch in case.batches:
            labels, sigmas = [sample.label for sample in batch], [sample.sigma for sample in batch]
            model.learn(bits_of(batch), labels, sigmas, case.thresholds)
    assert all((few.parameters[name] == array).all() for name, array in many.parameters.items())


# Single cases


TINY = EqPropSpec(layers=(2, 1, 2), classes=2, state_high=4, nudge_shift=0, counter_bits=3, lanes=1, learning=True)


def tiny(counters: int = 0) -> EqPropNetwork:
    return EqPropNetwork(
        TINY,
        {
            "weights_0": [[1, 1]],
            "weights_1": [[1], [-1]],
            "counters_0": np.full((1, 2), counters),
            "counters_1": np.full((2, 1), counters),
            "steps": [9, 9],
        },
    )


def test_steps_by_hand() -> None:
    # Hidden: 2 from the inputs, 1 - 1 from the outputs that are both on. Outputs: 1 and -1 from the hidden neuron.
    run = tiny().run([[1, 1]], trace=True)
    assert run.trace is not None
    assert run.trace[:, 0].tolist() == [[4, 4, 4], [3, 2, 1], [3, 1, 0], [2, 1, 0], [2, 1, 0]]
    assert (run.steps[0], run.settled[0]) == (4, True)


def test_a_batch_of_none() -> None:
    model = tiny()
    assert model.run(np.zeros((0, 2), int)).states.shape == (0, 3)
    lesson = model.learn(np.zeros((0, 2), int), np.zeros(0, int), 1, [1, 1])
    assert (lesson.touched, lesson.flips.tolist()) == (0, [0, 0])


def test_a_lesson_by_hand() -> None:
    # Nudged toward class 0, only the first output turns on, and with it its synapse: the counter goes from -3 to -2.
    model = tiny(-3)
    lesson = model.learn([[1, 1]], [0], 1, [1, 2], trace=True)
    assert lesson.nudged.trace is not None
    assert lesson.nudged.trace[:, 0].tolist() == [[2, 1, 0], [2, 2, 0], [2, 2, 0]]
    assert (lesson.touched, lesson.flips.tolist()) == (1, [0, 1])
    assert model.parameters["counters_1"].tolist() == [[-2], [-3]]
    assert model.parameters["weights_1"].tolist() == [[-1], [-1]]


def test_what_others_hold_is_not_changed() -> None:
    model = tiny(-3)
    before = dict(model.parameters)
    model.learn([[1, 1]], [0], 1, [1, 2])
    assert before["counters_1"].tolist() == [[-3], [-3]]
    assert before["weights_1"].tolist() == [[1], [-1]]


def test_more_samples_than_16_bits_count() -> None:
    model = tiny(-3)
    model.learn([[1, 1]] * 40_000, [0] * 40_000, 1, [4, 4])
    assert model.parameters["counters_1"].tolist() == [[3], [-3]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": [1, 1]}, r"input bits have shape \(2,\); a batch has shape \(batch, 2\)"),
        ({"bits": [[1, 2]]}, "an input bit is 2"),
        ({"labels": [0, 1]}, r"labels have shape \(2,\)"),
        ({"labels": [0.0]}, "type float64; give 1 integers"),
        ({"labels": [256]}, "labels run from 256 to 256"),
        ({"sigmas": 0}, "sigmas are 0; they must be -1 or 1"),
        ({"sigmas": [1, 1]}, r"sigmas are \[1, 1\]"),
        ({"thresholds": [1]}, r"thresholds has shape \(1,\)"),
        ({"thresholds": [1, 8]}, r"thresholds\[1\] is 8; it must lie between 0 and 7"),
    ],
)
def test_lessons_that_do_not_fit(change: dict[str, object], message: str) -> None:
    lesson: dict[str, object] = {"bits": [[1, 1]], "labels": [0], "sigmas": 1, "thresholds": [1, 1]}
    with pytest.raises(SpecError, match=message):
        tiny().learn(**(lesson | change))  # type: ignore[arg-type]


def test_learning_needs_a_spec_that_learns() -> None:
    parameters = {name: array for name, array in tiny().parameters.items() if not name.startswith("counters")}
    model = EqPropNetwork(replace(TINY, learning=False), parameters)
    with pytest.raises(SpecError, match="cannot learn"):
        model.learn([[1, 1]], [0], 1, [1, 1])
