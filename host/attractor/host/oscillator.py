"""What a device of the oscillator family does: let phases settle, and name the winning label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from attractor.host.errors import ModelMismatch
from attractor.spec import OscillatorResult, OscillatorSpec, Spec, SpecError

#: Called with the number of finished networks and that of all.
Progress = Callable[[int, int], None]


class OscillatorCalls(ABC):
    """Methods of a device that holds an oscillator network."""

    spec: Spec

    @abstractmethod
    def call(self, inputs: bytes, *, time_limit: float | None = None) -> bytes:
        """Run the core once on the bytes of the input region; return those of the output region."""

    def recall(
        self,
        phases: npt.ArrayLike,
        clamp: npt.ArrayLike | None = None,
        *,
        seeds: npt.ArrayLike | None = None,
        progress: Progress | None = None,
        time_limit: float | None = None,
    ) -> list[OscillatorResult]:
        """Let a batch of networks settle, one after the other.

        Parameters
        ----------
        phases:
            Start phases in slots, shape (batch, oscillators), or (oscillators,) for a batch of one.
        clamp:
            True where an oscillator must not move, shape (oscillators,) or that of ``phases``; default nowhere.
        seeds:
            Seeds of the noise, shape (batch,), 0 to ``2**63 - 1``; default 0 for all. Without noise they mean nothing.
        progress:
            Called after each network.
        time_limit:
            Seconds for each network; None for :data:`attractor.host.link.CALL_SECONDS`.

        Returns
        -------
        list of OscillatorResult
            One for each network.

        Raises
        ------
        SpecError
            If phases, clamp or seeds do not fit the spec; nothing was run.
        LinkError
            If a call failed.
        """
        spec = self._oscillator_spec()
        batch = np.atleast_2d(spec.check_phases(phases))
        if batch.ndim != 2:
            raise SpecError(f"phases have shape {batch.shape}; a batch has shape (batch, {spec.oscillators})")
        mask = np.zeros(spec.oscillators, bool) if clamp is None else np.asarray(clamp, bool)
        if mask.shape not in (np.shape(phases), (spec.oscillators,)):
            raise SpecError(
                f"the clamp mask has shape {mask.shape}; it needs {np.shape(phases)} or {(spec.oscillators,)}"
            )
        masks = np.broadcast_to(mask, batch.shape)
        chosen = np.zeros(len(batch), np.uint64) if seeds is None else np.asarray(seeds)
        if chosen.shape != (len(batch),):
            raise SpecError(f"the seeds have shape {chosen.shape}; a batch of {len(batch)} needs {(len(batch),)}")
        inputs = [
            spec.encode_input(start, clamped, seed)
            for start, clamped, seed in zip(batch, masks, chosen.tolist(), strict=True)
        ]
        results = []
        for data in inputs:
            outputs = self.call(data, time_limit=time_limit)
            results.append(OscillatorResult.decode(outputs))
            if progress is not None:
                progress(len(results), len(batch))
        return results

    def classify(
        self,
        phases: npt.ArrayLike,
        clamp: npt.ArrayLike | None = None,
        *,
        progress: Progress | None = None,
        time_limit: float | None = None,
    ) -> npt.NDArray[np.int64]:
        """Return the winning label of every network of a batch, shape (batch,); arguments as in :meth:`recall`.

        Raises
        ------
        SpecError
            If the network has no labels, or phases or clamp do not fit.
        LinkError
            If a call failed.
        """
        if not self._oscillator_spec().labels:
            raise SpecError("this network has no labels, so it cannot classify; use recall, or a spec with labels")
        results = self.recall(phases, clamp, progress=progress, time_limit=time_limit)
        return np.array([result.winner for result in results], np.int64)

    def _oscillator_spec(self) -> OscillatorSpec:
        if not isinstance(self.spec, OscillatorSpec):
            raise ModelMismatch(f"the device holds a network of family {self.spec.family!r}, not 'oscillator'")
        return self.spec
