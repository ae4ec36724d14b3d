"""Pictures of oscillators over time, as matplotlib figures: while they anneal, and while they recall patterns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from attractor.plot.oscillator import REFERENCE, WINNER, new_figure
from attractor.spec import IntegerArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "GROUPS",
    "annealing_figure",
    "as_image",
    "draw_circle",
    "draw_couplings",
    "draw_measure",
    "draw_raster",
    "draw_ring",
    "recall_figure",
]

#: Colours of spins, and of the colours of a graph.
GROUPS = ("#2e4057", "#d1495b", "#edae49", "#30a08d", "#7b5ea7", "#66a3d2", "#9aa5b1", "#8c564b")
_CYCLIC = "twilight_shifted"


def annealing_figure(
    phases: npt.NDArray[np.uint8],
    period: int,
    weights: IntegerArray,
    measure: npt.NDArray[np.float64],
    groups: npt.NDArray[np.int64],
    *,
    name: str,
    noise: npt.NDArray[np.float64] | None = None,
) -> Figure:
    """Show one read: phases over time, its measure, phases on the circle, and the couplings.

    Parameters
    ----------
    phases:
        Phases of the variables at the start and after each period, shape (periods + 1, variables).
    period:
        Slots of a period.
    weights:
        Couplings between the variables, shape (variables, variables).
    measure:
        Cut, energy or conflicts at the same times, shape (periods + 1,).
    groups:
        Number of each variable's group in the end, such as its side of the cut, from 0, shape (variables,); it decides
        order and colour.
    name:
        Name of the measure.
    noise:
        Noise amplitude in each period, shape (periods,); None to leave it out.

    Raises
    ------
    RuntimeError
        If matplotlib is absent.
    """
    figure = new_figure((11.0, 6.4))
    grid = figure.add_gridspec(
        2, 2, width_ratios=(1.75, 1), height_ratios=(1.1, 1), left=0.075, right=0.955, top=0.94, bottom=0.09,
        wspace=0.2, hspace=0.16,
    )  # fmt: skip
    order = np.lexsort((phases[-1], groups))
    above = figure.add_subplot(grid[0, 0])
    draw_raster(above, phases[:, order], period)
    above.set_title("phases", loc="left", fontsize=10)
    above.tick_params(labelbottom=False)
    above.set_xlabel("")
    below = figure.add_subplot(grid[1, 0], sharex=above)
    draw_measure(below, measure, name=name, noise=noise)
    circles = grid[0, 1].subgridspec(1, 3, wspace=0.0)
    moments = (0, len(phases) // 2, len(phases) - 1)
    for column, moment in enumerate(moments):
        axes = figure.add_subplot(circles[column])
        draw_circle(axes, phases[moment], period, groups)
        axes.set_title(f"period {moment}", fontsize=9, y=0.98)
    draw_couplings(figure, grid[1, 1], weights[np.ix_(order, order)])
    return figure


def recall_figure(
    given: npt.NDArray[np.int8],
    found: npt.NDArray[np.int8],
    traces: Sequence[npt.NDArray[np.uint8]],
    period: int,
    reference: int,
) -> Figure:
    """Show damaged patterns, how their phases settle, and what they became.

    Parameters
    ----------
    given, found:
        Patterns of +1 and -1 (0 in ``found``: undecided), shape (patterns, oscillators).
    traces:
        For each pattern the phases before every slot, each of shape (slots + 1, oscillators).
    period:
        Slots of a period.
    reference:
        Oscillator whose phase is shown as 0.

    Raises
    ------
    RuntimeError
        If matplotlib is absent.
    """
    columns = len(given)
    width = 2.0 * columns + 1.6
    figure = new_figure((width, 6.0))
    grid = figure.add_gridspec(
        3, columns, height_ratios=(1, 1.4, 1), left=0.7 / width, right=1 - 0.9 / width, top=0.95, bottom=0.03,
        wspace=0.15, hspace=0.46,
    )  # fmt: skip
    ring = figure.add_axes((1 - 0.8 / width, 0.44, 0.7 / width, 0.7 / 6.0))
    ring.set_xlim(-1, 1)
    ring.set_ylim(-1, 1)
    draw_ring(ring, width=0.35)
    for height, angle in ((1.2, "0°"), (-1.5, "180°")):
        ring.text(0, height, angle, ha="center", fontsize=9)
    slots = max(len(trace) for trace in traces) - 1
    for column, trace in enumerate(traces):
        for row, pattern, title in ((0, given, "given"), (2, found, "recalled")):
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(as_image(pattern[column]), cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
            axes.set_title(title, fontsize=9)
            axes.set_xticks([])
            axes.set_yticks([])
        # A network that has settled stays as it is.
        whole = np.concatenate([trace, np.repeat(trace[-1:], slots + 1 - len(trace), axis=0)])
        relative = (whole.astype(np.int64) - whole[:, [reference]]) % period
        axes = figure.add_subplot(grid[1, column])
        draw_raster(axes, relative[:, np.argsort(relative[-1], kind="stable")], period, samples=period)
        axes.set_title("phases", fontsize=9)
        if column:
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
    return figure


# Parts


def draw_raster(axes: Axes, phases: IntegerArray, period: int, *, samples: int = 1) -> None:
    """Draw phases as colours on a circle: time to the right, oscillators downwards.

    ``phases`` has shape (times, oscillators), with ``samples`` times in a period. The colours are those of the ring
    that :func:`draw_ring` draws.
    """
    times = (len(phases) - 1) / samples
    axes.imshow(
        phases.T, aspect="auto", interpolation="nearest", cmap=_CYCLIC, vmin=0, vmax=period,
        extent=(0, times + 1 / samples, phases.shape[1], 0),
    )  # fmt: skip
    axes.set_xlabel("period")
    axes.set_ylabel("oscillator")


def draw_ring(axes: Axes, radius: float = 0.9, width: float = 0.22) -> None:
    """Draw the circle of phases, 0 at the top and clockwise, in the colours of :func:`draw_raster`."""
    from matplotlib import colormaps
    from matplotlib.patches import Wedge

    count = 72
    for index in range(count):
        ends = 90 - 360 * (index + 0.6) / count, 90 - 360 * (index - 0.6) / count
        axes.add_patch(Wedge((0, 0), radius, *ends, width=width, color=colormaps[_CYCLIC](index / count), lw=0))
    axes.set_aspect("equal")
    axes.set_axis_off()


def draw_measure(
    axes: Axes, measure: npt.NDArray[np.float64], *, name: str, noise: npt.NDArray[np.float64] | None = None
) -> None:
    """Draw a measure over periods, and behind it the noise that shook the network."""
    if noise is not None:
        behind = axes.twinx()
        behind.fill_between(range(len(noise) + 1), [*noise, noise[-1]], step="post", color="#e8ebef", lw=0)
        behind.set_ylim(0, max(float(noise.max()), 1.0) * 1.05)
        behind.set_ylabel("noise amplitude", color="#8a94a0", fontsize=9)
        behind.tick_params(colors="#8a94a0", labelsize=8)
        behind.spines[["top", "left"]].set_visible(False)
        behind.spines["right"].set_color("#c9cfd6")
        behind.set_zorder(0)
        axes.set_zorder(1)
        axes.patch.set_visible(False)
    axes.plot(range(len(measure)), measure, color=WINNER, lw=1.6, solid_capstyle="round")
    axes.annotate(
        f"{measure[-1]:,.6g}", (len(measure) - 1, measure[-1]), xytext=(-4, -12 if measure[-1] >= measure[0] else 8),
        textcoords="offset points", ha="right", fontsize=9, color=WINNER,
    )  # fmt: skip
    axes.set_xlim(0, len(measure))
    axes.set_xlabel("period")
    axes.set_ylabel(name)
    axes.yaxis.set_major_formatter("{x:,.6g}")
    axes.spines[["top", "right"]].set_visible(False)


def draw_circle(axes: Axes, phases: IntegerArray, period: int, groups: npt.NDArray[np.int64]) -> None:
    """Draw oscillators on the circle of phases, those of equal phase stacked outwards, coloured by group."""
    counts = np.zeros(period, np.int64)
    most = int(np.bincount(phases, minlength=period).max(initial=1))
    step = min(0.05, 0.75 / most)
    points = np.zeros((len(phases), 2))
    for index in np.argsort(groups, kind="stable"):
        slot = int(phases[index])
        radius, angle = 1 + step * counts[slot], 2 * np.pi * slot / period
        counts[slot] += 1
        points[index] = radius * np.sin(angle), radius * np.cos(angle)
    draw_ring(axes)
    axes.scatter(*points.T, s=5, c=[GROUPS[group % len(GROUPS)] for group in groups], lw=0)
    axes.set_xlim(-1.8, 1.8)
    axes.set_ylim(-1.8, 1.8)


def draw_couplings(figure: Figure, place: Any, weights: IntegerArray) -> None:
    """Draw a coupling matrix, attraction red and repulsion blue, at a place of the figure's grid."""
    axes = figure.add_subplot(place)
    most = max(int(np.abs(weights).max(initial=0)), 1)
    # Averaging single pixels away would leave a sparse matrix white.
    dots = len(weights) > 150 and (weights != 0).mean() < 0.2
    if dots:
        rows, columns = np.nonzero(weights)
        values = weights[rows, columns]
        shown = axes.scatter(columns, rows, c=values, s=0.4, lw=0, cmap="RdBu_r", vmin=-most, vmax=most)
        axes.set_xlim(-0.5, len(weights) - 0.5)
        axes.set_ylim(len(weights) - 0.5, -0.5)
        axes.set_aspect("equal")
    else:
        shown = axes.imshow(weights, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
    bar = figure.colorbar(shown, ax=axes, pad=0.03, fraction=0.045, ticks=[-most, 0, most])
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    axes.set_title("couplings, in the order of the phases", loc="left", fontsize=10)
    axes.tick_params(labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(REFERENCE)
        spine.set_linewidth(0.6)


def as_image(pattern: IntegerArray) -> IntegerArray:
    """Return a pattern as rows of pixels, as square as its length allows."""
    count = len(pattern)
    height = max(divisor for divisor in range(1, int(count**0.5) + 1) if count % divisor == 0)
    # A prime length has no better shape than one row, which is easier to see cut to size.
    return pattern.reshape(count // height, height) if height > 1 else pattern.reshape(1, count)
