"""What ``attractor solve`` makes of each kind of problem: a run, its summary, its solution and its picture."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.cli.division import divided, sample_in_parts
from attractor.cli.output import output
from attractor.host import Device
from attractor.host.model import Model
from attractor.plot.dynamics import annealing_figure
from attractor.solve.annealer import Annealer, replay
from attractor.solve.annealing import Annealing
from attractor.solve.dimod_extra import dimod
from attractor.solve.files.worded import WordedProblem
from attractor.solve.ising import Placement, starts
from attractor.solve.potts import COLOURING, colouring_program, read_colours, sample_colouring
from attractor.solve.problems import Graph, max_cut
from attractor.solve.sampler import OscillatorSampler, Program, best_samples

__all__ = ["Found", "Request", "solve_problem"]

#: Periods that are read at once for a picture.
_CHUNK = 16


@dataclass(frozen=True)
class Request:
    """How a problem is to be solved.

    Parameters
    ----------
    device:
        As for :class:`OscillatorSampler`.
    annealing:
        Schedule, with the values that the user gave.
    scale:
        As for :meth:`OscillatorSampler.sample`.
    reads:
        What decides about reads: ``num_reads``, ``seed``, ``time_limit``.
    progress:
        Called with the number of finished reads and of all.
    random_start:
        Whether a network made for the problem draws its own starts.
    divide:
        Most variables of a part; None to divide only what a network cannot hold.
    part_reads:
        Reads of each part.
    made:
        Options of :class:`OscillatorSampler` for a network made for the problem.
    """

    device: Device | str | None
    annealing: dict[str, Any]
    scale: Any
    reads: dict[str, Any]
    progress: Callable[[int, int], None]
    random_start: bool = False
    divide: int | None = None
    part_reads: int = 1
    made: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """The best read.

    Parameters
    ----------
    summary:
        What is printed and saved, ready for JSON.
    values:
        Value of each variable.
    figure:
        Draws the read, as a matplotlib figure; None if the problem was divided.
    samples, program:
        All reads, and the problem made ready; None if the problem was divided, or coloured.
    """

    summary: dict[str, Any]
    values: dict[Hashable, int]
    figure: Callable[[], Any] | None
    samples: dimod.SampleSet | None = None
    program: Program | None = None


def solve_problem(
    problem: Graph | dimod.BinaryQuadraticModel | WordedProblem,
    colours: int | None,
    request: Request,
    log: Callable[[str], None] = lambda _: None,
) -> Found:
    """Solve a problem as what it is: a graph is cut, or coloured if a number of colours is given.

    One that no network holds is divided, which ``log`` is told.

    Raises
    ------
    ValueError
        If colours are asked for and the problem is no graph, or the problem does not fit.
    HostError
        If the device fails.
    """
    if colours is not None:
        if not isinstance(problem, Graph):
            raise ValueError("--colours is for graphs, and the file holds a model with coefficients; leave it out")
        if request.divide is not None:
            raise ValueError("--divide does not go with --colours; leave out one of them")
        return _colour(problem, colours, request)
    if isinstance(problem, WordedProblem):
        return _worded(problem, request)
    graph = problem if isinstance(problem, Graph) else None
    bqm = max_cut(graph).bqm if graph is not None else problem
    assert isinstance(bqm, dimod.BinaryQuadraticModel)
    if (division := divided(bqm, request)) is not None:
        size, why = division
        log(why)
        samples = sample_in_parts(bqm, request)
        summary, values, _ = _best(graph, bqm, samples)
        summary = {name: value for name, value in summary.items() if not name.startswith("mean_")}
        told = {name: samples.info[name] for name in ("rounds", "sub_problems", "interrupted") if name in samples.info}
        named = {"seed": samples.info["seed"], "device": Annealer(request.device).name, "part": size}
        return Found(summary | named | told | {"timing": samples.info["timing"]}, values, None)
    return _minimise(graph, bqm, request)


def _minimise(graph: Graph | None, bqm: dimod.BinaryQuadraticModel, request: Request) -> Found:
    samples, program = _sampled(bqm, request)
    summary, values, best = _best(graph, bqm, samples)
    name, info = "cut" if graph is not None else "energy", samples.info
    summary |= _about(best, len(samples), info) | {"scale": _whole(info["scale"]), **_rounding(info)}
    return Found(summary, values, lambda: _energies(samples, program, bqm, best, name), samples, program)


def _sampled(bqm: dimod.BinaryQuadraticModel, request: Request) -> tuple[dimod.SampleSet, Program]:
    annealing = Annealing(**request.annealing)
    made: dict[str, Any] = {"random_start": request.random_start, "keep_interrupted": True, **request.made}
    with OscillatorSampler(request.device, progress=request.progress, **made) as sampler:
        samples = sampler.sample(bqm, scale=request.scale, **vars(annealing), **request.reads)
        for line in samples.info["warnings"]:
            output.log(line)
        return samples, sampler.program(bqm, annealing, scale=request.scale)


def _energies(samples: dimod.SampleSet, program: Program, bqm: dimod.BinaryQuadraticModel, best: int, name: str) -> Any:
    """Draw the energy of the best read, or the cut, which is its negative."""

    def read(phases: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        spins = best_samples(program.placement.spins(phases), bqm)
        return (-1 if name == "cut" else 1) * bqm.energies((spins, list(bqm.variables)))

    groups = (samples.record.sample[best] > 0).astype(np.int64)
    return _figure(program.model, program.placement, samples.info["seed"], best, read, groups, name)


def _worded(worded: WordedProblem, request: Request) -> Found:
    """Solve a problem that has words of its own: of the reads that keep its constraints the best one is taken."""
    problem, bqm = worded.problem, worded.bqm
    samples, program = _sampled(bqm, request)
    energies, info, labels = samples.record.energy, samples.info, list(samples.variables)
    rows = [dict(zip(labels, row, strict=True)) for row in samples.record.sample.tolist()]
    answers = [problem.decode(row) for row in rows]
    feasible = np.array([problem.feasible(answer) for answer in answers])
    costs = np.array([problem.objective(answer) for answer in answers], np.float64)
    sign = -1 if problem.sense == "maximise" else 1
    ranks = np.lexsort((energies, sign * costs, ~feasible)) if feasible.any() else np.argsort(energies, kind="stable")
    best, kept = int(ranks[0]), costs[feasible]
    said = dict(worded.tell(answers[best])) | {worded.measure: _finite(costs[best])}
    if worded.constrained:
        said = {"feasible": bool(feasible[best])} | said
    summary = dict(worded.about) | {"bits": bqm.num_variables, "couplings": bqm.num_interactions} | said
    summary |= {f"mean_{worded.measure}": _finite(kept.mean()) if len(kept) else None} | _kept(
        feasible, worded.constrained
    )
    summary |= (
        _measured("energy", energies, best)
        | _about(best, len(samples), info)
        | {"scale": _whole(info["scale"]), **_rounding(info)}
    )
    values = dict(worded.values(answers[best])) or rows[best]
    return Found(summary, values, lambda: _energies(samples, program, bqm, best, "energy"), samples, program)


def _kept(feasible: npt.NDArray[np.bool_], constrained: bool) -> dict[str, float]:
    """Return the share of reads that keep the constraints; say what to do if those are few."""
    if not constrained:
        return {}
    share = float(feasible.mean())
    if share < 0.5:
        output.log(
            f"{len(feasible) - int(feasible.sum())} of {len(feasible)} reads break the problem's constraints; try more "
            "--periods, more --reads, or a board with wider weights"
        )
    return {"feasible_reads": share}


def _finite(value: Any) -> float | int | None:
    """Return a number as JSON can hold it; what has no value is None."""
    return _whole(float(value)) if np.isfinite(value) else None


def _best(
    graph: Graph | None, bqm: dimod.BinaryQuadraticModel, samples: dimod.SampleSet
) -> tuple[dict[str, Any], dict[Hashable, int], int]:
    """Return what is told of the best sample, the value of each variable in it, and its number."""
    energies = samples.record.energy
    best = int(energies.argmin())
    best_sample = dict(zip(samples.variables, samples.record.sample[best].tolist(), strict=True))
    if graph is not None:
        # Vertices as the file numbers them, and the side of each.
        values: dict[Hashable, int] = {vertex + 1: int(best_sample[vertex] > 0) for vertex in range(graph.vertices)}
        about: dict[str, Any] = {"problem": "max-cut", "vertices": graph.vertices, "edges": len(graph.edges)}
        return about | _measured("cut", -energies, best), values, best
    about = {
        "problem": "ising" if bqm.vartype is dimod.SPIN else "qubo",
        "variables": bqm.num_variables,
        "couplings": bqm.num_interactions,
    }
    return about | _measured("energy", energies, best), best_sample, best


def _colour(graph: Graph, colours: int, request: Request) -> Found:
    annealing = Annealing(**vars(COLOURING) | request.annealing)
    made = {"annealing": annealing, "random_start": request.random_start}
    run = {"progress": request.progress, "keep_interrupted": True, **request.reads}
    found = sample_colouring(graph, colours, device=request.device, **made, **run)
    best = found.best
    values: dict[Hashable, int] = {vertex + 1: int(colour) for vertex, colour in enumerate(found.colours[best])}
    about = {"problem": "colouring", "vertices": graph.vertices, "edges": len(graph.edges), "colours": colours}
    summary = about | _kept(found.conflicts == 0, True)
    summary |= _measured("conflicts", found.conflicts, best) | _about(best, len(found.conflicts), found.info)

    def figure() -> Any:
        annealer = Annealer(request.device)
        try:
            model, placement = colouring_program(annealer, graph, colours, **made)
        finally:
            annealer.close()

        def read(phases: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
            places = phases[:, placement.places]
            return read_colours(graph, places, colours, placement.spec.period)[1].astype(np.float64)

        return _figure(model, placement, found.info["seed"], best, read, found.colours[best], "conflicts")

    return Found(summary, values, figure)


def _measured(name: str, measures: npt.NDArray[Any], best: int) -> dict[str, Any]:
    return {name: _whole(measures[best].item()), f"mean_{name}": float(measures.mean())}


def _about(best: int, reads: int, info: dict[str, Any]) -> dict[str, Any]:
    return {
        "reads": reads,
        "best_read": best,
        "seed": info["seed"],
        "periods": sum(row[0] for row in info["schedule"]),
        "device": info["device"],
        "timing": info["timing"],
        **{name: info[name] for name in ("unfinished", "interrupted") if name in info},
    }


def _whole(value: float) -> float | int:
    """Return a number as an integer if it is one."""
    return int(value) if float(value).is_integer() else value


def _rounding(info: dict[str, Any]) -> dict[str, Any]:
    return {"rounding": info["quantisation"]} if info["quantisation"]["max_absolute"] else {}


def _figure(
    model: Model,
    placement: Placement,
    seed: int,
    read: int,
    measure: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float64]],
    groups: npt.NDArray[np.int64],
    name: str,
) -> Any:
    """Run a read again on the golden model, and draw it."""
    drawn = placement.spec.random_start
    spec: Any = model.spec
    flips = bool(spec.flips and model.parameters["schedule"][0, -1])
    phases, seeds = starts(placement, seed, read + 1, drawn=drawn, spins=flips)
    kept = replay(model, phases[read], placement.clamp, int(seeds[read]), random_start=drawn)
    schedule = model.parameters["schedule"].astype(np.int64)
    inputs, places = placement.spec.inputs, placement.places
    return annealing_figure(
        kept[:, places],
        placement.spec.period,
        model.parameters["weights"][np.ix_(places - inputs, places)],
        np.concatenate([measure(kept[rows]) for rows in _chunks(len(kept))]),
        groups,
        name=name,
        noise=np.repeat(schedule[:, 1], schedule[:, 0]).astype(np.float64),
    )


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, count, _CHUNK))
