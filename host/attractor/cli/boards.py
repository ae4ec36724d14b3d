"""Commands about boards: board (a simulated one), build, boards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from attractor.cli.extras import optional
from attractor.cli.files import check_writable
from attractor.cli.output import output

__all__ = ["board", "boards", "build"]


def board(
    sim: Annotated[Path | None, typer.Option(help="Model or spec file to run on the golden model.")] = None,
    rtl: Annotated[Path | None, typer.Option(help="Model or spec file to run as simulated gateware.")] = None,
    tcp: Annotated[
        int | None, typer.Option(min=0, max=65535, help="TCP port, 0 for any, instead of a pseudo-terminal.")
    ] = None,
) -> None:
    """Offer a simulated board as a serial port, until interrupted."""
    if (sim is None) == (rtl is None):
        raise ValueError("say which board: either --sim FILE or --rtl FILE")
    from attractor.host import open_port

    address = f"sim:{sim}" if sim is not None else f"rtl:{rtl}"
    if rtl is not None:
        optional("attractor.sim.verilator", "sim")
        output.log("starting the simulated gateware")
    port: Any = open_port(address)
    server = optional("attractor.sim.pty_server", "sim")
    try:
        server.serve(port, lambda name: output.result({"port": name}, name), tcp_port=tcp)
    except KeyboardInterrupt:  # the ordinary end
        output.log("stopped")
    finally:
        port.close()


def build(
    file: Annotated[Path, typer.Argument(help="Model or spec file.")],
    board: Annotated[str, typer.Option(help="Name of the board; see 'attractor boards'.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Bundle to write; default beside the file.")] = None,
    lanes: Annotated[
        int | None, typer.Option(min=1, help="Neurons updated at once; default as in the file. A model runs on any.")
    ] = None,
    baud: Annotated[int | None, typer.Option(help="Bits in a second on the serial line.")] = None,
    clock: Annotated[
        str, typer.Option(help="Clock of the design in MHz, or 'auto' for the fastest that the placement meets.")
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the placer.")] = 1,
    seeds: Annotated[int, typer.Option(help="Placements to try, with this seed and those after it; at most 64.")] = 1,
    cache: Annotated[bool, typer.Option(help="Take the bundle from the cache if it was built before.")] = True,
) -> None:
    """Build the bitstream of a network for a board."""
    from attractor.machine.files import write_whole
    from attractor.spec.files import load_spec

    gateware = optional("attractor.gateware.build", "gateware")
    target = optional("attractor.gateware.boards", "gateware").find_board(board)
    spec = load_spec(file)
    path = out or file.with_suffix(f".{target.name}.zip")
    check_writable(path, ".zip")
    wanted = clock if clock == gateware.AUTO else _hz(clock)
    options = {"lanes": lanes, "baud": baud, "clock": wanted, "seed": seed, "seeds": seeds, "cache": cache}
    bundle = gateware.build(spec, target, **options, progress=output.log)
    bundle.save(path)
    bitstream = path.with_suffix(Path(bundle.bitstream_name).suffix)
    write_whole(bitstream, bundle.bitstream)
    output.result(
        {
            "bundle": str(path),
            "bitstream": str(bitstream),
            "board": bundle.board,
            **bundle.spec.build_to_dict(),
            "clock_hz": bundle.clock_hz,
            "seed": bundle.seed,
            "utilisation": bundle.manifest["utilisation"],
            "fmax_hz": bundle.manifest["fmax_hz"],
            "program": target.program_command(str(bitstream)),
        }
    )


def _hz(text: str) -> float:
    """Return the frequency that ``text`` gives in MHz; raise :class:`ValueError` if it gives none."""
    try:
        return float(text) * 1e6
    except ValueError:
        raise ValueError(f"--clock {text}: give a frequency in MHz, such as 24, or auto") from None


def boards() -> None:
    """List the boards for which networks can be built."""
    known = optional("attractor.gateware.boards", "gateware").BOARDS
    rows = [
        {
            "name": entry.name,
            "title": entry.title,
            "clock_mhz": entry.clock_hz / 1e6,
            "pll": entry.pll.value if entry.pll else "none",
            "luts": entry.resources.luts,
            "block_rams": entry.resources.block_rams,
        }
        for entry in (known.values() if isinstance(known, dict) else known)
    ]
    output.table("boards", rows)
