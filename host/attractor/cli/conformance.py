"""The command that checks devices and clients against the wire protocol: conform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attractor.cli.extras import optional
from attractor.cli.models import BAUD, Baud, port_of
from attractor.cli.output import output

if TYPE_CHECKING:
    from attractor.verify.conformance import Conformance

__all__ = ["conform"]


def conform(
    context: typer.Context,
    client: Annotated[
        Path | None, typer.Option(help="Check a client: serve the network of this model or spec file to it.")
    ] = None,
    tcp: Annotated[
        int | None, typer.Option(min=0, max=65535, help="With --client: TCP port, 0 for any, instead of a terminal.")
    ] = None,
    idle: Annotated[
        float, typer.Option(min=0.1, help="With --client: seconds of the client's silence that end the check.")
    ] = 5.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    baud: Baud = BAUD,
) -> None:
    """Check the device at --port against every rule of the wire protocol, or a client with --client.

    A device holds again what it held. A client is served a board behind a line that loses, doubles, damages and delays
    frames; when it has done what it was asked for, it is told which rules it kept. docs/protocol.md has the rules.
    """
    if client is not None:
        found, who = _check_client(client, tcp, idle, seed), "the client"
    else:
        found, who = _check_device(port_of(context), baud, seed), "the device"
    rows = [vars(finding) for finding in found.findings]
    if output.json:
        output.result({"rules": rows, "parameters": found.parameters})
    else:
        output.table("rules", [{name: row[name] for name in ("rule", "holds", "found")} for row in rows])
    if found.parameters == "lost":
        output.log("the device holds no valid parameters now: load its model again")
    if not found.holds:
        raise RuntimeError(f"{who} breaks {len(found.broken)} of {len(rows)} rules: {', '.join(found.broken)}")


def _check_device(address: str, baud: int, seed: int) -> Conformance:
    from attractor.host import open_port
    from attractor.verify.conformance import check_device

    port = open_port(address, baud)
    try:
        with output.progress(f"checking {address}") as progress:
            return check_device(port, seed=seed, progress=progress)
    finally:
        port.close()


def _check_client(file: Path, tcp: int | None, idle: float, seed: int) -> Conformance:
    """Serve a board behind a line that misbehaves, until the client falls silent or the user ends it."""
    import threading

    from attractor.host import open_port
    from attractor.verify.conformance import CheckingLine

    server, stop = optional("attractor.sim.pty_server", "sim"), threading.Event()
    line = CheckingLine(open_port(f"sim:{file}"), seed=seed, stop=stop, idle_seconds=idle)
    try:
        server.serve(line, lambda name: output.log(f"serving at {name}"), tcp_port=tcp, stop=stop)
    except KeyboardInterrupt:
        output.log("stopped")
    finally:
        line.close()
    output.log(f"{line.frames} frames came; the line did {dict(line.happened)}")
    return line.report()
