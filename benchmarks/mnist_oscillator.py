"""MNIST by oscillator networks: linear, pruned, and with a hidden layer.

All networks have binary pixels (white from 128 on), 4-bit phases and the read-out of
:mod:`attractor.train.oscillator.layered`.
The golden model lets the phases of every network settle on each of the 10,000 test images; the label closest in phase
to the reference is the answer. Training uses all 60,000 training images, and forward evaluations only. Every choice
was made with ``--validation``, which trains on the first 50,000 of them and tests on the last 10,000.

The data are not part of this project: ``ATTRACTOR_DATA`` names a folder with a subfolder ``mnist``.

``network``
    ``linear``: pixels and bias to labels. ``linear 24%``: the same, pruned while it learns to this part of the
    couplings between pixels and labels. ``hidden``: one hidden layer.
    ``hidden, fixed``: the same with random hidden couplings that never learn.
``kept_of_all_pairs``
    Couplings that the network may have, over all pairs of its pixels, hidden oscillators and labels.
``kept_of_pixel_label_pairs``
    The same for pairs of a pixel and a label; nothing is kept of them where a hidden layer is between.
``kept_per_label``
    Couplings to a label from pixels or hidden oscillators, in the mean.
``kept_at_constant_pixels``
    Part of the pixels' couplings that is at pixels which are the same in all training images.
``test_accuracy``
    Part of the images whose winner is right.
``field_accuracy``
    Part of the images on which the label with the greatest field is right: what a perfect read-out would give.
``settled``, ``periods``
    Part of the images after which nothing moved in the last period, and the longest run with this quiet period.
``logistic_regression``
    Accuracy of logistic regression on the same binary pixels, in double precision.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from reporting import log, parser, report
from sklearn.linear_model import LogisticRegression

from attractor.data.mnist import mnist, shifted
from attractor.golden import OscillatorNetwork
from attractor.host import Device, Model
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import IntegerArray, OscillatorSpec
from attractor.train.oscillator import Progress
from attractor.train.oscillator.hidden import HIDDEN_RATE, broadcast_delta
from attractor.train.oscillator.layered import layered_parameters, layered_phases, layered_spec, ramp_step
from attractor.train.oscillator.pruned import pruned_delta

CLASSES = 10
THRESHOLD = 128
PHASE_BITS = 4
VALIDATION_IMAGES = 10_000
#: Linear networks: weight bits, the part of the couplings that is kept, and passes.
LINEAR_BITS = 5
KEPT = (1.0, 0.5, 0.24, 0.1)
LINEAR_PASSES = 30
#: Hidden oscillators, weight bits, passes, and whether the hidden couplings learn.
HIDDEN = ((128, 6, 30, False), (128, 4, 30, True), (128, 6, 30, True), (300, 6, 30, True), (1000, 6, 20, True))
#: Hidden oscillators and weight bits of the network that the gateware runs, its lanes, and the images.
ON_GATEWARE = (128, 6)
LANES = 46
RTL_IMAGES = 200
#: Images that the golden model runs at a time.
BATCH = 1000
#: Inverse strength of the regularisation of logistic regression.
REGULARISATION = 0.02
SEED = 0
#: Seconds without an answer that are no cause for concern: a large board is a slow simulation.
PATIENCE = 300.0

Levels = npt.NDArray[np.int8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """Binary images, +1 and -1, shape (samples, 784), to train on and to test with, and their classes."""

    train: Levels
    train_labels: Labels
    test: Levels
    test_labels: Labels

    @property
    def constant(self) -> npt.NDArray[np.bool_]:
        """True for pixels that are the same in all training images, shape (784,)."""
        return (self.train == self.train[0]).all(axis=0)


@dataclass(frozen=True)
class Network:
    """A trained network with the couplings that it may have."""

    name: str
    spec: OscillatorSpec
    parameters: dict[str, IntegerArray]
    #: Pixels to labels, shape (10, 784), or to hidden oscillators, shape (hidden, 784).
    mask: npt.NDArray[np.bool_]

    @property
    def hidden(self) -> int:
        """Number of hidden oscillators."""
        return self.spec.targets - self.spec.labels

    def row(self, data: Data) -> dict[str, Any]:
        """Run all test images and return a row of the table."""
        model = OscillatorNetwork(self.spec, self.parameters)
        sources = np.r_[: self.spec.reference + 1, self.spec.inputs : self.spec.oscillators - self.spec.labels]
        couplings = self.parameters["weights"][self.hidden :, sources].T.astype(np.float32)
        right = greatest = settled = longest = 0
        for start in range(0, len(data.test), BATCH):
            chosen = slice(start, start + BATCH)
            run = model.run(layered_phases(self.spec, data.test[chosen]))
            fields = np.where(run.phases[:, sources] == 0, np.float32(1), np.float32(-1)) @ couplings
            right += int((run.winner == data.test_labels[chosen]).sum())
            greatest += int((fields.argmax(axis=1) == data.test_labels[chosen]).sum())
            settled += int(run.settled.sum())
            longest = max(longest, int(run.periods.max()))
        pixels, kept = self.mask.shape[1], int(self.mask.sum())
        to_labels = self.hidden * CLASSES or kept
        return {
            "network": self.name,
            "hidden": self.hidden,
            "weight_bits": self.spec.weight_bits,
            "kept_of_all_pairs": (kept + self.hidden * CLASSES) / math.comb(pixels + self.hidden + CLASSES, 2),
            "kept_of_pixel_label_pairs": 0.0 if self.hidden else kept / (pixels * CLASSES),
            "kept_per_label": to_labels / CLASSES,
            "kept_at_constant_pixels": float(self.mask[:, data.constant].sum() / kept),
            "test_accuracy": right / len(data.test),
            "field_accuracy": greatest / len(data.test),
            "settled": settled / len(data.test),
            "periods": longest,
        }


def load(validation: bool) -> Data:
    """Return the images, or the training images in two parts."""
    data = mnist()
    train, test = (
        np.where(grey >= THRESHOLD, np.int8(1), np.int8(-1)) for grey in (data.train_images, data.test_images)
    )
    if validation:
        cut = len(train) - VALIDATION_IMAGES
        return Data(train[:cut], data.train_labels[:cut], train[cut:], data.train_labels[cut:])
    return Data(train, data.train_labels, test, data.test_labels)


def told(name: str) -> Progress:
    """Return a function that says from time to time how far the training is."""

    def progress(done: int, passes: int) -> None:
        if done % 4 == 0:
            log(f"{name}: pass {done} of {passes}")

    return progress


def linear_network(data: Data, keep: float) -> Network:
    """Train a network without a hidden layer, with a part of its couplings."""
    name = "linear" if keep == 1 else f"linear {keep:.0%}"
    pixels = data.train.shape[1]
    trained = pruned_delta(
        data.train,
        data.train_labels,
        classes=CLASSES,
        weight_bits=LINEAR_BITS,
        keep=keep,
        epochs=LINEAR_PASSES,
        seed=SEED,
        progress=told(name),
    )
    spec = layered_spec(pixels, 0, CLASSES, weight_bits=LINEAR_BITS, phase_bits=PHASE_BITS)
    ramp = ramp_step(spec, trained.mask.sum() / CLASSES)
    return Network(name, spec, layered_parameters(spec, trained.weights, ramp=ramp), trained.mask[:, :pixels])


def hidden_network(data: Data, hidden: int, weight_bits: int, passes: int, learns: bool) -> Network:
    """Train a network with a hidden layer."""
    name = "hidden" if learns else "hidden, fixed"
    pixels = data.train.shape[1]
    weights = broadcast_delta(
        data.train,
        data.train_labels,
        classes=CLASSES,
        hidden=hidden,
        weight_bits=weight_bits,
        epochs=passes,
        seed=SEED,
        augment=shifted,
        progress=told(f"{name} {hidden}, {weight_bits} bits"),
        hidden_rate=HIDDEN_RATE if learns else 0.0,
    )
    spec = layered_spec(pixels, hidden, CLASSES, weight_bits=weight_bits, phase_bits=PHASE_BITS)
    parameters = layered_parameters(spec, weights.labels, weights.hidden)
    return Network(name, spec, parameters, np.ones((hidden, pixels), bool))


def trained_networks(data: Data) -> Iterator[Network]:
    """Train one network after the other."""
    for keep in KEPT:
        yield linear_network(data, keep)
    for shape in HIDDEN:
        yield hidden_network(data, *shape)


def logistic_regression(data: Data) -> float:
    """Return the accuracy of logistic regression on the same pixels."""
    log("logistic regression")
    regression = LogisticRegression(C=REGULARISATION, max_iter=500, tol=1e-3)
    regression.fit(data.train.astype(np.float64), data.train_labels)
    return float(regression.score(data.test.astype(np.float64), data.test_labels))


def on_gateware(network: Network, data: Data) -> dict[str, Any]:
    """Run the first test images on the simulated gateware and compare all phases with the golden model."""
    spec = replace(network.spec, lanes=LANES)
    starts = layered_phases(spec, data.test[:RTL_IMAGES])
    golden = OscillatorNetwork(spec, network.parameters).run(starts)
    log(f"compiling the gateware of {spec.targets} oscillators that can move, on {spec.lanes} lanes")
    with Device.open(RtlBoard(spec), timeout=PATIENCE) as device:
        log("loading")
        device.load(Model(spec, network.parameters))
        log(f"{RTL_IMAGES} images")
        results = device.network.recall(starts)
    phases = np.array([result.phases for result in results])
    winners = np.array([-1 if result.winner is None else result.winner for result in results])
    same = bool((phases == golden.phases[:, spec.inputs :]).all() and (winners == golden.winner).all())
    return {
        "rtl_network": f"{network.name}, {network.hidden} oscillators, {spec.weight_bits} bits, {spec.lanes} lanes",
        "rtl_images": len(results),
        "rtl_identical": same,
        "rtl_accuracy": float((winners == data.test_labels[:RTL_IMAGES]).mean()),
        "rtl_most_cycles": max(result.cycles for result in results),
    }


def main() -> None:
    """Train and test every network."""
    options = parser(__doc__)
    options.add_argument("--validation", action="store_true", help="test with the last 10,000 training images")
    options.add_argument("--rtl", action="store_true", help=f"run {RTL_IMAGES} images on the simulated gateware, too")
    arguments = options.parse_args()
    started = time.monotonic()
    data = load(arguments.validation)
    rows, chosen = [], None
    for network in trained_networks(data):
        rows.append(network.row(data))
        log(f"{rows[-1]['network']}, {rows[-1]['hidden']} hidden: {rows[-1]['test_accuracy']:.4f}")
        if network.name == "hidden" and (network.hidden, network.spec.weight_bits) == ON_GATEWARE:
            chosen = network
    result: dict[str, Any] = {
        "test_images": len(data.test),
        "validation": arguments.validation,
        "phase_bits": PHASE_BITS,
        "logistic_regression": logistic_regression(data),
    }
    if arguments.rtl:
        assert chosen is not None
        result |= on_gateware(chosen, data)
    log(f"done in {time.monotonic() - started:.0f} s")
    report(result | {"rows": rows}, as_json=arguments.json)
    if not result.get("rtl_identical", True):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
