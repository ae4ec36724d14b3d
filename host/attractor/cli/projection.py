"""What ``attractor solve --board`` says of a board that is not attached: the build that fits, its reads, its time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from attractor.cli.output import output
from attractor.cli.sparse_builds import sparse_build
from attractor.gateware.boards import Board, find_board
from attractor.gateware.estimate import DoesNotFit, Estimate, most_lanes
from attractor.host.oscillator import Progress
from attractor.solve.annealing import Annealing
from attractor.solve.contest import ANNEALING, BOARD, GIVEN, Contender, Contest, contest
from attractor.solve.dimod_extra import dimod
from attractor.solve.ising import MOST_OSCILLATORS, ProblemError, Scale
from attractor.solve.measures import Measure
from attractor.solve.program import Coupled, Program, Where, program
from attractor.solve.projection import Projection, project, weight_widths
from attractor.solve.sampler import OscillatorSampler
from attractor.solve.simulated_annealing import is_installed
from attractor.solve.sparse_networks import prefers_sparse
from attractor.spec.protocol import rate_step
from attractor.spec.sparse import SparseSpec

__all__ = ["Build", "Wanted", "choose", "lines", "projected", "warm_up"]

#: Bits of a phase in networks made for a problem, as samplers make them.
_PHASE_BITS = 4
_DECIDES = {"line": "the line decides", "computing": "computing decides"}


@dataclass(frozen=True)
class Wanted:
    """What the user asks of a board.

    Parameters
    ----------
    board:
        Its name.
    baud:
        Bits a second on its line.
    target:
        Value to be reached, in the problem's own measure; None for the best that is found.
    weight_bits:
        Width of weights; None to have it chosen.
    couplings:
        ``"dense"``, ``"sparse"``, or ``"auto"`` for sparse ones where they are smaller and faster, or where dense ones
        do not fit.
    """

    board: str
    baud: int
    target: float | None = None
    weight_bits: int | None = None
    couplings: Coupled = "auto"


@dataclass(frozen=True)
class Build:
    """The build that was chosen for a problem.

    Parameters
    ----------
    board, baud, target:
        As they were asked for.
    estimate:
        What it takes of the board.
    measure:
        What reads are judged by.
    """

    board: Board
    baud: int
    target: float | None
    estimate: Estimate
    measure: Measure

    @property
    def made(self) -> dict[str, Any]:
        """Options of :class:`OscillatorSampler` for the network of this build."""
        spec: Any = self.estimate.spec
        if isinstance(spec, SparseSpec):
            return {"spec": spec}
        return {"weight_bits": spec.weight_bits, "lanes": spec.lanes, "couplings": "dense"}


def choose(
    problem: Any, wanted: Wanted, annealing: dict[str, Any], scale: Scale, *, random_start: bool = False
) -> Build:
    """Return the build for a problem on a board: with dense or sparse couplings, and the most lanes that fit.

    Parameters
    ----------
    problem:
        As a file holds it.
    wanted:
        The board, and what is asked of it.
    annealing, scale, random_start:
        As the user gave them.

    Raises
    ------
    BoardError, BaudError
        If there is no such board, or its line cannot be as fast.
    ValueError
        If the problem does not fit: the message says in what, and what would hold it.
    """
    if wanted.target is not None and not math.isfinite(wanted.target):
        raise ValueError(
            f"--target is {wanted.target}; give a finite number, or leave it out for the best that is found"
        )
    board = find_board(wanted.board)
    rate_step(board.clock_hz, board.check_baud(wanted.baud))
    measure, given = Measure.for_problem(problem), Annealing(**annealing)
    kinds = _kinds(measure.bqm, given, wanted.couplings)
    refused: list[ValueError] = []
    for kind in kinds:
        try:
            if kind == "sparse":
                found = sparse_build(measure.bqm, given, board, scale, wanted.weight_bits)
            else:
                found = _dense_build(measure.bqm, given, board, scale, wanted.weight_bits, random_start=random_start)
        except (DoesNotFit, ProblemError) as error:
            refused.append(error)
            continue
        if refused:
            output.log(f"couplings are {kind}, as {kinds[0]} ones do not fit")
        return Build(board, wanted.baud, wanted.target, found, measure)
    raise DoesNotFit(f"{refused[0]}, or leave out --board and solve it in parts with --divide N") from refused[0]


def _kinds(bqm: dimod.BinaryQuadraticModel, annealing: Annealing, couplings: Coupled) -> list[str]:
    """Return the kinds of couplings that a network for a problem may have, the better one first."""
    if couplings != "auto":
        return [couplings]
    if annealing.turns:
        return ["dense"]
    kinds = ["dense", "sparse"]
    return kinds[::-1] if prefers_sparse(bqm.num_variables, bqm.num_interactions) else kinds


def _dense_build(
    bqm: dimod.BinaryQuadraticModel,
    annealing: Annealing,
    board: Board,
    scale: Scale,
    weight_bits: int | None,
    *,
    random_start: bool,
) -> Estimate:
    """Return the build with dense couplings: the weights' width first, then the most lanes that fit."""
    if not 0 < (variables := bqm.num_variables) < MOST_OSCILLATORS:
        raise ProblemError(
            f"the problem has {variables:,} variables, and a network with dense couplings holds 1 to "
            f"{MOST_OSCILLATORS - 1:,}"
        )
    widths = weight_widths(bqm, annealing, scale, phase_bits=_PHASE_BITS) if weight_bits is None else (weight_bits,)
    refused = DoesNotFit(f"this network does not fit {board.name}")
    for bits in widths:
        sizes = {"weight_bits": bits, "phase_bits": _PHASE_BITS, "random_start": random_start}
        made = program(bqm, annealing, Where(None, board.name, sizes), scale)
        try:
            found = most_lanes(made.placement.spec, board)
        except DoesNotFit as error:
            refused = error
            continue
        if bits != widths[0]:
            output.log(
                f"the network does not fit with weights of {widths[0]} bits, and does with {bits}: noise, or the "
                "coefficients, are coarser than they might be"
            )
        return found
    raise refused


