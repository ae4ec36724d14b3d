"""Time to a target on a board, on the golden model and by simulated annealing: all for the same reads of a problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.solve.dimod_extra import dimod
from attractor.solve.measures import Measure
from attractor.solve.simulated_annealing import annealed
from attractor.solve.success import Success, Times

__all__ = ["ANNEALING", "BOARD", "GIVEN", "GOLDEN", "Contender", "Contest", "contest"]

#: Names of the contenders, and of who set a target.
BOARD, GOLDEN, ANNEALING, GIVEN = "board", "golden model", "simulated annealing", "given"


@dataclass(frozen=True)
class Contender:
    """How one sampler did.

    Parameters
    ----------
    sampler:
        Its name, one of :data:`BOARD`, :data:`GOLDEN`, :data:`ANNEALING`.
    success:
        Reads that reached the target; None if there is no target.
    seconds_a_read:
        Seconds of a read.
    sweeps:
        Sweeps of a read of simulated annealing; None for the others.
    """

    sampler: str
    success: Success | None
    seconds_a_read: float
    sweeps: int | None = None

    @property
    def times(self) -> Times:
        """Seconds until the target is reached, see :meth:`attractor.solve.success.Success.times`."""
        return Times(None, None, None) if self.success is None else self.success.times(self.seconds_a_read)


@dataclass(frozen=True)
class Contest:
    """Samplers beside each other.

    Parameters
    ----------
    measure:
        What reads are judged by.
    target:
        Value to be reached; None if it was to be the best that was found, and no read keeps the constraints.
    target_by:
        :data:`GIVEN`, or the sampler that found it; None without a target.
    contenders:
        The board, the golden model and, if dwave-samplers is there, simulated annealing with the number of sweeps with
        which it is the fastest.
    """

    measure: Measure
    target: float | None
    target_by: str | None
    contenders: tuple[Contender, ...]

    @property
    def ranking(self) -> list[Contender]:
        """Those that reached the target, the fastest first."""
        return _ranked(self.contenders)


def contest(measure: Measure, samples: dimod.SampleSet, board_seconds: float, target: float | None = None) -> Contest:
    """Measure simulated annealing here and now on one thread, and compare.

    Parameters
    ----------
    measure:
        What reads are judged by.
    samples:
        Reads on the golden model, as a sampler returned them, and so the board's, too; at least one.
    board_seconds:
        Seconds of a read on the board.
    target:
        Value to be reached; None for the best that any of them finds.
    """
    info, reads = samples.info, len(samples)
    ours = measure.of(samples)
    rivals = [(rival, measure.of(rival.samples)) for rival in annealed(measure.bqm, reads, info["seed"])]
    found = [(measure.best(ours), GOLDEN), *((measure.best(values), ANNEALING) for _, values in rivals)]
    aim, by = (target, GIVEN) if target is not None else _best(measure, found)

    def success(values: npt.NDArray[np.float64]) -> Success | None:
        return None if aim is None else Success.of(measure.reached(values, aim))

    annealers = tuple(
        Contender(ANNEALING, success(values), rival.seconds_a_read, rival.sweeps) for rival, values in rivals
    )
    # Of those that miss the target the one with the most sweeps is told.
    best = _ranked(annealers)[:1] or annealers[-1:]
    golden = info["timing"]["anneal"] / reads
    mine = success(ours)
    return Contest(measure, aim, by, (Contender(BOARD, mine, board_seconds), Contender(GOLDEN, mine, golden), *best))


def _best(measure: Measure, found: list[tuple[float | None, str]]) -> tuple[float | None, str | None]:
    """Return the best value and who found it, the first of several; None and None if nobody found any."""
    sign = -1 if measure.maximise else 1
    kept: list[tuple[float, str]] = [(value, by) for value, by in found if value is not None]
    return min(kept, key=lambda pair: sign * pair[0]) if kept else (None, None)


def _ranked(contenders: tuple[Contender, ...]) -> list[Contender]:
    times: list[tuple[Any, int]] = [(each.times.best, index) for index, each in enumerate(contenders)]
    return [contenders[index] for _, index in sorted(pair for pair in times if pair[0] is not None)]
