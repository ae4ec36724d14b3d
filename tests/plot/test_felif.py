"""Pictures of ferroelectric neurons hold what they are given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from attractor.physics.felif import FelifDevice, felif_parameters
from attractor.physics.felif.response import Response
from attractor.plot.felif import (
    A_COLOUR,
    B_COLOUR,
    CHOSEN,
    DEVICE_COLOUR,
    NetworkRun,
    hysteresis_figure,
    response_figure,
    run_figure,
)
from attractor.spec import FelifLayer

DEVICE = FelifDevice()
CURRENTS = np.repeat([3.0, -0.6, 1.5], [6, 4, 12]) * 1e-9
RESPONSE = Response.of(DEVICE, CURRENTS)


def line(axes: Axes, label: str) -> np.ndarray:
    """Return the points of the line whose label begins so, shape (points, 2)."""
    found = [one for one in axes.lines if str(one.get_label()).startswith(label)]
    assert len(found) == 1
    return np.column_stack([np.asarray(found[0].get_xdata()), np.asarray(found[0].get_ydata())])


def test_a_response_shows_all_three_neurons() -> None:
    figure = response_figure(RESPONSE)
    current, raster, voltage, polarisation = figure.axes
    values, edges, _ = current.patches[0].get_data()  # type: ignore[attr-defined]
    assert values.tolist() == (CURRENTS * 1e9).tolist()
    assert edges.tolist() == list(range(23))
    for axes, quantity in ((voltage, "voltage"), (polarisation, "polarisation")):
        for label, course in (("device", RESPONSE.device), ("A", RESPONSE.a), ("B", RESPONSE.b)):
            assert np.array_equal(line(axes, label), np.column_stack([course.time, getattr(course, quantity)]))
    threshold = next(one for one in voltage.lines if one.get_linestyle() == ":")
    assert threshold.get_ydata() == [2.5, 2.5]
    rows = [label.get_text() for label in raster.get_yticklabels()]
    assert rows == ["device", "A", "B"]
    for events, course in zip(raster.collections, (RESPONSE.device, RESPONSE.a, RESPONSE.b), strict=True):
        assert events.get_positions() == (np.flatnonzero(course.spikes) + 1).tolist()  # type: ignore[attr-defined]
    assert RESPONSE.device.spikes.any()
    figure.canvas.draw()
    assert (voltage.get_ylabel(), current.get_xlim()) == ("voltage, V", (0, 22))


def test_the_three_neurons_can_be_told_apart_without_colours() -> None:
    """By brightness and by marker."""

    def brightness(colour: str) -> float:
        return sum(w * int(to_hex(colour)[i : i + 2], 16) for w, i in ((0.299, 1), (0.587, 3), (0.114, 5)))

    for colours in ((DEVICE_COLOUR, A_COLOUR, B_COLOUR), CHOSEN):
        ordered = sorted(brightness(colour) for colour in colours)
        assert min(np.diff(ordered)) > 20
    markers = {str(one.get_label())[0]: one.get_marker() for one in response_figure(RESPONSE).axes[2].lines[:3]}
    assert markers == {"d": "None", "A": "o", "B": "."}


def test_a_loop_is_polarisation_over_voltage() -> None:
    swept = Response.of(replace(DEVICE, threshold=4.9), np.repeat([2.0, -2.0, 2.0], [7, 7, 7]) * 1e-9)
    figure = hysteresis_figure(DEVICE, swept)
    loop = figure.axes[0]
    for label, course in (("device", swept.device), ("A", swept.a)):
        assert np.array_equal(line(loop, label), np.column_stack([course.voltage, course.polarisation]))
    # The arrows go up on the right flank and down on the left one.
    up, down = loop.texts
    (up_x, up_y), (down_x, down_y) = up.xy, down.xy  # type: ignore[attr-defined]
    assert up_x > 0 > down_x
    assert up_y > up.xyann[1]  # type: ignore[attr-defined]
    assert down_y < down.xyann[1]  # type: ignore[attr-defined]
    figure.canvas.draw()


def test_tables_lie_on_the_switching_time_of_the_device() -> None:
    device = replace(DEVICE, activation_field=13.2e8)
    figure = hysteresis_figure(device, RESPONSE)
    axes = figure.axes[1]
    fields, times = line(axes, "device").T
    assert times == pytest.approx(device.switching_time(fields))
    a, b = line(axes, "table of A"), line(axes, "table of B")
    table = felif_parameters(FelifLayer(neurons=1, kind="felif_a"), device)["field"]
    assert (a[:, 0] * 4096).tolist() == table.tolist()
    assert a[:, 1] == pytest.approx(device.switching_time(a[:, 0]), rel=0.01)
    # B's first entries are small integers and the last is nearly 1, so they are coarse; those at 1 cannot be shown.
    assert b[:, 1] == pytest.approx(device.switching_time(b[:, 0]), rel=0.3)
    assert b[8:-1, 1] == pytest.approx(device.switching_time(b[8:-1, 0]), rel=0.01)
    held = felif_parameters(FelifLayer(neurons=1, kind="felif_b"), device)["field"]
    assert len(b) == np.count_nonzero((held > 0) & (held < 1 << 20))
    assert [float(one.get_ydata()[0]) for one in axes.lines if one.get_linestyle() == ":"] == [1e-3, 1e-3 / 64, 1e-6]  # type: ignore[index]
    assert [text.get_text() for text in axes.texts] == [
        "a tick, 1 ms",
        "a sub-step of B, 15.6 µs",
        "a step of the twin, 1 µs",
    ]


def network_run(*, predicted: bool = True) -> NetworkRun:
    random = np.random.default_rng(0)
    return NetworkRun(
        inputs=random.random((20, 6)) < 0.3,
        spikes=random.random((20, 9)) < 0.4,
        shown=(7, 2),
        voltage=random.uniform(-1.5, 2.4, (20, 2)),
        polarisation=random.uniform(-1, 1, (20, 2)),
        threshold=2.0,
        predicted=random.random((20, 6)) if predicted else None,
    )


def test_a_run_shows_inputs_and_what_was_foretold_where_it_comes_true() -> None:
    run = network_run()
    figure = run_figure(run, lowest=43)
    roll, foretold, *_ = figure.axes
    assert np.array_equal(np.asarray(roll.images[0].get_array()), run.inputs.T)
    assert tuple(roll.images[0].get_extent()) == (0, 20, 42.5, 48.5)
    shown = np.asarray(foretold.images[0].get_array())
    assert run.predicted is not None
    assert np.array_equal(shown[:, 1:], run.predicted[:-1].T)
    assert not shown[:, 0].any()
    squares = {(x - 0.5, y - 43) for x, y in np.asarray(foretold.collections[0].get_offsets())}
    assert squares == {(tick, row) for tick, row in np.argwhere(run.inputs) if tick}
    figure.canvas.draw()


@pytest.mark.parametrize("predicted", [True, False])
def test_a_run_shows_spikes_and_states_in_the_same_colours(predicted: bool) -> None:
    run = network_run(predicted=predicted)
    figure = run_figure(run)
    assert len(figure.axes) == (5 if predicted else 4)
    raster, voltage, polarisation = figure.axes[-3:]
    everyone, *own = raster.collections
    assert {(x - 1, y) for x, y in np.asarray(everyone.get_offsets())} == set(map(tuple, np.argwhere(run.spikes)))
    for dots, number, colour in zip(own, run.shown, CHOSEN, strict=False):
        assert np.asarray(dots.get_offsets()).tolist() == [
            [t + 1, number] for t in np.flatnonzero(run.spikes[:, number])
        ]
        assert to_hex(dots.get_facecolor()[0]) == colour  # type: ignore[index]
    for axes, values in ((voltage, run.voltage), (polarisation, run.polarisation)):
        for column, number in enumerate(run.shown):
            points = line(axes, f"neuron {number}")
            assert points.tolist() == np.column_stack([np.arange(1, 21), values[:, column]]).tolist()
            assert next(o for o in axes.lines if o.get_label() == f"neuron {number}").get_color() == CHOSEN[column]
    assert next(one for one in voltage.lines if one.get_linestyle() == ":").get_ydata() == [2.0, 2.0]


def test_runs_that_cannot_be_shown() -> None:
    run = network_run()
    with pytest.raises(ValueError, match="voltage has 19 ticks, but inputs has 20"):
        run_figure(replace(run, voltage=run.voltage[1:]))
    with pytest.raises(ValueError, match="predicted has 3 ticks"):
        run_figure(replace(run, predicted=np.zeros((3, 6))))
    with pytest.raises(ValueError, match="shown has 5 neurons; at most 4"):
        run_figure(replace(run, shown=range(5), voltage=np.zeros((20, 5)), polarisation=np.zeros((20, 5))))
    with pytest.raises(ValueError, match="polarisation has 3 columns, but 2 neurons are shown"):
        run_figure(replace(run, polarisation=np.zeros((20, 3))))
