"""Trainer of the floating-point reference of binary Equilibrium Propagation, with checkpoints that resume exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save_file

from attractor.intake import IntakeError, refusing
from attractor.intake.documents import parsed_object
from attractor.intake.errors import DAMAGE, told
from attractor.intake.files import read_file
from attractor.intake.tensors import read_header
from attractor.machine.files import replacing
from attractor.physics.eqprop import FloatArray, FloatNetwork, class_means, one_hot

__all__ = ["CheckpointError", "Epoch", "Errors", "FloatTrainer", "Progress"]

#: Called with the number of finished mini-batches and that of all in the epoch.
Progress = Callable[[int, int], None]
#: Longest checkpoint, in bytes.
_MOST_BYTES = 2 << 30
#: Arrays of a connection that a checkpoint holds.
_ARRAYS = ("signs", "scale", "bias", "raw")


class CheckpointError(IntakeError):
    """A checkpoint cannot be read or belongs to another training."""


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training images did.

    Parameters
    ----------
    train_error:
        Part of the images whose class mean was not the greatest, each judged before it was learnt.
    loss:
        Mean over the images of half the squared distance of outputs and targets at the end of the free phase.
    flips:
        Flips for each weight, of each connection from the input.
    """

    train_error: float
    loss: float
    flips: tuple[float, ...]


@dataclass(frozen=True)
class Errors:
    """Parts of the images that were not recognised, by three read-outs of the same outputs.

    Parameters
    ----------
    mean:
        Greatest mean potential of the replicas of a class; the published "averaged error".
    single:
        Greatest potential of the first replica of each class; the published "single error".
    bits:
        Most replicas that are on, the lowest class on ties.
    """

    mean: float
    single: float
    bits: float


