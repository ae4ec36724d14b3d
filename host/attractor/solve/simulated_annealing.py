"""Simulated annealing by dwave-samplers, on one thread of this computer: what networks are compared with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from attractor.solve.dimod_extra import dimod

__all__ = ["SWEEPS", "Annealed", "annealed", "is_installed"]

#: Numbers of sweeps that are tried: no single one is best for all problems.
SWEEPS = (100, 300, 1000)
#: Seeds are 32 bits wide there, and none is negative.
_SEEDS = 1 << 31


@dataclass(frozen=True)
class Annealed:
    """Reads of simulated annealing.

    Parameters
    ----------
    sweeps:
        Sweeps of each read.
    samples:
        One for each read.
    seconds_a_read:
        Seconds of processor time of a read, measured over all of them.
    """

    sweeps: int
    samples: dimod.SampleSet
    seconds_a_read: float


def is_installed() -> bool:
    """Return whether dwave-samplers is there."""
    return _sampler() is not None


def annealed(
    bqm: dimod.BinaryQuadraticModel, reads: int, seed: int, sweeps: Sequence[int] = SWEEPS
) -> Iterator[Annealed]:
    """Sample a problem with each of some numbers of sweeps, and measure how long it takes.

    Temperatures are those that dwave-samplers chooses. Nothing is yielded if it is not installed.

    Parameters
    ----------
    bqm:
        The problem.
    reads:
        Reads for each number of sweeps.
    seed:
        Seed, at least 0.
    sweeps:
        The numbers.
    """
    if (sampler := _sampler()) is None:
        return
    options = {"seed": seed % _SEEDS}
    sampler.sample(bqm, num_reads=1, num_sweeps=1, **options)  # what is loaded only once is not timed
    for count in sweeps:
        began = time.process_time()
        samples = sampler.sample(bqm, num_reads=reads, num_sweeps=count, **options)
        yield Annealed(count, samples, (time.process_time() - began) / reads)


def _sampler() -> Any:
    try:
        return import_module("dwave.samplers").SimulatedAnnealingSampler()
    except ModuleNotFoundError:
        return None
