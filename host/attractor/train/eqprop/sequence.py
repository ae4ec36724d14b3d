"""Learning from one sample after the other, nearly as fast as from mini-batches.

A block of samples runs as if none of them taught anything. Then they are gone through in order. Where one flips
weights, the neurons at both ends of these see other sums in the samples that follow; all others see bits, and only
bits. So it is enough to run those neurons again, on the recorded bits of their neighbours: if they send the same bits
after every step, all neurons do, and the recording of the sample stays true. With the first sample in which they do
not, the next block begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.spec import IntegerArray
from attractor.train.eqprop.events import BoolArray, EventLearner, Flips, Indices, Layer, Nudge, Sums

__all__ = ["LARGEST_BLOCK", "RECORDING_BYTES", "SMALLEST_BLOCK", "Recording", "SequenceLearner"]

#: Samples of a block.
SMALLEST_BLOCK, LARGEST_BLOCK = 8, 64
#: Most bytes of the recording of a block.
RECORDING_BYTES = 1 << 28


@dataclass
class Recording:
    """What a block of samples did.

    Parameters
    ----------
    sums:
        For each layer its sums before each recorded step, shape (frames, samples, neurons), int16.
    bits:
        For each layer its bits before each recorded step and after the last, shape (frames + 1, samples, neurons).
    frames:
        For each step of both phases, the frame that holds it: a phase that has settled repeats its last one.
    free_steps, free_frames:
        Steps of the free phase, and frames of it.
    """

    sums: list[Sums]
    bits: list[BoolArray]
    frames: list[int]
    free_steps: int
    free_frames: int

    def ends(self, layer: int) -> tuple[BoolArray, BoolArray]:
        """Return the bits of a layer at the end of both phases, shape (samples, neurons)."""
        return self.bits[layer][self.free_frames], self.bits[layer][-1]


class _Recorder:
    """Frames of a block, while it runs."""

    def __init__(self) -> None:
        self.sums: list[list[Sums]] = []
        self.bits: list[list[BoolArray]] = []

    def before_step(self, network: list[Layer]) -> None:
        # A step corrects sums in place and replaces bits.
        self.sums.append([layer.sums.copy() for layer in network])
        self.bits.append([layer.bits for layer in network])


class SequenceLearner(EventLearner):
    """Also learns from one sample after the other; parameters and errors as for :class:`EventLearner`."""

    def learn_each(
        self, bits: BoolArray, labels: IntegerArray, sigmas: IntegerArray, thresholds: IntegerArray
    ) -> npt.NDArray[np.int64]:
        """Learn as :meth:`learn` does from batches of one; arguments and result are the same."""
        frame_bytes = 3 * self.spec.targets * (self._free_steps + self._nudged_steps)
        most = max(1, min(LARGEST_BLOCK, RECORDING_BYTES // frame_bytes))
        flips = np.zeros(self.spec.connections, np.int64)
        start, size = 0, most
        while start < len(bits):
            part = slice(start, start + size)
            learnt = self._learn_block(bits[part], labels[part], sigmas[part], thresholds, flips)
            start += learnt
            # The longer a block, the more of it is run in vain.
            size = min(max(2 * learnt, SMALLEST_BLOCK), most)
        return flips

    def _learn_block(
        self,
        bits: BoolArray,
        labels: IntegerArray,
        sigmas: IntegerArray,
        thresholds: IntegerArray,
        flips: npt.NDArray[np.int64],
    ) -> int:
        """Learn from the first samples, as many as can be told from one run; return how many, and count flips."""
        nudge = self._nudge(labels, sigmas)
        recording = self._record(bits, nudge)
        ends = [recording.ends(layer) for layer in range(self.spec.connections)]
        teaches = np.any([(n != f).any(axis=1) for f, n in ends], axis=0)
        valid = len(bits)
        for index in teaches.nonzero()[0].tolist():
            if index >= valid:
                break
            only = slice(index, index + 1)
            free, nudged = ([bits[only], *(end[phase][only] for end in ends)] for phase in (0, 1))
            flipped = self._learn_all(free, nudged, nudge.sigma[only], thresholds)
            for flip in flipped:
                flips[flip.connection] += len(flip.steps)
            if flipped and index + 1 < valid:
                rest = slice(index + 1, valid)
                differ = self._differ(recording, rest, bits[rest], nudge.part(rest), flipped).nonzero()[0]
                if differ.size:
                    valid = index + 1 + int(differ[0])
        return valid

    def _record(self, bits: BoolArray, nudge: Nudge) -> Recording:
        """Run both phases of a block."""
        network = self._start(bits)
        recorder, frames = _Recorder(), []
        free_frames = 0
        for steps, pull in ((self._free_steps, None), (self._nudged_steps, nudge)):
            free_frames = len(recorder.sums)
            for step in range(steps):
                recorder.before_step(network)
                states = [layer.states for layer in network]
                changed = self._step(network, pull, first=pull is None and step == 0)
                if not changed and all(
                    np.array_equal(a, layer.states) for a, layer in zip(states, network, strict=True)
                ):
                    break
            last = len(recorder.sums) - 1
            frames += [min(free_frames + step, last) for step in range(steps)]
        recorder.bits.append([layer.bits for layer in network])
        sums = [np.stack(part) for part in zip(*recorder.sums, strict=True)]
        recorded = [np.stack(part) for part in zip(*recorder.bits, strict=True)]
        return Recording(sums, recorded, frames, self._free_steps, free_frames)

    def _differ(
        self, recording: Recording, rest: slice, inputs: BoolArray, nudge: Nudge, flipped: list[Flips]
    ) -> BoolArray:
        """Bring recorded sums up to date after flips; return which samples would send other bits."""
        shifts: list[list[tuple[Indices, Sums]]] = [[] for _ in recording.sums]
        for connection, above, below, steps in flipped:
            if connection:
                lower, upper = (recording.bits[layer][:-1, rest] for layer in (connection - 1, connection))
                shifts[connection].append((above, lower[:, :, below] * steps))
                shifts[connection - 1].append((below, upper[:, :, above] * steps))
            else:
                shifts[0].append((above, (inputs[:, below] * steps)[None]))
        differ = np.zeros(len(inputs), bool)
        for layer, parts in enumerate(shifts):
            if parts:
                neurons = self._shift(recording.sums[layer][:, rest], parts)
                differ |= self._neurons_differ(recording, layer, neurons, rest, nudge)
        return differ

    @staticmethod
    def _shift(sums: Sums, parts: list[tuple[Indices, Sums]]) -> Indices:
        """Add to the sums of some neurons, which may be named more than once; return them, once each."""
        for neurons, added in parts:
            # One by one is short work, as few weights flip at a time.
            for index, neuron in enumerate(neurons.tolist()):
                sums[:, :, neuron] += added[:, :, index]
        return np.unique(np.concatenate([neurons for neurons, _ in parts]))

    def _neurons_differ(
        self, recording: Recording, layer: int, neurons: Indices, rest: slice, nudge: Nudge
    ) -> BoolArray:
        """Run some neurons of a layer on the recorded sums; return in which samples they send other bits."""
        high = self.spec.state_highs[layer]
        sums = recording.sums[layer][:, rest, neurons]
        expected = recording.bits[layer][1:, rest, neurons]
        goals = nudge.goals[:, neurons] if layer == len(recording.sums) - 1 else None
        states = np.full(sums.shape[1:], high, np.int16)
        differ = np.zeros(sums.shape[1:], bool)
        for step, frame in enumerate(recording.frames):
            added = sums[frame]
            if goals is not None and step >= recording.free_steps:
                added = added + ((goals - states) << self.spec.nudge_shift) * nudge.sigma
            states = np.clip((states + added) >> 1, 0, high)
            np.logical_or(differ, (states >= (high + 1) // 2) != expected[frame], out=differ)
        return np.any(differ, axis=1)
