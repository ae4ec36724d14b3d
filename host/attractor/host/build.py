"""How a network was put on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attractor.spec import Spec

__all__ = ["Build"]


@dataclass(frozen=True)
class Build:
    """How a network was put on a device; its results do not depend on it, but for noise, which goes with the folding.

    Parameters
    ----------
    folding:
        Values of the spec's build fields by name, such as ``lanes``.
    board:
        Name of the board.
    clock_hz:
        Clock of the core in Hz; 0 on a board that has none.
    baud:
        Bits each second on the line; 0 on a board that has none.
    gateware:
        Version that built it.
    """

    folding: Mapping[str, Any]
    board: str
    clock_hz: int
    baud: int
    gateware: str

    @classmethod
    def of(cls, spec: Spec, description: Mapping[str, Any]) -> Build:
        """Return the build of a device, from its spec and what it says about itself; what it leaves out is unknown."""
        return cls(
            folding=spec.build_to_dict(),
            board=description.get("board", "unknown"),
            clock_hz=description.get("clock_hz", 0),
            baud=description.get("baud", 0),
            gateware=description.get("gateware", "unknown"),
        )

    @property
    def lanes(self) -> int | None:
        """Neurons that a clock cycle updates; None in a family whose specs do not say."""
        return self.folding.get("lanes")

    def __str__(self) -> str:
        folding = ", ".join(f"{name} {value}" for name, value in self.folding.items())
        clock = f" at {self.clock_hz / 1e6:g} MHz" if self.clock_hz else ""
        return f"{folding + ' on ' if folding else ''}{self.board}{clock}"
