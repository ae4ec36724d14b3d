"""Time limits and interrupts of reads, in one process, in an executor's and on devices; and choices between equals."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import dimod
import numpy as np
import pytest

from attractor.golden import OscillatorNetwork
from attractor.host import Device
from attractor.host.errors import HostError
from attractor.host.pool import DevicePool
from attractor.sim.background import Background
from attractor.sim.golden_board import GoldenBoard
from attractor.solve.ising import measured_spec
from attractor.solve.sampler import OscillatorSampler
from attractor.solve.stopping import Stop

RING = dimod.BinaryQuadraticModel({}, {(index, (index + 1) % 60): 1 for index in range(60)}, "SPIN")
SPEC = measured_spec(60, biased=False, weight_bits=8, phase_bits=4)
LONG: dict[str, Any] = {"periods": 4_000_000, "seed": 0}


@pytest.fixture
def not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads run together in batches, as they do without Numba; compiled, they come one after the other."""
    monkeypatch.setattr("attractor.solve.golden_reads.fastest", OscillatorNetwork)


@pytest.fixture
def batches_of_two(monkeypatch: pytest.MonkeyPatch, not_compiled: None) -> None:  # noqa: ARG001
    monkeypatch.setattr("attractor.solve.annealer.BATCH", 2)


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2) as executor:
        list(executor.map(abs, range(2)))
        yield executor


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return call(), time.monotonic() - began


# Time limits


def test_a_time_limit_ends_a_compiled_read_in_the_middle() -> None:
    pytest.importorskip("numba", reason="compiled runs need Numba: pip install '.[fast]'")
    OscillatorSampler().sample(RING, seed=0, periods=1)  # compiles
    found, seconds = timed(
        lambda: OscillatorSampler().sample(RING, num_reads=40, time_limit=0.3, **LONG | {"periods": 4_000_000})
    )
    assert 0.3 <= seconds < 1.0
    assert (len(found), found.info["unfinished"]) == (1, 1)


@pytest.mark.usefixtures("not_compiled")
def test_a_time_limit_ends_a_batch_in_the_middle() -> None:
    found, seconds = timed(lambda: OscillatorSampler().sample(RING, num_reads=40, time_limit=0.3, **LONG))
    assert 0.3 <= seconds < 1.0
    assert (len(found), found.info["unfinished"]) == (32, 32)
    assert "interrupted" not in found.info
    assert found.record.energy.mean() < -20  # these are states of the network


@pytest.mark.usefixtures("batches_of_two")
def test_finished_reads_alone_are_given() -> None:
    stops: list[Stop] = []

    def progress(done: int, total: int) -> None:
        assert (done % 2, total) == (0, 9)
        if done == 4:
            (stop,) = stops
            stop.deadline = 0.0

    right = Stop.after

    def watched(seconds: float | None) -> Stop:
        stops.append(right(seconds))
        return stops[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stop, "after", watched)
        found = OscillatorSampler(progress=progress).sample(RING, num_reads=9, periods=8, seed=1, time_limit=60.0)
    whole = OscillatorSampler().sample(RING, num_reads=9, periods=8, seed=1)
    assert len(found) == 4
    assert "unfinished" not in found.info
    assert (found.record.sample == whole.record.sample[:4]).all()


@pytest.mark.usefixtures("not_compiled")
def test_no_time_at_all() -> None:
    for device in (None, "sim:"):
        found = OscillatorSampler(device).sample(RING, num_reads=3, time_limit=0.0, **LONG)
        assert found.info["unfinished"] == len(found) == (3 if device is None else 1)


# On devices


def test_a_device_aborts_the_read_under_way() -> None:
    with OscillatorSampler("sim:") as sampler:
        found, seconds = timed(lambda: sampler.sample(RING, num_reads=3, time_limit=0.3, **LONG))
    assert 0.3 <= seconds < 1.5
    assert (len(found), found.info["unfinished"]) == (1, 1)
    assert found.record.energy.mean() < -20


def test_finished_reads_of_a_device_are_kept_when_the_time_is_over() -> None:
    class Slower(GoldenBoard):
        """Takes ever longer."""

        reads = 0

        def _run(self, windows: dict[str, bytes], inputs: bytes) -> bytes:
            self.reads += 1
            end = time.monotonic() + (0.01 if self.reads < 5 else 60)
            while time.monotonic() < end and not self.link.halted:
                time.sleep(0.002)
            return super()._run(windows, inputs)

    with Device.open(Slower(SPEC)) as device:
        found, seconds = timed(
            lambda: OscillatorSampler(device).sample(RING, num_reads=50, time_limit=0.5, seed=1, periods=2)
        )
        assert seconds < 1.5
        assert 1 <= len(found) <= 4
        assert "unfinished" not in found.info
        whole = OscillatorSampler().sample(RING, num_reads=4, seed=1, periods=2)
        assert (found.record.sample == whole.record.sample[: len(found)]).all()
        device.network.last()  # it answers


