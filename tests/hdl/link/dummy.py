"""A core whose results tell which inputs it saw and how often it ran, and the same in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt

from attractor.spec import IntegerArray, MemoryMap, ParameterSpec, Region, Spec, Window

#: Regions in mixed order, words that are no whole bytes.
WINDOWS = (
    Window("narrow", Region.INPUT, 9, 8),
    Window("table", Region.PARAMETERS, 5, 12),
    Window("result", Region.OUTPUT, 16, 8),
    Window("weights.0", Region.PARAMETERS, 12, 50),
    Window("flag", Region.PARAMETERS, 1, 1),
    Window("odd", Region.INPUT, 4, 13),
    Window("long", Region.OUTPUT, 4, 61),
)
#: One word fills a frame, and the outputs are longer than one.
WIDE_WINDOWS = (
    Window("rows", Region.PARAMETERS, 2, 1920),
    Window("start", Region.INPUT, 1, 1),
    Window("result", Region.OUTPUT, 300, 8),
)
#: A core that needs nothing and says nothing.
NO_PARAMETERS = (Window("start", Region.INPUT, 2, 8),)


@dataclass(frozen=True, kw_only=True)
class DummySpec(Spec):
    """A memory map and nothing else."""

    family: ClassVar[str] = "dummy"

    windows: tuple[Window, ...] = WINDOWS

    def to_dict(self) -> dict[str, Any]:
        return {"family": self.family, "windows": [[window.name, window.words] for window in self.windows]}

    @property
    def fingerprint(self) -> bytes:
        return bytes.fromhex("00c0ffee00000100")

    @property
    def memory_map(self) -> MemoryMap:
        return MemoryMap(self.windows)

    @property
    def parameters(self) -> dict[str, ParameterSpec]:
        return {}

    def encode_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, bytes]:
        raise NotImplementedError("this spec has no parameters: nothing encodes them")

    def decode_parameters(self, windows: Mapping[str, bytes]) -> dict[str, IntegerArray]:
        raise NotImplementedError("this spec has no parameters: nothing encodes them")


class DummyModel:
    """What :class:`~.dummy_core.DummyCore` computes."""

    def __init__(self, memory_map: MemoryMap) -> None:
        self.memory_map = memory_map
        self.runs = 0

    def run(self, windows: dict[str, bytes], inputs: bytes, *, aborted: bool = False) -> bytes:  # noqa: ARG002
        """Take the regions that a core reads, return its outputs."""
        self.runs += 1
        window = self.memory_map.region(Region.INPUT)[0]
        seed = int.from_bytes(inputs[: window.word_bytes], "little")
        return b"".join(
            (((seed + self.runs + word) * 0x9E3779B97F4A7C15 + aborted) % (1 << output.word_bits)).to_bytes(
                output.word_bytes, "little"
            )
            for output in self.memory_map.region(Region.OUTPUT)
            for word in range(output.words)
        )
