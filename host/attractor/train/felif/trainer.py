"""Training of spiking networks: epochs of mini-batches, Adamax, a validation split that chooses the best epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from attractor.intake import IntakeError
from attractor.train.checkpoints import load_checkpoint, number, restoring, save_checkpoint
from attractor.train.felif.bruno import Floats
from attractor.train.felif.losses import Loss, Samples
from attractor.train.felif.network import TrainedNetwork
from attractor.train.optimiser import Adamax, Plateau
from attractor.train.oscillator import Progress

__all__ = ["RUN", "Epoch", "Recipe", "Trainer", "Training", "mean_loss", "outputs"]

#: Sequences that are run at a time to measure a loss.
RUN = 32


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    rate, momentum, memory:
        Of :class:`Adamax`.
    factor, patience:
        Of :class:`Plateau`; it looks at the validation loss, or else at that of training.
    batch:
        Sequences of an update.
    settling:
        Last epochs in which weights of a few bits are rounded to the nearest level instead of at random, so that what
        is trained is what a device computes.
    positive:
        Weights to spiking neurons begin with one sign; see :meth:`TrainedNetwork.initial`.
    seed:
        Seed of weights, orders and rounding.
    """

    rate: float = 0.005
    momentum: float = 0.9
    memory: float = 0.999
    factor: float = 1.0
    patience: int = 10
    batch: int = 1
    settling: int = 0
    positive: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"rate is {self.rate}; it must be positive")
        if self.batch < 1:
            raise ValueError(f"batch is {self.batch}; it must be at least 1")
        if not 0 < self.factor <= 1:
            raise ValueError(f"factor is {self.factor}; it must lie above 0 and not above 1")


class Epoch(NamedTuple):
    """What an epoch did: its learning rate, the mean loss while training, and that of validation (None without)."""

    rate: float
    loss: float
    validation: float | None


@dataclass(frozen=True)
class Training:
    """A trained network.

    Parameters
    ----------
    parameters:
        Float weights after the best epoch by validation, or else after the last.
    history:
        What each epoch did.
    """

    parameters: dict[str, Floats]
    history: tuple[Epoch, ...]


