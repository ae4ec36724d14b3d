"""Pictures of oscillator networks, as matplotlib figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from attractor.spec import IntegerArray, OscillatorSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["OTHER", "REFERENCE", "WINNER", "classifier_figure", "new_figure"]

#: Colours: the winning label, the other labels, and the reference.
WINNER, OTHER, REFERENCE = "#d1495b", "#9aa5b1", "#2e4057"


def classifier_figure(
    spec: OscillatorSpec,
    weights: IntegerArray,
    images: npt.NDArray[np.float64],
    traces: Sequence[npt.NDArray[np.uint8]],
    labels: Sequence[int],
    *,
    label: int = 0,
) -> Figure:
    """Show images, how their labels settle, and what one label is coupled to.

    Parameters
    ----------
    spec:
        A classifier of square images.
    weights:
        Couplings, shape (targets, oscillators).
    images:
        Grey values from 0 to 1, shape (n, pixels); at most about six look well.
    traces:
        For each image the phases before every slot, each of shape (slots + 1, oscillators).
    labels:
        True class of each image.
    label:
        Label whose couplings are shown.

    Raises
    ------
    RuntimeError
        If matplotlib is absent.
    """
    figure = new_figure((2.1 * (len(images) + 1.35), 4.6))
    grid = figure.add_gridspec(
        2, len(images) + 1, height_ratios=(1, 1.55), width_ratios=(*[1] * len(images), 1.35), hspace=0.12, wspace=0.18
    )
    figure.subplots_adjust(left=0.062, right=0.985, top=0.9, bottom=0.115)
    slots = max(len(trace) for trace in traces) - 1
    below = None
    for column, (image, trace, true) in enumerate(zip(images, traces, labels, strict=True)):
        above = figure.add_subplot(grid[0, column])
        side = round(len(image) ** 0.5)
        above.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
        winner = _winner(spec, trace[-1])
        above.set_title(f"{true} read as {winner}", fontsize=10, color=WINNER if winner == true else "black")
        above.set_axis_off()
        below = figure.add_subplot(grid[1, column], sharey=below)
        _draw_labels(below, spec, trace, winner, slots)
        if column:
            below.tick_params(labelleft=False)
        else:
            below.set_ylabel("phase to the reference")
    _draw_couplings(figure, grid[:, -1], spec, weights, label)
    return figure


def new_figure(size: tuple[float, float]) -> Figure:
    """Return an empty figure, its size in inches; raise :class:`RuntimeError` if matplotlib is absent."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise RuntimeError("matplotlib is not installed; pictures need pip install 'attractor[plot]'") from error
    return Figure(figsize=size, dpi=150)


def _winner(spec: OscillatorSpec, phases: npt.NDArray[np.uint8]) -> int:
    ahead = (phases[-spec.labels :].astype(int) - int(phases[spec.reference])) % spec.period
    return int(np.minimum(ahead, spec.period - ahead).argmin())


def _draw_labels(axes: Axes, spec: OscillatorSpec, trace: npt.NDArray[np.uint8], winner: int, slots: int) -> None:
    """Draw the phases of all labels over time; the winner last, on top."""
    time = np.arange(slots + 1) / spec.period
    ahead = (trace[:, -spec.labels :].astype(int) - trace[:, [spec.reference]]) % spec.period
    distance = np.minimum(ahead, spec.period - ahead) / spec.period * 360
    # A network that has settled stays as it is.
    distance = np.concatenate([distance, np.repeat(distance[-1:], slots + 1 - len(distance), axis=0)])
    for index in sorted(range(spec.labels), key=lambda entry: entry == winner):
        wins = index == winner
        # Labels on the same slot would hide each other.
        offset = (index - (spec.labels - 1) / 2) * 1.1
        axes.plot(
            time, distance[:, index] + offset, drawstyle="steps-post", lw=2.4 if wins else 1.0,
            color=WINNER if wins else OTHER, solid_capstyle="butt",
        )  # fmt: skip
    axes.axhline(0, color=REFERENCE, lw=0.8, ls=":")
    axes.set_ylim(194, -14)
    axes.set_yticks([0, 90, 180], ["0°", "90°", "180°"])
    axes.set_xlim(0, time[-1])
    axes.set_xticks(range(round(time[-1]) + 1))
    axes.set_xlabel("period")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_couplings(figure: Figure, place: Any, spec: OscillatorSpec, weights: IntegerArray, label: int) -> None:
    inner = place.subgridspec(2, 1, height_ratios=(1, 0.05), hspace=0.12)
    axes = figure.add_subplot(inner[0])
    row = weights[spec.targets - spec.labels + label, : spec.inputs - 1]
    side = round(len(row) ** 0.5)
    shown = axes.imshow(row.reshape(side, side), cmap="RdBu_r", vmin=-spec.weight_high, vmax=spec.weight_high)
    axes.set_title(f"couplings of label {label}", fontsize=10)
    axes.set_axis_off()
    axes.set_anchor("S")
    bar = figure.colorbar(shown, cax=figure.add_subplot(inner[1]), orientation="horizontal")
    bar.set_ticks([-spec.weight_high, 0, spec.weight_high])
    bar.outline.set_visible(False)
