"""What tests of the host share: boards that keep what their core sees or filter their line, frames of a stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from attractor.sim.golden_board import GoldenBoard
from attractor.sim.golden_link import GoldenLink
from attractor.spec import MemoryMap, Region, Spec
from attractor.spec.protocol import DELIMITER, encode_description

__all__ = ["Filter", "RecordingBoard", "Shape", "frames_of"]


def frames_of(data: bytes) -> list[bytes]:
    """Cut after each zero byte."""
    *frames, last = data.split(DELIMITER)
    return [frame + DELIMITER for frame in frames] + ([last] if last else [])


@dataclass(frozen=True)
class Shape:
    """A network that is nothing but windows."""

    memory_map: MemoryMap
    fingerprint: bytes = bytes(8)

    def to_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


class RecordingBoard:
    """A port with a link whose core keeps the inputs of each call; outputs begin with the number of the call.

    Parameters
    ----------
    spec:
        The network, of which only the memory map counts.
    answer:
        The output region from the number of the call and its inputs; None for the number alone.
    """

    name = "recorder"

    def __init__(self, spec: Spec, answer: Callable[[int, bytes], bytes] | None = None) -> None:
        self.spec = spec
        self.seen: list[bytes] = []
        self._answer = answer
        self._answers = b""
        description = {"spec": spec.to_dict(), "gateware": "0", "board": "recorder", "clock_hz": 0, "baud": 0}
        self.link = GoldenLink(spec, encode_description(description), self._run)

    def _run(self, _: dict[str, bytes], inputs: bytes) -> bytes:
        self.seen.append(inputs)
        if self._answer is not None:
            return self._answer(len(self.seen), inputs)
        size = self.spec.memory_map.size(Region.OUTPUT)
        return len(self.seen).to_bytes(4, "little").ljust(size, b"\0")[:size]

    def write(self, data: bytes) -> None:
        """Send bytes to the board."""
        self._answers += self.link.receive(data)

    def read(self, timeout: float) -> bytes:  # noqa: ARG002
        """Return all that was answered."""
        answers, self._answers = self._answers, b""
        return answers

    def close(self) -> None:
        """Do nothing."""


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