def warm_up(build: Build, annealing: dict[str, Any], scale: Scale, *, random_start: bool = False) -> None:
    """Run the shortest read, so that what the golden model compiles or loads once is not timed with the others."""
    short = replace(Annealing(**annealing), periods=1)
    made: dict[str, Any] = {"random_start": random_start, **build.made}
    with OscillatorSampler(**made) as sampler:
        sampler.sample(build.measure.bqm, num_reads=1, seed=0, scale=scale, **vars(short))


def projected(
    build: Build, samples: dimod.SampleSet, made: Program, progress: Progress | None = None
) -> dict[str, Any]:
    """Return what the board would do, ready for JSON.

    Parameters
    ----------
    build:
        The build.
    samples, made:
        Reads on the golden model of this build, which are those of the board, and the problem made ready for them.
    progress:
        Called with the number of reads whose cycles were counted and of all.
    """
    options = {"clock_hz": build.board.clock_hz, "baud": build.baud, "progress": progress}
    found = project(made, samples.info["seed"], **options)
    race = contest(build.measure, samples, found.seconds_a_read, build.target)
    return _fitting(build) | _speed(found) | _race(race)


def _fitting(build: Build) -> dict[str, Any]:
    has, needs = build.board.resources, build.estimate
    spec: Any = needs.spec
    sizes = {name: getattr(spec, name) for name in ("oscillators", "weight_bits", "lanes", "groups")}
    sizes["couplings"] = "sparse" if isinstance(spec, SparseSpec) else "dense"
    if isinstance(spec, SparseSpec):
        sizes |= {"entries": spec.entries, "row_words": spec.row_words}
    taken = {
        name: {"estimated": getattr(needs, name), "available": getattr(has, name)}
        for name in ("luts", "block_rams", "large_rams")
    }
    return {"board": build.board.name, "fits": True} | sizes | taken


def _speed(found: Projection) -> dict[str, Any]:
    kinds = {"line": found.line, "random_start": found.random_start, "spins_alone": found.spins}
    return {
        "clock_hz": found.clock_hz,
        "counted_cycles": list(found.cycles),
        "cycles_a_read": found.cycles_a_read,
        "cycles_a_period": found.cycles_a_period,
        "computing_ms_a_read": 1000 * found.computing_seconds,
        "draws_starts": found.spec.random_start,
        "reads_a_second": 1 / found.seconds_a_read,
        "decided_by": "line" if found.line_decides else "computing",
    } | {
        name: asdict(line) | {"ms_a_read": 1000 * line.seconds_a_read, "reads_a_second": 1 / found.seconds_with(line)}
        for name, line in kinds.items()
    }


def _race(race: Contest) -> dict[str, Any]:
    first = race.ranking[:1]
    return {
        "measure": race.measure.name,
        "target": race.target,
        "target_by": race.target_by,
        "time_to_target": [_contender(each) for each in race.contenders],
        "fastest": first[0].sampler if first else None,
        "compared_with_annealing": is_installed(),
    }


def _contender(each: Contender) -> dict[str, Any]:
    success, times = each.success, each.times
    low, high = (None, None) if success is None else success.interval
    return {
        "sampler": each.sampler,
        "sweeps": each.sweeps,
        "ms_a_read": 1000 * each.seconds_a_read,
        "reads": success and success.reads,
        "hits": success and success.hits,
        "share": success and success.share,
        "share_low": low,
        "share_high": high,
        "seconds": times.best,
        "seconds_low": times.low,
        "seconds_high": times.high,
    }