class FloatTrainer:
    """Trains a network on labelled images, epoch by epoch, in mini-batches of a new random order each time.

    What is drawn in an epoch follows from the seed and the number of the epoch alone, so a checkpoint needs no state
    of a generator.

    Parameters
    ----------
    network:
        What is trained.
    classes:
        Number of classes; it divides the number of outputs.
    batch:
        Images of a mini-batch; the last one of an epoch may be smaller, as published.
    seed:
        Seed of the orders and of the signs of beta.
    to_numpy:
        Brings an array of the network's array module back to NumPy.

    Attributes
    ----------
    history:
        One entry for each finished epoch.
    """

    def __init__(
        self,
        network: FloatNetwork[Any],
        *,
        classes: int = 10,
        batch: int = 64,
        seed: int = 0,
        to_numpy: Callable[[Any], npt.NDArray[Any]] = np.asarray,
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch is {batch}; a mini-batch has at least one image")
        self.network = network
        self.classes = classes
        self.batch = batch
        self.seed = seed
        self.history: list[Epoch] = []
        self._to_numpy = to_numpy

    def run_epoch(self, images: FloatArray, labels: npt.ArrayLike, progress: Progress | None = None) -> Epoch:
        """Learn all images once.

        Parameters
        ----------
        images:
            Shape (samples, ...) as the network needs it, values commonly from 0 to 1.
        labels:
            Classes from 0 to ``classes - 1``, shape (samples,).
        progress:
            Called after each mini-batch.
        """
        expected = np.asarray(labels)
        generator = np.random.default_rng((self.seed, len(self.history)))
        order = generator.permutation(len(images))
        starts = range(0, len(order), self.batch)
        wrong, loss = 0, 0.0
        flips = np.zeros(len(self.network.connections))
        for done, start in enumerate(starts, 1):
            chosen = order[start : start + self.batch]
            targets = one_hot(expected[chosen], self.classes, self._replicas, dtype=self.network.dtype)
            sign = int(generator.choice((1, -1))) if self.network.rule.random_sign else 1
            learnt = self.network.learn(images[chosen], targets, sign)
            flips += learnt.flips
            outputs = self._to_numpy(learnt.outputs)
            wrong += int((class_means(outputs, self.classes).argmax(axis=1) != expected[chosen]).sum())
            loss += float(((outputs - targets) ** 2).sum()) / 2
            if progress is not None:
                progress(done, len(starts))
        weights = [connection.signs.size for connection in self.network.connections]
        self.history.append(Epoch(wrong / len(order), loss / len(order), tuple((flips / weights).tolist())))
        return self.history[-1]

    def errors(self, images: FloatArray, labels: npt.ArrayLike, batch: int = 512) -> Errors:
        """Return the errors on images after a free phase; nothing is learnt."""
        expected = np.asarray(labels)
        wrong = np.zeros(3)
        for start in range(0, len(images), batch):
            outputs = self._to_numpy(self.network.settle(images[start : start + batch]).outputs)
            on = (outputs >= 0.5).astype(outputs.dtype)
            for index, read in enumerate((outputs, outputs[:, :: self._replicas], on)):
                winners = class_means(read, self.classes).argmax(axis=1)
                wrong[index] += (winners != expected[start : start + batch]).sum()
        return Errors(*(wrong / len(images)).tolist())

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, in full or not at all."""
        arrays = {}
        for index, connection in enumerate(self.network.connections):
            for name in _ARRAYS:
                arrays[f"{index}.{name}"] = np.ascontiguousarray(self._to_numpy(getattr(connection, name)))
            arrays[f"{index}.signs"] = arrays[f"{index}.signs"].astype(np.int8)
        progress = {
            "factors": [connection.factor for connection in self.network.connections],
            "history": [asdict(epoch) for epoch in self.history],
        }
        metadata = {"training": json.dumps(self._identity()), "progress": json.dumps(progress)}
        with replacing(path) as partial:
            save_file(arrays, partial, metadata)

    def load(self, path: str | Path) -> None:
        """Go on from a checkpoint: what follows is bit for bit what would have followed without the pause.

        Raises
        ------
        CheckpointError
            If the file cannot be read or was written by a training with other settings; the message names them.
        """
        try:
            data = read_file(path, _MOST_BYTES)
            metadata, arrays = read_header(data).metadata, tensors_of(data)
            identity, progress = (parsed_object(metadata[name], finite=False) for name in ("training", "progress"))
        except (OSError, SafetensorError, *DAMAGE) as error:
            raise CheckpointError(
                f"{path} is no checkpoint of this trainer ({told(error)}); begin a new training"
            ) from error
        own = json.loads(json.dumps(self._identity()))
        for name in own:
            if identity.get(name) != own[name]:
                raise CheckpointError(
                    f"{path} was trained with {name} {identity.get(name)}, this training has {own[name]}; "
                    "use the same settings or another file"
                )
        with refusing(CheckpointError, path, "is no intact checkpoint", "begin a new training"):
            self._restore(arrays, progress)

    def _restore(self, arrays: dict[str, npt.NDArray[Any]], progress: dict[str, Any]) -> None:
        """Take over a checkpoint, as a whole or not at all."""
        history = [Epoch(**epoch | {"flips": tuple(epoch["flips"])}) for epoch in progress["history"]]
        factors = [float(progress["factors"][index]) for index in range(len(self.network.connections))]
        loaded = []
        for index, connection in enumerate(self.network.connections):
            for name in _ARRAYS:
                array, known = arrays[f"{index}.{name}"], getattr(connection, name)
                if array.shape != known.shape:
                    raise IntakeError(f"its array {index}.{name} has shape {array.shape} instead of {known.shape}")
                loaded.append((connection, name, array.astype(self.network.dtype)))
        for connection, name, array in loaded:
            setattr(connection, name, self.network.xp.asarray(array))
        for connection, factor in zip(self.network.connections, factors, strict=True):
            connection.factor = factor
        self.history = history

    @property
    def _replicas(self) -> int:
        return len(self.network.connections[-1].signs) // self.classes

    def _identity(self) -> dict[str, Any]:
        """Return what must be the same for a training to go on."""
        network = self.network
        return {
            "network": network.describe(),
            "rule": asdict(network.rule),
            "dtype": network.dtype.name,
            "classes": self.classes,
            "batch": self.batch,
            "seed": self.seed,
        }
