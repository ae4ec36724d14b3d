"""Devices: meeting, loading and running them, and every way in which that can fail."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

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
    SessionLost,
)
from attractor.host.calls import Calls
from attractor.host.felif import FelifCalls
from attractor.host.oscillator import OscillatorCalls
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.line import PacedLine, VirtualClock
from attractor.spec import EqPropSpec, OscillatorSpec, Region, SpecError
from attractor.spec.protocol import (
    ATTENTION,
    NUMBERS,
    RECEIVE_BUFFER_BYTES,
    CallHeader,
    Command,
    Counters,
    FrameError,
    Identity,
    Reply,
    Request,
    Status,
    crc32,
    encode_description,
)

from .lines import Filter


@pytest.fixture
def board(spec: OscillatorSpec) -> GoldenBoard:
    return GoldenBoard(spec)


@pytest.fixture
def device(board: GoldenBoard) -> Iterator[Device]:
    with Device.open(board) as opened:
        yield opened


def golden(model: Model) -> OscillatorNetwork:
    assert isinstance(model.spec, OscillatorSpec)
    return OscillatorNetwork(model.spec, model.parameters)


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
    """Return a port whose replies to one command carry another payload; an identity keeps its session."""
    port = Filter(board)
    shift = 0

    def changed(reply: Reply) -> Reply:
        nonlocal shift
        own = dataclasses.replace(reply, position=(reply.position + shift) % NUMBERS)
        if reply.command != command:
            return own
        new = payload
        if command == Command.IDENTIFY and len(payload) == Identity.STRUCT.size:
            session = Identity.unpack(reply.payload).session
            new = dataclasses.replace(Identity.unpack(payload), session=session).pack()
        shift += len(new) - len(reply.payload)
        return dataclasses.replace(own, payload=new)

    def change(data: bytes) -> bytes:
        replies = [Reply.decode(frame) for frame in data.split(b"\0") if frame]
        return b"".join(changed(reply).encode() for reply in replies)

    port.inward = change
    return port


@pytest.mark.parametrize(
    ("command", "payload", "message"),
    [
        (Command.IDENTIFY, b"\3and more", "speaks protocol version 3, this program 2; build its gateware with this"),
        (Command.IDENTIFY, b"\2", "an identity has 18 bytes, not 1"),
        (Command.IDENTIFY, b"", "an identity has 18 bytes, not 0"),
        (Command.IDENTIFY, Identity(2, bytes(8), 0, 512, 2048, 0, False).pack(), "must have 1 to"),
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
    identity = Identity(2, spec.fingerprint, 0, 512, 2048, len(description), False).pack()
    port = answering(GoldenBoard(spec), Command.IDENTIFY, identity)
    described = answering(port.board, Command.READ, description)
    port.inward, identify = lambda data: described.inward(identify(data)), port.inward
    with pytest.raises(NotADevice) as caught:
        Device.open(port)
    assert message in str(caught.value)
    assert "build its gateware with this version" in str(caught.value)


def test_a_device_whose_memory_is_laid_out_otherwise(spec: OscillatorSpec) -> None:
    class Otherwise(GoldenBoard):
        def _description(self) -> dict[str, object]:
            return {**super()._description(), "map": ["weights.0/p5x8"]}

    with pytest.raises(NotADevice, match="it lays its memory out otherwise than this version does"):
        Device.open(Otherwise(spec))


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
        f"{name!r} is nothing that a device has, nor its network of family 'oscillator'; device.network has anneal, "
        "classify, learn, recall"
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
    device = Device.open(board)

    window = board.link._windows[board.spec.memory_map.number("weights.0")]
    write = window.write

    def forget(word: int, data: bytes) -> None:
        write(word, data)
        window.data[7] ^= word == 0

    window.write = forget  # type: ignore[method-assign]
    with pytest.raises(LoadError, match="still differ after 5 repairs and 0 resets, so the device holds no valid"):
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


def test_inputs_that_are_disturbed_never_run(board: GoldenBoard, model: Model) -> None:
    port = Filter(board)
    device = Device.open(port)
    device.load(model)
    inputs = bytes(8) + bytes(range(16)) + bytes(8)
    expected = device.call(inputs)
    random, damaged = np.random.default_rng(0), 0

    def disturb(data: bytes) -> bytes:
        nonlocal damaged
        if random.random() < 0.5:
            return data
        damaged += 1
        place = int(random.integers(len(data)))
        return data[:place] + bytes([data[place] ^ 1 << int(random.integers(8))]) + data[place + 1 :]

    port.outward = disturb
    for _ in range(40):
        assert device.call(inputs) == expected
    assert damaged > 10


# What is known of a device's inputs


def test_a_call_in_the_loop_over_others_does_not_change_what_later_ones_see(device: Device, model: Model) -> None:
    device.load(model)
    one, two = bytes(8) + bytes(range(16)) + bytes(8), bytes(8) + bytes(24)
    expected = [golden(model).call(inputs) for inputs in (one, two)]
    assert expected[0] != expected[1]
    for outputs in device.calls([one]):
        assert outputs == expected[0]
        assert device.call(two) == expected[1]
    assert device.call(one) == expected[0]


def test_a_call_in_the_middle_of_others_ends_them(device: Device, model: Model) -> None:
    device.load(model)
    inputs = [bytes(8) + bytes([value % 16] * 24) for value in range(300)]
    outputs = device.calls(inputs)
    next(outputs)
    single = device.call(inputs[7])
    with pytest.raises(LinkError, match="other requests were made before the answers to these had come"):
        list(outputs)
    assert single == golden(model).call(inputs[7])
    assert device.call(inputs[9]) == golden(model).call(inputs[9])


@pytest.mark.parametrize("between", ["load", "abort", "counters", "holds", "reconnect", "stop"])
def test_inputs_are_sent_anew_when_the_device_may_hold_others(
    board: GoldenBoard, device: Device, model: Model, between: str
) -> None:
    device.load(model)
    inputs = bytes(8) + bytes(range(16)) + bytes(8)
    expected = device.call(inputs)
    board.reset(power_cycle=True)
    board.link._windows[board.spec.memory_map.number("state")].data[:] = bytes([9]) * 24
    match between:
        case "abort":
            device.abort()
        case "counters":
            with pytest.raises(LinkError, match="the device was reset"):
                device.counters()
        case "holds":
            assert not device.holds(model)
        case "reconnect":
            device.reconnect()
        case "stop":
            with pytest.raises(LinkError, match="the device was reset"):
                next(device.calls([inputs] * 3))
    device.load(model)
    assert device.call(inputs) == expected


def test_inputs_of_calls_that_were_not_finished_are_sent_anew(device: Device, model: Model) -> None:
    device.load(model)
    inputs = [bytes(8) + bytes([value % 16] * 24) for value in range(60)]
    expected = [golden(model).call(data) for data in (inputs[0], inputs[5])]
    assert next(device.calls(inputs)) == expected[0]
    assert device.call(inputs[5]) == expected[1]

    def failing() -> Iterator[bytes]:
        yield from inputs[:20]
        raise RuntimeError("of the inputs")

    with pytest.raises(RuntimeError, match="of the inputs"):
        list(device.calls(failing()))
    assert device.call(inputs[5]) == expected[1]


def test_inputs_that_stay_are_not_sent_again(device: Device, board: GoldenBoard, model: Model) -> None:
    device.load(model)
    inputs = bytes(8) + bytes(range(16)) + bytes(8)
    device.call(inputs)
    frames = board.link._frames
    device.call(inputs)
    assert board.link._frames == frames + 1


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
    """A board on a virtual clock whose calls take time; and hold up what comes, up to its buffer's size."""

    name = "slow"

    def __init__(self, board: GoldenBoard, clock: VirtualClock, seconds: float) -> None:
        self.board, self.clock, self.seconds = board, clock, seconds
        self.answers = b""
        self.waiting = b""
        self.lost = 0
        self.partial = b""
        self.end: float | None = None
        self.calls = 0
        self.aborted = 0
        self.deaf = False

    def write(self, data: bytes) -> None:
        if self.deaf:
            return
        if ATTENTION in data:
            before, data = data.split(ATTENTION, 1)
            self._take(before)
            if self.end is not None:
                self.end, self.waiting, self.aborted = None, b"", self.aborted + 1
            data = ATTENTION + data
        self._take(data)

    def _take(self, data: bytes) -> None:
        """Give frames to the board up to a call, which keeps it busy; what comes then waits."""
        if self.end is not None:
            room = RECEIVE_BUFFER_BYTES - len(self.waiting)
            self.lost += max(0, len(data) - room)
            self.waiting += data[:room]
            return
        for start in range(len(data)):
            self.partial += data[start : start + 1]
            if not self.partial.endswith(b"\0"):
                continue
            frame, self.partial = self.partial, b""
            count = self._calls_in(frame)
            if count:
                self.call, self.end = frame, self.clock.now + self.seconds * count
                self.calls += count
                self._take(data[start + 1 :])
                return
            self.board.write(frame)
        self.answers += self.board.read(0.0)

    def _calls_in(self, frame: bytes) -> int:
        """Return the calls that the board would make of a frame."""
        try:
            request = Request.decode(frame[:-1])
        except FrameError:  # a part of one, as the rest did not fit the buffer
            return 0
        if request.command != Command.CALL:
            return 0
        header = CallHeader.unpack(request.payload)
        ours = request.sequence == self.board.link._next and not self.board.link._halted
        size = (header.words * (header.bits or 8) + 7) // 8
        return (len(request.payload) - 5) // size if ours and header.want else 0

    def read(self, timeout: float) -> bytes:
        until = self.clock.now + timeout
        while not self.answers and self.end is not None and self.end <= until:
            self.clock.advance_to(self.end)
            self.board.write(self.call)
            self.answers += self.board.read(0.0)
            waiting, self.waiting, self.end = self.waiting, b"", None
            self._take(waiting)
        if not self.answers:
            self.clock.advance_to(until)
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


