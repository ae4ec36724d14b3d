from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attractor.golden import OscillatorNetwork
from attractor.spec import SpecError
from attractor.train.oscillator import (
    TrainingError,
    associative_memory,
    covariance_hebb,
    diederich_opper,
    hebb,
    magnitude_mask,
    pattern_phases,
    read_patterns,
    saturated_delta,
    storkey,
)

seeds = st.integers(0, 2**32 - 1)
widths = st.integers(2, 8)
RULES: list[Callable[..., Any]] = [hebb, covariance_hebb, storkey, diederich_opper]


def random_patterns(seed: int, patterns: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1, 1], (patterns, count))


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(1, 6), st.integers(2, 20))
def test_hebb_is_the_sum_of_products_times_a_whole_number(seed: int, patterns: int, count: int) -> None:
    x = random_patterns(seed, patterns, count)
    weights = hebb(x, weight_bits=8)
    for i in range(count):
        assert weights[i, i] == 0
        for j in range(i):
            assert weights[i, j] == weights[j, i]
    products = sum(np.outer(row, row) for row in x) - patterns * np.eye(count, dtype=int)
    factor = 127 // max(np.abs(products).max(), 1)
    assert (weights == factor * products).all()


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(1, 5), st.integers(2, 8))
def test_storkey_is_the_sum_over_all_other_oscillators(seed: int, patterns: int, count: int) -> None:
    x = random_patterns(seed, patterns, count)
    expected = [[0.0] * count for _ in range(count)]
    for row in x:
        fields = [
            [sum(expected[i][k] * row[k] for k in range(count) if k not in (i, j)) for j in range(count)]
            for i in range(count)
        ]
        expected = [
            [
                expected[i][j] + (row[i] * row[j] - row[i] * fields[j][i] - fields[i][j] * row[j]) / count
                for j in range(count)
            ]
            for i in range(count)
        ]
    real = np.array(expected)
    scaled = real * 127 / np.abs(real).max()
    weights = storkey(x, weight_bits=8, zero_diagonal=False)
    assert np.abs(weights - scaled).max() <= 0.5 + 1e-9
    assert (weights == weights.T).all()


def test_covariance_hebb_forgets_what_all_patterns_share() -> None:
    x = random_patterns(1, 6, 12)
    x[:, :4] = 1
    weights = covariance_hebb(x, weight_bits=5)
    assert not weights[:4].any()
    assert not weights[:, :4].any()
    assert np.abs(weights).max() == 15
    centred = x - x.mean(axis=0)
    products = centred.T @ centred * (1 - np.eye(12))
    assert np.abs(weights - products * 15 / np.abs(products).max()).max() <= 0.5 + 1e-9


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(12, 30), st.integers(3, 8), st.booleans())
def test_diederich_opper_makes_every_pattern_stable(
    seed: int, patterns: int, count: int, bits: int, symmetric: bool
) -> None:
    x = random_patterns(seed, patterns, count)
    # No couplings keep two patterns, or one and the negative of another, that differ in a single place.
    overlaps = np.abs(x @ x.T.astype(int))[np.triu_indices(patterns, 1)]
    assume((overlaps != count - 2).all())
    try:
        weights = diederich_opper(x, weight_bits=bits, symmetric=symmetric)
    except TrainingError:
        # Couplings of few bits cannot tell patterns apart that are nearly the same, or nearly opposite.
        assert bits < 6
        assert overlaps.max() > count / 2
        return
    assert weights.dtype == np.int8
    assert not np.diag(weights).any()
    assert np.abs(weights.astype(int)).max() <= 2 ** (bits - 1) - 1
    assert (x * (x @ weights.T.astype(int)) > 0).all()
    if symmetric:
        assert (weights == weights.T).all()


def test_diederich_opper_uses_the_rounded_fields() -> None:
    # Rounding the real-valued solution afterwards loses patterns that rounding during training keeps.
    kept = 0
    for seed in range(20):
        x = random_patterns(seed, 12, 24)
        real = diederich_opper_real(x)
        rounded = np.rint(real * 3 / np.abs(real).max())
        if (x * (x @ rounded.T) <= 0).any():
            weights = diederich_opper(x, weight_bits=3).astype(int)
            assert (x * (x @ weights.T) > 0).all()
            kept += 1
    assert kept > 10


def diederich_opper_real(x: np.ndarray) -> np.ndarray:
    """The published rule, on real numbers, one coupling at a time."""
    patterns, count = x.shape
    weights = np.zeros((count, count))
    changed = True
    while changed:
        changed = False
        for p in range(patterns):
            for i in range(count):
                if x[p, i] * (weights[i] @ x[p]) < 1:
                    weights[i] += x[p, i] * x[p] / count
                    weights[i, i] = 0
                    changed = True
    return weights


