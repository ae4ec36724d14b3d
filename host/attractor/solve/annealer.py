"""Runs networks for samplers: on the golden model, many at once, or on a device, one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.golden import network
from attractor.golden.oscillator import OscillatorNetwork
from attractor.host.device import Device
from attractor.host.errors import ModelMismatch
from attractor.host.model import Model
from attractor.host.oscillator import Progress
from attractor.host.port import makes_board
from attractor.solve.device_reads import DeviceReads
from attractor.solve.golden_reads import Batch, Job, run_here, run_with
from attractor.solve.stopping import Stop
from attractor.spec import OscillatorSpec, Spec

__all__ = ["BATCH", "Annealer", "Reads", "replay"]

#: Networks that the golden model runs at once.
BATCH = 32


@dataclass(frozen=True)
class Reads:
    """What came back.

    Parameters
    ----------
    phases:
        Last phases of all oscillators, shape (reads, oscillators), uint8.
    timing:
        ``upload``: seconds to load the parameters. ``anneal``: seconds that the networks ran; on a board that reports
        cycles, these divided by its clock. ``download``: what else the calls took, start phases and results on the
        line; 0 where no cycles are reported. ``cycles``: of all reads together, None where none are reported.
    rows:
        Number of each read among those that were asked for, shape (reads,): the first ones, unless an executor was
        ended before its time.
    unfinished:
        How many of them had not ended: all or, as finished ones are given alone, none.
    interrupted:
        Whether Ctrl-C ended it.
    """

    phases: npt.NDArray[np.uint8]
    timing: dict[str, float | int | None]
    rows: npt.NDArray[np.intp]
    unfinished: int = 0
    interrupted: bool = False

    @property
    def about(self) -> dict[str, Any]:
        """What a result's ``info`` says of it: ``timing``, and ``unfinished`` and ``interrupted`` where they matter."""
        ended = {"unfinished": self.unfinished, "interrupted": self.interrupted}
        return {"timing": self.timing} | {name: value for name, value in ended.items() if value}


