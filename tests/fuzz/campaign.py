"""Many damaged inputs of every kind, in processes that are replaced when one hangs or crashes; with figures."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .outcomes import ACCEPTED, FOREIGN, KINDS, REFUSED

__all__ = ["FILE_INPUTS", "Row", "campaign", "names"]

#: Inputs of each kind of files, and of each kind of hostile devices and hosts.
FILE_INPUTS, LINE_INPUTS = 3000, 100
#: Seconds without a sign of life after which an input has hung; a process needs some to start.
PATIENCE = 60.0
_ROOT = Path(__file__).parents[2]


@dataclass
class Row:
    """Figures of one kind.

    Parameters
    ----------
    kind:
        Name of the kind.
    inputs, accepted, refused, foreign, hung:
        How many inputs there were, and how many of them ended so.
    worst_seconds, worst_mb:
        Longest time of one input, and most memory that a process took.
    """

    kind: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    foreign: int = 0
    hung: int = 0
    worst_seconds: float = 0.0
    worst_mb: float = 0.0
    told: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, object]:
        """Return all but what foreign errors say."""
        return {name: value for name, value in asdict(self).items() if name != "told"}


def names(chosen: Iterable[str] = ()) -> list[str]:
    """Return the kinds whose names begin with one of some words; all of them without any."""
    words = tuple(chosen)
    return [name for name in KINDS if not words or name.startswith(words)]


def campaign(
    kinds: Iterable[str],
    *,
    inputs: int | None = None,
    first: int = 0,
    workers: int = 2,
    done: Callable[[Row], None] = lambda _: None,
) -> list[Row]:
    """Return the figures of some kinds.

    Parameters
    ----------
    kinds:
        Names.
    inputs:
        Inputs of each kind; None for :data:`FILE_INPUTS` and ``LINE_INPUTS``.
    first:
        Number of the first input.
    workers:
        Processes at the same time.
    done:
        Called with each row when it is finished.
    """

    def run(name: str) -> Row:
        row = Row(name)
        _run(row, first, inputs or (LINE_INPUTS if ":" in name else FILE_INPUTS))
        done(row)
        return row

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, kinds))


def _run(row: Row, first: int, count: int) -> None:
    """Run inputs; after one that hangs or crashes go on with the next, in another process."""
    place, end = first, first + count
    while place < end:
        command = [sys.executable, "-m", "tests.fuzz.worker", row.kind, str(place), str(end - place)]
        with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            late = _read(process, row)
            error = process.stderr.read() if process.stderr else ""
        place = first + row.inputs
        if place < end:  # the next input was the one that ended the process
            row.inputs, place = row.inputs + 1, place + 1
            row.hung += late
            row.foreign += not late
            row.told.append(f"input {place - 1} {'hangs' if late else f'ends its process: {error[-500:]}'}")


def _read(process: subprocess.Popen[str], row: Row) -> bool:
    """Count outcomes until the process ends; return whether it was ended because it was silent for too long."""
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    assert process.stdout is not None
    while True:
        timer = threading.Timer(PATIENCE, end)
        timer.start()
        line = process.stdout.readline()
        timer.cancel()
        if not line:
            return late.is_set()
        number, outcome, seconds, told, megabytes = json.loads(line)
        row.inputs += 1
        row.accepted += outcome == ACCEPTED
        row.refused += outcome == REFUSED
        row.foreign += outcome == FOREIGN
        row.worst_seconds, row.worst_mb = max(row.worst_seconds, seconds), max(row.worst_mb, megabytes)
        if told:
            row.told.append(f"input {number}: {told}")
