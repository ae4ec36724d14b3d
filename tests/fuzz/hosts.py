"""Hostile hosts: programs that send a simulated board whatever they like. It goes on answering, and takes no memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from attractor.host import Device, LinkClient, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import EqPropSpec, OscillatorSpec, Spec
from attractor.spec.protocol import ATTENTION, DELIMITER, CallHeader, Command, Request
from attractor.trials import trials_of

__all__ = ["HOSTS", "HostKind"]

Random = random.Random
_SESSION = 7
_SPECS: tuple[Spec, ...] = (
    OscillatorSpec(oscillators=6, labels=2, lanes=3, schedule_entries=1, learning=True),
    EqPropSpec(layers=(5, 4, 4), classes=2, state_high=3, lanes=2, learning=True),
)


@dataclass(frozen=True)
class HostKind:
    """Hosts that are hostile in one way.

    Parameters
    ----------
    name:
        What to call it.
    sends:
        Makes what a host sends, with numbers that go up.
    """

    name: str
    sends: Callable[[Random, int], bytes]
    device = "sim:"

    def meet(self, rng: Random) -> None:
        """Let such a host talk to a board, then an honest one: it must find a board that works."""
        spec = rng.choice(_SPECS)
        board = GoldenBoard(spec)
        board.write(ATTENTION + Request(_SESSION, Command.IDENTIFY).encode())
        for number in range(rng.choice((5, 40))):
            board.write(self.sends(rng, _SESSION + 1 + number))
            assert len(board.read(0)) < 1 << 20
        generator = np.random.default_rng(0)
        model = Model(spec, trials_of(spec).parameters(spec, generator))
        device = Device(LinkClient(board))
        device.load(model)
        assert device.holds(model)
        results = list(device.network.results([trials_of(spec).inputs(spec, generator)], 1))
        assert len(results) == 1


def _request(rng: Random, number: int) -> bytes:
    command = rng.choice((*Command, 0, 10, 127, 255))
    payload = rng.randbytes(rng.choice((0, 1, 4, 12, 100, 240)))
    if command == Command.CALL and rng.random() < 0.7:
        header = CallHeader(rng.choice((0, 1, 8, 255)), rng.choice((0, 1, 6, 65_535)), rng.choice((0, 4, 60, 65_535)))
        payload = header.pack() + payload[:200]
    word = rng.choice((0, 0, 1, 5, 65_535, (1 << 24) - 1))
    return Request(number, command, rng.choice((0, 1, 2, 3, 4, 5, 6, 200)), word, payload).encode()


def _damaged(rng: Random, number: int) -> bytes:
    frame = bytearray(_request(rng, number))
    for _ in range(rng.choice((1, 2, 10))):
        frame[rng.randrange(len(frame))] = rng.randrange(256)
    return bytes(frame)


HOSTS = {
    kind.name: kind
    for kind in (
        HostKind("host: requests of any kind", _request),
        HostKind("host: requests with any number", lambda rng, _: _request(rng, rng.randrange(1 << 16))),
        HostKind("host: damaged frames", _damaged),
        HostKind("host: noise", lambda rng, _: rng.randbytes(rng.randrange(2000))),
        HostKind("host: frames without an end", lambda rng, _: b"\x01" * rng.choice((300, 70_000))),
        HostKind("host: nothing but delimiters", lambda rng, _: DELIMITER * rng.choice((1, 9, 5000))),
        HostKind(
            "host: sessions without an end",
            lambda rng, _: ATTENTION + Request(rng.randrange(1 << 16), Command.IDENTIFY).encode(),
        ),
        HostKind(
            "host: repeats without an end",
            lambda rng, _: Request(_SESSION, Command.SYNC, 0, rng.randrange(1 << 16)).encode() * 20,
        ),
    )
}
