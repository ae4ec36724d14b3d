"""How often reads reach a target, and how long it takes: against numbers worked out by hand and by tables."""

from __future__ import annotations

import math

import pytest

from attractor.solve.success import Success


def test_the_time_is_the_formula() -> None:
    times = Success(5, 10).times(2.0)
    assert times.best == pytest.approx(2 * math.log(0.01) / math.log(0.5))
    assert times.low is not None
    assert times.best is not None
    assert times.high is not None
    assert times.low < times.best < times.high


def test_the_interval_is_that_of_wilson() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    known = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0, 0.1611), (1, 29): (0.0061, 0.1718)}
    for (hits, reads), expected in known.items():
        assert Success(hits, reads).interval == pytest.approx(expected, abs=1e-4)


def test_all_and_none() -> None:
    assert Success(4, 4).times(3.0).best == 3.0
    assert Success(4, 4).times(3.0).low == 3.0
    assert Success(4, 4).interval[1] == 1.0
    none = Success(0, 4).times(3.0)
    assert (none.best, none.high) == (None, None)
    assert none.low is not None
    assert none.low > 3.0
    assert Success(999, 1000).times(3.0).best == 3.0  # a read cannot be divided


def test_truth_values_are_counted() -> None:
    assert Success.of([True, False, True]) == Success(2, 3)


@pytest.mark.parametrize(("hits", "reads"), [(0, 0), (3, 2), (-1, 2)])
def test_what_cannot_be(hits: int, reads: int) -> None:
    with pytest.raises(ValueError, match="at least one read"):
        Success(hits, reads)
