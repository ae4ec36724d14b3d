"""``attractor demo``: a network of each family at work, every step checked, down to a bitstream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from attractor.cli.extras import optional
from attractor.cli.families import Demo, Outcome, all_commands, commands_of
from attractor.cli.files import check_writable
from attractor.cli.models import BAUD, Baud, port_of
from attractor.cli.output import output
from attractor.cli.pictures import check_picture

if TYPE_CHECKING:
    from concurrent.futures import Future

    from attractor.host import Device
    from attractor.spec import Spec

__all__ = ["DemoCommand", "demo"]


def demo(
    context: typer.Context,
    family: Annotated[str, typer.Option(help="Kind of network")] = "oscillator",
    board: Annotated[
        str | None, typer.Option(help="Board whose bitstream is built, 'none' for none; default that of the family")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Picture to write; default that of the family")] = None,
    model: Annotated[Path | None, typer.Option(help="Model file to write; default that of the family")] = None,
    baud: Baud = BAUD,
) -> None:
    """A network of each family, compared with the golden model in every bit: on a device, then as a bitstream.

    Without --port the gateware itself is simulated, serial bits and all; without a C++ compiler the golden model takes
    its place, behind the same protocol.
    """
    from dataclasses import asdict

    from attractor.host.model import SUFFIX

    chosen = commands_of(family).demo()
    drawn, saved, board = picture or chosen.picture, model or chosen.model, board or chosen.board
    if board != "none":
        optional("attractor.gateware.boards", "gateware").find_board(board)
    check_picture(drawn)
    check_writable(saved, SUFFIX)
    begun = chosen.prepare()
    begun.save(saved)
    output.log(f"model in {saved}")

    with _building(begun.spec, board) as bundle:
        with _device(port_of(context) if context.obj else None, saved, baud) as device:
            outcome = chosen.perform(device, begun)
            result = outcome.values | {
                "board": device.description["board"],
                "utilisation": None,
                "clock_mhz": None,
                "fmax_mhz": None,
                "link": asdict(device.link.statistics) | asdict(device.counters()),
            }
        outcome.model.save(saved)
        outcome.figure().savefig(drawn)
        output.log(f"picture in {drawn}")
        if bundle is not None:
            result |= _bundled(bundle, board, saved)
    output.result(result, _summary(outcome, result))


class DemoCommand(TyperCommand):
    """Tells in its help what each family shows, and which files and which board are its own."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Complete the help of the options, and show all."""
        demos = {name: commands.demo() for name, commands in all_commands().items()}
        told: dict[str | None, Callable[[Demo], Any]] = {
            "family": lambda demo: demo.shows,
            "board": lambda demo: demo.board,
            "picture": lambda demo: demo.picture,
            "model": lambda demo: demo.model,
        }
        for option in self.params:
            if option.name in told:
                each = [f"{told[option.name](demo)} ({name})" for name, demo in demos.items()]
                option.help = f"{option.help}: {', '.join(each)}."  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def _summary(outcome: Outcome, result: dict[str, Any]) -> str:
    """Return the result as text."""
    link = result["link"]
    lines = [
        *outcome.lines,
        ("link", f"{link['sent']} requests, {link['repeated']} repeated, {link['damaged']} damaged"),
    ]
    if result["utilisation"]:
        parts = [f"{used:,} of {most:,} {kind}" for kind, (used, most) in result["utilisation"].items()]
        clock = f"{result['clock_mhz']:.1f} of {result['fmax_mhz']:.1f} MHz"
        lines.append((result["board"], f"{', '.join(parts)}; {clock}"))
    return "\n".join(f"{name:10} {text}" for name, text in lines)


@contextmanager
def _device(port: str | None, model: Path, baud: int) -> Iterator[Device]:
    """Open the device of the demo: the one at ``port``, else simulated gateware, else the golden model."""
    from attractor.host import Device

    if port is None:
        from attractor.machine.programs import has_compiler

        if has_compiler():
            port = f"rtl:{model}"
            output.log("starting the gateware in simulation (compiled once, then kept)")
        else:
            port = f"sim:{model}"
            output.log("no C++ compiler (looked for g++, clang++, c++): running the golden model behind the protocol")
    with Device.open(port, baud=baud) as device:
        yield device


@contextmanager
def _building(spec: Spec, board: str) -> Iterator[Future[Any] | None]:
    """Build the bitstream in a second process while the block runs; None without a board."""
    if board == "none":
        yield None
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    build = optional("attractor.gateware.build", "gateware").build
    output.log(f"building the {board} bitstream meanwhile")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        bundle = pool.submit(build, spec, board)
        try:
            yield bundle
        except BaseException:
            bundle.cancel()
            raise


def _bundled(building: Future[Any], board: str, model: Path) -> dict[str, Any]:
    """Wait for the bundle, save it, and return what it says."""
    if not building.done():
        output.log(f"waiting for the {board} bitstream")
    bundle = building.result()
    path = bundle.save(model.with_name(f"{model.stem}.{bundle.board}.zip"))
    output.log(f"bundle in {path}")
    return {
        "board": bundle.board,
        "utilisation": bundle.manifest["utilisation"],
        "clock_mhz": bundle.clock_hz / 1e6,
        "fmax_mhz": bundle.fmax_hz / 1e6,
    }
