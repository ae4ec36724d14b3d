"""The fast learners against the golden model, which is tested against the definition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import EqPropNetwork
from attractor.spec import EqPropSpec, SpecError
from attractor.train.eqprop import events as eqprop_events
from attractor.train.eqprop import sequence as eqprop_sequence
from attractor.train.eqprop.dense import DenseLearner
from attractor.train.eqprop.events import EventLearner
from attractor.train.eqprop.sequence import SequenceLearner

from ..golden.eqprop_cases import Case, cases  # noqa: TID252

LEARNERS = [EventLearner, SequenceLearner, DenseLearner]


def arrays_of(case: Case) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return bits, labels and signs of each mini-batch."""
    return [
        (
            np.array([sample.bits for sample in batch], bool),
            np.array([sample.label for sample in batch]),
            np.array([sample.sigma for sample in batch]),
        )
        for batch in case.batches
    ]


def check_same(found: Any, golden: EqPropNetwork) -> None:
    parameters = found.parameters
    assert parameters.keys() == golden.parameters.keys()
    for name, array in golden.parameters.items():
        assert parameters[name].dtype == array.dtype
        assert (parameters[name] == array).all(), name


def is_consistent(learner: EventLearner) -> None:
    """Every copy of a weight is the same, and so are the sums that are kept."""
    fresh = type(learner)(learner.spec, learner.parameters)
    for name in ("_up", "_down"):
        for found, expected in zip(getattr(learner, name), getattr(fresh, name), strict=True):
            if expected is not None:
                assert (found._exact == expected._exact).all()
                assert (found._single == expected._single).all()
    assert all((a == b).all() for a, b in zip(learner._base, fresh._base, strict=True))


@pytest.mark.parametrize(
    ("learner", "sparse"), [(EventLearner, 0.0), (EventLearner, 0.12), (EventLearner, 1.0), (DenseLearner, 0.0)]
)
@settings(max_examples=25, deadline=None)
@given(case=cases(samples=9))
def test_mini_batches(learner: type, sparse: float, case: Case) -> None:
    """With whatever part of the bits taken one by one."""
    golden = EqPropNetwork(case.spec, case.parameters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eqprop_events, "SPARSE", sparse)
        found = learner(case.spec, case.parameters)
        for bits, labels, sigmas in arrays_of(case):
            flips = found.learn(bits, labels, sigmas, np.array(case.thresholds))
            assert flips.tolist() == golden.learn(bits, labels, sigmas, case.thresholds).flips.tolist()
            check_same(found, golden)
    if isinstance(found, EventLearner):
        is_consistent(found)


@pytest.mark.parametrize("learner", [SequenceLearner, DenseLearner])
@settings(max_examples=30, deadline=None)
@given(case=cases(batches=2, samples=15), blocks=st.sampled_from([(1, 1), (2, 5), (8, 64)]))
def test_one_sample_after_the_other(learner: type, case: Case, blocks: tuple[int, int]) -> None:
    golden = EqPropNetwork(case.spec, case.parameters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eqprop_sequence, "SMALLEST_BLOCK", blocks[0])
        patch.setattr(eqprop_sequence, "LARGEST_BLOCK", blocks[1])
        found = learner(case.spec, case.parameters)
        for bits, labels, sigmas in arrays_of(case):
            expected = np.zeros(case.spec.connections, int)
            for index in range(len(bits)):
                only = slice(index, index + 1)
                expected += golden.learn(bits[only], labels[only], sigmas[only], case.thresholds).flips
            flips = found.learn_each(bits, labels, sigmas, np.array(case.thresholds))
            assert flips.tolist() == expected.tolist()
            check_same(found, golden)


def lively(hidden: int = 24) -> tuple[EqPropSpec, dict[str, np.ndarray]]:
    """A network large enough for sparse changes, in which many samples teach and some weights flip."""
    spec = EqPropSpec(layers=(60, hidden, 20), classes=4, state_high=12, nudge_shift=1, counter_bits=5, learning=True)
    rng = np.random.default_rng(3)
    parameters: dict[str, np.ndarray] = {"steps": np.array([8, 6])}
    for c in range(spec.connections):
        shape = (spec.layers[c + 1], spec.layers[c])
        parameters[f"weights_{c}"] = rng.choice([-1, 1], shape)
        parameters[f"counters_{c}"] = np.zeros(shape, int)
    return spec, parameters


