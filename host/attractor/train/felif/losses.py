"""What networks are trained for: the losses of sequences, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from attractor.train.felif.bruno import Floats

__all__ = ["Classes", "Loss", "NextFrame", "Samples"]


class Samples(NamedTuple):
    """Sequences and what is wanted of them.

    Parameters
    ----------
    frames:
        Input values of each sequence, shape (ticks, inputs).
    targets:
        For :class:`NextFrame` those frames that are to be foretold, shape (ticks, outputs); for :class:`Classes` the
        class of each sequence.
    """

    frames: Sequence[npt.NDArray[np.generic]]
    targets: Sequence[npt.NDArray[np.generic] | int]

    def part(self, indices: Sequence[int]) -> Samples:
        """Return some of the sequences."""
        return Samples([self.frames[i] for i in indices], [self.targets[i] for i in indices])

    def padded(self) -> Floats:
        """Return the frames of all sequences, shape (longest, sequences, inputs), with zeros at the end."""
        longest = max(len(frame) for frame in self.frames)
        padded = np.zeros((longest, len(self.frames), self.frames[0].shape[1]))
        for index, frame in enumerate(self.frames):
            padded[: len(frame), index] = frame
        return padded


class Loss(Protocol):
    """A loss of each sequence."""

    def __call__(self, outputs: Floats, samples: Samples) -> tuple[Floats, Floats]:
        """Return the loss of each sequence, and the gradient of their mean by the outputs.

        ``outputs`` has shape (ticks, sequences, outputs).
        """
        ...


class NextFrame:
    """Binary cross-entropy of the next frame, the mean over its bits and over the ticks of a sequence.

    Parameters
    ----------
    ignored:
        First ticks that do not count.
    """

    def __init__(self, ignored: int = 0) -> None:
        self.ignored = ignored

    def __call__(self, outputs: Floats, samples: Samples) -> tuple[Floats, Floats]:
        """Return losses and gradient; outputs are logits."""
        losses, gradient = np.empty(len(samples.frames)), np.zeros_like(outputs)
        for index, target in enumerate(samples.targets):
            wanted = np.asarray(target, np.float64)
            part = slice(self.ignored, len(wanted))
            logits, wanted = outputs[part, index], wanted[self.ignored :]
            losses[index] = (np.logaddexp(0.0, logits) - wanted * logits).mean()
            gradient[part, index] = (1 / (1 + np.exp(-np.clip(logits, -60, 60))) - wanted) / wanted.size
        return losses, gradient / len(losses)


class Classes:
    """Cross-entropy of softmax over the outputs after the last tick, or over their sum.

    Parameters
    ----------
    summed:
        Sum the outputs over time, as is needed where they are spikes.
    scale:
        Factor of the outputs.
    """

    def __init__(self, *, summed: bool = False, scale: float = 1.0) -> None:
        self.summed, self.scale = summed, scale

    def scores(self, outputs: Floats) -> Floats:
        """Return what is compared, shape (sequences, classes)."""
        return outputs.sum(axis=0) if self.summed else outputs[-1]

    def __call__(self, outputs: Floats, samples: Samples) -> tuple[Floats, Floats]:
        """Return losses and gradient; all sequences have the same length."""
        logits = self.scores(outputs) * self.scale
        logits = logits - logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        shares = odds / odds.sum(axis=1, keepdims=True)
        rows, labels = np.arange(len(logits)), np.asarray(samples.targets, np.intp)
        losses = np.log(odds.sum(axis=1)) - logits[rows, labels]
        shares[rows, labels] -= 1
        gradient = np.zeros_like(outputs)
        gradient[slice(None) if self.summed else -1] = shares * self.scale / len(losses)
        return losses, gradient
