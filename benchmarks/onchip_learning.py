"""How an Equilibrium Propagation array learns handwritten digits by itself, one image after the other.

The network of :mod:`attractor.train.eqprop.digits` starts from random weights and counters of zero. The simulated
gateware, serial bits and all, is taught the first images of the first epoch over the link; the golden model goes on for
all epochs by the same rule. Every image is learnt in two calls, one nudged toward its class and one away from it. The
360 images that accuracy is measured with are never learnt, and nothing was chosen with them.

``identical``
    All that the board reported of each call, and the weights and counters read back in the end, equal those of the
    golden model. The benchmark fails otherwise.
``images``, ``calls``
    What the board learnt.
``cycles_learning``, ``cycles_inference``
    Clock cycles of a call that learns, and of one that classifies a held-out image afterwards, by the core's own
    counter, in the mean; ``most_cycles_*`` the largest. They begin when the input is in the device and end with the
    result, so the line does not count.
``accuracy``, ``mean_accuracy``
    Part of the held-out images that are classified correctly after the last epoch: with seed 0, which the board also
    starts from, and in the mean over all seeds.
``rows``
    The golden model by seed and epoch: ``accuracy``; ``flips`` and ``touched``, weights that changed their sign and
    counters that changed or would have, for each call in the mean. Epoch 0 is before learning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from reporting import log, parser, report

from attractor.data.digits import digits
from attractor.golden import EqPropNetwork
from attractor.host import Device, Model
from attractor.host.eqprop import SampleLearning
from attractor.sim.rtl_board import RtlBoard
from attractor.train.eqprop import Bits, Lessons, accuracy, initial_parameters
from attractor.train.eqprop.digits import EPOCHS, RECIPE, SPEC, STEPS, digits_code

#: Seconds without an answer that are no cause for concern: the simulation is slow.
PATIENCE = 120.0
Row = dict[str, Any]


@dataclass(frozen=True)
class Images:
    """Input bits, shape (samples, inputs), and labels, shape (samples,), to learn and to measure accuracy with."""

    bits: Bits
    labels: npt.NDArray[np.int64]
    test_bits: Bits
    test_labels: npt.NDArray[np.int64]


def load() -> Images:
    """Return the digits as bits."""
    data, code = digits(), digits_code()
    train, test = (code.bits(images).astype(bool) for images in (data.train_images, data.test_images))
    return Images(train, data.train_labels, test, data.test_labels)


def untaught(seed: int) -> Model:
    """Return the network that has learnt nothing."""
    return Model(SPEC, initial_parameters(SPEC, seed=seed, steps=STEPS))


def taught(network: EqPropNetwork, images: Images, lessons: Lessons, calls: int) -> SampleLearning:
    """Let the golden model learn the first calls of an epoch."""
    numbers = []
    for index, sigma in zip(lessons.order[:calls], lessons.sigmas[:calls], strict=True):
        label = images.labels[index]
        lesson = network.learn(images.bits[[index]], [label], sigma, lessons.thresholds)
        winner = network.scores(lesson.free.states)[0].argmax()
        steps = lesson.free.steps[0], lesson.nudged.steps[0]
        numbers.append((winner, lesson.touched, lesson.flips.sum(), *steps, 0))
    return SampleLearning(*np.array(numbers, np.int64).reshape(-1, 6).T)


def learning_curve(images: Images, seed: int) -> list[Row]:
    """Train the golden model for all epochs."""
    network, recipe = EqPropNetwork(SPEC, untaught(seed).parameters), replace(RECIPE, seed=seed)

    def row(epoch: int, flips: float | None, touched: float | None) -> Row:
        found = accuracy(SPEC, network.parameters, images.test_bits, images.test_labels)
        return {"seed": seed, "epoch": epoch, "accuracy": found, "flips": flips, "touched": touched}

    rows = [row(0, None, None)]
    for epoch in range(EPOCHS):
        lessons = recipe.lessons(SPEC, len(images.bits), epoch)
        learnt = taught(network, images, lessons, len(lessons.order))
        rows.append(row(epoch + 1, float(learnt.flips.mean()), float(learnt.touched.mean())))
        log(f"seed {seed}, epoch {epoch + 1} of {EPOCHS}: accuracy {rows[-1]['accuracy']:.3f}")
    return rows


def on_the_board(images: Images, count: int, seed: int) -> Row:
    """Teach the simulated gateware, and compare it with the golden model."""
    start, recipe = untaught(seed), replace(RECIPE, seed=seed)
    network = EqPropNetwork(SPEC, start.parameters)
    lessons = recipe.lessons(SPEC, len(images.bits), 0)
    calls = count * (2 if recipe.both_signs else 1)
    chosen, sigmas = lessons.order[:calls], lessons.sigmas[:calls]
    with Device.open(RtlBoard(SPEC), timeout=PATIENCE) as device:
        device.load(start)
        learnt = device.network.learn_samples(
            images.bits[chosen], images.labels[chosen], lessons.thresholds, sigmas=sigmas
        )
        found = device.read_parameters()
        log(f"the board has learnt {count} images")
        cycles = np.array([result.cycles for result in device.network.infer(images.test_bits)])
    expected = taught(network, images, lessons, calls)
    identical = all((found[name] == array).all() for name, array in network.parameters.items()) and all(
        (array == learnt.without_cycles()[name]).all() for name, array in expected.without_cycles().items()
    )
    return {
        "identical": bool(identical),
        "images": count,
        "calls": calls,
        "cycles_learning": float(learnt.cycles.mean()),
        "most_cycles_learning": int(learnt.cycles.max()),
        "cycles_inference": float(cycles.mean()),
        "most_cycles_inference": int(cycles.max()),
    }


def main() -> None:
    """Learn on the board and in the golden model."""
    options = parser(__doc__)
    options.add_argument("--images", type=int, default=1000, help="images that the board learns (default %(default)s)")
    options.add_argument("--seeds", type=int, default=3, help="starts of the golden model (default %(default)s)")
    arguments = options.parse_args()
    images = load()
    result: Row = {"network": "-".join(map(str, SPEC.layers)), "counter_bits": SPEC.counter_bits, "lanes": SPEC.lanes}
    result |= on_the_board(images, arguments.images, seed=0)
    rows = [row for seed in range(arguments.seeds) for row in learning_curve(images, seed)]
    last = [row["accuracy"] for row in rows if row["epoch"] == EPOCHS]
    result |= {"epochs": EPOCHS, "accuracy": last[0], "mean_accuracy": float(np.mean(last)), "rows": rows}
    report(result, as_json=arguments.json)
    if not result["identical"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
