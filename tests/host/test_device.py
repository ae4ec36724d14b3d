"""Devices: meeting, loading and running them, and every way in which that can fail."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from attractor.golden import OscillatorNetwork
from attractor.host import (
    Build,
    Device,
    DeviceError,
    LinkError,
    LinkTimeout,
    LoadError,
    Model,
    ModelMismatch,
    NotADevice,
)
from attractor.host.calls import Calls
from attractor.host.felif import FelifCalls
from attractor.host.oscillator import OscillatorCalls
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.line import PacedLine, VirtualClock
from attractor.spec import EqPropSpec, OscillatorSpec, SpecError
from attractor.spec.protocol import Command, Counters, Identity, Reply, Request, Status, crc32, encode_description


@pytest.fixture
def board(spec: OscillatorSpec) -> GoldenBoard:
    return GoldenBoard(spec)


@pytest.fixture
def device(board: GoldenBoard) -> Iterator[Device]:
    with Device.open(board) as opened:
        yield opened


class Filter:
    """A port whose two directions go through functions."""

    name = "filtered"

    def __init__(self, board: GoldenBoard) -> None:
        self.board = board
        self.outward: Callable[[bytes], bytes] = lambda data: data
        self.inward: Callable[[bytes], bytes] = lambda data: data

    def write(self, data: bytes) -> None:
        self.board.write(self.outward(data))

    def read(self, timeout: float) -> bytes:
        return self.inward(self.board.read(timeout))

    def close(self) -> None:
        self.board.close()


# Meeting


def test_open_learns_all_from_the_device(device: Device, spec: OscillatorSpec) -> None:
    assert device.spec == spec
    assert device.identity.fingerprint == spec.fingerprint
    assert not device.identity.parameters_valid
    assert device.description["board"] == "golden model"
    assert device.name == "sim:"


def test_a_long_description_is_read_in_pieces() -> None:
    class Talkative(GoldenBoard):
        def _description(self) -> dict[str, object]:
            noise = np.random.default_rng(0).bytes(400).hex()
            return {**super()._description(), "noise": noise}

    spec = OscillatorSpec(oscillators=5)
    opened = Device.open(Talkative(spec))
    assert opened.identity.description_bytes > 240
    assert opened.spec == spec


def test_a_silent_port(board: GoldenBoard) -> None:
    port = Filter(board)
    port.inward = lambda _: b""
    with pytest.raises(NotADevice, match="filtered: nothing answers; check that the board is powered"):
        Device.open(port)


def test_a_port_that_echoes() -> None:
    with pytest.raises(NotADevice, match=r"loop://: \d+ bytes arrived but no answer .*another baud"):
        Device.open("loop://", timeout=0.001)


def test_a_port_that_babbles(board: GoldenBoard) -> None:
    clock = VirtualClock()
    port = Filter(board)

    def babble(_: bytes) -> bytes:
        clock.advance_to(clock.now + 0.001)
        return b"login: \0Password\0"

    port.inward = babble
    with pytest.raises(NotADevice, match=r"bytes arrived but no answer \(\d+ damaged frames\)"):
        Device.open(port, clock=clock)


def answering(board: GoldenBoard, command: Command, payload: bytes) -> Filter:
    """Return a port whose replies to one command carry another payload."""
    port = Filter(board)

    def change(data: bytes) -> bytes:
        replies = [Reply.decode(frame) for frame in data.split(b"\0") if frame]
        return b"".join(
            (dataclasses.replace(reply, payload=payload) if reply.command == command else reply).encode()
            for reply in replies
        )

    port.inward = change
    return port


@pytest.mark.parametrize(
    ("command", "payload", "message"),
    [
        (Command.IDENTIFY, b"\2and more", "speaks protocol version 2, this program 1; build its gateware with this"),
        (Command.IDENTIFY, b"\1", "an identity has 14 bytes, not 1"),
        (Command.IDENTIFY, b"", "an identity has 14 bytes, not 0"),
        (Command.IDENTIFY, Identity(1, bytes(8), 512, 0, False).pack(), "must have 1 to"),
    ],
)
def test_identities_that_do_not_fit(board: GoldenBoard, command: Command, payload: bytes, message: str) -> None:
    with pytest.raises(NotADevice) as caught:
        Device.open(answering(board, command, payload))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (b"\0" * 40, "the device's description cannot be read"),
        (encode_description({"board": "x"}), "its description has no spec"),
        (encode_description({"spec": {"family": "crystal"}}), "unknown network family 'crystal'"),
        (
            encode_description({"spec": OscillatorSpec(oscillators=99).to_dict()}),
            "its description is of a spec with fingerprint",
        ),
    ],
)
def test_descriptions_that_do_not_fit(spec: OscillatorSpec, description: bytes, message: str) -> None:
    identity = Identity(1, spec.fingerprint, 512, len(description), False).pack()
    port = answering(GoldenBoard(spec), Command.IDENTIFY, identity)
    described = answering(port.board, Command.READ, description)
    port.inward, identify = lambda data: described.inward(identify(data)), port.inward
    with pytest.raises(NotADevice) as caught:
        Device.open(port)
    assert message in str(caught.value)
    assert "build its gateware with this version" in str(caught.value)


def test_reconnect(board: GoldenBoard, device: Device, model: Model) -> None:
    device.load(model)
    board.reset()
    device.reconnect()
    assert not device.identity.parameters_valid
    board.link = GoldenBoard(dataclasses.replace(board.spec, labels=2)).link
    with pytest.raises(NotADevice, match=r"another network is there now .*labels: 3, 2"):
        device.reconnect()


def test_reconnect_opens_an_address_anew(tmp_path: Path, model: Model) -> None:
    model.save(tmp_path / "model.safetensors")
    with Device.open(f"sim:{tmp_path / 'model.safetensors'}") as device:
        before = device.link.port
        device.load(model)
        device.reconnect()
        assert device.link.port is not before
        assert not device.identity.parameters_valid


def test_a_device_says_how_it_was_built(device: Device, spec: OscillatorSpec) -> None:
    assert device.build == Build({"lanes": 7}, "golden model", 0, 0, metadata.version("attractor"))
    assert device.build.lanes == spec.lanes
    assert str(device.build) == "lanes 7 on golden model"


def test_a_build_is_told_as_text_and_says_what_is_unknown() -> None:
    spec = OscillatorSpec(oscillators=5, lanes=2)
    said = {"board": "icebreaker", "clock_hz": 24_000_000, "baud": 1_000_000, "gateware": "0.1"}
    build = Build.of(spec, said)
    assert build == Build({"lanes": 2}, "icebreaker", 24_000_000, 1_000_000, "0.1")
    assert str(build) == "lanes 2 on icebreaker at 24 MHz"
    assert Build.of(spec, {}) == Build({"lanes": 2}, "unknown", 0, 0, "unknown")
    nothing = Build({}, "board", 0, 0, "0.1")
    assert (nothing.lanes, str(nothing)) == (None, "board")


# The calls of its network


def test_calls_are_those_of_the_family(device: Device) -> None:
    assert isinstance(device.network, OscillatorCalls)
    assert device.network_as(OscillatorCalls) is device.network
    assert device.network_as(Calls) is device.network
    message = "sim: holds a network of family 'oscillator', whose calls are OscillatorCalls, not FelifCalls"
    with pytest.raises(ModelMismatch, match=message):
        device.network_as(FelifCalls)
    with pytest.raises(ModelMismatch, match="holds a network of family 'oscillator', not 'eqprop'"):
        device.spec_of(EqPropSpec)


def test_old_names_of_calls_warn_and_work(device: Device, model: Model) -> None:
    device.load(model)
    phases = np.random.default_rng(0).integers(0, 16, (3, 24))
    with pytest.warns(DeprecationWarning, match=r"device.classify is now device.network.classify; the old name goes"):
        found = device.classify(phases)
    assert found.tolist() == device.network.classify(phases).tolist()
    with (
        pytest.warns(DeprecationWarning, match="device.learn_samples is now") as warned,
        Device.open("sim:", EqPropSpec(layers=(4, 3, 2), classes=2, state_high=3)) as other,
    ):
        assert other.learn_samples == other.network.learn_samples
    assert warned[0].filename == __file__


@pytest.mark.parametrize("name", ["infer", "run_ticks", "no_such_thing"])
def test_names_of_other_families_are_none_of_a_device(device: Device, name: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(device, name)
    assert str(caught.value) == (
        f"{name!r} is nothing that a device has, nor its network of family 'oscillator'; device.network has classify, "
        "learn, recall"
    )
    assert not hasattr(device, name)


def test_what_a_device_has_itself_is_not_looked_for_in_its_network(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AttributeError, match="Device has no attribute '_calls'"):
        device._calls  # noqa: B018
    with pytest.raises(AttributeError, match="Device has no attribute 'spec'"):
        Device.__new__(Device).spec  # noqa: B018
    monkeypatch.setattr(OscillatorCalls, "__init__", lambda self, _: self.absent)
    with pytest.raises(AttributeError, match="'OscillatorCalls' object has no attribute 'absent'"):
        device.network  # noqa: B018


# Loading


def test_load_and_read_back(device: Device, board: GoldenBoard, model: Model) -> None:
    steps: list[tuple[int, int]] = []
    assert not device.holds(model)
    device.load(model, progress=lambda done, total: steps.append((done, total)))
    assert board.parameters_valid
    assert device.identity.parameters_valid
    assert device.holds(model)
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]
    for name, array in device.read_parameters().items():
        np.testing.assert_array_equal(array, model.parameters[name])
    contents = board.spec.encode_parameters(model.parameters)
    assert device.digest("weights.0") == crc32(contents["weights.0"])
    assert device.counters() == Counters(board.link._frames, 0, 0)


def test_another_model_replaces_the_first(device: Device, model: Model, random_model: Callable[..., Model]) -> None:
    other = random_model(model.spec, seed=1)
    device.load(model)
    device.load(other, verify=False)
    assert device.holds(other)
    assert not device.holds(model)
    smaller = OscillatorSpec(oscillators=5)
    assert not device.holds(random_model(smaller))


@pytest.mark.parametrize("lanes", [1, 5, 20])
def test_a_model_made_with_other_lanes_is_loaded(device: Device, model: Model, lanes: int) -> None:
    other = Model(dataclasses.replace(model.spec, lanes=lanes), model.parameters)
    device.load(other)
    assert device.holds(other)
    assert device.holds(model)
    assert device.read_model().spec.lanes == 7


def test_a_refused_model_says_what_of_the_network_differs(device: Device, model: Model) -> None:
    spec = dataclasses.replace(model.spec, lanes=3, labels=2)
    with pytest.raises(ModelMismatch) as caught:
        device.load(Model(spec, model.parameters))
    assert "(field: device, model): labels: 3, 2; build gateware" in str(caught.value)
    with Device.open("sim:", EqPropSpec(layers=(4, 3, 2), classes=2, state_high=3)) as other:
        with pytest.raises(ModelMismatch, match=r"family: eqprop, oscillator; .*; oscillators: absent, 24"):
            other.load(model)
        assert not other.holds(model)


def test_a_model_of_another_spec_is_refused_before_a_byte_is_written(
    device: Device, board: GoldenBoard, model: Model, random_model: Callable[..., Model]
) -> None:
    device.load(model)
    frames = board.link._frames
    other = random_model(dataclasses.replace(model.spec, oscillators=30, weight_bits=4))
    with pytest.raises(ModelMismatch) as caught:
        device.load(other)
    assert "(field: device, model): oscillators: 24, 30; weight_bits: 5, 4; build gateware" in str(caught.value)
    assert board.link._frames == frames
    assert board.parameters_valid


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_a_board_that_dies_in_the_middle_of_a_load(board: GoldenBoard, model: Model, frames: int) -> None:
    port = Filter(board)
    device = Device.open(port)
    device.load(model)
    assert board.parameters_valid
    left = frames

    def die(data: bytes) -> bytes:
        nonlocal left
        pieces = data.split(b"\0")[:-1]
        passed, left = pieces[:left], max(0, left - len(pieces))
        return b"".join(piece + b"\0" for piece in passed)

    port.outward = die
    changed = Model(model.spec, {**model.parameters, "settle": np.array(3)})
    message = r"no answer to WRITE after 6 repeats; .*; the model was not loaded, so the device refuses calls"
    with pytest.raises(LoadError, match=message):
        device.load(changed)

    port.outward = lambda data: data
    if frames == 0:
        assert device.holds(model)  # nothing reached it
        return
    with pytest.raises(DeviceError, match=r"CALL was refused with INVALID_PARAMETERS: .*load a model first"):
        device.call(bytes(32))
    device.load(changed)
    assert device.holds(changed)


def test_what_a_memory_forgets_is_found_and_written_again(board: GoldenBoard, model: Model) -> None:
    port = Filter(board)
    device = Device.open(port)
    writes: list[Request] = []
    forgotten = 2

    def forget(data: bytes) -> bytes:
        nonlocal forgotten
        for frame in data.split(b"\0"):
            request = Request.decode(frame) if frame else None
            if request is not None and request.command == Command.WRITE:
                writes.append(request)
            elif request is not None and request.command == Command.COMMIT and forgotten:
                forgotten -= 1
                board.link._windows[board.spec.memory_map.number("weights.0")].data[7] ^= 1
        return data

    port.outward = forget
    device.load(model)
    assert device.holds(model)
    window = board.spec.memory_map["weights.0"]
    repaired = writes[-2:]
    assert [(request.window, request.word) for request in repaired] == [
        (board.spec.memory_map.number(window.name), 0)
    ] * 2
    assert len(writes) == 2 + 2 + -(-window.words // window.words_per_frame)


@pytest.mark.parametrize("verify", [True, False])
def test_a_memory_that_always_forgets(board: GoldenBoard, model: Model, verify: bool) -> None:
    port = Filter(board)
    device = Device.open(port)

    def forget(data: bytes) -> bytes:
        board.link._windows[board.spec.memory_map.number("weights.0")].data[7] ^= 1
        return data

    port.outward = forget
    with pytest.raises(LoadError, match="still differ after 5 repairs, so the device holds no valid ones and refuses"):
        device.load(model, verify=verify)
    assert not board.parameters_valid


# Running


@pytest.mark.parametrize("oscillators", [24, 225, 300, 500])
def test_recall_is_the_golden_model(random_model: Callable[..., Model], oscillators: int) -> None:
    spec = OscillatorSpec(oscillators=oscillators, inputs=2, labels=3, lanes=16, schedule_entries=1)
    model = random_model(spec, periods=3)
    random = np.random.default_rng(oscillators)
    phases = random.integers(0, spec.period, (4, oscillators))
    clamp = random.random((4, oscillators)) < 0.3
    expected = OscillatorNetwork(spec, model.parameters).run(phases, clamp)
    steps: list[tuple[int, int]] = []
    with Device.open(GoldenBoard(spec)) as device:
        device.load(model)
        results = device.network.recall(phases, clamp, progress=lambda done, total: steps.append((done, total)))
        winners = device.network.classify(phases, clamp)
        single = device.network.recall(phases[0], clamp[0])
    np.testing.assert_array_equal([result.phases for result in results], expected.phases[:, spec.inputs :])
    np.testing.assert_array_equal(winners, expected.winner)
    assert [result.periods for result in results] == expected.periods.tolist()
    np.testing.assert_array_equal(single[0].phases, results[0].phases)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("oscillators", [24, 500])
@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_lost_part_of_a_call_is_made_good(random_model: Callable[..., Model], oscillators: int, lost: int) -> None:
    spec = OscillatorSpec(oscillators=oscillators, lanes=16, schedule_entries=1)
    model = random_model(spec, periods=2)
    phases = np.random.default_rng(0).integers(0, spec.period, (3, oscillators))
    port = Filter(GoldenBoard(spec))
    with Device.open(port) as device:
        device.load(model)
        count = 0

        def lose(data: bytes) -> bytes:
            nonlocal count
            frames = [frame for frame in data.split(b"\0") if frame]
            kept = [frame for index, frame in enumerate(frames, count) if index != lost]
            count += len(frames)
            return b"\0" + b"".join(frame + b"\0" for frame in kept)

        port.outward = lose
        results = device.network.recall(phases)
    expected = OscillatorNetwork(spec, model.parameters).run(phases).phases
    np.testing.assert_array_equal([result.phases for result in results], expected)


def test_inputs_that_never_arrive(board: GoldenBoard, model: Model) -> None:
    port = Filter(board)
    device = Device.open(port)
    device.load(model)

    def disturb(data: bytes) -> bytes:
        requests = [Request.decode(frame) for frame in data.split(b"\0") if frame]
        return b"".join(
            dataclasses.replace(request, payload=request.payload[:4] + bytes(request.payload[4:])[::-1]).encode()
            for request in requests
        )

    port.outward = disturb
    with pytest.raises(DeviceError, match=r"CALL was refused with INPUT_MISMATCH: .* nothing was run; call again"):
        device.call(bytes(8) + bytes(range(16)) + bytes(8))


def test_a_read_of_another_length(board: GoldenBoard) -> None:
    device = Device.open(board)
    device.link.port = answering(board, Command.READ, b"xy")
    with pytest.raises(LinkError, match="2 bytes came back for 16 bytes of window schedule; the gateware does not fit"):
        device.read_parameters()


def test_one_clamp_for_a_whole_batch(device: Device, model: Model) -> None:
    device.load(model)
    phases = np.random.default_rng(0).integers(0, 16, (2, 24))
    for result, start in zip(device.network.recall(phases, np.ones(24, bool)), phases, strict=True):
        np.testing.assert_array_equal(result.phases, start[4:])


@pytest.mark.parametrize(
    ("phases", "clamp", "message"),
    [
        (np.zeros((2, 23), int), None, "phases have shape (2, 23); the last axis must have 24 entries"),
        (np.zeros((2, 2, 24), int), None, "phases have shape (2, 2, 24); a batch has shape (batch, 24)"),
        (np.full((1, 24), 16), None, "a phase is 16; it must lie between 0 and 15"),
        (np.zeros((1, 24)), None, "phases have type float64; they are slots, so integers"),
        (
            np.zeros((2, 24), int),
            np.zeros((3, 24), bool),
            "the clamp mask has shape (3, 24); it needs (2, 24) or (24,)",
        ),
    ],
)
def test_inputs_that_do_not_fit(
    device: Device, board: GoldenBoard, model: Model, phases: np.ndarray, clamp: np.ndarray | None, message: str
) -> None:
    device.load(model)
    frames = board.link._frames
    with pytest.raises(SpecError, match=re.escape(message)):
        device.network.recall(phases, clamp)
    assert board.link._frames == frames


def test_calls_that_cannot_be(device: Device, random_model: Callable[..., Model]) -> None:
    with pytest.raises(SpecError, match="the inputs have 3 bytes; this network's have 32"):
        device.call(bytes(3))
    with pytest.raises(DeviceError, match="CALL was refused with INVALID_PARAMETERS") as caught:
        device.call(bytes(32))
    assert (caught.value.command, caught.value.status) == (Command.CALL, Status.INVALID_PARAMETERS)
    with Device.open(GoldenBoard(OscillatorSpec(oscillators=4))) as unlabelled:
        unlabelled.load(random_model(unlabelled.spec))
        with pytest.raises(SpecError, match="this network has no labels, so it cannot classify"):
            unlabelled.network.classify(np.zeros((1, 4), int))


def test_an_idle_abort(device: Device) -> None:
    device.abort()


class SlowBoard:
    """A board on a virtual clock whose calls take time; while one is under way it acts on ABORT only."""

    name = "slow"

    def __init__(self, board: GoldenBoard, clock: VirtualClock, seconds: float) -> None:
        self.board, self.clock, self.seconds = board, clock, seconds
        self.answers = b""
        self.call: Request | None = None
        self.end = 0.0
        self.calls = 0
        self.deaf = False

    def write(self, data: bytes) -> None:
        if self.deaf:
            return
        for frame in data.split(b"\0"):
            request = Request.decode(frame) if frame else None
            if request is None:
                continue
            if self.call is not None:
                assert request.command in (Command.ABORT, Command.CALL)
                if request.command == Command.ABORT:
                    self.answers += Reply(self.call.sequence, Command.CALL, Status.ABORTED, bytes(36)).encode()
                    self.answers += Reply(request.sequence, Command.ABORT, Status.OK).encode()
                    self.call = None
                continue
            if request.command == Command.CALL:
                self.call, self.end = request, self.clock.now + self.seconds
                self.calls += 1
            else:
                self.board.write(request.encode())
                self.answers += self.board.read(0.0)

    def read(self, timeout: float) -> bytes:
        if self.call is not None and not self.answers and self.end <= self.clock.now + timeout:
            self.clock.advance_to(self.end)
            self.board.write(self.call.encode())
            self.answers += self.board.read(0.0)
            self.call = None
        if not self.answers:
            self.clock.advance_to(self.clock.now + timeout)
        answers, self.answers = self.answers, b""
        return answers

    def close(self) -> None:
        pass


@pytest.fixture
def slow(board: GoldenBoard, model: Model) -> tuple[SlowBoard, Device]:
    clock = VirtualClock()
    port = SlowBoard(board, clock, 20.0)
    device = Device.open(port, clock=clock)
    device.load(model)
    return port, device


def test_a_long_call_is_waited_for_and_run_once(slow: tuple[SlowBoard, Device], model: Model) -> None:
    port, device = slow
    inputs = bytes(8) + bytes(range(16)) + bytes(8)
    assert device.call(inputs) == OscillatorNetwork(port.board.spec, model.parameters).call(inputs)
    assert port.calls == 1
    assert 3 < device.link.statistics.repeated < 10  # ever more rarely, so the receive buffer holds them all


def test_a_call_that_takes_too_long_is_aborted(slow: tuple[SlowBoard, Device]) -> None:
    port, device = slow
    start = port.clock.now
    with pytest.raises(LinkTimeout, match="the call gave no results within 5 s and was aborted; give it a longer time"):
        device.call(bytes(32), time_limit=5.0)
    assert port.call is None
    assert 5.0 <= port.clock.now - start < 6.0
    device.call(bytes(32))


def test_a_board_that_dies_in_a_call(slow: tuple[SlowBoard, Device]) -> None:
    port, device = slow
    port.deaf, port.seconds = True, 1e9
    start = port.clock.now
    with pytest.raises(LinkTimeout, match="no answer to CALL after 6 repeats; check power and cable"):
        device.call(bytes(32), time_limit=5.0)
    assert port.clock.now - start < 15.0


def test_a_deaf_line_never_waits_longer_than_it_may(board: GoldenBoard) -> None:
    clock = VirtualClock()
    line = PacedLine(board, clock)
    device = Device.open(line, clock=clock)
    line.write = lambda _: None
    start = clock.now
    with pytest.raises(LinkTimeout, match="no answer to COUNTERS after 6 repeats"):
        device.counters()
    assert clock.now - start < 7.0
