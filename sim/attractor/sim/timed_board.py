"""Simulated gateware behind a line that takes time: all on the clock of the design itself."""

from __future__ import annotations

from collections import deque

from attractor.sim.verilog_board import VerilogBoard

__all__ = ["TimedBoard"]


class TimedBoard:
    """A port to a simulated design, whose replies are seen late, as through a USB converter with a latency timer.

    Time is what the design's clock counts, so a figure that is measured with it is the line's and the design's, and
    does not depend on the computer. An instance is the clock to give to :class:`~attractor.host.device.Device`, too.

    Parameters
    ----------
    board:
        The design.
    baud:
        Bits each second on its line at the start; with the board's clock cycles for each bit this fixes its clock.
    latency:
        Seconds between the last bit of a reply and the host's seeing it.
    """

    #: Clock cycles between two looks at the line, at most.
    STEP = 4096

    def __init__(self, board: VerilogBoard, *, baud: int, latency: float) -> None:
        self.name = board.name
        #: Rate of the line at the start.
        self.baud = baud
        self.clock_hz = baud * board.clocks_per_bit
        self._board = board
        self._latency = round(latency * self.clock_hz)
        self._arriving: deque[tuple[int, bytes]] = deque()

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._board.cycles / self.clock_hz

    def change_rate(self, baud: int) -> None:
        """Change the rate of the line.

        Raises
        ------
        ValueError
            If a bit is no whole number of clock cycles then.
        """
        clocks, rest = divmod(self.clock_hz, baud)
        if rest:
            raise ValueError(f"{self.name}: a bit at {baud} baud is no whole number of cycles at {self.clock_hz} Hz")
        self._board.set_clocks_per_bit(clocks)

    def write(self, data: bytes) -> None:
        """Put ``data`` on the line behind what is still being sent."""
        self._board.write(data)

    def read(self, timeout: float) -> bytes:
        """Let time pass until something arrives, at most ``timeout`` seconds, and return all that has."""
        end = self._board.cycles + round(timeout * self.clock_hz)
        while not self._has_arrived() and self._board.cycles < end:
            until = min(end, self._arriving[0][0]) if self._arriving else end
            if self._board.step(max(1, min(self.STEP, until - self._board.cycles))):
                self._arriving.append((self._board.cycles + self._latency, self._board.take()))
        data = b""
        while self._has_arrived():
            data += self._arriving.popleft()[1]
        return data

    def close(self) -> None:
        """Switch the board off."""
        self._board.close()

    def _has_arrived(self) -> bool:
        return bool(self._arriving) and self._arriving[0][0] <= self._board.cycles
