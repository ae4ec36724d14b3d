"""A board that answers as the golden model does, but for one thing that no board may do."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from attractor.sim.golden_board import GoldenBoard
from attractor.sim.golden_link import GoldenLink
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec
from attractor.spec.protocol import (
    DELIMITER,
    FrameError,
    Reply,
)

__all__ = ["NETWORKS", "HostileBoard", "Mode", "Random"]

Random = random.Random
#: Bytes after which a board that goes on and on is silent.
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
        self._offered = 0
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
        if self._offered < _ENOUGH:
            self._offered += len(part)
            self._waiting.append(part)

    def read(self, timeout: float) -> bytes:
        """Return what has arrived; time passes as on a line of 1 Mbaud."""
        data = self._waiting.pop(0) if self._waiting else b""
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


_LAYER = FelifLayer(neurons=5, kind="lif")
#: Networks of which there are boards.
NETWORKS: tuple[Spec, ...] = (
    OscillatorSpec(oscillators=12, inputs=3, labels=4, lanes=3, learning=True, schedule_entries=2),
    OscillatorSpec(oscillators=8, lanes=4, schedule_entries=1),
    EqPropSpec(layers=(9, 6, 6), classes=3, state_high=7, lanes=3, learning=True),
    FelifSpec(inputs=4, layers=(_LAYER, FelifLayer(neurons=3, kind="readout")), ticks=3),
    FelifSpec(inputs=4, layers=(_LAYER,), ticks=3),
)
