"""Pictures of eqprop networks hold what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from attractor.golden import EqPropNetwork
from attractor.plot.eqprop import (
    LearningCurve,
    Relaxation,
    demo_figure,
    fields_figure,
    learning_figure,
    relaxation_figure,
)
from attractor.spec import EqPropSpec
from attractor.train.eqprop import initial_parameters

SPEC = EqPropSpec(layers=(16, 9, 5, 6), classes=3, state_high=(4, 5, 8), learning=True)


def relaxation(seed: int = 0, *, sigma: int = 1, winner: int = 1) -> Relaxation:
    bits = np.random.default_rng(seed).integers(0, 2, (1, 16))
    lesson = EqPropNetwork(SPEC, initial_parameters(SPEC, seed=seed)).learn(bits, [1], sigma, (9, 9, 9), trace=True)
    assert lesson.free.trace is not None
    assert lesson.nudged.trace is not None
    return Relaxation(bits[0].astype(float), 1, winner, lesson.free.trace[:, 0], lesson.nudged.trace[:, 0], sigma)


def curve(samples: int = 250) -> LearningCurve:
    random = np.random.default_rng(0)
    return LearningCurve(
        np.array([0, 100, samples]),
        np.array([0.1, 0.5, 0.875]),
        random.integers(0, 5, samples),
        random.integers(0, 90, samples),
    )


def test_a_network_settles_for_a_picture_and_stays_as_it_is() -> None:
    network = EqPropNetwork(SPEC, initial_parameters(SPEC, seed=3))
    before = {name: array.copy() for name, array in network.parameters.items()}
    bits = np.random.default_rng(3).integers(0, 2, 16)
    one = Relaxation.of(network, bits.astype(float), bits, 2)
    assert all((network.parameters[name] == array).all() for name, array in before.items())
    lesson = network.learn(bits[None], [2], 1, (9, 9, 9), trace=True)
    assert lesson.free.trace is not None
    assert lesson.nudged.trace is not None
    np.testing.assert_array_equal(one.free, lesson.free.trace[:, 0])
    np.testing.assert_array_equal(one.nudged, lesson.nudged.trace[:, 0])
    assert (one.label, one.sigma) == (2, 1)
    assert one.winner == network.scores(lesson.free.states)[0].argmax()


def test_states_are_parts_of_the_greatest_one_sorted_in_their_layers() -> None:
    one = relaxation()
    figure = relaxation_figure(SPEC, [one, relaxation(1, sigma=-1, winner=2)])
    titles = [axes.get_title() for axes in figure.axes]
    assert "1 read as 1" in titles
    assert "1 read as 2" in titles
    raster = figure.axes[1]
    assert [text.get_text() for text in raster.texts] == ["free", "nudged"]
    assert [label.get_text() for label in raster.get_yticklabels()] == ["output", "hidden 2", "hidden 1"]
    for image, states in zip(raster.images, (one.free, one.nudged), strict=True):
        shown = np.asarray(image.get_array()).T
        assert shown.shape == states.shape
        start = 0
        for layer, high in ((2, 8), (1, 5), (0, 4)):
            part = states[:, SPEC.neurons[layer]] / high
            columns = shown[:, start : start + part.shape[1]]
            start += part.shape[1]
            assert sorted(map(tuple, columns.T)) == sorted(map(tuple, part.T))
    last = np.asarray(raster.images[0].get_array())[:6, -1]
    assert (np.diff(last) <= 0).all()
    assert [text.get_text() for text in figure.axes[4].texts] == ["free", "nudged away"]


def test_changed_bits_are_counted_in_both_phases() -> None:
    one = relaxation(3)
    figure = relaxation_figure(SPEC, [one])
    highs = np.repeat((4, 5, 8), (9, 5, 6))
    bits = [2 * states.astype(int) >= highs for states in (one.free, one.nudged)]
    expected = [int(count) for part in bits for count in (part[1:] != part[:-1]).sum(axis=1)]
    found = [bar.get_height() for container in figure.axes[2].containers for bar in container]  # type: ignore[union-attr]
    assert found == expected
    assert sum(found) > 10


@pytest.mark.parametrize("samples", [7, 250])
def test_learning_is_averaged_over_stretches(samples: int) -> None:
    given = curve(samples)
    figure = learning_figure(given)
    accuracy, flips, touched = figure.axes
    assert np.asarray(accuracy.lines[0].get_ydata()).tolist() == given.accuracy.tolist()
    assert accuracy.texts[0].get_text() == "0.875"
    for axes, values in ((flips, given.flips), (touched, given.touched)):
        means, edges, _ = axes.patches[0].get_data()  # type: ignore[attr-defined]
        assert (means * np.diff(edges)).sum() == pytest.approx(values.sum())
        assert len(means) == min(samples, 100)


def test_fields_leave_out_what_is_no_input() -> None:
    fields = np.random.default_rng(0).uniform(-1, 1, (7, 16))
    fields[:, 3] = np.nan
    figure = fields_figure(fields, columns=4)
    assert len(figure.axes) == 7
    for axes, field in zip(figure.axes, fields, strict=True):
        shown = np.ma.asarray(axes.images[0].get_array())
        assert shown.shape == (4, 4)
        assert np.ma.getmaskarray(shown).ravel().nonzero()[0].tolist() == [3]
        assert shown.compressed().tolist() == field[~np.isnan(field)].tolist()


def test_the_demos_picture_has_all_of_it() -> None:
    fields = np.zeros((9, 16))
    figure = demo_figure(SPEC, [relaxation(), relaxation(1)], curve(), fields)
    assert len(figure.axes) == 2 * 3 + 3 + 9
    figure.canvas.draw()
