"""What nextpnr reports of a placed design: cells, clocks, and the paths that limit the clocks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

__all__ = ["MOST_NAMES", "Report", "TimingPath", "read_report", "signal_name"]

#: Most names that a path keeps of the signals on its way.
MOST_NAMES = 40

# Synthesis calls a cell or net after the nearest signal of ours, followed by the kinds and pins of the cells between.
_CELLS = re.compile(
    r"(_(SB_\w+|TRELLIS_\w+|LUT4|PFUMX|L6MUX21|CCU2C|DP16KD|DPR16X4|MULT18X18D|ALU54B|DFFLC|LC|RAM|[RW]DATA|[RW]ADDR)"
    r"(?=_|$|\$|\.).*)"
)
_BIT = re.compile(r"\[\d+\]$")
_CARRY_PINS = ("COUT", "FCO")
_TOP = "system."


@dataclass(frozen=True)
class TimingPath:
    """The longest path from one clock to another.

    Parameters
    ----------
    from_clock, to_clock:
        Clocks at its ends; ``"<async>"`` is a pin of the board.
    start, end:
        Signals at its ends, by the names of the design; those that synthesis made are called after the nearest.
    delay_ns:
        All of it, from edge to set-up, in nanoseconds.
    logic_ns, routing_ns:
        The parts of it in cells and between them.
    levels:
        Look-up tables and other cells between its ends; a carry chain is one with the cell that it leads to.
    through:
        Signals on its way, ends included, each once for as long as it does not change; at most :data:`MOST_NAMES`.
    """

    from_clock: str
    to_clock: str
    start: str
    end: str
    delay_ns: float
    logic_ns: float
    routing_ns: float
    levels: int
    through: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self) | {"through": list(self.through)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> TimingPath:
        """Return the path that :meth:`to_dict` described."""
        path = cls(**{**fields, "through": tuple(fields["through"])})
        texts = (path.from_clock, path.to_clock, path.start, path.end, *path.through)
        numbers = (path.delay_ns, path.logic_ns, path.routing_ns, path.levels)
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(n, int | float) for n in numbers):
            raise ValueError("a path has fields of other types than text and numbers")
        return path


@dataclass(frozen=True)
class Report:
    """A report.

    Parameters
    ----------
    utilisation:
        Used and available number of each resource, as nextpnr names them; those that are used.
    fmax:
        Highest frequency and required frequency of each clock in Hz.
    paths:
        The longest path between each two clocks, the longest first.
    """

    utilisation: dict[str, tuple[int, int]]
    fmax: dict[str, tuple[float, float]]
    paths: tuple[TimingPath, ...]


def read_report(path: Path) -> Report:
    """Return what is in the file that ``nextpnr --report`` wrote."""
    report = json.loads(path.read_text())
    utilisation = {
        name: (int(entry["used"]), int(entry["available"]))
        for name, entry in sorted(report["utilization"].items())
        if entry["used"]
    }
    fmax = {
        _clock_name(name): (entry["achieved"] * 1e6, entry["constraint"] * 1e6)
        for name, entry in sorted(report["fmax"].items())
    }
    paths = sorted(map(_path, report.get("critical_paths", ())), key=lambda path: -path.delay_ns)
    return Report(utilisation, fmax, tuple(paths))


def _path(entry: Mapping[str, Any]) -> TimingPath:
    steps = entry["path"]
    names = _names(steps)
    routing = sum(step["delay"] for step in steps if step["type"] == "routing")
    total = sum(step["delay"] for step in steps)
    levels = sum(step["type"] == "logic" and step["to"]["port"] not in _CARRY_PINS for step in steps)
    return TimingPath(
        from_clock=_clock_name(entry["from"]),
        to_clock=_clock_name(entry["to"]),
        start=names[0],
        end=names[-1],
        delay_ns=round(total, 2),
        logic_ns=round(total - routing, 2),
        routing_ns=round(routing, 2),
        levels=levels,
        through=(*names[:-1][: MOST_NAMES - 1], names[-1]),
    )


def _names(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the signals along a path; names that place and route made are left out, but for those of the ends."""
    nets = [step["net"] for step in steps if step.get("net")]
    found = [signal_name(name) for name in (*nets, steps[-1]["to"]["cell"])] or [signal_name(steps[0]["from"]["cell"])]
    ours = [name for index, name in enumerate(found) if index in (0, len(found) - 1) or not name.startswith("$")]
    return [name for name, _ in groupby(ours)]


def signal_name(name: str) -> str:
    """Return the signal of the design after which synthesis has called a cell or a net."""
    bit = _BIT.search(name)
    kept = _CELLS.sub("", name.removeprefix("\\"))
    return kept.removeprefix(_TOP) + (
        bit[0] if bit and not kept.endswith(bit[0]) and _CELLS.search(name) is None else ""
    )


def _clock_name(name: str) -> str:
    """Return the clock's own name without what place and route decorates it with."""
    return re.sub(r"^(?:posedge |negedge )?(?:\$glbnet\$)?|(?<=[^ ])\$.*$", "", name)
