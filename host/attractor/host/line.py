"""The host's end of a line: frames out, replies in, and what follows from the line's rate."""

from __future__ import annotations

import time
from collections.abc import Callable

from attractor.host.flight import Window
from attractor.host.port import Port
from attractor.host.replies import WIRE_BYTES, LinkStatistics, ReplyReader
from attractor.spec.protocol import DEFAULT_BAUD, DELIMITER, RECEIVE_BUFFER_BYTES

__all__ = ["LATENCY_SECONDS", "SILENT_AT_RATE", "TIMEOUT", "Line"]

#: Delay between a device's reply and the host's reading it that must not starve the line, in seconds. The latency
#: timer of common USB converters is 16 ms.
LATENCY_SECONDS = 0.04
#: Seconds without an answer after which the device is asked what it has.
TIMEOUT = 0.25
#: Times in a row without any answer after which the rate of the line is in doubt.
SILENT_AT_RATE = 2


class Line:
    """One end of a line, with the window of frames in flight and the time limit that its rate asks for.

    Parameters
    ----------
    port, baud, timeout, clock:
        As in :class:`~attractor.host.link.LinkClient`.
    """

    def __init__(
        self,
        port: Port,
        *,
        baud: int = DEFAULT_BAUD,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.port = port
        self.statistics = LinkStatistics()
        #: Time in seconds.
        self.clock = clock
        #: Rate at which the device starts, and that of the line now.
        self.start_baud = self.baud = baud
        self.replies = ReplyReader(self.statistics, clock)
        self._patient_seconds = timeout
        self._receive_buffer = RECEIVE_BUFFER_BYTES
        self._size()

    def _size(self) -> None:
        """Fit windows and time limits to the rate of the line."""
        #: How many bytes may be unanswered.
        self.window = Window(max(8 * WIRE_BYTES, int(LATENCY_SECONDS * self.baud / 10)), self._receive_buffer)
        #: Seconds without an answer after which the device is asked what it has.
        self.timeout = self._patient_seconds + 20 * WIRE_BYTES / self.baud

    def change_rate(self, baud: int) -> None:
        """Change this side's rate, where the port has one; :mod:`attractor.host.rate` agrees on it with the device."""
        change: Callable[[int], None] | None = getattr(self.port, "change_rate", None)
        if change is not None and baud != self.baud:
            change(baud)
            self.baud = baud
            self._size()

    def fit_buffer(self, size: int) -> None:
        """Fit the window to the bytes that a device takes in while it is busy; what was learnt stays if they do."""
        if size != self._receive_buffer:
            self._receive_buffer = size
            self._size()

    def doubt(self, silent: int) -> None:
        """Go back to the rate at which the device starts, as it does too when it hears nothing that makes sense.

        Parameters
        ----------
        silent:
            Times in a row that nothing was answered.
        """
        if silent == SILENT_AT_RATE:
            self.change_rate(self.start_baud)

    def write(self, frames: list[bytes], repeats: int) -> None:
        """Write frames; a delimiter before repeats ends whatever partial frame the device holds."""
        if frames:
            self.port.write((DELIMITER if repeats else b"") + b"".join(frames))
            self.statistics.sent += len(frames)
            self.statistics.repeated += repeats

    def close(self) -> None:
        """Close the port."""
        self.port.close()
