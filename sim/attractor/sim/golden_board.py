"""A whole device in Python: the golden model behind the real protocol bytes. Needs no compiler and no waiting.

What it answers to every byte is what a real device must answer; :mod:`attractor.sim.golden_link` lists the cases that
the protocol leaves open. It has no clock, so it reports 0 cycles and a clock of 0 Hz. A core reads a parameter that is
out of its range as the nearest value in range.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import numpy as np

from attractor.golden import Network, Stoppable
from attractor.golden import network as golden_network
from attractor.sim.golden_link import GoldenLink
from attractor.spec import Region, Spec
from attractor.spec.description import described_map
from attractor.spec.files import load_spec
from attractor.spec.protocol import encode_description

__all__ = ["BOARD_NAME", "GoldenBoard", "open_port", "open_spec"]

BOARD_NAME = "golden model"


class GoldenBoard:
    """A simulated board, used as the port through which it is reached.

    ``read`` never waits: what a board without a clock has not answered it will never answer. A call runs inside of
    ``write``; :meth:`attention`, from another thread, ends it.

    Parameters
    ----------
    spec:
        The network.
    name:
        What to call the port in messages.
    """

    def __init__(self, spec: Spec, *, name: str = "sim:") -> None:
        self.name = name
        self.spec = spec
        self._network: tuple[int, Network] | None = None
        self._answers = bytearray()
        self.link = GoldenLink(spec, encode_description(self._description()), self._run)

    def write(self, data: bytes) -> None:
        """Send bytes to the board."""
        self._answers += self.link.receive(data)

    def attention(self) -> None:
        """End the call under way after its slot or tick: the attention sign has come. From any thread."""
        self.link.attention()

    def read(self, timeout: float) -> bytes:  # noqa: ARG002
        """Return all that the board has answered; ``b""`` at once if there is nothing."""
        data = bytes(self._answers)
        self._answers.clear()
        return data

    def close(self) -> None:
        """Do nothing; the board keeps its state."""

    def reset(self, *, power_cycle: bool = False) -> None:
        """Reset the board; a power cycle also clears its memories."""
        if power_cycle:
            self.link = GoldenLink(self.spec, encode_description(self._description()), self._run)
        self.link.reset()
        self._network = None
        self._answers.clear()

    @property
    def parameters_valid(self) -> bool:
        """Whether the board would run a call."""
        return self.link.parameters_valid

    def parameter_windows(self) -> dict[str, bytes]:
        """Return the bytes of every parameter window by name."""
        return {window.name: self.link.contents(window) for window in self.spec.memory_map.region(Region.PARAMETERS)}

    def _description(self) -> dict[str, object]:
        try:
            gateware = version("attractor")
        except PackageNotFoundError:
            gateware = "unknown"
        return {
            "spec": self.spec.to_dict(),
            "gateware": gateware,
            "board": BOARD_NAME,
            "clock_hz": 0,
            "baud": 0,
            "map": described_map(self.spec.memory_map),
        }

    def _run(self, windows: dict[str, bytes], inputs: bytes) -> bytes:
        # What a core keeps from call to call ends with any write of a parameter.
        written = self.link.parameter_writes
        if self._network is None or self._network[0] != written:
            decoded = self.spec.decode_parameters(windows)
            ranges = self.spec.parameters
            clipped = {name: np.clip(decoded[name], ranges[name].low, ranges[name].high) for name in decoded}
            self._network = written, golden_network(self.spec, clipped)
        network = self._network[1]
        before = dict(network.parameters)
        stoppable = isinstance(network, Stoppable)
        outputs = network.call_until(inputs, lambda: self.link.halted) if stoppable else network.call(inputs)
        if any(network.parameters[name] is not array for name, array in before.items()):
            windows |= self.spec.encode_changes(windows, before, network.parameters)
        return outputs


def open_port(argument: str, baud: int | None = None) -> GoldenBoard:  # noqa: ARG001
    """Open ``sim:FILE``: a board for the spec, or the model's spec, in a file; it starts without parameters.

    Raises
    ------
    SpecError
        If the file holds no spec.
    """
    return GoldenBoard(load_spec(argument), name=f"sim:{argument}")


def open_spec(spec: Spec) -> GoldenBoard:
    """Open ``sim:``, a board for a network that the caller has; it starts without parameters."""
    return GoldenBoard(spec)
