"""``attractor demo``: digits, from images to a bitstream, every step checked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from attractor.cli.extras import optional
from attractor.cli.files import check_writable
from attractor.cli.models import Baud
from attractor.cli.output import output
from attractor.golden.oscillator import OscillatorNetwork
from attractor.host import Device
from attractor.host.acceptance import compare
from attractor.host.estimators import OscillatorClassifier
from attractor.host.model import SUFFIX
from attractor.host.plot import classifier_figure
from attractor.spec import OscillatorSpec
from attractor.spec.protocol import DEFAULT_BAUD
from attractor.train.classifier import image_phases
from attractor.train.digits import digits

#: Digits in the picture; the classifier's least sure one is left to chance, so their classes are all there is.
PICTURED_CLASSES = (0, 2, 3, 5, 7)


def demo(
    context: typer.Context,
    board: Annotated[str, typer.Option(help="Board whose bitstream is built; 'none' for none.")] = "icebreaker",
    picture: Annotated[Path, typer.Option(help="Picture to write.")] = Path("phases.png"),
    model: Annotated[Path, typer.Option(help="Model file to write.")] = Path("digits.safetensors"),
    baud: Baud = DEFAULT_BAUD,
) -> None:
    """Train on handwritten digits, load the network over a serial line, classify, compare every phase, build.

    Without --port the gateware itself is simulated, serial bits and all; without a C++ compiler the golden model
    takes its place, behind the same protocol.
    """
    if board != "none":
        optional("attractor.gateware.boards", "gateware").find_board(board)
    check_writable(picture)
    check_writable(model, SUFFIX)
    data = digits()
    output.log(f"training on {len(data.train_images):,} images of 8x8 pixels")
    classifier = OscillatorClassifier()
    with output.progress("training") as progress:
        classifier.fit(data.train_images, data.train_labels, progress=progress)
    spec = classifier.spec_
    classifier.model_.save(model)
    output.log(f"{_network(spec)}; model in {model}")

    with _building(spec, board) as bundle:
        result = _classify(classifier, context.obj, model, baud, picture)
        if bundle is not None:
            result |= _bundled(bundle, board, model)
    output.result(result, _summary(result))


def _classify(
    classifier: OscillatorClassifier, port: str | None, model: Path, baud: int, picture: Path
) -> dict[str, Any]:
    """Classify all test images on a device, compare with the golden model, and draw the picture."""
    spec, data = classifier.spec_, digits()
    phases = image_phases(spec, data.test_images)
    with _device(port, model, baud) as device, output.progress("classifying") as progress:
        device.load(classifier.model_)
        results = device.recall(phases, progress=progress)
        link = asdict(device.link.statistics) | asdict(device.counters())
        where = device.description["board"]
    golden = OscillatorNetwork(spec, classifier.model_.parameters)
    agreement = compare(golden, phases, results)
    accuracy = float(np.mean([result.winner == true for result, true in zip(results, data.test_labels, strict=True)]))
    output.log(f"{len(results)} test images classified on the {where} board: accuracy {accuracy:.4f}")
    output.log(f"{agreement.equal_phases:,} of {agreement.phases:,} phases equal to the golden model")
    if not agreement.exact:
        raise RuntimeError(f"the board differs from the golden model: {agreement.first_difference}")
    _draw(golden, classifier, picture)
    output.log(f"picture in {picture}")
    return {
        "accuracy": accuracy,
        "images": len(results),
        "agreement": agreement.ratio,
        "cycles_per_image": float(np.mean([result.cycles for result in results])) or None,
        "board": where,
        "utilisation": None,
        "fmax_mhz": None,
        "link": link,
    }


def _summary(result: dict[str, Any]) -> str:
    """Return the result as text."""
    lines = [
        f"accuracy   {result['accuracy']:.4f} on {result['images']} held-out images",
        f"agreement  {result['agreement']:.4f} of all phases with the golden model",
    ]
    if result["cycles_per_image"]:
        lines.append(f"cycles     {result['cycles_per_image']:.0f} clock cycles for each image")
    link = result["link"]
    lines.append(f"link       {link['sent']} requests, {link['repeated']} repeated, {link['damaged']} damaged")
    if result["utilisation"]:
        used = ", ".join(
            f"{used:,} of {available:,} {kind}" for kind, (used, available) in result["utilisation"].items()
        )
        lines.append(f"{result['board']:10} {used}; {result['fmax_mhz']:.1f} MHz")
    return "\n".join(lines)


def _network(spec: OscillatorSpec) -> str:
    return (
        f"{spec.inputs - 1} pixel, {spec.labels} label and 1 reference oscillators, "
        f"{spec.weight_bits}-bit couplings, {spec.period} phases"
    )


@contextmanager
def _device(port: str | None, model: Path, baud: int) -> Iterator[Device]:
    """Open the device of the demo: the one at ``port``, else simulated gateware, else the golden model."""
    if port is None:
        if optional("attractor.sim.verilator", "sim").has_compiler():
            port = f"rtl:{model}"
            output.log("starting the gateware in simulation (compiled once, then kept)")
        else:
            port = f"sim:{model}"
            output.log("no C++ compiler (looked for g++, clang++, c++): running the golden model behind the protocol")
    with Device.open(port, baud=baud) as device:
        yield device


def _draw(golden: OscillatorNetwork, classifier: OscillatorClassifier, path: Path) -> None:
    data = digits()
    chosen = [int(np.flatnonzero(data.test_labels == digit)[0]) for digit in PICTURED_CLASSES]
    phases = image_phases(golden.spec, data.test_images[chosen])
    traces = []
    for start in phases:
        trace = golden.run(start[None], trace=True).trace
        assert trace is not None
        traces.append(trace[:, 0])
    weights = classifier.model_.parameters["weights"]
    labels = [int(data.test_labels[index]) for index in chosen]
    figure = classifier_figure(golden.spec, weights, data.test_images[chosen], traces, labels, label=3)
    figure.savefig(path)


@contextmanager
def _building(spec: OscillatorSpec, board: str) -> Iterator[Future[Any] | None]:
    """Build the bitstream in a second process while the block runs; None without a board."""
    if board == "none":
        yield None
        return
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
        "fmax_mhz": min(reached for reached, _ in bundle.manifest["fmax_hz"].values()) / 1e6,
    }