class Trainer:
    """Trains a network, epoch by epoch.

    Parameters
    ----------
    network:
        The network.
    recipe:
        How to train it.
    samples, loss:
        What from, and what for.
    parameters:
        Where to begin; default random weights of the recipe's seed.
    """

    def __init__(
        self,
        network: TrainedNetwork,
        recipe: Recipe,
        samples: Samples,
        loss: Loss,
        *,
        parameters: dict[str, Floats] | None = None,
    ) -> None:
        if not samples.frames or len(samples.frames) != len(samples.targets):
            raise ValueError(f"there are {len(samples.frames)} sequences and {len(samples.targets)} targets")
        self.network, self.recipe, self.samples, self.loss = network, recipe, samples, loss
        generator = np.random.default_rng([recipe.seed, 0])
        start = network.initial(generator, positive=recipe.positive) if parameters is None else parameters
        self.parameters = {name: array.copy() for name, array in start.items()}
        self.history: list[Epoch] = []
        self._optimiser = Adamax(recipe.rate, recipe.momentum, recipe.memory)
        self._plateau = Plateau(recipe.factor, recipe.patience)
        self._start = _digest(self.parameters.values())
        self._best: dict[str, Floats] | None = None

    def run_epoch(self, *, settled: bool = False, validation: Samples | None = None) -> None:
        """Learn from every sequence once; ``settled`` rounds weights to the nearest level."""
        generator = np.random.default_rng([self.recipe.seed, 1 + len(self.history)])
        order = generator.permutation(len(self.samples.frames)).tolist()
        rate, total = self._optimiser.rate, 0.0
        for start in range(0, len(order), self.recipe.batch):
            part = self.samples.part(order[start : start + self.recipe.batch])
            run = self.network.forward(self.parameters, part.padded(), None if settled else generator)
            losses, by_outputs = self.loss(run.outputs, part)
            self._optimiser.step(self.parameters, self.network.backward(run, by_outputs))
            total += losses.sum()
        found = None if validation is None else mean_loss(self.network, self.parameters, validation, self.loss)
        self.history.append(Epoch(rate, total / len(order), found))
        self._optimiser.rate = self._plateau.rate(rate, self.history[-1].loss if found is None else found)

    def train(
        self,
        epochs: int,
        *,
        validation: Samples | None = None,
        checkpoint: str | Path | None = None,
        progress: Progress | None = None,
        watch: Callable[[Epoch], None] | None = None,
    ) -> Training:
        """Train until there have been ``epochs`` epochs.

        Parameters
        ----------
        epochs:
            Passes over the samples, those of a checkpoint included.
        validation:
            Other sequences, which choose the best epoch; without rounding at random.
        checkpoint:
            File that is written after each epoch. If it exists already, training goes on from there, and ends as it
            would have without a break.
        progress:
            Called after each epoch with the number of finished ones and of all.
        watch:
            Called after each epoch with what it did.

        Raises
        ------
        CheckpointError
            If the checkpoint is of another network, recipe, start or set of samples; the message names the field.
        """
        identity = self._identity(epochs, validation)
        if checkpoint is not None and Path(checkpoint).exists():
            self._restore(checkpoint, identity)
        while len(self.history) < epochs:
            settled = len(self.history) >= epochs - self.recipe.settling
            self.run_epoch(settled=settled, validation=validation)
            found = self.history[-1].validation
            if found is not None and found <= min(e.validation for e in self.history if e.validation is not None):
                self._best = {name: array.copy() for name, array in self.parameters.items()}
            if checkpoint is not None:
                self._save(checkpoint, identity)
            if progress is not None:
                progress(len(self.history), epochs)
            if watch is not None:
                watch(self.history[-1])
        return Training(self.parameters if self._best is None else self._best, tuple(self.history))

    # Checkpoints

    def _identity(self, epochs: int, validation: Samples | None) -> dict[str, Any]:
        """Return what decides the result of the training."""
        recipe = asdict(self.recipe) | ({"epochs": epochs} if self.recipe.settling else {})
        return {
            "network": {name: list(shape) for name, shape in self.network.shapes.items()},
            "recipe": recipe,
            "start": self._start,
            "samples": _digest([*self.samples.frames, *self.samples.targets]),
            "validation": None if validation is None else _digest([*validation.frames, *validation.targets]),
        }

    def _save(self, path: str | Path, identity: dict[str, Any]) -> None:
        groups = {
            "last": self.parameters,
            "best": self._best or {},
            "mean": self._optimiser.means,
            "norm": self._optimiser.norms,
        }
        arrays = {f"{kind}.{name}": array for kind, group in groups.items() for name, array in group.items()}
        state = {
            "history": [epoch._asdict() for epoch in self.history],
            "rate": self._optimiser.rate,
            "steps": self._optimiser.steps,
            "best": self._plateau.best,
            "waited": self._plateau.waited,
        }
        save_checkpoint(path, identity, state, arrays)

    def _restore(self, path: str | Path, identity: dict[str, Any]) -> None:
        state, arrays = load_checkpoint(path, identity)
        recipe = self.recipe
        with restoring(path):
            last, best, means, norms = (
                {name.removeprefix(f"{kind}."): array for name, array in arrays.items() if name.startswith(f"{kind}.")}
                for kind in ("last", "best", "mean", "norm")
            )
            self._check(last, complete=True)
            for group in (best, means, norms):
                self._check(group, complete=group is best and bool(best))
            history = [
                Epoch(number(told["rate"]), number(told["loss"]), told["validation"] and number(told["validation"]))
                for told in state["history"]
            ]
            optimiser = Adamax(number(state["rate"]), recipe.momentum, recipe.memory, int(state["steps"]), means, norms)
            plateau = Plateau(recipe.factor, recipe.patience, number(state["best"]), int(state["waited"]))
        self.history, self.parameters, self._best = history, last, best or None
        self._optimiser, self._plateau = optimiser, plateau

    def _check(self, group: dict[str, Floats], *, complete: bool) -> None:
        """Raise :class:`IntakeError` unless arrays of a checkpoint are those of the network, or some of them."""
        shapes = self.network.shapes
        if complete and group.keys() != shapes.keys():
            raise IntakeError(f"it has arrays {sorted(group)} instead of {sorted(shapes)}")
        for name, array in group.items():
            if array.shape != shapes.get(name) or array.dtype.kind != "f" or not np.isfinite(array).all():
                raise IntakeError(f"its array {name!r} is none of finite numbers of shape {shapes.get(name)}")


def outputs(network: TrainedNetwork, parameters: dict[str, Floats], samples: Samples) -> list[Floats]:
    """Return the outputs after each tick of each sequence, with weights of a few bits rounded to the nearest level."""
    found: list[Floats] = []
    for start in range(0, len(samples.frames), RUN):
        part = samples.part(range(start, min(start + RUN, len(samples.frames))))
        run = network.forward(parameters, part.padded()).outputs
        found += [run[: len(frame), index] for index, frame in enumerate(part.frames)]
    return found


def mean_loss(network: TrainedNetwork, parameters: dict[str, Floats], samples: Samples, loss: Loss) -> float:
    """Return the mean loss of sequences, each counted alike, with weights rounded to the nearest level."""
    total = 0.0
    for start in range(0, len(samples.frames), RUN):
        part = samples.part(range(start, min(start + RUN, len(samples.frames))))
        total += float(loss(network.forward(parameters, part.padded()).outputs, part)[0].sum())
    return total / len(samples.frames)


def _digest(arrays: Any) -> str:
    """Return a SHA-256 of arrays and numbers, in hexadecimal."""
    digest = hashlib.sha256()
    for values in arrays:
        array = np.asarray(values)
        digest.update(f"{array.dtype.str}:{array.shape}:".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
