"""Calls that need no phases: starts drawn on the device, and spins instead of phases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attractor.golden import OscillatorNetwork
from attractor.host import Device, DevicePool, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import OscillatorSpec, Region, SpecError
from attractor.spec.protocol import DELIMITER, CallHeader, Command, Reply, Request

from .lines import Filter

SPEC = OscillatorSpec(oscillators=100, inputs=3, labels=2, reference=1, lanes=16, schedule_entries=2, random_start=True)


@pytest.fixture
def model(random_model: Callable[..., Model]) -> Model:
    made = random_model(SPEC)
    schedule = SPEC.schedule(3)
    schedule[0, 1:4] = 30, 4, 10
    return replace(made, parameters={**made.parameters, "schedule": schedule})


@pytest.fixture
def fixed() -> tuple[np.ndarray, np.ndarray]:
    """Clamped oscillators and the phases of all."""
    random = np.random.default_rng(1)
    return random.random(SPEC.oscillators) < 0.2, random.integers(0, SPEC.period, SPEC.oscillators)


def test_spins_are_those_of_the_golden_model(model: Model, fixed: tuple[np.ndarray, np.ndarray]) -> None:
    clamp, phases = fixed
    seeds = [0, 1, 2, 2**63 - 1, 5]
    told: list[tuple[int, int]] = []
    starts = np.broadcast_to(phases, (5, SPEC.oscillators))
    expected = OscillatorNetwork(SPEC, model.parameters).run(starts, clamp, seeds=seeds, random_start=True)
    with Device.open(GoldenBoard(SPEC)) as device:
        device.load(model)
        reads = device.network.anneal(seeds, clamp, phases, progress=lambda *done: told.append(done))
        results = device.network.recall(starts, clamp, seeds=seeds, random_start=True)
        given = device.network.recall(starts, clamp, seeds=seeds)
    np.testing.assert_array_equal(reads.spins, SPEC.spins(expected.phases))
    assert (reads.spins.dtype, reads.cycles.tolist()) == (np.int8, [0] * 5)
    for name in ("settled", "periods", "last_change"):
        np.testing.assert_array_equal(getattr(reads, name), getattr(expected, name))
    np.testing.assert_array_equal([result.phases for result in results], expected.phases[:, SPEC.inputs :])
    np.testing.assert_array_equal([result.spins for result in results], reads.spins)
    assert (np.array([result.phases for result in given]) != expected.phases[:, SPEC.inputs :]).any()
    assert told == [(done, 5) for done in range(1, 6)]


def test_defaults_are_phase_0_and_nothing_clamped(model: Model) -> None:
    phases = np.zeros((2, SPEC.oscillators), int)
    expected = OscillatorNetwork(SPEC, model.parameters).run(phases, seeds=[7, 8], random_start=True)
    with Device.open(GoldenBoard(SPEC)) as device:
        device.load(model)
        np.testing.assert_array_equal(device.network.anneal([7, 8]).spins, SPEC.spins(expected.phases))
        assert device.network.anneal([]).spins.shape == (0, SPEC.targets)


def test_a_call_sends_its_seed_and_brings_back_record_and_spins(model: Model) -> None:
    sent, received = [], bytearray()

    def keep_sent(data: bytes) -> bytes:
        sent.extend(Request.decode(frame) for frame in data.split(DELIMITER) if frame)
        return data

    def keep_received(data: bytes) -> bytes:
        received.extend(data)
        return data

    port = Filter(GoldenBoard(SPEC))
    with Device.open(port) as device:
        device.load(model)
        device.network.anneal([0, 2**63 - 1])
        port.outward, port.inward = keep_sent, keep_received
        device.network.anneal(np.random.default_rng(0).integers(0, 2**63, 256))
    calls = [request.payload for request in sent if request.command == Command.CALL]
    assert not [request for request in sent if request.command == Command.WRITE]
    seeds = [payload[CallHeader.STRUCT.size :] for payload in calls]
    assert sum(map(len, seeds)) == 256 * 8
    replies = [Reply.decode(frame) for frame in bytes(received).split(DELIMITER) if frame]
    assert sum(len(reply.payload) for reply in replies if reply.command == Command.CALL) == 256 * (16 + 13)


def test_boards_of_a_pool_share_the_reads(model: Model) -> None:
    with DevicePool.open([GoldenBoard(SPEC), GoldenBoard(SPEC)]) as pool, Device.open(GoldenBoard(SPEC)) as one:
        pool.load(model)
        one.load(model)
        np.testing.assert_array_equal(pool.network.anneal(range(40)).spins, one.network.anneal(range(40)).spins)


def test_lessons_are_the_given_patterns() -> None:
    spec = OscillatorSpec(oscillators=12, learning=True, random_start=True)
    patterns = np.random.default_rng(0).choice([-1, 1], (2, 12))
    model = Model(spec, {"weights": np.zeros((12, 12), int), "schedule": spec.schedule(2), "settle": np.array(1)})
    inputs = spec.encode_input(np.where(patterns[0] > 0, 0, 8), margin=3)
    asked = spec.memory_map.split(Region.INPUT, inputs) | {"start": b"\1"}
    with Device.open(GoldenBoard(spec)) as device:
        device.load(model)
        assert device.network.learn(patterns, rule="diederich-opper").held
        result = spec.decode_output(device.call(spec.memory_map.join(Region.INPUT, asked)))
    assert (result.phases == np.where(patterns[0] > 0, 0, 8)).all()
    assert result.settled


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": [[1]]}, r"seeds have shape \(1, 1\); give one for each read"),
        ({"seeds": [-1]}, "seed is -1; it must lie between 0 and"),
        ({"seeds": [0.5]}, r"seed must be an integer, not 0\.5"),
        ({"seeds": [1], "phases": [[0] * 100]}, r"phases have shape \(1, 100\); all reads share them, shape \(100,\)"),
        ({"seeds": [1], "phases": [0] * 99}, r"phases have shape \(99,\)"),
        ({"seeds": [1], "phases": [16] * 100}, "a phase is 16"),
        ({"seeds": [1], "clamp": [True] * 99}, r"clamp mask has shape \(99,\)"),
    ],
)
def test_reads_that_do_not_fit(model: Model, arguments: dict[str, Any], message: str) -> None:
    with Device.open(GoldenBoard(SPEC)) as device:
        device.load(model)
        with pytest.raises(SpecError, match=message):
            device.network.anneal(**arguments)


def test_networks_that_draw_nothing_say_so(random_model: Callable[..., Model]) -> None:
    spec = OscillatorSpec(oscillators=5)
    with Device.open(GoldenBoard(spec)) as device:
        device.load(random_model(spec))
        for call in (
            lambda: device.network.anneal([1]),
            lambda: device.network.anneal([]),
            lambda: device.network.recall([0] * 5, random_start=True),
        ):
            with pytest.raises(SpecError, match="draws no start phases: it needs a spec with random_start"):
                call()
