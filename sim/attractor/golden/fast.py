"""Whole runs of oscillator networks, compiled where that is possible; equal to the golden model either way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from attractor.golden import network as find_network
from attractor.golden.oscillator import OscillatorNetwork, OscillatorRun, OscillatorState
from attractor.spec import OscillatorSpec

__all__ = ["AnyNetwork", "CompiledNetwork", "compiles", "fastest"]

#: Periods that are run between two looks at whether to stop, and between two moments at which Ctrl-C is heard.
_PERIODS_AT_ONCE, _PERIODS_DEAF = 8, 64
#: Where more of the weights are not 0, a whole column is added sooner than those of them that are not.
_DENSE = 1 / 6
#: Columns of a schedule as compiled code takes it.
_COLUMNS = 6


def compiles(network: OscillatorNetwork) -> bool:
    """Return whether compiled code can run a network: Numba is there, and the schedule is one that it knows.

    Not compiled are locks while targets flip, and entries without flips that come after some with: their references
    depend on fields that compiled code does not look at.
    """
    schedule = _entries(network)
    flips = schedule[:, 5] > 0
    known = not (flips & (schedule[:, 3] > 0)).any() and not (np.diff(flips.astype(int)) < 0).any()
    return known and _has_numba()


def _has_numba() -> bool:
    try:
        return find_spec("numba") is not None
    except ValueError:  # it was taken out of the modules
        return False


def _entries(network: OscillatorNetwork) -> npt.NDArray[np.int64]:
    """Return the entries of the schedule that are run, all columns of them, shape (entries, 6)."""
    given = network.parameters["schedule"].astype(np.int64)
    ended = np.flatnonzero(given[:, 0] == 0)
    given = given[: ended[0] if ended.size else None]
    return np.pad(given, ((0, 0), (0, _COLUMNS - given.shape[1])))


class CompiledNetwork:
    """Runs what :class:`OscillatorNetwork` runs, with equal results, network after network.

    It holds the couplings as sparse columns, so a sparse network costs what its couplings cost. Calls release Python's
    lock while they run: threads can share one.

    Parameters
    ----------
    network:
        The golden model; one for which :func:`compiles` is true.
    """

    def __init__(self, network: OscillatorNetwork) -> None:
        from attractor.golden import compiled

        self._compiled = compiled
        self.network, self.spec = network, network.spec
        self._matrix = columns = network.field_columns()
        is_dense = columns.nnz > _DENSE * self.spec.targets * self.spec.oscillators
        whole = columns.T.toarray(order="C") if is_dense else np.zeros((0, 0), np.int32)
        self._rules = (*compiled.RULES, np.array(network.sign_offsets, np.int64))
        starts, targets, data = columns.indptr.astype(np.int64), columns.indices.astype(np.int32), columns.data
        self._columns = starts, targets, data.astype(np.int32), whole
        self._schedule = _entries(network)
        phases = np.arange(self.spec.period)
        self._locks = self.spec.lock_index(phases).astype(np.int64), np.array(self.spec.lock_slots, np.int64)

    def run(
        self,
        phases: npt.ArrayLike,
        clamp: npt.ArrayLike | None = None,
        *,
        seeds: npt.ArrayLike | None = None,
        random_start: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> OscillatorRun:
        """Do what :meth:`OscillatorNetwork.run` does; ``stop`` is looked at every few periods."""
        state = self.network.start(phases, clamp, seeds=seeds, random_start=random_start)
        settle = int(self.network.parameters["settle"])
        for index in np.flatnonzero(state.active).tolist():
            self._run_one(state, index, settle, stop)
        return OscillatorRun(
            phases=state.phases,
            winner=self.network.winner(state.phases),
            settled=state.quiet >= max(settle, 1),
            periods=state.periods,
            last_change=state.last_change,
            aborted=state.active,
        )

    def _run_one(self, state: OscillatorState, index: int, settle: int, stop: Callable[[], bool] | None) -> None:
        """Run one network of a batch, in place."""
        spec = self.spec
        phases = state.phases[index].astype(np.int64)
        at_slot = np.bincount(phases % (spec.period // 2), minlength=spec.period // 2)
        free = ~state.clamped[index, spec.inputs :]
        oscillators = phases, at_slot, free, state.reference[index]
        counts = np.zeros(5, np.int64)
        word = state.noise.words[index : index + 1]
        sums = self._sums(phases)
        run_periods = self._compiled.run_periods
        scratch = self._compiled.scratch_of(spec.targets, spec.lanes)
        active = True
        while active and not (stop is not None and stop()):
            at_once = _PERIODS_DEAF if stop is None else _PERIODS_AT_ONCE
            active = run_periods(
                sums, spec.lanes, spec.period, self._schedule, settle, at_once, word, oscillators, self._columns,
                self._locks, counts, self._rules, scratch,
            )  # fmt: skip
        state.phases[index] = phases
        state.active[index] = active
        state.periods[index], state.quiet[index], state.last_change[index] = counts[:3]

    def _sums(self, phases: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the sums of the slot before the first one, and the 0s that compiled code wants after them."""
        sums = np.zeros(self.spec.targets + self._compiled.PADDING, np.int32)
        sums[: self.spec.targets] = self._matrix @ np.where(phases & (self.spec.period // 2), 1, -1)
        return sums


AnyNetwork = OscillatorNetwork | CompiledNetwork


def fastest(spec: OscillatorSpec, parameters: Mapping[str, npt.ArrayLike]) -> AnyNetwork:
    """Return what runs a network fastest here: compiled code where that can be, otherwise the golden model itself."""
    network = find_network(spec, parameters)
    assert isinstance(network, OscillatorNetwork)
    return CompiledNetwork(network) if compiles(network) else network
