"""What a device of the felif family does: run sequences of input values through a spiking network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from attractor.host.calls import Calls
from attractor.host.link import Progress
from attractor.spec import FelifResult, FelifSpec, SpecError

__all__ = ["FelifCalls", "Frames", "joined_results"]

Frames = npt.NDArray[np.int64]


class FelifCalls(Calls):
    """Methods of a device that holds a spiking network."""

    def run_sequence(
        self, frames: npt.ArrayLike, *, keep: bool = False, time_limit: float | None = None
    ) -> FelifResult:
        """Run the ticks of one sequence.

        A sequence of more ticks than the device takes at once goes there in parts, each of which goes on where the one
        before ended.

        Parameters
        ----------
        frames:
            Input values, shape (ticks, inputs), at least one tick.
        keep:
            Go on from the states in which the last sequence ended. If the device was loaded or reset since then, it
            begins at the start.
        time_limit:
            Seconds for each part; None for :data:`attractor.host.link.CALL_SECONDS`.

        Returns
        -------
        FelifResult
            Of the whole sequence: voltages after its last tick, or spikes in all its ticks. If a part was aborted, of
            the ticks that were run.

        Raises
        ------
        SpecError
            If the values do not fit the spec; nothing was run.
        LinkError
            If a part failed; states are then those of any tick, so begin anew, without ``keep``.
        """
        spec = self.spec_of(FelifSpec)
        ticks = _sequence(spec, frames)
        parts = [ticks[start : start + spec.ticks] for start in range(0, len(ticks), spec.ticks)]
        return joined_results(spec, self._run_parts(spec, parts, keep, None, time_limit))

    def run_sequences(
        self, frames: npt.ArrayLike, *, progress: Progress | None = None, time_limit: float | None = None
    ) -> list[FelifResult]:
        """Run a batch of sequences, one after the other, each from the start.

        Parameters
        ----------
        frames:
            Input values, shape (sequences, ticks, inputs).
        progress:
            Called after each sequence with the number of finished ones and that of all.
        time_limit:
            As for :meth:`run_sequence`.

        Returns
        -------
        list of FelifResult
            One for each sequence.

        Raises
        ------
        SpecError
            If the values do not fit the spec; nothing was run.
        LinkError
            If a call failed.
        """
        spec = self.spec_of(FelifSpec)
        batch = spec.check_frames(frames)
        if batch.ndim != 3:
            raise SpecError(
                f"input values have shape {batch.shape}; a batch has shape (sequences, ticks, {spec.inputs})"
            )
        for ticks in batch[:1]:
            _sequence(spec, ticks)
        starts = range(0, batch.shape[1], spec.ticks)
        inputs = (
            spec.encode_input(ticks[start : start + spec.ticks], keep=start > 0) for ticks in batch for start in starts
        )
        parts: list[FelifResult] = []
        results: list[FelifResult] = []
        for part in self.results(inputs, len(batch) * len(starts), time_limit=time_limit, together=max(len(starts), 1)):
            parts.append(part)
            if len(parts) == len(starts):
                results.append(joined_results(spec, parts))
                parts = []
                if progress is not None:
                    progress(len(results), len(batch))
        return results

    def run_ticks(
        self,
        frames: npt.ArrayLike,
        *,
        keep: bool = False,
        progress: Progress | None = None,
        time_limit: float | None = None,
    ) -> list[FelifResult]:
        """Run one sequence with a call for each tick, to see the outputs after every tick.

        Parameters
        ----------
        frames, keep, time_limit:
            As for :meth:`run_sequence`.
        progress:
            Called after each tick with the number of finished ones and that of all.

        Returns
        -------
        list of FelifResult
            One for each tick: voltages after it, or the spikes in it.

        Raises
        ------
        SpecError, LinkError
            As :meth:`run_sequence` does.
        """
        spec = self.spec_of(FelifSpec)
        ticks = _sequence(spec, frames)
        return list(self._run_parts(spec, ticks[:, None], keep, progress, time_limit))

    def _run_parts(
        self,
        spec: FelifSpec,
        parts: Sequence[Frames] | Frames,
        keep: bool,
        progress: Progress | None,
        time_limit: float | None,
    ) -> Iterator[FelifResult]:
        """Run parts of a sequence, up to one that is aborted."""
        inputs = (spec.encode_input(part, keep=keep or index > 0) for index, part in enumerate(parts))
        for result in self.results(inputs, len(parts), progress=progress, time_limit=time_limit, repeatable=False):
            yield result
            if result.aborted:
                return


def joined_results(spec: FelifSpec, parts: Iterable[FelifResult]) -> FelifResult:
    """Return the result of a sequence that was run in parts, at least one."""
    results = list(parts)
    outputs = results[-1].outputs
    if spec.layers[-1].spikes:
        outputs = np.sum([result.outputs for result in results], axis=0)
    return FelifResult(
        winner=int(outputs.argmax()),
        outputs=outputs,
        ticks=sum(result.ticks for result in results),
        spikes=sum(result.spikes for result in results),
        cycles=sum(result.cycles for result in results),
        aborted=results[-1].aborted,
    )


def _sequence(spec: FelifSpec, frames: npt.ArrayLike) -> Frames:
    ticks = spec.check_frames(frames)
    if ticks.ndim != 2 or not len(ticks):
        raise SpecError(
            f"input values have shape {ticks.shape}; a sequence has shape (ticks, {spec.inputs}) and at least one tick"
        )
    return ticks
