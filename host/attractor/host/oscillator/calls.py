"""What a device of the oscillator family does: let phases settle, name the winning label, and learn patterns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attractor.host.calls import Calls, Progress
from attractor.host.oscillator.learning import Learning, LearningRule, chosen_margin, taught_phases
from attractor.host.oscillator.spins import SpinReads
from attractor.spec import OscillatorResult, OscillatorSpec, SpecError

__all__ = ["OscillatorCalls", "Progress"]


class OscillatorCalls(Calls):
    """Methods of a device that holds an oscillator network."""

    def recall(
        self,
        phases: npt.ArrayLike,
        clamp: npt.ArrayLike | None = None,
        *,
        seeds: npt.ArrayLike | None = None,
        random_start: bool = False,
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
        random_start:
            Let the device draw the start phases of targets that are not clamped from the seeds; the given ones mean
            nothing then. Only where the spec has ``random_start``.
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
            If phases, clamp or seeds do not fit the spec, or the network draws no start phases; nothing was run.
        LinkError
            If a call failed.
        """
        spec = self.spec_of(OscillatorSpec)
        inputs = _batch(spec, phases, clamp, seeds, random_start=random_start)
        return list(self.results(inputs, len(inputs), progress=progress, time_limit=time_limit))

    def anneal(
        self,
        seeds: npt.ArrayLike,
        clamp: npt.ArrayLike | None = None,
        phases: npt.ArrayLike | None = None,
        *,
        progress: Progress | None = None,
        time_limit: float | None = None,
    ) -> SpinReads:
        """Run networks from random starts, and bring back spins alone: one bit a target for each seed.

        Parameters
        ----------
        seeds:
            Seeds of start phases and noise, shape (reads,), 0 to ``2**63 - 1``.
        clamp:
            True where an oscillator must not move, shape (oscillators,); default nowhere. The first ``inputs`` never
            move, whatever it says.
        phases:
            Phases in slots, shape (oscillators,); those of clamped oscillators and inputs count. Default 0.
        progress, time_limit:
            As for :meth:`recall`.

        Raises
        ------
        SpecError
            If the network draws no start phases, or seeds, clamp or phases do not fit; nothing was run.
        LinkError
            If a call failed.
        """
        spec = self.spec_of(OscillatorSpec)
        spec.check_random_start()
        chosen, given = np.asarray(seeds), np.zeros(spec.oscillators, np.uint8) if phases is None else phases
        if chosen.ndim != 1:
            raise SpecError(f"the seeds have shape {chosen.shape}; give one for each read, shape (reads,)")
        fixed = spec.check_phases(given)
        if fixed.ndim != 1:
            raise SpecError(f"phases have shape {fixed.shape}; all reads share them, shape {(spec.oscillators,)}")
        starts = np.broadcast_to(fixed, (len(chosen), spec.oscillators))
        inputs = _batch(spec, starts, clamp, chosen, random_start=True)
        answers = self.beginnings(inputs, len(inputs), spec.spin_bytes, progress=progress, time_limit=time_limit)
        return SpinReads.of(spec, list(answers))

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
        spec = self.spec_of(OscillatorSpec)
        if not spec.labels:
            raise SpecError("this network has no labels, so it cannot classify; use recall, or a spec with labels")
        inputs = _batch(spec, phases, clamp, None)
        winners = self.winners(inputs, len(inputs), progress=progress, time_limit=time_limit)
        return np.array(list(winners), np.int64)

    def learn(
        self,
        patterns: npt.ArrayLike,
        *,
        rule: LearningRule = "diederich-opper",
        margin: int | None = None,
        max_epochs: int = 100,
        clamp: npt.ArrayLike | None = None,
        progress: Progress | None = None,
        time_limit: float | None = None,
    ) -> Learning:
        """Teach the device patterns. It changes the weights that it holds: load a model with zeros to begin anew.

        A call shows it one pattern s. Each target i with ``s_i h_i < margin`` adds ``s_i s_j`` to its weight from every
        other oscillator j; a weight at the end of its range stays. Hebb's rule makes every target learn, in one pass.
        Diederich and Opper's goes over the patterns until a pass in which no target learnt.

        Parameters
        ----------
        patterns:
            +1 and -1, shape (patterns, oscillators); or phases in slots, none of them negative.
        rule:
            ``"hebb"`` or ``"diederich-opper"``.
        margin:
            Field by which a target has to hold a pattern, 1 to :attr:`OscillatorSpec.margin_high`; None for
            :func:`~attractor.host.oscillator.learning.default_margin`. Not for Hebb's rule.
        max_epochs:
            Most passes of Diederich and Opper's rule; if they are not enough, :attr:`Learning.held` is False.
        clamp:
            True where an oscillator does not learn, shape (oscillators,); default nowhere.
        progress, time_limit:
            As for :meth:`recall`, of calls and the most that there can be.

        Returns
        -------
        Learning
            With a model of the weights read back, ready to be saved.

        Raises
        ------
        SpecError
            If the network cannot learn, or an argument does not fit; nothing was learnt.
        LinkError
            If a call failed; what was learnt before it stays.
        """
        spec = self.spec_of(OscillatorSpec)
        chosen = chosen_margin(spec, rule, margin)
        if max_epochs < 1:
            raise SpecError(f"max_epochs is {max_epochs}; at least one pass is needed")
        inputs = [spec.encode_input(phases, clamp, margin=chosen) for phases in taught_phases(spec, patterns)]
        passes: list[list[OscillatorResult]] = []
        held, most = False, 1 if rule == "hebb" else max_epochs
        while not held and len(passes) < most:
            shown, options = len(passes) * len(inputs), {"progress": progress, "time_limit": time_limit}
            lesson = self.results(inputs, most * len(inputs), before=shown, repeatable=False, **options)
            passes.append(list(lesson))
            held = all(result.settled for result in passes[-1])
        cycles = np.array([[result.cycles for result in each] for each in passes], np.int64)
        return Learning.of(rule, chosen, None if rule == "hebb" else held, cycles, self.read_model())


def _batch(
    spec: OscillatorSpec,
    phases: npt.ArrayLike,
    clamp: npt.ArrayLike | None,
    seeds: npt.ArrayLike | None,
    *,
    random_start: bool = False,
) -> list[bytes]:
    """Return the input regions of a batch of networks."""
    batch = np.atleast_2d(spec.check_phases(phases))
    if batch.ndim != 2:
        raise SpecError(f"phases have shape {batch.shape}; a batch has shape (batch, {spec.oscillators})")
    mask = np.zeros(spec.oscillators, bool) if clamp is None else np.asarray(clamp, bool)
    if mask.shape not in (np.shape(phases), (spec.oscillators,)):
        raise SpecError(f"the clamp mask has shape {mask.shape}; it needs {np.shape(phases)} or {(spec.oscillators,)}")
    masks = np.broadcast_to(mask, batch.shape)
    chosen = np.zeros(len(batch), np.uint64) if seeds is None else np.asarray(seeds)
    if chosen.shape != (len(batch),):
        raise SpecError(f"the seeds have shape {chosen.shape}; a batch of {len(batch)} needs {(len(batch),)}")
    starts = zip(batch, masks, chosen.tolist(), strict=True)
    return [spec.encode_input(start, clamped, seed, random_start=random_start) for start, clamped, seed in starts]
