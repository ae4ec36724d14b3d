"""Several devices as one: order, spreading, devices that fail, and pools that do not fit together."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import numpy as np
import pytest

from attractor.golden import EqPropNetwork, OscillatorNetwork
from attractor.host import (
    Device,
    DeviceError,
    DevicePool,
    HostError,
    LearningError,
    Model,
    ModelMismatch,
    PoolError,
    PortError,
)
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec, SpecError
from attractor.spec.protocol import Command, Request
from attractor.verify import accept

SPEC = OscillatorSpec(oscillators=12, inputs=4, labels=3, lanes=4, schedule_entries=1)
LAYERS = EqPropSpec(layers=(12, 8, 6), classes=3, state_high=7, lanes=4, learning=True)


#: Seconds: only a hang takes that long.
PATIENCE = 30.0


class Mortal(GoldenBoard):
    """A board whose port breaks down with its n-th CALL, or that then falls silent.

    Boards that live take no CALL before the others have died, and where they share a batch nobody dies before all were
    asked: whichever thread is the first, each has its part.
    """

    def __init__(self, spec: Spec, name: str, calls: int | None = None, *, silent: bool = False) -> None:
        super().__init__(spec, name=name)
        self.left, self.silent, self.served = calls, silent, 0
        self.closed = False
        self.asked, self.died = threading.Event(), threading.Event()
        self.others: list[Mortal] = []
        self.share = True

    def write(self, data: bytes) -> None:
        for frame in filter(None, data.split(b"\0")):
            if Request.decode(frame).command == Command.CALL:
                self.served += 1
                self.asked.set()
                if self.left is None:
                    assert all(other.died.wait(PATIENCE) for other in self.others if other.left is not None)
                elif self.served > self.left:
                    assert not self.share or all(other.asked.wait(PATIENCE) for other in self.others)
                    self.died.set()
                    if not self.silent:
                        raise PortError(f"{self.name} broke down")
                    return
        super().write(data)

    def close(self) -> None:
        self.closed = True


def boards(spec: Spec, *calls: int | None, silent: bool = False, share: bool = True) -> list[Mortal]:
    made = [Mortal(spec, f"board {index}", left, silent=silent) for index, left in enumerate(calls)]
    for board in made:
        board.others, board.share = [other for other in made if other is not board], share
    return made


def random_phases(count: int, spec: OscillatorSpec = SPEC) -> np.ndarray:
    return np.random.default_rng(count).integers(0, spec.period, (count, spec.oscillators))


@pytest.fixture
def model(random_model: Callable[..., Model]) -> Model:
    return random_model(SPEC, periods=2)


def test_a_batch_of_a_thousand_with_a_board_killed_in_the_middle(model: Model) -> None:
    phases = random_phases(1000)
    ports = boards(SPEC, None, None, 3, None)
    told: list[tuple[int, int]] = []
    with DevicePool.open(ports) as pool:
        pool.load(model)
        results = pool.network.recall(phases, progress=lambda *done: told.append(done))
        assert [str(error) for _, error in pool.failed] == ["board 2 broke down"]
        assert len(pool.devices) == 3
        again = pool.network.classify(phases[:100])
    with Device.open(GoldenBoard(SPEC)) as one:
        one.load(model)
        expected = one.network.recall(phases)
    for found, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(found.phases, wanted.phases)
        assert (found.winner, found.periods, found.settled) == (wanted.winner, wanted.periods, wanted.settled)
    assert again.tolist() == [result.winner for result in expected[:100]]
    assert told == [(done, 1000) for done in range(1, 1001)]
    assert all(port.served > 0 for port in (ports[0], ports[1], ports[3]))
    assert all(port.closed for port in ports)


def test_a_board_that_falls_silent_is_dropped_too(model: Model) -> None:
    phases = random_phases(60)
    with DevicePool.open(boards(SPEC, 3, None, silent=True)) as pool:
        pool.load(model)
        winners = pool.network.classify(phases, time_limit=1.0)
        assert len(pool.failed) == 1
    expected = OscillatorNetwork(SPEC, model.parameters).run(phases).winner
    np.testing.assert_array_equal(winners, expected)


def test_all_boards_fail(model: Model) -> None:
    with DevicePool.open(boards(SPEC, 2, 3)) as pool:
        pool.load(model)
        with pytest.raises(PoolError, match=r"all devices of the pool failed; .*board [01] broke down"):
            pool.network.classify(random_phases(200))
        with pytest.raises(PoolError, match=r"no device of the pool is left: .* check them, and open the pool anew"):
            pool.network.classify(random_phases(2))


def test_parts_of_a_sequence_stay_on_one_device() -> None:
    layers = FelifLayer(neurons=5, kind="lif"), FelifLayer(neurons=3, kind="readout")
    spec = FelifSpec(inputs=4, layers=layers, ticks=3)
    source = np.random.default_rng(0)
    parameters = {name: source.integers(part.low, part.high + 1, part.shape) for name, part in spec.parameters.items()}
    model = Model(spec, parameters)
    frames = source.integers(0, 2, (120, 8, 4))
    found = []
    for ports in (boards(spec, None), boards(spec, None, 1, None)):
        with DevicePool.open(ports) as pool:
            pool.load(model)
            found.append([result.outputs.tolist() for result in pool.network.run_sequences(frames)])
            assert len(pool.failed) == len(ports) // 2
    assert found[0] == found[1]


def lessons(count: int) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(count)
    return source.integers(0, 2, (count, 12)), source.integers(0, 3, count)


def blank() -> Model:
    source = np.random.default_rng(5)
    parameters = {
        name: source.choice([-1, 1], part.shape) if name.startswith("weights") else np.zeros(part.shape, np.int64)
        for name, part in LAYERS.parameters.items()
    }
    return Model(LAYERS, parameters | {"steps": np.array([6, 6])})


def test_one_device_learns_and_the_others_get_what_it_learnt() -> None:
    bits, labels = lessons(40)
    ports = boards(LAYERS, None, None)
    with DevicePool.open(ports) as pool:
        pool.load(blank())
        pool.network.teach(bits, labels, (1, 1))
        assert ports[1].served == 0
        learnt = pool.read_parameters()
        network = EqPropNetwork(LAYERS, blank().parameters)
        for index in range(40):
            network.learn(bits[index : index + 1], labels[index : index + 1], 1, (1, 1))
        for name, array in network.parameters.items():
            np.testing.assert_array_equal(learnt[name], array)
        winners = pool.network.classify(bits)
        np.testing.assert_array_equal(winners, network.scores(network.run(bits).states).argmax(axis=1))
        assert ports[0].parameter_windows() == ports[1].parameter_windows()


def test_learning_is_never_done_again_by_another_device() -> None:
    bits, labels = lessons(2000)
    ports = boards(LAYERS, 5, None, share=False)
    with DevicePool.open(ports) as pool:
        pool.load(blank())
        with pytest.raises(LearningError, match=r"board 0 broke down; .*of 2000 samples were learnt") as caught:
            pool.network.teach(bits, labels, (1, 1))
        assert caught.value.learnt <= caught.value.most < 2000
        assert ports[1].served == 0


def test_refused_calls_end_the_batch_and_keep_the_devices(model: Model) -> None:
    with DevicePool.open(boards(SPEC, None, None)) as pool:
        with pytest.raises(DeviceError, match="CALL was refused with INVALID_PARAMETERS"):
            pool.network.classify(random_phases(50))
        with pytest.raises(SpecError, match="the inputs have 1 bytes"):
            list(pool.calls([b"x"]))
        pool.load(model)
        assert pool.holds(model)
        assert len(pool.network.classify(random_phases(50))) == 50


def test_a_caller_that_stops_early(model: Model) -> None:
    with DevicePool.open(boards(SPEC, None, None)) as pool:
        pool.load(model)
        inputs = [SPEC.encode_input(phases) for phases in random_phases(300)]
        calls = pool.calls(inputs)
        first = next(calls)
        calls.close()  # type: ignore[attr-defined]
        assert next(pool.calls(inputs[:1])) == first


class TestUnlikeDevices:
    def test_another_network_or_folding(self) -> None:
        ports = boards(SPEC, None) + boards(dataclasses.replace(SPEC, lanes=2), None)
        with pytest.raises(ModelMismatch, match=r"is built otherwise .*lanes: 4, 2; a pool needs the same gateware"):
            DevicePool.open(ports)
        assert all(port.closed for port in ports)

    def test_other_parameters(self, model: Model, random_model: Callable[..., Model]) -> None:
        with DevicePool.open(boards(SPEC, None, None)) as pool:
            pool.load(model)
            pool.devices[1].load(random_model(SPEC, seed=9))
            assert not pool.holds(model)
            with pytest.raises(PoolError, match="board 1 holds other parameters than board 0; load a model into the"):
                pool.network.classify(random_phases(3))

    def test_no_device(self) -> None:
        with pytest.raises(PoolError, match="a pool has no device; give at least one port"):
            DevicePool.open([])

    def test_a_port_that_is_not_there(self) -> None:
        port = Mortal(SPEC, "board")
        with pytest.raises(HostError):
            DevicePool.open([port, "/dev/none"])
        assert port.closed


def test_a_pool_is_accepted_as_a_device_is(model: Model) -> None:
    with DevicePool.open(boards(SPEC, None, None, None)) as pool:
        pool.load(model)
        assert accept(pool, models=2, calls=5).exact
        assert pool.holds(model)
