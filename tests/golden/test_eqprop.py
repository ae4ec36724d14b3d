from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import EqPropNetwork, EqPropPhase, network
from attractor.spec import EqPropResult, EqPropSpec, SpecError

from .reference_eqprop import Phase, Reference, Sample


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
        plain = EqPropResult.decode(model.call(spec.encode_input(sample.bits)))
        assert (plain.winner, plain.scores.tolist()) == (reference.winner(free), reference.scores(free))
        assert (plain.free_steps, plain.settled) == (free.steps, free.settled)
        assert (plain.nudged_steps, plain.learnt, plain.touched, plain.flips) == (0, False, 0, 0)
        inputs = spec.encode_input(sample.bits, sigma=sample.sigma, label=sample.label, thresholds=case.thresholds)
        found = EqPropResult.decode(model.call(inputs))
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