def lines(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what :func:`projected` returns as text: a word and what is said of it, a line each."""
    luts, rams, large = (told[name] for name in ("luts", "block_rams", "large_rams"))
    taken = f"{rams['estimated']:,} of {rams['available']:,} block RAMs"
    taken += f", {large['estimated']} of {large['available']} large RAMs" if large["estimated"] else ""
    yield "board", f"{told['board']} holds it: about {luts['estimated']:,} of {luts['available']:,} LUTs, {taken}"
    groups = f"{told['groups']} group{'s' if told['groups'] > 1 else ''}"
    yield "build", f"weights of {told['weight_bits']} bits, {told['lanes']:,} lanes, {groups}"
    if told["couplings"] == "sparse":
        yield "couplings", f"sparse: {told['entries']} added a cycle, {told['row_words']:,} words of so many"
    mean = f"mean of {len(told['counted_cycles'])} reads"
    yield "clock cycles", f"{told['cycles_a_read']:,.0f} a read, {told['cycles_a_period']:,.0f} a period ({mean})"
    clock = f"at {told['clock_hz'] / 1e6:g} MHz, the board's oscillator; builds run from a PLL, often faster"
    yield "computing", f"{told['computing_ms_a_read']:.4g} ms a read {clock}"
    line = told["line"]
    yield "line", f"{_bytes(line)} a read, {line['ms_a_read']:.4g} ms at {line['baud']:,} baud"
    yield "reads a second", f"{told['reads_a_second']:.4g}: {_DECIDES[told['decided_by']]}"
    if not told["draws_starts"]:
        yield "random start", f"{_rate(told['random_start'])} with --random-start"
    yield "spins alone", f"{_rate(told['spins_alone'])} with device.network.anneal, which needs --random-start"
    yield from _race_lines(told)


def _bytes(line: dict[str, Any]) -> str:
    return f"{line['request_bytes']:.0f} bytes to the board, {line['reply_bytes']:.0f} back"


def _rate(line: dict[str, Any]) -> str:
    return f"{line['reads_a_second']:.4g} reads a second ({_bytes(line)})"


def _race_lines(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the target, how long each sampler takes to it, and which is the fastest."""
    if told["target"] is None:
        yield "target", "none, as no read keeps the constraints; try more --periods or more --reads"
        return
    rows = told["time_to_target"]
    finders = [row["sampler"] for row in rows if row["hits"] and row["sampler"] != BOARD]
    by = "as given" if told["target_by"] == GIVEN else "the best that was found here"
    by += f", by {_the(finders[0])} alone" if len(finders) == 1 and len(rows) > 2 else ""
    yield "target", f"{told['measure'].replace('_', ' ')} {told['target']:,.10g}, {by}"
    yield "time to target", "with a confidence of 99 %; in brackets the interval of 95 % over reads"
    for row in told["time_to_target"]:
        yield f"- {row['sampler']}", _row_text(row)
    if not told["compared_with_annealing"]:
        yield f"- {ANNEALING}", "not compared: pip install dwave-samplers would do it"
    yield "fastest", _verdict(told["time_to_target"])


def _row_text(row: dict[str, Any]) -> str:
    sweeps = f" of {row['sweeps']:,} sweeps" if row["sweeps"] else ""
    reads = f"{row['hits']} of {row['reads']} reads{sweeps}, {row['ms_a_read']:.4g} ms each"
    if row["seconds"] is None:
        return f"not reached: {reads}"
    high = "without limit" if row["seconds_high"] is None else f"to {_time(row['seconds_high'])}"
    return f"{_time(row['seconds'])} ({_time(row['seconds_low'])} {high}): {reads}"


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _the(sampler: str) -> str:
    return sampler if sampler == ANNEALING else f"the {sampler}"


def _verdict(rows: list[dict[str, Any]]) -> str:
    """Say which sampler is the fastest, by how much, and where the reads are too few to tell."""
    reached = sorted((row for row in rows if row["seconds"] is not None), key=lambda row: row["seconds"])
    if not reached:
        return "none of them: no read reached the target; try more --reads, or a --target that is easier"
    first, *others = reached
    if not others:
        return f"{_the(first['sampler'])}, alone in reaching the target"
    said = [_faster(first, other) for other in others]
    return f"{_the(first['sampler'])}: " + ", ".join(said)


def _faster(first: dict[str, Any], other: dict[str, Any]) -> str:
    said = f"{other['seconds'] / first['seconds']:.3g} times as fast as {_the(other['sampler'])}"
    # Board and golden model have the same reads: their times differ by a factor that no more reads would change.
    same = ANNEALING not in (first["sampler"], other["sampler"])
    overlap = first["seconds_high"] is None or first["seconds_high"] > other["seconds_low"]
    return f"{said} (the intervals overlap: more --reads tell more)" if overlap and not same else said
