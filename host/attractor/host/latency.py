"""How long a serial driver keeps what arrives: asked to be short where the system can, and put back afterwards.

USB converters collect bytes before they hand them on; those of FTDI wait 16 ms by default. Linux passes a wish for low
latency on to the driver, which then waits 1 ms. Nothing here depends on it: where it fails, all is as before.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

__all__ = ["ASYNC_LOW_LATENCY", "LowLatency", "latency_timer"]

#: The flag in Linux's ``struct serial_struct`` (linux/serial.h, linux/tty_flags.h).
ASYNC_LOW_LATENCY = 1 << 13
#: Long enough for ``struct serial_struct``, whose third and fifth int are line and flags on all architectures.
_STRUCT_BYTES = 128
_FLAGS = struct.Struct("@i")
_FLAGS_OFFSET = 16


class LowLatency:
    """A wish for low latency for one open serial port.

    Parameters
    ----------
    port:
        The open port, of pySerial; one without a file descriptor has no driver to ask.
    """

    def __init__(self, port: Any) -> None:
        self._descriptor: int | None = getattr(port, "fd", None)
        self._asked = False
        #: Whether the driver now hands on what arrives at once; None where nobody can say.
        self.on: bool | None = self._ask()

    def _ask(self) -> bool | None:
        flags = self._flags()
        if flags is None:
            return None
        if flags & ASYNC_LOW_LATENCY:
            return True
        self._asked = self._set(flags | ASYNC_LOW_LATENCY)
        after = self._flags()
        return None if after is None else bool(after & ASYNC_LOW_LATENCY)

    def restore(self) -> None:
        """Put back what was there before."""
        flags = self._flags() if self._asked else None
        if flags is not None:
            self._set(flags & ~ASYNC_LOW_LATENCY)
            self._asked = False

    def _struct(self) -> bytearray | None:
        """Return the driver's settings; None if there are none."""
        if self._descriptor is None:
            return None
        try:
            import fcntl
            import termios

            settings = bytearray(_STRUCT_BYTES)
            fcntl.ioctl(self._descriptor, termios.TIOCGSERIAL, settings)
        except (ImportError, AttributeError, OSError, ValueError):  # another system, or no serial driver
            return None
        return settings

    def _flags(self) -> int | None:
        settings = self._struct()
        return None if settings is None else _FLAGS.unpack_from(settings, _FLAGS_OFFSET)[0]

    def _set(self, flags: int) -> bool:
        settings = self._struct()
        if settings is None or self._descriptor is None:
            return False
        import fcntl
        import termios

        _FLAGS.pack_into(settings, _FLAGS_OFFSET, flags)
        try:
            fcntl.ioctl(self._descriptor, termios.TIOCSSERIAL, bytes(settings))
        except OSError:  # not permitted
            return False
        return True


def latency_timer(device: str) -> int | None:
    """Return the milliseconds for which the driver of a USB converter collects bytes; None if it does not tell.

    Parameters
    ----------
    device:
        Device name, such as ``/dev/ttyUSB1``.
    """
    name = Path(device).resolve().name
    try:
        return int((Path("/sys/bus/usb-serial/devices") / name / "latency_timer").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
