"""MNIST by the floating-point reference of binary Equilibrium Propagation, with published settings.

The data are not part of this project: ``ATTRACTOR_DATA`` names a folder with a subfolder ``mnist``. Training uses all
60,000 training images, or with ``--validation`` the first 50,000, tested with the last 10,000. Nothing was chosen on
test images: the settings are those of arXiv 2103.08953. The networks called small have the published convolutional
architectures with fewer channels, shorter phases and smaller mini-batches; they are for a first look at few images.
Their sizes come from a few trials on the first 2,000 to 5,000 training images, tested with the last 1,000.

``images``, ``test_images``
    Number of images to train on and to test with.
``epoch``
    Passes over the training images so far.
``train_error``
    Part of the training images that was not recognised when their turn came.
``test_error``, ``single_error``, ``bits_error``
    Part of the test images that is not recognised by the mean potential of the replicas of a class, by that of the
    first replica, and by the number of replicas that are on.
``flips_from_input``, ``flips_to_output``
    Flips for each weight of the first and of the last connection in this epoch.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from array_modules import add_option, array_module
from reporting import log, parser, report

from attractor.data.mnist import SIDE, Mnist, mnist
from attractor.physics.eqprop import ConvolutionShape
from attractor.train.eqprop.presets import PRESETS, Preset
from attractor.train.eqprop.published import Errors, FloatTrainer

CLASSES = 10
VALIDATION_IMAGES = 10_000
#: Mini-batches of the small networks.
SMALL_BATCH = 16


def small(published: str, channels: tuple[int, int], rule: dict[str, int], events: tuple[float, ...]) -> Preset:
    """Return a smaller relative of a published convolutional network.

    Parameters
    ----------
    published:
        Name of its preset.
    channels:
        Of the two layers.
    rule:
        Steps of the two phases.
    events:
        Net events against a weight that flip it, from the input.
    """
    preset = PRESETS[published]
    assert isinstance(preset.shape, ConvolutionShape)
    unit = preset.rule.momentum_rates[0] / (preset.rule.beta * SMALL_BATCH)
    changed = replace(preset.rule, flip_thresholds=tuple(count * unit for count in events), **rule)
    replicas = min(preset.replicas, 10)
    shape = replace(preset.shape, channels=channels, outputs=CLASSES * replicas)
    return replace(preset, shape=shape, rule=changed, replicas=replicas, batch=SMALL_BATCH)


CHOICES = PRESETS | {
    "small-real-convolutional": small(
        "mnist-real-convolutional", (8, 16), {"free_steps": 25, "nudged_steps": 8}, (3.84, 3.84, 3.84)
    ),
    "small-bits-convolutional": small(
        "mnist-bits-convolutional", (16, 32), {"free_steps": 12, "nudged_steps": 8}, (128, 64, 16)
    ),
}
#: Presets whose inputs are images of MNIST.
NAMES = sorted(name for name, preset in CHOICES.items() if math.prod(preset.input_shape) == SIDE * SIDE)


def load(validation: bool, count: int | None) -> Mnist:
    """Return the first ``count`` images to train on and to test with, or parts of the training images as both."""
    images, labels, test_images, test_labels = mnist()
    if validation:
        cut = len(images) - VALIDATION_IMAGES
        images, test_images = images[:cut], images[cut:]
        labels, test_labels = labels[:cut], labels[cut:]
    return Mnist(images[:count], labels[:count], test_images[:count], test_labels[:count])


def told_progress(started: float, epoch: int) -> Any:
    """Return a function that says after the first batch how long an epoch will take, and then where it is."""

    def progress(done: int, batches: int) -> None:
        if done == 1 or done % 250 == 0:
            passed = time.monotonic() - started
            log(
                f"epoch {epoch}: batch {done} of {batches} after {passed:.1f} s, all in {passed / done * batches:.0f} s"
            )

    return progress


def row(trainer: FloatTrainer, errors: Errors) -> dict[str, Any]:
    """Return what the last epoch did."""
    last = trainer.history[-1]
    return {
        "epoch": len(trainer.history),
        "train_error": last.train_error,
        "test_error": errors.mean,
        "single_error": errors.single,
        "bits_error": errors.bits,
        "flips_from_input": last.flips[0],
        "flips_to_output": last.flips[-1],
    }


def main() -> None:
    """Train and test after each epoch."""
    options = parser(__doc__)
    options.add_argument("--preset", choices=NAMES, default="mnist-bits-1", help="settings, published or small")
    options.add_argument("--epochs", type=int, default=3, help="passes in all, those of the checkpoint included")
    options.add_argument("--images", type=int, help="use only so many to train on and to test with")
    options.add_argument("--checkpoint", type=Path, help="file to go on from if it exists, and to write after epochs")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--validation", action="store_true", help="test with the last 10,000 training images")
    add_option(options)
    arguments = options.parse_args()
    arrays, to_numpy = array_module(arguments.arrays)
    data = load(arguments.validation, arguments.images)
    preset = CHOICES[arguments.preset]
    train, test = (
        (grey.astype(np.float32) / np.float32(255)).reshape(-1, *preset.input_shape)
        for grey in (data.train_images, data.test_images)
    )
    trainer = FloatTrainer(
        preset.network(seed=arguments.seed, xp=arrays),
        classes=CLASSES,
        batch=preset.batch,
        seed=arguments.seed,
        to_numpy=to_numpy,
    )
    if arguments.checkpoint is not None and arguments.checkpoint.exists():
        trainer.load(arguments.checkpoint)
        log(f"going on after epoch {len(trainer.history)}")
    rows = []
    while len(trainer.history) < arguments.epochs:
        started = time.monotonic()
        trainer.run_epoch(train, data.train_labels, told_progress(started, len(trainer.history) + 1))
        rows.append(row(trainer, trainer.errors(test, data.test_labels)))
        log(", ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()))
        if arguments.checkpoint is not None:
            trainer.save(arguments.checkpoint)
    chosen = {"preset": arguments.preset, "validation": arguments.validation}
    report(chosen | {"images": len(train), "test_images": len(test), "rows": rows}, as_json=arguments.json)


if __name__ == "__main__":
    main()
