"""Pictures of ferroelectric spiking networks, as matplotlib figures: single neurons, and networks at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from attractor.physics.felif import FelifDevice, felif_parameters
from attractor.physics.felif.response import Response
from attractor.physics.felif.tables import FIELD_BIN, PUSH
from attractor.physics.felif.twin import FINE_STEP, TICK
from attractor.plot.oscillator import OTHER, REFERENCE, WINNER, new_figure
from attractor.spec import FelifLayer
from attractor.spec.felif.layer import FELIF_A, FELIF_B, FIRST_BIN, SUBSTEPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "A_COLOUR",
    "B_COLOUR",
    "CHOSEN",
    "DEVICE_COLOUR",
    "Bools",
    "Floats",
    "NetworkRun",
    "draw_courses",
    "draw_current",
    "draw_foretold",
    "draw_loop",
    "draw_raster",
    "draw_roll",
    "draw_spikes",
    "draw_states",
    "draw_switching",
    "hysteresis_figure",
    "response_figure",
    "run_figure",
]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Colours of the device and of its integer neurons A and B.
DEVICE_COLOUR, A_COLOUR, B_COLOUR = "#c3cad2", WINNER, REFERENCE
#: Colours of chosen neurons, in turn; told apart by brightness, too.
CHOSEN = ("#2e4057", "#d1495b", "#edae49", "#66a3d2")


@dataclass(frozen=True)
class NetworkRun:
    """What a network did on one sequence.

    Parameters
    ----------
    inputs:
        0 or 1, shape (ticks, inputs).
    spikes:
        Whether each neuron of a layer spiked, shape (ticks, neurons).
    shown:
        Numbers of a few of these neurons, at most four, shape (shown,).
    voltage, polarisation:
        Of these, after each tick: V, and parts of the saturation from -1 to 1, shape (ticks, shown).
    threshold:
        Of the neurons, V.
    predicted:
        Probability of each input in the *next* tick as told in this one, 0 to 1, shape (ticks, inputs); None to leave
        it out.
    """

    inputs: npt.NDArray[np.generic]
    spikes: Bools
    shown: Sequence[int]
    voltage: Floats
    polarisation: Floats
    threshold: float
    predicted: Floats | None = None


# Whole figures


def response_figure(response: Response) -> Figure:
    """Show current, spikes, voltage and polarisation of one neuron over time, as device and as integers.

    Raises
    ------
    RuntimeError
        If matplotlib is absent.
    """
    figure = new_figure((8.2, 5.4))
    grid = figure.add_gridspec(
        4, 1, height_ratios=(0.6, 0.34, 1.6, 1.2), left=0.095, right=0.985, top=0.92, bottom=0.095, hspace=0.16
    )
    above = figure.add_subplot(grid[0])
    draw_current(above, response.currents)
    raster, voltage, polarisation = (figure.add_subplot(grid[row], sharex=above) for row in (1, 2, 3))
    draw_spikes(raster, response)
    draw_courses(voltage, response, "voltage")
    voltage.axhline(response.threshold, color=REFERENCE, lw=0.8, ls=":")
    voltage.set_ylabel("voltage, V")
    draw_courses(polarisation, response, "polarisation")
    _parts_of_saturation(polarisation)
    polarisation.set_ylabel("polarisation / $P_s$")
    polarisation.set_xlabel("time, ms (one tick is 1 ms)")
    for axes in (above, raster, voltage):
        axes.tick_params(labelbottom=False)
    above.set_xlim(0, len(response.currents))
    handles, labels = voltage.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=3, frameon=False, fontsize=10, bbox_to_anchor=(0.535, 1.0))
    return figure


def hysteresis_figure(device: FelifDevice, sweep: Response) -> Figure:
    """Show polarisation over voltage, and the switching time over the field with what the tables hold of it.

    Parameters
    ----------
    device:
        One neuron: every constant is one number.
    sweep:
        The neuron while its voltage goes up and down and never reaches the threshold.

    Raises
    ------
    RuntimeError
        If matplotlib is absent.
    """
    figure = new_figure((9.2, 4.2))
    grid = figure.add_gridspec(1, 2, left=0.075, right=0.985, top=0.86, bottom=0.135, wspace=0.26)
    draw_loop(figure.add_subplot(grid[0]), sweep)
    draw_switching(figure.add_subplot(grid[1]), device)
    return figure


def run_figure(run: NetworkRun, *, lowest: int = 0, unit: str = "note") -> Figure:
    """Show a network at work: inputs, what it foretells, spikes of a layer, and the states of a few neurons.

    Parameters
    ----------
    run:
        What it did.
    lowest:
        Number of the first input on the axis, such as the MIDI number of the lowest note.
    unit:
        What an input is.

    Raises
    ------
    RuntimeError
        If matplotlib is absent.
    ValueError
        If the arrays do not fit each other, or more neurons are chosen than there are colours.
    """
    _check(run)
    rolls = 1 if run.predicted is None else 2
    heights = (*[1.25] * rolls, 1.25, 0.85, 0.85)
    figure = new_figure((9.2, 1.55 * sum(heights) + 0.6))
    grid = figure.add_gridspec(
        len(heights), 1, height_ratios=heights, left=0.08, right=0.985, top=0.965, bottom=0.07, hspace=0.2
    )
    panels = [figure.add_subplot(grid[0])]
    panels += [figure.add_subplot(grid[row], sharex=panels[0]) for row in range(1, len(heights))]
    draw_roll(panels[0], run.inputs, lowest, unit)
    panels[0].set_title("inputs", loc="left", fontsize=9, pad=3)
    if run.predicted is not None:
        draw_foretold(panels[1], run, lowest, unit)
        panels[1].set_title("foretold a tick before; squares: what came", loc="left", fontsize=9, pad=3)
    draw_raster(panels[-3], run)
    draw_states(panels[-2], run, "voltage")
    panels[-2].axhline(run.threshold, color=REFERENCE, lw=0.8, ls=":")
    panels[-2].set_ylabel("voltage, V")
    draw_states(panels[-1], run, "polarisation")
    _parts_of_saturation(panels[-1])
    panels[-1].set_ylabel("polarisation / $P_s$")
    panels[-1].set_xlabel("tick")
    panels[0].set_xlim(0, len(run.inputs))
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    return figure


# Parts of a single neuron


def draw_current(axes: Axes, currents: Floats) -> None:
    """Draw the current of each tick, in nA."""
    axes.stairs(currents * 1e9, np.arange(len(currents) + 1), baseline=None, color=OTHER, lw=1.6)
    axes.axhline(0, color=REFERENCE, lw=0.6)
    axes.set_ylabel("current,\nnA", fontsize=9)
    axes.margins(y=0.15)
    _plain(axes)


def draw_spikes(axes: Axes, response: Response) -> None:
    """Draw a row of spikes for each model, the device at the top, each at the end of its tick."""
    rows = ((response.device, "#8a94a0"), (response.a, A_COLOUR), (response.b, B_COLOUR))
    for row, (course, colour) in enumerate(rows):
        axes.eventplot(np.flatnonzero(course.spikes) + 1.0, lineoffsets=-row, linelengths=0.8, colors=colour, lw=1.8)
    axes.set_yticks([0, -1, -2], ["device", "A", "B"], fontsize=8)
    axes.tick_params(left=False)
    axes.set_ylim(-2.6, 0.6)
    axes.spines[:].set_visible(False)
    axes.tick_params(bottom=False)


def draw_courses(axes: Axes, response: Response, quantity: str) -> None:
    """Draw ``"voltage"`` or ``"polarisation"`` of all three: the device behind, the integers as points on it."""
    device, a, b = response.device, response.a, response.b
    axes.plot(device.time, getattr(device, quantity), color=DEVICE_COLOUR, lw=4.5, label="device, 1 µs steps")
    axes.plot(
        a.time, getattr(a, quantity), color=A_COLOUR, lw=0.7, marker="o", ms=3.6, mfc="none", mew=0.9,
        label="A, one integer step a tick",
    )  # fmt: skip
    axes.plot(
        b.time, getattr(b, quantity), color=B_COLOUR, lw=0, marker=".", ms=3.2,
        label=f"B, {SUBSTEPS} integer sub-steps a tick",
    )  # fmt: skip
    _plain(axes)


def draw_loop(axes: Axes, sweep: Response) -> None:
    """Draw polarisation over voltage of the device and of FeLIF A."""
    axes.plot(sweep.device.voltage, sweep.device.polarisation, color=DEVICE_COLOUR, lw=5, label="device")
    axes.plot(
        sweep.a.voltage, sweep.a.polarisation, color=A_COLOUR, lw=0.7, marker="o", ms=3.2, mfc="none", mew=0.8,
        label="A, backlash",
    )  # fmt: skip
    # Which way round: at the middle of both flanks.
    for rises, offset in ((True, (0.16, 0.14)), (False, (-0.16, -0.14))):
        moves = np.diff(sweep.device.polarisation)
        flank = np.flatnonzero((moves > 0) == rises)
        at = flank[np.abs(sweep.device.polarisation[flank]).argmin()]
        v, p = sweep.device.voltage[at] + 2 * offset[0], sweep.device.polarisation[at]
        axes.annotate(
            "", (v + offset[0], p + offset[1]), (v - offset[0], p - offset[1]),
            arrowprops={"arrowstyle": "->", "color": REFERENCE, "lw": 1.2},
        )  # fmt: skip
    _parts_of_saturation(axes)
    axes.set_xlabel("voltage, V")
    axes.set_ylabel("polarisation / $P_s$")
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(0.0, 0.97))
    _plain(axes)


def draw_switching(axes: Axes, device: FelifDevice) -> None:
    """Draw the switching time over the field, and the points of it that the tables of A and B are."""
    fields = np.linspace(0.86, 1.7, 300)
    axes.plot(fields, device.switching_time(fields), color=DEVICE_COLOUR, lw=5, label="device")
    a, b = (felif_parameters(FelifLayer(neurons=1, kind=kind), device)["field"] for kind in (FELIF_A, FELIF_B))
    times = TICK * (1 + float(device.coupling)) / (PUSH * 2.0 ** np.arange(len(a)) / 4096)
    axes.plot(a / 4096, times, color=A_COLOUR, lw=0, marker="o", ms=4, mfc="none", mew=0.9, label="table of A")
    inner = np.flatnonzero((b > 0) & (b < 1 << 20))
    bins = (FIRST_BIN + 0.5 + inner) * FIELD_BIN
    rates = -np.log1p(-b[inner] / 2.0**20)
    axes.plot(bins, TICK / SUBSTEPS / rates, color=B_COLOUR, lw=0, marker=".", ms=4, label="table of B")
    for seconds, text in ((TICK, "a tick"), (TICK / SUBSTEPS, "a sub-step of B"), (FINE_STEP, "a step of the twin")):
        axes.axhline(seconds, color=REFERENCE, lw=0.8, ls=":")
        axes.annotate(
            f"{text}, {_seconds(seconds)}", (fields[0], seconds), xytext=(4, 3), textcoords="offset points", fontsize=8,
            color=REFERENCE,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xlim(fields[0], fields[-1])
    axes.set_ylim(1e-7, 1e2)
    axes.set_xlabel("field / field of full polarisation")
    axes.set_ylabel("switching time, s")
    scale = float(device.depolarisation_divider * device.saturation) * 1e-8
    above = axes.secondary_xaxis("top", functions=(lambda x: np.asarray(x) * scale, lambda x: np.asarray(x) / scale))
    above.set_xlabel("MV/cm", fontsize=8, labelpad=2)
    above.tick_params(labelsize=8)
    axes.legend(frameon=False, fontsize=9, loc="upper right")
    axes.spines["right"].set_visible(False)


# Parts of a run


def draw_roll(axes: Axes, values: npt.NDArray[np.generic], lowest: int, unit: str) -> None:
    """Draw a piano roll: time to the right, inputs upwards, values from white (0) to dark (1)."""
    _image(axes, np.asarray(values, np.float64), REFERENCE, lowest)
    axes.set_ylabel(unit)
    _plain(axes)


def draw_foretold(axes: Axes, run: NetworkRun, lowest: int, unit: str) -> None:
    """Draw probabilities one tick later, where they come true, and squares around what came."""
    assert run.predicted is not None
    later = np.zeros_like(run.predicted)
    later[1:] = run.predicted[:-1]
    _image(axes, later, WINNER, lowest)
    ticks, rows = np.nonzero(np.asarray(run.inputs)[1:])
    axes.scatter(ticks + 1.5, rows + lowest, s=9, marker="s", facecolors="none", edgecolors=REFERENCE, linewidths=0.6)
    axes.set_ylabel(unit)
    _plain(axes)


def draw_raster(axes: Axes, run: NetworkRun) -> None:
    """Draw spikes as dots at the end of their ticks, those of the chosen neurons in their colours."""
    ticks, rows = np.nonzero(run.spikes)
    axes.scatter(ticks + 1.0, rows, s=2.5, color=OTHER, lw=0, clip_on=False)
    for number, colour in zip(run.shown, CHOSEN, strict=False):
        own = np.flatnonzero(run.spikes[:, number])
        axes.scatter(own + 1.0, np.full(len(own), number), s=14, color=colour, lw=0, zorder=3, clip_on=False)
    axes.set_ylim(-1, run.spikes.shape[1])
    axes.set_ylabel("neuron")
    axes.set_title("spikes", loc="left", fontsize=9, pad=3)
    _plain(axes)


def draw_states(axes: Axes, run: NetworkRun, quantity: str) -> None:
    """Draw ``"voltage"`` or ``"polarisation"`` of the chosen neurons after each tick, with dots where they spike."""
    time = np.arange(len(run.inputs)) + 1.0
    for column, colour in zip(range(len(run.shown)), CHOSEN, strict=False):
        values, spikes = getattr(run, quantity)[:, column], run.spikes[:, run.shown[column]]
        axes.plot(time, values, color=colour, lw=1.3, label=f"neuron {run.shown[column]}")
        axes.plot(time[spikes], values[spikes], color=colour, lw=0, marker="o", ms=3.5, clip_on=False)
    _plain(axes)


def _image(axes: Axes, values: Floats, colour: str, lowest: int) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    axes.imshow(
        values.T, aspect="auto", origin="lower", interpolation="nearest", vmin=0, vmax=1,
        cmap=LinearSegmentedColormap.from_list("shades", ["white", colour]),
        extent=(0, len(values), lowest - 0.5, lowest + values.shape[1] - 0.5),
    )  # fmt: skip


def _parts_of_saturation(axes: Axes) -> None:
    axes.set_ylim(-1.12, 1.12)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1], ["\N{MINUS SIGN}1", "", "0", "", "1"])


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _seconds(value: float) -> str:
    return f"{value * 1e3:.0f} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"


def _check(run: NetworkRun) -> None:
    ticks = len(run.inputs)
    arrays = {"spikes": run.spikes, "voltage": run.voltage, "polarisation": run.polarisation}
    if run.predicted is not None:
        arrays["predicted"] = run.predicted
    for name, array in arrays.items():
        if len(array) != ticks:
            raise ValueError(f"{name} has {len(array)} ticks, but inputs has {ticks}; give both the same stretch")
    for name in ("voltage", "polarisation"):
        columns = np.shape(arrays[name])[1]
        if columns != len(run.shown):
            raise ValueError(
                f"{name} has {columns} columns, but {len(run.shown)} neurons are shown; give it one for each"
            )
    if len(run.shown) > len(CHOSEN):
        raise ValueError(f"shown has {len(run.shown)} neurons; at most {len(CHOSEN)} can be told apart")
