"""When runs are to end before their time: a deadline, or Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Stop"]


class Stop:
    """Says whether to stop: because a deadline has passed, or somebody told it to.

    It can be sent to another process of the same machine, where the deadline still holds: the processes of a system
    share the clock of :func:`time.monotonic`. What it was told stays behind.

    Parameters
    ----------
    deadline:
        Time by :func:`time.monotonic` in seconds; None for none.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline
        self._told = threading.Event()

    @classmethod
    def after(cls, seconds: float | None) -> Stop:
        """Return one whose deadline is so many seconds from now; None for no deadline."""
        return cls(None if seconds is None else time.monotonic() + seconds)

    def __reduce__(self) -> tuple[Any, ...]:
        return Stop, (self.deadline,)

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.told or self.over

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def left(self) -> float | None:
        """Seconds to the deadline, at least 0; None if there is none."""
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)

    @property
    def told(self) -> bool:
        """Whether it was told to stop."""
        return self._told.is_set()

    def tell(self) -> None:
        """Stop; from any thread."""
        self._told.set()

    @contextmanager
    def on_interrupt(self, also: Callable[[], None] | None = None) -> Iterator[None]:
        """Let the first Ctrl-C in the block tell it, and call ``also``; a second one interrupts as always.

        Only in the main thread, and where nobody else handles Ctrl-C: elsewhere nothing changes.
        """
        default = signal.default_int_handler
        if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not default:
            yield
            return

        def heard(_number: int, _frame: Any) -> None:
            signal.signal(signal.SIGINT, default)
            self.tell()
            if also is not None:
                also()

        signal.signal(signal.SIGINT, heard)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, default)
