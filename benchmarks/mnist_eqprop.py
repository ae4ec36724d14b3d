"""MNIST by binary Equilibrium Propagation arrays with integers only, trained by the rule of the device.

Pixels are white from 128 on. Defaults are a network of 784-512-100 with ten outputs for each class, 6-bit states,
8-bit counters, 8 free and 6 nudged steps, and mini-batches of 64 with a sign at random for each. Every choice was made
with validation: training on the first 50,000 training images, testing with the last 10,000.

The data are not part of this project: ``ATTRACTOR_DATA`` names a folder with a subfolder ``mnist``.

``network``, ``epochs``
    Sizes of the layers, and passes over the images.
``validation_accuracy``, ``validation_best``, ``validation_best_epoch``
    Part of the validation images that are classified correctly after the last epoch, and after the best one; None with
    ``--only test``.
``test_accuracy``
    Part of the 10,000 test images that are classified correctly by the golden model, after training on all 60,000
    training images; None with ``--only validation``.
``settled``, ``free_steps``
    Part of the test images after which the free phase has settled, and its steps in the mean.
``rows``
    The training for validation, epoch by epoch: thresholds, flips of each connection over its weights, accuracy.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from array_modules import ArrayModule, add_option, array_module
from reporting import log, parser, report

from attractor.data.mnist import mnist
from attractor.golden import EqPropNetwork
from attractor.spec import EqPropSpec, IntegerArray
from attractor.train.eqprop import (
    RUN,
    STEPS,
    Recipe,
    Trainer,
    Training,
    accuracy,
    initial_parameters,
    varying_inputs,
    without_learning,
)
from attractor.train.oscillator import Progress

THRESHOLD = 128
CLASSES = 10
VALIDATION_IMAGES = 10_000

Bits = npt.NDArray[np.bool_]
#: Input bits and labels.
Samples = tuple[Bits, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Settings:
    """What is trained, and how."""

    hidden: tuple[int, ...]
    outputs: int
    state_high: tuple[int, ...]
    counter_bits: int
    nudge_shift: int
    steps: tuple[int, int]
    epochs: int
    recipe: Recipe
    computed_with: ArrayModule

    def spec(self, inputs: int) -> EqPropSpec:
        """Return the network, for a number of inputs."""
        return EqPropSpec(
            layers=(inputs, *self.hidden, self.outputs),
            classes=CLASSES,
            state_high=self.state_high[0] if len(self.state_high) == 1 else self.state_high,
            nudge_shift=self.nudge_shift,
            counter_bits=self.counter_bits,
            learning=True,
        )


def integers(text: str) -> tuple[int, ...]:
    """Return the numbers of a list with commas."""
    return tuple(int(part) for part in text.split(","))


def settings(arguments: argparse.Namespace) -> Settings:
    """Return what the command line asks for."""
    recipe = Recipe(
        thresholds=arguments.thresholds,
        doubling=arguments.doubling,
        batch=arguments.batch,
        sigma_samples=arguments.sigma_samples or arguments.batch,
        seed=arguments.seed,
    )
    free, nudged = arguments.steps
    return Settings(
        hidden=arguments.hidden,
        outputs=arguments.outputs,
        state_high=arguments.state_high,
        counter_bits=arguments.counter_bits,
        nudge_shift=arguments.nudge_shift,
        steps=(free, nudged),
        epochs=arguments.epochs,
        recipe=recipe,
        computed_with=array_module(arguments.arrays),
    )


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    result = parser(__doc__)
    result.add_argument("--hidden", type=integers, default=(512,), help="sizes of the hidden layers, as in 512,256")
    result.add_argument("--outputs", type=int, default=100, help="size of the output layer, a multiple of 10")
    result.add_argument("--state-high", type=integers, default=(50,), help="greatest state, one or one for each layer")
    result.add_argument("--counter-bits", type=int, default=8)
    result.add_argument("--nudge-shift", type=int, default=1)
    result.add_argument("--steps", type=integers, default=STEPS, help="most free and nudged steps")
    result.add_argument("--epochs", type=int, default=20)
    result.add_argument("--thresholds", type=integers, default=(13, 16), help="one for each connection, from the input")
    result.add_argument("--doubling", type=float, default=0, help="epochs in which thresholds double; 0: they stay")
    result.add_argument("--batch", type=int, default=64, help="1: one sample after the other, as a device")
    result.add_argument("--sigma-samples", type=int, help="samples with the same sign; default a batch")
    result.add_argument("--seed", type=int, default=0)
    result.add_argument("--drop-constant", action="store_true", help="no inputs for pixels that never change")
    add_option(result)
    result.add_argument("--only", choices=["validation", "test"], help="train once, for one of the two")
    return result


def images(drop_constant: bool) -> tuple[Samples, Samples]:
    """Return the images to train on and those to test with."""
    data = mnist()
    train, test = data.train_images >= THRESHOLD, data.test_images >= THRESHOLD
    if drop_constant:
        kept = varying_inputs(train)
        train, test = train[:, kept], test[:, kept]
    return (train, data.train_labels), (test, data.test_labels)


def trained(chosen: Settings, train: Samples, held_back: Samples | None, name: str) -> tuple[EqPropSpec, Training]:
    """Train a network; samples held back are only used to watch it."""
    spec = chosen.spec(train[0].shape[1])
    start = initial_parameters(spec, seed=chosen.recipe.seed, steps=chosen.steps)
    trainer = Trainer(spec, chosen.recipe, *train, parameters=start, **chosen.computed_with._asdict())
    return spec, trainer.train(chosen.epochs, held_back=held_back, progress=told(name, trainer))


def told(name: str, trainer: Trainer) -> Progress:
    """Return a function that says after each epoch what it did."""

    def progress(done: int, epochs: int) -> None:
        last = trainer.history[-1]
        found = "" if last.accuracy is None else f", accuracy {last.accuracy:.4f}"
        log(f"{name}: epoch {done} of {epochs}, flips {last.flips}{found}")

    return progress


def validated(chosen: Settings, train: Samples) -> dict[str, Any]:
    """Train on all but the last images, test with these after each epoch."""
    bits, labels = train
    cut = len(bits) - VALIDATION_IMAGES
    spec, training = trained(chosen, (bits[:cut], labels[:cut]), (bits[cut:], labels[cut:]), "validation")
    found = [epoch.accuracy or 0.0 for epoch in training.history]
    sizes = [above * below for below, above in zip(spec.layers[:-1], spec.layers[1:], strict=True)]
    rows = [
        {"epoch": number, "thresholds": list(epoch.thresholds)}
        | {f"flips_{c}": flips / size for c, (flips, size) in enumerate(zip(epoch.flips, sizes, strict=True))}
        | {"accuracy": epoch.accuracy}
        for number, epoch in enumerate(training.history, start=1)
    ]
    return {
        "validation_accuracy": found[-1],
        "validation_best": max(found),
        "validation_best_epoch": 1 + found.index(max(found)),
        "rows": rows,
    }


def tested(chosen: Settings, train: Samples, test: Samples) -> dict[str, Any]:
    """Train on all images; test with the others what would be loaded into a device that does not learn."""
    spec, training = trained(chosen, train, None, "test")
    spec, parameters = without_learning(spec, training.parameters)
    return {"test_accuracy": accuracy(spec, parameters, *test)} | dynamics(spec, parameters, test[0])


def dynamics(spec: EqPropSpec, parameters: dict[str, IntegerArray], bits: Bits) -> dict[str, Any]:
    """Return how the free phase ends."""
    network = EqPropNetwork(spec, parameters)
    runs = [network.run(bits[start : start + RUN]) for start in range(0, len(bits), RUN)]
    return {
        "settled": float(np.concatenate([run.settled for run in runs]).mean()),
        "free_steps": float(np.concatenate([run.steps for run in runs]).mean()),
    }


def main() -> None:
    """Train and test."""
    arguments = options().parse_args()
    chosen = settings(arguments)
    train, test = images(arguments.drop_constant)
    result: dict[str, Any] = {
        "network": "-".join(map(str, chosen.spec(train[0].shape[1]).layers)),
        "epochs": chosen.epochs,
        "recipe": asdict(chosen.recipe),
        "test_accuracy": None,
        "validation_accuracy": None,
    }
    if arguments.only != "validation":
        result |= tested(chosen, train, test)
    if arguments.only != "test":
        result |= validated(chosen, train)
    report(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
