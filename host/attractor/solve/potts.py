"""Graph colouring with one oscillator for each vertex: colours are phases, and equal ones repel each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.golden.sparse import couplings_of
from attractor.host.device import Device
from attractor.host.model import Model
from attractor.host.oscillator import Progress
from attractor.solve.annealer import Annealer
from attractor.solve.annealing import Annealing
from attractor.solve.ising import Placement, ProblemError, checked_seed, measured_spec, starts
from attractor.solve.problems.graph import Graph
from attractor.spec import IntegerArray

__all__ = ["COLOURING", "Colouring", "colouring_program", "read_colours", "sample_colouring"]

#: Found best on random graphs of mean degree 4 for which three colours suffice: a lock that outweighs the neighbours,
#: and noise that outweighs the lock at first.
COLOURING = Annealing(periods=300, noise=4.0, max_step=1, lock=3.0, alternate=True, rule="turn")


@dataclass(frozen=True)
class Colouring:
    """Colourings of a graph, one for each read.

    Parameters
    ----------
    colours:
        Colour of each vertex, from 0, shape (reads, vertices), int64.
    conflicts:
        Edges between equal colours, counted on the graph, shape (reads,), int64.
    info:
        ``seed``, ``device``, ``schedule``, ``timing``, ``unfinished`` and ``interrupted`` as in
        :class:`attractor.solve.sampler.OscillatorSampler`.
    """

    colours: npt.NDArray[np.int64]
    conflicts: npt.NDArray[np.int64]
    info: dict[str, Any]

    @property
    def best(self) -> int:
        """Index of the first read with the fewest conflicts."""
        return int(self.conflicts.argmin())


def sample_colouring(
    graph: Graph,
    colours: int,
    *,
    device: str | Device | None = None,
    num_reads: int = 1,
    seed: int | None = None,
    annealing: Annealing = COLOURING,
    phase_bits: int = 4,
    random_start: bool = False,
    time_limit: float | None = None,
    call_limit: float | None = None,
    progress: Progress | None = None,
    keep_interrupted: bool = False,
) -> Colouring:
    """Colour a graph so that few edges join equal colours.

    The energy of two joined oscillators is least when they are as far apart as they can be. The harmonic lock, with as
    many phases as there are colours, pulls every oscillator to one of these. A phase is read as the nearest of them, on
    the rotation of the circle that leaves the fewest conflicts.

    Parameters
    ----------
    graph:
        The graph; weights of edges play no part.
    colours:
        Number of colours, 2 to 8, and at most half a period's slots.
    device:
        As for :class:`attractor.solve.sampler.OscillatorSampler`. If ``annealing`` has a lock, the device's spec must
        have ``lock_phases`` equal to ``colours``.
    num_reads, seed, time_limit, call_limit, progress, keep_interrupted:
        As there.
    annealing:
        Periods, noise, step and lock.
    phase_bits, random_start:
        Width of a phase in networks made for the problem, and whether they draw their own start phases.

    Raises
    ------
    ProblemError
        If the graph is too large for the network, or the device locks to another number of phases.
    """
    if num_reads < 1:
        raise ValueError(f"num_reads is {num_reads}; at least one is needed")
    chosen = checked_seed(seed)
    annealer = Annealer(device, call_limit=call_limit, keep_interrupted=keep_interrupted)
    try:
        made = {"phase_bits": phase_bits, "random_start": random_start}
        model, placement = colouring_program(annealer, graph, colours, annealing=annealing, **made)
        drawn = placement.spec.random_start
        phases, seeds = starts(placement, chosen, num_reads, drawn=drawn)
        options = {"random_start": drawn, "time_limit": time_limit, "progress": progress}
        reads = annealer.run(model, phases, placement.clamp, seeds, **options)
    finally:
        annealer.close()
    found, conflicts = read_colours(graph, reads.phases[:, placement.places], colours, placement.spec.period)
    schedule = model.parameters["schedule"].tolist()
    info = {"seed": chosen, "device": annealer.name, "schedule": schedule, **reads.about}
    return Colouring(found, conflicts, info)


def read_colours(
    graph: Graph, phases: IntegerArray, colours: int, period: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the colours that phases stand for, and the conflicts between them.

    Parameters
    ----------
    graph:
        The graph.
    phases:
        Phase of each vertex in slots, shape (reads, vertices).
    colours:
        Number of colours.
    period:
        Slots of a period.

    Returns
    -------
    colours, conflicts:
        Of the rotation of the circle, one slot after the other, with the fewest conflicts: shapes (reads, vertices)
        and (reads,), int64.
    """
    rotated = phases[:, None, :].astype(np.int64) + np.arange(period)[:, None]
    readings = (2 * rotated * colours + period) // (2 * period) % colours
    ends = readings[..., graph.edges]
    conflicts = (ends[..., 0] == ends[..., 1]).sum(axis=2)
    rows, best = np.arange(len(phases)), conflicts.argmin(axis=1)
    return readings[rows, best], conflicts[rows, best]


def colouring_program(
    annealer: Annealer,
    graph: Graph,
    colours: int,
    *,
    annealing: Annealing = COLOURING,
    phase_bits: int = 4,
    random_start: bool = False,
) -> tuple[Model, Placement]:
    """Return weights and schedule, and which oscillator is which vertex; errors as in :func:`sample_colouring`."""
    spec = annealer.spec
    if spec is None:
        made = {"weight_bits": 8, "phase_bits": phase_bits, "random_start": random_start}
        spec = measured_spec(graph.vertices, biased=False, flips=False, lock_phases=colours, **made)
    elif annealing.lock and spec.lock_phases != colours:
        raise ProblemError(
            f"{annealer.name} locks to {spec.lock_phases} phases, and {colours} colours were asked for; build gateware "
            f"with lock_phases {colours}, or set lock to 0"
        )
    if not 2 <= colours <= spec.period // 2:
        raise ProblemError(f"colours is {colours}; on {annealer.name} it must lie between 2 and {spec.period // 2}")
    placement = Placement.on(spec, graph.vertices, biased=False, name=annealer.name)
    # Joined vertices repel each other.
    weights = placement.weights(np.zeros(graph.vertices, np.int64), graph.edges, np.ones(len(graph.edges), np.int64))
    weights = weights * annealing.magnification(spec, weights)
    couplings = couplings_of(spec, weights)
    parameters = {**couplings, "schedule": annealing.rows(spec, weights), "settle": np.array(0)}
    return Model(spec, parameters, {"problem": "colouring"}), placement