class Annealer:
    """Where networks run.

    Parameters
    ----------
    device:
        None for the golden model; a port's address; or an open device. An address without a file, ``sim:`` or
        ``rtl:``, simulates a network made for each problem; any other is opened when it is first needed and kept open
        until :meth:`close`.
    call_limit:
        Seconds for one run on a device; None for :data:`attractor.host.link.CALL_SECONDS`.
    keep_interrupted:
        Whether Ctrl-C ends :meth:`run` as a time limit does.
    executor:
        Runs batches of the golden model; None for one after the other in this process. It makes no difference to a
        device.
    spec:
        Spec of the golden model, as of a device that has it; None if a network is made for each problem. Not for a
        device.
    """

    def __init__(
        self,
        device: str | Device | None = None,
        *,
        call_limit: float | None = None,
        keep_interrupted: bool = False,
        executor: Executor | None = None,
        spec: OscillatorSpec | None = None,
    ) -> None:
        if spec is not None and device is not None:
            raise ValueError("spec is for the golden model, and a device has its own; leave out one of them")
        self._device, self._spec = device, spec
        self._keep_interrupted = keep_interrupted
        self._executor = executor
        self._opened: Device | None = None
        self._call_limit = call_limit

    @property
    def made_to_measure(self) -> bool:
        """Whether the network is made for each problem."""
        if self._device is None:
            return self._spec is None
        return isinstance(self._device, str) and makes_board(self._device)

    @property
    def name(self) -> str:
        """What to call it."""
        if self._device is None:
            return "golden model"
        return self._device if isinstance(self._device, str) else self._device.name

    @property
    def spec(self) -> OscillatorSpec | None:
        """Spec of the device; None if networks are made to measure.

        Raises
        ------
        HostError
            If the port cannot be opened, or no oscillator network is there.
        """
        if self.made_to_measure or self._device is None:
            return self._spec
        spec = self._connected().spec
        if not isinstance(spec, OscillatorSpec):
            raise ModelMismatch(f"{self.name} holds a network of family {spec.family!r}; problems need 'oscillator'")
        return spec

    def close(self) -> None:
        """Close the port if it was opened here."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def run(
        self,
        model: Model,
        phases: npt.NDArray[np.uint8],
        clamp: npt.NDArray[np.bool_],
        seeds: npt.NDArray[np.uint64],
        *,
        random_start: bool = False,
        spins: bool = False,
        time_limit: float | None = None,
        progress: Progress | None = None,
    ) -> Reads:
        """Load a model and run it from each start.

        Parameters
        ----------
        model:
            The network with its schedule.
        phases:
            Start phases, shape (reads, oscillators).
        clamp:
            True where an oscillator does not move, shape (oscillators,).
        seeds:
            Seeds of the noise, shape (reads,).
        random_start:
            The network draws the phases of all that moves, from the seeds.
        spins:
            Phases are told relative to the reference oscillator's, 0 or half a period. Of a device spins alone come
            back then. Only for binary networks that draw their start phases.
        time_limit:
            Seconds after which all ends: the reads that are finished are given or, if there is none, those under way
            as they stand. The golden model looks at the clock before each slot, also in an executor's processes. A
            device is told to abort the read under way; a pool's boards finish theirs.
        progress:
            Called with the number of finished reads and of all.

        Raises
        ------
        HostError
            If the device fails.
        """
        ends = time_limit is not None or self._keep_interrupted
        stop = Stop.after(time_limit) if ends else None
        job = Job(model, phases, clamp, seeds, random_start, stop, self._keep_interrupted, spins=spins)
        if self._device is None:
            began = time.monotonic()
            if self._executor is None:
                batches = run_here(job, BATCH, progress)
            else:
                batches = run_with(self._executor, job, BATCH, progress)
            return _gathered(batches, job, began)
        with self._holding(model.spec) as device:
            began = time.monotonic()
            if not device.holds(model):
                device.load(model)
            loaded = time.monotonic()
            reads = _gathered([DeviceReads(device, job, self._call_limit, progress).run()], job, loaded)
            return replace(reads, timing=_split(reads.timing, loaded - began, device.description))

    @contextmanager
    def _holding(self, spec: Spec) -> Iterator[Device]:
        """Give the device, or one simulated for ``spec``."""
        if isinstance(self._device, str) and self.made_to_measure:
            with Device.open(self._device, spec) as device:
                yield device
        else:
            yield self._connected()

    def _connected(self) -> Device:
        if isinstance(self._device, Device):
            return self._device
        if self._opened is None:
            assert self._device is not None
            self._opened = Device.open(self._device)
        return self._opened


def replay(
    model: Model,
    phases: npt.NDArray[np.uint8],
    clamp: npt.NDArray[np.bool_],
    seed: int,
    *,
    random_start: bool = False,
) -> npt.NDArray[np.uint8]:
    """Run one read once more on the golden model, which equals every device, and keep the phases after each period.

    Parameters
    ----------
    model:
        The network with its schedule.
    phases:
        Start phases, shape (oscillators,).
    clamp:
        True where an oscillator does not move, shape (oscillators,).
    seed:
        Seed of the noise.
    random_start:
        The network drew the phases of all that moves.

    Returns
    -------
    ndarray
        Phases at the start and after each period, shape (periods + 1, oscillators), uint8.
    """
    spec = _spec(model)
    golden = network(spec, model.parameters)
    assert isinstance(golden, OscillatorNetwork)
    state = golden.start(phases[None], clamp, seeds=[seed], random_start=random_start)
    kept = [state.phases[0].copy()]
    while state.active.any():
        for _ in range(spec.period):
            golden.step(state)
        kept.append(state.phases[0].copy())
    return np.stack(kept)


def _spec(model: Model) -> OscillatorSpec:
    assert isinstance(model.spec, OscillatorSpec)
    return model.spec


def _gathered(batches: Iterable[Batch], job: Job, began: float) -> Reads:
    """Return what batches bring until they end, or an interrupt does that is to be kept."""
    parts: list[Batch] = []
    interrupted = False
    try:
        parts.extend(batches)
    except KeyboardInterrupt:
        if not (parts and job.heed):
            raise
        interrupted = True
    rows, phases, aborted = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "phases", "aborted")
    )
    if job.spins:
        phases ^= phases[:, _spec(job.model).reference][:, None]
    kept = ~aborted if not aborted.all() else aborted
    order = np.argsort(rows[kept])
    cycles = sum(part.cycles for part in parts) or None
    timing = {"upload": 0.0, "anneal": time.monotonic() - began, "download": 0.0, "cycles": cycles}
    unfinished = int(aborted[kept].sum())
    interrupted = interrupted or (job.stop is not None and job.stop.told)
    return Reads(phases[kept][order], timing, rows[kept][order], unfinished, interrupted)


def _split(timing: dict[str, Any], upload: float, description: dict[str, Any]) -> dict[str, float | int | None]:
    """Return the timing with the board's own share of the calls, where it says how many cycles they took."""
    calls, cycles, clock = timing["anneal"], timing["cycles"], description["clock_hz"]
    anneal = min(cycles / clock, calls) if cycles and clock else calls
    return {"upload": upload, "anneal": anneal, "download": calls - anneal, "cycles": cycles}
