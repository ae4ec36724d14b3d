"""Commands about models and devices: info, load, recall, classify."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import is_zipfile

import typer

from attractor.cli.extras import optional
from attractor.cli.files import check_writable, read_rows
from attractor.cli.late import LateDefault
from attractor.cli.output import output
from attractor.cli.pictures import check_picture

if TYPE_CHECKING:
    import numpy as np

    from attractor.estimators import HopfieldNetwork
    from attractor.host import Device
    from attractor.spec import Spec

__all__ = [
    "BAUD",
    "PICTURED",
    "Baud",
    "ModelFile",
    "classify",
    "device_if_any",
    "device_of",
    "info",
    "load",
    "port_of",
    "recall",
]

Baud = Annotated[int, typer.Option(min=1, help="Bits in a second on a serial line.")]
#: Default of a :data:`Baud`.
BAUD: Any = LateDefault("attractor.spec.protocol:DEFAULT_BAUD")
#: Patterns in a picture.
PICTURED = 6
ModelFile = Annotated[Path, typer.Argument(help="Model file (.safetensors).")]


def port_of(context: typer.Context) -> str:
    """Return the global option ``--port``; raise :class:`ValueError` without it, or if it was given several times."""
    if not context.obj:
        raise ValueError("no port: add --port, with a serial device, sim:FILE, rtl:FILE or a pySerial URL")
    if len(context.obj) > 1:
        raise ValueError(f"this command takes one --port, not {len(context.obj)}: {', '.join(context.obj)}")
    return context.obj[0]


@contextmanager
def device_of(context: typer.Context, baud: int, spec: Spec | None = None) -> Iterator[Device]:
    """Open the device at ``--port``, or a pool of several; ``spec`` is that of a board at ``sim:`` or ``rtl:``."""
    from attractor.host import Device, DevicePool

    if len(context.obj) > 1:
        with DevicePool.open(context.obj, spec, baud=baud) as pool:
            yield pool
    else:
        with Device.open(port_of(context), spec, baud=baud) as device:
            yield device


@contextmanager
def device_if_any(context: typer.Context, baud: int, spec: Spec) -> Iterator[Device | None]:
    """Open the device at ``--port``, as :func:`device_of`; None without one, for the golden model."""
    if context.obj:
        with device_of(context, baud, spec) as device:
            yield device
    else:
        yield None


def info(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A model, spec or bundle file instead of a device.")] = None,
    memory_map: Annotated[bool, typer.Option("--map", help="Show the memory map, too: what windows hold.")] = False,
    baud: Baud = BAUD,
) -> None:
    """Show what a device, a model file or a bundle is: the network, and the build, on which no result depends.

    Of a network that is not built yet the build is what it prefers. A model also tells how its inputs are made and how
    its outputs are read, a bundle its clock and the paths that limit it.
    """
    paths: list[dict[str, Any]] = []
    if file is None:
        with device_of(context, baud) as device:
            spec, result = device.spec, _of_device(device)
    elif is_zipfile(file):
        spec, result = _of_bundle(file)
        paths = result["critical_paths"]
    else:
        spec, result = _of_file(file)
    result |= {
        "fingerprint": spec.fingerprint.hex(),
        "spec": spec.to_dict(),
        "network": spec.network_to_dict(),
        "build": spec.build_to_dict(),
    }
    if memory_map:
        result["memory_map"] = spec.memory_map.describe()
    output.result(result, only_json=("spec", "memory_map", "critical_paths"))
    for path in paths:
        output.text(_path_text(path))
    if memory_map:
        output.text(f"\n{spec.memory_map.table()}")


def _of_device(device: Device) -> dict[str, Any]:
    result: dict[str, Any] = {"port": device.name}
    result |= {key: device.description[key] for key in ("board", "clock_hz", "baud", "gateware")}
    latency = getattr(device.link.port, "latency", None)
    result |= {} if latency is None else {"line_baud": device.link.baud, "latency": latency}
    return result | {"parameters_valid": device.identity.parameters_valid, "counters": vars(device.counters())}


def _of_file(file: Path) -> tuple[Spec, dict[str, Any]]:
    """Return the network of a model or spec file, and what else it says."""
    from attractor.host import Model
    from attractor.spec.files import load_spec

    if file.suffix != ".safetensors":
        return load_spec(file), {"file": str(file)}
    model = Model.load(file)
    return model.spec, {"file": str(file), **model.interface.to_dict(), "provenance": dict(model.provenance)}


def _of_bundle(file: Path) -> tuple[Spec, dict[str, Any]]:
    """Return the network of a bundle, and how it was built."""
    bundle = optional("attractor.gateware.bundle", "gateware").Bundle.open(file)
    made, manifest = bundle.manifest["build"], bundle.manifest
    result = {"file": str(file)} | {key: made[key] for key in ("board", "clock_hz", "baud", "seed") if key in made}
    result |= {key: manifest[key] for key in ("fmax_hz", "utilisation", "pll", "attractor", "tools") if key in manifest}
    result["critical_paths"] = [path.to_dict() for path in bundle.critical_paths]
    return bundle.spec, result


def _path_text(path: dict[str, Any]) -> str:
    """Return a path of a bundle as text."""
    parts = f"levels {path['levels']}, logic {path['logic_ns']:.1f} ns, routing {path['routing_ns']:.1f} ns"
    ends = f"from {path['from_clock']} to {path['to_clock']}"
    title = f"longest path {ends}: {path['delay_ns']:.1f} ns ({parts})"
    return "\n".join(["", title, *(f"  {name}" for name in path["through"])])


def load(context: typer.Context, file: ModelFile, baud: Baud = BAUD) -> None:
    """Load a model into a device, and verify it there."""
    from attractor.host import Model

    model = Model.load(file)
    with device_of(context, baud, model.spec) as device:
        with output.progress("loading") as progress:
            device.load(model, progress=progress)
        statistics = vars(device.link.statistics)
        result = {"port": device.name, "model": str(file), "valid": True, "link": dict(statistics)}
    output.result(result)


def recall(
    context: typer.Context,
    file: ModelFile,
    patterns: Annotated[
        Path, typer.Argument(help="Patterns to complete, a .npy file; of +1 and -1, if the model says no threshold.")
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write the completed patterns.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the first patterns to write.")] = None,
    baud: Baud = BAUD,
) -> None:
    """Complete patterns with an associative memory, on the device at --port or on the golden model."""
    import numpy as np

    from attractor.estimators import HopfieldNetwork
    from attractor.host import Model

    if out is not None:
        check_writable(out, ".npy")
    if plot is not None:
        check_picture(plot)
    network = HopfieldNetwork.from_model(Model.load(file))
    given = read_rows(patterns)
    with device_if_any(context, baud, network.spec_) as network.device, output.progress("recalling") as progress:
        found = network.recall(given, progress=progress)
    start = given if network.binarize is None else np.where(given > network.binarize, 1, -1)
    if out is not None:
        np.save(out, found)
    if plot is not None:
        _draw_recall(network, start[:PICTURED], found[:PICTURED]).savefig(plot)
    changed = (found != start).sum(axis=1)
    rows = [{"pattern": index, "changed": int(count)} for index, count in enumerate(changed)]
    output.table("patterns", rows)


def _draw_recall(network: HopfieldNetwork, given: np.ndarray, found: np.ndarray) -> Any:
    """Let patterns settle once more on the golden model, which equals every device, and draw how they do."""
    from attractor.golden import OscillatorNetwork
    from attractor.plot.dynamics import recall_figure
    from attractor.train.oscillator import pattern_phases

    spec = network.spec_
    golden = OscillatorNetwork(spec, network.model_.parameters)
    traces = []
    for phases in pattern_phases(spec, given):
        trace = golden.run(phases[None], trace=True).trace
        assert trace is not None
        traces.append(trace[:, 0])
    return recall_figure(given, found, traces, spec.period, spec.reference)


def classify(
    context: typer.Context,
    file: ModelFile,
    images: Annotated[Path, typer.Argument(help="Images, a .npy file with one row each.")],
    baud: Baud = BAUD,
) -> None:
    """Classify images, on the device at --port or on the golden model."""
    from attractor.estimators import classifier_from_model
    from attractor.host import Model

    classifier = classifier_from_model(Model.load(file))
    rows = read_rows(images)
    with (
        device_if_any(context, baud, classifier.model_.spec) as classifier.device,
        output.progress("classifying") as progress,
    ):
        found = classifier.predict(rows, progress=progress)
    output.table("images", [{"image": index, "class": str(name)} for index, name in enumerate(found)])