INPUTS = bytes(8) + bytes(range(16)) + bytes(8)


def test_a_long_call_is_waited_for_and_run_once(slow: tuple[SlowBoard, Device], model: Model) -> None:
    port, device = slow
    assert device.call(INPUTS) == golden(model).call(INPUTS)
    assert (port.calls, port.aborted) == (1, 0)
    assert 3 < device.link.statistics.repeated < 10  # ever more rarely, so the receive buffer holds them all


def test_the_window_finds_what_a_busy_board_takes_in(slow: tuple[SlowBoard, Device], model: Model) -> None:
    port, device = slow
    port.seconds = 0.3
    inputs = [bytes(8) + bytes([value % 16] * 24) for value in range(90)]
    network = golden(model)
    results = {data: network.call(data) for data in set(inputs)}
    assert list(device.calls(inputs, time_limit=1.0)) == [results[data] for data in inputs]
    assert (port.calls, port.aborted) == (90, 0)
    assert port.lost > 0
    assert device.link.window.bytes(calls=True) < 3 * RECEIVE_BUFFER_BYTES
    assert device.link.statistics.sent < 400


def test_another_model_may_have_longer_calls(slow: tuple[SlowBoard, Device], model: Model) -> None:
    """Many short calls share a frame and its time limit; what was loaded since then need not be short."""
    port, device = slow
    port.seconds = 1e-4
    assert len(list(device.calls([INPUTS] * 40, want=4, time_limit=5.0))) == 40
    port.seconds, before = 4.0, port.calls
    device.load(model)
    assert len(list(device.calls([INPUTS] * 9, want=4, time_limit=5.0))) == 9
    assert (port.calls - before, port.aborted) == (9, 0)


