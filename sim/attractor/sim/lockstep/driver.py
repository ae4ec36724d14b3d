"""What the lockstep benches of all families share: access to a core through its bus, and how a call is judged."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, Timer, with_timeout

from attractor.spec import Region, Window
from attractor.trials.base import AnySpec

__all__ = ["CoreDriver", "Difference", "MismatchError", "read_settings", "run_calls"]


@dataclass(frozen=True)
class Difference:
    """The first place where a core and its golden model disagree.

    Parameters
    ----------
    moment:
        After what they were compared, counted from the start of the call.
    place:
        Oscillator, target or neuron, and what of it.
    expected, found:
        The golden model's value and the core's.
    """

    moment: str
    place: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"after {self.moment}: {self.place} is {self.found}, expected {self.expected}"


class MismatchError(Exception):
    """Core and golden model disagree."""


class CoreDriver(Generic[AnySpec]):
    """Reads and writes the windows of a core through its bus."""

    def __init__(self, dut: Any, spec: AnySpec) -> None:
        self.dut, self.spec, self.memory_map = dut, spec, spec.memory_map
        self._aborts = False

    def port(self, window: Window, member: str) -> Any:
        """Return one signal of a window's port; None where a single word needs no address."""
        return getattr(self.dut, f"bus__windows__{window.name.replace('.', '_')}__{member}", None)

    async def reset(self) -> None:
        """Drive all inputs before the clock starts, so that no simulator sees an unknown address."""
        for window in self.memory_map.windows:
            for member in ("address", "read", "write", "write_data"):
                if (signal := self.port(window, member)) is not None:
                    signal.value = 0
        self.dut.bus__start.value = 0
        self.dut.bus__abort.value = 0
        self.dut.rst.value = 1
        self.dut.clk.value = 0
        await Timer(10, "ns")
        cocotb.start_soon(Clock(self.dut.clk, 10, "ns").start())
        for _ in range(3):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0

    async def start(self) -> None:
        """Start a call."""
        self.dut.bus__start.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.bus__start.value = 0

    def abort(self, aborts: bool) -> None:
        """Drive ``abort``, which costs nothing where it stays as it was."""
        if aborts != self._aborts:
            self.dut.bus__abort.value = self._aborts = aborts

    async def write(self, window: Window, data: bytes) -> None:
        """Write a whole window; what lies on its port afterwards is something else, and must not matter."""
        self.port(window, "write").value, word_data = 1, 0
        for word in range(window.words):
            if (address := self.port(window, "address")) is not None:
                address.value = word
            start = word * window.word_bytes
            word_data = int.from_bytes(data[start : start + window.word_bytes], "little")
            self.port(window, "write_data").value = word_data
            await RisingEdge(self.dut.clk)
        self.port(window, "write").value = 0
        self.port(window, "write_data").value = word_data ^ ((1 << window.word_bits) - 1)

    async def read(self, window: Window) -> bytes:
        """Read a whole window; a word is looked at while another one is addressed, which must not matter."""
        data, read, address = b"", self.port(window, "read"), self.port(window, "address")
        for word in range(window.words):
            read.value = 1
            if address is not None:
                address.value = word
            await RisingEdge(self.dut.clk)
            read.value = 0
            if address is not None:
                address.value = (word + 1) % window.words
            await FallingEdge(self.dut.clk)
            data += int(self.port(window, "read_data").value).to_bytes(window.word_bytes, "little")
        return data

    async def write_region(self, region: Region, data: bytes) -> None:
        """Write all windows of a region."""
        for name, contents in self.memory_map.split(region, data).items():
            await self.write(self.memory_map[name], contents)

    async def results(self) -> bytes:
        """Read the output region."""
        return b"".join([await self.read(window) for window in self.memory_map.region(Region.OUTPUT)])


async def run_calls(
    driver: CoreDriver[Any], settings: Any, run_call: Callable[[np.random.Generator], Awaitable[None]]
) -> None:
    """Run all calls; write the first disagreement to the report file and raise it.

    ``settings`` are those in the environment variable ``ATTRACTOR_LOCKSTEP``: ``seed``, ``calls`` (a list of numbers,
    each the seed of one call) and ``report``, the file.
    """
    await driver.reset()
    for call in settings["calls"]:
        try:
            await with_timeout(run_call(np.random.default_rng([settings["seed"], call])), 20, "ms")
        except MismatchError as mismatch:
            Path(settings["report"]).write_text(json.dumps({"call": call, "difference": str(mismatch)}))
            raise


def read_settings() -> Any:
    """Return the settings of a bench, from the environment."""
    return json.loads(os.environ["ATTRACTOR_LOCKSTEP"])
