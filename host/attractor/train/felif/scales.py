"""A task of a second: scales that rise and fall, whose next note cannot be told from the present one alone."""

from __future__ import annotations

import numpy as np

from attractor.train.felif.losses import NextFrame, Samples

__all__ = ["LOSS", "NOTES", "WITHOUT_MEMORY", "scales"]

#: Notes of a scale; a sequence rises to the highest, falls to the lowest, and so on.
NOTES = 8
#: The first ticks of a sequence do not count: nobody knows yet where it is going.
LOSS = NextFrame(ignored=4)
#: Least loss of a network that only knows the present note. It can be sure of what follows the highest and the lowest;
#: after the other ``NOTES - 2``, each passed twice in a period, two notes are equally likely.
WITHOUT_MEMORY = (2 * NOTES - 4) / (2 * NOTES - 2) * 2 * float(np.log(2)) / NOTES


def scales(count: int, *, ticks: int = 30, seed: int = 0) -> Samples:
    """Return scales that begin anywhere, and at each tick the note that comes next.

    Parameters
    ----------
    count:
        Number of sequences.
    ticks:
        Notes of each.
    seed:
        Seed of where they begin.

    Returns
    -------
    Samples
        Frames and targets of shape (ticks, 8), one note in each tick.
    """
    period = [*range(NOTES), *range(NOTES - 2, 0, -1)]
    starts = np.random.default_rng(seed).integers(0, len(period), count)
    tunes = [np.eye(NOTES)[np.take(period, start + np.arange(ticks + 1), mode="wrap")] for start in starts]
    return Samples([tune[:-1] for tune in tunes], [tune[1:] for tune in tunes])
