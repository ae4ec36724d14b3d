"""Devices of the eqprop family: classes of bits, learning from samples, and what cannot be learnt."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import EqPropNetwork
from attractor.host import (
    Device,
    DeviceError,
    LearningError,
    LinkClient,
    LinkError,
    Model,
    ModelMismatch,
    NotADevice,
    PortError,
)
from attractor.host.eqprop import EqPropCalls, SampleLearning, drawn_sigmas
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.line import Faults, FaultyLine, PacedLine, VirtualClock
from attractor.spec import EqPropResult, EqPropSpec, SpecError
from attractor.spec.protocol import Command, Status

from ..golden.eqprop_cases import teaching_samples  # noqa: TID252

SPEC = EqPropSpec(layers=(20, 12, 7, 6), classes=3, state_high=(7, 5, 6), lanes=5, learning=True)
THRESHOLDS = (2, 1, 3)


def random_samples(count: int, spec: EqPropSpec = SPEC, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bits, labels and sigmas."""
    random = np.random.default_rng(seed)
    bits = random.integers(0, 2, (count, spec.layers[0]))
    return bits, random.integers(0, spec.classes, count), random.choice([-1, 1], count)


def random_model(spec: EqPropSpec = SPEC, seed: int = 0) -> Model:
    random = np.random.default_rng(seed)
    parameters: dict[str, Any] = {"steps": np.array([7, 5])}
    for name, parameter in spec.parameters.items():
        if name.startswith("weights"):
            parameters[name] = random.choice([-1, 1], parameter.shape)
        elif name.startswith("counters"):
            parameters[name] = random.integers(-3, 4, parameter.shape)
    return Model(spec, parameters)


def taught(model: Model, bits: np.ndarray, labels: np.ndarray, sigmas: np.ndarray) -> EqPropNetwork:
    """Return the golden model after the same samples, one after the other."""
    spec = model.spec
    assert isinstance(spec, EqPropSpec)
    network = EqPropNetwork(spec, model.parameters)
    for index in range(len(bits)):
        network.learn(bits[index : index + 1], labels[index : index + 1], sigmas[index], THRESHOLDS)
    return network


def same_parameters(found: Any, expected: Any) -> bool:
    return found.keys() == expected.keys() and all((found[name] == expected[name]).all() for name in expected)


@pytest.fixture
def device() -> Iterator[Device]:
    with Device.open(GoldenBoard(SPEC)) as opened:
        opened.load(random_model())
        yield opened


class TestInference:
    def test_results_are_the_golden_models(self, device: Device) -> None:
        bits, _, _ = random_samples(9)
        network = EqPropNetwork(SPEC, random_model().parameters)
        told: list[tuple[int, int]] = []
        results = device.network.infer(bits, progress=lambda *done: told.append(done))
        phase = network.run(bits)
        scores = network.scores(phase.states)
        np.testing.assert_array_equal([result.scores for result in results], scores)
        assert [result.winner for result in results] == scores.argmax(axis=1).tolist()
        assert [result.free_steps for result in results] == phase.steps.tolist()
        assert not any(result.learnt for result in results)
        assert told == [(done, 9) for done in range(1, 10)]

    def test_nothing_is_learnt_and_one_sample_is_enough(self, device: Device) -> None:
        bits, _, _ = random_samples(1)
        (alone,), (result,) = device.network.infer(bits[0]), device.network.infer(bits)
        assert alone.scores.tolist() == result.scores.tolist()
        assert device.holds(random_model())

    def test_a_network_without_learning_classifies(self) -> None:
        spec = dataclasses.replace(SPEC, learning=False)
        with Device.open(GoldenBoard(spec)) as device:
            device.load(random_model(spec))
            bits, labels, _ = random_samples(4)
            assert len(device.network.infer(bits)) == 4
            with pytest.raises(SpecError, match="build gateware from a spec with learning=True"):
                device.network.learn_samples(bits, labels, THRESHOLDS)


