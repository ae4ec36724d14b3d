"""The command that measures a line: link."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from attractor.cli.models import BAUD, Baud, port_of
from attractor.cli.output import output

__all__ = ["link"]


def link(
    context: typer.Context,
    rate: Annotated[
        list[int] | None, typer.Option(min=1, help="A rate to try (may be repeated); default those of USB converters.")
    ] = None,
    baud: Baud = BAUD,
) -> None:
    """Measure the line to the device at --port: round trip, rates that are clean, damaged frames.

    The fastest clean rate is remembered for this device at this port, and used from then on. The gateware answers at
    --baud first, and changes to the others.
    """
    from attractor.host import Device, HostError
    from attractor.host import rate as rates
    from attractor.spec.protocol import rate_step

    with Device.open(port_of(context), baud=baud, fastest=baud) as device:
        if getattr(device.link.port, "change_rate", None) is None:
            raise HostError(f"{device.name} has no rate to measure: it is simulated, or its line is not a serial one")
        for wanted in rate or ():
            rate_step(device.build.clock_hz, wanted)
        output.log(f"latency: {getattr(device.link.port, 'latency', 'unknown')}")
        rows = rates.measure(device, rate or rates.RATES)
        best = rates.remember(device, rows)
        counters = device.counters()
    result = {"port": device.name, "baud": best, "device": vars(counters), "rates": [asdict(row) for row in rows]}
    if not output.json:
        output.table("rates", result["rates"])
    output.result(result, only_json=("rates",))
