"""Pictures of how ferroelectric networks learn hold what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from attractor.physics.felif import FelifDevice, FelifTwin
from attractor.plot.bruno import TickSlopes, learning_figure
from attractor.train.felif import FelifNeurons

DEVICE = FelifDevice()
CURRENTS = np.linspace(-4e-9, 4e-9, 33)
TICK = TickSlopes.of(DEVICE, 0.5, -0.11, CURRENTS)
LOSSES = {"one": [0.7, 0.4, 0.3], "two": [0.7, 0.5, 0.45]}


def test_values_are_those_of_the_twin() -> None:
    for index in (0, 16, 30):
        twin = FelifTwin(DEVICE)
        state = twin.start(1, 1)
        state.voltage[:], state.polarisation[:] = 0.5, -0.11
        twin.advance(state, CURRENTS[index].reshape(1, 1))
        assert TICK.voltage[index] == pytest.approx(state.voltage[0, 0])
    # It slides on both sides, and is steep in between.
    slopes = np.diff(TICK.voltage)
    assert slopes[0] < slopes.max() / 3 > slopes[-1]


def test_slopes_are_those_that_training_takes() -> None:
    """The gradient of a network of one neuron, by the current of one tick."""
    neurons = FelifNeurons(DEVICE, 1)
    for index in (0, 10, 20, 32):
        state = neurons.begin(1)
        state.voltage[:], state.polarisation[:] = 0.5, -0.11
        record = neurons.advance(state, CURRENTS[[index], None] * DEVICE.per_ampere(1e-3))
        by_current, _ = neurons.backward(record, np.zeros((1, 1)), (np.ones((1, 1)), np.zeros((1, 1))))
        by_ampere = by_current[0, 0] * DEVICE.per_ampere(1e-3) / DEVICE.per_volt
        assert TICK.slopes[index] == pytest.approx(by_ampere)
    assert 0 in TICK.slopes
    assert TICK.slopes.max() == pytest.approx(1e-3 / DEVICE.capacitance)


def test_tangents_lie_on_the_curve_with_the_slopes_given() -> None:
    axes = learning_figure(TICK, LOSSES).axes[0]
    curve, *pieces = axes.lines
    assert np.asarray(curve.get_ydata()).tolist() == TICK.voltage.tolist()
    assert np.asarray(curve.get_xdata()).tolist() == (CURRENTS * 1e9).tolist()
    tangents, points = pieces[::2], pieces[1::2]
    assert len(tangents) == len(points) == 7
    for tangent, point in zip(tangents, points, strict=True):
        x, y = float(np.asarray(point.get_xdata())[0]), float(np.asarray(point.get_ydata())[0])
        index = int(np.abs(CURRENTS * 1e9 - x).argmin())
        assert y == TICK.voltage[index]
        xs, ys = np.asarray(tangent.get_xdata()), np.asarray(tangent.get_ydata())
        assert (ys[1] - ys[0]) / (xs[1] - xs[0]) == pytest.approx(TICK.slopes[index] * 1e-9)
        assert [xs.mean(), ys.mean()] == pytest.approx([x, y])


def test_losses_are_named_and_bounded() -> None:
    figure = learning_figure(TICK, LOSSES, bound=0.42)
    axes = figure.axes[1]
    for line, (name, values) in zip(axes.lines[:2], LOSSES.items(), strict=True):
        assert line.get_label() == name
        assert list(line.get_xdata()) == [0, 1, 2]  # type: ignore[arg-type]
        assert list(line.get_ydata()) == values  # type: ignore[arg-type]
    assert axes.lines[2].get_ydata() == [0.42, 0.42]
    assert [text.get_text() for text in axes.texts] == ["without memory"]
    assert len(learning_figure(TICK, LOSSES).axes[1].lines) == 2
    figure.canvas.draw()


def test_trainings_that_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="losses has 5 trainings; at most 4"):
        learning_figure(TICK, {str(number): [1.0] for number in range(5)})
    with pytest.raises(ValueError, match="losses is empty"):
        learning_figure(TICK, {})
