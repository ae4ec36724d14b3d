"""Ports: byte streams to a device, opened by address."""

from __future__ import annotations

import errno
import re
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

import serial
from serial.tools import list_ports

from attractor.host.errors import PortError
from attractor.host.latency import LowLatency, latency_timer
from attractor.spec import Spec
from attractor.spec.protocol import DEFAULT_BAUD

__all__ = ["ENTRY_POINTS", "SPEC_OPENER", "WRITE_SECONDS", "Port", "SerialPort", "makes_board", "open_port"]

#: Entry points ``prefix = module:open_port`` for addresses ``prefix:argument``; called with the argument and the baud.
ENTRY_POINTS = "attractor.ports"
#: Function of the same module that opens ``prefix:``, a board made for a network; called with the network's spec.
SPEC_OPENER = "open_spec"
#: Least time in seconds in which the operating system must take over what is written.
WRITE_SECONDS = 5.0


_RFC2217, _NETWORK = "rfc2217://", ("rfc2217://", "socket://")


@runtime_checkable
class Port(Protocol):
    """A byte stream to a device."""

    #: How the user calls it, for messages.
    name: str

    def write(self, data: bytes) -> None:
        """Send ``data``; may return before it is on the line."""
        ...

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have arrived, waiting at most ``timeout`` seconds for the first.

        ``b""`` means that the time has passed without any. A simulated port may say so at once when nothing can
        ever arrive, because simulated time needs no waiting.
        """
        ...

    def close(self) -> None:
        """Release the port; may be called twice."""
        ...


class SerialPort:
    """A serial line, or what else pySerial opens: pseudo-terminals, ``socket://``, ``rfc2217://``, ``spy://`` ...

    Parameters
    ----------
    address:
        Device name or pySerial URL.
    baud:
        Bits each second on the line.

    Raises
    ------
    PortError
        If the port cannot be opened; the message lists the ports that exist.
    """

    def __init__(self, address: str, baud: int = DEFAULT_BAUD) -> None:
        self.name = address
        self._baud = baud
        self._heard = False
        # Over the network pySerial knows no time limit for writing, and no exclusive use.
        self._limits_writing = not address.startswith(_RFC2217)
        options = {"write_timeout": WRITE_SECONDS, "exclusive": True} if self._limits_writing else {}
        _check_url(address)
        try:
            self._serial = serial.serial_for_url(address, baudrate=baud, timeout=0, **options)
        except (OSError, ValueError, NotImplementedError) as error:  # the last is what pySerial has no option for
            raise PortError(_explain(address, baud, error)) from error
        self._low_latency = LowLatency(self._serial)

    @property
    def latency(self) -> str:
        """What is known of how long the system keeps what arrives."""
        timer = latency_timer(self.name)
        known = "unknown" if timer is None else f"at most {timer} ms"
        return f"{known}, asked for low latency" if self._low_latency.on else known

    def change_rate(self, baud: int) -> None:
        """Change the rate, once all that was written is on the line; raise :class:`PortError` if the port cannot."""
        try:
            self._serial.flush()
            self._serial.baudrate = baud
        except (OSError, ValueError) as error:
            raise PortError(f"{self.name} cannot run at {baud} baud: {error}; choose another rate") from error
        self._baud = baud

    def write(self, data: bytes) -> None:
        """Send ``data``; raise :class:`PortError` if the port broke down or takes nothing."""
        try:
            # A full buffer empties at the line's speed, ten bits a byte, so allow for that too.
            if self._limits_writing:
                self._serial.write_timeout = WRITE_SECONDS + 20 * len(data) / self._baud
            self._serial.write(data)
        except OSError as error:
            raise self._broken(error) from error

    def read(self, timeout: float) -> bytes:
        """Return what has arrived within ``timeout`` seconds; raise :class:`PortError` if the port broke down."""
        try:
            data = self._serial.read(self._serial.in_waiting)
            if not data:
                self._serial.timeout = timeout
                first = self._serial.read(1)
                data = first + self._serial.read(self._serial.in_waiting) if first else b""
            self._heard = self._heard or bool(data)
            return data
        except (OSError, TypeError) as error:  # pySerial's TypeError: closed while reading
            raise self._broken(error) from error

    def close(self) -> None:
        """Close the port; its driver is left as it was found."""
        self._low_latency.restore()
        # pySerial leaves the socket of a ``socket://`` open whose other end is gone.
        left = getattr(self._serial, "_socket", None)
        self._serial.close()
        if left is not None:
            left.close()

    def _broken(self, error: Exception) -> PortError:
        if self.name.startswith(_NETWORK) and not self._heard:
            return PortError(
                f"{self.name}: the other end hung up before it said anything ({error}); is another program using the "
                "board? Close that one and try again"
            )
        return PortError(f"{self.name} broke down: {error}; check the cable and open the port again")


def open_port(address: str, baud: int | None = None, spec: Spec | None = None) -> Port:
    """Open the port at an address.

    Parameters
    ----------
    address:
        ``PREFIX:ARGUMENT`` with a prefix registered under the entry-point group :data:`ENTRY_POINTS`, as
        ``sim:FILE`` is; ``PREFIX:`` alone for a board that is made for ``spec``; else a device name or a pySerial URL.
    baud:
        Bits each second; None for the port's own choice, :data:`DEFAULT_BAUD` on a serial line.
    spec:
        The network for which a board is made if the address names none; otherwise it means nothing.

    Raises
    ------
    PortError
        If there is no such port, it is in use or not permitted, or its prefix needs a package that is not installed;
        also if a board is to be made and there is no spec, or the prefix makes none.
    """
    if not address:
        raise PortError(f"the port's address is empty; {_available()}")
    prefix, colon, argument = address.partition(":")
    known = _registered()
    if colon and prefix in known:
        return _open_registered(known[prefix], argument, baud, spec)
    if colon and re.fullmatch(r"[A-Za-z]\w+", prefix) and not argument.startswith("//") and not Path(address).exists():
        prefixes = ", ".join(f"{name}:" for name in sorted(known)) or "none are installed"
        raise PortError(f"{address}: unknown prefix {prefix!r}; known: {prefixes}; {_available()}")
    return SerialPort(address, DEFAULT_BAUD if baud is None else baud)


def makes_board(address: str) -> bool:
    """Return whether an address names no board, but one that is made for the network of whoever opens it."""
    return address.endswith(":") and address[:-1] in _registered()


def _registered() -> dict[str, EntryPoint]:
    """Return the entry points of all prefixes."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


