"""``attractor solve``: problems from files, on oscillators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attractor.cli.extras import optional
from attractor.cli.files import check_writable
from attractor.cli.models import BAUD, Baud, device_of
from attractor.cli.output import output
from attractor.cli.pictures import check_picture

if TYPE_CHECKING:
    from attractor.host import Device

__all__ = ["Taken", "solve", "where"]

#: Runs, if nothing is said.
_READS = 16


class Taken(StrEnum):
    """What a file may be taken as."""

    CUT = "cut"
    COLOURING = "colouring"
    QUBO = "qubo"
    ISING = "ising"
    SAT = "sat"
    TOUR = "tour"


class Couplings(StrEnum):
    """Which couplings a network made for a problem may have."""

    AUTO = "auto"
    DENSE = "dense"
    SPARSE = "sparse"


class Moves(StrEnum):
    """How oscillators move."""

    FLIP = "flip"
    TURN = "turn"


def solve(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="A graph (rudy, G-set, DIMACS), a QUBO problem (qbsolv, OR-Library), a formula (cnf, wcnf), a matrix "
            "(Matrix Market), a tour (TSPLIB), a linear program (LP), or a model that dimod wrote."
        ),
    ],
    taken_as: Annotated[
        Taken | None, typer.Option("--as", help="What the file is, where it could be one thing or another.")
    ] = None,
    number: Annotated[
        int | None, typer.Option("--problem", min=1, help="Which problem of a file that holds several.")
    ] = None,
    colours: Annotated[
        int | None, typer.Option(help="Colour a graph with so many colours, instead of cutting it.")
    ] = None,
    reads: Annotated[
        int | None,
        typer.Option(min=1, help="Runs, each from a start of its own; default 16, or 1 for each part of a problem."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of starts and noise; default a new one.")] = None,
    periods: Annotated[int | None, typer.Option(min=1, help="Periods of a run.")] = None,
    noise: Annotated[float | None, typer.Option(min=0, help="Noise at the start, in mean fields.")] = None,
    max_step: Annotated[int | None, typer.Option(min=1, help="Most slots by which a phase moves in a slot.")] = None,
    lock: Annotated[float | None, typer.Option(min=0, help="Harmonic lock, in mean fields.")] = None,
    alternate: Annotated[
        bool | None, typer.Option("--alternate/--no-alternate", help="Let only every other oscillator move in a slot.")
    ] = None,
    final_noise: Annotated[float | None, typer.Option(min=0, help="Noise at the end, in mean fields.")] = None,
    share: Annotated[
        float | None, typer.Option(help="Of all oscillators those that may flip in a slot, from 1 to 0.015625.")
    ] = None,
    rule: Annotated[
        Moves | None, typer.Option(help="Whether oscillators flip between two phases, or turn step by step.")
    ] = None,
    couplings: Annotated[
        Couplings, typer.Option(help="Couplings of a network made for the problem; 'auto' takes what is smaller.")
    ] = Couplings.AUTO,
    random_start: Annotated[
        bool, typer.Option("--random-start", help="Let the network made for the problem draw its own starts.")
    ] = False,
    scale: Annotated[str, typer.Option(help="'auto' scales and rounds coefficients that do not fit.")] = "refuse",
    time_limit: Annotated[float | None, typer.Option(min=0, help="Seconds after which all ends.")] = None,
    divide: Annotated[
        int | None, typer.Option(min=1, help="Solve it in parts of so many variables; default if it has too many.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Solution to write, .json or text.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the best run to write.")] = None,
    board: Annotated[
        str | None, typer.Option(help="Board that is not attached: tell what it would do with the problem.")
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(help="With --board: value to be reached, as the answer tells it; default the best that is found."),
    ] = None,
    weight_bits: Annotated[
        int | None, typer.Option(min=2, max=12, help="With --board: width of weights; default what loses nothing.")
    ] = None,
    baud: Baud = BAUD,
) -> None:
    """Find a large cut or a colouring of a graph, a low energy of a model, or what else a file asks for.

    Without --port a network of the problem's size runs on the golden model. --port sim: and rtl: simulate a board of
    that size; any other port is used as it is. A problem with more variables than it holds is solved in parts. With
    --board the golden model runs what fits this board, and its clock cycles, line and time to a target are foretold.
    """
    if out is not None:
        check_writable(out)
    if plot is not None:
        check_picture(plot)
    _check_board(
        context, board, {"--target": target, "--weight-bits": weight_bits}, {"--divide": divide, "--colours": colours}
    )
    files = optional("attractor.solve.problem_files", "solve")
    solutions = optional("attractor.cli.solutions", "solve")
    kind = _kind(taken_as, colours)
    problem = _problem(files.open_problem(file, kind, number), file, kind)
    given = {"periods": periods, "noise": noise, "max_step": max_step, "lock": lock, "alternate": alternate}
    given |= {"final_noise": final_noise, "share": share, "rule": rule and rule.value}
    annealing = {name: value for name, value in given.items() if value is not None}
    limits = {"num_reads": reads or _READS, "seed": seed, "time_limit": time_limit}
    if context.obj and not _is_made(context):
        _check_made(context.obj[0], {"--random-start": random_start, "--couplings": couplings != Couplings.AUTO})
    with where(context, baud) as device, output.progress("solving") as progress:
        request = solutions.Request(device, annealing, scale, limits, progress, random_start, divide, reads or 1)
        wanted = (board, baud, target, weight_bits, couplings.value)
        made = None if board is None else _build(problem, wanted, request)
        request = replace(request, made={"couplings": couplings.value} if made is None else made.made)
        found = solutions.solve_problem(problem, colours, request, output.log)
        result: dict[str, Any] = {"file": str(file)} | found.summary
        if made is not None:
            result |= _projected(made, found)
        if out is not None:
            files.Solution(found.values, result).save(out)
            result["solution"] = str(out)
        if plot is not None and found.figure is None:
            output.log("no picture is drawn, as no run holds the whole problem")
        elif plot is not None:
            output.log("drawing the best run")
            found.figure().savefig(plot)
            result["picture"] = str(plot)
    output.result(result, _text(result))
    if result.get("interrupted"):
        raise KeyboardInterrupt  # what was finished is told and saved; the exit code is that of an interrupt


def _kind(taken_as: Taken | None, colours: int | None) -> str | None:
    """Return what the options say that the file is."""
    if taken_as is Taken.COLOURING and colours is None:
        raise ValueError("--as colouring needs a number of colours; add --colours N")
    if colours is not None and taken_as not in (None, Taken.COLOURING):
        raise ValueError(f"--colours does not go with --as {taken_as}; leave out one of them")
    return Taken.COLOURING.value if colours is not None else taken_as and taken_as.value


def _problem(found: Any, file: Path, kind: str | None) -> Any:
    """Return the problem of a file that was read; ask what to do with it if that is not clear."""
    if kind is None and found.kinds[:1] == (Taken.COLOURING,):
        raise ValueError(f"{file} is a graph of DIMACS: say --colours N to colour it, or --as cut to cut it")
    return found.problem


def _check_made(port: str, given: dict[str, bool]) -> None:
    """Refuse options of a network that is made for the problem, where a port holds one."""
    for name in (name for name, there in given.items() if there):
        raise ValueError(
            f"{name} is for a network made for the problem, and {port} holds one, whose spec says what it has; leave "
            "it out"
        )


def _check_board(context: typer.Context, board: str | None, needing: dict[str, Any], against: dict[str, Any]) -> None:
    """Refuse options that mean something only with ``--board``, and those that do not go with it."""
    if board is None:
        for name in (name for name, value in needing.items() if value is not None):
            raise ValueError(f"{name} is for a board that is not attached; add --board NAME, or leave it out")
        return
    if context.obj:
        raise ValueError(
            f"--board asks what a board would do that is not attached, and --port {context.obj[0]} uses one that is; "
            "leave out one of them"
        )
    for name in (name for name, value in against.items() if value is not None):
        raise ValueError(f"--board does not go with {name}, as it tells of whole problems alone; leave out one of them")


def _build(problem: Any, wanted: tuple[str | None, int, float | None, int | None, str], request: Any) -> Any:
    """Return the build for a board that is not attached, ready to be run on the golden model."""
    projection = optional("attractor.cli.projection", "gateware")
    output.log(f"looking for the build that fits {wanted[0]}")
    options = {"random_start": request.random_start}
    made = projection.choose(problem, projection.Wanted(*wanted), request.annealing, request.scale, **options)
    projection.warm_up(made, request.annealing, request.scale, **options)
    return made


def _projected(made: Any, found: Any) -> dict[str, Any]:
    """Return what is told of the board: nothing where reads were ended before their time, or Ctrl-C comes now."""
    if found.samples is None or found.summary.keys() & {"unfinished", "interrupted"}:
        output.log("nothing is told of the board, as reads were ended before their time")
        return {}
    projection = optional("attractor.cli.projection", "gateware")
    try:
        with output.progress("counting clock cycles") as progress:
            return {"projection": projection.projected(made, found.samples, found.program, progress)}
    except KeyboardInterrupt:
        return {"interrupted": True}


def _text(result: dict[str, Any]) -> str:
    """Return the result as text, with all digits of what was found."""
    apart = ("timing", "rounding", "projection")
    shown = {name: _number(value) for name, value in result.items() if name not in apart}
    timing = result["timing"]
    shown["seconds"] = f"{timing['upload'] + timing['anneal'] + timing['download']:.3g}"
    if timing["cycles"]:
        shown["cycles"] = f"{timing['cycles']:,}"
    if "rounding" in result:
        worst = result["rounding"]
        shown["rounding"] = f"up to {worst['max_absolute']:.3g}, {worst['max_relative']:.1%} of a coefficient"
    if "projection" in result:
        shown |= optional("attractor.cli.projection", "gateware").lines(result["projection"])
    width = max(map(len, shown))
    return "\n".join(f"{name.replace('_', ' '):{width}}  {value}" for name, value in shown.items())


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.5g}"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _is_made(context: typer.Context) -> bool:
    """Return whether ``--port`` is the address of a board to be made for the problem."""
    return len(context.obj) == 1 and context.obj[0].endswith(":")


@contextmanager
def where(context: typer.Context, baud: int) -> Iterator[Device | str | None]:
    """Give the open device at ``--port``, the address of a board to be made for the problem, or None."""
    if not context.obj:
        yield None
    elif _is_made(context):
        yield context.obj[0]
    else:
        with device_of(context, baud) as device:
            yield device
