"""What a device of the eqprop family does: name the class of input bits, and learn from labelled samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from attractor.host.calls import Calls
from attractor.host.errors import DeviceError, HostError, LearningError, LinkError, PortError, SessionLost
from attractor.host.link import Progress
from attractor.spec import EqPropResult, EqPropSpec, SpecError
from attractor.spec.protocol import Status

__all__ = ["Counts", "EqPropCalls", "SampleLearning", "drawn_sigmas"]

Counts = npt.NDArray[np.int64]
Reported = TypeVar("Reported")


@dataclass(frozen=True)
class SampleLearning:
    """What a device reported of each sample that it learnt, all of shape (samples,), int64.

    Parameters
    ----------
    winners:
        Class that the free phase named: what the network said before it learnt the sample.
    touched:
        Counters that the sample changed or would have, were they not at the end of their range.
    flips:
        Weights that changed their sign.
    free_steps, nudged_steps:
        Steps of the two phases.
    cycles:
        Clock cycles of the call; 0 on a board that does not model them.
    """

    winners: Counts
    touched: Counts
    flips: Counts
    free_steps: Counts
    nudged_steps: Counts
    cycles: Counts

    @classmethod
    def of(cls, results: list[EqPropResult]) -> SampleLearning:
        """Return the numbers of some results."""
        numbers = [(r.winner, r.touched, r.flips, r.free_steps, r.nudged_steps, r.cycles) for r in results]
        return cls(*np.array(numbers, np.int64).reshape(-1, 6).T)

    @classmethod
    def joined(cls, parts: Sequence[SampleLearning]) -> SampleLearning:
        """Return the numbers of some calls of :meth:`EqPropCalls.learn_samples`, at least one, in a row."""
        columns = [vars(part).values() for part in parts]
        return cls(*(np.concatenate(column) for column in zip(*columns, strict=True)))

    def without_cycles(self) -> dict[str, Counts]:
        """Return by name all that the golden model reports, too; it has no clock."""
        return {name: array for name, array in vars(self).items() if name != "cycles"}


class EqPropCalls(Calls):
    """Methods of a device that holds a binary Equilibrium Propagation array."""

    def infer(
        self, bits: npt.ArrayLike, *, progress: Progress | None = None, time_limit: float | None = None
    ) -> list[EqPropResult]:
        """Run the free phase of a batch of samples, one after the other; nothing is learnt.

        Parameters
        ----------
        bits:
            Input bits, 0 or 1, shape (samples, inputs), or (inputs,) for one sample.
        progress:
            Called after each sample with the number of finished ones and that of all.
        time_limit:
            Seconds for each sample; None for :data:`attractor.host.link.CALL_SECONDS`.

        Returns
        -------
        list of EqPropResult
            One for each sample.

        Raises
        ------
        SpecError
            If the bits do not fit the spec; nothing was run.
        LinkError
            If a call failed.
        """
        spec = self.spec_of(EqPropSpec)
        samples = _samples(spec, bits)
        inputs = map(spec.encode_input, samples)
        return list(self.results(inputs, len(samples), progress=progress, time_limit=time_limit))

    def classify(
        self, bits: npt.ArrayLike, *, progress: Progress | None = None, time_limit: float | None = None
    ) -> Counts:
        """Return the class that the free phase names for each sample, shape (samples,); arguments as for :meth:`infer`.

        Only the winners come back, so the line carries more samples a second than with :meth:`infer`.
        """
        spec = self.spec_of(EqPropSpec)
        samples = _samples(spec, bits)
        inputs = map(spec.encode_input, samples)
        winners = self.winners(inputs, len(samples), progress=progress, time_limit=time_limit)
        return np.array(list(winners), np.int64)

    def teach(
        self,
        bits: npt.ArrayLike,
        labels: npt.ArrayLike,
        thresholds: npt.ArrayLike,
        *,
        sigmas: npt.ArrayLike | np.random.Generator = 1,
        progress: Progress | None = None,
        time_limit: float | None = None,
    ) -> Counts:
        """Teach the device labelled samples, and return what it named each before, shape (samples,).

        Arguments, learning and errors as of :meth:`learn_samples`, of whose reports only the winners come back.
        """
        inputs = self._lessons(bits, labels, thresholds, sigmas)
        winners = self.winners(inputs, len(inputs), progress=progress, time_limit=time_limit, repeatable=False)
        return np.array(self._reported(winners, len(inputs)), np.int64)

    def learn_samples(
        self,
        bits: npt.ArrayLike,
        labels: npt.ArrayLike,
        thresholds: npt.ArrayLike,
        *,
        sigmas: npt.ArrayLike | np.random.Generator = 1,
        progress: Progress | None = None,
        time_limit: float | None = None,
    ) -> SampleLearning:
        """Teach the device labelled samples, one after the other. It changes the weights and counters that it holds.

        A call shows it one sample: the network settles, settles again while its outputs are nudged, and every
        connection counts for which weights the difference speaks; see :meth:`EqPropNetwork.learn`. Learning goes on
        where it ended, also after :meth:`Device.read_model`, :meth:`Model.save` and :meth:`Device.load`.

        Parameters
        ----------
        bits, progress, time_limit:
            As for :meth:`infer`.
        labels:
            Class of each sample, 0 to ``classes - 1``, shape (samples,), or a number for one sample.
        thresholds:
            Count against a weight at which it flips, shape (connections,); see :meth:`EqPropSpec.check_thresholds`.
        sigmas:
            1 to nudge toward the label, -1 away from it: a number, shape (samples,), or a generator that draws them.

        Returns
        -------
        SampleLearning
            Winners and counts; the weights stay in the device.

        Raises
        ------
        SpecError
            If the network cannot learn, or an argument does not fit; nothing was learnt.
        LearningError
            If a call failed; it says how many samples were learnt before, and whether the device still holds them.
        """
        inputs = self._lessons(bits, labels, thresholds, sigmas)
        results = self.results(inputs, len(inputs), progress=progress, time_limit=time_limit, repeatable=False)
        return SampleLearning.of(self._reported(results, len(inputs)))

    def _reported(self, reports: Iterable[Reported], samples: int) -> list[Reported]:
        """Return what calls that learn report; say how many were learnt if one of them fails."""
        taken: list[Reported] = []
        try:
            for report in reports:
                taken.append(report)  # noqa: PERF402 - one by one: those before a failure were learnt
        except (LinkError, PortError) as error:
            raise _failure(error, len(taken), samples, self.device.unanswered_calls) from error
        return taken

    def _lessons(
        self,
        bits: npt.ArrayLike,
        labels: npt.ArrayLike,
        thresholds: npt.ArrayLike,
        sigmas: npt.ArrayLike | np.random.Generator,
    ) -> list[bytes]:
        """Return the inputs of calls that learn."""
        spec = self.spec_of(EqPropSpec)
        if not spec.learning:
            raise SpecError("this network cannot learn; build gateware from a spec with learning=True")
        samples, limits = _samples(spec, bits), spec.check_thresholds(thresholds)
        classes, signs = _labels(spec, labels, len(samples)), drawn_sigmas(sigmas, len(samples))
        return [
            spec.encode_input(sample, sigma=sigma, label=label, thresholds=limits)
            for sample, label, sigma in zip(samples, classes.tolist(), signs.tolist(), strict=True)
        ]


def drawn_sigmas(sigmas: npt.ArrayLike | np.random.Generator, samples: int) -> Counts:
    """Return the direction of each sample's nudge, 1 or -1, shape (samples,).

    Parameters
    ----------
    sigmas:
        A number, one for each sample, or a generator that draws them with equal chances.
    samples:
        Number of samples.

    Raises
    ------
    SpecError
        If the shape does not fit, or a value is neither 1 nor -1.
    """
    if isinstance(sigmas, np.random.Generator):
        return sigmas.choice(np.array([-1, 1]), samples)
    array = np.asarray(sigmas)
    if array.shape not in ((), (samples,)):
        raise SpecError(f"sigmas have shape {array.shape}; give one number, one for each of {samples}, or a generator")
    wrong = (array != 1) & (array != -1)
    if wrong.any():
        raise SpecError(f"a sigma is {array[wrong].flat[0]}; use 1 to nudge toward the label, -1 away from it")
    return np.broadcast_to(array, samples).astype(np.int64)


def _failure(error: HostError, learnt: int, samples: int, unanswered: int) -> LearningError:
    """Return how learning failed after ``learnt`` reports came, and ``unanswered`` were still on their way."""
    refused = isinstance(error, DeviceError)
    lost = isinstance(error, SessionLost) or (refused and error.status == Status.INVALID_PARAMETERS)
    if refused:
        unanswered = int(error.status == Status.ABORTED)  # a call that is ended late has learnt
    return LearningError(str(error), learnt, samples, most=learnt + unanswered, lost=lost)


def _samples(spec: EqPropSpec, bits: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    samples = np.atleast_2d(spec.check_bits(bits))
    if samples.ndim != 2:
        raise SpecError(f"input bits have shape {samples.shape}; samples have shape (samples, {spec.layers[0]})")
    return samples


def _labels(spec: EqPropSpec, labels: npt.ArrayLike, samples: int) -> Counts:
    array = np.atleast_1d(labels)
    if array.shape != (samples,):
        raise SpecError(f"labels have shape {array.shape}; there are {samples} samples, so they need ({samples},)")
    if not np.issubdtype(array.dtype, np.integer):
        raise SpecError(f"labels have type {array.dtype}; number the classes from 0 to {spec.classes - 1}")
    wrong = (array < 0) | (array >= spec.classes)
    if wrong.any():
        raise SpecError(f"a label is {array[wrong][0]}; classes are numbered from 0 to {spec.classes - 1}")
    return array.astype(np.int64)
