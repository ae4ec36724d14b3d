"""Damaged inputs of one kind, one after the other, in a process that may hang or crash; ``campaign`` starts it.

``python -m tests.fuzz.worker KIND FIRST COUNT`` prints a line of JSON for each input: its number, outcome, seconds,
what it says if it is foreign, and the most megabytes that this process and its children have taken so far.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from attractor.intake import hdf5

from .outcomes import FOREIGN, KINDS, outcome_of

__all__ = ["main"]


def main(name: str, first: int, count: int) -> None:
    """Print how some inputs of a kind end."""
    warnings.simplefilter("error")  # as in the tests
    with TemporaryDirectory() as folder:
        for number in range(first, first + count):
            found = outcome_of(KINDS[name], number, Path(folder))
            told = found.says if found.kind == FOREIGN else ""
            print(json.dumps([number, found.kind, round(found.seconds, 3), told, _megabytes()]), flush=True)  # noqa: T201


def _megabytes() -> float:
    """Return the most memory that this process, or the one that reads HDF5 for it, has taken so far."""
    import resource

    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
    return round(max(own, ended, hdf5.most_bytes() / (1 << 20)), 1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
