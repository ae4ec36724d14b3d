"""dimod's readers of linear programs and of its larger models, in a child process with limits on time and memory."""

from __future__ import annotations

import atexit
import json
from pathlib import Path
from typing import Any, Literal

from attractor.intake import IntakeError
from attractor.intake.child import GuardedChild
from attractor.intake.documents import parsed_object
from attractor.solve.ising import MOST_OSCILLATORS

__all__ = ["described"]

#: Seconds that a child may read a file, and how many bytes give it a second more.
_SECONDS, _BYTES_PER_SECOND = 5.0, 1 << 20
#: Longest file and longest answer in bytes; most values of an answer; most variables.
_MOST_BYTES, _MOST_ANSWER, _MOST_VALUES, _MOST_VARIABLES = 64 << 20, 256 << 20, 20_000_000, 4 * MOST_OSCILLATORS


def described(kind: Literal["lp", "cqm", "qm"], data: bytes) -> dict[str, Any]:
    """Return what dimod reads, as :mod:`attractor.solve.files.dimod_child` describes it.

    Raises
    ------
    IntakeError
        If dimod refuses the file, or takes too much time or memory over it.
    """
    if len(data) > _MOST_BYTES:
        raise IntakeError(f"it has {len(data):,} bytes; such a file may have {_MOST_BYTES:,}")
    request = {"kind": kind, "bytes": len(data), "variables": _MOST_VARIABLES}
    seconds = _SECONDS + len(data) / _BYTES_PER_SECOND
    found = parsed_object(
        _CHILD.ask(json.dumps(request).encode() + b"\n" + data, seconds, _answer),
        most_values=_MOST_VALUES,
        finite=False,
    )
    if "error" in found:
        raise IntakeError(str(found["error"]))
    return found


def _answer() -> bytes:
    length = int.from_bytes(_CHILD.read(8), "little")
    if length > _MOST_ANSWER:
        raise IntakeError("it holds more than any network's problem")
    found = _CHILD.read(length)
    _CHILD.complete()
    return found


_CHILD = GuardedChild(Path(__file__).with_name("dimod_child.py"), library="dimod's reader", package="dimod")
atexit.register(_CHILD.stop)