def test_a_call_that_takes_too_long_is_ended_by_the_attention_sign(slow: tuple[SlowBoard, Device]) -> None:
    port, device = slow
    start = port.clock.now
    with pytest.raises(LinkTimeout, match="the call gave no results within 5 s and was aborted; give it a longer time"):
        device.call(bytes(32), time_limit=5.0)
    assert (port.end, port.aborted) == (None, 1)
    assert 5.0 <= port.clock.now - start < 6.0
    device.call(bytes(32))


def test_a_caller_that_stops_ends_the_calls_under_way(slow: tuple[SlowBoard, Device], model: Model) -> None:
    port, device = slow
    port.seconds = 1.0
    outputs = device.calls([INPUTS] * 50)
    next(outputs)
    outputs.close()
    assert (port.end, port.aborted) == (None, 1)
    before = port.calls
    assert before < 50
    network = golden(model)
    assert device.call(bytes(32)) == network.call(bytes(32))
    assert port.calls == before + 1


def test_opening_a_device_ends_the_call_that_is_under_way(slow: tuple[SlowBoard, Device]) -> None:
    port, device = slow
    port.write(Request(port.board.link._next, Command.CALL, 4, 0, CallHeader(8, 1, 4).pack() + b"\1").encode())
    assert port.end is not None
    start = port.clock.now
    other = Device.open(port, clock=port.clock)
    assert (port.end, port.aborted) == (None, 1)
    assert port.clock.now - start < 1.0
    assert other.identity.parameters_valid
    with pytest.raises(LinkError, match="or another program talks to it"):
        device.call(bytes(32))