def test_a_pool_shares_reads_under_a_time_limit() -> None:
    boards = [GoldenBoard(SPEC, name=f"board {index}") for index in range(2)]
    with DevicePool([Device.open(board) for board in boards]) as pool:
        found = OscillatorSampler(pool).sample(RING, num_reads=20, time_limit=60.0, seed=3, periods=4)
        whole = OscillatorSampler().sample(RING, num_reads=20, seed=3, periods=4)
        assert (found.record.sample == whole.record.sample).all()
        short = OscillatorSampler(pool).sample(RING, num_reads=20, time_limit=0.1, **LONG)
        assert 1 <= len(short) == short.info["unfinished"] <= 2
        assert not pool.failed


# Interrupts


class Interrupting(OscillatorNetwork):
    """Gets Ctrl-C in its twentieth slot."""

    def step(self, state: Any) -> None:
        if state.slot == 20:
            signal.raise_signal(signal.SIGINT)
        super().step(state)


def test_an_interrupt_in_the_first_batch_keeps_the_reads_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attractor.solve.golden_reads.fastest", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        OscillatorSampler().sample(RING, num_reads=3, **LONG)
    found = OscillatorSampler(keep_interrupted=True).sample(RING, num_reads=3, **LONG)
    assert (len(found), found.info["unfinished"], found.info["interrupted"]) == (3, 3, True)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("batches_of_two")
def test_an_interrupt_keeps_what_was_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    right = OscillatorNetwork.run
    calls = []

    def interrupted(*arguments: Any, **given: Any) -> Any:
        calls.append(arguments)
        if len(calls) % 2 == 0:
            raise KeyboardInterrupt
        return right(*arguments, **given)

    monkeypatch.setattr(OscillatorNetwork, "run", interrupted)
    options: dict[str, Any] = {"num_reads": 5, "seed": 0, "periods": 5}
    with pytest.raises(KeyboardInterrupt):
        OscillatorSampler().sample(RING, **options)
    found = OscillatorSampler(keep_interrupted=True).sample(RING, **options)
    assert (len(found), found.info["interrupted"]) == (2, True)


