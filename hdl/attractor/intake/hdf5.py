"""HDF5 files, read by a child process: the library hangs, crashes or takes all memory on some that are damaged."""

from __future__ import annotations

import atexit
import io
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.intake.arrays import checked_type
from attractor.intake.documents import parsed_object
from attractor.intake.errors import IntakeError
from attractor.intake.files import FREE_BYTES, MOST_RATIO
from attractor.intake.text import printable

__all__ = ["MOST_ITEMS", "NoHDF5", "Tree", "most_bytes", "read_group"]

#: Most groups and arrays; links may lead to the same one again and again.
MOST_ITEMS = 4096
_MOST_DEPTH, _MOST_TEXTS, _MOST_TREE = 32, 20_000, 8 << 20
#: Seconds that a child may need to start, which has nothing to do with the file; that it may read a file; and how many
#: bytes of a file give it a second more.
_START_SECONDS, _SECONDS, _BYTES_PER_SECOND = 60.0, 5.0, 16 << 20
_CHILD = Path(__file__).with_name("hdf5_child.py")
_HEADER_BYTES = 9
_READY = b"ready\n"

#: Groups, arrays (scalars as NumPy's) and texts by name; lists of texts are arrays of objects.
Tree = dict[str, Any]


class NoHDF5(IntakeError):  # noqa: N818
    """A file is not HDF5 at all, or its outermost structure is damaged."""


class _Gone(Exception):  # noqa: N818
    """The child has ended."""


def read_group(path: str | Path, group: str) -> Tree | None:
    """Return a group of an HDF5 file with all that is in it; None if there is no such group.

    A child that was started before is used again. It is ended if it takes too long, and limited in memory where the
    system can do that.

    Raises
    ------
    NoHDF5
        If the file is not HDF5.
    IntakeError
        If the file is damaged, leads to other files, or takes too much time or memory.
    """
    path = Path(path).resolve()
    size = path.stat().st_size
    limits = {"depth": _MOST_DEPTH, "items": MOST_ITEMS, "texts": _MOST_TEXTS}
    request = limits | {"bytes": max(FREE_BYTES, MOST_RATIO * size), "path": str(path), "group": group}
    with _LOCK:
        return _CHILD_PROCESS.ask(request, _SECONDS + size / _BYTES_PER_SECOND)


def most_bytes() -> int:
    """Return the most memory that the child which runs now has taken; 0 if none runs, or the system does not say."""
    with _LOCK:
        return _CHILD_PROCESS.most_bytes()


class _Child:
    """A child process, started when it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._answered = True
        # A copy of this process that a fork made leaves the child alone, and starts its own.
        self._owner, self._inherited = os.getpid(), self._process

    def ask(self, request: Mapping[str, Any], seconds: float) -> Tree | None:
        while True:
            fresh = self._start()
            try:
                return self._asked(request, seconds)
            except (MemoryError, _Gone):
                self.stop()
                if fresh:  # otherwise what earlier files left behind in it may have been the reason
                    raise IntakeError(
                        "the HDF5 library breaks down on it, or needs more memory than a file may"
                    ) from None

    def most_bytes(self) -> int:
        """Return the most memory that it has taken."""
        if self._process is not None:
            with suppress(OSError):
                for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        return int(line.split()[1]) << 10
        return 0

    def stop(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()

    def _start(self) -> bool:
        """Start a child unless there is one; return whether it is a new one."""
        if self._owner != os.getpid():
            self._owner, self._inherited, self._process = os.getpid(), self._process, None
        if self._process is not None and self._process.poll() is None:
            return False
        self.stop()
        # No filters from elsewhere, and one thread: each has a stack of its own.
        environment = os.environ | {"HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        try:
            with self._within(_START_SECONDS):
                ready = self._read(len(_READY)) == _READY
        except _Gone:
            ready = False
        if not ready:
            self.stop()
            raise IntakeError("the process that reads HDF5 does not start; install h5py again")
        return True

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Kill the child if the block takes longer; it then raises :class:`IntakeError`."""
        process, late = self._process, threading.Event()
        assert process is not None

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except _Gone:
            if not late.is_set():
                raise
            self.stop()
            raise IntakeError(f"the HDF5 library does not finish within {seconds:.0f} s") from None
        finally:
            timer.cancel()

    def _asked(self, request: Mapping[str, Any], seconds: float) -> Tree | None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._answered = False
        try:
            with self._within(seconds):
                try:
                    self._process.stdin.write(json.dumps(request).encode() + b"\n")
                    self._process.stdin.flush()
                except OSError as error:
                    raise _Gone from error
                return self._answer(request["bytes"])
        finally:
            if not self._answered:  # what else it sends would be taken for the next answer
                self.stop()

    def _answer(self, most: int) -> Tree | None:
        length = self._frame(b"T", most)
        if length is None:
            return None
        if length > _MOST_TREE:
            raise IntakeError(f"names and texts in it have {length:,} bytes; they may have {_MOST_TREE:,}")
        found = self._filled(parsed_object(self._read(length)), most)
        self._frame(b"Z", most)
        self._answered = True
        return found

    def _filled(self, node: Mapping[str, Any], most: int) -> Any:
        """Return a part of the tree with the arrays that the child sends."""
        if "group" in node:
            return {name: self._filled(part, most) for name, part in node["group"].items()}
        if "text" in node:
            text = node["text"]
            return text if isinstance(text, str) else np.array(text, object).reshape(node["shape"])
        said, shape = node["array"]
        dtype, length = checked_type(said), self._frame(b"A", most)
        if length is None or length > most or length != math.prod(shape) * dtype.itemsize:
            raise _Gone
        values = np.empty(shape, dtype)
        if length:
            self._read_into(values.reshape(-1).view(np.uint8))
        return values[()]

    def _frame(self, expected: bytes, most: int) -> int | None:
        """Return the length of a frame of the kind that is expected; None if the child says there is no such group.

        Raise what else it says went wrong.
        """
        header = self._read(_HEADER_BYTES)
        kind, length = header[:1], int.from_bytes(header[1:], "little")
        if kind == expected:
            return length
        if kind != b"E" or length > _MOST_TREE:
            raise _Gone
        why, text = json.loads(self._read(length))
        self._answered = True
        if why == "memory":
            raise MemoryError
        if why == "hdf5":
            raise NoHDF5(printable(text, 300))
        if text == "missing":
            return None
        known = {
            "deep": f"its groups are nested deeper than {_MOST_DEPTH} levels",
            "many": f"it holds more than {MOST_ITEMS} groups and arrays",
            "large": f"it unpacks to more than {most} bytes",
        }
        raise IntakeError(known.get(text, printable(text, 300)))

    def _read_into(self, room: npt.NDArray[np.uint8]) -> None:
        assert self._process is not None
        assert isinstance(self._process.stdout, io.BufferedReader)
        if self._process.stdout.readinto(room.data) < len(room):
            raise _Gone

    def _read(self, count: int) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        data = self._process.stdout.read(count)
        if len(data) < count:
            raise _Gone
        return data


_CHILD_PROCESS, _LOCK = _Child(), threading.Lock()
atexit.register(_CHILD_PROCESS.stop)