def _open_registered(entry: EntryPoint, argument: str, baud: int | None, spec: Spec | None) -> Port:
    try:
        opened = None if argument else _made_board(entry, spec)
        return entry.load()(argument, baud) if opened is None else opened
    except ModuleNotFoundError as error:
        raise PortError(
            f"{entry.name}:{argument} needs {error.name}, which is not installed: pip install 'attractor[sim]'"
        ) from error


def _made_board(entry: EntryPoint, spec: Spec | None) -> Port | None:
    """Return a board made for a network; None from a prefix that makes none, if none is asked for."""
    opener: Any = getattr(import_module(entry.module), SPEC_OPENER, None)
    if opener is None:
        if spec is None:
            return None
        raise PortError(
            f"{entry.name}: makes no board for a network, as {entry.module} has no {SPEC_OPENER}; say which board "
            f"is meant, {entry.name}:ARGUMENT"
        )
    if spec is None:
        raise PortError(
            f"{entry.name}: is a board made for a network, and none is known here; give the file of one, "
            f"{entry.name}:FILE, or use {entry.name}: where there is a network"
        )
    return opener(spec)


def _check_url(address: str) -> None:
    """Raise :class:`PortError` if a URL of a network names no host or no port, of which pySerial says nothing clear."""
    if address.startswith(_NETWORK):
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise PortError(f"{address} is no address: {error}; give HOST:PORT after //") from error
        if not host or not port:
            raise PortError(f"{address} names no {'port' if host else 'host'}; give HOST:PORT after //")


def _explain(address: str, baud: int, error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code in (errno.EACCES, errno.EPERM):
        return (
            f"{address}: permission denied; on Linux add yourself to the group that owns it, "
            "`sudo usermod -a -G dialout $USER`, and log in again"
        )
    if code in (errno.EAGAIN, errno.EBUSY):
        return f"{address} is in use by another program; close that one and try again"
    if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f"{address}: no such port; {_available()}"
    return f"{address} cannot be opened at {baud} baud: {error}; {_available()}"


def _available() -> str:
    ports = sorted(list_ports.comports())
    if not ports:
        return "no serial port was found: plug the board in, or simulate one with sim:FILE"
    listed = ", ".join(f"{port.device} ({port.description})" for port in ports)
    return f"ports here: {listed}; or simulate one with sim:FILE"
