"""Golden model of oscillator networks: every observable state equal to the core's, many networks at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from attractor.golden.noise import NoiseGenerator
from attractor.spec import IntegerArray, OscillatorResult, OscillatorSpec, SpecError
from attractor.spec.oscillator import MIXING_WORDS, NOISE_SHIFTS

__all__ = ["BoolArray", "OscillatorNetwork", "OscillatorRun", "OscillatorState", "ScheduleEntry"]

BoolArray = npt.NDArray[np.bool_]
#: Where fewer than one of so many levels of a network changed, sums are brought up to date by these alone.
_FEW = 8


class ScheduleEntry(NamedTuple):
    """A row of the schedule, :attr:`OscillatorSpec.schedule_columns`."""

    periods: int
    noise: int
    max_step: int
    lock: int
    alternate: int
    flips: int = 0


@dataclass
class OscillatorState:
    """A batch of networks between two slots.

    All networks of a batch share weights, schedule and slot number; each stops on its own and is frozen from then on.

    Parameters
    ----------
    slot:
        Slots run so far, so also the number of the next slot.
    phases:
        Phase of every oscillator in the next slot, shape (batch, oscillators), uint8.
    clamped:
        True for oscillators that do not move, the first ``inputs`` included, shape (batch, oscillators).
    levels:
        Levels in the last slot, +1 or -1, 0 before the first, shape (batch, oscillators), int8.
    sums:
        Weighted sums in the last slot, without noise and lock; 0 before the first. Shape (batch, targets), int32.
    reference:
        Reference bits in the last slot, True for +1, shape (batch, targets).
    moved:
        True where the last slot changed a phase, shape (batch, targets).
    active:
        False for networks that have stopped, shape (batch,).
    periods:
        Whole periods run, shape (batch,), int64.
    quiet:
        Whole periods without a phase change, counted back from the last one, shape (batch,), int64.
    last_change:
        Slots from the start until the last phase change, the changing slot included; 0 if none changed.
        Shape (batch,), int64.
    noise:
        Generator of the random signs.
    """

    slot: int
    phases: npt.NDArray[np.uint8]
    clamped: BoolArray
    levels: npt.NDArray[np.int8]
    sums: npt.NDArray[np.int32]
    reference: BoolArray
    moved: BoolArray
    active: BoolArray
    periods: npt.NDArray[np.int64]
    quiet: npt.NDArray[np.int64]
    last_change: npt.NDArray[np.int64]
    noise: NoiseGenerator


@dataclass(frozen=True)
class OscillatorRun:
    """How a batch of networks ended.

    Parameters
    ----------
    phases:
        Phases of all oscillators in slots, shape (batch, oscillators), uint8.
    winner:
        Label closest in phase to the reference, the lowest one on ties; -1 without labels. Shape (batch,), int64.
    settled:
        True if no phase changed in the last ``max(settle, 1)`` whole periods, shape (batch,).
    periods:
        Whole periods run, shape (batch,), int64.
    last_change:
        Slots from the start until the last phase change, the changing slot included; 0 if none changed.
        Shape (batch,), int64.
    aborted:
        True if the run was ended before the network stopped, shape (batch,).
    trace:
        Phases before the first slot and after every slot, shape (slots + 1, batch, oscillators), uint8; a network
        that has stopped repeats its last phases. None unless asked for.
    """

    phases: npt.NDArray[np.uint8]
    winner: npt.NDArray[np.int64]
    settled: BoolArray
    periods: npt.NDArray[np.int64]
    last_change: npt.NDArray[np.int64]
    aborted: BoolArray
    trace: npt.NDArray[np.uint8] | None = None


class OscillatorNetwork:
    """Oscillator network of one spec and one set of parameters.

    The sums come from a single-precision matrix product, which is exact: levels and weights are integers, and no
    partial sum exceeds ``4096 * 2048 = 2**23``, while single precision holds every integer up to ``2**24``. A network
    in which no level changed keeps its sums.

    Parameters
    ----------
    spec:
        The network.
    parameters:
        ``weights``, ``schedule`` and ``settle`` as :attr:`OscillatorSpec.parameters` describes them.

    Raises
    ------
    SpecError
        If a parameter does not fit the spec.
    """

    #: Where the random signs of a lane are in one word of its group; empty if each sign has a word of its own.
    sign_offsets: tuple[int, ...] = ()

    def __init__(self, spec: OscillatorSpec, parameters: Mapping[str, npt.ArrayLike]) -> None:
        self.spec = spec
        self.parameters = spec.check_parameters(parameters)
        self._load_couplings()
        self._settle = int(self.parameters["settle"])
        schedule = self.parameters["schedule"]
        ended = np.flatnonzero(schedule[:, 0] == 0)
        self._entries = [ScheduleEntry(*entry) for entry in schedule[: ended[0] if ended.size else None].tolist()]
        self._entry_ends = list(accumulate(entry.periods for entry in self._entries))

    def _load_couplings(self) -> None:
        """Keep the weights in a form that sums are quick to make of."""
        self._columns = np.ascontiguousarray(self.parameters["weights"].T, np.float32)

    def field_columns(self) -> sparse.csc_array:
        """Return what each oscillator adds to the fields while it is high, shape (targets, oscillators), int32."""
        return sparse.csc_array(self.parameters["weights"], dtype=np.int32)

    def _sums(self, levels: npt.NDArray[np.int8], few: npt.NDArray[np.intp] | None = None) -> npt.NDArray[Any]:
        """Return the weighted sums of levels, or of changes of them, shape (networks, targets).

        ``levels`` has shape (networks, oscillators), or as many columns as there are oscillators in ``few``.
        """
        return levels.astype(np.float32) @ (self._columns if few is None else self._columns[few])

    def _fields(self, sums: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return the fields without noise and lock that sums stand for."""
        return sums

    # One slot at a time

    def start(
        self,
        phases: npt.ArrayLike,
        clamp: npt.ArrayLike | None = None,
        *,
        seeds: npt.ArrayLike | None = None,
        random_start: bool = False,
    ) -> OscillatorState:
        """Return the state before slot 0.

        Parameters
        ----------
        phases:
            Start phases in slots, shape (batch, oscillators).
        clamp:
            True where an oscillator must not move, shape (oscillators,) or (batch, oscillators); default nowhere.
            The first ``inputs`` never move, whatever it says.
        seeds:
            Seeds of the noise, shape (batch,), 0 to ``2**63 - 1``; default 0 for all. Without noise they mean nothing.
        random_start:
            Draw the phases of targets that are not clamped from the seeds, as :class:`OscillatorSpec` says; the given
            ones mean nothing then. Only where the spec has ``random_start``.

        Raises
        ------
        SpecError
            If a shape, type, phase or seed does not fit the spec, or the network draws no start phases.
        """
        spec = self.spec
        loaded = spec.check_phases(phases).astype(np.uint8)
        if loaded.ndim != 2:
            raise SpecError(f"phases have shape {loaded.shape}; a batch has shape (batch, {spec.oscillators})")
        mask = np.zeros(spec.oscillators, bool) if clamp is None else np.asarray(clamp, bool)
        if mask.shape not in (loaded.shape, loaded.shape[1:]):
            raise SpecError(f"the clamp mask has shape {mask.shape}; it needs {loaded.shape} or {loaded.shape[1:]}")
        clamped = np.broadcast_to(mask, loaded.shape).copy()
        clamped[:, : spec.inputs] = True
        batch, targets = len(loaded), (len(loaded), spec.targets)
        chosen = np.zeros(batch, np.uint64) if seeds is None else np.asarray(seeds)
        if chosen.shape != (batch,):
            raise SpecError(f"the seeds have shape {chosen.shape}; a batch of {batch} needs {(batch,)}")
        noise = NoiseGenerator(chosen, spec.lanes)
        if random_start:
            self._draw_phases(loaded, clamped, noise)
        return OscillatorState(
            slot=0,
            phases=loaded,
            clamped=clamped,
            levels=np.zeros(loaded.shape, np.int8),
            sums=np.zeros(targets, np.int32),
            reference=self._high(loaded[:, spec.inputs :], -1),
            moved=np.zeros(targets, bool),
            active=np.full(batch, bool(self._entry_ends)),
            periods=np.zeros(batch, np.int64),
            quiet=np.zeros(batch, np.int64),
            last_change=np.zeros(batch, np.int64),
            noise=noise,
        )

    def _draw_phases(self, phases: npt.NDArray[np.uint8], clamped: BoolArray, noise: NoiseGenerator) -> None:
        """Draw the phases of all that is not clamped, in place."""
        spec = self.spec
        spec.check_random_start()
        noise.skip(MIXING_WORDS)
        for oscillator in range(spec.inputs, spec.oscillators):
            free = np.flatnonzero(~clamped[:, oscillator])
            phases[free, oscillator] = noise.high_bits(spec.drawn_bits, free) << np.uint64(
                spec.phase_bits - spec.drawn_bits
            )

    def step(self, state: OscillatorState) -> None:
        """Run one slot of the active networks, in place; nothing happens to a batch without any."""
        rows = np.flatnonzero(state.active)
        if not rows.size:
            return
        self._update_sums(state, rows)
        state.moved[:] = False
        self._move(state, rows)
        state.slot += 1
        state.last_change[state.moved.any(axis=1)] = state.slot
        if state.slot % self.spec.period == 0:
            self._end_period(state, rows)

    # Whole runs

    def run(
        self,
        phases: npt.ArrayLike,
        clamp: npt.ArrayLike | None = None,
        *,
        seeds: npt.ArrayLike | None = None,
        random_start: bool = False,
        trace: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> OscillatorRun:
        """Run every network of a batch until it stops; arguments and errors as in :meth:`start`.

        ``trace`` keeps the phases of every slot, which takes a byte for each oscillator, network and slot. Where
        ``stop`` returns true before a slot, the run ends there.
        """
        state = self.start(phases, clamp, seeds=seeds, random_start=random_start)
        history = [state.phases.copy()]
        while state.active.any() and not (stop is not None and stop()):
            self.step(state)
            if trace:
                history.append(state.phases.copy())
        return OscillatorRun(
            phases=state.phases,
            winner=self.winner(state.phases),
            settled=state.quiet >= max(self._settle, 1),
            periods=state.periods,
            last_change=state.last_change,
            aborted=state.active,
            trace=np.stack(history) if trace else None,
        )

    def call(self, input_bytes: bytes) -> bytes:
        """Run one network on the bytes of a device's input region; return those of its output region."""
        return self.call_until(input_bytes, lambda: False)

    def call_until(self, input_bytes: bytes, stop: Callable[[], bool]) -> bytes:
        """Do what :meth:`call` does; where ``stop`` returns true before a slot, the call is aborted there."""
        spec = self.spec
        given = spec.decode_input(input_bytes)
        if given.margin:
            learnt = self.learn(given.phases, min(given.margin, spec.margin_high), given.clamp)
            return spec.encode_output(self._result(given.phases, not learnt.any()))
        run = self.run(given.phases[None], given.clamp, seeds=[given.seed], random_start=given.random_start, stop=stop)
        result = self._result(
            run.phases[0], bool(run.settled[0]), periods=int(run.periods[0]), last_change=int(run.last_change[0])
        )
        return spec.encode_output(replace(result, aborted=bool(run.aborted[0])))

    def _result(
        self, phases: IntegerArray, settled: bool, *, periods: int = 0, last_change: int = 0
    ) -> OscillatorResult:
        """Return what a call reports that ends with these phases of all oscillators."""
        spec = self.spec
        winner = int(self.winner(phases[None])[0]) if spec.labels else None
        spins = spec.spins(phases) if spec.random_start else None
        return OscillatorResult(phases[spec.inputs :], winner, settled, periods, last_change, spins=spins)

    def learn(self, phases: npt.ArrayLike, margin: int, clamp: npt.ArrayLike | None = None) -> BoolArray:
        """Show one pattern; change the weights of the targets that do not hold it well enough.

        With the levels ``s`` that the phases have in slot -1, target i learns if ``s_i h_i < margin``; it then adds
        ``s_i s_j`` to its weight from every other oscillator j. A weight at the end of its range stays. With a margin
        that no field reaches this is Hebb's rule, otherwise that of Diederich and Opper in steps of one.

        Parameters
        ----------
        phases:
            Pattern in slots, shape (oscillators,); commonly 0 and half a period.
        margin:
            1 to :attr:`OscillatorSpec.margin_high`.
        clamp:
            True where an oscillator does not learn, shape (oscillators,); default nowhere.

        Returns
        -------
        numpy.ndarray
            Targets that learnt, shape (targets,).
        """
        spec = self.spec
        state = self.start(np.asarray(phases)[None], clamp)
        levels = np.where(self._high(state.phases[0], -1), 1, -1)
        weights = self.parameters["weights"].astype(np.int64)
        own = levels[spec.inputs :]
        learns = (own * (weights @ levels) < margin) & ~state.clamped[0, spec.inputs :]
        steps = np.outer(own * learns, levels)
        steps[np.arange(spec.targets), np.arange(spec.inputs, spec.oscillators)] = 0
        changed = np.clip(weights + steps, spec.weight_low, spec.weight_high)
        self.parameters["weights"] = changed.astype(self.parameters["weights"].dtype)
        self._load_couplings()
        return learns

    def winner(self, phases: IntegerArray) -> npt.NDArray[np.int64]:
        """Return the label closest in phase to the reference, the lowest one on ties; -1 without labels.

        ``phases`` has shape (batch, oscillators), the result (batch,).
        """
        spec = self.spec
        if not spec.labels:
            return np.full(len(phases), -1, np.int64)
        ahead = (phases[:, -spec.labels :].astype(np.int64) - phases[:, spec.reference, None]) % spec.period
        return np.minimum(ahead, spec.period - ahead).argmin(axis=1)

    # Parts of a slot

    def _high(self, phases: npt.NDArray[np.uint8], slot: int) -> BoolArray:
        """Return where the level is +1 in a slot."""
        since_rise = (np.uint8(slot % self.spec.period) - phases) & np.uint8(self.spec.period - 1)
        return since_rise < self.spec.period // 2

    def _update_sums(self, state: OscillatorState, rows: npt.NDArray[np.intp]) -> None:
        """Bring levels and sums of ``rows`` to the present slot."""
        levels = np.where(self._high(state.phases[rows], state.slot), np.int8(1), np.int8(-1))
        turned = levels != state.levels[rows]
        changed = turned.any(axis=1)
        rows, levels = rows[changed], levels[changed]
        if len(rows) == 1 and _FEW * (few := np.flatnonzero(turned[changed][0])).size < self.spec.oscillators:
            # One network of which few levels changed: what these add is much less than all products.
            state.sums[rows] += self._sums(levels[:, few] - state.levels[rows][:, few], few).astype(np.int32)
        elif len(rows):
            state.sums[rows] = self._sums(levels)
        state.levels[rows] = levels

    def _disturbances(
        self, state: OscillatorState, entry: ScheduleEntry
    ) -> tuple[IntegerArray | int, BoolArray | None]:
        """Return what noise and lock add to the sums of all networks, and which targets may flip, None for the others.

        Draws random bits where there is noise, or a target flips.
        """
        added, may_flip = self._noise(state.noise, entry)
        if entry.lock:
            index = self.spec.lock_index(state.phases[:, self.spec.inputs :])
            slots = np.array(self.spec.lock_slots, np.uint8)
            added = added + np.where(self._high(slots, state.slot), entry.lock, -entry.lock)[index]
        return added, may_flip

    def _noise(self, noise: NoiseGenerator, entry: ScheduleEntry) -> tuple[IntegerArray | int, BoolArray | None]:
        """Return what noise adds to the sums, and which targets may flip, None where they turn; draw the bits of both.

        Those who may flip are seen from the words of the last sign, but where a lock is added in between.
        """
        added: IntegerArray | int = 0
        may_flip: BoolArray | None = None
        for shift in (NOISE_SHIFTS if entry.flips else (0,)) if entry.noise else ():
            negative, may_flip = self._draw(noise, entry.flips)
            added = added + np.where(negative, -(entry.noise >> shift), entry.noise >> shift)
        if entry.flips and (entry.lock or not entry.noise):
            _, may_flip = self._draw(noise, entry.flips)
        return added, may_flip

    def _draw(self, noise: NoiseGenerator, flips: int) -> tuple[BoolArray, BoolArray | None]:
        """Return the signs of all targets, True for -1, and who may flip by the same words; shapes (batch, targets)."""
        targets, allowed, signs = self.spec.targets, [], []
        for _ in range(self.spec.groups):
            if flips:
                allowed.append(noise.may_flip(flips))
            signs.append(noise.draw())
        may_flip = np.concatenate(allowed, axis=1)[:, :targets] if flips else None
        return np.concatenate(signs, axis=1)[:, :targets], may_flip

    def _move(self, state: OscillatorState, rows: npt.NDArray[np.intp]) -> None:
        """Update references and phases of ``rows`` from their sums, and mark the targets that moved."""
        spec, period, entry = self.spec, self.spec.period, self._entry(state.slot)
        second_half = state.slot % period >= period // 2
        before = state.reference[rows]
        if entry.flips:
            # A field of 0 leaves a target on its side.
            before = (spec.lock_index(state.phases[rows, spec.inputs :]) == 0) ^ second_half
        added, may_flip = self._disturbances(state, entry)
        fields = self._fields(state.sums[rows]) + (added[rows] if isinstance(added, np.ndarray) else added)
        reference = (fields > 0) | ((fields == 0) & before)
        state.reference[rows] = reference
        moves = reference != before
        if may_flip is not None:
            phases = state.phases[rows, spec.inputs :].astype(np.int64)
            at_edge = (phases - state.slot) % (period // 2) == 0
            moves &= may_flip[rows] & ~(at_edge & ((before ^ second_half) == (phases >= period // 2)))
        if entry.alternate:
            moves &= (np.arange(spec.targets) + state.slot + state.slot // period) % 2 == 0
        moves &= ~state.clamped[rows, spec.inputs :]

        row, target = np.nonzero(moves)
        network, oscillator, rises = rows[row], spec.inputs + target, reference[row, target]
        phase = state.phases[network, oscillator].astype(np.int64)
        if may_flip is None:
            following = self._turned(phase, rises, state.slot, entry.max_step)
        else:
            following = np.where(rises ^ second_half, 0, period // 2)
        state.phases[network, oscillator] = following
        state.moved[network, target] = following != phase

    def _turned(self, phases: IntegerArray, reference: BoolArray, slot: int, max_step: int) -> IntegerArray:
        """Return phases one step nearer to the slot of a rise, or to half a period from that of a fall."""
        period, half = self.spec.period, self.spec.period // 2
        ahead = (slot + np.where(reference, 0, half) - phases) % period
        shortest = np.where(ahead <= half, ahead, ahead - period)
        return (phases + np.clip(shortest, -max_step, max_step)) % period

    def _entry(self, slot: int) -> ScheduleEntry:
        """Return the schedule entry in force in ``slot``."""
        return self._entries[bisect_right(self._entry_ends, slot // self.spec.period)]

    def _end_period(self, state: OscillatorState, rows: npt.NDArray[np.intp]) -> None:
        """Count the period that has just ended and stop the networks that are done."""
        state.periods[rows] += 1
        still = state.last_change[rows] <= state.slot - self.spec.period
        state.quiet[rows] = np.where(still, state.quiet[rows] + 1, 0)
        if self._settle:
            state.active[rows] = state.quiet[rows] < self._settle
        if state.slot == self._entry_ends[-1] * self.spec.period:
            state.active[:] = False
