"""Global options, and the list of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from attractor.cli import boards, exchange, models, verification
from attractor.cli.conformance import conform
from attractor.cli.demo import DemoCommand, demo
from attractor.cli.line import link
from attractor.cli.output import output, show_version
from attractor.cli.solve import solve
from attractor.cli.train import EPILOG, TrainCommand, train_with_options

__all__ = ["app", "options"]

app = typer.Typer(
    name="attractor",
    help="Networks that compute by settling, as FPGA gateware: train, build, load, run.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _json(wanted: bool) -> None:
    output.json = wanted


def _version(wanted: bool) -> None:
    if wanted:
        show_version()
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    # Eager, so that it holds for --version too.
    json: Annotated[  # noqa: ARG001
        bool, typer.Option("--json", callback=_json, is_eager=True, help="One JSON document on standard output.")
    ] = False,
    port: Annotated[
        list[str] | None,
        typer.Option(
            help="Where the device is: a serial device, sim:FILE, rtl:FILE, or any pySerial URL. sim: and rtl: alone "
            "are boards made for the network of the command. Given several times, all of them serve as one."
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Networks that compute by settling, as FPGA gateware: train, build, load, run."""
    output.verbose, output.quiet = verbose, quiet
    context.obj = port or []


app.command("demo", cls=DemoCommand, epilog=EPILOG)(demo)
app.command("train", cls=TrainCommand, epilog=EPILOG)(train_with_options({}))
for command in (
    models.info,
    models.load,
    models.recall,
    models.classify,
    solve,
    exchange.import_,
    exchange.export,
    boards.board,
    boards.build,
    boards.boards,
    link,
    verification.test,
    conform,
    verification.bench,
    verification.doctor,
):
    # A function cannot be called import.
    app.command(command.__name__.rstrip("_"), epilog=EPILOG)(command)
