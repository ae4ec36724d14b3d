"""How an input ended: accepted, refused in one clear line, or in a way that nobody expects."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from attractor.host import HostError
from attractor.intake import IntakeError
from attractor.spec import SpecError

from .devices import DEVICES, DeviceKind
from .files import FILES, FileKind
from .hosts import HOSTS, HostKind

__all__ = ["ACCEPTED", "FOREIGN", "KINDS", "REFUSED", "Outcome", "outcome_of"]

ACCEPTED, REFUSED, FOREIGN = "accepted", "refused", "foreign"
#: Longest message of an error, in characters: one that fits a screen.
_MOST_MESSAGE = 2500

Kind = FileKind | DeviceKind | HostKind
KINDS: dict[str, Kind] = {**FILES, **DEVICES, **HOSTS}


@dataclass(frozen=True)
class Outcome:
    """How one input ended, after how many seconds; of a foreign one, where."""

    kind: str
    seconds: float
    says: str = ""


def outcome_of(kind: Kind, number: int, folder: Path) -> Outcome:
    """Return how input ``number`` of a kind ends; the same number is the same input everywhere.

    Parameters
    ----------
    kind:
        What is damaged.
    number:
        Which input.
    folder:
        Where its file is written.
    """
    rng = random.Random(crc32(kind.name.encode()) + number)
    if isinstance(kind, FileKind):
        path = folder / kind.file
        path.write_bytes(kind.damaged(rng))
        return _judged(lambda: kind.read(path), str(path))
    return _judged(lambda: kind.meet(rng), kind.device)


def _judged(run: Callable[[], object], source: str) -> Outcome:
    began = time.perf_counter()
    try:
        run()
    except (IntakeError, SpecError, HostError) as error:
        return Outcome(*_refusal(error, source, time.perf_counter() - began))
    except ValueError as error:
        clear = type(error) is ValueError and source in str(error)
        seconds = time.perf_counter() - began
        return Outcome(*_refusal(error, source, seconds)) if clear else _foreign(error, seconds)
    except BaseException as error:  # whatever it is, it is counted
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return _foreign(error, time.perf_counter() - began)
    return Outcome(ACCEPTED, time.perf_counter() - began)


def _refusal(error: Exception, source: str, seconds: float) -> tuple[str, float, str]:
    """A refusal names the file or device and a next step, and is one line that a terminal can show."""
    said = str(error)
    if not said.isprintable() or len(said) > _MOST_MESSAGE:
        return (
            FOREIGN,
            seconds,
            f"{type(error).__name__} is no line for people ({len(said)} characters): {said[:200]!r}",
        )
    folder = str(Path(source).parent)
    if source not in said and (folder == "." or folder not in said):
        return FOREIGN, seconds, f"{type(error).__name__} does not name {source}: {said[:300]}"
    if "; " not in said:
        return FOREIGN, seconds, f"{type(error).__name__} says no next step: {said[:300]}"
    return REFUSED, seconds, said


def _foreign(error: BaseException, seconds: float) -> Outcome:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return Outcome(
        FOREIGN, seconds, f"{type(error).__name__}: {str(error)[:200]!r} at {Path(where.filename).name}:{where.lineno}"
    )
