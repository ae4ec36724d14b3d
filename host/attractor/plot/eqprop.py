"""Pictures of binary Equilibrium Propagation arrays, as matplotlib figures: states that settle, and what is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from attractor.golden import EqPropNetwork
from attractor.plot.oscillator import OTHER, REFERENCE, WINNER, new_figure
from attractor.spec import EqPropSpec, IntegerArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

__all__ = [
    "FLIPS",
    "TOUCHED",
    "LearningCurve",
    "Relaxation",
    "demo_figure",
    "draw_accuracy",
    "draw_changes",
    "draw_fields",
    "draw_flips",
    "draw_image",
    "draw_relaxations",
    "draw_states",
    "fields_figure",
    "learning_figure",
    "relaxation_figure",
]

#: Colours of the curves of flips and touched counters.
FLIPS, TOUCHED = "#30a08d", "#c9cfd6"
#: Steps are drawn with the nudged phase this far to the right.
_GAP = 0.6


@dataclass(frozen=True)
class Relaxation:
    """How the neurons of a network settled on one sample.

    Parameters
    ----------
    image:
        Grey values from 0 to 1, shape (pixels,).
    label:
        True class.
    winner:
        Class with the greatest score at the end of the free phase.
    free, nudged:
        States before the first step of each phase and after every one, shape (steps + 1, targets).
    sigma:
        Sign of the nudge.
    """

    image: npt.NDArray[np.float64]
    label: object
    winner: object
    free: IntegerArray
    nudged: IntegerArray
    sigma: int = 1

    @classmethod
    def of(cls, network: EqPropNetwork, image: npt.NDArray[np.float64], bits: npt.ArrayLike, label: int) -> Relaxation:
        """Let a network settle on an image, and toward its label; it stays as it is.

        Parameters
        ----------
        network:
            The network; its spec has ``learning``.
        image:
            Grey values, as above.
        bits:
            The image as input bits, shape (inputs,).
        label:
            Number of its class.
        """
        spec = network.spec
        never = [spec.counter_high + 1] * spec.connections
        lesson = EqPropNetwork(spec, network.parameters).learn(np.array([bits]), [label], 1, never, trace=True)
        free, nudged = lesson.free, lesson.nudged
        assert free.trace is not None
        assert nudged.trace is not None
        winner = int(network.scores(free.states)[0].argmax())
        return cls(image, label, winner, free.trace[:, 0], nudged.trace[:, 0])


@dataclass(frozen=True)
class LearningCurve:
    """What came of learning one sample after the other.

    Parameters
    ----------
    samples:
        Samples learnt at each measurement, ascending, from 0.
    accuracy:
        Part of held-out samples recognised then, same shape.
    flips, touched:
        Weights that changed their sign, and counters that were touched, by each sample learnt, shape (samples,).
    """

    samples: IntegerArray
    accuracy: npt.NDArray[np.float64]
    flips: IntegerArray
    touched: IntegerArray


def relaxation_figure(spec: EqPropSpec, relaxations: Sequence[Relaxation]) -> Figure:
    """Show images, the states of all neurons over both phases, and how many bits each step changed.

    Parameters
    ----------
    spec:
        The network.
    relaxations:
        One for each column; at most about six look well.

    Raises
    ------
    RuntimeError
        If matplotlib is absent.
    """
    width = 2.0 * len(relaxations) + 0.9
    figure = new_figure((width, 6.2))
    draw_relaxations(
        figure,
        figure.add_gridspec(1, 1, left=0.75 / width, right=1 - 0.1 / width, top=0.94, bottom=0.08)[0],
        spec,
        relaxations,
    )
    return figure


def learning_figure(curve: LearningCurve) -> Figure:
    """Show accuracy, flips and touched counters over the samples learnt; errors as in :func:`relaxation_figure`."""
    figure = new_figure((7.2, 4.2))
    grid = figure.add_gridspec(2, 1, height_ratios=(1.5, 1), left=0.11, right=0.9, top=0.95, bottom=0.12, hspace=0.14)
    above = figure.add_subplot(grid[0])
    draw_accuracy(above, curve)
    above.tick_params(labelbottom=False)
    draw_flips(figure.add_subplot(grid[1], sharex=above), curve)
    return figure


def fields_figure(fields: npt.NDArray[np.float64], *, columns: int = 12) -> Figure:
    """Show what hidden neurons look for; errors as in :func:`relaxation_figure`.

    Parameters
    ----------
    fields:
        Mean weight of each pixel, from -1 to 1 and NaN where there is none, shape (neurons, pixels).
    columns:
        Neurons in a row.
    """
    rows = -(-len(fields) // columns)
    figure = new_figure((0.62 * columns + 0.3, 0.62 * rows + 0.5))
    draw_fields(figure, figure.add_gridspec(1, 1, left=0.02, right=0.98, top=0.97, bottom=0.03)[0], fields, columns)
    return figure


def demo_figure(
    spec: EqPropSpec,
    relaxations: Sequence[Relaxation],
    curve: LearningCurve,
    fields: npt.NDArray[np.float64],
) -> Figure:
    """Show all of it in one picture; arguments and errors as in the figures above."""
    figure = new_figure((12.4, 6.4))
    whole = figure.add_gridspec(
        2, 2, width_ratios=(1.25, 1), height_ratios=(1.35, 1), left=0.065, right=0.945, top=0.93, bottom=0.085,
        wspace=0.17, hspace=0.34,
    )  # fmt: skip
    draw_relaxations(figure, whole[:, 0], spec, relaxations)
    curves = whole[0, 1].subgridspec(2, 1, height_ratios=(1.5, 1), hspace=0.14)
    above = figure.add_subplot(curves[0])
    draw_accuracy(above, curve)
    above.tick_params(labelbottom=False)
    draw_flips(figure.add_subplot(curves[1], sharex=above), curve)
    draw_fields(figure, whole[1, 1], fields, columns=12, title="what the hidden neurons look for")
    return figure


# Parts


def draw_relaxations(figure: Figure, place: Any, spec: EqPropSpec, relaxations: Sequence[Relaxation]) -> None:
    """Draw a column for each sample at a place of the figure's grid."""
    grid = place.subgridspec(3, len(relaxations), height_ratios=(0.8, 2.6, 0.8), hspace=0.14, wspace=0.12)
    most = max(_changed_bits(spec, part).max(initial=1) for one in relaxations for part in (one.free, one.nudged))
    last = None
    for column, one in enumerate(relaxations):
        above = figure.add_subplot(grid[0, column])
        draw_image(above, one.image)
        right = one.winner == one.label
        above.set_title(f"{one.label} read as {one.winner}", fontsize=10, color=WINNER if right else "black")
        raster = figure.add_subplot(grid[1, column])
        draw_states(raster, spec, one)
        last = figure.add_subplot(grid[2, column], sharex=raster)
        draw_changes(last, spec, one)
        last.set_yscale("symlog", linthresh=1)
        last.set_ylim(0, 1.5 * most)
        last.set_yticks([0, 1, 10, *([100] if most > 60 else [])])
        last.yaxis.set_major_formatter("{x:.0f}")
        if column:
            raster.tick_params(labelleft=False)
            last.tick_params(labelleft=False)
        else:
            last.set_ylabel("changed bits", fontsize=9)