class TestLearning:
    def test_it_equals_the_golden_model_sample_by_sample(self, device: Device) -> None:
        bits, labels, sigmas = random_samples(60)
        told: list[tuple[int, int]] = []
        learning = device.network.learn_samples(
            bits, labels, THRESHOLDS, sigmas=sigmas, progress=lambda *done: told.append(done)
        )
        network = taught(random_model(), bits, labels, sigmas)
        assert same_parameters(device.read_parameters(), network.parameters)
        assert device.holds(Model(SPEC, network.parameters)), "both copies of a weight change"
        assert told == [(done, 60) for done in range(1, 61)]
        assert learning.flips.sum() > 20
        before = EqPropNetwork(SPEC, random_model().parameters)
        assert learning.winners[0] == before.scores(before.run(bits[:1]).states).argmax()

    def test_a_generator_draws_the_directions(self, device: Device) -> None:
        bits, labels, _ = random_samples(40)
        device.network.learn_samples(bits, labels, THRESHOLDS, sigmas=np.random.default_rng(5))
        sigmas = drawn_sigmas(np.random.default_rng(5), 40)
        assert set(sigmas.tolist()) == {-1, 1}
        assert same_parameters(device.read_parameters(), taught(random_model(), bits, labels, sigmas).parameters)

    def test_it_goes_on_from_a_saved_model(self, device: Device, tmp_path: Path) -> None:
        bits, labels, sigmas = random_samples(50)
        device.network.learn_samples(bits[:30], labels[:30], THRESHOLDS, sigmas=sigmas[:30])
        device.read_model({"samples": 30}).save(tmp_path / "half.safetensors")
        half = Model.load(tmp_path / "half.safetensors")
        assert dict(half.provenance) == {"samples": 30}
        device.load(random_model(seed=9))
        device.load(half)
        device.network.learn_samples(bits[30:], labels[30:], THRESHOLDS, sigmas=sigmas[30:])
        assert same_parameters(device.read_parameters(), taught(random_model(), bits, labels, sigmas).parameters)

    def test_counts_are_the_results(self) -> None:
        results = [
            EqPropResult(1, np.zeros(2, np.uint16), True, 4, 5, True, touched=6, flips=7, cycles=8),
            EqPropResult(0, np.zeros(2, np.uint16), True, 14, 15, True, touched=16, flips=17, cycles=18),
        ]
        found = SampleLearning.of(results)
        assert [column.tolist() for column in vars(found).values()] == [
            [1, 0], [6, 16], [7, 17], [4, 14], [5, 15], [8, 18]
        ]  # fmt: skip
        assert SampleLearning.of([]).flips.shape == (0,)
        joined = SampleLearning.joined([SampleLearning.of(results[:1]), SampleLearning.of(results[1:])])
        assert [column.tolist() for column in vars(joined).values()] == [
            column.tolist() for column in vars(found).values()
        ]
        assert list(found.without_cycles()) == ["winners", "touched", "flips", "free_steps", "nudged_steps"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"labels": np.array([0, 3])}, "a label is 3; classes are numbered from 0 to 2"),
            ({"labels": np.array([0, -1])}, "a label is -1"),
            ({"labels": np.array([0, 1, 2])}, r"labels have shape \(3,\); there are 2 samples"),
            ({"labels": np.array([0.0, 1.0])}, "labels have type float64; number the classes from 0 to 2"),
            ({"bits": np.zeros((2, 19), int)}, r"input bits have shape \(2, 19\); .* must have 20 entries"),
            ({"bits": np.zeros((1, 2, 20), int)}, r"samples have shape \(samples, 20\)"),
            ({"bits": np.full((2, 20), 2)}, "an input bit is 2; it must be 0 or 1"),
            ({"bits": np.full((2, 20), 0.5)}, "an input bit is 0.5"),
            ({"sigmas": np.array([1, 0])}, "a sigma is 0; use 1 to nudge toward the label"),
            ({"sigmas": [1, -1, 1]}, r"sigmas have shape \(3,\); give one number, one for each of 2"),
            ({"thresholds": (1, 2)}, r"thresholds has shape \(2,\)"),
            ({"thresholds": (1, 256, 2)}, r"thresholds\[1\] is 256; it must lie between 0 and 255"),
        ],
    )
    def test_bad_arguments_name_the_value_and_teach_nothing(
        self, device: Device, arguments: dict[str, Any], message: str
    ) -> None:
        bits, labels, _ = random_samples(2)
        given: dict[str, Any] = {"bits": bits, "labels": labels, "thresholds": THRESHOLDS} | arguments
        with pytest.raises(SpecError, match=message):
            device.network.learn_samples(**given)
        assert device.holds(random_model())

    def test_a_device_of_another_family_says_so(self, model: Model) -> None:
        with Device.open(GoldenBoard(model.spec)) as device:
            with pytest.raises(ModelMismatch, match="family 'oscillator', whose calls are OscillatorCalls, not EqProp"):
                device.network_as(EqPropCalls)
            with pytest.raises(AttributeError, match=r"'infer' is nothing .* 'oscillator'; .* has anneal, classify"):
                device.infer(np.zeros((1, 24)))

    def test_a_device_without_valid_parameters_refuses(self) -> None:
        bits, labels, _ = random_samples(3)
        with Device.open(GoldenBoard(SPEC)) as device:
            with pytest.raises(LinkError, match="load a model first"):
                device.network.infer(bits)
            with pytest.raises(LearningError, match=r"0 of 3 samples, is lost .*: load the last model") as caught:
                device.network.learn_samples(bits, labels, THRESHOLDS)
        assert (caught.value.learnt, caught.value.samples) == (0, 3)
        assert caught.value.refused
        assert caught.value.lost


