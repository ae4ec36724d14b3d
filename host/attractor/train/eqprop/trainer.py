"""Training of binary Equilibrium Propagation arrays, by the rule that a device applies to one sample after the other.

What is learnt equals bit for bit what :class:`attractor.golden.EqPropNetwork` learns from the same samples in the same
order, and with mini-batches of one, what a device does: :meth:`Recipe.lessons` gives the order and the signs to both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from attractor.golden import EqPropNetwork
from attractor.spec import EqPropSpec, IntegerArray, SpecError
from attractor.train.checkpoints import load_checkpoint, number, restoring, save_checkpoint
from attractor.train.eqprop.dense import DenseLearner
from attractor.train.eqprop.sequence import SequenceLearner
from attractor.train.oscillator import Progress

__all__ = [
    "RUN",
    "STEPS",
    "Bits",
    "Epoch",
    "Lessons",
    "Recipe",
    "Trainer",
    "Training",
    "accuracy",
    "binary_bits",
    "check_samples",
    "initial_parameters",
    "scores",
    "varying_inputs",
    "winners",
    "without_learning",
]

Bits = npt.NDArray[np.bool_]
#: Most steps of the free and of the nudged phase.
STEPS = (8, 6)
#: Samples that are run at a time to measure an accuracy.
RUN = 1000


class Lessons(NamedTuple):
    """One epoch: samples in their order, the sign of the nudge for each (-1 or 1), thresholds of the connections."""

    order: npt.NDArray[np.intp]
    sigmas: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained: with the samples it decides every bit of what is learnt.

    Parameters
    ----------
    thresholds:
        Net count against a weight at which it flips, for each connection, in the first epoch.
    doubling:
        Epochs in which the thresholds double, a little in each; 0 keeps them. They stop at the counters' greatest
        value, where nothing flips that is not at its end.
    batch:
        Samples whose changes are added up before weights flip; with 1 the rule is that of a device.
    sigma_samples:
        Samples in a row that are nudged with the same sign, drawn at random.
    both_signs:
        Learn each sample twice in a row instead, nudged toward its label and away from it.
    seed:
        Seed of weights, orders and signs.
    """

    thresholds: tuple[int, ...]
    doubling: float = 0
    batch: int = 64
    sigma_samples: int = 64
    both_signs: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("batch", self.batch), ("sigma_samples", self.sigma_samples)):
            if value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        if self.doubling < 0:
            raise ValueError(f"doubling is {self.doubling}; it must be a number of epochs, or 0 for never")

    def lessons(self, spec: EqPropSpec, samples: int, epoch: int) -> Lessons:
        """Return what happens in an epoch, counted from 0, whatever happened before."""
        generator = np.random.default_rng([self.seed, 1 + epoch])
        order = generator.permutation(samples)
        if self.both_signs:
            order, sigmas = order.repeat(2), np.tile([1, -1], samples)
        else:
            drawn = generator.integers(0, 2, -(-samples // self.sigma_samples))
            sigmas = np.repeat(1 - 2 * drawn, self.sigma_samples)[:samples]
        factor = 2 ** (epoch / self.doubling) if self.doubling else 1.0
        grown = np.rint(np.array(self.thresholds) * factor).astype(np.int64)
        return Lessons(order, sigmas, np.minimum(grown, spec.counter_high))


class Epoch(NamedTuple):
    """What an epoch did.

    Parameters
    ----------
    thresholds, flips:
        Threshold of each connection, and weights that changed their sign.
    accuracy:
        Part of the samples held back that are classified correctly afterwards; None without any.
    """

    thresholds: tuple[int, ...]
    flips: tuple[int, ...]
    accuracy: float | None


@dataclass(frozen=True)
class Training:
    """A trained network.

    Parameters
    ----------
    parameters:
        Those after the best epoch by the samples held back, or else after the last; with counters.
    history:
        What each epoch did.
    """

    parameters: dict[str, IntegerArray]
    history: tuple[Epoch, ...]


class Trainer:
    """Trains a network, epoch by epoch.

    Parameters
    ----------
    spec:
        The network; it has ``learning``.
    recipe:
        How to train it.
    bits, labels:
        Input bits, shape (samples, inputs), and the class of each sample, shape (samples,).
    parameters:
        Where to begin; default :func:`initial_parameters`.
    arrays:
        Module that computes: NumPy, or another with the functions of the array API standard, for which ``to_numpy``
        brings arrays back. What is learnt is the same.

    Raises
    ------
    SpecError
        If the network cannot learn, or samples or parameters do not fit it.
    ValueError
        If there is not one threshold for each connection, or one label for each sample.
    """

    def __init__(
        self,
        spec: EqPropSpec,
        recipe: Recipe,
        bits: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        parameters: Mapping[str, npt.ArrayLike] | None = None,
        arrays: Any = np,
        to_numpy: Any = np.asarray,
    ) -> None:
        spec.check_thresholds(recipe.thresholds)
        self.spec, self.recipe = spec, recipe
        self.bits, self.labels = check_samples(spec, bits, labels)
        self.history: list[Epoch] = []
        self._arrays, self._to_numpy = arrays, to_numpy
        self._learner = self._begin(initial_parameters(spec, seed=recipe.seed) if parameters is None else parameters)
        self._start = _digest(*self.parameters.values())
        self._best: dict[str, IntegerArray] | None = None

    def _begin(self, parameters: Mapping[str, npt.ArrayLike]) -> SequenceLearner | DenseLearner:
        if self._arrays is np:
            return SequenceLearner(self.spec, parameters)
        return DenseLearner(self.spec, parameters, self._arrays, self._to_numpy)

    @property
    def parameters(self) -> dict[str, IntegerArray]:
        """What has been learnt so far."""
        return self._learner.parameters

    def run_epoch(self) -> None:
        """Learn from every sample once."""
        order, sigmas, thresholds = self.recipe.lessons(self.spec, len(self.bits), len(self.history))
        batch = self.recipe.batch
        flips = np.zeros(self.spec.connections, np.int64)
        if batch == 1:
            flips += self._learner.learn_each(self.bits[order], self.labels[order], sigmas, thresholds)
        else:
            for start in range(0, len(order), batch):
                part = slice(start, start + batch)
                chosen = order[part]
                flips += self._learner.learn(self.bits[chosen], self.labels[chosen], sigmas[part], thresholds)
        self.history.append(Epoch(tuple(thresholds.tolist()), tuple(flips.tolist()), None))

    def train(
        self,
        epochs: int,
        *,
        held_back: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        patience: int = 0,
        checkpoint: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Training:
        """Train until there have been ``epochs`` epochs.

        Parameters
        ----------
        epochs:
            Passes over the samples, those of a checkpoint included.
        held_back:
            Input bits and labels of other samples, which choose the best epoch.
        patience:
            Stop when so many epochs in a row were no better than the best; 0 never stops early.
        checkpoint:
            File that is written after each epoch. If it exists already, training goes on from there, and ends as it
            would have without a break.
        progress:
            Called after each epoch with the number of finished ones and of all.

        Raises
        ------
        CheckpointError
            If the checkpoint is of another spec, recipe, start or set of samples; the message names the field.
        """
        other = None if held_back is None else check_samples(self.spec, *held_back)
        identity = self._identity(other)
        if checkpoint is not None and Path(checkpoint).exists():
            self._restore(checkpoint, identity)
        while len(self.history) < epochs and not self._ran_out(patience):
            self.run_epoch()
            if other is not None:
                self._judge(accuracy(self.spec, self.parameters, *other))
            if checkpoint is not None:
                self._save(checkpoint, identity)
            if progress is not None:
                progress(len(self.history), epochs)
        best = self.parameters if self._best is None else self._best
        return Training(best, tuple(self.history))

    def _judge(self, found: float) -> None:
        """Note the accuracy after the last epoch, and keep the parameters if it is the best one."""
        before = [epoch.accuracy for epoch in self.history[:-1] if epoch.accuracy is not None]
        self.history[-1] = self.history[-1]._replace(accuracy=found)
        if found > max(before, default=-1.0):
            self._best = self.parameters

    def _ran_out(self, patience: int) -> bool:
        judged = [epoch.accuracy for epoch in self.history if epoch.accuracy is not None]
        return bool(patience) and len(judged) - judged.index(max(judged)) > patience if judged else False

    # Checkpoints

    def _identity(self, held_back: tuple[Bits, IntegerArray] | None) -> dict[str, Any]:
        """Return what decides the result of the training."""
        return {
            "spec": self.spec.to_dict(),
            "recipe": asdict(self.recipe),
            "start": self._start,
            "samples": _digest(self.bits, self.labels),
            "held_back": None if held_back is None else _digest(*held_back),
        }

    def _save(self, path: str | Path, identity: dict[str, Any]) -> None:
        arrays = {f"last.{name}": array for name, array in self.parameters.items()}
        arrays |= {f"best.{name}": array for name, array in (self._best or {}).items()}
        save_checkpoint(path, identity, {"history": [epoch._asdict() for epoch in self.history]}, arrays)

    def _restore(self, path: str | Path, identity: dict[str, Any]) -> None:
        state, arrays = load_checkpoint(path, identity)
        with restoring(path):
            history = [
                Epoch(
                    tuple(self.spec.check_thresholds(epoch["thresholds"]).tolist()),
                    tuple(map(int, epoch["flips"])),
                    None if epoch["accuracy"] is None else number(epoch["accuracy"]),
                )
                for epoch in state["history"]
            ]
            last, best = (
                {name.removeprefix(kind): array for name, array in arrays.items() if name.startswith(kind)}
                for kind in ("last.", "best.")
            )
            self._learner = self._begin(self.spec.check_parameters(last))
            self._best = self.spec.check_parameters(best) if best else None
        self.history = history


# Networks and samples


def initial_parameters(spec: EqPropSpec, *, seed: int = 0, steps: tuple[int, int] = STEPS) -> dict[str, IntegerArray]:
    """Return weights of -1 and +1 at random, counters of 0 if the spec has any, and the steps of both phases."""
    generator = np.random.default_rng([seed, 0])
    parameters: dict[str, IntegerArray] = {"steps": np.array(steps)}
    for connection in range(spec.connections):
        shape = (spec.layers[connection + 1], spec.layers[connection])
        parameters[f"weights_{connection}"] = 1 - 2 * generator.integers(0, 2, shape, np.int8)
        if spec.learning:
            parameters[f"counters_{connection}"] = np.zeros(shape, np.int16)
    return spec.check_parameters(parameters)


def without_learning(
    spec: EqPropSpec, parameters: Mapping[str, IntegerArray]
) -> tuple[EqPropSpec, dict[str, IntegerArray]]:
    """Return the network that classifies the same and keeps no counters."""
    kept = {name: array for name, array in parameters.items() if not name.startswith("counters_")}
    return replace(spec, learning=False), kept


def binary_bits(images: npt.ArrayLike) -> Bits:
    """Return where a grey value, from 0 to 1, is at least 0.5, in the shape of ``images``."""
    return np.asarray(images) >= 0.5


def varying_inputs(bits: Bits) -> npt.NDArray[np.intp]:
    """Return the inputs that are not the same in all samples; ``bits`` has shape (samples, inputs)."""
    return np.flatnonzero((bits != bits[0]).any(axis=0))


def check_samples(spec: EqPropSpec, bits: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Bits, npt.NDArray[np.int64]]:
    """Return samples as they are computed with; raise :class:`ValueError` with the culprit."""
    checked = spec.check_bits(bits).astype(bool)
    array = np.asarray(labels)
    if checked.ndim != 2 or not len(checked):
        raise SpecError(f"input bits have shape {checked.shape}; samples have shape (samples, {spec.layers[0]})")
    if array.shape != checked.shape[:1]:
        raise SpecError(f"labels have shape {array.shape}; there are {len(checked)} samples")
    if not np.issubdtype(array.dtype, np.integer) or array.min() < 0 or array.max() >= spec.classes:
        raise SpecError(
            f"labels run from {array.min()} to {array.max()}; they must be integers from 0 to {spec.classes - 1}"
        )
    return checked, array.astype(np.int64)


def scores(spec: EqPropSpec, parameters: Mapping[str, npt.ArrayLike], bits: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the score of each class, shape (samples, classes); ``bits`` as for :class:`Trainer`."""
    network, inputs = EqPropNetwork(spec, parameters), spec.check_bits(bits)
    parts = [network.scores(network.run(inputs[at : at + RUN]).states) for at in range(0, len(inputs), RUN)]
    return np.concatenate(parts) if parts else np.zeros((0, spec.classes), np.int64)


def winners(spec: EqPropSpec, parameters: Mapping[str, npt.ArrayLike], bits: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the class that a network names for each sample, shape (samples,); ``bits`` as for :class:`Trainer`."""
    return scores(spec, parameters, bits).argmax(axis=1)


def accuracy(
    spec: EqPropSpec, parameters: Mapping[str, npt.ArrayLike], bits: npt.ArrayLike, labels: npt.ArrayLike
) -> float:
    """Return the part of the samples whose class a network names."""
    return float((winners(spec, parameters, bits) == np.asarray(labels)).mean())


def _digest(*arrays: npt.NDArray[Any]) -> str:
    """Return a SHA-256 of arrays, in hexadecimal; bits are packed, which makes it eight times as fast."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.packbits(array).tobytes() if array.dtype == bool else array.tobytes())
    return digest.hexdigest()