def draw_image(axes: Axes, image: npt.NDArray[np.float64]) -> None:
    """Draw a grey image, square if it can be."""
    side = round(len(image) ** 0.5)
    shown = image.reshape(side, side) if side * side == len(image) else image[None]
    axes.imshow(shown, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()


def draw_states(axes: Axes, spec: EqPropSpec, one: Relaxation) -> None:
    """Draw states as colours, steps to the right: grey below half of the layer's greatest state, red from half on.

    Neurons are in layers, the input's side at the bottom; in each, those that are on at the end of the free phase are
    at the top.
    """
    highs = np.repeat(np.array(spec.state_highs), spec.layers[1:])
    order = np.concatenate(
        [part.start + np.argsort(-one.free[-1, part].astype(int), kind="stable") for part in reversed(spec.neurons)]
    )
    colours = _state_colours()
    for states, start in ((one.free, 0.0), (one.nudged, len(one.free) + _GAP)):
        shown = (states / highs)[:, order].T
        axes.imshow(
            shown, aspect="auto", interpolation="nearest", cmap=colours, vmin=0, vmax=1,
            extent=(start - 0.5, start + len(states) - 0.5, spec.targets, 0),
        )  # fmt: skip
    ends = np.cumsum(spec.layers[:0:-1])
    for end in ends[:-1]:
        axes.axhline(end, color="white", lw=2)
        axes.axhline(end, color=REFERENCE, lw=0.6)
    names = [
        "output",
        *["hidden" if spec.connections == 2 else f"hidden {n}" for n in range(spec.connections - 1, 0, -1)],
    ]
    middles = ends - np.array(spec.layers[:0:-1]) / 2
    axes.set_yticks(middles, names, rotation=90, va="center", fontsize=9)
    axes.tick_params(left=False)
    axes.set_xlim(-0.5, len(one.free) + _GAP + len(one.nudged) - 0.5)
    axes.tick_params(labelbottom=False, bottom=False)
    axes.spines[:].set_visible(False)
    middle = len(one.free) + _GAP + (len(one.nudged) - 1) / 2
    for x, text in (((len(one.free) - 1) / 2, "free"), (middle, "nudged" if one.sigma > 0 else "nudged away")):
        axes.text(x, -0.6, text, ha="center", va="bottom", fontsize=8, color=REFERENCE)


def draw_changes(axes: Axes, spec: EqPropSpec, one: Relaxation) -> None:
    """Draw how many bits each step changed, under the states after it."""
    for states, start, colour in ((one.free, 0.0, OTHER), (one.nudged, len(one.free) + _GAP, WINNER)):
        changed = _changed_bits(spec, states)
        axes.bar(start + 1 + np.arange(len(changed)), changed, width=0.8, color=colour, lw=0)
        ticks = np.arange(0, len(states), 2)
        for tick in ticks:
            axes.text(
                start + tick, -0.06, str(tick), ha="center", va="top", fontsize=7, transform=axes.get_xaxis_transform()
            )
    axes.tick_params(labelbottom=False, bottom=False, labelsize=8)
    axes.set_xlabel("step", labelpad=12, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def draw_accuracy(axes: Axes, curve: LearningCurve) -> None:
    """Draw the accuracy on held-out samples."""
    axes.plot(curve.samples, curve.accuracy, color=WINNER, lw=1.8, marker="o", ms=3.5, clip_on=False, zorder=3)
    axes.annotate(
        f"{curve.accuracy[-1]:.3f}", (float(curve.samples[-1]), float(curve.accuracy[-1])), xytext=(4, 0),
        textcoords="offset points", va="center", fontsize=10, color=WINNER, annotation_clip=False,
    )  # fmt: skip
    axes.set_ylim(0, 1)
    axes.set_xlim(0, float(curve.samples[-1]))
    axes.set_ylabel("held-out accuracy")
    axes.grid(axis="y", color="#e8ebef", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def draw_flips(axes: Axes, curve: LearningCurve) -> None:
    """Draw flips and touched counters of each sample, averaged over about a hundred stretches."""
    samples = len(curve.flips)
    edges = np.unique(np.linspace(0, samples, min(100, samples) + 1).astype(int))
    counts = np.diff(edges)
    behind = axes.twinx()
    for where, values, colour in ((behind, curve.touched, TOUCHED), (axes, curve.flips, FLIPS)):
        where.stairs(np.add.reduceat(values, edges[:-1]) / counts, edges, baseline=None, color=colour, lw=1.4)
        where.set_ylim(bottom=0)
        where.spines[["top"]].set_visible(False)
    behind.set_ylabel("counters touched", color="#8a94a0", fontsize=9)
    behind.tick_params(colors="#8a94a0", labelsize=8)
    behind.spines[["left", "right"]].set_color("#c9cfd6")
    axes.set_ylabel("flips", color=FLIPS)
    axes.set_xlabel("samples learnt")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_zorder(1)
    axes.patch.set_visible(False)
    axes.spines["right"].set_visible(False)


def draw_fields(figure: Figure, place: Any, fields: npt.NDArray[np.float64], columns: int, *, title: str = "") -> None:
    """Draw the receptive fields of neurons: +1 red, -1 blue, grey where there is no input."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("weights", [REFERENCE, "white", WINNER]).with_extremes(bad="#e8ebef")
    grid = place.subgridspec(-(-len(fields) // columns), columns, hspace=0.12, wspace=0.12)
    side = round(fields.shape[1] ** 0.5)
    square = side * side == fields.shape[1]
    for index, field in enumerate(fields):
        axes = figure.add_subplot(grid[index // columns, index % columns])
        shown = np.ma.masked_invalid(field.reshape(side, side) if square else field[None])
        axes.imshow(shown, cmap=colours, vmin=-1, vmax=1, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        if title and index == columns // 2:
            # Over the middle of the row: between two neurons if their number is even.
            axes.set_title(title, fontsize=10, x=0.5 if columns % 2 else -0.06)


def _changed_bits(spec: EqPropSpec, states: IntegerArray) -> npt.NDArray[np.int64]:
    """Return how many bits each step changed, shape (steps,)."""
    highs = np.repeat(np.array(spec.state_highs), spec.layers[1:])
    bits = 2 * states.astype(np.int64) >= highs
    return (bits[1:] != bits[:-1]).sum(axis=1)


def _state_colours() -> LinearSegmentedColormap:
    """Return the colours of states: white to grey below half, light to full red from half on."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(
        "states", [(0.0, "white"), (0.4999, OTHER), (0.5, "#eb9aa5"), (1.0, WINNER)], N=511
    )