# Lines that fail

probability = st.sampled_from([0.0, 0.01, 0.1])


class Trial:
    """A device that was loaded without faults, behind a line that now has some."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.clock = VirtualClock(limit=3600.0)
        self.board = GoldenBoard(SPEC)
        self.safe = PacedLine(self.board, self.clock)
        Device.open(self.safe, clock=self.clock).load(random_model())
        self.line = FaultyLine(self.safe, self.clock, faults, seed)
        self.seed = seed

    def open(self) -> Device:
        return Device(LinkClient(self.line, clock=self.clock, session=self.seed or 1))

    def reconnected(self) -> Device:
        """Return the device at a line without faults."""
        return Device.open(self.safe, clock=self.clock)


def counts_learnt(found: Any, bits: np.ndarray, labels: np.ndarray, sigmas: np.ndarray, counts: range) -> list[int]:
    """Return after how many samples, of some counts, the golden model has the parameters that were found."""
    network, fitting = EqPropNetwork(SPEC, random_model().parameters), []
    for count in range(max(counts) + 1):
        if count:
            network.learn(bits[count - 1 : count], labels[count - 1 : count], sigmas[count - 1], THRESHOLDS)
        if count in counts and same_parameters(found, network.parameters):
            fitting.append(count)
    return fitting


def failure(device: Device, bits: np.ndarray, labels: np.ndarray, sigmas: np.ndarray) -> LearningError | None:
    """Teach a device and return how it failed, if it did."""
    try:
        device.network.learn_samples(bits, labels, THRESHOLDS, sigmas=sigmas)
    except LearningError as error:
        return error
    return None


@settings(max_examples=40, deadline=None)
@given(
    faults=st.builds(
        Faults,
        flip=probability,
        drop=probability,
        double=probability,
        reorder=probability,
        garbage=probability,
        cut=st.sampled_from([0.0, 0.02]),
        run_bytes=st.sampled_from([10, 300]),
    ),
    seed=st.integers(0, 2**16 - 1),
)
def test_every_sample_is_learnt_once_and_what_was_learnt_is_told(faults: Faults, seed: int) -> None:
    bits, labels, sigmas = teaching_samples(SPEC, random_model().parameters, THRESHOLDS, 12, seed=seed)
    trial = Trial(faults, seed)
    try:
        error = failure(trial.open(), bits, labels, sigmas)
    except NotADevice:
        return
    found = trial.reconnected().read_parameters()
    learnt = range(len(bits), len(bits) + 1) if error is None else range(error.learnt, error.most + 1)
    assert 0 <= learnt[0] <= learnt[-1] <= len(bits)
    assert len(counts_learnt(found, bits, labels, sigmas, learnt)) > 0


def test_after_a_cut_the_device_goes_on_from_what_it_holds() -> None:
    bits, labels, sigmas = teaching_samples(SPEC, random_model().parameters, THRESHOLDS, 200)
    places = set()
    for seed in range(20):
        trial = Trial(Faults(cut=0.01, run_bytes=40), seed)
        try:
            error = failure(trial.open(), bits, labels, sigmas)
        except NotADevice:
            continue  # cut before it began
        if error is not None:
            assert trial.line.cut
            assert "no answer to" in str(error) or "gave no results" in str(error)
            count = f"at least {error.learnt} and at most {error.most}" if error.most > error.learnt else error.learnt
            assert f"{count} of 200 samples were learnt, in order, and stay so" in str(error)
            places.add(error.learnt)
        again = trial.reconnected()
        if error is not None:
            found = again.read_parameters()
            assert counts_learnt(found, bits, labels, sigmas, range(error.learnt, error.most + 1))
        assert again.identity.parameters_valid
        network = EqPropNetwork(SPEC, again.read_parameters())
        more, classes, directions = random_samples(5, seed=99)
        again.network.learn_samples(more, classes, THRESHOLDS, sigmas=directions)
        for index in range(5):
            network.learn(more[index : index + 1], classes[index : index + 1], directions[index], THRESHOLDS)
        assert same_parameters(again.read_parameters(), network.parameters)
    assert len(places) > 3


@pytest.mark.parametrize("fault", ["flip", "drop", "double", "reorder", "garbage"])
def test_each_kind_of_fault_is_recovered_from(fault: str) -> None:
    bits, labels, sigmas = random_samples(30)
    expected = taught(random_model(), bits, labels, sigmas).parameters
    troubles = 0
    for seed in range(5):
        trial = Trial(Faults(**{fault: 0.1}), seed)
        device = trial.open()
        device.network.learn_samples(bits, labels, THRESHOLDS, sigmas=sigmas)
        assert same_parameters(trial.reconnected().read_parameters(), expected)
        troubles += trial.line.happened[fault]
    assert troubles > 5


def test_a_device_that_is_reset_says_that_it_cannot_go_on() -> None:
    bits, labels, sigmas = random_samples(400)
    places = set()
    for seed in range(6):
        trial = Trial(Faults(), seed)
        device = trial.open()

        def reset(done: int, _: int, board: GoldenBoard = trial.board, when: int = 3 + 20 * seed) -> None:
            if done == when:
                board.reset()

        with pytest.raises(LearningError, match="load the last model that was read, and learn from there") as caught:
            device.network.learn_samples(bits, labels, THRESHOLDS, sigmas=sigmas, progress=reset)
        assert caught.value.lost
        error = caught.value
        places.add(error.learnt)
        assert error.learnt < error.most < 400
        windows = SPEC.decode_parameters(trial.board.parameter_windows())
        assert counts_learnt(windows, bits, labels, sigmas, range(error.learnt, error.most + 1))
        with pytest.raises(LinkError, match="load a model first"):
            device.network.infer(bits[:1])
        device.load(random_model())
        device.network.learn_samples(bits, labels, THRESHOLDS, sigmas=sigmas)
        expected = taught(random_model(), bits, labels, sigmas).parameters
        assert same_parameters(device.read_parameters(), expected)
    assert len(places) > 3


@pytest.mark.parametrize("way", ["learn_samples", "teach"])
def test_a_port_that_breaks_down_is_told_alike(device: Device, way: str) -> None:
    bits, labels, _ = random_samples(400)
    board = device.link.port
    assert isinstance(board, GoldenBoard)
    read, count = board.read, Counter[str]()

    def broken(timeout: float) -> bytes:
        count["reads"] += 1
        if count["reads"] == 2:
            raise PortError("sim: broke down")
        return read(timeout)

    board.read = broken  # type: ignore[method-assign]
    with pytest.raises(
        LearningError, match=r"sim: broke down; at least .* of 400 samples were learnt, in order"
    ) as caught:
        getattr(device.network, way)(bits, labels, THRESHOLDS)
    board.read = read  # type: ignore[method-assign]
    assert 0 <= caught.value.learnt < caught.value.most <= 400
    assert not caught.value.refused
    assert not caught.value.lost
    found = device.read_parameters()
    bounds = range(caught.value.learnt, caught.value.most + 1)
    assert counts_learnt(found, bits, labels, np.ones(400, int), bounds)


@pytest.mark.parametrize("way", ["learn_samples", "teach"])
def test_a_call_that_is_ended_may_have_learnt(device: Device, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    bits, labels, _ = random_samples(3)

    def ended(*_: Any, **__: Any) -> Iterator[bytes]:
        raise DeviceError(Command.CALL, Status.ABORTED)
        yield b""

    monkeypatch.setattr(Device, "calls", ended)
    with pytest.raises(LearningError, match="at least 0 and at most 1 of 3 samples were learnt") as caught:
        getattr(device.network, way)(bits, labels, THRESHOLDS)
    assert not caught.value.refused


def test_teaching_and_classifying_are_learning_and_inference(device: Device) -> None:
    bits, labels, sigmas = random_samples(60)
    named = device.network.classify(bits)
    assert named.tolist() == [result.winner for result in device.network.infer(bits)]
    told: list[tuple[int, int]] = []
    winners = device.network.teach(bits, labels, THRESHOLDS, sigmas=sigmas, progress=lambda *done: told.append(done))
    assert told == [(done, 60) for done in range(1, 61)]
    network = taught(random_model(), bits, labels, sigmas)
    assert same_parameters(device.read_parameters(), network.parameters)
    device.load(random_model())
    assert winners.tolist() == device.network.learn_samples(bits, labels, THRESHOLDS, sigmas=sigmas).winners.tolist()
