from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.data.digits import digits
from attractor.golden import EqPropNetwork
from attractor.spec import EqPropSpec, SpecError
from attractor.train.checkpoints import CheckpointError
from attractor.train.eqprop import (
    Recipe,
    Trainer,
    accuracy,
    binary_bits,
    initial_parameters,
    varying_inputs,
    winners,
    without_learning,
)

SPEC = EqPropSpec(layers=(30, 40, 20), classes=4, state_high=8, counter_bits=5, learning=True)
RECIPE = Recipe(thresholds=(3, 4), batch=7, sigma_samples=3, seed=5)


def samples(count: int = 50, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy copies of one pattern for each class."""
    rng = np.random.default_rng(9)
    patterns = rng.random((4, 30)) < 0.4
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    return patterns[labels] ^ (rng.random((count, 30)) < 0.1), labels


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all((first[name] == second[name]).all() for name in first)


# Recipes


def test_lessons_come_from_seed_and_epoch_alone() -> None:
    order, sigmas, thresholds = RECIPE.lessons(SPEC, 50, 3)
    assert sorted(order.tolist()) == list(range(50))
    assert set(sigmas.tolist()) == {-1, 1}
    assert all(len(set(sigmas[start : start + 3].tolist())) == 1 for start in range(0, 50, 3))
    assert thresholds.tolist() == [3, 4]
    again = RECIPE.lessons(SPEC, 50, 3)
    assert all((a == b).all() for a, b in zip(again, (order, sigmas, thresholds), strict=True))
    others = (RECIPE.lessons(SPEC, 50, 4), replace(RECIPE, seed=6).lessons(SPEC, 50, 3))
    assert all((other.order != order).any() and (other.sigmas != sigmas).any() for other in others)


def test_samples_learnt_from_both_sides_keep_their_order() -> None:
    one, both = RECIPE.lessons(SPEC, 50, 3), replace(RECIPE, both_signs=True).lessons(SPEC, 50, 3)
    assert both.order[::2].tolist() == both.order[1::2].tolist() == one.order.tolist()
    assert both.sigmas.tolist() == [1, -1] * 50


def test_thresholds_double_and_end_at_the_counters_greatest_value() -> None:
    recipe = Recipe(thresholds=(4, 5), doubling=2)
    found = [recipe.lessons(SPEC, 5, epoch).thresholds.tolist() for epoch in range(6)]
    assert found == [[4, 5], [6, 7], [8, 10], [11, 14], [15, 15], [15, 15]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batch": 0}, "batch is 0; it must be at least 1"),
        ({"sigma_samples": 0}, "sigma_samples is 0"),
        ({"doubling": -1}, "doubling is -1"),
    ],
)
def test_recipes_out_of_range(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(thresholds=(1, 1), **fields)


# Training


@pytest.mark.parametrize(("batch", "both_signs"), [(1, False), (7, False), (64, False), (1, True), (7, True)])
def test_training_is_the_golden_model_on_the_lessons(batch: int, both_signs: bool) -> None:
    bits, labels = samples()
    recipe = replace(RECIPE, batch=batch, doubling=3, both_signs=both_signs)
    training = Trainer(SPEC, recipe, bits, labels).train(3)
    golden = EqPropNetwork(SPEC, initial_parameters(SPEC, seed=recipe.seed))
    for epoch in range(3):
        order, sigmas, thresholds = recipe.lessons(SPEC, len(bits), epoch)
        flips = np.zeros(2, int)
        for start in range(0, len(order), batch):
            part = slice(start, start + batch)
            chosen = order[part]
            flips += golden.learn(bits[chosen], labels[chosen], sigmas[part], thresholds).flips
        assert training.history[epoch].flips == tuple(flips)
        assert training.history[epoch].thresholds == tuple(thresholds)
        assert training.history[epoch].accuracy is None
    assert same(training.parameters, golden.parameters)
    assert sum(sum(epoch.flips) for epoch in training.history) > 100


def test_a_device_learns_the_same_from_the_same_lessons() -> None:
    bits, labels = samples()
    recipe = replace(RECIPE, batch=1)
    device = EqPropNetwork(SPEC, initial_parameters(SPEC, seed=recipe.seed))
    order, sigmas, thresholds = recipe.lessons(SPEC, len(bits), 0)
    for index, sigma in zip(order, sigmas, strict=True):
        device.call(SPEC.encode_input(bits[index], sigma=int(sigma), label=int(labels[index]), thresholds=thresholds))
    assert same(Trainer(SPEC, recipe, bits, labels).train(1).parameters, device.parameters)


def test_other_arrays_learn_the_same() -> None:
    class Other:
        """Not NumPy itself, so that the learner for other modules is taken."""

        def __getattr__(self, name: str) -> Any:
            return getattr(np, name)

    bits, labels = samples()
    for batch in (1, 7):
        recipe = replace(RECIPE, batch=batch)
        found = Trainer(SPEC, recipe, bits, labels, arrays=Other()).train(2)
        expected = Trainer(SPEC, recipe, bits, labels).train(2)
        assert same(found.parameters, expected.parameters)
        assert found.history == expected.history


def test_samples_held_back_choose_the_best_epoch() -> None:
    other = samples(200, seed=1)
    seen: list[tuple[int, int]] = []
    trainer = Trainer(SPEC, RECIPE, *samples())
    training = trainer.train(8, held_back=other, progress=lambda done, of: seen.append((done, of)))
    found = [epoch.accuracy for epoch in training.history]
    assert seen == [(done, 8) for done in range(1, 9)]
    assert accuracy(SPEC, training.parameters, *other) == max(found) > 0.9
    first_best = found.index(max(found)) + 1
    assert first_best < 8
    assert same(training.parameters, Trainer(SPEC, RECIPE, *samples()).train(first_best).parameters)
    assert not same(training.parameters, trainer.parameters)


def test_patience_ends_the_training() -> None:
    other = samples(200, seed=1)
    found = [e.accuracy for e in Trainer(SPEC, RECIPE, *samples()).train(8, held_back=other).history]
    for patience in (1, 2):
        best, expected = -1, 0
        for epoch, value in enumerate(found):
            if best < 0 or value > found[best]:
                best = epoch
            expected = epoch + 1
            if epoch - best >= patience:
                break
        training = Trainer(SPEC, RECIPE, *samples()).train(8, held_back=other, patience=patience)
        assert len(training.history) == expected < 8


def test_counting_on_from_given_parameters() -> None:
    bits, labels = samples()
    start = initial_parameters(SPEC, seed=77, steps=(3, 2))
    training = Trainer(SPEC, RECIPE, bits, labels, parameters=start).train(1)
    assert training.parameters["steps"].tolist() == [3, 2]
    assert not same(training.parameters, Trainer(SPEC, RECIPE, bits, labels).train(1).parameters)


# Checkpoints


@pytest.mark.parametrize("held_back", [None, samples(60, seed=1)])
def test_a_break_changes_nothing(tmp_path: Path, held_back: tuple[np.ndarray, np.ndarray] | None) -> None:
    bits, labels = samples()
    recipe = replace(RECIPE, doubling=2)
    whole = Trainer(SPEC, recipe, bits, labels).train(6, held_back=held_back)
    path = tmp_path / "eqprop.npz"
    for epochs in (1, 3, 3, 6):
        training = Trainer(SPEC, recipe, bits, labels).train(epochs, held_back=held_back, checkpoint=path)
        assert len(training.history) == epochs
    assert same(training.parameters, whole.parameters)
    assert training.history == whole.history
    assert [file.name for file in tmp_path.iterdir()] == ["eqprop.npz"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spec": replace(SPEC, nudge_shift=2)}, "spec.nudge_shift is 1 there and 2 here"),
        ({"spec": replace(SPEC, state_high=9)}, r"spec.state_high is \[8, 8\] there and \[9, 9\] here"),
        ({"recipe": replace(RECIPE, batch=8)}, "recipe.batch is 7 there and 8 here"),
        ({"recipe": replace(RECIPE, seed=6)}, "recipe.seed is 5 there and 6 here.*; start is"),
        ({"samples": samples(seed=3)}, "samples is [0-9a-f]{64} there and [0-9a-f]{64} here$"),
        ({"held_back": samples(seed=3)}, "held_back is None there"),
    ],
)
def test_checkpoints_of_other_trainings(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "eqprop.npz"
    Trainer(SPEC, RECIPE, *samples()).train(1, checkpoint=path)
    trainer = Trainer(change.get("spec", SPEC), change.get("recipe", RECIPE), *change.get("samples", samples()))
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=rf"eqprop\.npz is a checkpoint of another training: .*{message}"):
        trainer.train(2, checkpoint=path, held_back=change.get("held_back"))
    assert path.read_bytes() == before


def test_damaged_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "eqprop.npz"
    Trainer(SPEC, RECIPE, *samples()).train(1, checkpoint=path)
    data = path.read_bytes()
    for damaged in (b"", data[: len(data) // 2], b"x" * 300, data[:-30] + bytes(30)):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"eqprop\.npz is no intact checkpoint: .*; delete it to begin anew"):
            Trainer(SPEC, RECIPE, *samples()).train(2, checkpoint=path)


def test_files_that_cannot_be_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"the name of a checkpoint ends in \.npz"):
        Trainer(SPEC, RECIPE, *samples()).train(1, checkpoint=tmp_path / "eqprop.safetensors")
    with pytest.raises(CheckpointError, match="cannot be written: No such file or directory"):
        Trainer(SPEC, RECIPE, *samples()).train(1, checkpoint=tmp_path / "nowhere" / "eqprop.npz")


def test_objects_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "eqprop.npz"
    np.savez(path, header=np.array([{}], object))
    with pytest.raises(CheckpointError, match="no intact checkpoint"):
        Trainer(SPEC, RECIPE, *samples()).train(1, checkpoint=path)


# Networks and samples


def test_a_network_learns_the_digits() -> None:
    data = digits()
    train, test = binary_bits(data.train_images), binary_bits(data.test_images)
    spec = EqPropSpec(layers=(64, 128, 20), state_high=12, learning=True)
    recipe = Recipe(thresholds=(6, 8), batch=16, sigma_samples=16)
    training = Trainer(spec, recipe, train, data.train_labels).train(6)
    assert accuracy(spec, training.parameters, test, data.test_labels) > 0.75


def test_a_network_without_counters_classifies_the_same() -> None:
    bits, labels = samples()
    training = Trainer(SPEC, RECIPE, bits, labels).train(2)
    spec, parameters = without_learning(SPEC, training.parameters)
    assert spec == replace(SPEC, learning=False)
    assert same(spec.check_parameters(parameters), parameters)
    assert (winners(spec, parameters, bits) == winners(SPEC, training.parameters, bits)).all()
    assert winners(spec, parameters, bits[:0]).tolist() == []


def test_initial_parameters() -> None:
    spec = replace(SPEC, layers=(300, 200, 12))
    parameters = initial_parameters(spec, seed=3)
    assert abs(parameters["weights_0"].mean(dtype=float)) < 0.02
    assert not parameters["counters_0"].any()
    assert parameters["steps"].tolist() == [8, 6]
    assert same(parameters, initial_parameters(spec, seed=3))
    assert not same(parameters, initial_parameters(spec, seed=4))
    assert "counters_0" not in initial_parameters(replace(spec, learning=False))


def test_inputs_that_vary() -> None:
    bits = np.array([[0, 1, 1, 0], [0, 1, 0, 1]], bool)
    assert varying_inputs(bits).tolist() == [2, 3]
    assert binary_bits([0.0, 0.4999, 0.5, 1.0]).tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("bits", "labels", "message"),
    [
        (np.zeros((4, 29)), np.zeros(4, int), r"shape \(4, 29\)"),
        (np.full((4, 30), 2), np.zeros(4, int), "an input bit is 2"),
        (np.zeros((0, 30)), np.zeros(0, int), r"shape \(0, 30\); samples"),
        (np.zeros(30), np.zeros(1, int), r"shape \(30,\); samples"),
        (np.zeros((4, 30)), np.zeros(3, int), r"labels have shape \(3,\); there are 4 samples"),
        (np.zeros((4, 30)), np.array([0, 1, 2, 4]), "labels run from 0 to 4; they must be integers from 0 to 3"),
        (np.zeros((4, 30)), np.zeros(4), "must be integers"),
    ],
)
def test_samples_that_do_not_fit(bits: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Trainer(SPEC, RECIPE, bits, labels)


def test_thresholds_for_each_connection() -> None:
    with pytest.raises(SpecError, match=r"thresholds has shape \(3,\); this spec needs \(2,\)"):
        Trainer(SPEC, replace(RECIPE, thresholds=(1, 2, 3)), *samples())
