"""A child process for a library that hangs, crashes or takes all memory on some files that are damaged.

The child is a program of its own, started by file name. It says ``ready`` on standard output and then answers requests;
what a request and an answer look like is between it and who asks. :func:`limit_memory` is for the child to call.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from attractor.intake.errors import IntakeError

__all__ = ["Gone", "GuardedChild", "limit_memory"]

#: Seconds that a child may need to start, which has nothing to do with the file.
_START_SECONDS = 60.0
_READY = b"ready\n"

Answer = TypeVar("Answer")


class Gone(Exception):  # noqa: N818
    """The child has ended, or says what it never should."""


class GuardedChild:
    """A child process, started when it is needed and used again. It is ended if it takes too long.

    Parameters
    ----------
    program:
        What it runs.
    library:
        What errors call the library that it protects from.
    package:
        The package that holds the library, to be installed again where the child does not start.
    environment:
        Variables of its environment beside those of this process.
    """

    def __init__(
        self, program: Path, *, library: str, package: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.program, self.library, self.package = program, library, package
        # One thread: each has a stack of its own.
        self._environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"} | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._folder, self._answered, self._lock = "", True, threading.Lock()
        # A copy of this process that a fork made leaves the child alone, and starts its own.
        self._owner, self._inherited = os.getpid(), self._process

    def ask(self, request: bytes, seconds: float, answer: Callable[[], Answer]) -> Answer:
        """Send a request, and return what ``answer`` makes of what the child says to it.

        ``answer`` calls :meth:`read` and, when the child has nothing more to say, :meth:`complete`; it raises
        :class:`Gone` for an answer that cannot be, and :class:`MemoryError` where the child says that it lacks memory.

        Raises
        ------
        IntakeError
            If the child does not start, ends, or takes longer than ``seconds``.
        """
        with self._lock:
            while True:
                fresh = self._start()
                try:
                    return self._asked(request, seconds, answer)
                except (MemoryError, Gone):
                    self._stop()
                    if fresh:  # otherwise what earlier files left behind in it may have been the reason
                        raise IntakeError(
                            f"{self.library} breaks down on it, or needs more memory than a file may"
                        ) from None

    def read(self, count: int) -> bytes:
        """Return so many bytes of what the child says."""
        assert self._process is not None
        assert self._process.stdout is not None
        data = self._process.stdout.read(count)
        if len(data) < count:
            raise Gone
        return data

    def read_into(self, room: npt.NDArray[np.uint8]) -> None:
        """Fill an array with what the child says."""
        assert self._process is not None
        assert isinstance(self._process.stdout, io.BufferedReader)
        if self._process.stdout.readinto(room.data) < len(room):
            raise Gone

    def complete(self) -> None:
        """Note that the answer is complete: otherwise the child is ended, and what else it says is not heard."""
        self._answered = True

    def most_bytes(self) -> int:
        """Return the most memory that the running child has taken; 0 if none runs, or the system does not say."""
        with self._lock:
            if self._process is not None:
                with suppress(OSError):
                    for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                        if line.startswith("VmHWM:"):
                            return int(line.split()[1]) << 10
        return 0

    def stop(self) -> None:
        """End the child."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
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

    def _start(self) -> bool:
        """Start a child unless there is one; return whether it is a new one."""
        if self._owner != os.getpid():
            self._owner, self._inherited, self._process, self._folder = os.getpid(), self._process, None, ""
        if self._process is not None and self._process.poll() is None:
            return False
        self._stop()
        # Temporary files of a child that is killed would stay behind elsewhere.
        self._folder = tempfile.mkdtemp(prefix="attractor-")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(self.program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | self._environment | {"TMPDIR": self._folder},
        )
        try:
            with self._within(_START_SECONDS):
                ready = self.read(len(_READY)) == _READY
        except Gone:
            ready = False
        if not ready:
            self._stop()
            raise IntakeError(f"the process for {self.library} does not start; install {self.package} again")
        return True

    def _asked(self, request: bytes, seconds: float, answer: Callable[[], Answer]) -> Answer:
        assert self._process is not None
        assert self._process.stdin is not None
        self._answered = False
        try:
            with self._within(seconds):
                try:
                    self._process.stdin.write(request)
                    self._process.stdin.flush()
                except OSError as error:
                    raise Gone from error
                return answer()
        finally:
            if not self._answered:  # what else it sends would be taken for the next answer
                self._stop()

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
        except Gone:
            if not late.is_set():
                raise
            self._stop()
            raise IntakeError(f"{self.library} does not finish within {seconds:.0f} s") from None
        finally:
            timer.cancel()


def limit_memory(more: int) -> None:
    """Let the system refuse this process more than so many bytes beside those that it has, where it can."""
    try:
        import resource

        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + more, most))
    except (ImportError, OSError, ValueError):
        pass  # time is limited all the same, and the sizes that a file claims are
