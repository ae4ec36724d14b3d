"""Any design with a serial line, compiled and run as a board at the other end of that line."""

from __future__ import annotations

import ctypes
import functools
import threading
import time
import weakref
from pathlib import Path
from typing import Any

from attractor.sim.verilator import build_library

__all__ = ["CLOCKS_PER_BIT", "QUIET_CYCLES", "SimulationError", "VerilogBoard"]

#: Clock cycles of one bit on the line unless stated: few, so that the line slows the simulation little.
CLOCKS_PER_BIT = 4
#: Cycles without any activity after which a design will not say anything more by itself.
QUIET_CYCLES = 4096

_SOURCE = Path(__file__).with_name("board_loop.cpp")
# Cycles between two looks at the clock on the wall.
_STEP_CYCLES = 4096
_FOR_EVER = 2**64 - 1
_READ_BYTES = 65536
_HIGHEST_SEED = 2**31 - 2


class SimulationError(RuntimeError):
    """A simulated design stopped, because an assertion in it failed, or its board was closed."""


class VerilogBoard:
    """A port to a simulated design, bits on the serial line and all.

    The design is a Verilog module with the inputs ``clk``, ``rst`` and ``rx`` and the outputs ``tx`` and ``busy``.
    ``rst`` is high in the first cycles. ``busy`` says that the design works on something, so that waiting for it is
    worth while. The line is 8N1; bytes are sent back to back. Time passes in the design only while :meth:`read` or
    :meth:`step` runs. Boards are independent of each other, and one board may be used by several threads.

    Parameters
    ----------
    verilog:
        The design.
    top:
        Name of its top module.
    clocks_per_bit:
        Clock cycles of one bit, at least 2.
    seed:
        Where given, everything that the design does not initialise comes up random: 0 to ``2**31 - 2``. By default
        it comes up zero, as in most FPGAs. A design whose behaviour depends on the seed has a fault. In what
        Amaranth generates these are the data registers of memory ports; all else has initial values.
    quiet_cycles:
        Cycles after which an idle line and low ``busy`` mean that nothing more will come.
    name:
        Name of the port in messages.

    Raises
    ------
    ToolError
        If the design was not compiled before and cannot be now.
    """

    def __init__(
        self,
        verilog: str,
        top: str,
        *,
        clocks_per_bit: int = CLOCKS_PER_BIT,
        seed: int | None = None,
        quiet_cycles: int = QUIET_CYCLES,
        name: str = "rtl",
    ) -> None:
        _check_clocks(clocks_per_bit)
        if seed is not None and not 0 <= seed <= _HIGHEST_SEED:
            raise ValueError(f"seed is {seed}; it must lie between 0 and {_HIGHEST_SEED}")
        if quiet_cycles < 1:
            raise ValueError(f"quiet_cycles is {quiet_cycles}; it must be 1 at least")
        self.name = name
        #: Clock cycles of a bit now.
        self.clocks_per_bit = self._start_clocks_per_bit = clocks_per_bit
        self.quiet_cycles = quiet_cycles
        self._seed = -1 if seed is None else seed
        self._library = _load(build_library(verilog, top, _SOURCE))
        self._lock = threading.RLock()
        self._buffer = ctypes.create_string_buffer(_READ_BYTES)
        self._start()

    # The port

    def write(self, data: bytes) -> None:
        """Queue ``data`` for the line to the design; they are on it when time passes."""
        self._call("board_write", data, len(data))

    def read(self, timeout: float) -> bytes:
        """Let the design run and return the bytes that it sends, up to a pause of its line.

        Returns ``b""`` when ``timeout`` seconds have passed without a byte, or at once when the design is
        :attr:`idle`: simulated time needs no waiting. It always runs a little, also when ``timeout`` is 0.

        Raises
        ------
        SimulationError
            If an assertion in the design fails or the board is closed.
        """
        deadline = time.monotonic() + timeout
        while not self._step(_STEP_CYCLES, self.quiet_cycles):
            if self.idle or time.monotonic() >= deadline:
                return b""
        return self.take()

    def close(self) -> None:
        """Switch the board off; may be called twice."""
        with self._lock:
            self._free()
            self._handle = None

    # What a real board does not have

    def step(self, cycles: int) -> int:
        """Let ``cycles`` clock cycles pass, fewer if bytes arrive; return the number of bytes that can be read.

        Raises
        ------
        SimulationError
            If an assertion in the design fails or the board is closed.
        """
        if cycles < 0:
            raise ValueError(f"cycles is {cycles}; time does not run backwards")
        return self._step(cycles, _FOR_EVER)

    def take(self) -> bytes:
        """Return the bytes that can be read, without letting time pass.

        Raises
        ------
        SimulationError
            If the board is closed.
        """
        with self._lock:
            count = self._call("board_read", self._buffer, _READ_BYTES)
            return ctypes.string_at(self._buffer, count)

    def set_clocks_per_bit(self, clocks: int) -> None:
        """Change the rate of the far end of the line, until a reset; a byte under way is not understood.

        Raises
        ------
        ValueError
            If it is below 2.
        SimulationError
            If the board is closed.
        """
        _check_clocks(clocks)
        self._call("board_change_rate", clocks)
        self.clocks_per_bit = clocks

    def reset(self) -> None:
        """Switch the board off and on: memories as after configuration, whatever is on the line lost."""
        with self._lock:
            self.close()
            self._start()

    @property
    def pending(self) -> int:
        """Bytes that were written and are not at the design yet."""
        return self._call("board_pending")

    @property
    def cycles(self) -> int:
        """Clock cycles since the board was switched on, the reset at the start not included."""
        return self._call("board_cycles")

    @property
    def framing_errors(self) -> int:
        """Bytes from the design that had no stop bit; they are dropped."""
        return self._call("board_framing_errors")

    @property
    def idle(self) -> bool:
        """True if there is nothing to read and nothing will come until something is written."""
        with self._lock:
            return not self._call("board_waiting") and self._call("board_quiet") >= self.quiet_cycles

    def __enter__(self) -> VerilogBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self.clocks_per_bit = self._start_clocks_per_bit
        self._handle = self._library.board_new(self.clocks_per_bit, self._seed)
        if not self._handle:
            raise SimulationError(f"{self.name} did not start: {self._library.board_error(None).decode()}")
        self._free = weakref.finalize(self, self._library.board_delete, self._handle)

    def _call(self, function: str, *arguments: Any) -> int:
        with self._lock:
            if self._handle is None:
                raise SimulationError(f"{self.name} is closed; open it again")
            return getattr(self._library, function)(self._handle, *arguments)

    def _step(self, cycles: int, quiet_cycles: int) -> int:
        with self._lock:
            waiting = self._call("board_step", cycles, quiet_cycles)
            if waiting < 0:
                reason = self._library.board_error(self._handle).decode(errors="replace")
                raise SimulationError(f"{self.name} stopped in clock cycle {self.cycles}: {' '.join(reason.split())}")
            return waiting


def _check_clocks(clocks_per_bit: int) -> None:
    if clocks_per_bit < 2:
        raise ValueError(f"clocks_per_bit is {clocks_per_bit}; a bit needs 2 clock cycles at least")


@functools.cache
def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    board, size, count = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "board_new": (board, [ctypes.c_int, ctypes.c_int64]),
        "board_delete": (None, [board]),
        "board_change_rate": (None, [board, ctypes.c_int]),
        "board_write": (None, [board, ctypes.c_char_p, size]),
        "board_read": (size, [board, ctypes.c_char_p, size]),
        "board_step": (ctypes.c_int64, [board, count, count]),
        "board_pending": (size, [board]),
        "board_waiting": (size, [board]),
        "board_cycles": (count, [board]),
        "board_quiet": (count, [board]),
        "board_framing_errors": (count, [board]),
        "board_error": (ctypes.c_char_p, [board]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
