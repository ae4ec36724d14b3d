"""Commands about models and devices: train, info, load, recall, classify."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from attractor.cli.families import commands_of
from attractor.cli.files import check_writable, read_rows
from attractor.cli.output import output
from attractor.cli.pictures import check_picture
from attractor.estimators import HopfieldNetwork, classifier_from_model
from attractor.golden import OscillatorNetwork
from attractor.host import Device, Model
from attractor.host.model import SUFFIX
from attractor.plot.dynamics import recall_figure
from attractor.spec.files import load_spec
from attractor.spec.protocol import DEFAULT_BAUD
from attractor.train.oscillator import pattern_phases

__all__ = [
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
    "train",
]

Baud = Annotated[int, typer.Option(min=1, help="Bits in a second on a serial line.")]
#: Patterns in a picture.
PICTURED = 6
ModelFile = Annotated[Path, typer.Argument(help="Model file (.safetensors).")]


def port_of(context: typer.Context) -> str:
    """Return the global option ``--port``; raise :class:`ValueError` without it."""
    if not context.obj:
        raise ValueError("no port: add --port, with a serial device, sim:FILE, rtl:FILE or a pySerial URL")
    return context.obj


@contextmanager
def device_of(context: typer.Context, baud: int) -> Iterator[Device]:
    """Open the device at ``--port``."""
    with Device.open(port_of(context), baud=baud) as device:
        yield device


@contextmanager
def device_if_any(context: typer.Context, baud: int) -> Iterator[Device | None]:
    """Open the device at ``--port``; None without one, for the golden model."""
    if context.obj:
        with device_of(context, baud) as device:
            yield device
    else:
        yield None


def train(
    data: Annotated[
        str,
        typer.Argument(
            help="'digits', 'mnist', a .npz file with arrays images and labels, or a .npy file of +1/-1 patterns; "
            "'chorales' (felif)."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write.")],
    family: Annotated[str, typer.Option(help="Kind of network.")] = "oscillator",
    hidden: Annotated[
        list[int] | None, typer.Option(help="Neurons of the hidden layer; once more for each further one (eqprop).")
    ] = None,
    lanes: Annotated[int | None, typer.Option(help="Neurons updated in a cycle; 0 for all.")] = None,
    epochs: Annotated[int | None, typer.Option(min=0, help="Passes over the data.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of all that is random.")] = None,
    weight_bits: Annotated[int | None, typer.Option(help="Width of a coupling or weight (oscillator, felif).")] = None,
    phase_bits: Annotated[int | None, typer.Option(help="Width of a phase (oscillator).")] = None,
    rule: Annotated[str | None, typer.Option(help="Learning rule (oscillator, patterns).")] = None,
    neuron: Annotated[str | None, typer.Option(help="felif_a, felif_b, lif or recurrent_lif (felif).")] = None,
    replicas: Annotated[int | None, typer.Option(help="Outputs for each class (eqprop).")] = None,
    counter_bits: Annotated[int | None, typer.Option(help="Width of a counter (eqprop).")] = None,
    counters: Annotated[
        bool | None,
        typer.Option("--counters/--no-counters", help="Keep counters, to learn on in the device (eqprop)."),
    ] = None,
) -> None:
    """Train a network here and write it to a model file.

    What is not given is chosen by family and data.
    """
    check_writable(out, SUFFIX)
    options = {
        "hidden": hidden or None,
        "lanes": lanes,
        "epochs": epochs,
        "seed": seed,
        "weight_bits": weight_bits,
        "phase_bits": phase_bits,
        "rule": rule,
        "neuron": neuron,
        "replicas": replicas,
        "counter_bits": counter_bits,
        "counters": counters,
    }
    given = {name: value for name, value in options.items() if value is not None}
    chosen = commands_of(family)
    for name in given.keys() - chosen.options:
        known = ", ".join(f"--{option.replace('_', '-')}" for option in sorted(chosen.options))
        raise ValueError(f"--{name.replace('_', '-')} means nothing to family {family}, which takes {known}")
    trained = chosen.train(data, given)
    model = trained.model
    model.save(out)
    output.result(
        {"model": str(out)}
        | trained.values
        | {"spec": model.spec.to_dict(), "fingerprint": model.spec.fingerprint.hex()}
    )


def info(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A model or spec file instead of a device.")] = None,
    baud: Baud = DEFAULT_BAUD,
) -> None:
    """Show what a device, or a model file, is."""
    if file is not None:
        result: dict[str, Any] = {"file": str(file)}
        if file.suffix == ".safetensors":
            model = Model.load(file)
            spec, result["provenance"] = model.spec, dict(model.provenance)
        else:
            spec = load_spec(file)
    else:
        with device_of(context, baud) as device:
            spec, counters = device.spec, device.counters()
            result = {"port": device.name} | {key: device.description[key] for key in ("board", "clock_hz", "baud")}
            result |= {
                "gateware": device.description["gateware"],
                "parameters_valid": device.identity.parameters_valid,
                "counters": vars(counters),
            }
    output.result(result | {"fingerprint": spec.fingerprint.hex(), "spec": spec.to_dict()})


def load(context: typer.Context, file: ModelFile, baud: Baud = DEFAULT_BAUD) -> None:
    """Load a model into a device, and verify it there."""
    model = Model.load(file)
    with device_of(context, baud) as device:
        with output.progress("loading") as progress:
            device.load(model, progress=progress)
        statistics = vars(device.link.statistics)
        result = {"port": device.name, "model": str(file), "valid": True, "link": dict(statistics)}
    output.result(result)


def recall(
    context: typer.Context,
    file: ModelFile,
    patterns: Annotated[Path, typer.Argument(help="Patterns of +1 and -1 to complete, a .npy file.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write the completed patterns.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the first patterns to write.")] = None,
    baud: Baud = DEFAULT_BAUD,
) -> None:
    """Complete patterns with an associative memory, on the device at --port or on the golden model."""
    if out is not None:
        check_writable(out, ".npy")
    if plot is not None:
        check_picture(plot)
    network = HopfieldNetwork.from_model(Model.load(file))
    start = read_rows(patterns)
    with device_if_any(context, baud) as network.device, output.progress("recalling") as progress:
        found = network.recall(start, progress=progress)
    if out is not None:
        np.save(out, found)
    if plot is not None:
        _draw_recall(network, start[:PICTURED], found[:PICTURED]).savefig(plot)
    changed = (found != start).sum(axis=1)
    rows = [{"pattern": index, "changed": int(count)} for index, count in enumerate(changed)]
    output.table("patterns", rows)


def _draw_recall(network: HopfieldNetwork, given: np.ndarray, found: np.ndarray) -> Any:
    """Let patterns settle once more on the golden model, which equals every device, and draw how they do."""
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
    baud: Baud = DEFAULT_BAUD,
) -> None:
    """Classify images, on the device at --port or on the golden model."""
    classifier = classifier_from_model(Model.load(file))
    rows = read_rows(images)
    with device_if_any(context, baud) as classifier.device, output.progress("classifying") as progress:
        found = classifier.predict(rows, progress=progress)
    output.table("images", [{"image": index, "class": str(name)} for index, name in enumerate(found)])