def test_what_cannot_be_stored_is_reported() -> None:
    # Oscillator 0 disagrees with itself: all others are equal in both patterns.
    x = np.array([[1, 1, 1], [-1, 1, 1]])
    with pytest.raises(TrainingError, match=r"of 6 pattern values are not stable with 5-bit couplings after 50 sweeps"):
        diederich_opper(x, weight_bits=5, max_sweeps=50)


@pytest.mark.parametrize("rule", RULES)
def test_rules_name_what_is_wrong(rule: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="a pattern holds 0"):
        rule([[1, 0, -1]], weight_bits=5)
    with pytest.raises(ValueError, match="weight_bits is 9"):
        rule([[1, -1]], weight_bits=9)
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        rule([1, 1, -1], weight_bits=5)


# Covariance Hebb leaves out what all patterns share, so it is no rule for completing single patterns.
@pytest.mark.parametrize("rule", [hebb, storkey, diederich_opper])
def test_a_memory_completes_damaged_patterns(rule: Callable[..., Any]) -> None:
    x = random_patterns(7, 3, 80)
    spec, parameters = associative_memory(rule(x, weight_bits=5), weight_bits=5)
    start = x.copy()
    start[:, :8] *= -1
    run = OscillatorNetwork(spec, parameters).run(pattern_phases(spec, start))
    assert run.settled.all()
    assert read_patterns(spec, run.phases).tolist() == (x * x[:, :1]).tolist()


def test_reading_tells_what_lies_between() -> None:
    spec, _ = associative_memory(np.zeros((4, 4), int), weight_bits=5)
    assert read_patterns(spec, [[3, 3, 11, 4]]).tolist() == [[1, 1, -1, 0]]
    with pytest.raises(SpecError, match="must lie between -16 and 15"):
        associative_memory([[0, 16], [0, 0]], weight_bits=5)


# Labels


def separable(seed: int, samples: int = 300, count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    centres = generator.choice([-1, 1], (4, count))
    labels = generator.integers(0, 4, samples)
    x = centres[labels] * np.where(generator.random((samples, count)) < 0.15, -1, 1)
    x[:, -1] = 1
    return x, labels


def test_saturated_delta_separates_and_depends_on_the_seed_only() -> None:
    x, labels = separable(0)
    weights = saturated_delta(x, labels, classes=4, weight_bits=5, epochs=15)
    assert weights.shape == (4, 24)
    assert np.abs(weights).max() <= 15
    assert ((x @ weights.T.astype(int)).argmax(axis=1) == labels).mean() > 0.95
    assert (weights == saturated_delta(x, labels, classes=4, weight_bits=5, epochs=15)).all()
    assert (weights != saturated_delta(x, labels, classes=4, weight_bits=5, epochs=15, seed=1)).any()


def test_saturated_delta_by_hand() -> None:
    # One sample, d = 4, 3 bits: saturation 3 * 2 / 4 = 1.5, and the first step is 1.5 rate (t - 0) x.
    weights = saturated_delta([[1, -1, 1, 1]], [1], classes=2, weight_bits=3, epochs=1, rate=1.0)
    assert weights.tolist() == [[-2, 2, -2, -2], [2, -2, 2, 2]]
    # Then h = -8 and 8 saturate: no error is left, so a second pass changes nothing.
    again = saturated_delta([[1, -1, 1, 1]], [1], classes=2, weight_bits=3, epochs=2, rate=1.0)
    assert (again == weights).all()


def test_masked_couplings_stay_zero() -> None:
    x, labels = separable(1)
    dense = saturated_delta(x, labels, classes=4, weight_bits=5, epochs=5)
    mask = magnitude_mask(dense, 0.5)
    assert mask.sum() == dense.size // 2
    assert np.abs(dense[mask].astype(int)).min() >= np.abs(dense[~mask].astype(int)).max()
    sparse = saturated_delta(x, labels, classes=4, weight_bits=5, epochs=5, mask=mask)
    assert not sparse[~mask].any()
    assert sparse[mask].any()


def test_progress_counts_the_passes() -> None:
    seen: list[tuple[int, int]] = []
    x, labels = separable(2, samples=20)
    saturated_delta(x, labels, classes=4, weight_bits=5, epochs=3, progress=lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_labels_and_masks_that_do_not_fit() -> None:
    x = np.ones((3, 2), int)
    arguments: dict[str, Any] = {"classes": 2, "weight_bits": 5}
    with pytest.raises(ValueError, match="labels run from 0 to 2"):
        saturated_delta(x, [0, 1, 2], **arguments)
    with pytest.raises(ValueError, match="there are 3 samples"):
        saturated_delta(x, [0, 1], **arguments)
    with pytest.raises(ValueError, match=r"mask has shape \(2,\)"):
        saturated_delta(x, [0, 1, 1], mask=[True, False], **arguments)
    with pytest.raises(ValueError, match="epochs is 0"):
        saturated_delta(x, [0, 1, 1], epochs=0, **arguments)
    with pytest.raises(ValueError, match=r"keep is 1\.5"):
        magnitude_mask(x, 1.5)
