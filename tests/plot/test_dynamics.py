"""Pictures hold what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from attractor.plot.dynamics import annealing_figure, as_image, recall_figure


@pytest.mark.parametrize(("count", "shape"), [(100, (10, 10)), (42, (7, 6)), (7, (1, 7)), (1, (1, 1))])
def test_patterns_become_as_square_as_they_can(count: int, shape: tuple[int, int]) -> None:
    image = as_image(np.arange(count))
    assert image.shape == shape
    assert image.reshape(-1).tolist() == list(range(count))


@pytest.mark.parametrize("variables", [5, 200])
def test_annealing(variables: int) -> None:
    random = np.random.default_rng(0)
    phases = random.integers(0, 16, (31, variables)).astype(np.uint8)
    weights = np.where(random.random((variables, variables)) < 0.02, -3, 0)
    groups = np.arange(variables) % 2
    measure = np.linspace(-50, -120, 31)
    figure = annealing_figure(phases, 16, weights, measure, groups, name="energy", noise=np.arange(30.0)[::-1])
    raster, below = figure.axes[:2]
    shown = np.asarray(raster.images[0].get_array())
    assert shown.shape == (variables, 31)
    order = np.lexsort((phases[-1], groups))
    assert (shown == phases[:, order].T).all()
    assert np.asarray(below.lines[0].get_ydata()).tolist() == measure.tolist()
    assert below.get_ylabel() == "energy"
    titles = [axes.get_title() for axes in figure.axes]
    assert [title for title in titles if title.startswith("period")] == ["period 0", "period 15", "period 30"]
    assert annealing_figure(phases[:2], 16, weights, measure[:2], groups, name="cut").axes


def test_recall_shows_phases_relative_to_the_reference() -> None:
    random = np.random.default_rng(0)
    given = random.choice([-1, 1], (2, 12)).astype(np.int8)
    traces = [random.integers(0, 16, (length, 12)).astype(np.uint8) for length in (17, 33)]
    figure = recall_figure(given, -given, traces, 16, reference=3)
    rasters = [axes for axes in figure.axes if axes.get_xlabel() == "period"]
    for raster, trace in zip(rasters, traces, strict=True):
        shown = np.asarray(raster.images[0].get_array()).T
        assert shown.shape == (33, 12)
        relative = (trace.astype(int) - trace[:, [3]]) % 16
        expected = relative[:, np.argsort(relative[-1], kind="stable")]
        assert (shown[: len(trace)] == expected).all()
        assert (shown[len(trace) :] == expected[-1]).all()
    images = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.get_title() == "recalled"]
    assert (np.stack(images).reshape(2, -1) == -given).all()