def test_blocks_go_on_after_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that ended with every flip would be right, too, but slow."""
    spec, parameters = lively(60)
    rng = np.random.default_rng(4)
    count = 200
    bits, labels = rng.random((count, 60)) < 0.3, rng.integers(0, 4, count)
    sigmas, thresholds = rng.choice([-1, 1], count), np.array([4, 9])
    lengths: list[int] = []
    learn_block = SequenceLearner._learn_block

    def counted(self: SequenceLearner, *arguments: Any) -> int:
        lengths.append(learn_block(self, *arguments))
        return lengths[-1]

    monkeypatch.setattr(SequenceLearner, "_learn_block", counted)
    found = SequenceLearner(spec, parameters)
    flips = found.learn_each(bits, labels, sigmas, thresholds)
    golden = EqPropNetwork(spec, parameters)
    flipping = 0
    for index in range(count):
        only = slice(index, index + 1)
        lesson = golden.learn(bits[only], labels[only], sigmas[only], thresholds)
        flipping += lesson.flips.any()
    check_same(found, golden)
    is_consistent(found)
    assert flips.min() > 10
    assert sum(lengths) == count
    assert len(lengths) < 0.75 * flipping


@settings(max_examples=100, deadline=None)
@given(case=cases(batches=1, samples=12, sizes=12), seed=st.integers(0, 2**32 - 1))
def test_recordings_stay_true_after_flips(case: Case, seed: int) -> None:
    """A sample is said to differ if and only if it does, and all that is recorded of the others is still so."""
    learner = SequenceLearner(case.spec, case.parameters)
    bits, labels, sigmas = arrays_of(case)[0]
    nudge = learner._nudge(labels, sigmas)
    old = learner._record(bits, nudge)
    before = [np.array([part[frame + 1] for frame in old.frames]) for part in old.bits]
    rng = np.random.default_rng(seed)
    flipped = []
    for connection in range(case.spec.connections):
        above, below = (rng.random(learner._weights[connection].shape) < rng.choice([0, 0.03, 0.2])).nonzero()
        flipped.append(learner._flip(connection, above, below))
    differ = learner._differ(old, slice(None), bits, nudge, flipped)
    new = learner._record(bits, nudge)
    for index in range(len(bits)):
        same = all(
            (now[frame + 1, index] == then[step, index]).all()
            for then, now in zip(before, new.bits, strict=True)
            for step, frame in enumerate(new.frames)
        )
        assert differ[index] != same
        for then, now in zip(old.sums, new.sums, strict=True):
            if same:
                assert (then[old.frames, index] == now[new.frames, index]).all()


def test_long_phases_and_large_layers_make_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, parameters = lively()
    sizes: list[int] = []
    record = SequenceLearner._record

    def recorded(self: SequenceLearner, bits: np.ndarray, *arguments: Any) -> Any:
        sizes.append(len(bits))
        return record(self, bits, *arguments)

    monkeypatch.setattr(SequenceLearner, "_record", recorded)
    monkeypatch.setattr(eqprop_sequence, "RECORDING_BYTES", 3 * 14 * 44 * 5)
    learner = SequenceLearner(spec, parameters)
    learner.learn_each(np.zeros((12, 60), bool), np.zeros(12, int), np.ones(12, int), np.array([9, 9]))
    assert max(sizes) == 5


@pytest.mark.parametrize("learner", LEARNERS)
def test_what_was_given_is_not_changed(learner: type) -> None:
    spec, parameters = lively()
    checked = spec.check_parameters(parameters)
    copies = {name: array.copy() for name, array in checked.items()}
    found = learner(spec, checked)
    rng = np.random.default_rng(5)
    taken = found.parameters
    for _ in range(5):
        bits, labels = rng.random((30, 60)) < 0.3, rng.integers(0, 4, 30)
        found.learn(bits, labels, rng.choice([-1, 1], 30), np.array([1, 1]))
    assert all((checked[name] == array).all() for name, array in copies.items())
    assert all((taken[name] == array).all() for name, array in copies.items())
    assert any((found.parameters[name] != array).any() for name, array in copies.items())


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_network_that_cannot_learn(learner: type) -> None:
    spec, parameters = lively()
    kept = {name: array for name, array in parameters.items() if not name.startswith("counters")}
    with pytest.raises(SpecError, match="cannot learn: it needs a spec with learning"):
        learner(replace(spec, learning=False), kept)


def test_more_samples_than_16_bits_count() -> None:
    spec = EqPropSpec(layers=(2, 1, 2), classes=2, state_high=4, nudge_shift=0, counter_bits=3, learning=True)
    parameters = {
        "weights_0": np.array([[1, 1]]),
        "weights_1": np.array([[1], [-1]]),
        "counters_0": np.full((1, 2), -3),
        "counters_1": np.full((2, 1), -3),
        "steps": np.array([9, 9]),
    }
    found = EventLearner(spec, parameters)
    ones = np.ones(40_000, int)
    found.learn(np.ones((40_000, 2), bool), 0 * ones, ones, np.array([4, 4]))
    assert found.parameters["counters_1"].tolist() == [[3], [-3]]


class Standard:
    """NumPy, but only what the array API standard has."""

    def __getattr__(self, name: str) -> Any:
        assert name in {"asarray", "where", "clip", "floor", "sum", "any", "matmul"}, name
        return getattr(np, name)


@settings(max_examples=20, deadline=None)
@given(case=cases())
def test_another_array_module(case: Case) -> None:
    golden = EqPropNetwork(case.spec, case.parameters)
    found = DenseLearner(case.spec, case.parameters, Standard())
    for bits, labels, sigmas in arrays_of(case):
        found.learn(bits, labels, sigmas, np.array(case.thresholds))
        golden.learn(bits, labels, sigmas, case.thresholds)
    check_same(found, golden)
