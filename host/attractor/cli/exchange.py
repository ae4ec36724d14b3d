"""``attractor import`` and ``export``: spiking networks from and to NIR files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from attractor.cli.extras import optional
from attractor.cli.files import check_writable, read_array
from attractor.cli.output import output

__all__ = ["export", "import_"]


def import_(
    file: Annotated[Path, typer.Argument(help="A graph, a .nir file.")],
    dt: Annotated[float, typer.Option(help="Time step, in the unit of the graph's time constants; usually seconds.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Model to write, .safetensors.")],
    discretisation: Annotated[str, typer.Option(help="Decay of a tick: 'euler' or 'exponential'.")] = "euler",
    reset: Annotated[str, typer.Option(help="After a spike: 'value' (NIR's definition) or 'subtract'.")] = "value",
    strict: Annotated[
        bool, typer.Option("--strict/--at-threshold", help="Spike above the threshold only (NIR), or at it, too.")
    ] = True,
    input_bits: Annotated[int, typer.Option(min=1, max=8, help="Width of an input value; 1 for spikes.")] = 1,
    input_scale: Annotated[float, typer.Option(help="What an input value of 1 stands for.")] = 1.0,
    weight_bits: Annotated[int, typer.Option(min=2, max=8, help="Width of weights.")] = 8,
    state_bits: Annotated[int, typer.Option(min=8, max=32, help="Width of voltages and synaptic states.")] = 24,
    ticks: Annotated[int, typer.Option(min=1, help="Most ticks of a call.")] = 256,
    frames: Annotated[
        Path | None, typer.Option(help="Inputs to compare integers and floats on, .npy, (runs, ticks, inputs).")
    ] = None,
) -> None:
    """Make a model of a NIR graph, and report what was decided and what rounding cost."""
    from attractor.host.model import SUFFIX

    check_writable(out, SUFFIX)
    exchange = optional("attractor.nir", "nir")
    given: dict[str, Any] = {"discretisation": discretisation, "reset": reset, "strict": strict}
    given |= {"input_bits": input_bits, "input_scale": input_scale, "weight_bits": weight_bits}
    given |= {"state_bits": state_bits, "ticks": ticks}
    drive = None if frames is None else read_array(frames)
    found = exchange.from_nir(file, dt=dt, frames=drive, **given)
    found.model.save(out)
    report = {"model": str(out), "fingerprint": found.model.spec.fingerprint.hex(), **found.report.to_dict()}
    output.result(report, f"{found.report.text()}\n\nmodel  {out}")


def export(
    file: Annotated[Path, typer.Argument(help="A model of a spiking network.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Graph to write, .nir.")],
    dt: Annotated[
        float | None, typer.Option(help="Seconds of a tick; default that of the import that made the model.")
    ] = None,
    discretisation: Annotated[
        str | None, typer.Option(help="'euler' or 'exponential'; default that of the import, or 'euler'.")
    ] = None,
) -> None:
    """Write a model of LIF neurons as a NIR graph, and say what the graph cannot hold."""
    from attractor.host import Model

    check_writable(out, ".nir")
    exchange = optional("attractor.nir", "nir")
    found = exchange.to_nir(Model.load(file), dt=dt, discretisation=discretisation)
    exchange.write_graph(out, found.graph)
    nodes = {name: type(node).__name__ for name, node in found.graph.nodes.items()}
    output.result({"graph": str(out), "nodes": nodes, "import_with": found.rules})
