"""What a layer of threshold gates is, and how its data are laid out in a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from attractor.spec import Field, IntegerArray, MemoryMap, ParameterSpec, Record, Region, Spec
from attractor.spec.base import build_field, ceil_div, check_range
from attractor.spec.memory_map import record_window
from attractor.spec.records import unused
from attractor.spec.rows import LaneMemory

__all__ = ["RESULT", "ThresholdSpec"]

#: The window ``result``.
RESULT = Record(
    (
        Field("on", 16, meaning="gates that are on"),
        Field("aborted", 1, meaning="ended by an abort"),
        unused(15),
        Field("cycles", 32, meaning="clock cycles from start to end"),
    )
)


@dataclass(frozen=True, kw_only=True)
class ThresholdSpec(Spec):
    """Gates that are on where the weights of the inputs that are on reach a threshold.

    Parameters
    ----------
    inputs, gates:
        Number of inputs and of gates, each 1 to 256.
    weight_bits:
        Width of a signed weight, 2 to 7.
    lanes:
        Gates that are updated in one clock cycle; 0 stands for all.
    """

    family: ClassVar[str] = "threshold"

    inputs: int
    gates: int
    weight_bits: int = 4
    lanes: int = build_field(0)

    def __post_init__(self) -> None:
        check_range("inputs", self.inputs, 1, 256)
        check_range("gates", self.gates, 1, 256)
        check_range("weight_bits", self.weight_bits, 2, 7)
        check_range("lanes", self.lanes, 0, self.gates)
        if self.lanes == 0:
            object.__setattr__(self, "lanes", self.gates)

    @property
    def groups(self) -> int:
        """Groups in which the lanes visit all gates."""
        return ceil_div(self.gates, self.lanes)

    @property
    def sum_bits(self) -> int:
        """Signed width that holds any sum of weights."""
        return (self.inputs << self.weight_bits - 1).bit_length() + 1

    @property
    def parameters(self) -> dict[str, ParameterSpec]:
        """``weights[i, j]`` leads from input j to gate i, which is on if their sum reaches ``thresholds[i]``."""
        high, limit = 1 << self.weight_bits - 1, 1 << self.sum_bits - 1
        return {
            "weights": ParameterSpec("weights", (self.gates, self.inputs), np.dtype(np.int8), -high, high - 1),
            "thresholds": ParameterSpec("thresholds", (self.gates,), np.dtype(np.int16), -limit, limit - 1),
        }

    @property
    def weight_memory(self) -> LaneMemory:
        """A word for each input and group."""
        return LaneMemory("weights", self.inputs * self.groups, self.lanes, self.weight_bits)

    @property
    def threshold_memory(self) -> LaneMemory:
        """A word for each group."""
        return LaneMemory("thresholds", self.groups, self.lanes, self.sum_bits)

    @property
    def memory_map(self) -> MemoryMap:
        """``weights.K`` and ``thresholds.K``, the inputs as ``sample``; ``result`` and the gates as ``outputs``."""
        sample = Record((Field("bit", 1, count=self.inputs, meaning="inputs"),))
        outputs = Record((Field("on", 1, count=self.gates, meaning="gates"),))
        return MemoryMap(
            (
                *self.weight_memory.windows,
                *self.threshold_memory.windows,
                record_window("sample", Region.INPUT, sample),
                record_window("result", Region.OUTPUT, RESULT),
                record_window("outputs", Region.OUTPUT, outputs),
            )
        )

    def encode_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, bytes]:
        """Return the bytes of every parameter window."""
        checked = self.check_parameters(parameters)
        weights = np.zeros((self.inputs, self.groups * self.lanes), np.int16)
        thresholds = np.zeros(self.groups * self.lanes, np.int16)
        weights[:, : self.gates], thresholds[: self.gates] = checked["weights"].T, checked["thresholds"]
        return self.weight_memory.encode(weights.reshape(-1, self.lanes)) | self.threshold_memory.encode(
            thresholds.reshape(-1, self.lanes)
        )

    def decode_parameters(self, windows: Mapping[str, bytes]) -> dict[str, IntegerArray]:
        """Inverse of :meth:`encode_parameters`."""
        weights = self.weight_memory.decode_signed(windows).reshape(self.inputs, -1)
        thresholds = self.threshold_memory.decode_signed(windows).ravel()
        return {"weights": weights[:, : self.gates].T.astype(np.int8), "thresholds": thresholds[: self.gates]}

    def encode_input(self, bits: npt.ArrayLike) -> bytes:
        """Return the input region for inputs of 0 or 1, shape (inputs,)."""
        return self.memory_map.encode(Region.INPUT, {"sample": {"bit": np.asarray(bits)}})
