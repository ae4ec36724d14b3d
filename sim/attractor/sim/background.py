"""A port whose writes take long, such as a golden board with a call under way, for whoever must not wait for them."""

from __future__ import annotations

import threading
from typing import Protocol, runtime_checkable

from attractor.spec.protocol import ATTENTION, DELIMITER

__all__ = ["LEAST_SECONDS", "Background", "Slow"]

#: Shortest wait for a board that works.
LEAST_SECONDS = 0.002


@runtime_checkable
class Slow(Protocol):
    """A port that works inside of ``write``."""

    def write(self, data: bytes) -> None:
        """Send to the board, and wait until it has worked it off."""
        ...

    def read(self, timeout: float) -> bytes:
        """Receive what it has answered."""
        ...

    def attention(self) -> None:
        """End the call under way; from another thread."""
        ...


class Background:
    """Writes to a port in a thread of its own; the attention sign is seen at once, before what waits.

    Parameters
    ----------
    port:
        The port. It belongs to the thread until :meth:`close`.
    """

    def __init__(self, port: Slow) -> None:
        self._port = port
        self._changed = threading.Condition()
        self._waiting = self._answers = b""
        self._zeros, self._works, self._ends = 0, False, False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="simulated board", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Hand over bytes; returns at once."""
        with self._changed:
            self._waiting += data
            if self._sees_attention(data):
                self._port.attention()
            self._changed.notify()

    def read(self, timeout: float) -> bytes:
        """Return what has been answered within some seconds; ``b""`` if nothing was.

        While the board works it waits for at least :data:`LEAST_SECONDS`, so that asking again and again costs little.

        Raises
        ------
        Exception
            What the port raised, if it failed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._answers or self._failure or self.idle, max(timeout, LEAST_SECONDS))
            if self._failure is not None:
                raise self._failure
            answers, self._answers = self._answers, b""
            return answers

    @property
    def pending(self) -> int:
        """Bytes that wait for the board."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits, and nothing is being worked on."""
        return not (self._waiting or self._works or self._answers)

    def close(self) -> None:
        """End the call under way, forget what waits, and return when the thread has ended."""
        with self._changed:
            self._ends, self._waiting = True, b""
            self._port.attention()
            self._changed.notify()
        self._thread.join()

    def _sees_attention(self, data: bytes) -> bool:
        """Return whether the sign ends in these bytes; it may have begun before."""
        seen = bytes(self._zeros) + data
        self._zeros = min(len(seen) - len(seen.rstrip(b"\0")), len(ATTENTION) - 1)
        return ATTENTION in seen

    def _work(self) -> None:
        while True:
            with self._changed:
                self._works = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._ends)
                if self._ends:
                    return
                # A frame at a time, so that its answer need not wait for what follows.
                frame, delimiter, self._waiting = self._waiting.partition(DELIMITER)
                self._works = True
            try:
                self._port.write(frame + delimiter)
                answers = self._port.read(0.0)
            except BaseException as error:  # it belongs to whoever reads
                with self._changed:
                    self._failure, self._works = error, False
                    self._changed.notify_all()
                return
            with self._changed:
                self._answers += answers
