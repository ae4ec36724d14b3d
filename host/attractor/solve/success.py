"""How often reads reach a target, and how long it takes until one has: with errors, as few reads tell little."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

__all__ = ["CONFIDENCE", "INTERVAL", "Success", "Times"]

#: Probability with which a target is to be reached in the time to solution.
CONFIDENCE = 0.99
#: Probability that an interval of the share holds the true one.
INTERVAL = 0.95


@dataclass(frozen=True)
class Times:
    """A time to solution in the unit of the time of a read, with its interval; None where it is without limit.

    Parameters
    ----------
    best:
        By the share that was seen.
    low, high:
        By the greatest and the least share of the interval.
    """

    best: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Success:
    """How many reads reached a target.

    Parameters
    ----------
    hits:
        Those that did.
    reads:
        All of them, at least 1.

    Raises
    ------
    ValueError
        If there are no reads, or more hits than reads.
    """

    hits: int
    reads: int

    def __post_init__(self) -> None:
        if self.reads < 1 or not 0 <= self.hits <= self.reads:
            raise ValueError(
                f"{self.hits} hits of {self.reads} reads; there must be at least one read, and no more hits"
            )

    @classmethod
    def of(cls, reached: Iterable[bool]) -> Success:
        """Count the reads that reached the target, one truth value for each."""
        told = [bool(value) for value in reached]
        return cls(sum(told), len(told))

    @property
    def share(self) -> float:
        """Share of the reads that reached it."""
        return self.hits / self.reads

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval of the share, which holds the true share with probability :data:`INTERVAL`."""
        z = NormalDist().inv_cdf((1 + INTERVAL) / 2)
        count, share = self.reads, self.share
        centre = share + z * z / (2 * count)
        width = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
        scale = 1 + z * z / count
        # Rounding must not make something of no hits at all, or leave something out of all reads.
        low = 0.0 if not self.hits else (centre - width) / scale
        high = 1.0 if self.hits == self.reads else (centre + width) / scale
        return low, high

    def times(self, read: float) -> Times:
        """Return the time until the target is reached with probability :data:`CONFIDENCE`.

        That is ``read * ln(1 - CONFIDENCE) / ln(1 - share)``, and at least one read.

        Parameters
        ----------
        read:
            Time of one read, in any unit.
        """
        low, high = self.interval
        return Times(_time(read, self.share), _time(read, high), _time(read, low))


def _time(read: float, share: float) -> float | None:
    if share <= 0:
        return None
    return read if share >= CONFIDENCE else read * math.log(1 - CONFIDENCE) / math.log1p(-share)
