"""Replies that no device gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from attractor.spec.protocol import (
    DELIMITER,
    PAYLOAD_BYTES,
    UNORDERED,
    Command,
    Identity,
    Reply,
    SessionState,
    Status,
)

from .boards import HostileBoard, Mode, Random

__all__ = ["REPLIES"]


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


REPLIES = {
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