def test_a_board_that_dies_in_a_call(slow: tuple[SlowBoard, Device]) -> None:
    port, device = slow
    port.deaf, port.seconds = True, 1e9
    start = port.clock.now
    with pytest.raises(LinkTimeout, match=r"slow: no answer to (CALL|IDENTIFY|WRITE) after 6 repeats; check power and"):
        device.call(bytes(32), time_limit=5.0)
    assert port.clock.now - start < 15.0


@pytest.mark.parametrize("after", [0.5, 3.0, 20.0])
def test_a_board_that_is_reset_in_a_call_is_noticed_before_its_time_limit(
    slow: tuple[SlowBoard, Device], after: float
) -> None:
    port, device = slow
    port.seconds, start = 1e9, port.clock.now
    write = port.write

    def after_a_reset(data: bytes) -> None:
        if port.end is not None and port.clock.now - start >= after:
            port.end, port.waiting = None, b""
            port.board.link.reset()
        write(data)

    port.write = after_a_reset  # type: ignore[method-assign]
    with pytest.raises(SessionLost, match="the device was reset"):
        device.call(bytes(32))
    assert after <= port.clock.now - start < 2 * after + 1.0


def test_an_ended_call_is_no_result(device: Device, board: GoldenBoard, model: Model) -> None:
    """Zeros on the line, as from a cable that is pulled, end a call as the attention sign does."""
    device.load(model)
    execute, run, ran = board.link._execute, board.link._run, []

    def ended(request: Request, reply: Any) -> Status:
        status = execute(request, reply)
        return Status.ABORTED if request.command == Command.CALL and len(ran) == 3 else status

    board.link._run = lambda *arguments: (ran.append(1), run(*arguments))[1]
    board.link._execute = ended  # type: ignore[method-assign]
    results: list[bytes] = []
    with pytest.raises(DeviceError, match="CALL was refused with ABORTED: the call was aborted; call again"):
        results.extend(device.calls([INPUTS] * 3 + [bytes(32)] * 9))
    network = golden(model)
    assert results == [network.call(INPUTS)] * 2
    board.link._execute = execute  # type: ignore[method-assign]
    assert device.call(INPUTS) == network.call(INPUTS)


def test_a_deaf_line_never_waits_longer_than_it_may(board: GoldenBoard) -> None:
    clock = VirtualClock()
    line = PacedLine(board, clock)
    device = Device.open(line, clock=clock)
    line.write = lambda _: None  # type: ignore[method-assign]
    start = clock.now
    with pytest.raises(LinkTimeout, match="no answer to COUNTERS after 6 repeats"):
        device.counters()
    assert clock.now - start < 7.0


@pytest.mark.parametrize("want", [1, 4, 16, 26])
def test_want_gives_the_start_of_the_packed_outputs(device: Device, model: Model, want: int) -> None:
    device.load(model)
    packed = model.spec.memory_map.packed(Region.OUTPUT, device.call(INPUTS))
    assert list(device.calls([INPUTS] * 12, want=want)) == [packed[:want]] * 12


@pytest.mark.parametrize("want", [-1, 0, 27, 1000])
def test_bytes_that_no_call_has_cannot_be_wanted(
    device: Device, board: GoldenBoard, model: Model, want: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.load(model)
    monkeypatch.setattr(board, "write", lambda _: pytest.fail("nothing may be sent"))
    with pytest.raises(
        SpecError, match=rf"^{want} bytes wanted of each call; this network's outputs have 1 to 26: ask"
    ):
        list(device.calls([INPUTS], want=want))
