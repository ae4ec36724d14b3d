"""Reads on the golden model: batch after batch in this process, or all at once in an executor's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from attractor.golden.fast import AnyNetwork, CompiledNetwork, fastest
from attractor.host.model import Model
from attractor.host.oscillator import Progress
from attractor.solve.stopping import Stop
from attractor.spec import OscillatorSpec

__all__ = ["Batch", "Job", "run_here", "run_with"]

#: Compiled reads that are begun at once where nothing ends them: a short one takes hardly longer than to begin it.
_COMPILED = 8
#: Seconds between two looks at Ctrl-C and the clock while an executor works.
_LOOK = 0.05


@dataclass(frozen=True)
class Batch:
    """Reads that came back together.

    Parameters
    ----------
    rows:
        Numbers of the reads, shape (reads,).
    phases:
        Last phases, shape (reads, oscillators), uint8.
    aborted:
        True where a read was ended before its time, shape (reads,).
    cycles:
        Clock cycles of all of them; 0 where none are counted.
    """

    rows: npt.NDArray[np.intp]
    phases: npt.NDArray[np.uint8]
    aborted: npt.NDArray[np.bool_]
    cycles: int = 0


@dataclass(frozen=True)
class Job:
    """Reads to be run; it can be sent to another process.

    Parameters
    ----------
    model:
        The network with its schedule.
    phases, clamp, seeds, random_start, spins:
        As in :meth:`attractor.solve.annealer.Annealer.run`.
    stop:
        Looked at before every slot; None to run to the end.
    heed:
        Whether Ctrl-C stops it, with the state that there is, instead of raising an exception.
    """

    model: Model
    phases: npt.NDArray[np.uint8]
    clamp: npt.NDArray[np.bool_]
    seeds: npt.NDArray[np.uint64]
    random_start: bool
    stop: Stop | None
    heed: bool = False
    spins: bool = False

    def part(self, rows: slice) -> Job:
        """Return the job of some of the reads."""
        return replace(self, phases=self.phases[rows], seeds=self.seeds[rows])

    def network(self) -> AnyNetwork:
        """Return what runs the model."""
        spec = self.model.spec
        assert isinstance(spec, OscillatorSpec)
        return fastest(spec, self.model.parameters)

    def run(self, first: int = 0, network: AnyNetwork | None = None) -> Batch:
        """Run all reads at once; ``first`` is the number of the first, ``network`` the model's if it is there."""
        network = network or self.network()
        options = {"seeds": self.seeds, "random_start": self.random_start, "stop": self.stop}
        with ExitStack() as stack:
            if self.heed and self.stop is not None:
                stack.enter_context(self.stop.on_interrupt())
            found = network.run(self.phases, self.clamp, **options)
        return Batch(np.arange(first, first + len(self.phases)), found.phases.astype(np.uint8), found.aborted)


def run_here(job: Job, size: int, progress: Progress | None) -> Iterator[Batch]:
    """Run ``size`` reads at a time, in order, until all are done or the job's stop says so; the first always are."""
    network, count = job.network(), len(job.phases)
    # Compiled, reads come one after the other anyway, and one that is finished is kept when time is over.
    if isinstance(network, CompiledNetwork):
        size = 1 if job.stop is not None else _COMPILED
    for start in range(0, count, size):
        if start and job.stop is not None and job.stop():
            return
        batch = job.part(slice(start, start + size)).run(start, network)
        yield batch
        if progress is not None and not batch.aborted.any():
            progress(start + len(batch.rows), count)


def run_with(executor: Executor, job: Job, size: int, progress: Progress | None) -> Iterator[Batch]:
    """Do what :func:`run_here` does in an executor, whose threads or processes each run some of the reads.

    Batches come as they are finished. An executor of processes does not hear of a Ctrl-C that only this process got:
    what is under way there ends at the deadline, or of itself. One that got it, too, as at a terminal, stops.
    """
    count = len(job.phases)
    size = min(size, -(-count // (os.cpu_count() or 1)))
    futures = [executor.submit(_part, job.part(slice(start, start + size)), start) for start in range(0, count, size)]
    try:
        yield from _finished(futures, job, progress)
    finally:
        for future in futures:
            future.cancel()


def _part(job: Job, first: int) -> Batch | None:
    """Run a batch in an executor; one but the first that has not begun when the time is over is not."""
    return None if first and job.stop is not None and job.stop() else job.run(first)


def _finished(futures: list[Future[Batch | None]], job: Job, progress: Progress | None) -> Iterator[Batch]:
    """Yield what the futures give; those that have not begun when all is to stop are cancelled, but for the first."""
    pending, done = set(futures), 0
    stop = job.stop or Stop()
    with ExitStack() as stack:
        if job.heed:
            stack.enter_context(stop.on_interrupt())
        while pending:
            ready, pending = wait(pending, _LOOK, "FIRST_COMPLETED")
            if stop():
                pending -= {future for future in pending if future is not futures[0] and future.cancel()}
            for future in sorted(ready, key=futures.index):
                batch = _result(future, job, stop)
                if batch is None:
                    continue
                yield batch
                done += int((~batch.aborted).sum())
                if progress is not None and not batch.aborted.any():
                    progress(done, len(job.phases))


def _result(future: Future[Batch | None], job: Job, stop: Stop) -> Batch | None:
    """Return what a future gives; where Ctrl-C is heeded, a worker that died of it gives nothing."""
    try:
        return future.result()
    except (KeyboardInterrupt, BrokenExecutor) as error:
        if not job.heed or (isinstance(error, BrokenExecutor) and not stop.told):
            raise
        stop.tell()
        return None
