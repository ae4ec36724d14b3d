"""Pictures of how ferroelectric networks are trained, as matplotlib figures: slopes of a tick, and losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from attractor.physics.felif import FelifDevice, FelifTwin, TwinState
from attractor.physics.felif.twin import TICK
from attractor.plot.felif import DEVICE_COLOUR
from attractor.plot.oscillator import OTHER, REFERENCE, WINNER, new_figure
from attractor.train.felif.bruno import CoarseStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["TRAININGS", "Floats", "TickSlopes", "draw_losses", "draw_tick", "learning_figure"]

Floats = npt.NDArray[np.float64]

#: Colour and line of each training, in turn.
TRAININGS = ((OTHER, "-"), (WINNER, "-"), (REFERENCE, "-"), ("#66a3d2", "--"))


@dataclass(frozen=True)
class TickSlopes:
    """What a tick makes of a neuron's state, over the current, and the slope that BRUNO takes for it.

    Parameters
    ----------
    currents:
        A, ascending, shape (currents,).
    voltage:
        After the tick by the device twin, V, same shape.
    slopes:
        Of the voltage by the current as BRUNO takes it, V/A, same shape.
    """

    currents: Floats
    voltage: Floats
    slopes: Floats

    @classmethod
    def of(cls, device: FelifDevice, voltage: float, polarisation: float, currents: npt.ArrayLike) -> TickSlopes:
        """Run one tick from one state for each current.

        Parameters
        ----------
        device:
            One neuron: every constant is one number.
        voltage, polarisation:
            State before the tick, V and C/m^2.
        currents:
            As above.
        """
        given = np.asarray(currents, np.float64)[None]
        state = TwinState(
            np.full(given.shape, voltage), np.full(given.shape, polarisation), np.zeros(given.shape, bool)
        )
        u, p = state.voltage * device.per_volt, state.polarisation / device.saturation
        FelifTwin(device).advance(state, given)
        per_ampere = device.per_ampere(TICK)
        inside = CoarseStep(device, TICK).slopes(u, p, given * per_ampere).inside
        return cls(given[0], state.voltage[0], (inside * per_ampere / device.per_volt)[0])


def learning_figure(tick: TickSlopes, losses: Mapping[str, Sequence[float]], *, bound: float | None = None) -> Figure:
    """Show the slopes of a tick, and losses over epochs.

    Parameters
    ----------
    tick:
        A tick over its current.
    losses:
        Validation losses before training and after each epoch, by the name of the training, at most four.
    bound:
        Loss that nobody without a memory can go below; None to leave it out.

    Raises
    ------
    RuntimeError
        If matplotlib is absent.
    ValueError
        If there are no trainings, or more than four.
    """
    if not losses:
        raise ValueError("losses is empty; give at least one training")
    if len(losses) > len(TRAININGS):
        raise ValueError(f"losses has {len(losses)} trainings; at most {len(TRAININGS)} can be told apart")
    figure = new_figure((9.2, 3.9))
    grid = figure.add_gridspec(1, 2, left=0.07, right=0.985, top=0.96, bottom=0.14, wspace=0.24)
    draw_tick(figure.add_subplot(grid[0]), tick)
    draw_losses(figure.add_subplot(grid[1]), losses, bound)
    return figure


def draw_tick(axes: Axes, tick: TickSlopes, *, tangents: int = 7) -> None:
    """Draw the voltage after a tick over the current, and pieces of BRUNO's slopes on it."""
    currents = tick.currents * 1e9
    axes.plot(currents, tick.voltage, color=DEVICE_COLOUR, lw=5, label="forward: the device's 1,000 steps")
    chosen = np.linspace(0, len(currents) - 1, tangents + 2).round().astype(int)[1:-1]
    half = (currents[-1] - currents[0]) / (6 * tangents)
    for index in chosen:
        x, y, rise = currents[index], tick.voltage[index], tick.slopes[index] * 1e-9
        label = "backward: slope of one coarse step" if index == chosen[0] else None
        axes.plot([x - half, x + half], [y - half * rise, y + half * rise], color=WINNER, lw=1.8, label=label)
        axes.plot([x], [y], color=WINNER, marker="o", ms=4)
    axes.set_xlim(currents[0], currents[-1])
    axes.set_xlabel("current in the tick, nA")
    axes.set_ylabel("voltage after it, V")
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)


def draw_losses(axes: Axes, losses: Mapping[str, Sequence[float]], bound: float | None) -> None:
    """Draw validation losses over epochs."""
    for (name, values), (colour, line) in zip(losses.items(), TRAININGS, strict=False):
        axes.plot(range(len(values)), values, color=colour, ls=line, lw=1.8, label=name)
    longest = max(len(values) for values in losses.values()) - 1
    if bound is not None:
        axes.axhline(bound, color=REFERENCE, lw=0.8, ls=":")
        axes.annotate(
            "without memory", (longest, bound), xytext=(0, 3), textcoords="offset points", ha="right", fontsize=8,
            color=REFERENCE,
        )  # fmt: skip
    axes.set_xlim(0, longest)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation loss")
    axes.legend(fontsize=9, loc="upper right", edgecolor="none", framealpha=1)
    axes.grid(axis="y", color="#e8ebef", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