def test_a_second_interrupt_is_not_held_up() -> None:
    stop, heard = Stop(), []
    with stop.on_interrupt(lambda: heard.append(1)):
        signal.raise_signal(signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert heard == [1]


def test_a_handler_of_somebody_else_stays() -> None:
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with Stop().on_interrupt():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [1]


class InterruptedBoard(GoldenBoard):
    """Gets Ctrl-C in its third read."""

    reads = 0
    at = 3

    def _run(self, windows: dict[str, bytes], inputs: bytes) -> bytes:
        self.reads += 1
        if self.reads == self.at:
            signal.raise_signal(signal.SIGINT)
        return super()._run(windows, inputs)


@pytest.mark.parametrize(("at", "kept", "unfinished"), [(3, 2, 0), (1, 1, 1)])
def test_an_interrupt_of_a_device_keeps_what_there_is(at: int, kept: int, unfinished: int) -> None:
    board = InterruptedBoard(SPEC)
    board.at = at
    with Device.open(board) as device:
        found = OscillatorSampler(device, keep_interrupted=True).sample(RING, num_reads=9, seed=0, periods=5)
        assert (len(found), found.info.get("unfinished", 0), found.info["interrupted"]) == (kept, unfinished, True)
        again = OscillatorSampler(device).sample(RING, num_reads=2, seed=0, periods=5)
    assert (again.record.sample == OscillatorSampler().sample(RING, num_reads=2, seed=0, periods=5).record.sample).all()


def test_a_device_that_fails_still_says_so() -> None:
    class Dead(GoldenBoard):
        def write(self, data: bytes) -> None:
            if not self.link.parameters_valid:
                super().write(data)

    with Device.open(Dead(SPEC), timeout=0.01) as device, pytest.raises(HostError, match="no answer"):
        OscillatorSampler(device).sample(RING, num_reads=2, seed=0, periods=2, time_limit=60.0)


# Executors


@pytest.mark.usefixtures("batches_of_two")
def test_an_executor_changes_nothing(processes: Executor) -> None:
    options: dict[str, Any] = {"num_reads": 9, "seed": 4, "periods": 6}
    calls: list[tuple[int, int]] = []
    here = OscillatorSampler().sample(RING, **options)
    with ThreadPoolExecutor(2) as threads:
        for executor in (threads, processes):
            sampler = OscillatorSampler(executor=executor, progress=lambda *step: calls.append(step))
            assert (sampler.sample(RING, **options).record.sample == here.record.sample).all()
            assert calls.pop() == (9, 9)


def test_a_time_limit_holds_in_an_executor(processes: Executor) -> None:
    with ThreadPoolExecutor(2) as threads:
        for executor in (threads, processes):
            sampler = OscillatorSampler(executor=executor)
            found, seconds = timed(lambda sampler=sampler: sampler.sample(RING, num_reads=8, time_limit=0.3, **LONG))
            assert 0.3 <= seconds < 2.0
            assert 1 <= len(found) == found.info["unfinished"] <= 8


def test_an_interrupt_ends_threads_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(pending: Any, *rest: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return wait(pending, *rest)

    from attractor.solve import golden_reads

    wait = golden_reads.wait
    monkeypatch.setattr(golden_reads, "wait", look)
    with ThreadPoolExecutor(2) as threads:
        sampler = OscillatorSampler(executor=threads, keep_interrupted=True)
        found = sampler.sample(RING, num_reads=4, **LONG)
    assert found.info["interrupted"]
    assert found.info["unfinished"] == len(found)


# Equal energies


@pytest.mark.parametrize(
    "couplings",
    [
        {("a", "b"): 1},
        {("a", "b"): -1},
        {("a", "b"): 1, ("b", "c"): 1, ("a", "c"): 1},
        {("a", "b"): 2, ("c", "d"): 1},
    ],
)
def test_no_state_is_favoured_without_biases(couplings: Any) -> None:
    found = OscillatorSampler().sample_ising({}, couplings, num_reads=2000, seed=0, periods=4)
    means = found.record.sample.mean(axis=0)
    assert (np.abs(means) < 4 / 2000**0.5).all()


def test_equal_readings_are_drawn_by_the_reads_seed() -> None:
    options: dict[str, Any] = {"num_reads": 300, "seed": 2, "periods": 8}
    one, other = (OscillatorSampler().sample_ising({0: 1, 1: 1}, {(0, 1): 1}, **options) for _ in range(2))
    assert (one.record.sample == other.record.sample).all()
    _, counts = np.unique(one.record.sample, axis=0, return_counts=True)
    assert len(counts) == 3
    assert counts.min() > 50


# Boards that work while the host waits, as those at a cable do


class Cable:
    """A golden board that works in its own thread, and hears only bytes."""

    name = "cable"

    def __init__(self) -> None:
        self._board = Background(GoldenBoard(SPEC))
        self.write, self.close = self._board.write, self._board.close

    def read(self, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        while not (data := self._board.read(0.01)) and time.monotonic() < end:
            time.sleep(0.002)
        return data


def test_a_board_at_a_cable_aborts_the_read_under_way() -> None:
    with Device.open(Cable()) as device:
        sampler = OscillatorSampler(device)
        found, seconds = timed(lambda: sampler.sample(RING, num_reads=3, time_limit=0.4, **LONG))
        assert 0.4 <= seconds < 2.0
        assert (len(found), found.info["unfinished"]) == (1, 1)
        assert found.record.energy.mean() < -20
        options: dict[str, Any] = {"num_reads": 40, "seed": 2, "periods": 3}
        whole = OscillatorSampler().sample(RING, **options).record.sample
        assert (sampler.sample(RING, time_limit=60.0, **options).record.sample == whole).all()
        some = sampler.sample(RING, time_limit=0.2, num_reads=4000, seed=2, periods=30).record
        assert 0 < len(some) < 4000


def test_an_interrupt_reaches_a_board_at_a_cable() -> None:
    with Device.open(Cable()) as device:
        sampler = OscillatorSampler(device, keep_interrupted=True)
        timer = threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        found, seconds = timed(lambda: sampler.sample(RING, num_reads=3, **LONG))
        assert seconds < 10.0
        assert (len(found), found.info["unfinished"], found.info["interrupted"]) == (1, 1, True)
        device.network.last()  # it answers

        def progress(done: int, _: int) -> None:
            if done == 3:
                signal.raise_signal(signal.SIGINT)

        sampler.progress = progress
        found = sampler.sample(RING, num_reads=30, periods=2, seed=0)
        assert (len(found), found.info["interrupted"]) == (3, True)
        assert "unfinished" not in found.info
        assert len(OscillatorSampler(device).sample(RING, num_reads=2, periods=2, seed=0)) == 2
