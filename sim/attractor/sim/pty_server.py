"""A simulated board for any serial program: as a pseudo-terminal, or on a TCP port of this machine."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from attractor.sim.background import Background, Slow

__all__ = ["LINE_BYTES", "QUEUE_BYTES", "Endpoint", "PseudoTerminal", "ServedPort", "TcpSocket", "serve"]

#: Bytes that wait for a slow reader before the simulation pauses for it.
QUEUE_BYTES = 1 << 16
#: Bytes that wait for the board before no more are taken from the program, which then waits as on a real line.
LINE_BYTES = 1 << 12
# Seconds between two looks at the stop event while nothing happens.
_IDLE_SECONDS = 0.05
_CHUNK_BYTES = 4096


class ServedPort(Protocol):
    """What can be served: any port of a simulated board.

    A port that can tell that nothing will come from it has an attribute ``idle``, as
    :class:`~attractor.sim.verilog_board.VerilogBoard` does; others count as idle when a read gave nothing. One that
    knows how many bytes wait for its line has an attribute ``pending``. One whose ``write`` can take long has a method
    ``attention``, as :class:`~attractor.sim.golden_board.GoldenBoard` does: its ``write`` runs in a thread of its own.
    """

    def write(self, data: bytes) -> None:
        """Send to the board."""
        ...

    def read(self, timeout: float) -> bytes:
        """Receive from the board."""
        ...


class Endpoint(Protocol):
    """The side on which serial programs connect. Nothing here ever blocks but ``wait``."""

    #: What a serial program opens.
    address: str

    def wait(self, seconds: float, receiving: bool, sending: bool) -> None:
        """Return when there is something to receive or room to send, whichever was asked for, or time is over."""
        ...

    def receive(self) -> bytes:
        """Return what has come from the program, which may be nothing."""
        ...

    def send(self, data: bytes) -> int:
        """Hand over as much of ``data`` as there is room for and return how much that was."""
        ...

    def close(self) -> None:
        """Take the address away."""
        ...


def serve(
    port: ServedPort,
    announce: Callable[[str], None],
    *,
    tcp_port: int | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Offer ``port`` to serial programs until told to stop. Programs may come and go, one at a time.

    Nothing is lost when a program reads slowly: the simulation waits for it. One that writes faster than the board
    takes has to wait. In the main thread SIGTERM ends the function as ``stop`` does; :class:`KeyboardInterrupt` passes
    through. Either ends a call under way. The port is left open.

    Parameters
    ----------
    port:
        The board.
    announce:
        Called once with the address to open: the path of a pseudo-terminal or ``socket://127.0.0.1:PORT``.
    tcp_port:
        TCP port to listen on, 0 for any free one; None for a pseudo-terminal.
    stop:
        Ends the function when it is set.

    Raises
    ------
    OSError
        If the address cannot be offered: the TCP port is in use, or the system has no pseudo-terminals.
    """
    stop = threading.Event() if stop is None else stop
    endpoint = PseudoTerminal() if tcp_port is None else TcpSocket(tcp_port)
    with contextlib.closing(endpoint), _stopped_by_sigterm(stop), contextlib.ExitStack() as stack:
        if isinstance(port, Slow):
            port = stack.enter_context(contextlib.closing(Background(port)))
        announce(endpoint.address)
        _pump(port, endpoint, stop)


def _pump(port: ServedPort, endpoint: Endpoint, stop: threading.Event) -> None:
    queue, idle = b"", True
    while not stop.is_set():
        full, takes = len(queue) >= QUEUE_BYTES, getattr(port, "pending", 0) < LINE_BYTES
        endpoint.wait(_IDLE_SECONDS if idle or full else 0.0, takes and not full, bool(queue))
        if not full:
            received = endpoint.receive() if takes else b""
            if received:
                port.write(received)
            sent = port.read(0.0)
            queue += sent
            idle = getattr(port, "idle", not received and not sent)
        queue = queue[endpoint.send(queue) :] if queue else queue


@contextlib.contextmanager
def _stopped_by_sigterm(stop: threading.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class PseudoTerminal:
    """A serial port made of nothing, in raw mode.

    Raises
    ------
    OSError
        If the system has none.
    """

    def __init__(self) -> None:
        try:
            import pty
            import tty
        except ImportError as error:
            raise OSError("this system has no pseudo-terminals; serve a TCP port instead") from error
        # The program's side stays open here too, or reading would fail whenever a program closes it.
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.address = os.ttyname(self._theirs)

    def wait(self, seconds: float, receiving: bool, sending: bool) -> None:
        """Wait for the program."""
        select.select([self._ours] * receiving, [self._ours] * sending, [], seconds)

    def receive(self) -> bytes:
        """Return what the program wrote."""
        try:
            return os.read(self._ours, _CHUNK_BYTES)
        except BlockingIOError:
            return b""

    def send(self, data: bytes) -> int:
        """Fill the terminal's input buffer."""
        try:
            return os.write(self._ours, data[:_CHUNK_BYTES])
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Remove the terminal."""
        os.close(self._ours)
        os.close(self._theirs)


class TcpSocket:
    """A TCP port of this machine for one program at a time, others are disconnected; works on every system.

    Parameters
    ----------
    tcp_port:
        Number of the port; 0 for any that is free.

    Raises
    ------
    OSError
        If the port is in use.
    """

    def __init__(self, tcp_port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", tcp_port), backlog=1)
        self._listener.setblocking(False)
        self._program: socket.socket | None = None
        self.address = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"

    def wait(self, seconds: float, receiving: bool, sending: bool) -> None:
        """Wait for the program, or for one to connect."""
        source = self._program or self._listener
        select.select([source] * receiving, [source] * (sending and source is self._program), [], seconds)

    def receive(self) -> bytes:
        """Return what the program sent; accept one if there is none."""
        if self._program is None:
            with contextlib.suppress(BlockingIOError):
                self._program, _ = self._listener.accept()
                self._program.setblocking(False)
                # A reply is a small packet that must not wait for the next.
                self._program.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return b""
        try:
            data = self._program.recv(_CHUNK_BYTES)
        except BlockingIOError:
            self._refuse_another()
            return b""
        except OSError:
            data = b""
        if not data:
            self._disconnect()
        return data

    def send(self, data: bytes) -> int:
        """Send to the program; without one the bytes are lost, as on a line that leads nowhere."""
        if self._program is None:
            return len(data)
        try:
            return self._program.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._disconnect()
            return len(data)

    def close(self) -> None:
        """Disconnect and stop listening."""
        self._disconnect()
        self._listener.close()

    def _refuse_another(self) -> None:
        """Disconnect a program that comes while there is one, or it would wait for answers without an end."""
        with contextlib.suppress(OSError):
            self._listener.accept()[0].close()

    def _disconnect(self) -> None:
        if self._program is not None:
            self._program.close()
            self._program = None
