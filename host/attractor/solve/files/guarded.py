"""dimod's readers of linear programs and of its larger models, in a child process with limits on time and memory."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from attractor.intake import IntakeError
from attractor.intake.documents import parsed_object
from attractor.solve.ising import MOST_OSCILLATORS

__all__ = ["described"]

#: Seconds that a child may need to start, that it may read a file, and how many bytes give it a second more.
_START_SECONDS, _SECONDS, _BYTES_PER_SECOND = 60.0, 5.0, 1 << 20
#: Longest file and longest answer in bytes; most values of an answer; most variables.
_MOST_BYTES, _MOST_ANSWER, _MOST_VALUES, _MOST_VARIABLES = 64 << 20, 256 << 20, 20_000_000, 4 * MOST_OSCILLATORS
_CHILD, _READY = Path(__file__).with_name("dimod_child.py"), b"ready\n"


class _Gone(Exception):  # noqa: N818
    """The child has ended."""


def described(kind: Literal["lp", "cqm", "qm"], data: bytes) -> dict[str, Any]:
    """Return what dimod reads, as :mod:`attractor.solve.files.dimod_child` describes it.

    A child that was started before is used again.

    Raises
    ------
    IntakeError
        If dimod refuses the file, or takes too much time or memory over it.
    """
    if len(data) > _MOST_BYTES:
        raise IntakeError(f"it has {len(data):,} bytes; such a file may have {_MOST_BYTES:,}")
    with _LOCK:
        while True:
            fresh = _PROCESS.start()
            try:
                answer = _PROCESS.ask(kind, data)
                break
            except _Gone:
                if fresh:  # otherwise what earlier files left behind in it may have been the reason
                    raise IntakeError("dimod's reader breaks down on it") from None
    if "error" in answer:
        raise IntakeError(str(answer["error"]))
    return answer


class _Child:
    """A child process, started when it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder, self._owner = "", os.getpid()
        self._inherited: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Start a child unless there is one; return whether it is a new one."""
        if self._owner != os.getpid():  # a copy of this process that a fork made leaves the child alone
            self._owner, self._inherited, self._process, self._folder = os.getpid(), self._process, None, ""
        if self._process is not None and self._process.poll() is None:
            return False
        self.stop()
        # dimod copies linear programs into temporary files, and a child that is killed leaves them behind.
        self._folder = tempfile.mkdtemp(prefix="attractor-")
        environment = os.environ | {"TMPDIR": self._folder, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        ready = b""
        with suppress(_Gone), self._within(_START_SECONDS):
            ready = self._read(len(_READY))
        if ready != _READY:
            self.stop()
            raise IntakeError("the process that reads it does not start; install dimod again")
        return True

    def ask(self, kind: str, data: bytes) -> dict[str, Any]:
        """Return the answer to a request."""
        assert self._process is not None
        assert self._process.stdin is not None
        request = {"kind": kind, "bytes": len(data), "variables": _MOST_VARIABLES}
        answered = False
        try:
            with self._within(_SECONDS + len(data) / _BYTES_PER_SECOND):
                try:
                    self._process.stdin.write(json.dumps(request).encode() + b"\n" + data)
                    self._process.stdin.flush()
                except OSError as error:
                    raise _Gone from error
                length = int.from_bytes(self._read(8), "little")
                if length > _MOST_ANSWER:
                    raise IntakeError("it holds more than any network's problem")
                found = self._read(length)
                answered = True
        finally:
            if not answered:  # what else it sends would be taken for the next answer
                self.stop()
        return parsed_object(found, most_values=_MOST_VALUES, finite=False)

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
        if self._folder and self._owner == os.getpid():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

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
            raise IntakeError(f"dimod does not finish within {seconds:.0f} s") from None
        finally:
            timer.cancel()

    def _read(self, count: int) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        data = self._process.stdout.read(count)
        if len(data) < count:
            raise _Gone
        return data


_PROCESS, _LOCK = _Child(), threading.Lock()
atexit.register(_PROCESS.stop)
