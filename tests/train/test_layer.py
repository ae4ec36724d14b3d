from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.train.oscillator import saturation_field
from attractor.train.oscillator.layer import Layer, common_inhibition, label_error


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.floats(0.01, 20))
def test_all_outputs_together_are_those_of_one_label(seed: int, classes: int, scale: float) -> None:
    fields = (scale * np.random.default_rng(seed).standard_normal((20, classes))).astype(np.float32)
    lowered = fields - common_inhibition(fields)
    assert np.clip(lowered, -1, 1).sum(axis=1) == pytest.approx(np.full(20, 2 - classes), abs=1e-4 * (1 + scale))
    # The upper limit is never what makes the sum right.
    assert lowered.max() <= 1 + 1e-5 * (1 + scale)


def test_common_inhibition_by_hand() -> None:
    fields = np.array([[1, -1, -1], [3, 3, -5], [-2, -2, -2], [5, 0, 0]], np.float32)
    # Nothing to do; two share what one may have; all share it; the first alone has it.
    assert common_inhibition(fields)[:, 0] == pytest.approx([0, 3, -5 / 3, 4])


def test_error_with_and_without_competition() -> None:
    teacher = np.array([[1, -1, -1]], np.float32)
    fields = np.array([[3, 3, -5]], np.float32)
    assert label_error(teacher, fields, 0.0).tolist() == [[0, -2, 0]]
    assert label_error(teacher, fields, 1.0).tolist() == [[1, -1, 0]]
    assert label_error(teacher, fields, 0.8) == pytest.approx(np.array([[0.4, -1.6, 0]]), abs=1e-6)


def test_pruned_couplings_stay_away_and_steps_grow() -> None:
    layer = Layer(np.ones((2, 4)), 8, 1.0, kept=2)
    mask = np.array([[True, True, False, False], [False, True, True, False]])
    levels, wanted = np.ones((1, 4), np.float32), np.ones((1, 2), np.float32)
    saturation = saturation_field(2, 8)
    assert layer.field(levels) == pytest.approx(np.full((1, 2), 4 / saturation))
    layer.learn(wanted, levels, 0.5)
    assert layer.weights == pytest.approx(np.full((2, 4), 1 + saturation / 4 / 2))
    layer.prune(mask)
    layer.learn(-wanted, levels, 0.5)
    assert layer.weights == pytest.approx(mask * (1 + saturation / 4 / 2 - saturation / 2 / 2))
    assert (layer.rounded() == np.rint(layer.weights)).all()
    layer.learn(wanted, 100 * levels, 1.0)
    assert (layer.rounded() == 127 * mask).all()
