"""Reads on a device: a few on their way at a time, ended by an abort when the time is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from attractor.host.device import Device
from attractor.host.errors import DeviceError, HostError, LinkTimeout
from attractor.host.link import CALL_SECONDS
from attractor.host.oscillator import Progress, SpinReads
from attractor.host.pool import DevicePool
from attractor.solve.golden_reads import Batch, Job
from attractor.solve.stopping import Stop
from attractor.spec import IntegerArray, OscillatorSpec
from attractor.spec.protocol import Status

__all__ = ["READS_AT_ONCE", "DeviceReads"]

#: Most reads that are on their way to a board together.
READS_AT_ONCE = 32
#: Seconds between two signs to a simulated board that its time is over.
_SIGN_SECONDS = 0.02


class _Read(NamedTuple):
    """A read that came back: phases of all targets, and clock cycles."""

    phases: IntegerArray
    cycles: int


@dataclass
class DeviceReads:
    """Reads of a job on one device or the boards of a pool.

    Reads go out in groups: one for each board first, and twice as many in each that follows, no more than are expected
    to end by the deadline. Where one is still under way then, the device is told to abort it. A pool has no way to end
    the calls of its boards alone: what they have under way is waited for.

    Parameters
    ----------
    device:
        Holds the model.
    job:
        What is to be run.
    call_limit:
        Seconds for one run; None for :data:`attractor.host.link.CALL_SECONDS`.
    progress:
        Called with the number of finished reads and of all.
    """

    device: Device
    job: Job
    call_limit: float | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        self._stop = self.job.stop or Stop()
        self._done: list[_Read] = []
        self._boards = self.device.devices if isinstance(self.device, DevicePool) else [self.device]
        # A simulated board without a clock of its own works while it is written to, and can only be told from here.
        ports: list[Any] = [board.link.port for board in self._boards]
        self._signs = [port.attention for port in ports if hasattr(port, "attention")]
        self._before = [self._outputs(board) if self.job.heed else b"" for board in self._boards]

    def run(self) -> Batch:
        """Run reads until all are done or the job's stop says so; those under way count if none was finished.

        Raises
        ------
        HostError
            If the device fails.
        KeyboardInterrupt
            If there is nothing to keep, or it is not to be kept.
        """
        started, size = time.monotonic(), len(self._boards) if self._stop.deadline is not None else READS_AT_ONCE
        try:
            while len(self._done) < len(self.job.phases) and not (self._done and self._stop()):
                if not self._group(size):
                    break
                size = self._next_size(size, time.monotonic() - started)
                if not size:
                    break
        except KeyboardInterrupt:
            if not self.job.heed:
                raise
            self._stop.tell()
        aborted = [] if self._done else list(self._aborted())
        if not (self._done or aborted):
            raise (
                KeyboardInterrupt
                if self._stop.told
                else LinkTimeout(
                    f"{self.device.name}: no read was finished within the time limit, and none could be read back; "
                    "give it more time"
                )
            )
        return self._batch(self._done or aborted, aborted=not self._done)

    def _next_size(self, size: int, spent: float) -> int:
        """Return how many reads to send next, given the seconds that all so far took; 0 if none would end in time."""
        left, most = self._stop.left, READS_AT_ONCE * len(self._boards)
        if left is None:
            return size
        in_time = int(left * len(self._done) / spent) if spent else most
        return min(2 * size, most, in_time)

    def _group(self, size: int) -> bool:
        """Run the next reads; return whether all of them were finished."""
        job, first = self.job, len(self._done)
        rows = range(first, min(first + size, len(job.phases)))
        encode = partial(self._spec.encode_input, random_start=job.random_start)
        inputs = [encode(job.phases[row], job.clamp, int(job.seeds[row])) for row in rows]
        limit, cut = self._limit()
        try:
            with self._ended_in_time(), closing(self._results(inputs, limit)) as results:
                for result in results:
                    self._done.append(result)
                    if self.progress is not None:
                        self.progress(len(self._done), len(job.phases))
                    if self._stop.over and not self._signs:
                        break  # which ends what is under way
        except LinkTimeout:
            if not cut:
                raise
        except DeviceError as error:
            if error.status != Status.ABORTED or not self._stop():
                raise
        return len(self._done) == first + len(rows)

    @property
    def _spec(self) -> OscillatorSpec:
        return self.device.spec_of(OscillatorSpec)

    def _limit(self) -> tuple[float | None, bool]:
        """Return the limit of a call, and whether it is the deadline's. A board of a pool that has one is dropped."""
        left = self._stop.left
        if left is None or len(self._boards) > 1 or left >= (self.call_limit or CALL_SECONDS):
            return self.call_limit, False
        return max(left, 1e-3), True

    def _results(self, inputs: list[bytes], limit: float | None) -> Generator[_Read, None, None]:
        """Make calls; of spins so little comes back that the line seldom decides how many reads there are."""
        network, spec, job = self.device.network, self._spec, self.job
        if not job.spins:
            for result in network.results(inputs, len(inputs), time_limit=limit):
                yield _Read(result.phases, result.cycles)
            return
        for answer in network.beginnings(inputs, len(inputs), spec.spin_bytes, time_limit=limit):
            read = SpinReads.of(spec, [answer])
            yield _Read(np.where(read.spins[0] > 0, 0, spec.period // 2), int(read.cycles[0]))

    @contextmanager
    def _ended_in_time(self) -> Iterator[None]:
        """Let simulated boards hear of the deadline and of Ctrl-C while they work."""
        left, told, ended = self._stop.left, threading.Event(), threading.Event()

        def attention() -> None:
            told.set()
            for sign in self._signs:
                sign()

        def watch() -> None:
            # Again and again, as a sign between two calls ends nothing.
            ended.wait(left)
            while not ended.wait(_SIGN_SECONDS):
                attention()

        thread = threading.Thread(target=watch, daemon=True) if left is not None and self._signs else None
        heed = self._stop.on_interrupt(attention) if self._signs and self.job.heed else nullcontext()
        try:
            with heed:
                if thread is not None:
                    thread.start()
                yield
        finally:
            ended.set()
            if thread is not None:
                thread.join()
            if told.is_set():  # it may have come when there was nothing to end
                self.device.abort()

    def _aborted(self) -> Iterator[_Read]:
        """Yield what the boards report of the reads that were ended.

        An interrupt may have come before a board took its read. Its outputs are those of an earlier call then.
        """
        for board, before in zip(self._boards, self._before, strict=True):
            with suppress(HostError):
                board.abort()
                result = board.network.last()
                if result.aborted and not (self._stop.told and self._outputs(board) == before):
                    yield _Read(result.phases, result.cycles)

    @staticmethod
    def _outputs(board: Device) -> bytes:
        with suppress(HostError):
            return board.read_outputs()
        return b""

    def _batch(self, results: list[_Read], *, aborted: bool) -> Batch:
        job, count = self.job, len(results)
        phases = job.phases[:count].copy()
        phases[:, self._spec.inputs :] = [result.phases for result in results]
        cycles = sum(result.cycles for result in results)
        return Batch(np.arange(count), phases, np.full(count, aborted), cycles)
