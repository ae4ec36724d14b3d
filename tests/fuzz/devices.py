"""Hostile devices: boards that answer as the golden model does, but for one thing that no board may do."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from attractor.host import Device, HostError, LinkClient, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.golden_link import GoldenLink
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec
from attractor.spec.protocol import (
    DELIMITER,
    PAYLOAD_BYTES,
    UNORDERED,
    Command,
    FrameError,
    Identity,
    Reply,
    SessionState,
    Status,
)
from attractor.trials import trials_of

from .mutations import changed_json

__all__ = ["DEVICES", "DeviceKind"]

Random = random.Random
#: Bytes of what a device sends for each that it may send in the end: more, and the board is silent.
_ENOUGH = 4 << 20


class Clock:
    """Time of the line: it passes when the board is read, never on its own."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class HostileBoard:
    """A port to a golden board whose replies, or whose description, somebody has changed.

    Parameters
    ----------
    spec:
        The network.
    mode:
        What it does to each reply; see :data:`Mode`.
    rng:
        Draws what is random.
    """

    name = "hostile:"

    def __init__(self, spec: Spec, mode: Mode, rng: Random) -> None:
        self.clock = Clock()
        self.spec, self.rng = spec, rng
        self._board = GoldenBoard(spec)
        if mode.description is not None:
            described = mode.description(self._board._description(), rng)
            self._board.link = GoldenLink(spec, described[:60_000], self._board._run)
        self._change = mode.reply
        self._position = 0
        self._sent = 0
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send bytes to the board, and change what it answers."""
        self._board.write(data)
        for frame in self._board.read(0).split(DELIMITER):
            if not frame:
                continue
            try:
                reply = Reply.decode(frame)
            except FrameError:  # the rest of one that was sent before
                self._send(frame + DELIMITER)
                continue
            for part in self._change(reply, self) if self._change else (reply,):
                self._send(part)

    def _send(self, part: Reply | bytes) -> None:
        if isinstance(part, Reply):
            part = replace(part, position=self._position)
            self._position = part.end
            part = part.encode()
        if sum(map(len, self._waiting[:1000])) < _ENOUGH:
            self._waiting.append(part)

    def read(self, timeout: float) -> bytes:
        """Return what has arrived; time passes as on a line of 1 Mbaud."""
        data = self._waiting.pop(0) if self._waiting else b""
        self._sent += len(data)
        if self._sent > _ENOUGH:
            data = b""
        self.clock.now += len(data) * 1e-5 if data else timeout
        return data

    def close(self) -> None:
        """Do nothing."""


#: Returns the packed description of a board from what a good one says.
Description = Callable[[dict[str, Any], Random], bytes]
#: Yields what is sent instead of a reply.
Change = Callable[[Reply, HostileBoard], Iterator["Reply | bytes"]]


@dataclass(frozen=True)
class Mode:
    """One way to be hostile: with its description, or with its replies."""

    description: Description | None = None
    reply: Change | None = None


@dataclass(frozen=True)
class DeviceKind:
    """Devices that are hostile in one way.

    Parameters
    ----------
    name:
        What to call it.
    mode:
        What they do.
    """

    name: str
    mode: Mode
    device = HostileBoard.name

    def meet(self, rng: Random) -> None:
        """Do with a device all that commands do; raise the first error, or the first that is no :class:`HostError`."""
        spec = rng.choice(_networks())
        board = HostileBoard(spec, self.mode, rng)
        failed: HostError | None = None
        device = Device(LinkClient(board, clock=board.clock))
        for step in _steps(device, _model(spec), rng):
            try:
                step()
            except HostError as error:
                failed = failed or error
        with suppress(HostError):
            device.close()
        if failed is not None:
            raise failed


@cache
def _networks() -> tuple[Spec, ...]:
    layer = FelifLayer(neurons=5, kind="lif")
    return (
        OscillatorSpec(oscillators=12, inputs=3, labels=4, lanes=3, learning=True, schedule_entries=2),
        OscillatorSpec(oscillators=8, lanes=4, schedule_entries=1),
        EqPropSpec(layers=(9, 6, 6), classes=3, state_high=7, lanes=3, learning=True),
        FelifSpec(inputs=4, layers=(layer, FelifLayer(neurons=3, kind="readout")), ticks=3),
        FelifSpec(inputs=4, layers=(layer,), ticks=3),
    )


@cache
def _model(spec: Spec) -> Model:
    trials = trials_of(spec)
    parameters = trials.parameters(spec, np.random.default_rng(0))
    if isinstance(spec, OscillatorSpec):
        parameters = {**parameters, "schedule": spec.schedule(2)}
    return Model(spec, parameters)


def _steps(device: Device, model: Model, rng: Random) -> Iterator[Callable[[], object]]:
    """Yield what commands do with a device."""
    yield lambda: _shown(device)
    yield device.counters
    yield lambda: device.load(model)
    yield lambda: device.holds(model)
    yield lambda: device.digest(device.spec.memory_map.windows[0].name)
    yield device.read_model
    drawn, spec = np.random.default_rng(rng.randrange(1 << 30)), device.spec
    inputs = [trials_of(spec).inputs(spec, drawn) for _ in range(3)]
    yield lambda: list(device.network.results(inputs, len(inputs)))
    yield lambda: list(device.network.winners(inputs, len(inputs)))
    yield lambda: list(device.calls(inputs, want=5))
    yield from _family_steps(device)
    yield device.abort
    yield device.reconnect


def _shown(device: Device) -> None:
    """Make what is printed of a device: it must be text that a terminal can show."""
    text = f"{device.build} {device.description} {device.identity}"
    assert len(text) < 100_000
    said = (device.build.board, device.build.gateware, str(device.build))
    assert all(isinstance(part, str) and part.isprintable() and len(part) < 1000 for part in said)
    json.dumps({**device.description, "map": device.spec.memory_map.describe()}, allow_nan=False)


def _family_steps(device: Device) -> Iterator[Callable[[], object]]:
    spec, network = device.spec, device.network
    if isinstance(spec, OscillatorSpec):
        phases = np.zeros((2, spec.oscillators), int)
        yield lambda: network.recall(phases)
        if spec.labels:
            yield lambda: network.classify(phases)
        if spec.learning:
            yield lambda: network.learn(np.ones((1, spec.oscillators), int), max_epochs=2)
    elif isinstance(spec, EqPropSpec):
        bits = np.ones((2, spec.layers[0]), int)
        yield lambda: network.infer(bits)
        yield lambda: network.classify(bits)
        yield lambda: network.learn_samples(bits, [0, 1], [3, 3])
        yield lambda: network.teach(bits, [0, 1], [3, 3])
    elif isinstance(spec, FelifSpec):
        yield lambda: network.run_sequence(np.ones((4, spec.inputs), int))
        yield lambda: network.run_sequences(np.ones((2, 3, spec.inputs), int))
        yield lambda: network.run_ticks(np.ones((2, spec.inputs), int))


# Descriptions


def _packed(value: Any) -> bytes:
    text = value if isinstance(value, bytes) else json.dumps(value).encode(errors="surrogatepass")
    return zlib.compress(text, 9)


def _with(**changes: Any) -> Mode:
    return Mode(lambda good, _: _packed(good | changes))


def _without(*names: str) -> Mode:
    return Mode(lambda good, _: _packed({name: value for name, value in good.items() if name not in names}))


def _raw(text: bytes) -> Mode:
    return Mode(lambda *_: _packed(text))


def _described(make: Callable[[dict[str, Any], Random], Any]) -> Mode:
    return Mode(lambda good, rng: _packed(make(good, rng)))


def _infinite(good: dict[str, Any]) -> bytes:
    return json.dumps(good).replace('"clock_hz": 0', '"clock_hz": 1e999').encode()


@cache
def _bomb(start: bytes, part: bytes, end: bytes) -> bytes:
    """Return many megabytes, packed, that begin and end so."""
    engine = zlib.compressobj(9)
    parts = [engine.compress(start)] + [engine.compress(part * (1 << 16)) for _ in range(600)]
    return b"".join([*parts, engine.compress(end), engine.flush()])


def _other_spec(good: dict[str, Any], rng: Random) -> Any:
    return good | {"spec": rng.choice([spec.to_dict() for spec in _networks()])}


def _huge_spec(good: dict[str, Any], rng: Random) -> Any:
    layers = [4096] * rng.choice((3, 300, 10_000))
    return good | {"spec": {"family": "eqprop", "layers": layers, "classes": 2, "state_high": 1, "lanes": 1}}


_DESCRIPTIONS = {
    "zlib bomb": Mode(lambda *_: _bomb(b"[", b"0,", b"0]")),
    "zlib bomb of an object": Mode(lambda *_: _bomb(b'{"board":"', b"x", b'"}')),
    "packed text of spaces": Mode(lambda *_: _bomb(b" ", b" ", b"{}")),
    "many values": _raw(b'{"a":[' + b"[]," * 300_000 + b"0]}"),
    "deep lists": _raw(b'{"board":' + b"[" * 400_000 + b"]" * 400_000 + b"}"),
    "deep objects": _raw(b'{"a":' * 3000 + b"1" + b"}" * 3000),
    "no JSON": _raw(b"{"),
    "no UTF-8": _raw(b"\xff\xfe{}"),
    "a list": _raw(b"[1, 2]"),
    "an integer of 100,000 digits": _raw(b'{"clock_hz":' + b"9" * 100_000 + b"}"),
    "numbers that are none": _raw(b'{"clock_hz": NaN, "baud": -Infinity}'),
    "not packed": Mode(lambda good, _: json.dumps(good).encode()),
    "packed and cut off": Mode(lambda good, rng: _packed(good)[: rng.randrange(60)]),
    "random bytes": Mode(lambda _, rng: rng.randbytes(rng.randrange(1, 500))),
    "no spec": _without("spec"),
    "spec is text": _with(spec="oscillator"),
    "spec of no family": _with(spec={"family": "crystal", "\x1b[2J": 1}),
    "spec of another network": _described(_other_spec),
    "spec of a huge network": _described(_huge_spec),
    "no board": _without("board"),
    "nothing but a spec": _without("board", "clock_hz", "baud", "gateware"),
    "board is a list": _with(board=[["x"] * 100] * 20),
    "board with terminal escapes": _with(board="\x1b]0;owned\x07\x1b[31mred\nline\r\u202e"),
    "board is very long": _with(board="x" * 900_000),
    "gateware is an object": _with(gateware={"a": 1}),
    "gateware with escapes": _with(gateware="1\x1b[2J\0"),
    "clock is text": _with(clock_hz="fast"),
    "clock is negative": _with(clock_hz=-5),
    "clock is infinite": Mode(lambda good, _: _packed(_infinite(good))),
    "rate is a truth": _with(baud=True),
    "rate is huge": _with(baud=10**30),
    "names with escapes": _with(**{"\x1b[31m": "\x1b[0m", "\ud800": "\udfff"}),
    "any change of the description": _described(changed_json),
    "any change of the spec": _described(lambda good, rng: good | {"spec": changed_json(good["spec"], rng)}),
}


# Replies


def _payload(command: Command, make: Callable[[bytes, Random], bytes]) -> Mode:
    """Change what replies to a command carry."""

    def change(reply: Reply, board: HostileBoard) -> Iterator[Reply | bytes]:
        if reply.command == command and reply.status in (Status.OK, Status.MORE):
            reply = replace(reply, payload=make(reply.payload, board.rng)[:PAYLOAD_BYTES])
        yield reply

    return Mode(reply=change)


def _status(*statuses: int) -> Mode:
    """End numbered requests in another way."""

    def change(reply: Reply, board: HostileBoard) -> Iterator[Reply | bytes]:
        if reply.command not in (Command.IDENTIFY, Command.SYNC, Command.READ) or reply.command == Command.CALL:
            reply = replace(reply, status=board.rng.choice(statuses))
        yield reply

    return Mode(reply=change)


def _identity(**changes: Any) -> Mode:
    def make(payload: bytes, _: Random) -> bytes:
        return replace(Identity.unpack(payload), **changes).pack()

    return _payload(Command.IDENTIFY, make)


def _endless(make: Callable[[Reply, HostileBoard], Reply | bytes], count: int) -> Mode:
    """After the reply to COUNTERS nothing ends any more."""

    def change(reply: Reply, board: HostileBoard) -> Iterator[Reply | bytes]:
        if reply.command != Command.COUNTERS:
            yield reply
            return
        for _ in range(count):
            yield make(reply, board)

    return Mode(reply=change)


def _more(reply: Reply, _: HostileBoard) -> Reply:
    return replace(reply, status=Status.MORE, payload=bytes(PAYLOAD_BYTES))


def _empty_more(reply: Reply, _: HostileBoard) -> Reply:
    return replace(reply, status=Status.MORE, payload=b"")


def _chatter(reply: Reply, board: HostileBoard) -> Reply:
    command = board.rng.choice(UNORDERED)
    return replace(reply, command=command, status=Status.LOST, payload=SessionState(0, 0).pack())


def _winner(payload: bytes, rng: Random) -> bytes:
    winner = rng.choice((5000, 65_534, 4, 255)).to_bytes(2, "little")
    return payload[:2] + winner + payload[4:] if len(payload) >= 4 else payload


def _random_bytes(payload: bytes, rng: Random) -> bytes:
    return rng.randbytes(len(payload))


def _between(make: Callable[[Random], bytes]) -> Mode:
    def change(reply: Reply, board: HostileBoard) -> Iterator[Reply | bytes]:
        yield make(board.rng)
        yield reply

    return Mode(reply=change)


def _flipped(reply: Reply, board: HostileBoard) -> Iterator[Reply | bytes]:
    frame = bytearray(replace(reply, position=board._position).encode())
    board._position = replace(reply, position=board._position).end
    if board.rng.random() < 0.3:
        frame[board.rng.randrange(len(frame))] ^= 1 << board.rng.randrange(8)
    yield bytes(frame)


def _twice(reply: Reply, _: HostileBoard) -> Iterator[Reply | bytes]:
    yield reply
    yield reply


def _sometimes_silent(reply: Reply, board: HostileBoard) -> Iterator[Reply | bytes]:
    if reply.command == Command.IDENTIFY or board.rng.random() < 0.7:
        yield reply


def _silent_later(reply: Reply, _: HostileBoard) -> Iterator[Reply | bytes]:
    if reply.command in (Command.IDENTIFY, Command.READ):
        yield reply


def _other_command(reply: Reply, board: HostileBoard) -> Iterator[Reply | bytes]:
    wrong = reply.command != Command.IDENTIFY and board.rng.random() < 0.3
    yield replace(reply, command=board.rng.randrange(128)) if wrong else reply


def _anything(reply: Reply, board: HostileBoard) -> Iterator[Reply | bytes]:
    rng = board.rng
    if rng.random() < 0.2:
        reply = replace(reply, payload=rng.randbytes(rng.randrange(PAYLOAD_BYTES + 1)), status=rng.randrange(12))
    yield reply


_REPLIES = {
    "another protocol": _identity(protocol=9),
    "no receive buffer": _identity(receive_buffer=0),
    "no reply buffer": _identity(reply_buffer=0),
    "tiny buffers": _identity(receive_buffer=1, reply_buffer=1),
    "no description": _identity(description_bytes=0),
    "a description of 64 KiB": _identity(description_bytes=65_535),
    "another fingerprint": _identity(fingerprint=b"\x1b[31mred"),
    "another session": _identity(session=1),
    "never valid": _identity(parameters_valid=False),
    "identity of any bytes": _payload(Command.IDENTIFY, _random_bytes),
    "identity of any length": _payload(Command.IDENTIFY, lambda data, rng: (data * 3)[: rng.randrange(60)]),
    "winner that there is not": _payload(Command.CALL, _winner),
    "results of ones": _payload(Command.CALL, lambda data, _: b"\xff" * len(data)),
    "results of any bytes": _payload(Command.CALL, _random_bytes),
    "results that are too long": _payload(Command.CALL, lambda data, _: data + bytes(100)),
    "results that are too short": _payload(Command.CALL, lambda data, rng: data[: rng.randrange(len(data) + 1)]),
    "no results": _payload(Command.CALL, lambda *_: b""),
    "counters of any length": _payload(Command.COUNTERS, lambda data, rng: (data * 3)[: rng.randrange(30)]),
    "digests of any length": _payload(Command.DIGEST, lambda data, rng: (data * 3)[: rng.randrange(12)]),
    "digests of any bytes": _payload(Command.DIGEST, _random_bytes),
    "words of any length": _payload(Command.READ, lambda data, rng: (data * 2)[: len(data) + rng.choice((-1, 1, 9))]),
    "all calls aborted": _status(Status.ABORTED),
    "all refused": _status(*range(1, 7)),
    "unknown statuses": _status(*range(7, 256)),
    "answers without an end": _endless(_more, 3000),
    "empty answers without an end": _endless(_empty_more, 20_000),
    "nothing but answers to SYNC": _endless(_chatter, 20_000),
    "endless text": _endless(lambda *_: b"Hello, this is a boot loader. " * 1000, 200),
    "endless zeros": _endless(lambda *_: bytes(30_000), 200),
    "endless noise": _endless(lambda _, board: board.rng.randbytes(20_000), 200),
    "frames that are too long": _between(lambda rng: b"\x01" * rng.choice((250, 260, 5000)) + DELIMITER),
    "noise between frames": _between(lambda rng: rng.randbytes(rng.randrange(300)) + DELIMITER),
    "flipped bits": Mode(reply=_flipped),
    "every reply twice": Mode(reply=_twice),
    "silent now and then": Mode(reply=_sometimes_silent),
    "silent once it was met": Mode(reply=_silent_later),
    "answers to other commands": Mode(reply=_other_command),
    "any answer": Mode(reply=_anything),
}

DEVICES = {
    kind.name: kind
    for kind in (DeviceKind(f"device: {name}", mode) for name, mode in (_DESCRIPTIONS | _REPLIES).items())
}
